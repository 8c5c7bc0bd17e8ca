/**
 * alert-account: what became of every line of a sender's alert log.
 *
 * A line is known by what it would have been as a post: its identity, or its body where only the time tells two equal
 * ones apart. Lines are accounted in the order of their times, and each stored signal and each kept refusal answers for one of
 * them, so that ten equal alerts of which nine arrived are nine and not ten.
 *
 * Promises: pure; every line has exactly one outcome, and the totals add up to the lines.
 * Never: claims that an alert never arrived when its row could have been removed since.
 */
import type { FieldError } from "../kernel/field-error.ts"
import { alertLogLimits } from "../kernel/limits-kept.ts"
import type { LogLine } from "./alert-log.ts"

/**
 * `duplicate`: its signal had come before. `not_kept`: it is older than what is kept. `unreadable`: the line has no time or
 * text, so nothing can be known of it.
 */
export const LINE_OUTCOMES = [
  "accepted",
  "duplicate",
  "refused",
  "never_arrived",
  "not_kept",
  "unreadable"
] as const
export type LineOutcome = (typeof LINE_OUTCOMES)[number]

/** What a line would have been as a post. `identity`: null where only body and time decide. */
export interface LineKey {
  readonly identity: string | null
  readonly bodyHash: string | null
  /** Hash of the text as it is kept of a refused post. */
  readonly textHash: string
  /** Why it would be refused today; empty for a post that is right. */
  readonly errors: ReadonlyArray<FieldError>
}

export interface KeyedLine extends LogLine {
  readonly key: LineKey | null
}

export interface FoundSignal {
  readonly id: string
  readonly identity: string
  readonly bodyHash: string
  readonly status: string
  readonly reason: string | null
  readonly receivedMs: number
}

export interface FoundRefusal {
  readonly id: string
  readonly bodyHash: string | null
  readonly textHash: string
  readonly reason: string
  readonly errors: ReadonlyArray<FieldError>
  readonly receivedMs: number
}

export interface Accounted {
  readonly line: LogLine
  readonly outcome: LineOutcome
  readonly reason: string | null
  readonly signal: FoundSignal | null
  readonly refusal: FoundRefusal | null
}

const earlierMs = alertLogLimits.skewMs
const laterMs = alertLogLimits.delayMsMax

/** The unused one that came nearest to the time of the alert, of those that could be its own. */
const nearest = <Found extends { readonly id: string; readonly receivedMs: number }>(
  all: ReadonlyArray<Found>,
  used: ReadonlySet<string>,
  atMs: number
): Found | null => {
  let best: Found | null = null
  for (const found of all) {
    const delayMs = found.receivedMs - atMs
    if (used.has(found.id) || delayMs < -earlierMs || delayMs > laterMs) continue
    if (best === null || Math.abs(delayMs) < Math.abs(best.receivedMs - atMs)) best = found
  }
  return best
}

const groupBy = <A>(
  items: ReadonlyArray<A>,
  keyOf: (item: A) => string | null
): ReadonlyMap<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === null) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

const refusalReason = ({ errors, reason }: FoundRefusal): string => {
  const [first] = errors
  if (first === undefined) return reason
  return `${reason}: ${first.path === "" ? "" : `${first.path} `}${first.message}`
}

/** The outcome of every line, in the order of the log. `keptSinceMs`: what came before may have been removed. */
export const accountLines = (
  lines: ReadonlyArray<KeyedLine>,
  signals: ReadonlyArray<FoundSignal>,
  refusals: ReadonlyArray<FoundRefusal>,
  keptSinceMs: number
): ReadonlyArray<Accounted> => {
  const byIdentity = new Map(signals.map((signal) => [signal.identity, signal]))
  const byBody = groupBy(signals, ({ bodyHash }) => bodyHash)
  const refusedByBody = groupBy(refusals, ({ bodyHash }) => bodyHash)
  const refusedByText = groupBy(refusals, ({ textHash }) => textHash)
  const used = new Set<string>()
  const none = { reason: null, signal: null, refusal: null }
  const take = (line: LogLine, signal: FoundSignal, atMs: number): Accounted => {
    const isFirst = !used.has(signal.id) && signal.receivedMs >= atMs - earlierMs
    used.add(signal.id)
    const reason = signal.status === "rejected" || signal.status === "dead" ? signal.reason : null
    return { ...none, line, outcome: isFirst ? "accepted" : "duplicate", signal, reason }
  }
  const account = ({ key, ...line }: KeyedLine): Accounted => {
    const { alert } = line
    if (alert === null || key === null)
      return { ...none, line, outcome: "unreadable", reason: line.unreadable }
    const { atMs } = alert
    const named = key.identity === null ? undefined : byIdentity.get(key.identity)
    // Under the same name with another body it was a conflict, which is a refusal.
    if (named !== undefined && named.bodyHash === key.bodyHash) return take(line, named, atMs)
    const own = nearest(byBody.get(key.bodyHash ?? "") ?? [], used, atMs)
    if (own !== null) return take(line, own, atMs)
    const refusal =
      nearest(refusedByBody.get(key.bodyHash ?? "") ?? [], used, atMs) ??
      nearest(refusedByText.get(key.textHash) ?? [], used, atMs)
    if (refusal !== null) {
      used.add(refusal.id)
      return { ...none, line, outcome: "refused", refusal, reason: refusalReason(refusal) }
    }
    // Equal to one that was taken, within the time in which equal bodies are one signal.
    const twin = (byBody.get(key.bodyHash ?? "") ?? []).find(
      ({ receivedMs }) => Math.abs(receivedMs - atMs) <= alertLogLimits.sameMsMax
    )
    if (twin !== undefined) return take(line, twin, atMs)
    const [wrong] = key.errors
    const wouldBe =
      wrong === undefined
        ? null
        : `it would be refused: ${wrong.path === "" ? "" : `${wrong.path} `}${wrong.message}`
    return { ...none, line, outcome: atMs < keptSinceMs ? "not_kept" : "never_arrived", reason: wouldBe }
  }
  // The export of TradingView is newest first; the first alert in time is the one that was taken.
  const inTime = lines
    .map((line, index) => ({ line, index }))
    .toSorted((a, b) => {
      const atOf = ({ line }: typeof a): number => line.alert?.atMs ?? Number.POSITIVE_INFINITY
      return atOf(a) - atOf(b) || b.index - a.index
    })
  const outcomes = new Map(inTime.map(({ index, line }) => [index, account(line)]))
  return lines.flatMap((_, index) => outcomes.get(index) ?? [])
}

/** How many lines had each outcome. */
export const totalsOf = (accounted: ReadonlyArray<Accounted>): Readonly<Record<LineOutcome, number>> => {
  const totals = { accepted: 0, duplicate: 0, refused: 0, never_arrived: 0, not_kept: 0, unreadable: 0 }
  for (const { outcome } of accounted) totals[outcome] += 1
  return totals
}
