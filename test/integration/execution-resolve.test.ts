import { assert, layer } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import { lookupLimits } from "../../src/domain/kernel/limits-execution.ts"
import {
  type BrokerConnection,
  BrokerOutcomeUnknown,
  BrokerUnavailable,
  type ClientOrderIdRule
} from "../../src/layers/venues/broker.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  orphan,
  scenario,
  startNode,
  statusOf,
  until,
  untilAlert,
  untilStatus
} from "./execution-desk.ts"
import { history, intend, own, sql, world, type WorldServices } from "./execution-world.ts"

/** Calls `each` for every look-up by id that is answered. */
const countingLookups = (each: () => void) => ({
  wrap: (connection: BrokerConnection): BrokerConnection => ({
    ...connection,
    findByClientOrderId: (account, id) =>
      Effect.tap(connection.findByClientOrderId(account, id), () => Effect.sync(each))
  })
})

const unique: ReadonlyArray<ClientOrderIdRule> = ["U", "R"]
const reusable: ReadonlyArray<ClientOrderIdRule> = ["O", "N"]

layer(world(), { excludeTestServices: true })("orders with an unknown outcome", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  for (const rule of [...unique, ...reusable]) {
    test(
      `[T5 K5 rule ${rule}] accepted by the venue and the answer lost: found and adopted, one order`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule })
        venue.scriptCreate({ _tag: "lost", applied: true })
        yield* own()
        const order = yield* intend({ symbol: freshSymbol() })
        yield* startNode(venue)
        yield* untilStatus(order, "filled")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      })
    )

    test(
      `[T5 K5 rule ${rule}] accepted and the process killed before the ack was stored: the next life adopts it`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule })
        const order = yield* orphan
        venue.book.create({ ...order, account: "paper-1" }, new Date())
        venue.holdFills(true)
        yield* startNode(venue)
        yield* untilStatus(order, "acked")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 1 })
      })
    )
  }

  for (const rule of unique) {
    test(
      `[T5 K4 rule ${rule}] committed and never sent: confirmed not found, then the SAME id again, one order`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule, propagationMs: 60 })
        const order = yield* orphan
        yield* startNode(venue)
        yield* untilStatus(order, "filled")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
        const events = yield* history(order.id)
        assert.include(events, "order.outcome_lost submitting>unknown")
        assert.include(events, "order.resubmitted resolving>submitting")
        const stored = yield* OrdersStore.use((orders) => orders.byId(order.id))
        assert.deepInclude(stored, { attempt: 1, sends: 2, clientOrderId: order.clientOrderId })
      })
    )

    test(
      `[T5 K5 rule ${rule}] invisible to look-ups for a while: the propagation window is waited out, one order`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule, propagationMs: 400 })
        venue.setInvisibleMs(250)
        venue.scriptCreate({ _tag: "lost", applied: true })
        yield* own()
        const order = yield* intend({ symbol: freshSymbol() })
        yield* startNode(venue)
        yield* untilStatus(order, "filled")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      })
    )
  }

  test(
    "[T5 K4] what was found in submitting waits out the whole propagation window, over another restart as well",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U", propagationMs: 600_000 })
      const order = yield* orphan
      for (const life of ["the first life", "the next life"]) {
        let asked = 0
        const node = yield* startNode(
          venue,
          countingLookups(() => (asked += 1))
        )
        const sends = () => venue.creates(order.clientOrderId).requests
        yield* until(
          `${life} to ask more often than a not-found needs`,
          Effect.sync(() => asked > 2 * lookupLimits.notFoundAnswersMin || sends() > 0)
        )
        assert.strictEqual(sends(), 0, life)
        assert.strictEqual(yield* statusOf(order), "resolving", life)
        yield* node.tree.stop
      }
    })
  )

  test(
    "[T5 K5] a create whose answer is lost waits out the whole propagation window before it is sent again",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U", propagationMs: 600_000 })
      venue.scriptCreate({ _tag: "lost", applied: false })
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      let asked = 0
      yield* startNode(
        venue,
        countingLookups(() => (asked += 1))
      )
      const sends = () => venue.creates(order.clientOrderId).requests
      yield* until(
        "more look-ups than a not-found needs",
        Effect.sync(() => asked > 2 * lookupLimits.notFoundAnswersMin || sends() > 1)
      )
      assert.strictEqual(sends(), 1)
      assert.strictEqual(yield* statusOf(order), "resolving")
    })
  )

  test(
    "an order that the look-up by id denies and the list of recent orders shows is adopted, not sent again",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U" })
      const order = yield* orphan
      const placed = venue.book.create({ ...order, account: "paper-1" }, new Date())
      assert.strictEqual(placed._tag, "Created")
      for (const { venueOrderId } of venue.book.orders())
        venue.book.end(venueOrderId, "cancelled", new Date())
      yield* startNode(venue, {
        wrap: (connection) => ({ ...connection, findByClientOrderId: () => Effect.succeed(Option.none()) })
      })
      yield* untilStatus(order, "cancelled")
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 0)
    })
  )

  test(
    "[T7] a bug in the look-up of one order is a restart of its executor, and the next incarnation resolves it",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U" })
      const order = yield* orphan
      let broken = true
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          findByClientOrderId: (account, id) =>
            Effect.suspend(() => {
              if (!broken) return connection.findByClientOrderId(account, id)
              broken = false
              return Effect.die(new Error("a bug, for the test"))
            })
        })
      })
      yield* untilStatus(order, "filled", 15_000)
      assert.strictEqual(node.restarts("paper-1"), 1)
    })
  )

  for (const rule of reusable) {
    test(
      `[T5 K4 rule ${rule}] committed and never sent: confirmed not found, then an operator, nothing sent`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule, propagationMs: 60 })
        const order = yield* orphan
        const node = yield* startNode(venue)
        yield* untilStatus(order, "needs_operator")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
        yield* untilAlert(node, "order.needs_operator")
        assert.include(yield* committedAlerts, `order.needs_operator:${order.id}`)
      })
    )
  }

  test(
    "[T5 rule R] our own resend is refused as a duplicate: looked up and adopted, never rejected",
    Effect.gen(function* () {
      // The first create arrives after the look-ups have said no; the resend then meets it.
      const venue = makeVenue({ rule: "R", propagationMs: 20 })
      venue.holdFills(true)
      const order = yield* orphan
      let first = true
      yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: (create) => {
            if (first) {
              first = false
              venue.book.create(create, new Date())
            }
            return connection.create(create)
          }
        })
      })
      yield* untilStatus(order, "acked")
      assert.strictEqual(venue.creates(order.clientOrderId).orders, 1)
      assert.notInclude((yield* history(order.id)).join(), "order.rejected")
    })
  )

  test(
    "a venue that swallows every create is asked to take it a bounded number of times, then an operator decides",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U" })
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: () => Effect.fail(new BrokerOutcomeUnknown({ broker: "practice", reason: "503" }))
        })
      })
      yield* untilStatus(order, "needs_operator", 20_000)
      const stored = yield* OrdersStore.use((orders) => orders.byId(order.id))
      assert.strictEqual(stored?.sends, 5)
    })
  )

  test(
    "an order the venue once attested and shows no more is never sent again, whatever the rule",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U" })
      const order = yield* orphan
      yield* sql((client) => client`UPDATE orders SET venue_order_id = 'seen' WHERE id = ${order.id}`)
      yield* startNode(venue)
      yield* untilStatus(order, "needs_operator")
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 0)
    })
  )

  test(
    "a broker that cannot be asked leaves the order unresolved; when it answers again the order is settled",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: (create) =>
            Effect.tap(connection.create(create).pipe(Effect.exit), () =>
              Effect.sync(() => venue.setReadable(false))
            ).pipe(
              Effect.andThen(Effect.fail(new BrokerOutcomeUnknown({ broker: "practice", reason: "cut" })))
            )
        })
      })
      yield* untilStatus(order, "resolving")
      const raised: Array<string> = []
      yield* until(
        "the alert",
        Effect.map(node.alerts, (kinds) => raised.push(...kinds) > 0 && raised.includes("order.unresolved"))
      )
      assert.strictEqual(yield* statusOf(order), "resolving")
      venue.setReadable(true)
      yield* untilStatus(order, "acked")
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 1)
    })
  )

  test(
    "a broker that answers by id and cannot list its orders leaves the order unresolved, and an alert says so",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U" })
      const order = yield* orphan
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          recentOrders: () =>
            Effect.fail(
              new BrokerUnavailable({ broker: "practice", operation: "recentOrders", reason: "500" })
            )
        })
      })
      const raised: Array<string> = []
      yield* until(
        "the alert",
        Effect.map(node.alerts, (kinds) => raised.push(...kinds) > 0 && raised.includes("order.unresolved"))
      )
      assert.strictEqual(yield* statusOf(order), "resolving")
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 0)
    })
  )

  test(
    "an answer that is lost after the stream has told the fill leaves no doubt and no illegal event",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      const context = yield* Effect.context<OrdersStore>()
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: (create) =>
            connection
              .create(create)
              .pipe(
                Effect.andThen(untilStatus(order, "filled").pipe(Effect.provide(context), Effect.orDie)),
                Effect.andThen(Effect.fail(new BrokerOutcomeUnknown({ broker: "practice", reason: "cut" })))
              )
        })
      })
      yield* untilStatus(order, "filled")
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      assert.isFalse((yield* history(order.id)).some((line) => line.endsWith("!")))
      assert.notInclude(yield* node.alerts, "order.illegal_event")
    })
  )

  test(
    "a resend waits its turn: it never overlaps with a create of its account",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "U" })
      const lost = yield* orphan
      const made = yield* Effect.forEach(Array.from({ length: 12 }), () => intend({ symbol: freshSymbol() }))
      let [now, most] = [0, 0]
      yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: (create) =>
            Effect.gen(function* () {
              now += 1
              most = Math.max(most, now)
              yield* Effect.sleep(40)
              now -= 1
              return yield* connection.create(create)
            })
        })
      })
      yield* Effect.forEach([lost, ...made], (order) => untilStatus(order, "filled", 15_000))
      assert.strictEqual(most, 1)
      assert.strictEqual(venue.creates(lost.clientOrderId).orders, 1)
    })
  )
})
