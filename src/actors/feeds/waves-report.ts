/**
 * What the scheduler reports about waves: log lines, alerts and durations, and the restart of an unresponsive feed.
 *
 * Promises: every moment is shown in UTC and in the local zone by its name (B3); missed waves are one alert per outage
 * with their number, reasons and the time without trading, closed by the next wave that is processed; a restart that is
 * not possible becomes a new connection.
 * Never: changes the ledger.
 */
import { Effect, Metric } from "effect"
import { waveLimits } from "../../domain/kernel/limits-feeds.ts"
import type { WaveSettings } from "../../domain/kernel/settings.ts"
import { dueAtMs, showMoment } from "../../domain/kernel/wave-clock.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Feeds } from "../../layers/feeds/feeds.port.ts"
import type { Accounted, ClosedWave, Take, WaveTally } from "../../layers/feeds/waves-store.port.ts"
import type { WaveCheck } from "../../machines/feeds/waves.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { RunningTree } from "../platform/running-tree.ts"

const waveSeconds = Metric.histogram("holdfast_wave_seconds", {
  description: "Time from taking a wave to its end.",
  // Signals that are there when a wave is due are handed over within a second; without any the search takes its deadline.
  boundaries: [0.1, 0.5, 1, 2, 5, 15, 30, 60, 120, 300]
})

/** The component that logs, and the time zone its operators read. */
export interface WavesSpeaker {
  readonly path: string
  readonly feed: string
  readonly waves: WaveSettings
  readonly zone: string
}

const fieldsOf = (speaker: WavesSpeaker, waveMs: number) => {
  const wave = showMoment(waveMs, speaker.zone)
  const due = showMoment(dueAtMs(speaker.waves.schedule, waveMs), speaker.zone)
  return {
    component: speaker.path,
    feed: speaker.feed,
    wave: wave.utc,
    wave_local: wave.local,
    due_at: due.utc,
    due_local: due.local
  }
}

/** `22:45Z`, for messages, with its seconds where a wave has any; the day is in the fields. */
const clockOf = (ms: number): string =>
  `${new Date(ms).toISOString().slice(11, ms % 60_000 === 0 ? 16 : 19)}Z`

/** Share of the signals that were to be traded and were; skips are not failures (B5). Null without any. */
const rateOf = ({ failed, successful }: WaveTally): number | null =>
  failed + successful === 0 ? null : successful / (failed + successful)

/** The waves missed since one was last processed: an outage is one alert, however many accountings report it. */
export interface Missing {
  waves: number
  lostMs: number
  signals: number
  firstMs: number
  readonly reasons: Set<string>
}
export const nothingMissing = (): Missing => ({
  waves: 0,
  lostMs: 0,
  signals: 0,
  firstMs: 0,
  reasons: new Set()
})

const missedKey = ({ feed }: WavesSpeaker): string => `wave.missed:${feed}`

/** Adds to the outage what an accounting found. */
const addMissed = (missing: Missing, missed: ReadonlyArray<ClosedWave>): void => {
  if (missing.waves === 0) missing.firstMs = missed[0]?.waveMs ?? 0
  missing.waves += missed.length
  for (const { lostMs, reason, skipped } of missed) {
    missing.lostMs += lostMs
    missing.signals += skipped
    missing.reasons.add(reason)
  }
}

const reportMissed = (speaker: WavesSpeaker, missing: Missing, missed: ReadonlyArray<ClosedWave>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const last = missed.at(-1)
    if (last === undefined) return
    addMissed(missing, missed)
    const { firstMs, lostMs, signals, waves } = missing
    const reasons = [...missing.reasons]
    const range = waves === 1 ? clockOf(firstMs) : `${clockOf(firstMs)} to ${clockOf(last.waveMs)}`
    const message = `${waves} ${waves === 1 ? "wave" : "waves"} missed (${range}, ${reasons.join(", ")}): ${Math.round(lostMs / 1_000)} s without trading`
    const detail = {
      feed: speaker.feed,
      waves,
      reasons,
      lost_ms: lostMs,
      signals,
      // The newest, because an outage of weeks has more waves than anybody reads.
      latest: missed.slice(-waveLimits.alertWavesMax).map(({ reason, waveMs }) => ({
        wave: new Date(waveMs).toISOString(),
        reason
      }))
    }
    yield* logEvent("warn", "wave.missed", message, { ...fieldsOf(speaker, last.waveMs), ...detail })
    yield* alerts.raise({
      severity: "HIGH",
      kind: "wave.missed",
      dedupKey: missedKey(speaker),
      message: `${speaker.feed}: ${message}`,
      component: speaker.path,
      detail,
      standing: true
    })
  })

/** A wave was processed: the outage has ended, and the next one is counted from zero. */
export const endMissing = (speaker: WavesSpeaker & { readonly missing: Missing }, check: WaveCheck) => {
  const { missing } = speaker
  missing.reasons.clear()
  Object.assign(missing, { waves: 0, lostMs: 0, signals: 0, firstMs: 0 })
  return Alerts.use((alerts) =>
    alerts.resolve(missedKey(speaker), `wave ${clockOf(check.waveMs)} of ${speaker.feed} was processed`)
  )
}

