import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { positionId } from "../../src/domain/kernel/ids.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import type { VenueFill } from "../../src/domain/orders/fill.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { makeLiveSettings } from "../../src/layers/platform/config.live.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import {
  fillOf,
  history,
  intend,
  type OrderOptions,
  own,
  permitOf,
  sql,
  testSettings,
  world
} from "./execution-world.ts"

interface PositionRow {
  readonly quantity: string
  readonly average: string
  readonly pnl: string
  readonly epoch: number
  readonly stop: string | null
  readonly target: string | null
}

const settings = testSettings({ instruments: { "FDAX*": { multiplier: "25" } } })

const live = makeLiveSettings(settings)

layer(world(live.view), { excludeTestServices: true })("fills", (it) => {
  const position = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<PositionRow>`SELECT trim_scale(quantity) AS quantity, trim_scale(average_price) AS average,
            trim_scale(realised_pnl) AS pnl, epoch,
            (SELECT trim_scale(max(h.stop_price)) FROM position_shares h WHERE h.position_id = positions.id) AS stop,
            (SELECT trim_scale(max(h.target_price)) FROM position_shares h WHERE h.position_id = positions.id) AS target
          FROM positions WHERE account = 'paper-1' AND symbol = ${symbol}`,
        ([row]) => row
      )
    )
  const counts = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly trades: bigint; readonly links: bigint }>`
          SELECT count(*) AS trades, count(l.trade_record_id) AS links
          FROM trade_records t LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id WHERE t.symbol = ${symbol}`,
        ([row]) => [Number(row?.trades), Number(row?.links)]
      )
    )
  const submitted = (options: OrderOptions) =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend(options)
      const outcome = yield* orders.submit(grant, order, permitOf())
      if (outcome._tag !== "Submitting") return yield* Effect.die(new Error(outcome._tag))
      return { grant, order: outcome.order }
    })
  const record = (fill: VenueFill) => FillsStore.use((fills) => fills.record("practice", fill))
  const reread = (order: StoredOrder) =>
    Effect.flatMap(
      OrdersStore.use((orders) => orders.byId(order.id)),
      (found) => Effect.fromNullishOr(found)
    )

  it.effect("[G11] a reload in the middle of a fill changes the next fill and not this one", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "MIDST", quantity: "2" })
      const locked = yield* Deferred.make<void>()
      const reloaded = yield* Deferred.make<void>()
      const id = positionId("paper-1", "MIDST")
      yield* sql(
        (client) =>
          client`INSERT INTO positions (id, account, symbol, epoch) VALUES (${id}, 'paper-1', 'MIDST', 0)`
      )
      const database = yield* Database
      // The fill waits for the row of its position while the settings change.
      const holder = yield* database
        .transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`SELECT id FROM positions WHERE id = ${id} FOR UPDATE`
            yield* Deferred.succeed(locked, undefined)
            yield* Deferred.await(reloaded)
          })
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(locked)
      const recording = yield* record(fillOf(order, { price: "100" })).pipe(Effect.forkChild)
      yield* sql(
        (client) =>
          client<{ readonly waits: boolean }>`
          SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND wait_event_type = 'Lock' AND query LIKE '%FROM positions WHERE id%') AS waits`
      ).pipe(Effect.delay(5), Effect.repeat({ until: ([row]) => row?.waits === true }))
      const { default: before } = settings.strategies
      assert.isDefined(before)
      live.assign({
        ...settings,
        strategies: {
          ...settings.strategies,
          default: { ...before, stopLossPct: "50", profitTargetPct: "60" }
        }
      })
      yield* Deferred.succeed(reloaded, undefined)
      yield* Fiber.join(holder)
      yield* Fiber.join(recording)
      assert.deepInclude(yield* position("MIDST"), { stop: "98", target: "103" })
      const { order: next } = yield* submitted({ symbol: "AFTER" })
      yield* record(fillOf(next, { price: "100" }))
      assert.deepInclude(yield* position("AFTER"), { stop: "50", target: "160" })
      live.assign(settings)
    })
  )

  it.effect("one fill moves order, position and link in one step, and settles the order", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "ONE", quantity: "2" })
      const outcome = yield* record(fillOf(order, { quantity: "2", price: "100" }))
      assert.isTrue(outcome._tag === "Recorded")
      if (outcome._tag !== "Recorded") return
      assert.deepInclude(outcome, {
        change: "opened",
        source: "webhook",
        linkedBy: "client_order_id",
        surprise: "fill_before_ack",
        illegal: null,
        settled: true
      })
      assert.deepStrictEqual(yield* position("ONE"), {
        quantity: "2",
        average: "100",
        pnl: "0",
        epoch: 1,
        stop: "98",
        target: "103"
      })
      const after = yield* reread(order)
      assert.deepInclude(after, { status: "filled", filledQuantity: "2", averagePrice: "100" })
      assert.instanceOf(after.settledAt, Date)
      assert.deepStrictEqual(yield* counts("ONE"), [1, 1])
    })
  )

  it.effect("what an option contract earns is the profit of its hundred units", () =>
    Effect.gen(function* () {
      const symbol = "SPY 2099-12-18 C 42"
      const external = { clientOrderId: null, symbol }
      yield* record(fillOf({ ...external, side: "buy" }, { price: "3", quantity: "2" }))
      yield* record(fillOf({ ...external, side: "sell" }, { price: "4.5", quantity: "1" }))
      const { quantity, average, pnl } = (yield* position(symbol))!
      assert.deepStrictEqual({ quantity, average, pnl }, { quantity: "1", average: "3", pnl: "150" })
    })
  )

  it.effect("what a contract earns is what the tables, and before them the settings, say it is worth", () =>
    Effect.gen(function* () {
      const earned = (symbol: string) =>
        Effect.gen(function* () {
          const external = { clientOrderId: null, symbol }
          yield* record(fillOf({ ...external, side: "buy" }, { price: "10", quantity: "2" }))
          yield* record(fillOf({ ...external, side: "sell" }, { price: "11.5", quantity: "2" }))
          return (yield* position(symbol))!.pnl
        })
      assert.strictEqual(yield* earned("MESZ26"), "15")
      assert.strictEqual(yield* earned("SPY991218C00600000"), "300")
      assert.strictEqual(yield* earned("FDAXZ26"), "75")
      assert.strictEqual(yield* earned("PLAIN"), "3")
    })
  )

  it.effect("the same trade delivered by stream and reconcile at once, twenty times, is one trade", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "TWICE", quantity: "2" })
      const fill = fillOf(order, { quantity: "1" })
      const outcomes = yield* Effect.all(
        Array.from({ length: 20 }, () => record(fill)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(outcomes.filter((outcome) => outcome._tag === "Recorded").length, 1)
      assert.deepStrictEqual(yield* counts("TWICE"), [1, 1])
      assert.strictEqual((yield* position("TWICE"))?.quantity, "1")
      assert.deepInclude(yield* reread(order), { status: "partially_filled", filledQuantity: "1" })
    })
  )

  it.effect("first fills of many new symbols, each with a confirmation at the same moment, all get in", () =>
    Effect.gen(function* () {
      const positions = yield* PositionsStore
      const grant = yield* own()
      const symbols = Array.from({ length: 75 }, (_, n) => `NEW${n}`)
      yield* Effect.forEach(
        symbols,
        (symbol) => {
          const trade = () => fillOf({ clientOrderId: null, symbol, side: "buy" })
          return Effect.all(
            [record(trade()), record(trade()), positions.confirm(grant, [{ symbol, quantity: "2" }])],
            {
              concurrency: "unbounded"
            }
          )
        },
        // Nine transactions at once, the connections of one process: more would only wait for each other's locks.
        { concurrency: 3 }
      )
      assert.strictEqual((yield* position("NEW7"))?.quantity, "2")
    })
  )

  it.effect("fills of one order in any order and all at once add up", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "PARTS", quantity: "10" })
      const parts = Array.from({ length: 10 }, (_, n) =>
        fillOf(order, { quantity: "1", price: String(100 + n) })
      )
      yield* Effect.forEach([...parts.toReversed(), ...parts], record, { concurrency: "unbounded" })
      assert.deepInclude(yield* reread(order), {
        status: "filled",
        filledQuantity: "10",
        averagePrice: "104.5"
      })
      const held = yield* position("PARTS")
      assert.strictEqual(held?.quantity, "10")
      assert.closeTo(Number(held?.average), 104.5, 1e-12, "rounded at every fill, so equal only nearly")
      assert.deepStrictEqual(yield* counts("PARTS"), [10, 10])
    })
  )

  it.effect("a fill after the cancel counts, and a complete one makes the order filled", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { grant, order } = yield* submitted({ symbol: "AFTER", quantity: "2" })
      yield* orders.apply(grant, order, "order.acked", { venueOrderId: "v-after" })
      yield* orders.apply(grant, yield* reread(order), "order.cancelled", { venueFilled: "1" })
      assert.isNull((yield* reread(order)).settledAt, "the venue filled one that we have not stored")
      const outcome = yield* record(fillOf(order, { quantity: "1" }))
      assert.isTrue(outcome._tag === "Recorded" && outcome.surprise === "fill_after_cancel")
      assert.deepInclude(yield* reread(order), { status: "cancelled", filledQuantity: "1" })
      assert.isFalse(yield* orders.settle(order.id, "2"), "not while the venue counts more")
      assert.isTrue(yield* orders.settle(order.id, "1"))
      yield* record(fillOf(order, { quantity: "1" }))
      assert.deepInclude(yield* reread(order), { status: "filled", filledQuantity: "2" })
    })
  )

  it.effect(
    "a fill is recorded for a stale fence: an old owner, a new owner and nobody store the same fact",
    () =>
      Effect.gen(function* () {
        const accounts = yield* AccountsStore
        const { grant, order } = yield* submitted({ symbol: "FENCE" })
        yield* own("paper-1", "node-a")
        yield* accounts.release([grant])
        assert.strictEqual((yield* record(fillOf(order)))._tag, "Recorded")
        assert.strictEqual((yield* reread(order)).status, "filled")
      })
  )

  it.effect(
    "[A3] a trade under an unknown client order id is external: stored, moves the position, no link",
    () =>
      Effect.gen(function* () {
        yield* own()
        const outcome = yield* record(fillOf({ clientOrderId: "somebody-else", symbol: "EXT", side: "sell" }))
        assert.isTrue(outcome._tag === "Recorded" && outcome.source === "external" && outcome.order === null)
        assert.deepInclude(yield* position("EXT"), { quantity: "-1", stop: null, target: null })
        assert.deepStrictEqual(yield* counts("EXT"), [1, 0])
      })
  )

  it.effect("[A3] a trade without any client order id belongs to our order with that venue order id", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { grant, order } = yield* submitted({ symbol: "VID" })
      yield* orders.apply(grant, order, "order.acked", { venueOrderId: "venue-77" })
      const outcome = yield* record(fillOf({ ...order, clientOrderId: null }, { venueOrderId: "venue-77" }))
      assert.isTrue(
        outcome._tag === "Recorded" && outcome.linkedBy === "order_id" && outcome.source === "webhook"
      )
    })
  )

  it.effect("[A3] and none on its other side, or of another symbol: a venue reset repeats its ids", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { grant, order } = yield* submitted({ symbol: "VID2" })
      yield* orders.apply(grant, order, "order.acked", { venueOrderId: "venue-78" })
      for (const other of [{ side: "sell" }, { symbol: "VID3" }] as const) {
        const fill = fillOf({ ...order, clientOrderId: null, ...other }, { venueOrderId: "venue-78" })
        const outcome = yield* record(fill)
        assert.isTrue(outcome._tag === "Recorded" && outcome.order === null)
      }
      assert.deepInclude(yield* reread(order), { status: "acked", filledQuantity: "0" })
    })
  )

  it.effect("a fill of an order that was never sent is stored and called illegal", () =>
    Effect.gen(function* () {
      yield* own()
      const order = yield* intend({ symbol: "GHOST" })
      const outcome = yield* record(fillOf(order))
      assert.isTrue(outcome._tag === "Recorded")
      assert.deepStrictEqual(outcome._tag === "Recorded" ? outcome.illegal : null, {
        status: "intended",
        event: "fill.complete"
      })
      assert.deepInclude(yield* reread(order), { status: "intended", filledQuantity: "1" })
      assert.deepStrictEqual(yield* history(order.id), ["fill.complete intended>intended !"])
      assert.strictEqual((yield* position("GHOST"))?.quantity, "1")
    })
  )

  it.effect("more filled than ordered is stored in full and called illegal", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "MORE", quantity: "1" })
      yield* record(fillOf(order))
      const outcome = yield* record(fillOf(order))
      assert.isTrue(outcome._tag === "Recorded" && outcome.illegal?.event === "fill.excess")
      assert.strictEqual((yield* position("MORE"))?.quantity, "2")
    })
  )

  it.effect("a position that closes forgets its exit prices and its next opening is another epoch", () =>
    Effect.gen(function* () {
      const buy = yield* submitted({ symbol: "EPOCH", side: "buy" })
      yield* record(fillOf(buy.order, { price: "100" }))
      const sell = yield* submitted({ symbol: "EPOCH", side: "sell" })
      yield* record(fillOf(sell.order, { price: "110" }))
      assert.deepInclude(yield* position("EPOCH"), {
        quantity: "0",
        pnl: "10",
        epoch: 1,
        stop: null,
        target: null
      })
      const short = yield* submitted({ symbol: "EPOCH", side: "sell" })
      yield* record(fillOf(short.order, { price: "200" }))
      assert.deepInclude(yield* position("EPOCH"), { quantity: "-1", epoch: 2, stop: "204", target: "194" })
    })
  )

  it.effect("a strategy without stop and target leaves the position without them", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "PLAIN", strategy: "plain" })
      yield* record(fillOf(order))
      assert.deepInclude(yield* position("PLAIN"), { stop: null, target: null })
    })
  )

  it.effect("the fill transaction leaves nothing behind when it fails in the middle [K8]", () =>
    Effect.gen(function* () {
      const { order } = yield* submitted({ symbol: "HALF" })
      // The link is the last write; a constraint that refuses it must take trade, order and position with it.
      yield* sql(
        (client) => client`ALTER TABLE trade_strategy_link ADD CONSTRAINT never CHECK (strategy <> 'default')
        NOT VALID`
      )
      const exit = yield* Effect.exit(record(fillOf(order)))
      yield* sql((client) => client`ALTER TABLE trade_strategy_link DROP CONSTRAINT never`)
      assert.strictEqual(exit._tag, "Failure")
      assert.deepStrictEqual(yield* counts("HALF"), [0, 0])
      assert.deepInclude(yield* reread(order), { status: "submitting", filledQuantity: "0" })
      assert.isUndefined(yield* position("HALF"))
    })
  )

  it.effect("of many fills those that are not stored yet are named, in their order", () =>
    Effect.gen(function* () {
      const fills = yield* FillsStore
      yield* own()
      const order = yield* intend({ symbol: "MISSING", quantity: "9" })
      const told = Array.from({ length: 6 }, () => fillOf(order))
      for (const fill of told.filter((_, at) => at % 2 === 0)) yield* record(fill)
      const missing = yield* fills.missing("practice", told)
      assert.deepStrictEqual(
        missing,
        told.filter((_, at) => at % 2 === 1)
      )
      assert.deepStrictEqual(yield* fills.missing("practice", []), [])
      assert.strictEqual((yield* fills.missing("elsewhere", told)).length, 6, "a venue is part of the key")
    })
  )

  it.effect("the cursor of an account is the venue's own text, kept as it was given", () =>
    Effect.gen(function* () {
      const fills = yield* FillsStore
      yield* own("paper-2")
      assert.isNull(yield* fills.cursor("paper-2"))
      yield* fills.advance("paper-2", "page:9f/10")
      assert.strictEqual(yield* fills.cursor("paper-2"), "page:9f/10")
    })
  )

  it.effect(
    "[T10 contradiction] a trade told differently than it is stored is missing, and recording it changes nothing",
    () =>
      Effect.gen(function* () {
        const fills = yield* FillsStore
        yield* own("paper-3")
        const told = fillOf({ clientOrderId: null, symbol: "CONTRA", side: "buy" }, { account: "paper-3" })
        assert.strictEqual((yield* record(told))._tag, "Recorded")
        for (const other of [{ quantity: "2" }, { price: "101" }, { side: "sell" }] as const) {
          const changed = { ...told, ...other }
          assert.deepStrictEqual(yield* fills.missing("practice", [changed]), [changed])
          assert.deepInclude(yield* record(changed), {
            _tag: "Contradicts",
            stored: { side: "buy", quantity: "1", price: "100", clientOrderId: null }
          })
        }
        assert.deepStrictEqual(
          yield* fills.missing("practice", [{ ...told, price: "100.0", cursor: "77" }]),
          []
        )
        const positions = yield* PositionsStore
        const open = yield* positions.open(["paper-3"], null)
        assert.strictEqual(open.find(({ symbol }) => symbol === "CONTRA")?.quantity, "1")
      })
  )

  it.effect("a confirmation names every symbol the broker sees otherwise, also those we never had", () =>
    Effect.gen(function* () {
      const positions = yield* PositionsStore
      const grant = yield* own("paper-2")
      const mine = { clientOrderId: "x", symbol: "CONF", side: "buy" } as const
      yield* record({ ...fillOf(mine), account: "paper-2" })
      const said = [
        { symbol: "CONF", quantity: "1" },
        { symbol: "THEIRS", quantity: "-4" }
      ]
      assert.deepStrictEqual(yield* positions.confirm(grant, said), {
        _tag: "Confirmed",
        mismatches: [{ symbol: "THEIRS", ours: "0", brokers: "-4" }]
      })
      assert.deepStrictEqual(yield* positions.confirm(grant, []), {
        _tag: "Confirmed",
        mismatches: [{ symbol: "CONF", ours: "1", brokers: "0" }]
      })
      const open = yield* positions.open(["paper-2"], "node-a/boot")
      assert.deepInclude(
        open.find(({ symbol }) => symbol === "CONF"),
        { positionId: positionId("paper-2", "CONF"), quantity: "1", exitStatus: null, ownedElsewhere: false }
      )
      yield* own("paper-2")
      assert.deepStrictEqual(yield* positions.confirm(grant, said), { _tag: "StaleFence" })
    })
  )
})
