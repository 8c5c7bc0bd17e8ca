/**
 * One canary: entered, followed until its fill or its time is over, reported, removed (T9).
 *
 * It is followed by its rows and not by what components say of themselves, so a process whose accounts are executed elsewhere
 * follows it as well. Looking often would cost more than the canary: the bell of its fill rings here when this process stores it,
 * and the pauses between looks double.
 *
 * Promises: what came through is removed at once; what did not stays for a few periods, for whoever looks for it, and is
 * removed then, whatever became of it; the alert lasts from the first that is missing to the next that comes.
 * Never: enters one while trading is restricted or a flag switches it off, or waits longer than `flightMs`.
 */
import { Clock, Effect } from "effect"
import { progressOf, stageWords } from "../../domain/health/canary.ts"
import type { CanaryFacts } from "../../domain/health/health.ts"
import type { CanaryStage } from "../../domain/kernel/canary.ts"
import { isOn } from "../../domain/kernel/flags.ts"
import { canaryLimits } from "../../domain/kernel/limits-kept.ts"
import { healthLimits } from "../../domain/kernel/limits.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { TradingState } from "../../layers/control/trading-state.port.ts"
import { CanaryFigures } from "../../layers/health/canary.port.ts"
import { CanaryPath } from "../../layers/operators/canary.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import type { CanaryOutcome } from "../../machines/operators/canary.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** What one incarnation of the component knows. */
export interface CanaryWatch {
  readonly path: string
  readonly everyMs: number
  readonly flightMs: number
  lastOkMs: number | null
  latencyMs: number | null
  /** Since when a canary could be expected: the start, or the last moment at which trading was restricted. */
  watchedSinceMs: number
}

const dedupKey = "canary.late"

const publish = (watch: CanaryWatch, state: CanaryFacts["state"], stage: CanaryStage | null) =>
  CanaryFigures.useSync((figures) =>
    figures.assign({
      state,
      stage,
      lastOkMs: watch.lastOkMs,
      latencyMs: watch.latencyMs,
      periodMs: watch.everyMs,
      watchedSinceMs: watch.watchedSinceMs
    })
  )

/** Whether a flag switches the canary off. */
export const isSwitchedOff = Effect.map(Config, ({ flags }) => !isOn(flags, "canary"))

/** Trading is restricted now, or the canary is switched off, so that none is missing until that is over. */
export const noteHalted = (watch: CanaryWatch) =>
  Effect.gen(function* () {
    watch.watchedSinceMs = yield* Clock.currentTimeMillis
    yield* publish(watch, "halted", null)
  })

/** The database is away: none can be stored. Nothing is claimed before the first one has ended. */
export const noteAway = (watch: CanaryWatch) =>
  Effect.gen(function* () {
    const known = (yield* CanaryFigures).current()?.state ?? null
    yield* publish(watch, known === null ? null : "late", known === null ? null : "stored")
  })

const came = (watch: CanaryWatch, id: string, latencyMs: number) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    watch.lastOkMs = yield* Clock.currentTimeMillis
    watch.latencyMs = Math.round(latencyMs)
    yield* publish(watch, "ok", null)
    yield* logEvent("info", "canary.ok", `a canary came through in ${watch.latencyMs} ms`, {
      component: watch.path,
      correlation_id: id,
      latency_ms: watch.latencyMs
    })
    yield* alerts.resolve(dedupKey, "a canary came through")
    return { _tag: "Came", latencyMs: watch.latencyMs } satisfies CanaryOutcome
  })

const missing = (
  watch: CanaryWatch,
  tag: "Late" | "Failed",
  stage: CanaryStage,
  reason: string | null,
  id: string | null
) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const ageMs = (yield* Clock.currentTimeMillis) - Math.max(watch.lastOkMs ?? 0, watch.watchedSinceMs)
    const isOld = ageMs > healthLimits.canaryPeriodsMax * watch.everyMs
    yield* publish(watch, tag === "Late" ? "late" : "failed", stage)
    yield* alerts.raise({
      severity: isOld ? "HIGH" : "MEDIUM",
      kind: "canary.late",
      dedupKey,
      message: `a canary did not come through: ${stageWords(stage)}${reason === null ? "" : ` (${reason})`}`,
      component: watch.path,
      ...(id === null ? {} : { correlationId: id }),
      detail: { stage, reason, state: tag === "Late" ? "late" : "failed", age_ms: ageMs },
      standing: true
    })
    return { _tag: tag, stage, reason } satisfies CanaryOutcome
  })

/** Reasons of orders and signals that wait because an operator or a rule restricted trading. */
const isRestriction = (reason: string | null): boolean => reason?.startsWith("trading_") === true

/** Looks at its rows until it has come, cannot come any more, or its time is over. */
const follow = (watch: CanaryWatch, id: string) =>
  Effect.gen(function* () {
    const path = yield* CanaryPath
    const trading = yield* TradingState
    const wake = yield* Wake
    const untilMs = (yield* Clock.currentTimeMillis) + watch.flightMs
    let pauseMs: number = canaryLimits.lookFirstMs
    for (;;) {
      yield* wake.wait("canary", pauseMs)
      const trace = yield* path.trace(id)
      const progress = progressOf(trace)
      if (progress._tag === "Came") return yield* came(watch, id, progress.latencyMs)
      if (trading.current() !== "ACTIVE" || isRestriction(trace?.order?.reason ?? trace?.reason ?? null)) {
        yield* noteHalted(watch)
        return { _tag: "Halted" } satisfies CanaryOutcome
      }
      const { stage } = progress
      if (progress._tag === "Failed") return yield* missing(watch, "Failed", stage, progress.reason, id)
      const leftMs = untilMs - (yield* Clock.currentTimeMillis)
      if (leftMs <= 0) return yield* missing(watch, "Late", stage, null, id)
      pauseMs = Math.min(pauseMs * 2, leftMs)
    }
  })

/** One canary, or none while trading is restricted or it is switched off. Fails only when its rows cannot be read. */
export const fly = (watch: CanaryWatch) =>
  Effect.gen(function* () {
    const path = yield* CanaryPath
    const trading = yield* TradingState
    const entropy = yield* Entropy
    if (yield* isSwitchedOff) {
      yield* noteHalted(watch)
      yield* Alerts.use((alerts) => alerts.resolve(dedupKey, "the canary is switched off"))
      return { _tag: "Halted" } satisfies CanaryOutcome
    }
    const state = trading.current()
    if (state !== null && state !== "ACTIVE") {
      yield* noteHalted(watch)
      return { _tag: "Halted" } satisfies CanaryOutcome
    }
    const entered = yield* path
      .enter(`canary-${entropy.uuid()}`)
      .pipe(Effect.timeoutOption(canaryLimits.enterMsMax))
    if (entered._tag === "None")
      return yield* missing(watch, "Late", "stored", "the intake does not answer", null)
    const { id, refused } = entered.value
    if (refused !== null) return yield* missing(watch, "Failed", "stored", refused, null)
    const outcome = yield* follow(watch, id)
    const keptMs = Math.max(canaryLimits.keptPeriods * watch.everyMs, canaryLimits.keptMsMin)
    yield* path.remove(outcome._tag === "Came" || outcome._tag === "Halted" ? [id] : [], keptMs)
    return outcome
  })
