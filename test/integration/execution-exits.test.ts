import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { exitLimits } from "../../src/domain/kernel/limits-execution.ts"
import type { MemoryBroker } from "../support/broker.memory.ts"
import { BrokerOutcomeUnknown, BrokerUnavailable } from "../../src/layers/venues/broker.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import type { ProtectionService } from "../../src/layers/orders/protection.port.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  type NodeOptions,
  scenario,
  startNode,
  until,
  untilAlert,
  untilStatus
} from "./execution-desk.ts"
import { intend, own, sql, world, type WorldServices } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("exits", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  const exitsOf = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly id: string }>`
          SELECT id FROM orders WHERE symbol = ${symbol} AND intent = 'reduce' ORDER BY exit_number`,
        (rows) => rows.map((row) => row.id)
      )
    )
  const order = (id: string | undefined) =>
    Effect.flatMap(
      OrdersStore.use((orders) => orders.byId(id ?? "")),
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

  const gapOf = (node: { readonly protection: ProtectionService }, symbol: string, aheadMs = 0) =>
    node.protection.unprotected(Date.now() + aheadMs).find((gap) => gap.symbol === symbol)?.reason

  /** A position of 5 opened at 100 with its stop at 98 and its target at 103, watched. */
  const opened = (side: "buy" | "sell" = "buy", wrap: NodeOptions["wrap"] = (same) => same) =>
    openedAt(makeVenue(), side, wrap)
  const openedAt = (venue: MemoryBroker, side: "buy" | "sell", wrap: NonNullable<NodeOptions["wrap"]>) =>
    Effect.gen(function* () {
      const market = yield* makeMemoryMarket
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      const entry: StoredOrder = yield* intend({ symbol, side, quantity: "5" })
      const node = yield* startNode(venue, { market: market.service, wrap })
      yield* untilStatus(entry, "filled")
      yield* market.setPrice(symbol, "100")
      // A look that is imagined long after the last one names every watched position.
      yield* until(
        "watched and protected",
        Effect.sync(() => gapOf(node, symbol, 60_000) !== undefined && gapOf(node, symbol) === undefined)
      )
      const move = (price: string) =>
        Effect.andThen(
          Effect.sync(() => venue.setPrice(symbol, price)),
          market.setPrice(symbol, price)
        )
      const untilExit = (many = 1) =>
        until(
          `${many} exits`,
          Effect.map(exitsOf(symbol), (ids) => ids.length >= many)
        )
      return { venue, market, node, symbol, move, untilExit }
    })

  for (const [name, side, price, closed] of [
    ["stop loss of a long", "buy", "97.5", "sell"],
    ["profit target of a long", "buy", "103", "sell"],
    ["stop loss of a short", "sell", "102", "buy"],
    ["profit target of a short", "sell", "96", "buy"]
  ] as const) {
    test(
      `[${name}] the tick that reaches it leaves the position with one order, for all of it`,
      Effect.gen(function* () {
        const { venue, symbol, move, untilExit } = yield* opened(side)
        yield* move(price)
        yield* untilExit()
        const [id] = yield* exitsOf(symbol)
        yield* untilStatus(yield* order(id), "filled")
        const exit = yield* order(id)
        assert.deepInclude(exit, { side: closed, quantity: "5", source: "exit_monitor", signalId: null })
        assert.strictEqual(yield* quantityOf(symbol), "0")
        yield* move("100")
        yield* move(price)
        yield* Effect.sleep(100)
        assert.strictEqual((yield* exitsOf(symbol)).length, 1, "a closed position is left alone")
        assert.strictEqual(venue.creates(exit.clientOrderId).orders, 1)
      })
    )
  }

  test(
    "a price between stop and target leaves the position alone, at the last step as well",
    Effect.gen(function* () {
      const { symbol, move } = yield* opened()
      for (const price of ["98.01", "102.99", "100"]) yield* move(price)
      yield* Effect.sleep(100)
      assert.deepStrictEqual(yield* exitsOf(symbol), [])
    })
  )

  test(
    "a hundred ticks below the stop while the exit is on its way are one exit",
    Effect.gen(function* () {
      const { venue, symbol, move, untilExit } = yield* opened()
      venue.scriptCreate({ _tag: "delay", ms: 300 })
      for (let n = 0; n < 100; n += 1) yield* move(`9${n % 7}`)
      yield* untilExit()
      yield* until(
        "closed",
        Effect.map(quantityOf(symbol), (quantity) => quantity === "0")
      )
      assert.strictEqual((yield* exitsOf(symbol)).length, 1)
    })
  )

  test(
    "the exit sells what the broker confirms, not what we believe",
    Effect.gen(function* () {
      const { venue, symbol, move, untilExit } = yield* opened()
      // Somebody sold 2 by hand and that trade has not reached us: the stream is cut first.
      venue.refuseStreams("closed for the test")
      venue.endStreams(1000, "bye")
      const byHand = venue.book.createExternal(
        {
          account: "paper-1",
          symbol,
          side: "sell",
          type: "market",
          quantity: "2",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "day"
        },
        new Date()
      )
      yield* venue.fill(byHand.venueOrderId)
      yield* move("97")
      yield* untilExit()
      const [id] = yield* exitsOf(symbol)
      yield* until(
        "acked",
        Effect.map(order(id), (exit) => exit.venueOrderId !== null)
      )
      assert.strictEqual((yield* order(id)).quantity, "3")
      assert.strictEqual(
        venue.book.positions("paper-1").find((position) => position.symbol === symbol)?.quantity ?? "0",
        "0"
      )
    })
  )

  test(
    "[T6] an exit that is sent again asks the broker for the position first: it never flips one closed by hand",
    Effect.gen(function* () {
      const venue = makeVenue()
      const away = new BrokerUnavailable({ broker: "practice", operation: "fillsSince", reason: "500" })
      let [cut, sent] = [false, 0]
      const world = yield* openedAt(venue, "buy", (connection) => ({
        ...connection,
        // Our own books stay as they are: no stream, and no fills by another way.
        fillsSince: (account, cursor) => (cut ? Effect.fail(away) : connection.fillsSince(account, cursor)),
        create: (create) => {
          sent += create.side === "sell" ? 1 : 0
          if (create.side === "buy" || cut) return connection.create(create)
          cut = true
          venue.setReadable(false)
          venue.refuseStreams("cut")
          venue.endStreams(null, "cut")
          return Effect.fail(new BrokerOutcomeUnknown({ broker: "practice", reason: "cut" }))
        }
      }))
      const { symbol } = world
      yield* world.move("97")
      yield* world.untilExit()
      const [id] = yield* exitsOf(symbol)
      yield* untilStatus(yield* order(id), "resolving")
      const byHand = venue.book.createExternal(
        {
          account: "paper-1",
          symbol,
          side: "sell",
          type: "market",
          quantity: "5",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "day"
        },
        new Date()
      )
      yield* venue.fill(byHand.venueOrderId)
      venue.setReadable(true)
      yield* untilStatus(yield* order(id), "expired_unsent")
      yield* untilAlert(world.node, "order.expired_unsent")
      assert.include(yield* committedAlerts, `order.expired_unsent:${id}`)
      assert.strictEqual(sent, 1)
      const held = venue.book.positions("paper-1").find((position) => position.symbol === symbol)
      assert.strictEqual(held?.quantity ?? "0", "0")
    })
  )

  test(
    "a refused exit is an alert and is tried again under the next number",
    Effect.gen(function* () {
      const { venue, node, symbol, move, untilExit } = yield* opened()
      venue.scriptCreate({ _tag: "refuse", code: "market_closed", message: "later" })
      yield* move("97")
      yield* untilExit(2)
      const [first, second] = yield* exitsOf(symbol)
      assert.strictEqual((yield* order(first)).status, "rejected")
      yield* untilStatus(yield* order(second), "filled")
      yield* untilAlert(node, "exit.rejected")
      assert.include(yield* committedAlerts, `exit.rejected:${first ?? ""}`)
      assert.strictEqual(yield* quantityOf(symbol), "0")
    })
  )

  test(
    "a venue that refuses every exit is asked again after pauses that grow, not with every tick",
    Effect.gen(function* () {
      const { venue, symbol, move, untilExit } = yield* opened()
      venue.scriptCreate(
        ...Array.from(
          { length: 50 },
          () => ({ _tag: "refuse", code: "market_closed", message: "later" }) as const
        )
      )
      yield* move("97")
      yield* untilExit()
      for (let n = 0; n < 45; n += 1) {
        yield* Effect.sleep(100)
        yield* move("97")
      }
      const madeMs = yield* sql((client) =>
        Effect.map(
          client<{
            readonly ms: number
          }>`SELECT extract(epoch FROM created_at)::float8 * 1000 AS ms FROM orders
            WHERE symbol = ${symbol} AND intent = 'reduce' ORDER BY exit_number`,
          (rows) => rows.map(({ ms }) => ms)
        )
      )
      assert.isAtLeast(madeMs.length, 2)
      // A second, two, four, less what the clocks of process and database may differ in one look.
      for (const [n, ms] of madeMs.slice(1).entries())
        assert.isAtLeast(ms - (madeMs[n] ?? 0), 1_000 * 2 ** n - 200, `pause ${n + 1}`)
    })
  )

  test(
    "[T2] a broker that goes away leaves the position unprotected at once, though nothing is to be sent",
    Effect.gen(function* () {
      const { venue, node, symbol } = yield* opened()
      venue.setReadable(false)
      venue.refuseStreams("gone")
      venue.endStreams(null, "gone")
      yield* until(
        "no broker",
        Effect.sync(() => gapOf(node, symbol) === "the broker does not answer")
      )
      venue.setReadable(true)
      yield* until(
        "protected",
        Effect.sync(() => gapOf(node, symbol) === undefined),
        15_000
      )
      yield* node.stopChild("paper-1")
      yield* until(
        "no executor",
        Effect.sync(() => gapOf(node, symbol) === "no process executes orders of its account")
      )
    })
  )

  test(
    "[T6] a venue that answers one question wrong still takes an exit, and no entry",
    Effect.gen(function* () {
      let broken = false
      const away = new BrokerUnavailable({ broker: "practice", operation: "openOrders", reason: "500" })
      const { node, symbol, move, untilExit, venue } = yield* opened("buy", (connection) => ({
        ...connection,
        openOrders: (account) => (broken ? Effect.fail(away) : connection.openOrders(account))
      }))
      broken = true
      yield* node.ring("reconcile:paper-1")
      yield* until(
        "away",
        Effect.sync(() => node.state("paper-1") === "Owning.BrokerAway")
      )
      const entry = yield* intend({ symbol: freshSymbol() })
      yield* move("97")
      yield* untilExit()
      const [id] = yield* exitsOf(symbol)
      yield* untilStatus(yield* order(id), "filled")
      assert.strictEqual((yield* order(entry.id)).status, "intended")
      assert.strictEqual(venue.creates(entry.clientOrderId).requests, 0)
    })
  )

  test(
    "[T2] an executor that crashes protects nothing while it is down",
    Effect.gen(function* () {
      let broken = false
      const { node, symbol } = yield* opened("buy", (connection) => ({
        ...connection,
        positions: (account) =>
          broken ? Effect.die(new Error("broken for the test")) : connection.positions(account)
      }))
      broken = true
      yield* node.ring("reconcile:paper-1")
      yield* until(
        "no executor",
        Effect.andThen(
          node.ring("positions"),
          Effect.sync(() => gapOf(node, symbol) === "no process executes orders of its account")
        )
      )
    })
  )

  test(
    "[T2] when nobody looks any more every position of the last look counts as not protected",
    Effect.gen(function* () {
      const { node, symbol } = yield* opened()
      yield* node.stopChild("exits")
      assert.isUndefined(gapOf(node, symbol))
      assert.strictEqual(gapOf(node, symbol, exitLimits.lookAgeMsMax + 1), "its price is not being watched")
    })
  )

  test(
    "[T2 T6] an unresolved order of its side blocks the exit: said before the stop is reached, CRITICAL for a human",
    Effect.gen(function* () {
      const { node, symbol, move, untilExit, venue } = yield* opened()
      const blocker = (status: string, agoMs: number) =>
        sql(
          (client) => client`
            INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity,
              time_in_force, status, source, venue, sends, sent_at, signal_id, leg)
            SELECT ${randomUUID()}, ${randomUUID()}, 'paper-1', 'default', 'entry', ${symbol}, 'sell', 'market', 1, 'day',
              ${status}, 'webhook', 'practice', 1, now() - ${agoMs}::int * interval '1 millisecond', signal_id, 1
            FROM orders WHERE symbol = ${symbol} AND intent = 'entry' LIMIT 1`
        )
      yield* blocker("needs_operator", 0)
      yield* until(
        "blocked",
        Effect.sync(() => gapOf(node, symbol) === "an order that needs an operator blocks its exit")
      )
      let raised: ReadonlyArray<string> = []
      yield* until(
        "alerted",
        Effect.map(node.alerts, (kinds) => {
          raised = [...raised, ...kinds]
          return raised.includes("exit.blocked")
        })
      )
      yield* move("97")
      yield* untilExit()
      yield* Effect.sleep(200)
      const [id] = yield* exitsOf(symbol)
      assert.strictEqual((yield* order(id)).status, "intended")
      assert.strictEqual(venue.creates((yield* order(id)).clientOrderId).requests, 0)
      assert.strictEqual(gapOf(node, symbol), "an order that needs an operator blocks its exit")
      assert.notInclude(yield* node.alerts, "exit.blocked", "told once")
      yield* sql(
        (client) => client`UPDATE orders SET status = 'rejected' WHERE symbol = ${symbol} AND leg = 1`
      )
      yield* untilStatus(yield* order(id), "filled")
    })
  )

  test(
    "[B7] a stop works while no signal, no pipeline and no stream is alive",
    Effect.gen(function* () {
      const { venue, symbol, move, untilExit, node } = yield* opened()
      venue.refuseStreams("closed for the test")
      venue.endStreams(1000, "bye")
      yield* move("97")
      yield* untilExit()
      const [id] = yield* exitsOf(symbol)
      yield* until(
        "acked",
        Effect.map(order(id), (exit) => exit.venueOrderId !== null)
      )
      // The fill is fetched by the reconciliation that the end of the stream, or its return, asks for.
      venue.refuseStreams(null)
      yield* until(
        "closed",
        Effect.map(quantityOf(symbol), (quantity) => quantity === "0"),
        15_000
      )
      yield* until(
        "live",
        Effect.sync(() => node.state("broker") === "Streaming.Live"),
        15_000
      )
    })
  )
})
