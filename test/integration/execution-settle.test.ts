import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { executionLimits } from "../../src/domain/kernel/limits-execution.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { type OrderNote, OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { committedAlerts, freshSymbol, makeVenue, scenario, startNode, until } from "./execution-desk.ts"
import { fillOf, intend, own, sql, world, type WorldServices, permitOf } from "./execution-world.ts"

/** More than one pass of the reconciliation looks at. */
const CROWD = 300

layer(world(), { excludeTestServices: true })("orders that are over", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () =>
      scenario(
        // What the test before it left behind for good is no business of this one.
        Effect.andThen(
          sql((client) => client`UPDATE orders SET settled_at = now() WHERE settled_at IS NULL`),
          body
        )
      )
    )

  /** An order of two that was cancelled; `note` is what the venue said then. The venue of these tests lists none. */
  const cancelled = (note: OrderNote, fills = 0) =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol: freshSymbol(), quantity: "2" })
      const submitted = yield* orders.submit(grant, order, permitOf())
      assert.strictEqual(submitted._tag, "Submitting")
      yield* orders.apply(grant, yield* reread(order), "order.acked", { venueOrderId: `v-${order.symbol}` })
      yield* orders.apply(grant, yield* reread(order), "order.cancelled", note)
      for (let n = 0; n < fills; n += 1) yield* record(order)
      return yield* reread(order)
    })
  const record = (order: StoredOrder) =>
    FillsStore.use((store) => store.record("practice", fillOf(order, { quantity: "1" })))
  const reread = (order: StoredOrder) =>
    Effect.flatMap(
      OrdersStore.use((orders) => orders.byId(order.id)),
      (found) => Effect.fromNullishOr(found)
    )
  const looksOf = (order: StoredOrder) =>
    sql((client) =>
      Effect.map(
        client<{ readonly looks: number }>`SELECT settle_looks AS looks FROM orders WHERE id = ${order.id}`,
        ([row]) => row?.looks ?? -1
      )
    )
  /** As if so many looks had been made, and the pause after the last were over. */
  const after = (order: StoredOrder, looks: number) =>
    sql(
      (client) => client`UPDATE orders SET settle_looks = ${looks}, settle_due = NULL WHERE id = ${order.id}`
    )
  const venueless = Effect.gen(function* () {
    const node = yield* startNode(makeVenue(), { stream: false })
    const raised: Array<string> = []
    const reconcile = (order: StoredOrder, looks: number) =>
      Effect.andThen(
        node.ring("reconcile:paper-1"),
        until(
          `look ${looks}`,
          Effect.map(looksOf(order), (now) => now >= looks)
        )
      )
    const untilAlert = (kind: string) =>
      until(
        kind,
        Effect.map(node.alerts, (kinds) => raised.push(...kinds) > 0 && raised.includes(kind))
      )
    return { node, reconcile, untilAlert }
  })

  test(
    "and whose fills we lack are never settled when the venue forgets them, and a human is told after some looks",
    Effect.gen(function* () {
      const order = yield* cancelled({ venueFilled: "2" }, 1)
      const { node, reconcile, untilAlert } = yield* venueless
      yield* reconcile(order, 1)
      assert.notInclude(yield* node.alerts, "order.unsettled", "a fill may be a little late")
      yield* after(order, executionLimits.settleLooksMax - 1)
      yield* reconcile(order, executionLimits.settleLooksMax)
      yield* untilAlert("order.unsettled")
      assert.isNull((yield* reread(order)).settledAt)
      // The fill turns up after all: nobody's help is needed.
      yield* record(order)
      assert.deepInclude(yield* reread(order), { status: "filled" })
      assert.instanceOf((yield* reread(order)).settledAt, Date)
    })
  )

  test(
    "are settled by the venue's last word when it lists them no more",
    Effect.gen(function* () {
      const order = yield* cancelled({ venueFilled: "1" }, 1)
      assert.isNull(order.settledAt)
      const { node, reconcile } = yield* venueless
      yield* reconcile(order, 1)
      assert.instanceOf((yield* reread(order)).settledAt, Date)
      const kinds = yield* node.alerts
      assert.isFalse(
        kinds.some((kind) => kind.startsWith("order.")),
        kinds.join(", ")
      )
    })
  )

  test(
    "and for which the venue never gave a count are settled by our own books, late and with an alert",
    Effect.gen(function* () {
      const order = yield* cancelled({}, 1)
      const { reconcile, untilAlert } = yield* venueless
      yield* reconcile(order, 1)
      assert.isNull((yield* reread(order)).settledAt)
      yield* after(order, executionLimits.settleLooksMax - 1)
      yield* reconcile(order, executionLimits.settleLooksMax)
      yield* untilAlert("order.settled_unattested")
      assert.include(yield* committedAlerts, `order.settled_unattested:${order.id}`)
      assert.instanceOf((yield* reread(order)).settledAt, Date)
    })
  )

  test(
    "and have a trade without a link are not settled by our own books, which are not complete",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const order = yield* cancelled({}, 1)
      yield* sql((client) => client`DELETE FROM trade_strategy_link WHERE order_id = ${order.id}`)
      yield* after(order, executionLimits.settleLooksMax)
      assert.deepStrictEqual(yield* orders.noteUnsettled(order.id, "not_listed", () => null), {
        settled: false,
        looks: executionLimits.settleLooksMax + 1,
        ours: "1",
        venues: null,
        unlinked: 1
      })
    })
  )

  test(
    "are not settled while the venue still works on them, though the counts agree",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      const order = yield* cancelled({})
      venue.book.create({ ...order, account: "paper-1" }, new Date())
      yield* after(order, executionLimits.settleLooksMax)
      const node = yield* startNode(venue, { stream: false })
      const raised: Array<string> = []
      yield* until(
        "the alert",
        Effect.map(node.alerts, (kinds) => raised.push(...kinds) > 0 && raised.includes("order.unsettled"))
      )
      assert.isNull((yield* reread(order)).settledAt)
    })
  )

  test(
    "and were never sent are settled without a report of the venue",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      yield* orders.apply(grant, order, "order.held")
      yield* sql((client) => client`UPDATE orders SET status = 'cancelled' WHERE id = ${order.id}`)
      assert.deepInclude(yield* orders.noteUnsettled(order.id, "not_listed", () => null), {
        settled: true,
        venues: "0"
      })
    })
  )

  test(
    "keep the venue's word of a look, for the time when it lists them no more",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const order = yield* cancelled({ venueFilled: "1" })
      yield* orders.noteUnsettled(order.id, { over: true, filled: "2" }, () => null)
      yield* record(order)
      const left = yield* orders.noteUnsettled(order.id, "not_listed", () => null)
      assert.deepInclude(left, { settled: false, venues: "2", ours: "1", looks: 2 })
    })
  )

  test(
    "and never add up take no place from younger ones, and are due again later and later",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const old = yield* cancelled({ venueFilled: "2" })
      yield* sql(
        (client) => client`
          INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity,
            time_in_force, status, source, venue, venue_filled, updated_at)
          SELECT gen_random_uuid(), gen_random_uuid()::text, account, strategy, intent, symbol, side, type, quantity,
            time_in_force, status, source, venue, venue_filled, now() - interval '1 day'
          FROM orders, generate_series(1, ${CROWD}) WHERE id = ${old.id}`
      )
      const young = yield* cancelled({ venueFilled: "1" }, 1)
      const counts = Effect.map(orders.unsettledCounts(["paper-1", "paper-2"]), (all) => all.get("paper-1"))
      assert.deepStrictEqual(yield* counts, { all: CROWD + 2, due: CROWD + 2 })
      const { node } = yield* venueless
      // Two passes: the crowd is more than one of them looks at.
      for (const pass of ["first", "second"]) {
        yield* node.ring("reconcile:paper-1")
        yield* until(
          `the ${pass} pass`,
          Effect.map(counts, (now) => now?.due === (pass === "first" ? CROWD + 2 - 256 : 0))
        )
      }
      yield* node.tree.stop
      assert.instanceOf((yield* reread(young)).settledAt, Date)
      assert.deepStrictEqual(yield* counts, { all: CROWD + 1, due: 0 })
      const pauses: Array<number> = []
      for (const looks of [0, 1, 2, 20, 1_000]) {
        yield* after(old, looks)
        yield* orders.noteUnsettled(old.id, "not_listed", () => null)
        const [row] = yield* sql(
          (client) => client<{ readonly s: number }>`
            SELECT extract(epoch FROM settle_due - clock_timestamp())::float8 AS s FROM orders WHERE id = ${old.id}`
        )
        pauses.push(Math.round((row?.s ?? 0) / 5) * 5)
      }
      assert.deepStrictEqual(pauses, [15, 30, 60, 3_600, 3_600])
      assert.deepStrictEqual(yield* orders.unsettled("paper-1"), [])
      yield* record(old)
      assert.deepStrictEqual(
        (yield* orders.unsettled("paper-1")).map(({ id }) => id),
        [old.id],
        "a fill makes its order due at once"
      )
    })
  )
})
