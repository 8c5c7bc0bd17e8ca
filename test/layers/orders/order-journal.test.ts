/** Orders in the journal: each committed step once, with where it came from, and what a venue wrote masked. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makeMask } from "../../../src/domain/kernel/redaction.ts"
import { FillsStore } from "../../../src/layers/orders/fills-store.port.ts"
import { OrderCommands } from "../../../src/layers/orders/order-commands.port.ts"
import {
  journalledCommands,
  journalledFills,
  journalledOrders,
  type JournalledOrder,
  OrderJournal
} from "../../../src/layers/orders/order-journal.ts"
import { type Moved, OrdersStore, type StoredOrder } from "../../../src/layers/orders/orders-store.port.ts"
import { Journal } from "../../../src/layers/platform/journal.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"

const order: JournalledOrder = {
  id: "o-1",
  clientOrderId: "c-1",
  signalId: "s-1",
  commandId: null,
  openedBy: null,
  account: "paper-1",
  strategy: "default",
  symbol: "SPY",
  side: "buy",
  quantity: "2",
  filledQuantity: "0",
  status: "intended",
  reason: null
}
const as = (more: Partial<JournalledOrder>): StoredOrder => ({ ...order, ...more }) as unknown as StoredOrder

/** The ports, of which each answers what the test says next. */
const openWorld = Effect.gen(function* () {
  const journal = makeJournal("b0000000-0000-4000-8000-000000000000", 0)
  const next: { answer: unknown; given: ReadonlyArray<unknown> } = { answer: null, given: [] }
  const answer = (...given: ReadonlyArray<unknown>) =>
    Effect.sync(() => {
      next.given = given
      return next.answer
    })
  const stub = <A>(names: ReadonlyArray<string>): A =>
    Object.fromEntries(names.map((name) => [name, answer])) as unknown as A
  const services = yield* Layer.build(
    Layer.mergeAll(
      journalledOrders(
        Layer.succeed(
          OrdersStore,
          stub<OrdersStore["Service"]>(["apply", "submit", "expireStale", "intendExit", "compensate"])
        )
      ),
      journalledFills(Layer.succeed(FillsStore, stub<FillsStore["Service"]>(["record", "adopt"]))),
      journalledCommands(
        Layer.succeed(
          OrderCommands,
          stub<OrderCommands["Service"]>(["cancel", "resolve", "close", "flatten"])
        )
      )
    ).pipe(
      Layer.provideMerge(OrderJournal.masked(makeMask(["hunter2222"]))),
      Layer.provide(Layer.succeed(Journal, journal))
    )
  )
  const use = <A, R>(given: unknown, effect: Effect.Effect<A, unknown, R>) =>
    Effect.suspend(() => {
      next.answer = given
      return Effect.orDie(effect as Effect.Effect<A, unknown>)
    }).pipe(Effect.provide(services))
  const steps = () => journal.read(0, 100).map(({ event, from, to }) => [event, from, to])
  return { given: () => next.given, journal, steps, use }
})

const grant = { account: "paper-1", owner: "me", fence: 1n } as never

const noAlert = (): never => assert.fail("nobody is told of a known trade")

