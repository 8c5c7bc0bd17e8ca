/** The component that stores refused posts: what it does while the database is away, when it fails, and at a stop. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { refusedPostsActor } from "../../../src/actors/intake/refused-posts.actor.ts"
import type { RefusedPost } from "../../../src/domain/intake/refused-post.ts"
import { refusedLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseFault, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { KeptPosts } from "../../../src/layers/intake/kept-posts.port.ts"
import { keptPostsMasked } from "../../../src/layers/intake/kept-posts.ring.ts"
import { RefusedStore, type RefusedStoreService } from "../../../src/layers/intake/refused-store.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Metrics } from "../../../src/layers/platform/metrics.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { layerEntropy } from "../../support/entropy.ts"

const nothing = Effect.die("not part of this test")
const away = new DatabaseUnavailable({
  operation: "refused.store",
  reason: "server",
  outcome: "not_applied",
  cause: "test"
})
const refused = new DatabaseFault({
  operation: "refused.store",
  cause: "test",
  sqlState: "22021",
  uniqueViolation: undefined
})

const openWorld = Effect.gen(function* () {
  const availability = makeAvailability()
  const stored: Array<string> = []
  const world: { store: RefusedStoreService["store"] } = {
    store: (posts) => Effect.sync(() => void stored.push(...posts.map(({ requestId }) => requestId)))
  }
  const services = yield* Layer.build(
    Layer.mergeAll(
      Figures.layer,
      keptPostsMasked((text) => text),
      Layer.succeed(Database, {
        run: () => nothing,
        transact: () => nothing,
        probe: nothing,
        availability,
        stats: () => assert.fail("not part of this test")
      }),
      Layer.succeed(RefusedStore, {
        store: (posts) => Effect.suspend(() => world.store(posts)),
        open: Effect.succeed(7)
      })
    ).pipe(Layer.provideMerge(Layer.mergeAll(layerEntropy, Metrics.layer, Wake.layer)))
  )
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ id: "refused-posts", start: refusedPostsActor, stopBudgetMs: 2_000 })]
    }),
    { stopDeadlineMs: 5_000 }
  ).pipe(Effect.provide(services))
  const kept = yield* Effect.provide(KeptPosts, services)
  const told: Array<string | null> = []
  const keep = (requestId: string) =>
    kept.keep(
      {
        source: "default",
        reason: "not_json",
        answered: 400,
        errors: [],
        bytes: Buffer.from("{"),
        json: undefined,
        webhookId: null,
        idempotencyKey: null,
        requestId,
        address: "::1",
        signalId: null
      },
      (id) => void told.push(id === null ? null : requestId)
    )
  const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
  return { availability, keep, kept, node, stored, told, tree, world }
})

describe("the component of refused posts", () => {
  it.effect("stores what waited for the database, in one batch, and what comes then at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, keep, node, stored, told, world } = yield* openWorld
        const batches: Array<number> = []
        const { store } = world
        world.store = (posts) =>
          Effect.andThen(
            Effect.sync(() => void batches.push(posts.length)),
            store(posts)
          )
        for (const id of ["a", "b", "c"]) keep(id)
        yield* TestClock.adjust(refusedLimits.pollMs)
        assert.deepStrictEqual([node().state, stored], ["WaitingForDatabase", []])
        assert.deepInclude(node().detail, { waiting: 3, open: null })
        availability.mark("available")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([stored, told, batches], [["a", "b", "c"], ["a", "b", "c"], [3]])
        keep("d")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([node().state, stored.at(-1)], ["Storing", "d"])
        assert.deepInclude(node().detail, { waiting: 0, waiting_bytes: 0, stored: 4, open: 7 })
      })
    )
  )

  it.effect("keeps a batch that could not be stored, says so, and tries again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, keep, node, stored, told, world } = yield* openWorld
        const { store } = world
        world.store = () => Effect.fail(away)
        availability.mark("available")
        keep("a")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([node().state, told], ["BackingOff", []])
        assert.include(node().lastError, "refused.store")
        keep("b")
        world.store = store
        yield* TestClock.adjust(refusedLimits.retryMs)
        assert.deepStrictEqual([node().state, stored], ["Storing", ["a", "b"]])
      })
    )
  )

  it.effect("loses only the post that the database refuses, and tells its sender", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, keep, kept, stored, told, world } = yield* openWorld
        const { store } = world
        world.store = (posts: ReadonlyArray<RefusedPost>) =>
          posts.some(({ requestId }) => requestId === "bad") ? Effect.fail(refused) : store(posts)
        for (const id of ["a", "bad", "b"]) keep(id)
        availability.mark("available")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(
          [stored, told],
          [
            ["a", "b"],
            ["a", null, "b"]
          ]
        )
        assert.deepInclude(kept.counts(), { waiting: 0, dropped: { rate: 0, room: 0, fault: 1 } })
      })
    )
  )

  it.effect("stores what waits at a stop, and not for longer than its time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, keep, stored, tree, world } = yield* openWorld
        const { store } = world
        world.store = () => Effect.fail(away)
        availability.mark("available")
        keep("a")
        yield* TestClock.adjust(1)
        world.store = store
        const report = yield* tree.stop
        assert.deepStrictEqual([stored, report.killed], [["a"], []])
      })
    )
  )
})
