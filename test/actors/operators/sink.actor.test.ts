/** One sink on a virtual clock: each way in which an attempt ends has a name, a pause and an end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { sinkActor } from "../../../src/actors/operators/sink.actor.ts"
import type { SinkFailure } from "../../../src/domain/alerts/outbox-delivery.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import {
  type Delivery,
  type FailedAttempt,
  Outbox,
  type SinkFigures,
  type Taken
} from "../../../src/layers/alerts/outbox.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { SinkFailed, Sinks } from "../../../src/layers/operators/sinks.port.ts"
import { outboxBell } from "../../../src/layers/platform/bells.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Entropy } from "../../../src/layers/platform/entropy.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { seededEntropy } from "../../support/entropy.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom({ alerts: { sinks: { desk: { kind: "file", path: "/tmp/x" } } } })
const plain: SinkFigures = {
  queued: 0,
  oldestMs: null,
  sent: 0,
  dead: 0,
  lastSentMs: null,
  lastError: null,
  nowMs: 0
}
const delivery = (refusals = 0): Taken => ({
  _tag: "Delivery",
  delivery: {
    id: "d",
    isEscalated: false,
    seqs: [1n],
    refusals,
    alerts: [
      { alertId: "a", severity: "HIGH", kind: "a.b", message: "m", component: null, account: null, atMs: 0 }
    ]
  }
})

/** `first`: what the first look at the rows finds. */
const openWorldOn = (first: SinkFigures) =>
  Effect.gen(function* () {
    const open = new Map<string, Alert>()
    const availability = makeAvailability()
    const wakes = yield* Layer.build(Wake.layer)
    const world = {
      /** What the rows answer, and afterwards that nothing waits. */
      taken: [] as Array<Taken | "away">,
      failure: null as SinkFailed | null,
      figures: first,
      sent: [] as Array<string>,
      failed: [] as Array<FailedAttempt>,
      attempts: 0,
      /** The receiver does not answer. */
      hangs: false
    }
    const away = new DatabaseUnavailable({
      operation: "outbox.take",
      reason: "connection",
      outcome: "not_applied",
      cause: "away"
    })
    const services = Layer.mergeAll(
      Figures.layer,
      Layer.succeedContext(wakes),
      Layer.succeed(Entropy, { ...seededEntropy(1), next: () => 0.999_999 }),
      Layer.succeed(Config, settings),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      Layer.mock(Outbox, {
        take: () =>
          Effect.suspend(() => {
            const next = world.taken.shift() ?? ({ _tag: "Nothing" } as const)
            return next === "away" ? Effect.fail(away) : Effect.succeed(next)
          }),
        sent: (_sender: unknown, { id }: Delivery) => Effect.sync(() => void world.sent.push(id)),
        failed: (_sender: unknown, _delivery: Delivery, attempt: FailedAttempt) =>
          Effect.sync(() => void world.failed.push(attempt)),
        figures: () => Effect.sync(() => world.figures)
      }),
      Layer.mock(Sinks, {
        sender: () => () =>
          Effect.suspend(() => {
            world.attempts += 1
            if (world.hangs) return Effect.never
            return world.failure === null ? Effect.void : Effect.fail(world.failure)
          })
      }),
      Layer.mock(Alerts, {
        raise: (alert) => Effect.sync(() => void open.set(alert.dedupKey, alert)),
        resolve: (keys) =>
          Effect.sync(() => {
            for (const key of typeof keys === "string" ? [keys] : keys) open.delete(key)
          }),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
    const sink = settings.alerts.sinks["desk"] ?? assert.fail("there is one")
    const tree = yield* startTree(
      supervisor({
        id: "root",
        children: [worker({ id: "sink:desk", start: sinkActor("desk", sink), stopBudgetMs: 1_000 })]
      }),
      { stopDeadlineMs: 1_000 }
    ).pipe(Effect.provide(services))
    const wake = yield* Effect.provide(Wake, Layer.succeedContext(wakes))
    const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
    const stateAfter = (ms: number) => Effect.map(TestClock.adjust(ms), () => node().state)
    const ring = () => wake.notify(outboxBell("desk"))
    const fail = (failure: SinkFailure, retryAfterMs = 0) => {
      world.failure = new SinkFailed({ failure, reason: `it is ${failure}`, retryAfterMs })
    }
    return { availability, fail, node, open, ring, stateAfter, world }
  })

const openWorld = openWorldOn(plain)

describe("a sink", () => {
  it.effect("waits for the database, sends what waits at once, and rests", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, ring, stateAfter, world } = yield* openWorld
        assert.strictEqual(node().state, "WaitingForDatabase")
        world.taken = [delivery(), delivery()]
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "Idle")
        assert.lengthOf(world.sent, 2)
        world.taken = [delivery()]
        ring()
        yield* stateAfter(1)
        assert.lengthOf(world.sent, 3, "a bell is enough")
        world.taken = [delivery()]
        yield* stateAfter(2_001)
        assert.lengthOf(world.sent, 4, "rows of another process ring no bell")
        availability.mark("unavailable")
        assert.strictEqual(yield* stateAfter(1), "WaitingForDatabase")
      })
    )
  )

  it.effect.each<[SinkFailure]>([["unreachable"], ["unusable"], ["fault"], ["refused"]])(
    "[%s] backs off, later each time, is an alert after three, and over with a success",
    ([failure]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { availability, fail, node, open, stateAfter, world } = yield* openWorld
          fail(failure)
          world.taken = [delivery(), delivery(), delivery(), delivery()]
          availability.mark("available")
          assert.strictEqual(yield* stateAfter(1), "BackingOff")
          assert.include(node().tags, "degraded")
          assert.strictEqual(node().lastError, `it is ${failure}`)
          yield* stateAfter(1_001)
          assert.isFalse(open.has("sink.failing:desk"))
          yield* stateAfter(2_001)
          assert.deepStrictEqual(
            world.failed.map(({ retryMs }) => retryMs),
            [1_000, 2_000, 4_000]
          )
          const alert = open.get("sink.failing:desk")
          assert.deepStrictEqual([alert?.severity, alert?.component], ["HIGH", "root/sink:desk"])
          world.failure = null
          assert.strictEqual(yield* stateAfter(4_001), "Idle")
          assert.deepStrictEqual([open.size, world.sent.length], [0, 1])
        })
      )
  )

  it.effect("[refused] the fifth refusal gives the message up; a fault takes forty", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, fail, stateAfter, world } = yield* openWorld
        fail("refused")
        world.taken = [delivery(3), delivery(4)]
        availability.mark("available")
        yield* stateAfter(1_100)
        fail("fault")
        world.taken = [delivery(38), delivery(39)]
        yield* stateAfter(10_000)
        assert.deepStrictEqual(
          world.failed.map(({ isOver }) => isOver),
          [false, true, false, true]
        )
      })
    )
  )

  it.effect("[rate] waits as long as the receiver says, and raises nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, fail, open, stateAfter, world } = yield* openWorld
        fail("rate", 30_000)
        world.taken = [delivery(), delivery()]
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "RateLimited")
        world.failure = null
        yield* stateAfter(29_990)
        assert.strictEqual(world.attempts, 1)
        assert.strictEqual(yield* stateAfter(20), "Idle")
        assert.deepStrictEqual([world.sent.length, open.size], [1, 0])
      })
    )
  )

  it.effect("[rows] its own rate and another process are states with a time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, stateAfter, world } = yield* openWorld
        world.taken = [{ _tag: "NotYet", waitMs: 7_000 }, { _tag: "Held" }, delivery()]
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "RateLimited")
        assert.strictEqual(yield* stateAfter(7_001), "StandingBy")
        assert.strictEqual(yield* stateAfter(5_001), "Idle")
        assert.lengthOf(world.sent, 1)
      })
    )
  )

  it.effect("[rows] what cannot be taken is tried again, and an attempt that never ends is left", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, stateAfter, world } = yield* openWorld
        world.taken = ["away", delivery(), delivery()]
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "BackingOff")
        world.hangs = true
        assert.strictEqual(yield* stateAfter(1_001), "Sending")
        assert.strictEqual(yield* stateAfter(20_001), "BackingOff")
        world.hangs = false
        assert.strictEqual(yield* stateAfter(1_001), "Idle")
        assert.lengthOf(world.sent, 1)
      })
    )
  )

  it.effect("what was given up while it lives is one alert on the others", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, open, stateAfter, world } = yield* openWorldOn({ ...plain, dead: 7 })
        availability.mark("available")
        yield* stateAfter(5_001)
        assert.strictEqual(open.size, 0, "of before this life")
        world.figures = { ...plain, dead: 9, lastError: "the answer was 400" }
        yield* stateAfter(5_001)
        const alert = open.get("sink.dead_letter:desk")
        assert.match(alert?.message ?? "", /^2 alerts could not be delivered.*the answer was 400$/)
        assert.strictEqual(alert?.component, "root/sink:desk")
        assert.deepInclude(node().detail, { kind: "file", dead: 9 })
      })
    )
  )
})
