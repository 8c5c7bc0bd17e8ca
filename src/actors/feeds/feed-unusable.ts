/**
 * Reports signals of a feed that cannot be traded: a log line each, and one alert.
 *
 * A server sends its signals repeatedly, and one that writes a field wrongly may write it wrongly in all of them;
 * so each is logged once, the lines per minute are bounded, and what was not logged singly is a count in the next line.
 *
 * Promises: an unusable signal is never only a counter; a line names the id and the fields that are wrong, and repeats
 * no value of them.
 * Never: grows without bound; what was reported and forgotten is reported again.
 */
import { Clock, Effect } from "effect"
import { faultsOf, unusableIdentity, type UnusableSignal } from "../../domain/feeds/feed-wire.ts"
import { feedLimits } from "../../domain/kernel/limits-feeds.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** What was already reported; one per feed. */
export interface UnusableReported {
  readonly keys: Set<string>
  /** The window of the lines: since when, epoch milliseconds, and how many. */
  sinceMs: number
  lines: number
  /** Signals that had no line of their own. */
  unreported: number
}

export const nothingReported = (): UnusableReported => ({
  keys: new Set(),
  sinceMs: 0,
  lines: 0,
  unreported: 0
})

const fresh = (
  reported: UnusableReported,
  feed: string,
  unusable: ReadonlyArray<UnusableSignal>
): ReadonlyArray<UnusableSignal> =>
  unusable.filter((signal) => {
    const key = unusableIdentity(feed, signal)
    if (reported.keys.has(key)) return false
    if (reported.keys.size >= feedLimits.unusableReportedMax) reported.keys.clear()
    reported.keys.add(key)
    return true
  })

const logOne = (reported: UnusableReported, component: string, signal: UnusableSignal) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (Math.abs(nowMs - reported.sinceMs) >= feedLimits.unusableLinesPerMs) {
      reported.sinceMs = nowMs
      reported.lines = 0
    }
    if (reported.lines >= feedLimits.unusableLinesMax) {
      reported.unreported += 1
      return
    }
    reported.lines += 1
    const { unreported } = reported
    reported.unreported = 0
    yield* logEvent("warn", "feed.signal_unusable", faultsOf(signal), {
      component,
      id: signal.id,
      wave: signal.waveMs === null ? null : new Date(signal.waveMs).toISOString(),
      errors: signal.errors,
      ...(unreported === 0 ? {} : { unreported })
    })
  })

/** Reports what was not reported before. `total`: unusable signals since the feed started, repetitions included. */
export const reportUnusable = (
  {
    component,
    feed,
    reported,
    total
  }: {
    readonly component: string
    readonly feed: string
    readonly reported: UnusableReported
    readonly total: number
  },
  unusable: ReadonlyArray<UnusableSignal>
) =>
  Effect.gen(function* () {
    const news = fresh(reported, feed, unusable)
    const [example] = news
    if (example === undefined) return
    yield* Effect.forEach(news, (signal) => logOne(reported, component, signal), { discard: true })
    const alerts = yield* Alerts
    const name = example.id ?? "one without an id"
    yield* alerts.raise({
      severity: "MEDIUM",
      kind: "feed.signals_unusable",
      dedupKey: `feed.signals_unusable/${feed}`,
      component,
      message: `${news.length} ${news.length === 1 ? "signal" : "signals"} of ${feed} cannot be traded, such as ${name}: ${faultsOf(example)}`,
      detail: { count: news.length, total, example: { id: example.id, errors: example.errors } }
    })
  })
