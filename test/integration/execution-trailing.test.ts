/**
 * Stops that move, time stops, and what a restart leaves of them: executor, broker stream and exits on a real database. There is
 * no feed, no pipeline and no intake in this tree, so none of them is needed.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { Bar } from "../../src/domain/market/bar.ts"
import type { MemoryBroker } from "../support/broker.memory.ts"
import { makeMemoryMarket, type MemoryMarket } from "../support/market.memory.ts"
import { freshSymbol, makeVenue, scenario, startNode, until, untilStatus } from "./execution-desk.ts"
import { intend, own, sql, testSettings, world, type WorldServices } from "./execution-world.ts"

const strategy = (exits: Record<string, unknown>) => ({ sources: ["default"], accounts: ["paper-1"], exits })
const settings = testSettings({
  strategies: {
    trailed: strategy({ trailingPct: "5" }),
    even: strategy({ breakEvenAfterPct: "2" }),
    timed: strategy({ holdMsMax: 1_500 }),
    ranged: strategy({ trailingAtr: { multiple: "2", bars: 2, barMs: 1_000 } })
  }
})

layer(world(settings), { excludeTestServices: true })("exits that move", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  /** Exits of a symbol as `kind status quantity`. */
  const exitsOf = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly line: string }>`
          SELECT concat_ws(' ', exit_kind, status, trim_scale(quantity)) AS line FROM orders
          WHERE symbol = ${symbol} AND intent = 'reduce' ORDER BY exit_number`,
        (rows) => rows.map(({ line }) => line)
      )
    )
  /** The share of a symbol as `quantity best stop by`. */
  const shareOf = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly line: string }>`
          SELECT concat_ws(' ', trim_scale(h.quantity), coalesce(trim_scale(h.best_price)::text, '-'),
            coalesce(trim_scale(h.stop_price)::text, '-'), coalesce(h.stop_by, '-')) AS line
          FROM position_shares h JOIN positions p ON p.id = h.position_id WHERE p.symbol = ${symbol}`,
        ([row]) => row?.line ?? "none"
      )
    )
  const untilShare = (symbol: string, wanted: string) =>
    until(
      `the share is ${wanted}`,
      Effect.map(shareOf(symbol), (line) => line === wanted)
    )
  const untilClosed = (symbol: string, kind: string) =>
    until(
      `${kind} has closed ${symbol}`,
      Effect.map(exitsOf(symbol), (lines) => lines.at(-1)?.startsWith(`${kind} filled`) === true)
    )

  const mover = (venue: MemoryBroker, market: MemoryMarket, symbol: string) => (price: string) =>
    Effect.andThen(
      Effect.sync(() => venue.setPrice(symbol, price)),
      market.setPrice(symbol, price)
    )

  /** Five opened at 100 for a strategy, and a way to move the price of its symbol. */
  const opened = (name: string, side: "buy" | "sell" = "buy") =>
    Effect.gen(function* () {
      const venue = makeVenue()
      const market = yield* makeMemoryMarket
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      yield* own()
      const entry = yield* intend({ symbol, side, quantity: "5", strategy: name })
      const move = mover(venue, market, symbol)
      const start = (bootId?: string) =>
        Effect.gen(function* () {
          const node = yield* startNode(venue, {
            market: market.service,
            ...(bootId === undefined ? {} : { bootId })
          })
          yield* untilStatus(entry, "filled")
          return node
        })
      return { venue, market, symbol, move, start }
    })

  test(
    "[B7] a trail remembers its best price across a restart, closes once and never flips",
    Effect.gen(function* () {
      const { move, start, symbol, venue } = yield* opened("trailed")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* start()
          yield* untilShare(symbol, "5 100 95 trailing_stop")
          yield* move("120")
          yield* untilShare(symbol, "5 120 114 trailing_stop")
          yield* move("115")
        })
      )
      // Nobody runs while the price falls through the stop that the first life would have had at its opening.
      yield* move("114.01")
      yield* start("boot-2")
      yield* move("114.01")
      yield* Effect.sleep(300)
      assert.deepStrictEqual(yield* exitsOf(symbol), [], "it is not reached")
      for (const price of ["114", "113", "121", "90"]) yield* move(price)
      yield* untilClosed(symbol, "trailing_stop")
      for (const price of ["80", "120", "80"]) yield* move(price)
      yield* Effect.sleep(1_300)
      assert.deepStrictEqual(yield* exitsOf(symbol), ["trailing_stop filled 5"])
      const held = venue.book.positions("paper-1").find((position) => position.symbol === symbol)
      assert.strictEqual(held?.quantity ?? "0", "0")
      assert.strictEqual(yield* shareOf(symbol), "0 - - -", "a closed share forgets what it reached")
    })
  )

  test(
    "a trail of a short follows the ask down, and ticks between two looks count",
    Effect.gen(function* () {
      const { move, start, symbol } = yield* opened("trailed", "sell")
      yield* start()
      // Stored by a look, so the share is watched; the fill alone had armed it.
      yield* move("99")
      yield* untilShare(symbol, "-5 99 103.95 trailing_stop")
      // Faster than a look: the best price is seen by ticks alone.
      yield* move("80")
      yield* move("84.5")
      yield* untilClosed(symbol, "trailing_stop")
    })
  )

  test(
    "after its gain a share is closed at its average price",
    Effect.gen(function* () {
      const { move, start, symbol } = yield* opened("even")
      yield* start()
      yield* untilShare(symbol, "5 100 - -")
      yield* move("99")
      yield* move("102")
      yield* untilShare(symbol, "5 102 100 break_even")
      yield* move("100")
      yield* untilClosed(symbol, "break_even")
    })
  )

  test(
    "a share is closed when its time is over, whatever its price, also without a quote",
    Effect.gen(function* () {
      // Before the position: opening it takes as long as the machine is busy.
      const openedAtMs = Date.now()
      const { start, symbol } = yield* opened("timed")
      yield* start()
      yield* untilClosed(symbol, "time_stop")
      assert.isAtLeast(Date.now() - openedAtMs, 1_400)
      assert.deepStrictEqual(yield* exitsOf(symbol), ["time_stop filled 5"])
    })
  )

  test(
    "a trail by the average range counts as unprotected until there are bars, and follows from then on",
    Effect.gen(function* () {
      const { market, move, start, symbol } = yield* opened("ranged")
      yield* Effect.forkScoped(market.service.feed(Effect.void))
      const node = yield* start()
      yield* move("100")
      const gap = () => node.protection.unprotected(Date.now()).find((one) => one.symbol === symbol)?.reason
      yield* until(
        "no stop yet",
        Effect.sync(() => gap() === "its trailing stop is configured and has no price yet")
      )
      const bar = (n: number): Bar => ({
        symbol,
        startMs: n * 1_000,
        endMs: (n + 1) * 1_000,
        open: "100",
        high: "101",
        low: "99",
        close: "100",
        volume: "1"
      })
      market.setBars(symbol, [bar(1), bar(2), bar(3)])
      yield* move("110")
      yield* untilShare(symbol, "5 110 106 trailing_stop")
      yield* until(
        "protected",
        Effect.sync(() => gap() === undefined)
      )
      yield* move("106")
      yield* untilClosed(symbol, "trailing_stop")
    })
  )
})
