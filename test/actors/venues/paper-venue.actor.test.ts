import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { paperVenueActor } from "../../../src/actors/venues/paper-venue.actor.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import {
  PaperVenueFailed,
  paperVenueLimits,
  PaperVenues
} from "../../../src/layers/venues/paper-venue.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

/** A launcher whose venues serve or die when the test says so. */
const makeLauncher = () => {
  const launches: Array<{
    readonly serving: Deferred.Deferred<void>
    readonly ended: Deferred.Deferred<never, PaperVenueFailed>
    closed: boolean
  }> = []
  let refusal: string | null = null
  const service = PaperVenues.of({
    addressOf: () => null,
    launch: (broker) =>
      Effect.gen(function* () {
        if (refusal !== null) return yield* new PaperVenueFailed({ broker, reason: refusal })
        const launch = {
          serving: yield* Deferred.make<void>(),
          ended: yield* Deferred.make<never, PaperVenueFailed>(),
          closed: false
        }
        launches.push(launch)
        yield* Effect.addFinalizer(() => Effect.sync(() => void (launch.closed = true)))
        return {
          url: `http://127.0.0.1:${launches.length}`,
          serving: Deferred.await(launch.serving),
          ended: Deferred.await(launch.ended)
        }
      })
  })
  return { launches, service, refuse: (reason: string | null) => void (refusal = reason) }
}

const unused = () => Effect.die(new Error("this component asks the database nothing"))

const world = Effect.gen(function* () {
  const launcher = makeLauncher()
  const availability = makeAvailability()
  const database = Database.of({
    run: unused,
    transact: unused,
    probe: unused(),
    availability,
    stats: () => {
      throw new Error("nobody asks")
    }
  })
  const tree = yield* startTree(
    supervisor({ id: "root", children: [worker({ id: "venue", start: paperVenueActor("practice") })] }),
    { stopDeadlineMs: 10_000 }
  ).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.succeed(Database, database),
        Layer.succeed(PaperVenues, launcher.service),
        Wake.layer
      )
    )
  )
  const child = () => {
    const found = tree.snapshot().children[0]
    if (found === undefined) throw new Error("the venue is not in the tree")
    return found
  }
  const settle = TestClock.adjust(0)
  const last = () => {
    const launch = launcher.launches.at(-1)
    if (launch === undefined) throw new Error("nothing was launched")
    return launch
  }
  yield* settle
  return { ...launcher, availability, child, last, settle, tree }
})

describe("paper venue actor", () => {
  it.effect("waits for the database for as long as it takes, and launches nothing", () =>
    Effect.gen(function* () {
      const { child, launches, availability, settle } = yield* world
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(
        [child().state, child().ready, launches.length],
        ["WaitingForDatabase", false, 0]
      )
      availability.mark("available")
      yield* settle
      assert.deepStrictEqual([child().state, launches.length, child().restarts], ["Starting", 1, 0])
    })
  )

  it.effect("is ready when the venue serves, and names its address", () =>
    Effect.gen(function* () {
      const { availability, child, last, settle } = yield* world
      availability.mark("available")
      yield* settle
      yield* Deferred.succeed(last().serving, undefined)
      yield* settle
      assert.deepStrictEqual([child().state, child().ready], ["Serving", true])
      assert.strictEqual(child().detail["url"], "http://127.0.0.1:1")
    })
  )

  it.effect("keeps the venue and its port through ten minutes without the database, with zero restarts", () =>
    Effect.gen(function* () {
      const { availability, child, last, launches, settle } = yield* world
      availability.mark("available")
      yield* settle
      yield* Deferred.succeed(last().serving, undefined)
      yield* settle
      availability.mark("unavailable")
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual([child().state, child().ready], ["DatabaseAway", false])
      availability.mark("available")
      yield* settle
      assert.deepStrictEqual([child().state, child().ready, launches.length], ["Serving", true, 1])
      assert.deepStrictEqual([child().restarts, last().closed], [0, false])
    })
  )

  it.effect("a venue that dies is closed and launched again after the backoff, at a new address", () =>
    Effect.gen(function* () {
      const { availability, child, last, launches, settle } = yield* world
      availability.mark("available")
      yield* settle
      yield* Deferred.succeed(last().serving, undefined)
      yield* settle
      yield* Deferred.fail(last().ended, new PaperVenueFailed({ broker: "practice", reason: "a bug" }))
      yield* settle
      assert.deepStrictEqual([child().state, child().lastError, last().closed], ["BackingOff", "a bug", true])
      yield* TestClock.adjust(paperVenueLimits.retryMsFirst)
      assert.deepStrictEqual([child().state, launches.length], ["Starting", 2])
      assert.strictEqual(child().detail["url"], "http://127.0.0.1:2")
    })
  )

  it.effect(
    "a launch that fails again and again is tried at growing distances, never faster than the cap",
    () =>
      Effect.gen(function* () {
        const { availability, child, refuse, settle } = yield* world
        refuse("cannot listen on port 0: EMFILE")
        availability.mark("available")
        yield* settle
        for (const waitMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
          assert.strictEqual(child().state, "BackingOff")
          const { attempt } = child().detail as { attempt: number }
          yield* TestClock.adjust(waitMs - 1)
          assert.strictEqual((child().detail as { attempt: number }).attempt, attempt)
          yield* TestClock.adjust(1)
          assert.strictEqual((child().detail as { attempt: number }).attempt, attempt + 1)
        }
        refuse(null)
        yield* TestClock.adjust(paperVenueLimits.retryMsMax)
        assert.strictEqual(child().state, "Starting")
      })
  )

  it.effect("a venue that listens and never serves is given up at the start deadline", () =>
    Effect.gen(function* () {
      const { availability, child, last, settle } = yield* world
      availability.mark("available")
      yield* settle
      yield* TestClock.adjust(paperVenueLimits.startMsMax)
      assert.deepStrictEqual([child().state, last().closed], ["BackingOff", true])
      assert.strictEqual(child().lastError, "the venue did not serve within its start deadline")
    })
  )

  it.effect("stopping the tree closes the venue", () =>
    Effect.gen(function* () {
      const { availability, last, settle, tree } = yield* world
      availability.mark("available")
      yield* settle
      yield* tree.stop
      assert.isTrue(last().closed)
    })
  )
})
