/**
 * One look at what sources should have sent: note that posts are taken, judge what was due, report what is missing.
 *
 * The verdict is read from the rows and never from memory: a process that starts in the middle of an outage continues its
 * alert, and one that was down blames no sender, because nobody noted that posts were taken meanwhile.
 *
 * Promises: a stretch of taken posts ends with the first post that is refused as unavailable, with a look that came too late,
 * and with the process; one alert per source and outage, whose end is the next signal.
 * Never: judges a moment before its grace is over and its rows are committed.
 */
import { Effect, Metric } from "effect"
import { expectedLimits } from "../../domain/kernel/limits-kept.ts"
import type { Expected } from "../../domain/kernel/settings.ts"
import {
  duesBetween,
  EXPECTED_STATUSES,
  everyMsOf,
  measuredSinceMs,
  nextDueMs
} from "../../domain/signals/expected-schedule.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { RefusedPosts } from "../../layers/intake/refused-posts.port.ts"
import {
  ExpectedStore,
  type Judged,
  type Outage,
  type Presence
} from "../../layers/operators/expected-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import type { ExpectedLook } from "../../machines/operators/expected-signals.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"

const judgedTotal = Metric.counter("holdfast_expected_signals_total", {
  description: "Due moments of sources with a schedule, by what became of them.",
  incremental: true
})

/** What is known of one source between two looks. */
export interface SourceWatch {
  /** Of the expectation that it belongs to; another one starts again from nothing. */
  readonly expected: Expected
  /** Due moments until then are judged. Null: the rows are not read yet. */
  throughMs: number | null
  outage: Outage | null
  /** Of a rate: how many came in the stretch that is measured. Null while that is too short. */
  received: number | null
  rateAtMs: number
  /** What the alert was last raised with. */
  reported: string | null
}

export interface Watch {
  readonly path: string
  presence: Presence | null
  /** Posts that this process had refused as unavailable at the last look. */
  refused: number | null
  nowMs: number
  readonly sources: Map<string, SourceWatch>
}

export const makeWatch = (path: string): Watch => ({
  path,
  presence: null,
  refused: null,
  nowMs: 0,
  sources: new Map()
})

export const isMissing = ({ expected, outage, received }: SourceWatch): boolean =>
  expected.kind === "bars" ? outage !== null : received !== null && received < expected.signals

const prefix = "signal.missing:"

/** Notes that posts are taken, if they are. Returns the database's time. */
const notePresence = (watch: Watch) =>
  Effect.gen(function* () {
    const store = yield* ExpectedStore
    const refused = (yield* RefusedPosts).unavailable().total
    const isSame = watch.refused === refused
    watch.refused = refused
    const life = (yield* Instance).current()?.life
    const isTaking = (yield* HealthSource).health().intake !== "refuse"
    if (!isTaking || life === undefined) {
      watch.presence = null
      return yield* store.now
    }
    const goesOn = watch.presence !== null && isSame ? yield* store.extend(watch.presence) : null
    if (goesOn !== null) return goesOn
    const presence = { id: (yield* Entropy).uuid(), life }
    watch.presence = null
    const nowMs = yield* store.begin(presence)
    watch.presence = presence
    return nowMs
  })

const isoOf = (ms: number): string => new Date(ms).toISOString()

const count = (many: number): string => `${many} expected ${many === 1 ? "signal" : "signals"}`

/** One line for each kind of outcome; a long absence has thousands of moments. */
const logJudged = (watch: Watch, source: string, judged: ReadonlyArray<Judged>) =>
  Effect.gen(function* () {
    for (const status of EXPECTED_STATUSES) {
      const those = judged.filter((one) => one.status === status)
      const [first, last] = [those[0], those.at(-1)]
      if (first === undefined || last === undefined) continue
      yield* Metric.update(Metric.withAttributes(judgedTotal, { source, status }), those.length)
      if (status === "received") continue
      const fields = {
        component: watch.path,
        source,
        count: those.length,
        first_due: isoOf(first.dueMs),
        last_due: isoOf(last.dueMs),
        needed: last.needed,
        received: last.received
      }
      if (status === "late") {
        yield* logEvent("info", "signal.late", `${count(those.length)} of ${source} came late`, fields)
      } else if (status === "missed") {
        yield* logEvent("warn", "signal.missing", `${count(those.length)} of ${source} did not come`, fields)
      } else {
        const why = "this installation took no posts for a part of that time"
        yield* logEvent(
          "info",
          "signal.unobserved",
          `${count(those.length)} of ${source} unknown: ${why}`,
          fields
        )
      }
    }
  })

