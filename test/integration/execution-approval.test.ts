import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import type { ApprovalDecision } from "../../src/domain/orders/approval.ts"
import { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  scenario,
  startNode,
  statusOf,
  until,
  untilStatus
} from "./execution-desk.ts"
import {
  history,
  intend,
  own,
  permitOf,
  sql,
  testSettings,
  world,
  type WorldServices
} from "./execution-world.ts"

interface Terms {
  readonly deadlineMs?: number
  readonly otherwise?: "deny" | "allow"
  readonly price?: string | null
  readonly priceMovePctMax?: string | null
}
/** An entry that waits for a human, as a decision leaves it. */
const asked = ({
  deadlineMs = 60_000,
  otherwise = "deny",
  price = "100",
  priceMovePctMax = null
}: Terms = {}) =>
  Effect.gen(function* () {
    const order = yield* intend({ symbol: freshSymbol(), validMs: 120_000 })
    yield* sql(
      (client) => client`WITH moved AS (
          UPDATE orders SET status = 'held', reason = 'approval' WHERE id = ${order.id} RETURNING id)
        INSERT INTO approvals (order_id, deadline, otherwise, price, price_move_pct_max)
        SELECT id, hf_clock() + ${deadlineMs}::int * interval '1 millisecond', ${otherwise}, ${price}::numeric,
          ${priceMovePctMax}::numeric FROM moved`
    )
    return order
  })

interface Pressing {
  readonly commandId?: string
  readonly price?: string | null
  readonly quantityMax?: string
}
const press = (
  { id }: StoredOrder,
  decision: ApprovalDecision,
  { commandId = randomUUID(), price = "100", quantityMax }: Pressing = {}
) =>
  OrderCommands.use((commands) =>
    commands.answer({
      orderId: id,
      decision,
      commandId,
      price,
      by: `telegram:${commandId.slice(0, 4)}`,
      reason: null,
      judge: permitOf(quantityMax === undefined ? testSettings() : testSettings({ risk: { quantityMax } }))
    })
  )
const tagOf = (order: StoredOrder, decision: ApprovalDecision, given: Pressing = {}) =>
  Effect.map(press(order, decision, given), ({ _tag }) => _tag)

const rowOf = ({ id }: StoredOrder) =>
  sql((client) =>
    Effect.map(
      client<{ readonly decision: string | null; readonly by: string | null; readonly price: string | null }>`
        SELECT decision, decided_by AS by, trim_scale(price)::text AS price FROM approvals WHERE order_id = ${id}`,
      ([row]) => row
    )
  )
const reasonOf = ({ id }: StoredOrder) =>
  Effect.map(
    OrdersStore.use((orders) => orders.byId(id)),
    (order) => order?.reason
  )

/** The executor looks at another order in between, so it has had its chance. */
const lookedAround = Effect.gen(function* () {
  yield* untilStatus(yield* intend({ symbol: freshSymbol() }), "filled")
})

