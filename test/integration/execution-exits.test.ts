import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { makeMemoryMarket } from "../../src/layers/market.memory.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders-store.ts"
import { freshSymbol, makeVenue, scenario, startNode, until, untilStatus } from "./execution-desk.ts"
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

  /** A position of 5 opened at 100 with its stop at 98 and its target at 103, watched. */
  const opened = (side: "buy" | "sell" = "buy") =>
    Effect.gen(function* () {
      const venue = makeVenue()
      const market = yield* makeMemoryMarket
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      const entry: StoredOrder = yield* intend({ symbol, side, quantity: "5" })
      const node = yield* startNode(venue, { market: market.service })
      yield* untilStatus(entry, "filled")
      yield* market.setPrice(symbol, "100")
      yield* until(
        "protected",
        Effect.sync(
          () =>
            node.protection.lookedAt() !== null &&
            node.protection.unprotected().every((gap) => gap.symbol !== symbol)
        )
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
    "a refused exit is an alert and is tried again under the next number",
    Effect.gen(function* () {
      const { venue, node, symbol, move, untilExit } = yield* opened()
      venue.scriptCreate({ _tag: "refuse", code: "market_closed", message: "later" })
      yield* move("97")
      yield* untilExit(2)
      const [first, second] = yield* exitsOf(symbol)
      assert.strictEqual((yield* order(first)).status, "rejected")
      yield* untilStatus(yield* order(second), "filled")
      assert.include(yield* node.alerts, "exit.rejected")
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
      const tries = (yield* exitsOf(symbol)).length
      assert.isAtLeast(tries, 2)
      assert.isAtMost(tries, 3)
    })
  )

  test(
    "[T2] without quotes, or without a broker, the position is reported as not protected",
    Effect.gen(function* () {
      const { venue, node, symbol } = yield* opened()
      const reason = () => node.protection.unprotected().find((gap) => gap.symbol === symbol)?.reason
      venue.setReadable(false)
      yield* node.ring("reconcile:paper-1")
      yield* until(
        "no broker",
        Effect.sync(() => reason() === "the broker does not answer")
      )
      venue.setReadable(true)
      yield* until(
        "protected",
        Effect.sync(() => reason() === undefined),
        15_000
      )
      yield* node.stopChild("paper-1")
      yield* until(
        "no executor",
        Effect.sync(() => reason() === "nobody executes orders of its account")
      )
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
      // The fill is fetched by the reconciliation that the stream's return asks for.
      venue.refuseStreams(null)
      yield* until(
        "closed",
        Effect.map(quantityOf(symbol), (quantity) => quantity === "0"),
        15_000
      )
      assert.strictEqual(node.state("broker"), "Streaming.Live")
    })
  )
})