/** What an accounting found: waves that have ended, a clock that was ahead. */
export const reportAccounted = (speaker: WavesSpeaker, missing: Missing, accounted: Accounted) =>
  Effect.gen(function* () {
    const { closed, rejectedSignals, reopened } = accounted
    yield* reportMissed(
      speaker,
      missing,
      closed.filter(({ status }) => status === "missed")
    )
    for (const wave of closed.filter(({ status }) => status === "done").slice(-waveLimits.alertWavesMax)) {
      yield* logEvent(
        "info",
        "wave.accounted",
        `wave ${clockOf(wave.waveMs)} had been traded but not ended`,
        {
          ...fieldsOf(speaker, wave.waveMs),
          found: wave.found,
          successful: wave.successful,
          failed: wave.failed,
          skipped: wave.skipped
        }
      )
    }
    if (reopened > 0) {
      yield* logEvent("warn", "wave.clock_went_back", `${reopened} waves of the future are expected again`, {
        component: speaker.path,
        feed: speaker.feed,
        reopened
      })
    }
    if (rejectedSignals > 0) {
      yield* logEvent(
        "info",
        "wave.signals_over",
        `${rejectedSignals} stored signals belong to waves that have ended`,
        {
          component: speaker.path,
          feed: speaker.feed,
          rejected: rejectedSignals
        }
      )
    }
  })

type Taken = Extract<Take, { readonly _tag: "Taken" }>

export const reportTaken = (speaker: WavesSpeaker, check: WaveCheck, { formerOwner, lease }: Taken) =>
  Effect.gen(function* () {
    const fields = {
      ...fieldsOf(speaker, check.waveMs),
      epoch: check.epoch,
      late: check.late,
      deadline_ms: check.deadlineMs
    }
    if (formerOwner === lease.owner) {
      // Our own former life, or an accounting of this one that the database cut off: no other owner died.
      yield* logEvent("info", "wave.resumed", `wave ${clockOf(check.waveMs)}, begun here, is resumed`, fields)
    } else if (formerOwner !== null) {
      yield* logEvent("warn", "wave.taken_over", `wave ${clockOf(check.waveMs)} of a dead owner taken over`, {
        ...fields,
        former_owner: formerOwner
      })
    }
    const { local, utc } = showMoment(check.dueAtMs, speaker.zone)
    const msg = `check of ${utc} (${local}) looks for wave ${clockOf(check.waveMs)}${check.late ? ", late" : ""}`
    yield* logEvent("info", "wave.check_started", msg, fields)
  })

export const reportDone = (speaker: WavesSpeaker, check: WaveCheck, tally: WaveTally, durationMs: number) => {
  const rate = rateOf(tally)
  const { failed, found, skipped, successful } = tally
  const counts = `${successful} successful, ${failed} failed, ${skipped} skipped`
  const msg =
    found === 0 ? `wave ${clockOf(check.waveMs)} was empty` : `wave ${clockOf(check.waveMs)} done: ${counts}`
  const logged = logEvent("info", "wave.done", msg, {
    ...fieldsOf(speaker, check.waveMs),
    ...tally,
    rate,
    late: check.late,
    duration_ms: durationMs
  })
  const measured = Metric.update(
    Metric.withAttributes(waveSeconds, { feed: speaker.feed }),
    durationMs / 1_000
  )
  return Effect.andThen(logged, measured)
}

export const reportGivenBack = (speaker: WavesSpeaker, check: WaveCheck, failedChecks: number) =>
  logEvent(
    "warn",
    "wave.feed_silent",
    `the feed did not answer in the check for wave ${clockOf(check.waveMs)}; it is retried while it is fresh`,
    { ...fieldsOf(speaker, check.waveMs), failed_checks: failedChecks }
  )

/** B8: the feed's component is restarted as an operator would do it, so the tree counts and shows it. */
export const restartFeed = (speaker: WavesSpeaker, failedChecks: number) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const running = yield* RunningTree
    const feeds = yield* Feeds
    const reason = `${failedChecks} checks in a row without an answer`
    const path = `${speaker.path.slice(0, speaker.path.lastIndexOf("/"))}/feed:${speaker.feed}`
    yield* alerts.raise({
      severity: "HIGH",
      kind: "feed.restarted",
      dedupKey: `feed.restarted:${speaker.feed}`,
      message: `the feed ${speaker.feed} is restarted: ${reason}`,
      component: speaker.path,
      detail: { feed: speaker.feed, failed_checks: failedChecks, path }
    })
    const tree = running.tree()
    const restarted =
      tree === null
        ? false
        : yield* tree.bounce(path).pipe(
            Effect.as(true),
            Effect.timeoutOrElse({ duration: waveLimits.restartMsMax, orElse: () => Effect.succeed(false) }),
            Effect.catch(() => Effect.succeed(false))
          )
    // A feed in a different tree, or one whose restart was refused, at least gets a new connection.
    if (!restarted) feeds.get(speaker.feed).reconnect(reason)
    yield* logEvent("warn", "feed.restarted", `the feed ${speaker.feed} is restarted: ${reason}`, {
      component: speaker.path,
      feed: speaker.feed,
      failed_checks: failedChecks,
      by: restarted ? "restart" : "reconnect"
    })
  })
