import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { canRest } from "../../src/domain/orders/order-terms.ts"
import { ORDER_TYPES, TIMES_IN_FORCE } from "../../src/domain/signals/order-type.ts"
import { contextTerms, readContext } from "../../src/layers/orders/account-book.pg.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { freshSymbol, makeVenue, scenario, startNode, until, untilStatus } from "./execution-desk.ts"
import { history, intend, own, sql, testSettings, world, type WorldServices } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("orders that rest at the venue", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  const read = (order: StoredOrder) =>
    Effect.flatMap(
      OrdersStore.use((orders) => orders.byId(order.id)),
      (found) => Effect.fromNullishOr(found)
    )
  const quantityOf = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly quantity: string }>`SELECT trim_scale(quantity) AS quantity FROM positions
          WHERE account = 'paper-1' AND symbol = ${symbol}`,
        ([row]) => row?.quantity ?? "none"
      )
    )
  const untilHeld = (symbol: string, quantity: string) =>
    until(
      `${symbol} holds ${quantity}`,
      Effect.map(quantityOf(symbol), (held) => held === quantity)
    )
  const setState = (state: "ACTIVE" | "HALTED" | "REDUCING") =>
    sql((client) => client`UPDATE trading_state SET state = ${state} WHERE scope = 'global'`)

  /** An executor at a venue whose price of a fresh symbol is 100. */
  const trading = Effect.gen(function* () {
    const venue = makeVenue()
    const symbol = freshSymbol()
    venue.setPrice(symbol, "100")
    yield* own()
    const node = yield* startNode(venue)
    const place = (options: Parameters<typeof intend>[0]) =>
      Effect.tap(intend({ symbol, ...options }), () => node.ring("orders:paper-1"))
    const venueOrders = () =>
      venue.book.orders("paper-1").flatMap((order) => (order.symbol === symbol ? [order] : []))
    return { venue, symbol, node, place, venueOrders }
  })
  /** The same, holding 2 of `default`. */
  const long = Effect.gen(function* () {
    const there = yield* trading
    const entry = yield* there.place({ quantity: "2" })
    yield* untilStatus(entry, "filled")
    yield* untilHeld(there.symbol, "2")
    return there
  })

  test(
    "[T5] a limit is sent once, rests through looks and reconciliations, and fills when the price crosses it",
    Effect.gen(function* () {
      const { venue, symbol, node, place } = yield* trading
      const order = yield* place({ limit: "95", time: "gtc" })
      yield* untilStatus(order, "acked")
      const market = yield* intend({ symbol: freshSymbol() })
      yield* node.ring("orders:paper-1")
      // What rests blocks nobody.
      yield* untilStatus(market, "filled")
      for (const bell of ["orders:paper-1", "reconcile:paper-1", "resolve:paper-1"] as const)
        yield* node.ring(bell)
      venue.setPrice(symbol, "95.01")
      yield* Effect.sleep(150)
      assert.strictEqual((yield* read(order)).status, "acked")
      venue.setPrice(symbol, "95")
      yield* untilStatus(order, "filled")
      yield* untilHeld(symbol, "1")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      assert.isNull((yield* read(order)).expiresAt)
    })
  )

  test(
    "[K6] a stop that rests is found again by the next life, which sends nothing, and triggers there",
    Effect.gen(function* () {
      const venue = makeVenue()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      yield* own()
      const life = yield* Scope.make()
      yield* Effect.provideService(startNode(venue), Scope.Scope, life)
      const order = yield* intend({ symbol, stop: "105" })
      yield* untilStatus(order, "acked")
      yield* Scope.close(life, Exit.void)
      // While nobody is there the price goes through it and comes back.
      venue.setPrice(symbol, "105")
      venue.setPrice(symbol, "101")
      yield* startNode(venue, { bootId: "second" })
      yield* untilStatus(order, "filled")
      yield* untilHeld(symbol, "1")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      assert.strictEqual((yield* read(order)).averagePrice, "105")
    })
  )

  test(
    "a stop limit rests twice: before its trigger, and at its limit after it",
    Effect.gen(function* () {
      const { venue, symbol, place } = yield* trading
      const order = yield* place({ stop: "105", limit: "104" })
      yield* untilStatus(order, "acked")
      venue.setPrice(symbol, "106")
      yield* Effect.sleep(60)
      assert.strictEqual((yield* read(order)).status, "acked")
      venue.setPrice(symbol, "103.5")
      yield* untilStatus(order, "filled")
      assert.strictEqual((yield* read(order)).averagePrice, "103.5")
    })
  )

  test(
    "[T6] while trading is stopped what would open is taken back and what would close goes on resting",
    Effect.gen(function* () {
      const { node, place } = yield* long
      const more = yield* place({ limit: "90" })
      const out = yield* place({ side: "sell", closes: "1", limit: "110" })
      yield* untilStatus(more, "acked")
      yield* untilStatus(out, "acked")
      yield* setState("REDUCING")
      yield* node.ring("orders:paper-1")
      yield* untilStatus(more, "cancelled")
      assert.include((yield* history(more.id)).join(), "order.cancel_requested acked>pending_cancel")
      assert.strictEqual((yield* read(out)).status, "acked")
      yield* setState("ACTIVE")
    })
  )

  test(
    "a day order is cancelled when its session is over, also without a bell, and one until cancelled is not",
    Effect.gen(function* () {
      const { place } = yield* trading
      const midnightAfter = (ms: number) => (Math.floor(ms / 86_400_000) + 1) * 86_400_000
      const beforeMs = Date.now()
      const today = yield* place({ limit: "90" })
      const good = yield* place({ limit: "90", time: "gtc" })
      yield* untilStatus(today, "acked")
      yield* untilStatus(good, "acked")
      const { expiresAt } = yield* read(today)
      assert.include([midnightAfter(beforeMs), midnightAfter(Date.now())], expiresAt?.getTime())
      yield* sql(
        (client) => client`UPDATE orders SET expires_at = now() - interval '1 hour' WHERE id = ${today.id}`
      )
      yield* untilStatus(today, "cancelled")
      assert.strictEqual((yield* read(good)).status, "acked")
      const [why] = yield* sql(
        (client) => client<{ readonly reason: string }>`SELECT detail ->> 'reason' AS reason FROM order_events
          WHERE order_id = ${today.id} AND event = 'order.cancel_requested'`
      )
      assert.strictEqual(why?.reason, "session_over")
    })
  )

  test(
    "[T10] a close at market does not wait for one at a far price: that is cancelled first, and nothing flips",
    Effect.gen(function* () {
      const { symbol, place, venueOrders } = yield* long
      const far = yield* place({ side: "sell", closes: null, limit: "120", time: "gtc" })
      yield* untilStatus(far, "acked")
      const out = yield* place({ side: "sell", closes: null })
      yield* untilStatus(out, "filled")
      yield* untilHeld(symbol, "0")
      assert.strictEqual((yield* read(far)).status, "cancelled")
      assert.deepStrictEqual(
        venueOrders().map(({ side, status, type }) => `${side} ${type} ${status}`),
        ["buy market filled", "sell limit cancelled", "sell market filled"]
      )
    })
  )

  test(
    "[T10] the fill that a cancel was too late for leaves nothing to close, and nothing flips",
    Effect.gen(function* () {
      const { venue, symbol, place } = yield* long
      const far = yield* place({ side: "sell", closes: null, limit: "120", time: "gtc" })
      yield* untilStatus(far, "acked")
      const { venueOrderId } = yield* read(far)
      venue.scriptCancel({ _tag: "delay", ms: 150 })
      const out = yield* place({ side: "sell", closes: null })
      yield* untilStatus(far, "pending_cancel")
      yield* venue.fill(venueOrderId ?? "", "2", "120")
      yield* untilStatus(far, "filled")
      yield* untilStatus(out, "withdrawn")
      assert.strictEqual((yield* read(out)).reason, "nothing_to_close")
      assert.strictEqual(yield* quantityOf(symbol), "0")
    })
  )

  test(
    "[T10] a close at a price is bounded like every other, and taken back when its position shrinks under it",
    Effect.gen(function* () {
      const { venue, symbol, node, place } = yield* long
      const far = yield* place({ side: "sell", closes: "9", limit: "120", time: "gtc" })
      yield* untilStatus(far, "acked")
      assert.strictEqual((yield* read(far)).quantity, "2")
      // Somebody sells one by hand: the rest of the order would open a short.
      const byHand = venue.book.createExternal(
        {
          account: "paper-1",
          symbol,
          side: "sell",
          type: "market",
          quantity: "1",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "day"
        },
        new Date()
      )
      yield* venue.fill(byHand.venueOrderId)
      yield* untilHeld(symbol, "1")
      yield* node.ring("orders:paper-1")
      yield* untilStatus(far, "cancelled")
      assert.include((yield* history(far.id)).join(), "order.cancel_requested")
    })
  )

  test(
    "[T10] a later close takes back the entry that rests; one at a price waits for it and closes what it brings",
    Effect.gen(function* () {
      const { venue, symbol, place } = yield* trading
      const entry = yield* place({ limit: "95", time: "gtc" })
      yield* untilStatus(entry, "acked")
      const target = yield* place({ side: "sell", closes: null, limit: "99", time: "gtc" })
      yield* Effect.sleep(150)
      assert.strictEqual((yield* read(target)).status, "intended")
      assert.strictEqual((yield* read(entry)).status, "acked")
      venue.setPrice(symbol, "95")
      yield* untilStatus(entry, "filled")
      yield* untilStatus(target, "acked")
      venue.setPrice(symbol, "99")
      yield* untilStatus(target, "filled")
      yield* untilHeld(symbol, "0")
      const again = yield* place({ limit: "95", time: "gtc" })
      yield* untilStatus(again, "acked")
      const flat = yield* place({ side: "sell", closes: null })
      yield* untilStatus(again, "cancelled")
      yield* untilStatus(flat, "withdrawn")
    })
  )

  test(
    "[T10] a stop loss of ours fires through a close that rests, once and for all of the share",
    Effect.gen(function* () {
      const venue = makeVenue()
      const market = yield* makeMemoryMarket
      const symbol = freshSymbol()
      yield* own()
      venue.setPrice(symbol, "100")
      const entry = yield* intend({ symbol, quantity: "5" })
      const node = yield* startNode(venue, { market: market.service })
      yield* untilStatus(entry, "filled")
      yield* market.setPrice(symbol, "100")
      const far = yield* intend({ symbol, side: "sell", closes: "3", limit: "101", time: "gtc" })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(far, "acked")
      venue.setPrice(symbol, "97")
      yield* until(
        "flat",
        Effect.andThen(
          market.setPrice(symbol, "97"),
          Effect.map(quantityOf(symbol), (held) => held === "0")
        )
      )
      yield* untilStatus(far, "cancelled")
      const sold = venue.book
        .orders("paper-1")
        .filter((order) => order.symbol === symbol && order.side === "sell")
      assert.deepStrictEqual(
        sold.map(({ filledQuantity, type }) => `${type} ${filledQuantity}`),
        ["limit 0", "market 5"]
      )
    })
  )

  test(
    "what rests is the same in the book that is read and in the rules",
    Effect.gen(function* () {
      yield* own()
      const prices = {
        market: {},
        limit: { limit: "9" },
        stop: { stop: "9" },
        stop_limit: { limit: "9", stop: "9" }
      }
      const expected = new Map<string, boolean>()
      for (const type of ORDER_TYPES)
        for (const time of TIMES_IN_FORCE) {
          const { symbol } = yield* intend({ symbol: freshSymbol(), ...prices[type], time })
          expected.set(symbol, canRest({ type, timeInForce: time }))
        }
      const { accounts } = yield* sql((client) =>
        readContext(client, contextTerms(testSettings()), ["paper-1"], [])
      )
      const read = (accounts.get("paper-1")?.orders ?? []).map(
        ({ rests, symbol }) => [symbol, rests === true] as const
      )
      assert.deepStrictEqual(new Map(read.filter(([symbol]) => expected.has(symbol))), expected)
    })
  )
})
