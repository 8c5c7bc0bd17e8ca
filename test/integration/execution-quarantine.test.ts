import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { AlertsService } from "../../src/layers/alerts/alerts.port.ts"
import { gated } from "../../src/layers/venues/broker.gate.ts"
import type { BrokerConnection, VenuePosition } from "../../src/layers/venues/broker.port.ts"
import type { StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { freshSymbol, makeVenue, scenario, startNode, until, untilStatus } from "./execution-desk.ts"
import { intend, own, readAccount, sql, world, type WorldServices } from "./execution-world.ts"

const noAlerts: AlertsService = {
  raise: () => Effect.void,
  resolve: () => Effect.void,
  resolveAllBut: () => Effect.void,
  draft: Effect.die("nothing is committed with its alert"),
  takePending: () => [],
  putBack: () => undefined,
  counts: () => ({ raised: 0, pending: 0, dropped: 0 })
}

layer(world(), { excludeTestServices: true })("one row of a venue that cannot be believed", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  const rowOf = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly quantity: string; readonly confirmed: string | null; readonly disputed: boolean }>`
          SELECT trim_scale(quantity)::text AS quantity, trim_scale(confirmed_quantity)::text AS confirmed,
            disputed_at IS NOT NULL AS disputed FROM positions WHERE symbol = ${symbol}`,
        ([row]) => row ?? null
      )
    )
  const untilRow = (
    what: string,
    symbol: string,
    fits: (row: Effect.Success<ReturnType<typeof rowOf>>) => boolean
  ) => until(what, Effect.map(rowOf(symbol), fits))

  /** Five of each symbol, with a stop at 98, at a venue whose positions and fills a test rewrites. */
  const holding = (symbols: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const venue = makeVenue()
      const market = yield* makeMemoryMarket
      let positions = (row: VenuePosition): VenuePosition => row
      let fills = (row: { readonly symbol: string; readonly price: string }) => row.price
      const wrap = (connection: BrokerConnection): BrokerConnection =>
        gated(
          {
            ...connection,
            positions: (account) =>
              Effect.map(connection.positions(account), (all) => all.map((row) => positions(row))),
            fillsSince: (account, cursor) =>
              Effect.map(connection.fillsSince(account, cursor), (all) =>
                all.map((fill) => ({ ...fill, price: fills(fill) }))
              )
          },
          noAlerts
        )
      yield* own()
      const node = yield* startNode(venue, { market: market.service, wrap })
      const entries: Array<StoredOrder> = []
      for (const symbol of symbols) {
        venue.setPrice(symbol, "100")
        entries.push(yield* intend({ symbol, quantity: "5" }))
      }
      yield* node.ring("orders:paper-1")
      for (const entry of entries) yield* untilStatus(entry, "filled")
      for (const symbol of symbols) yield* market.setPrice(symbol, "100")
      const move = (symbol: string, price: string) =>
        Effect.andThen(
          Effect.sync(() => venue.setPrice(symbol, price)),
          market.setPrice(symbol, price)
        )
      return {
        venue,
        node,
        move,
        reportPositions: (as: typeof positions) => void (positions = as),
        reportFills: (as: typeof fills) => void (fills = as)
      }
    })

  test(
    "[quantity] its symbol is disputed and waits, never as flat; the other exits leave, and it leaves when it is right",
    Effect.gen(function* () {
      const [bad, good] = [freshSymbol(), freshSymbol()]
      const { move, node, reportPositions } = yield* holding([bad, good])
      reportPositions((row) => (row.symbol === bad ? { ...row, quantity: "NaN" } : row))
      yield* node.ring("reconcile:paper-1")
      yield* untilRow(
        "the bad one is disputed",
        bad,
        (row) => row?.disputed === true && row.confirmed === null
      )
      yield* move(bad, "97")
      yield* move(good, "97")
      yield* untilRow("the other one is left", good, (row) => row?.quantity === "0")
      assert.deepStrictEqual(yield* rowOf(bad), { quantity: "5", confirmed: null, disputed: true })
      const gap = Effect.sync(
        () => node.protection.unprotected(Date.now()).find(({ symbol }) => symbol === bad)?.reason
      )
      yield* until(
        "its gap is reported",
        Effect.map(gap, (reason) => reason === "the broker's report of its position cannot be used")
      )
      assert.isNotNull(
        (yield* readAccount("paper-1"))?.reconciledAt,
        "the account is reconciled all the same"
      )
      const opening = yield* intend({ symbol: bad, quantity: "1" })
      yield* node.ring("orders:paper-1")
      yield* Effect.sleep(100)
      const [waits] = yield* sql(
        (client) => client<{ readonly status: string }>`SELECT status FROM orders WHERE id = ${opening.id}`
      )
      assert.strictEqual(waits?.status, "intended", "a disputed symbol takes nothing new")
      yield* sql((client) => client`UPDATE orders SET status = 'denied' WHERE id = ${opening.id}`)
      reportPositions((row) => row)
      yield* node.ring("orders:paper-1")
      yield* untilRow("it is left too", bad, (row) => row?.quantity === "0" && !row.disputed)
    })
  )

  test(
    "[average price] its symbol takes nothing new, and its own exit leaves: no close is sized by a price",
    Effect.gen(function* () {
      const symbol = freshSymbol()
      const { move, node, reportPositions } = yield* holding([symbol])
      reportPositions((row) => ({ ...row, averagePrice: "-1" }))
      yield* node.ring("reconcile:paper-1")
      yield* untilRow("it is disputed", symbol, (row) => row?.disputed === true)
      assert.deepStrictEqual(yield* rowOf(symbol), { quantity: "5", confirmed: "5", disputed: true })
      yield* move(symbol, "97")
      yield* untilRow("it is left", symbol, (row) => row?.quantity === "0")
    })
  )

  test(
    "[fill at zero] is not recorded; its symbol is disputed, the others are closed; when it is right, it counts",
    Effect.gen(function* () {
      const [bad, good] = [freshSymbol(), freshSymbol()]
      const first = yield* holding([bad, good])
      const { move, reportFills, venue } = first
      reportFills((fill) => (fill.symbol === bad ? "0" : fill.price))
      venue.endStreams(1000, "a test")
      venue.refuseStreams("a test")
      // Somebody trades by hand while the stream is away: only a catch-up could bring it.
      const byHand = venue.book.createExternal(
        {
          account: "paper-1",
          symbol: bad,
          side: "buy",
          type: "market",
          quantity: "1",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "day"
        },
        new Date()
      )
      yield* venue.fill(byHand.venueOrderId)
      yield* first.node.ring("reconcile:paper-1")
      yield* untilRow("the symbol is disputed", bad, (row) => row?.disputed === true && row.confirmed === "6")
      assert.strictEqual((yield* rowOf(bad))?.quantity, "5")
      yield* move(good, "97")
      yield* untilRow("the other one is left", good, (row) => row?.quantity === "0")
      // The cursor is past it by now. A process that starts fetches all fills at once where the books differ.
      reportFills((fill) => fill.price)
      yield* first.node.stopChild("paper-1")
      yield* startNode(venue, { nodeId: "node-b" })
      yield* untilRow("it counts", bad, (row) => row?.quantity === "6" && !row.disputed)
    })
  )
})
