import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { IntakeQueue, type IntakeQueueService } from "../../../src/layers/intake/intake-queue.port.ts"
import { canaryPathPg } from "../../../src/layers/operators/canary.pg.ts"
import { CanaryPath } from "../../../src/layers/operators/canary.port.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { intend, sql, world } from "../../integration/execution-world.ts"

/** Nothing is entered here. */
const path = canaryPathPg.pipe(Layer.provide(Layer.succeed(IntakeQueue, {} as IntakeQueueService)))

layer(path.pipe(Layer.provideMerge(world())), { excludeTestServices: true })("the rows of a canary", (it) => {
  const fly = Effect.gen(function* () {
    yield* sql(
      (client) =>
        client`INSERT INTO accounts (id, venue, starting_cash) VALUES ('canary', 'canary', 1) ON CONFLICT DO NOTHING`
    )
    return yield* intend({ account: "canary", strategy: "canary" })
  })

  it.effect("[T9] stay while its order works: its fill has to find it, or it is somebody else's trade", () =>
    Effect.gen(function* () {
      const canary = yield* CanaryPath
      const orders = yield* OrdersStore
      const flown = yield* fly
      const id = flown.signalId ?? assert.fail("it has a signal")
      const isThere = Effect.map(orders.byId(flown.id), (found) => found !== null)
      const status = (name: string) =>
        sql((client) =>
          Effect.all([
            client`UPDATE signals SET source = 'canary' WHERE id = ${id}::uuid`,
            client`UPDATE orders SET status = ${name} WHERE id = ${flown.id}`
          ])
        )
      for (const works of ["submitting", "acked", "unknown"]) {
        yield* status(works)
        yield* canary.remove([id], 3_600_000)
        assert.isTrue(yield* isThere, works)
      }
      yield* status("held")
      yield* canary.remove([id], 3_600_000)
      assert.isFalse(yield* isThere)
    })
  )

  it.effect("go after a while, whatever became of them", () =>
    Effect.gen(function* () {
      const canary = yield* CanaryPath
      const orders = yield* OrdersStore
      const flown = yield* fly
      yield* sql((client) =>
        Effect.all([
          client`UPDATE orders SET status = 'acked' WHERE id = ${flown.id}`,
          client`UPDATE signals SET source = 'canary', received_at = hf_now() - interval '1 hour' WHERE id = ${flown.signalId}`
        ])
      )
      yield* canary.remove([], 60_000)
      assert.isNull(yield* orders.byId(flown.id))
    })
  )
})
