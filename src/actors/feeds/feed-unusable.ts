/**
 * What is said about signals of a feed that cannot be traded: a line of the log each, and one alert.
 *
 * A server tells its signals again and again, and one that writes one field wrongly may write it wrongly in all of them;
 * so each is told once, the lines of a minute are bounded, and what was not told one by one is a number in the next line.
 *
 * Promises: an unusable signal is never only a counter; a line names the id and the fields that are wrong, and repeats
 * no value of them.
 * Never: grows without bound; what was told and forgotten is told again.
 */
import { Clock, Effect } from "effect"
import { faultsOf, unusableIdentity, type UnusableSignal } from "../../domain/feeds/feed-wire.ts"
import { feedLimits } from "../../domain/kernel/limits.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** What was said already; one per feed. */
export interface UnusableTold {
  readonly keys: Set<string>
  /** The window of the lines: since when, epoch milliseconds, and how many. */
  sinceMs: number
  lines: number
  /** Signals that had no line of their own. */
  untold: number
}

export const nothingTold = (): UnusableTold => ({ keys: new Set(), sinceMs: 0, lines: 0, untold: 0 })

const fresh = (
  told: UnusableTold,
  feed: string,
  unusable: ReadonlyArray<UnusableSignal>
): ReadonlyArray<UnusableSignal> =>
  unusable.filter((signal) => {
    const key = unusableIdentity(feed, signal)
    if (told.keys.has(key)) return false
    if (told.keys.size >= feedLimits.unusableToldMax) told.keys.clear()
    told.keys.add(key)
    return true
  })

const sayOne = (told: UnusableTold, component: string, signal: UnusableSignal) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (Math.abs(nowMs - told.sinceMs) >= feedLimits.unusableLinesPerMs) {
      told.sinceMs = nowMs
      told.lines = 0
    }
    if (told.lines >= feedLimits.unusableLinesMax) {
      told.untold += 1
      return
    }
    told.lines += 1
    const { untold } = told
    told.untold = 0
    yield* logEvent("warn", "feed.signal_unusable", faultsOf(signal), {
      component,
      id: signal.id,
      wave: signal.waveMs === null ? null : new Date(signal.waveMs).toISOString(),
      errors: signal.errors,
      ...(untold === 0 ? {} : { untold })
    })
  })

/** Tells what was not told before. `total`: unusable signals since the feed started, repetitions included. */
export const reportUnusable = (
  {
    component,
    feed,
    told,
    total
  }: {
    readonly component: string
    readonly feed: string
    readonly told: UnusableTold
    readonly total: number
  },
  unusable: ReadonlyArray<UnusableSignal>
) =>
  Effect.gen(function* () {
    const news = fresh(told, feed, unusable)
    const [example] = news
    if (example === undefined) return
    yield* Effect.forEach(news, (signal) => sayOne(told, component, signal), { discard: true })
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
