import { assert, layer } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import type { MemoryBroker } from "../support/broker.memory.ts"
import type { AccountLeasesService } from "../../src/layers/accounts/accounts-lease.port.ts"
import { BrokerOutcomeUnknown, SendPermit } from "../../src/layers/venues/broker.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import {
  freshSymbol,
  makeVenue,
  scenario,
  startNode,
  statusOf,
  until,
  untilStatus
} from "./execution-desk.ts"
import {
  fillOf,
  history,
  intend,
  own,
  readAccount,
  sql,
  world,
  type WorldServices
} from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("reconciliation and cancels", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () =>
      scenario(
        Effect.andThen(
          // Each venue is new, so what the one before it held would be a mismatch of every test.
          sql((client) =>
            Effect.all([
              client`UPDATE positions SET quantity = 0, confirmed_quantity = NULL`,
              client`UPDATE accounts SET fills_cursor = NULL`
            ])
          ),
          body
        )
      )
    )

  const cut = (venue: MemoryBroker) => {
    venue.refuseStreams("cut for the test")
    venue.endStreams(1000, "bye")
  }
  const venueOrder = (venue: MemoryBroker, order: StoredOrder) =>
    Option.getOrThrow(
      Option.fromNullishOr(venue.book.orders().find((one) => one.clientOrderId === order.clientOrderId))
    )
  const resting = (venue: MemoryBroker) =>
    Effect.gen(function* () {
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol(), quantity: "2" })
      const node = yield* startNode(venue)
      yield* untilStatus(order, "acked")
      return { order, node }
    })
  const askCancel = (order: StoredOrder) =>
    sql((client) =>
      Effect.all([
        client`UPDATE orders SET status = 'pending_cancel' WHERE id = ${order.id}`,
        client`INSERT INTO order_events (order_id, event, from_status, to_status)
          VALUES (${order.id}, 'order.cancel_requested', 'acked', 'pending_cancel')`
      ])
    )
  const reread = (order: StoredOrder) =>
    Effect.flatMap(
      OrdersStore.use((orders) => orders.byId(order.id)),
      (found) => Effect.fromNullishOr(found)
    )

  test(
    "[K6] acked, then the stream is down: its fills are fetched when the stream is back, each once",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      cut(venue)
      yield* until(
        "backing off",
        Effect.sync(() => node.state("broker") === "BackingOff")
      )
      assert.include(["bye", "cut for the test"], node.detail("broker")["close_reason"])
      const at = venueOrder(venue, order)
      yield* venue.fill(at.venueOrderId, "1")
      yield* venue.fill(at.venueOrderId, "1")
      venue.refuseStreams(null)
      yield* untilStatus(order, "filled", 15_000)
      const [row] = yield* sql(
        (client) =>
          client<{ readonly n: bigint }>`SELECT count(*) AS n FROM trade_records WHERE order_id = ${order.id}`
      )
      assert.strictEqual(row?.n, 2n)
      assert.instanceOf((yield* reread(order)).settledAt, Date)
    })
  )

  for (const cursor of ["1", "900"]) {
    test(
      `[T10 full look] the first fills of a venue that was reset are found, with our cursor at ${cursor}`,
      Effect.gen(function* () {
        const venue = makeVenue()
        const symbol = freshSymbol()
        venue.setPrice(symbol, "100")
        const fills = yield* FillsStore
        const node = yield* startNode(venue, { stream: false })
        yield* until(
          "executing",
          Effect.sync(() => node.state("paper-1") === "Owning.Idle")
        )
        // As if the venue had had a life before this one.
        yield* fills.advance("paper-1", cursor)
        const order = yield* intend({ symbol, quantity: "2" })
        yield* node.ring("orders:paper-1")
        yield* untilStatus(order, "acked")
        yield* node.ring("reconcile:paper-1")
        yield* untilStatus(order, "filled")
        yield* until(
          "settled",
          Effect.map(reread(order), (row) => row.settledAt !== null)
        )
      })
    )
  }

  test(
    "a fill between the two looks at a position is fetched behind the cursor, and is no difference",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol(), quantity: "2" })
      const cursors: Array<string | null> = []
      let between: Effect.Effect<unknown> = Effect.void
      const node = yield* startNode(venue, {
        stream: false,
        wrap: (connection) => ({
          ...connection,
          fillsSince: (account, cursor) =>
            Effect.andThen(
              Effect.sync(() => cursors.push(cursor)),
              connection.fillsSince(account, cursor)
            ),
          positions: (account) =>
            Effect.suspend(() => {
              const now = between
              between = Effect.void
              return Effect.andThen(now, connection.positions(account))
            })
        })
      })
      yield* untilStatus(order, "acked")
      const fill = venue.fill(venueOrder(venue, order).venueOrderId, "1")
      yield* fill
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(order, "partially_filled")
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      cursors.length = 0
      between = fill
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(order, "filled")
      assert.notInclude(cursors, null, "nothing is asked for from the beginning")
      assert.notInclude(yield* node.alerts, "position.mismatch")
    })
  )

  test(
    "[T10 full look] fills that add up to nothing are missed by their order alone, whichever orders agree",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      cut(venue)
      yield* FillsStore.use((fills) => fills.advance("paper-1", "900"))
      const agrees = yield* intend({ symbol: freshSymbol() })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(agrees, "acked")
      const sold = {
        symbol: order.symbol,
        side: "sell",
        type: "market",
        quantity: "1",
        limitPrice: null,
        stopPrice: null
      } as const
      const byHand = venue.book.createExternal(
        { ...sold, account: "paper-1", timeInForce: "day" },
        new Date()
      )
      yield* venue.fill(venueOrder(venue, order).venueOrderId, "1")
      yield* venue.fill(byHand.venueOrderId)
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(order, "partially_filled")
    })
  )

  test(
    "[B2] a stream that the venue closes with 1000 is opened again, like any other",
    Effect.gen(function* () {
      const venue = makeVenue()
      const node = yield* startNode(venue)
      yield* until(
        "live",
        Effect.sync(() => node.state("broker") === "Streaming.Live")
      )
      venue.endStreams(1000, "normal closure")
      yield* until(
        "again",
        Effect.sync(() => node.detail("broker")["connects"] === 2),
        15_000
      )
      assert.deepInclude(node.detail("broker"), { close_code: 1000, close_reason: "normal closure" })
      assert.strictEqual(node.restarts("broker"), 0)
    })
  )

  test(
    "[K7] a fill that was made and never stored is found at the next activation",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      const { order, node } = yield* resting(venue)
      yield* node.tree.stop
      yield* venue.fill(venueOrder(venue, order).venueOrderId)
      yield* startNode(venue, { stream: false })
      yield* untilStatus(order, "filled")
      const fills = yield* FillsStore
      yield* until(
        "the cursor",
        Effect.map(fills.cursor("paper-1"), (cursor) => cursor === venue.book.fills("paper-1").at(-1)?.cursor)
      )
    })
  )

  test(
    "an order that ended at the venue while nobody looked is ended here, and settled by the venue's count",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      yield* node.tree.stop
      const at = venueOrder(venue, order)
      yield* venue.fill(at.venueOrderId, "1")
      venue.book.end(at.venueOrderId, "cancelled", new Date())
      yield* startNode(venue, { stream: false })
      yield* untilStatus(order, "cancelled")
      yield* until(
        "settled",
        Effect.map(reread(order), (row) => row.settledAt !== null)
      )
      assert.deepInclude(yield* reread(order), { filledQuantity: "1" })
    })
  )

  test(
    "an order that expires at the venue is told by the stream",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order } = yield* resting(venue)
      venue.book.end(venueOrder(venue, order).venueOrderId, "expired", new Date())
      yield* untilStatus(order, "expired")
    })
  )

  test(
    "a position the broker sees otherwise is a HIGH alert, and what is filled is never repaired by hand",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      yield* venue.fill(venueOrder(venue, order).venueOrderId)
      yield* untilStatus(order, "filled")
      yield* node.alerts
      // A position of ours the venue knows nothing of.
      const ghost = freshSymbol()
      yield* FillsStore.use((fills) =>
        fills.record("practice", fillOf({ clientOrderId: null, symbol: ghost, side: "buy" }))
      )
      yield* node.ring("reconcile:paper-1")
      const raised: Array<string> = []
      yield* until(
        "the alert",
        Effect.map(node.alerts, (kinds) => raised.push(...kinds) > 0 && raised.includes("position.mismatch"))
      )
      const rows = yield* sql(
        (client) => client<{ readonly quantity: string; readonly confirmed: string }>`
          SELECT trim_scale(quantity) AS quantity, trim_scale(confirmed_quantity) AS confirmed
          FROM positions WHERE symbol = ${ghost}`
      )
      assert.deepStrictEqual([...rows], [{ quantity: "1", confirmed: "0" }])
    })
  )

  test(
    "a cancel is sent before anything else and ends the order by what the venue says",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      yield* askCancel(order)
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "cancelled")
      assert.instanceOf((yield* reread(order)).settledAt, Date)
    })
  )

  test(
    "[T6] a cancel passes while trading is halted",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      yield* sql((client) => client`UPDATE trading_state SET state = 'HALTED' WHERE scope = 'global'`)
      yield* askCancel(order)
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "cancelled").pipe(
        Effect.ensuring(
          sql((client) => client`UPDATE trading_state SET state = 'ACTIVE' WHERE scope = 'global'`)
        )
      )
    })
  )

  test(
    "[T5 K9] a lease that is over right before the bytes of a cancel sends nothing, and is no silence of the broker",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      const first = yield* own()
      const order = yield* intend({ symbol: freshSymbol(), quantity: "2" })
      const permits: Array<boolean> = []
      const leases: Array<AccountLeasesService> = []
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          cancel: (account, id) =>
            Effect.gen(function* () {
              // The connection is made, the request is ready: the lease ends in this moment.
              if (permits.length === 0) leases[0]?.current("paper-1")?.giveUp()
              permits.push((yield* SendPermit)())
              return yield* connection.cancel(account, id)
            })
        })
      })
      leases.push(node.leases)
      yield* untilStatus(order, "acked")
      yield* askCancel(order)
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "cancelled", 15_000)
      assert.deepStrictEqual(permits, [false, true])
      assert.isTrue(node.protection.brokerAnswers("paper-1"))
      // The first grant was ours, the second the node's; the third is the one the cancel went out under.
      assert.strictEqual((yield* readAccount("paper-1"))?.fence, first.fence + 2n)
      assert.deepStrictEqual(yield* history(order.id).pipe(Effect.map((lines) => lines.slice(-2))), [
        "order.cancel_requested acked>pending_cancel",
        "order.cancelled pending_cancel>cancelled"
      ])
    })
  )

  for (const applied of [true, false]) {
    test(
      `[T5 K9] the answer of a cancel is lost (carried out: ${applied}): the venue is asked, and the wish is kept`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule: "N" })
        const { order, node } = yield* resting(venue)
        venue.scriptCancel({ _tag: "lost", applied })
        yield* askCancel(order)
        yield* node.ring("orders:paper-1")
        yield* untilStatus(order, "cancelled", 15_000)
        assert.strictEqual(venueOrder(venue, order).status, "cancelled")
        assert.strictEqual(venue.creates(order.clientOrderId).requests, 1, "nothing was sent again")
      })
    )
  }

  test(
    "[T5 K9] a cancel that was wanted is still wanted when a fill comes while the venue is asked",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol(), quantity: "2" })
      const context = yield* Effect.context<OrdersStore>()
      let lost = false
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          findByClientOrderId: (account, id) =>
            Effect.gen(function* () {
              if (lost && (yield* statusOf(order)) === "resolving") {
                lost = false
                yield* venue.fill(venueOrder(venue, order).venueOrderId, "1")
                yield* untilStatus(order, "partially_filled")
              }
              return yield* connection.findByClientOrderId(account, id)
            }).pipe(Effect.provide(context), Effect.orDie)
        })
      })
      yield* untilStatus(order, "acked")
      venue.scriptCancel({ _tag: "lost", applied: false })
      lost = true
      yield* askCancel(order)
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "cancelled", 15_000)
      assert.isFalse(lost, "the fill came in between")
      assert.deepInclude(yield* reread(order), { filledQuantity: "1" })
    })
  )

  test(
    "[T5 K9] a cancel whose answer is lost after the stream has told the end leaves no doubt and no illegal event",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      const context = yield* Effect.context<OrdersStore>()
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          cancel: (account, id) =>
            connection
              .cancel(account, id)
              .pipe(
                Effect.andThen(untilStatus(order, "cancelled").pipe(Effect.provide(context), Effect.orDie)),
                Effect.andThen(Effect.fail(new BrokerOutcomeUnknown({ broker: "practice", reason: "cut" })))
              )
        })
      })
      yield* untilStatus(order, "acked")
      yield* until(
        "live",
        Effect.sync(() => node.state("broker") === "Streaming.Live")
      )
      yield* askCancel(order)
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "cancelled")
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      assert.isFalse((yield* history(order.id)).some((line) => line.endsWith("!")))
      assert.notInclude(yield* node.alerts, "order.illegal_event")
    })
  )

  test(
    "[T5 K9] a cancel that comes too late leaves the order filled, whatever it wished",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      cut(venue)
      yield* venue.fill(venueOrder(venue, order).venueOrderId)
      yield* askCancel(order)
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "filled", 15_000)
      const events = yield* history(order.id)
      assert.isFalse(
        events.some((line) => line.endsWith("!")),
        events.join(", ")
      )
    })
  )

  test(
    "[K9] killed between the wish and the answer: the next life carries the cancel out",
    Effect.gen(function* () {
      const venue = makeVenue()
      const { order, node } = yield* resting(venue)
      yield* node.tree.stop
      yield* askCancel(order)
      yield* startNode(venue)
      yield* untilStatus(order, "cancelled", 15_000)
    })
  )

  test(
    "an order of ours that waits for an operator and turns up open at the venue is adopted",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "N" })
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: () => Effect.fail(new BrokerOutcomeUnknown({ broker: "practice", reason: "503" }))
        })
      })
      yield* untilStatus(order, "needs_operator", 15_000)
      venue.book.create({ ...order, account: "paper-1" }, new Date())
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(order, "acked")
      assert.strictEqual(yield* statusOf(order), "acked")
    })
  )
})
