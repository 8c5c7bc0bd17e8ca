import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { ProtectionService } from "../../src/layers/orders/protection.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  orphan,
  scenario,
  startNode,
  until,
  untilAlert,
  untilStatus
} from "./execution-desk.ts"
import { intend, own, permitOf, sql, world, type WorldServices } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("shares of a position", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  /** Shares of a symbol as `strategy quantity stop`, sorted. */
  const shares = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly line: string }>`
          SELECT concat_ws(' ', h.strategy, trim_scale(h.quantity), coalesce(trim_scale(h.stop_price)::text, '-')) AS line
          FROM position_shares h JOIN positions p ON p.id = h.position_id
          WHERE p.symbol = ${symbol} AND h.quantity <> 0 ORDER BY 1`,
        (rows) => rows.map(({ line }) => line)
      )
    )
  const untilShares = (symbol: string, wanted: ReadonlyArray<string>) =>
    until(
      `${symbol} is shared as ${wanted.join(", ")}`,
      Effect.map(shares(symbol), (found) => found.join() === wanted.join()),
      12_000
    )
  const gapOf = (node: { readonly protection: ProtectionService }, symbol: string) =>
    node.protection.unprotected(Date.now()).find((gap) => gap.symbol === symbol)?.reason

  /** `plain` (no stop) buys 3, then `default` (2 % stop) adds 2, both at 100; the exits watch. */
  const shared = Effect.gen(function* () {
    const venue = makeVenue()
    const market = yield* makeMemoryMarket
    yield* own()
    const symbol = freshSymbol()
    venue.setPrice(symbol, "100")
    const node = yield* startNode(venue, { market: market.service })
    yield* market.setPrice(symbol, "100")
    for (const [strategy, quantity] of [
      ["plain", "3"],
      ["default", "2"]
    ] as const) {
      const order = yield* intend({ symbol, strategy, quantity })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "filled")
    }
    const move = (price: string) =>
      Effect.andThen(
        Effect.sync(() => venue.setPrice(symbol, price)),
        market.setPrice(symbol, price)
      )
    return { venue, node, symbol, move }
  })

  test(
    "[T10 protection] a strategy with a stop that adds to a position of one without has its own stop, and only it",
    Effect.gen(function* () {
      const { move, symbol } = yield* shared
      assert.deepStrictEqual(yield* shares(symbol), ["default 2 98", "plain 3 -"])
      yield* move("97")
      yield* untilShares(symbol, ["plain 3 -"])
      const [exit] = yield* sql(
        (client) => client<{ readonly strategy: string; readonly quantity: string }>`
          SELECT strategy, trim_scale(quantity) AS quantity FROM orders WHERE symbol = ${symbol} AND exit_kind = 'stop_loss'`
      )
      assert.deepStrictEqual(exit, { strategy: "default", quantity: "2" })
    })
  )

  test(
    "[T10 protection] a share that was opened before its stop was configured is armed at the next look",
    Effect.gen(function* () {
      const { symbol } = yield* shared
      yield* sql(
        (client) => client`UPDATE position_shares SET stop_pct = NULL, stop_price = NULL, target_price = NULL
          WHERE strategy = 'default'`
      )
      yield* untilShares(symbol, ["default 2 98", "plain 3 -"])
    })
  )

  test(
    "[T10 close] a close without a quantity takes its strategy's share, whoever else holds the symbol",
    Effect.gen(function* () {
      const { node, symbol } = yield* shared
      const close = yield* intend({ symbol, strategy: "plain", side: "sell", closes: null })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(close, "filled")
      assert.deepStrictEqual(yield* shares(symbol), ["default 2 98"])
      const again = yield* intend({ symbol, strategy: "plain", side: "sell", closes: null })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(again, "withdrawn")
      assert.deepInclude(yield* OrdersStore.use((orders) => orders.byId(again.id)), {
        reason: "nothing_to_close",
        sends: 0
      })
    })
  )

  test(
    "[T6 reduce] a close is not cut by a fill that the venue lists only when it is asked a second time",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      let asksWithoutIt = 0
      const node = yield* startNode(venue, {
        stream: false,
        wrap: (connection) => ({
          ...connection,
          fillsSince: (account, cursor) =>
            Effect.map(connection.fillsSince(account, cursor), (fills) =>
              asksWithoutIt > 0 ? ((asksWithoutIt -= 1), fills.slice(0, -1)) : fills
            )
        })
      })
      const acked = (options: Parameters<typeof intend>[0]) =>
        Effect.gen(function* () {
          const order = yield* intend({ symbol, strategy: "plain", ...options })
          yield* node.ring("orders:paper-1")
          yield* untilStatus(order, "acked")
          return order
        })
      const held = yield* acked({ quantity: "2" })
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(held, "filled")
      venue.holdFills(true)
      const late = yield* acked({ quantity: "1" })
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      asksWithoutIt = 1
      for (const { clientOrderId, venueOrderId } of venue.book.orders())
        if (clientOrderId === late.clientOrderId) yield* venue.fill(venueOrderId)
      const close = yield* acked({ side: "sell", closes: null })
      assert.deepInclude(yield* OrdersStore.use((orders) => orders.byId(close.id)), { quantity: "3" })
    })
  )

  test(
    "[T10 refused close] the venue's refusal is told, the share counts as unprotected, and the close is tried again",
    Effect.gen(function* () {
      const { node, symbol, venue } = yield* shared
      venue.scriptCreate({ _tag: "refuse", code: "halted", message: "not now" })
      const close = yield* intend({ symbol, strategy: "plain", side: "sell", closes: "1" })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(close, "rejected")
      yield* until(
        "unprotected or closed already",
        Effect.gen(function* () {
          const left = yield* shares(symbol)
          return gapOf(node, symbol)?.startsWith("the venue refused") === true || left.includes("plain 2 -")
        })
      )
      yield* untilShares(symbol, ["default 2 98", "plain 2 -"])
      yield* untilAlert(node, "exit.rejected")
      const [retry] = yield* sql(
        (client) => client<{ readonly kind: string; readonly status: string }>`
          SELECT exit_kind AS kind, status FROM orders WHERE symbol = ${symbol} AND exit_number IS NOT NULL`
      )
      assert.deepStrictEqual(retry, { kind: "close_again", status: "filled" })
      yield* until(
        "protected again",
        Effect.sync(() => gapOf(node, symbol) === undefined)
      )
    })
  )

  test(
    "[T10 external] a trade by hand takes from the shares, oldest first, and the stop stays on what is left",
    Effect.gen(function* () {
      const { symbol, venue } = yield* shared
      const byHand = venue.book.createExternal(
        {
          account: "paper-1",
          symbol,
          side: "sell",
          type: "market",
          quantity: "4",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "day"
        },
        new Date()
      )
      yield* venue.fill(byHand.venueOrderId)
      yield* untilShares(symbol, ["default 1 98"])
      assert.include(yield* committedAlerts, `trade.external:paper-1:${symbol}`)
    })
  )

  test(
    "[T10 contradiction] a full look that finds a trade told differently keeps the stored one, and commits the alert",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      let lies = false
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          fillsSince: (account, cursor) =>
            Effect.map(connection.fillsSince(account, cursor), (fills) =>
              lies ? fills.map((fill) => (fill.symbol === symbol ? { ...fill, price: "1" } : fill)) : fills
            ),
          // A quantity that differs makes the look a full one.
          positions: (account) =>
            Effect.map(connection.positions(account), (positions) =>
              lies ? positions.map((held) => ({ ...held, quantity: "9" })) : positions
            )
        })
      })
      const order = yield* intend({ symbol })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "filled")
      const contradictions = Effect.map(committedAlerts, (keys) =>
        keys.filter((key) => key.startsWith("fill.contradiction:"))
      )
      assert.deepStrictEqual(yield* contradictions, [])
      lies = true
      yield* node.ring("reconcile:paper-1")
      yield* until(
        "the contradiction is committed",
        Effect.map(contradictions, (keys) => keys.length === 1)
      )
      const orders = yield* OrdersStore
      assert.strictEqual((yield* orders.byId(order.id))?.averagePrice, "100")
    })
  )

  test(
    "[T10 disputed] what the venue sees otherwise after all fills takes no new exposure, until it agrees again",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      let said: string | null = "7"
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          positions: (account) =>
            Effect.map(connection.positions(account), (positions) =>
              said === null
                ? positions
                : [...positions, { account, symbol, quantity: said, averagePrice: "100" }]
            )
        })
      })
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      const entry = yield* intend({ symbol })
      yield* node.ring("orders:paper-1")
      yield* Effect.sleep(300)
      assert.strictEqual((yield* OrdersStore.use((orders) => orders.byId(entry.id)))?.status, "intended")
      yield* untilAlert(node, "position.mismatch")
      said = null
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(entry, "filled", 12_000)
    })
  )

  test(
    "[T10 close] a close, and a target, that arrives before its opening was sent takes the opening back",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const symbol = freshSymbol()
      const opening = yield* intend({ symbol })
      const close = yield* intend({ symbol, side: "sell", closes: null })
      const later = yield* intend({ symbol })
      const permit = (order: typeof opening) =>
        Effect.map(orders.submit(grant, order, permitOf()), (outcome) =>
          outcome._tag === "NotPermitted" ? outcome.permit.code : outcome._tag
        )
      assert.strictEqual(yield* permit(close), "nothing_to_close")
      assert.strictEqual(yield* permit(opening), "superseded")
      assert.strictEqual(yield* permit(later), "Submitting", "what was asked for after the close is wanted")
      const other = freshSymbol()
      const more = yield* intend({ symbol: other })
      yield* intend({ symbol: other, side: "sell", target: "1" })
      assert.strictEqual(yield* permit(more), "superseded", "sent, it would lead past the target")
    })
  )

  test(
    "[T5 K4] an entry whose sender died is not sent again when it is too old by now: it expires, and somebody is told",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U", propagationMs: 60 })
      const order = yield* orphan
      yield* sql(
        (client) => client`UPDATE orders SET valid_until = now() - interval '3 hours' WHERE id = ${order.id}`
      )
      const node = yield* startNode(venue)
      yield* untilStatus(order, "expired_unsent")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
      yield* untilAlert(node, "order.expired_unsent")
    })
  )

  for (const state of ["HALTED", "REDUCING"] as const) {
    test(
      `[T5 K4] nor while trading is ${state}`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule: "R", propagationMs: 60 })
        const order = yield* orphan
        yield* sql((client) => client`UPDATE trading_state SET state = ${state} WHERE scope = 'global'`)
        yield* startNode(venue)
        yield* untilStatus(order, "expired_unsent").pipe(
          Effect.ensuring(
            sql((client) => client`UPDATE trading_state SET state = 'ACTIVE' WHERE scope = 'global'`)
          )
        )
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
      })
    )
  }
})