describe("orders in the journal", () => {
  it.effect("are their committed steps, with the status before, and not what changed nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { journal, steps, use } = yield* openWorld
        const apply = (answer: Moved, event: string) =>
          use(
            answer,
            OrdersStore.use((orders) => orders.apply(grant, as({}), event as never))
          )
        yield* use(
          { _tag: "Intended", order: as({}) },
          OrdersStore.use((orders) => orders.intendExit({} as never))
        )
        yield* use(
          { _tag: "Submitting", order: as({ status: "submitting" }) },
          OrdersStore.use((orders) => orders.submit(grant, as({}), () => assert.fail("not asked")))
        )
        yield* use(
          { _tag: "NotSubmitted", why: "stale_fence" },
          OrdersStore.use((orders) => orders.submit(grant, as({}), () => assert.fail("not asked")))
        )
        yield* apply({ _tag: "Moved", from: "submitting", order: as({ status: "acked" }) }, "order.acked")
        yield* apply({ _tag: "Unchanged", order: as({ status: "acked" }) }, "order.acked")
        yield* apply({ _tag: "StaleFence" }, "order.acked")
        assert.deepStrictEqual(steps(), [
          ["order.intended", null, "intended"],
          ["order.submitted", "intended", "submitting"],
          ["order.acked", "submitting", "acked"]
        ])
        assert.deepInclude(journal.read(0, 1)[0], {
          type: "order",
          path: "root/trading/accounts/paper-1",
          correlationId: "s-1"
        })
      })
    )
  )

  it.effect("[T11] hand the alert of a close on to where it is committed with it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const given: Array<unknown> = []
        const store = Layer.mock(OrdersStore, {
          compensate: (...all) =>
            Effect.sync(() => {
              given.push(all)
              return { _tag: "Later" as const, why: "a test" }
            })
        })
        const { journal } = yield* openWorld
        const context = yield* Layer.build(
          journalledOrders(store).pipe(
            Layer.provide(OrderJournal.masked(makeMask([]))),
            Layer.provide(Layer.succeed(Journal, journal))
          )
        )
        const alertOf = () => assert.fail("nothing was closed")
        yield* Effect.provide(
          OrdersStore.use((orders) => orders.compensate("o-1", alertOf)),
          context
        )
        assert.deepStrictEqual(given, [["o-1", alertOf]])
      })
    )
  )

  it.effect("are ended by a refused permit, and begun by what closes a partly filled entry", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { journal, steps, use } = yield* openWorld
        const submit = (ended: StoredOrder | null) =>
          use(
            { _tag: "NotPermitted", permit: { _tag: "Deny", code: "daily_loss", numbers: {} }, ended },
            OrdersStore.use((orders) => orders.submit(grant, as({}), () => assert.fail("not asked")))
          )
        const compensate = (answer: unknown) =>
          use(
            answer,
            OrdersStore.use((orders) => orders.compensate("o-1", null))
          )
        yield* submit(null)
        yield* submit(as({ status: "denied", reason: "daily_loss" }))
        yield* submit(as({ id: "o-2", status: "withdrawn", reason: "nothing_to_close" }))
        yield* compensate({ _tag: "Later", why: "not yet" })
        yield* compensate({ _tag: "Intended", order: as({ id: "o-3" }) })
        assert.deepStrictEqual(steps(), [
          ["order.denied", null, "denied"],
          ["order.withdrawn", null, "withdrawn"],
          ["order.intended", null, "intended"]
        ])
        assert.strictEqual(journal.read(0, 1)[0]?.cause, "daily_loss")
      })
    )
  )

  it.effect("are recorded beside the store, which gets all that it was given", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { given, use } = yield* openWorld
        const [judge, alertOf] = [() => assert.fail("not asked"), () => assert.fail("not asked")]
        const note = { reason: "r" }
        const orders = OrdersStore
        const calls = [
          [
            "Moved",
            orders.use((store) => store.apply(grant, as({}), "order.acked", note)),
            [grant, as({}), "order.acked", note]
          ],
          ["NotSubmitted", orders.use((store) => store.submit(grant, as({}), judge)), [grant, as({}), judge]],
          ["Later", orders.use((store) => store.compensate("o-1", alertOf)), ["o-1", alertOf]],
          ["Missing", OrderCommands.use((store) => store.cancel("o-1", "enough")), ["o-1", "enough"]],
          [
            "AlreadyKnown",
            FillsStore.use((store) => store.record("v", {} as never, noAlert)),
            ["v", {}, noAlert]
          ]
        ] as const
        for (const [tag, call, expected] of calls) {
          yield* use(
            { _tag: tag, order: as({}), from: "intended" },
            call as Effect.Effect<unknown, unknown, never>
          )
          assert.deepStrictEqual(given(), expected)
        }
      })
    )
  )

  it.effect("have the trade that an operator adopts, once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { journal, steps, use } = yield* openWorld
        const adopt = (answer: unknown) =>
          use(
            answer,
            FillsStore.use((fills) => fills.adopt({ positionId: "p", price: null, reference: "r" }))
          )
        const adopted = {
          _tag: "Adopted",
          account: "paper-1",
          symbol: "SPY",
          before: "1",
          quantity: "-2",
          price: "9"
        }
        const position = { quantity: "-2", averagePrice: "9", realisedPnl: "0" }
        yield* adopt({ ...adopted, position, again: false })
        yield* adopt({ ...adopted, position: null, again: true })
        yield* adopt({ _tag: "PriceMissing" })
        assert.deepStrictEqual(steps(), [["order.external_fill", null, null]])
        assert.deepInclude(journal.read(0, 1)[0]?.detail, {
          side: "sell",
          fill: { quantity: "3", price: "9" },
          position: { quantity: "-2", average_price: "9", realised_pnl: "0" }
        })
      })
    )
  )

  it.effect("have every fill, also one that changes no status, and trades that are nobody's", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { journal, steps, use } = yield* openWorld
        const fill = { account: "paper-1", symbol: "SPY", side: "buy", quantity: "1", price: "9" } as never
        const record = (answer: unknown) =>
          use(
            answer,
            FillsStore.use((fills) => fills.record("v", fill))
          )
        const position = { quantity: "1", averagePrice: "9", realisedPnl: "0.5" }
        yield* record({ _tag: "Recorded", order: as({ status: "partially_filled" }), position })
        yield* record({ _tag: "Recorded", order: as({ status: "partially_filled" }), position })
        yield* record({ _tag: "AlreadyKnown", tradeRecordId: "t" })
        yield* record({ _tag: "Recorded", order: null, position })
        assert.deepStrictEqual(steps(), [
          ["order.fill", null, "partially_filled"],
          ["order.fill", "partially_filled", "partially_filled"],
          ["order.external_fill", null, null]
        ])
        for (const at of [0, 2])
          assert.deepInclude(journal.read(at, 1)[0]?.detail, {
            fill: { quantity: "1", price: "9" },
            position: { quantity: "1", average_price: "9", realised_pnl: "0.5" }
          })
      })
    )
  )

  it.effect("have what an operator did, once, and no secret that a venue repeated", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { journal, steps, use } = yield* openWorld
        const cancel = (answer: unknown) =>
          use(
            answer,
            OrderCommands.use((commands) => commands.cancel("o-1", "because"))
          )
        const withdrawn = as({ status: "withdrawn", reason: "token hunter2222 refused" })
        yield* cancel({ _tag: "Done", order: withdrawn })
        yield* cancel({ _tag: "Done", order: withdrawn })
        yield* cancel({ _tag: "Missing" })
        assert.deepStrictEqual(steps(), [["order.withdrawn", null, "withdrawn"]])
        assert.strictEqual(journal.read(0, 1)[0]?.cause, "token [redacted] refused")
      })
    )
  )
})
