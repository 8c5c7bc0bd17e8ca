/**
 * Canary actor: the canary machine with the effects of a flight.
 *
 * Promises: health shows what became of the last canary from the moment that is known; while trading is restricted it says so
 * within a second of the view of this process.
 * Never: touches the signals of anybody else.
 */
import { Clock, Effect } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { canaryLimits } from "../../domain/kernel/limits-kept.ts"
import { CanaryFigures } from "../../layers/health/canary.port.ts"
import { TradingState } from "../../layers/control/trading-state.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { canaryMachine } from "../../machines/operators/canary.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { type CanaryWatch, fly, isSwitchedOff, noteAway, noteHalted } from "./canary-flight.ts"

const families = (watch: CanaryWatch) => (nowMs: number) => [
  {
    name: "holdfast_canary_age_seconds",
    help: "Time since a canary last came through the whole path, or could first be expected.",
    type: "gauge" as const,
    samples: [
      {
        labels: {},
        value: Math.max(0, nowMs - Math.max(watch.lastOkMs ?? 0, watch.watchedSinceMs)) / 1_000
      }
    ]
  },
  {
    name: "holdfast_canary_latency_seconds",
    help: "Time from the commit of the last canary that came through to that of its fill.",
    type: "gauge" as const,
    samples: watch.latencyMs === null ? [] : [{ labels: {}, value: watch.latencyMs / 1_000 }]
  }
]

/** Waits until trading is ACTIVE again, and no flag switches the canary off; what is not known is not ACTIVE. */
const watchTrading = (watch: CanaryWatch) =>
  streamActor("canary.trading", ({ send }) =>
    Effect.gen(function* () {
      const trading = yield* TradingState
      while (trading.current() !== "ACTIVE" || (yield* isSwitchedOff)) {
        yield* noteHalted(watch)
        yield* Effect.sleep(canaryLimits.haltedLookMs)
      }
      yield* noteHalted(watch)
      send({ type: "trading.active" })
    })
  )

/** The component `root/monitors/canary`. */
export const canaryActor = (everyMs: number) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const figures = yield* Figures
    const shown = yield* CanaryFigures
    const watch: CanaryWatch = {
      path: self.path,
      everyMs,
      // What breaks is named within two periods: at most one until the next canary, and less than another one for its flight.
      flightMs: Math.min(everyMs / 2, canaryLimits.flightMsMax),
      lastOkMs: null,
      latencyMs: null,
      watchedSinceMs: yield* Clock.currentTimeMillis
    }
    const run = Effect.runSyncWith(yield* Effect.context<CanaryFigures>())
    yield* Effect.acquireRelease(
      Effect.sync(() => figures.show(self.path, families(watch))),
      (withdraw) => Effect.sync(withdraw)
    )
    // What the last incarnation knew stays shown, and ages, until this one knows better.
    const before = shown.current()
    if (before !== null) {
      watch.lastOkMs = before.lastOkMs
      watch.latencyMs = before.latencyMs
      watch.watchedSinceMs = before.watchedSinceMs
    }
    return yield* machineChild({
      machine: canaryMachine,
      input: {
        firstMs: Math.min(everyMs, canaryLimits.firstMsMax),
        everyMs,
        flightMsMax: watch.flightMs + canaryLimits.enterMsMax + canaryLimits.graceMs,
        retryMs: Math.min(everyMs, canaryLimits.retryMsMax)
      },
      actors: {
        watchDatabase: watchDatabase(),
        watchTrading: watchTrading(watch),
        fly: effectActor("canary.fly", () => fly(watch))
      },
      actions: { noteAway: () => run(noteAway(watch)) },
      status: ({ context }) => ({
        detail: {
          source: CANARY,
          every_ms: everyMs,
          came: context.came,
          missing: context.missing,
          stage: context.stage,
          latency_ms: context.latencyMs
        }
      })
    })(self)
  })
