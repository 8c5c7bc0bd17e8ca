import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { OrdersStore } from "../../src/layers/orders-store.ts"
import { makeVenue, startNode, statusOf, until, untilStatus } from "./execution-desk.ts"
import { history, intend, own, sql, world } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("executor", (it) => {
  const scoped = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.scoped(effect)

  it.effect("an intended order is committed, sent once, acked and filled", () =>
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* intend()
      yield* startNode(venue)
      yield* untilStatus(order, "filled")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      const events = yield* history(order.id)
      assert.strictEqual(events[0], "order.submitted intended>submitting")
      assert.isFalse(
        events.some((line) => line.endsWith("!")),
        events.join(", ")
      )
    }).pipe(scoped)
  )
})