layer(world(), { excludeTestServices: true })("an entry that a human is asked about (G9)", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  test(
    "waits as held, blocks nothing, and is sent once when it is approved; a repetition finds what it did",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* asked()
      const node = yield* startNode(venue)
      yield* lookedAround
      assert.strictEqual(yield* statusOf(order), "held")
      const commandId = randomUUID()
      const first = yield* press(order, "approved", { commandId, price: "101" })
      assert.deepInclude(first, { _tag: "Approved", price: "101" })
      assert.strictEqual(yield* tagOf(order, "approved", { commandId }), "Again")
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "filled")
      assert.strictEqual(yield* tagOf(order, "approved", { commandId }), "Again")
      assert.strictEqual(yield* tagOf(order, "declined"), "Decided")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      assert.deepStrictEqual((yield* history(order.id)).slice(0, 2), [
        "order.released held>intended",
        "order.submitted intended>submitting"
      ])
      assert.deepInclude(yield* rowOf(order), { decision: "approved", price: "101" })
    })
  )

  test(
    "is never sent when it is declined, when nobody answers, or when the press comes after the deadline",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const declined = yield* asked()
      const lapsed = yield* asked({ deadlineMs: -1 })
      // Nobody has applied the default yet, and the press changes nothing all the same.
      assert.strictEqual(yield* tagOf(lapsed, "approved"), "Late")
      assert.strictEqual(yield* tagOf(declined, "declined"), "Declined")
      assert.strictEqual(yield* tagOf(declined, "approved"), "Decided")
      const node = yield* startNode(venue)
      yield* untilStatus(lapsed, "denied")
      assert.strictEqual(yield* tagOf(lapsed, "approved"), "Decided")
      assert.deepStrictEqual(
        [yield* reasonOf(declined), yield* reasonOf(lapsed)],
        ["approval_declined", "approval_lapsed"]
      )
      assert.deepInclude(yield* rowOf(lapsed), { decision: "declined", by: "deadline" })
      assert.strictEqual(venue.creates(lapsed.clientOrderId).requests, 0)
      assert.strictEqual(venue.creates(declined.clientOrderId).requests, 0)
      let kinds: ReadonlyArray<string> = []
      yield* until(
        "the alert is raised",
        Effect.map(node.alerts, (raised) => {
          kinds = [...kinds, ...raised]
          return kinds.includes("order.approval_lapsed")
        })
      )
      assert.include(yield* committedAlerts, "order.approval_lapsed:paper-1")
    })
  )

  test(
    "is sent unasked at its deadline where the strategy says so",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* asked({ deadlineMs: 300, otherwise: "allow" })
      yield* startNode(venue)
      yield* untilStatus(order, "filled")
      assert.deepInclude(yield* rowOf(order), { decision: "approved", by: "deadline" })
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
    })
  )

  test(
    "is sent once when the process dies between the press and its effect",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* asked()
      const commandId = randomUUID()
      // Nobody executes the account: the process died right after the answer was stored.
      assert.strictEqual(yield* tagOf(order, "approved", { commandId }), "Approved")
      assert.strictEqual(yield* statusOf(order), "held")
      yield* startNode(venue)
      // The next life handles the press again.
      assert.strictEqual(yield* tagOf(order, "approved", { commandId }), "Again")
      yield* untilStatus(order, "filled")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
    })
  )

  test(
    "is judged again at the press, and ends where it may not be sent any more",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* asked()
      const outcome = yield* press(order, "approved", { quantityMax: "0.5" })
      assert.deepInclude(outcome, { _tag: "Refused" })
      assert.strictEqual(yield* statusOf(order), "denied")
      assert.strictEqual(yield* reasonOf(order), "quantity")
      yield* startNode(venue)
      yield* lookedAround
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 0)
    })
  )

  test(
    "waits on as approved while trading is halted, and is sent when it is resumed",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* asked()
      const set = (state: string) =>
        sql(
          (
            client
          ) => client`INSERT INTO trading_state (scope, state, reason, changed_by) VALUES ('account:paper-1', ${state}, 'r', 't')
          ON CONFLICT (scope) DO UPDATE SET state = excluded.state`
        )
      yield* set("HALTED")
      const outcome = yield* press(order, "approved")
      assert.strictEqual(outcome._tag === "Approved" ? outcome.permit._tag : outcome._tag, "Hold")
      yield* startNode(venue)
      yield* Effect.sleep(300)
      assert.strictEqual(yield* statusOf(order), "held")
      yield* set("ACTIVE")
      yield* untilStatus(order, "filled")
    })
  )

  test(
    "takes a press about a price that has moved as a look at the new one",
    Effect.gen(function* () {
      yield* own()
      const order = yield* asked({ priceMovePctMax: "1" })
      assert.strictEqual(yield* tagOf(order, "approved", { price: null }), "PriceUnknown")
      assert.deepInclude(yield* press(order, "approved", { price: "105" }), {
        _tag: "PriceMoved",
        from: "100",
        to: "105"
      })
      assert.deepInclude(yield* rowOf(order), { decision: null, price: "105" })
      assert.strictEqual(yield* tagOf(order, "approved", { price: "105.5" }), "Approved")
    })
  )

  test(
    "has one answer, however many press at once",
    Effect.gen(function* () {
      yield* own()
      for (let round = 0; round < 5; round += 1) {
        const order = yield* asked()
        const tags = yield* Effect.all(
          Array.from({ length: 8 }, (_, n) => tagOf(order, n % 2 === 0 ? "approved" : "declined")),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          tags.filter((tag) => tag === "Approved" || tag === "Declined"),
          1
        )
        assert.lengthOf(
          tags.filter((tag) => tag === "Decided"),
          7
        )
      }
    })
  )

  test(
    "is answered by nobody after it was cancelled, and does not leave by any other way",
    Effect.gen(function* () {
      const grant = yield* own()
      const cancelled = yield* asked()
      yield* OrderCommands.use((commands) => commands.cancel(cancelled.id, "no"))
      assert.deepInclude(yield* press(cancelled, "approved"), { _tag: "Over", status: "withdrawn" })
      const plain = yield* intend({ symbol: freshSymbol() })
      assert.strictEqual(yield* tagOf(plain, "approved"), "NotAsked")
      // As a fault elsewhere would leave it: `intended`, and approved by nobody.
      const order = yield* asked()
      yield* sql((client) => client`UPDATE orders SET status = 'intended' WHERE id = ${order.id}`)
      const orders = yield* OrdersStore
      const intended = yield* orders.byId(order.id)
      const submitted = intended === null ? null : yield* orders.submit(grant, intended, permitOf())
      assert.deepInclude(submitted, { _tag: "NotPermitted" })
      assert.strictEqual(yield* statusOf(order), "intended")
    })
  )
})
