/** The beats for a switch outside, on a virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { heartbeatActor } from "../../../src/actors/operators/heartbeat.actor.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { HealthSource } from "../../../src/layers/health/health-source.port.ts"
import { SinkFailed, Sinks } from "../../../src/layers/operators/sinks.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const { heartbeat } = settingsFrom({
  alerts: { heartbeat: { url: "http://127.0.0.1:1/", everyMs: 60_000 } }
}).alerts

const openWorld = Effect.gen(function* () {
  const open = new Map<string, Alert>()
  const world = { status: "healthy", beats: 0, isDeaf: false }
  const figures = yield* Layer.build(Figures.layer)
  const services = Layer.mergeAll(
    Layer.succeedContext(figures),
    Layer.mock(HealthSource, {
      actors: () => [],
      timers: () => [],
      handEvents: () => [],
      send: () => Effect.void,
      // The part that a beat reads.
      health: () =>
        ({ document: { status: world.status, reasons: ["for the test"] } }) as unknown as ReturnType<
          HealthSource["Service"]["health"]
        >
    }),
    Layer.mock(Sinks, {
      sender: () => assert.fail("nothing is sent"),
      beat: () =>
        Effect.suspend(() => {
          world.beats += 1
          return world.isDeaf
            ? Effect.fail(new SinkFailed({ failure: "fault", reason: "the answer was 500", retryAfterMs: 0 }))
            : Effect.void
        })
    }),
    Layer.mock(Alerts, {
      raise: (alert) => Effect.sync(() => void open.set(alert.dedupKey, alert)),
      resolve: (keys) => Effect.sync(() => void (typeof keys === "string" && open.delete(keys))),
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      putBack: () => undefined,
      counts: () => assert.fail("nobody asks")
    })
  )
  const tree = yield* startTree(
    supervisor({
      id: "root",
      children: [
        worker({
          id: "heartbeat",
          start: heartbeatActor(heartbeat ?? assert.fail("there is one")),
          stopBudgetMs: 1_000
        })
      ]
    }),
    { stopDeadlineMs: 1_000 }
  ).pipe(Effect.provide(services))
  const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
  const stateAfter = (ms: number) => Effect.map(TestClock.adjust(ms), () => node().state)
  const shown = yield* Effect.provide(Figures, Layer.succeedContext(figures))
  const counted = (name: string) =>
    shown.read(0).find((family) => family.name === name)?.samples[0]?.value ?? null
  return { counted, node, open, stateAfter, world }
})

describe("the heartbeat", () => {
  it.effect.each<[string]>([["healthy"], ["degraded"]])("[%s] beats once in each period", ([status]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { stateAfter, world } = yield* openWorld
        world.status = status
        yield* stateAfter(1)
        const before = world.beats
        assert.strictEqual(yield* stateAfter(60_000), "Resting")
        assert.strictEqual(world.beats, before + 1)
        yield* stateAfter(120_000)
        assert.strictEqual(world.beats, before + 3)
      })
    )
  )

  it.effect.each<[string]>([["unhealthy"], ["starting"], ["stopping"]])(
    "[%s] keeps silent, and beats again soon after that is over",
    ([status]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { node, open, stateAfter, world } = yield* openWorld
          yield* stateAfter(1)
          world.status = status
          assert.strictEqual(yield* stateAfter(60_000), "Withholding")
          assert.deepInclude(node().detail, { withheld: `${status}: for the test` })
          assert.isTrue(node().ready, "its silence is no trouble of its own")
          const before = world.beats
          yield* stateAfter(300_000)
          assert.deepStrictEqual([world.beats, open.size], [before, 0])
          world.status = "healthy"
          assert.strictEqual(yield* stateAfter(5_001), "Resting")
        })
      )
  )

  it.effect(
    "a switch that is not reached is counted, an alert after three, and over when it is reached",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { counted, node, open, stateAfter, world } = yield* openWorld
          world.isDeaf = true
          yield* stateAfter(60_001)
          assert.include(node().tags, "degraded")
          yield* stateAfter(10_000)
          assert.match(open.get("heartbeat.failing")?.message ?? "", /the answer was 500$/)
          assert.isAtLeast(counted("holdfast_heartbeats_failed_total") ?? 0, 3)
          world.isDeaf = false
          assert.strictEqual(yield* stateAfter(5_001), "Resting")
          assert.strictEqual(open.size, 0)
        })
      )
  )
})
