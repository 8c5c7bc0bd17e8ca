/** What supervision does, as lines and alerts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { alertLimits, reportLimits } from "../../../src/domain/kernel/limits.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { observeTree } from "../../../src/layers/alerts/reports.log.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { type ChildSelf, supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

const queue = alertsQueue.pipe(Layer.provideMerge(Wake.layer))
const services = Layer.mergeAll(queue, Logger.layer([]))

describe("[T11] a component", () => {
  it.effect(
    "with half of its restarts used is an alert, a parked one a standing alert, being ready its end",
    () =>
      Effect.gen(function* () {
        const alerts = yield* Alerts
        let broken = false
        let crash = (): void => {}
        const start = () =>
          Effect.gen(function* () {
            if (broken) return yield* Effect.fail(new Error("broken for the test"))
            return {
              run: Effect.callback<never, Error>((resume) => {
                crash = () => resume(Effect.fail(new Error("crashed for the test")))
              })
            }
          })
        const observers = yield* observeTree
        yield* startTree(
          supervisor({
            id: "root",
            children: [
              worker({
                id: "frail",
                start,
                backoff: { firstMs: 100, factor: 1, maxMs: 100, jitter: "none", resetAfterMs: 30_000 },
                budget: { max: 4, withinMs: 60_000 },
                whenExhausted: { action: "park", retryEveryMs: 10_000 }
              })
            ]
          }),
          {
            stopDeadlineMs: 1_000,
            observers: [observers.reports],
            deadLetterObservers: [observers.deadLetters]
          }
        )
        yield* TestClock.adjust(1)
        alerts.takePending()
        const told = () =>
          alerts
            .takePending()
            .map((entry) =>
              entry._tag === "Outbreak"
                ? `${entry.kind} ${entry.severity} x${entry.occurrences}`
                : `end of ${entry.ended.keys.join()}`
            )
        crash()
        yield* TestClock.adjust(200)
        assert.deepStrictEqual(told(), [], "one restart is a line")
        broken = true
        crash()
        yield* TestClock.adjust(50)
        assert.deepStrictEqual(told(), ["component.restarts HIGH x1"])
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(told(), ["component.restarts HIGH x2", "component.parked HIGH x1"])
        broken = false
        yield* TestClock.adjust(10_000)
        assert.deepStrictEqual(told(), ["end of component.parked:root/frail"])
      }).pipe(Effect.provide(services))
  )
})

it.effect(
  "of a thousand that become ready, and not ready, at once the first are lines, the others one line and one closing",
  () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      yield* Effect.gen(function* () {
        const alerts = yield* Alerts
        const ids = Array.from({ length: 1_000 }, (_, n) => `w${n}`)
        const lives: Array<ChildSelf> = []
        const start = (self: ChildSelf) =>
          Effect.sync(() => {
            lives.push(self)
            return {}
          })
        const observers = yield* observeTree
        yield* startTree(supervisor({ id: "root", children: ids.map((id) => worker({ id, start })) }), {
          stopDeadlineMs: 1_000,
          observers: [observers.reports],
          deadLetterObservers: [observers.deadLetters]
        })
        yield* TestClock.adjust(1)
        const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        const all = (ready: boolean) =>
          Effect.gen(function* () {
            lines.length = 0
            for (const life of lives) life.setStatus({ ready })
            // The supervisor takes many turns for a thousand, and the sum comes after the first without one.
            yield* Effect.repeat(Effect.andThen(TestClock.adjust(1), turn), { times: 100 })
            return lines.slice()
          })
        const { burstLinesMax } = reportLimits
        const lost = yield* all(false)
        assert.lengthOf(lost, burstLinesMax + 1)
        assert.strictEqual(
          lost.at(-1),
          `${1_000 - burstLinesMax} more components of root are no longer ready`
        )
        const ready = yield* all(true)
        assert.lengthOf(ready, burstLinesMax + 1)
        assert.strictEqual(ready.at(-1), `${1_000 - burstLinesMax} more components of root are ready`)
        alerts.takePending()
        yield* TestClock.adjust(alertLimits.resolveAgainMs)
        yield* all(false)
        yield* all(true)
        const closings = alerts
          .takePending()
          .map((entry) => (entry._tag === "Closing" ? entry.ended.keys : []))
        assert.lengthOf(closings, burstLinesMax + 1)
        assert.sameMembers(
          closings.flat(),
          ids.map((id) => `component.parked:root/${id}`)
        )
      }).pipe(Effect.provide(Logger.layer([logger])))
    }).pipe(Effect.provide(queue))
)