const judgeBars = (watch: Watch, source: string, state: SourceWatch) =>
  Effect.gen(function* () {
    const store = yield* ExpectedStore
    const { expected } = state
    const { nowMs } = watch
    const isFirst = state.throughMs === null
    const fromMs = state.throughMs ?? (yield* store.lastDue(source)) ?? nowMs
    const afterMs = Math.max(fromMs, nowMs - expectedLimits.behindMsMax)
    const throughMs = nowMs - expected.graceMs - expectedLimits.settleMs
    const dues = duesBetween(expected, afterMs, throughMs, expectedLimits.duesMax)
    const judged = yield* store.judge(source, expected.signals, dues)
    const within = isFirst ? expectedLimits.recountFirstMs : expectedLimits.recountMs
    const late = yield* store.recount(source, within)
    if (isFirst || judged.length > 0 || late.length > 0) state.outage = yield* store.outage(source)
    state.throughMs = dues.at(-1)?.dueMs ?? afterMs
    yield* logJudged(watch, source, [...judged, ...late])
  })

/** Measured some sixty times in its interval: a long one counts over many rows, and nobody waits for its second. */
const measureRate = (watch: Watch, source: string, state: SourceWatch) =>
  Effect.gen(function* () {
    const { expected } = state
    const { nowMs } = watch
    if (nowMs < state.rateAtMs) return
    const store = yield* ExpectedStore
    const sinceMs = measuredSinceMs(expected, yield* store.observed, nowMs)
    state.received = sinceMs === null ? null : yield* store.receivedSince(source, sinceMs, expected.signals)
    const share = everyMsOf(expected) / expectedLimits.rateShare
    state.rateAtMs = nowMs + Math.min(expectedLimits.rateEveryMsMax, share)
  })

const messageOf = (source: string, { expected, outage, received }: SourceWatch): string => {
  if (outage === null)
    return `source ${source}: ${received} of at least ${expected.signals} signals in the last ${expected.every} in which it should send`
  const { firstMs, lastMs, missed } = outage
  const when = missed === 1 ? `due ${isoOf(firstMs)}` : `due ${isoOf(firstMs)} to ${isoOf(lastMs)}`
  return `source ${source}: ${count(missed)} did not come, ${when}`
}

/** Raised when an outage begins, and again when it has grown. */
const report = (watch: Watch, source: string, state: SourceWatch) =>
  Effect.gen(function* () {
    if (!isMissing(state)) {
      state.reported = null
      return
    }
    const message = messageOf(source, state)
    if (message === state.reported) return
    const { expected, outage, received } = state
    const sinceMs = outage?.firstMs ?? watch.nowMs - everyMsOf(expected) - expected.graceMs
    // A sender that is refused is not silent, and the remedy is another one.
    const refused = yield* (yield* ExpectedStore).refusedSince(source, sinceMs)
    const alerts = yield* Alerts
    yield* alerts.raise({
      severity: "HIGH",
      kind: "signal.missing",
      dedupKey: `${prefix}${source}`,
      component: watch.path,
      message: refused === 0 ? message : `${message}; ${refused} of its posts were refused meanwhile`,
      detail: {
        source,
        kind: expected.kind,
        every: expected.every,
        needed: expected.signals,
        refused,
        ...(outage === null
          ? { received }
          : { missed: outage.missed, first_due: isoOf(outage.firstMs), last_due: isoOf(outage.lastMs) })
      },
      standing: true
    })
    state.reported = message
  })

const stateOf = (watch: Watch, source: string, expected: Expected): SourceWatch => {
  const before = watch.sources.get(source)
  if (before !== undefined && JSON.stringify(before.expected) === JSON.stringify(expected)) return before
  const state = { expected, throughMs: null, outage: null, received: null, rateAtMs: 0, reported: null }
  watch.sources.set(source, state)
  return state
}

export const look = (watch: Watch) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const { sources } = yield* Config
    const expectations = Object.entries(sources).flatMap(([source, { expected }]) =>
      expected === null ? [] : [{ source, expected }]
    )
    const names = new Set(expectations.map(({ source }) => source))
    for (const source of watch.sources.keys()) if (!names.has(source)) watch.sources.delete(source)
    if (expectations.length === 0) watch.presence = null
    else watch.nowMs = yield* notePresence(watch)
    const missing: Array<string> = []
    for (const { expected, source } of expectations) {
      const state = stateOf(watch, source, expected)
      yield* expected.kind === "bars" ? judgeBars(watch, source, state) : measureRate(watch, source, state)
      yield* report(watch, source, state)
      if (isMissing(state)) missing.push(source)
    }
    const keys = missing.map((source) => `${prefix}${source}`)
    yield* alerts.resolveAllBut(prefix, keys, "its signals come again, or none is expected any more")
    return { watched: expectations.length, missing } satisfies ExpectedLook
  })

/** What health shows of each source. */
export const describe = (watch: Watch): Record<string, unknown> =>
  Object.fromEntries(
    [...watch.sources].map(([source, state]) => {
      const { expected, outage, received } = state
      const next = watch.nowMs === 0 || expected.kind !== "bars" ? null : nextDueMs(expected, watch.nowMs)
      return [
        source,
        {
          kind: expected.kind,
          every: expected.every,
          missing: isMissing(state),
          ...(expected.kind === "bars"
            ? { missed: outage?.missed ?? 0, next_due: next === null ? null : isoOf(next) }
            : { received, needed: expected.signals })
        }
      ]
    })
  )
