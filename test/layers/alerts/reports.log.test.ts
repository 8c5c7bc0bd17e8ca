/** What supervision does, as lines and alerts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { alertsQueue } from "../../../src/layers/alerts/alerts.queue.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.ts"
import { observeTree } from "../../../src/layers/alerts/reports.log.ts"
import { Wake } from "../../../src/layers/process/wake.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

const services = Layer.mergeAll(alertsQueue.pipe(Layer.provideMerge(Wake.layer)), Logger.layer([]))

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
                : `end of ${entry.key}`
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
