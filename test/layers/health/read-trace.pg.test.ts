import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { positionId } from "../../../src/domain/kernel/ids.ts"
import { correlationOf } from "../../../src/layers/orders/orders-store.port.ts"
import { ReadStorePg } from "../../../src/layers/health/read-store.pg.ts"
import { type Item, ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { FillsStore } from "../../../src/layers/orders/fills-store.port.ts"
import { OrderCommands } from "../../../src/layers/orders/order-commands.port.ts"
import { OrdersStore, type StoredOrder } from "../../../src/layers/orders/orders-store.port.ts"
import { fillOf, intend, type OrderOptions, own, sql, world } from "../../integration/execution-world.ts"

const everything = ReadStorePg.pipe(Layer.provideMerge(world()))
const fee = { price: "100" }

layer(everything, { excludeTestServices: true })(
  "the trace of a signal, with the exits of what it opened",
  (it) => {
    /** An order of a signal of its own, filled at once. */
    const filled = (options: OrderOptions) =>
      Effect.gen(function* () {
        const order = yield* intend(options)
        const recorded = yield* FillsStore.use((fills) =>
          fills.record("practice", fillOf(order, { ...fee, quantity: order.quantity }))
        )
        assert.strictEqual(recorded._tag, "Recorded")
        return order
      })
    const exit = (symbol: string, epoch: number, strategy = "default") =>
      Effect.gen(function* () {
        const outcome = yield* OrdersStore.use((orders) =>
          orders.intendExit({
            account: "paper-1",
            positionId: positionId("paper-1", symbol),
            positionEpoch: epoch,
            exitKind: "stop_loss",
            strategy,
            quantity: null
          })
        )
        if (outcome._tag !== "Intended") return yield* Effect.die(new Error(outcome.why))
        return outcome.order
      })
    /** Sent, and filled at once. */
    const fill = (order: StoredOrder) =>
      Effect.andThen(
        sql((client) => client`UPDATE orders SET status = 'acked' WHERE id = ${order.id}`),
        FillsStore.use((fills) => fills.record("practice", fillOf(order, { quantity: order.quantity })))
      )
    const traceOf = (order: StoredOrder) =>
      Effect.flatMap(
        ReadStore.use((reads) => reads.trace(order.signalId ?? "")),
        Effect.fromNullishOr
      )
    const idsOf = (items: ReadonlyArray<Item>) => items.map((item) => item["id"])

    it.effect(
      "[E5] an exit, its fill and its log lines have the id of the signal that opened the share",
      () =>
        Effect.gen(function* () {
          yield* own()
          const entry = yield* filled({ symbol: "ONE", quantity: "5" })
          const closes = yield* exit("ONE", 1)
          assert.strictEqual(correlationOf(closes), entry.signalId)
          const before = yield* traceOf(entry)
          assert.deepStrictEqual(idsOf(before.exits), [closes.id], "while it is under way")
          yield* fill(closes)
          const trace = yield* traceOf(entry)
          assert.deepStrictEqual(idsOf(trace.orders), [entry.id])
          assert.deepStrictEqual(idsOf(trace.exits), [closes.id])
          assert.deepStrictEqual(
            trace.fills.map((row) => [row["order_id"], row["correlation_id"]]),
            [
              [entry.id, entry.signalId],
              [closes.id, entry.signalId]
            ]
          )
          assert.deepStrictEqual(
            [...trace.orders, ...trace.exits].map((row) => row["correlation_id"]),
            [entry.signalId, entry.signalId]
          )
          assert.deepStrictEqual(
            trace.links.map((row) => row["opened_by"]),
            [entry.signalId, entry.signalId]
          )
        })
    )

    it.effect("[G3] the sentences tell of every step, fill and exit that is stored", () =>
      Effect.gen(function* () {
        yield* own()
        const entry = yield* intend({ symbol: "WHY", quantity: "5" })
        yield* fill(entry)
        const closes = yield* exit("WHY", 1)
        const told = Effect.map(
          ReadStore.use((reads) => reads.explain(entry.signalId ?? "")),
          (lines) => lines?.join("\n") ?? ""
        )
        const before = yield* told
        assert.match(
          before,
          /^One order was made: buy 5 WHY at market in paper-1 for default\. It was filled, 5 of 5 at 100/
        )
        assert.include(
          before,
          `Close ${closes.id}, sell 5 WHY at market in paper-1 for default, by the rule stop loss, waits to be sent.`
        )
        yield* fill(closes)
        const after = yield* told
        assert.match(after, new RegExp(`Close ${closes.id}, .* was filled, 5 of 5 at 100 on average\\.`))
        const events = yield* sql(
          (client) =>
            client<{
              readonly at: Date
            }>`SELECT at FROM order_events WHERE order_id IN (${entry.id}, ${closes.id})`
        )
        assert.isAbove(events.length, 2)
        for (const { at } of events) assert.include(after, `  ${at.toISOString()} `)
        const trades = yield* sql(
          (client) =>
            client<{ readonly id: string }>`SELECT trade_id AS id FROM trade_records WHERE symbol = 'WHY'`
        )
        assert.lengthOf(trades, 2)
        for (const { id } of trades) assert.include(after, `(trade ${id}).`)
        assert.isNull(yield* ReadStore.use((reads) => reads.explain("00000000-0000-8000-8000-0000000000bb")))
      })
    )

    it.effect("the next opening is another signal's, also in a position that others never left", () =>
      Effect.gen(function* () {
        yield* own()
        yield* filled({ symbol: "TWO", quantity: "3", strategy: "plain" })
        const first = yield* filled({ symbol: "TWO", quantity: "5" })
        const added = yield* filled({ symbol: "TWO", quantity: "1" })
        const firstExit = yield* exit("TWO", 1)
        assert.strictEqual(firstExit.quantity, "6")
        yield* fill(firstExit)
        const second = yield* filled({ symbol: "TWO", quantity: "2" })
        const secondExit = yield* exit("TWO", 1)
        assert.deepStrictEqual(idsOf((yield* traceOf(first)).exits), [firstExit.id])
        assert.deepStrictEqual(
          idsOf((yield* traceOf(added)).exits),
          [firstExit.id],
          "who adds is closed with it"
        )
        assert.deepStrictEqual(idsOf((yield* traceOf(second)).exits), [secondExit.id])
        assert.strictEqual(correlationOf(secondExit), second.signalId)
      })
    )

    it.effect("who adds after a part was closed has only the exits that came later", () =>
      Effect.gen(function* () {
        yield* own()
        const first = yield* filled({ symbol: "PART", quantity: "5" })
        const part = yield* filled({ symbol: "PART", quantity: "2", side: "sell", closes: "2" })
        const added = yield* filled({ symbol: "PART", quantity: "1" })
        const last = yield* exit("PART", 1)
        assert.deepStrictEqual(idsOf((yield* traceOf(first)).exits), [part.id, last.id])
        assert.deepStrictEqual(idsOf((yield* traceOf(added)).exits), [last.id])
        assert.deepStrictEqual(idsOf((yield* traceOf(part)).orders), [part.id])
      })
    )

    it.effect("an operator's close correlates with its command, and is in the trace of what it closes", () =>
      Effect.gen(function* () {
        yield* own()
        const entry = yield* filled({ symbol: "HAND", quantity: "5" })
        const commandId = "00000000-0000-8000-8000-0000000000aa"
        const closed = yield* OrderCommands.use((commands) =>
          commands.close({
            positionId: positionId("paper-1", "HAND"),
            quantity: null,
            commandId,
            source: "console"
          })
        )
        if (closed._tag !== "Closing") return yield* Effect.die(new Error(closed._tag))
        const [order] = closed.orders
        assert.deepInclude(order, { openedBy: entry.signalId, commandId })
        const [row] = (yield* traceOf(entry)).exits
        assert.deepInclude(row, { id: order?.id, correlation_id: commandId, opened_by: entry.signalId })
      })
    )

    it.effect("what no signal opened correlates with itself", () =>
      Effect.gen(function* () {
        yield* own()
        const outside = { clientOrderId: null, symbol: "ODD", side: "buy" } as const
        yield* FillsStore.use((fills) => fills.record("practice", fillOf(outside, { quantity: "4" })))
        const order = yield* exit("ODD", 1, "external")
        assert.strictEqual(order.openedBy, null)
        assert.strictEqual(correlationOf(order), order.id)
      })
    )
  }
)
