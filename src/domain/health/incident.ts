/**
 * incident: what a span of time was, as one document: when what happened, why, what it cost, what health said (G8).
 *
 * Promises: pure; time without trading and without intake is measured from what health said and from when there was a process; the
 * cause is the first sign of trouble in the span, and nothing when there was none.
 * Never: guesses at a cause beyond the first sign; reads a clock or a row.
 */
import type { JournalEntry } from "../platform/journal.ts"
import type { PastHealth } from "./past.ts"

/** A time in which a process of the node recorded anything. Epoch milliseconds. */
export interface Alive {
  readonly boot: string
  readonly fromMs: number
  readonly toMs: number
}

/** What health said from a moment on; null: nobody could say anything, because there was no process. */
export interface HealthSpan {
  readonly fromMs: number
  readonly toMs: number
  readonly said: Omit<PastHealth, "since"> | null
}

export interface Cause {
  readonly seq: number
  readonly at: number
  readonly path: string
  readonly event: string
  readonly text: string
}

export interface Cost {
  readonly withoutTradingMs: number
  readonly withoutIntakeMs: number
  readonly downMs: number
}

/** A pause in the journal that is longer is one between two processes, not one between two entries. */
const SILENCE_MS = 2_000

const verdictIn = ({ detail, to }: JournalEntry): Omit<PastHealth, "since"> => {
  const { can_trade: canTrade, ready, reasons, trading_state: tradingState } = detail ?? {}
  return {
    status: to ?? "",
    ready: ready === true,
    canTrade: canTrade === true,
    tradingState: typeof tradingState === "string" ? tradingState : null,
    reasons: Array.isArray(reasons) ? reasons.map(String) : []
  }
}

/** When nobody says anything, whatever health showed last: between two processes, and where none is known at an edge of the span. */
const silencesOf = (
  span: { readonly fromMs: number; readonly toMs: number },
  alive: ReadonlyArray<Alive>
): ReadonlyArray<number> => {
  const [first, last] = [alive[0], alive.at(-1)]
  if (first === undefined || last === undefined) return [span.fromMs]
  const silences = first.fromMs - span.fromMs > SILENCE_MS ? [span.fromMs] : []
  for (const [index, life] of alive.entries()) {
    const next = alive[index + 1]
    if (next !== undefined && next.fromMs - life.toMs > SILENCE_MS) silences.push(life.toMs + 1)
  }
  if (span.toMs - last.toMs > SILENCE_MS) silences.push(last.toMs + 1)
  return silences
}

/**
 * What health said over a span. `before`: what it said when the span began, null when it is not known; `alive` in their order, with
 * the life that was the last before the span and the one that was the first after it: a process that only says nothing is alive.
 */
export const healthOver = (
  span: { readonly fromMs: number; readonly toMs: number },
  before: PastHealth | null,
  entries: ReadonlyArray<JournalEntry>,
  alive: ReadonlyArray<Alive>
): ReadonlyArray<HealthSpan> => {
  const marks: Array<{ readonly atMs: number; readonly said: HealthSpan["said"] }> = []
  const judged = entries.filter(({ type }) => type === "health")
  for (const entry of judged) marks.push({ atMs: entry.at, said: verdictIn(entry) })
  for (const atMs of silencesOf(span, alive)) marks.push({ atMs, said: null })
  const ordered = marks.toSorted((a, b) => a.atMs - b.atMs)
  const spans: Array<HealthSpan> = []
  let [fromMs, said] = [span.fromMs, before === null ? null : withoutSince(before)]
  for (const mark of ordered) {
    const atMs = Math.min(span.toMs, Math.max(span.fromMs, mark.atMs))
    if (atMs > fromMs) spans.push({ fromMs, toMs: atMs, said })
    ;[fromMs, said] = [atMs, mark.said]
  }
  if (span.toMs > fromMs) spans.push({ fromMs, toMs: span.toMs, said })
  return spans
}

const withoutSince = ({
  canTrade,
  ready,
  reasons,
  status,
  tradingState
}: PastHealth): Omit<PastHealth, "since"> => ({ status, ready, canTrade, tradingState, reasons })

/** What it cost in time. A time of which nothing is known counts as down. */
export const costOf = (spans: ReadonlyArray<HealthSpan>): Cost => {
  const sum = (of: (said: HealthSpan["said"]) => boolean): number =>
    spans.reduce((total, { fromMs, said, toMs }) => (of(said) ? total + toMs - fromMs : total), 0)
  return {
    withoutTradingMs: sum((said) => said === null || !said.canTrade),
    withoutIntakeMs: sum((said) => said === null || !said.ready),
    downMs: sum((said) => said === null)
  }
}

const isTrouble = ({ detail, event, from, to, type }: JournalEntry): boolean => {
  if (type === "restart") return event === "component.failed" || event === "component.killed"
  if (type === "alert") {
    const severity = detail?.["severity"]
    return event === "alert.raised" && (severity === "HIGH" || severity === "CRITICAL")
  }
  // A start is none, nor is what an operator wants.
  if (type === "health") return from === "healthy" && (to === "degraded" || to === "unhealthy")
  return type === "component" && event === "component.unready"
}

/** The first sign of trouble, with what it said of itself; null when there was none. */
export const causeOf = (entries: ReadonlyArray<JournalEntry>): Cause | null => {
  const first = entries.find(isTrouble)
  if (first === undefined) return null
  // What is not ready says why a moment before or after, by its failure or its alert.
  const told =
    first.cause ??
    entries.find(
      ({ at, cause, path }) => cause !== null && path === first.path && Math.abs(at - first.at) <= SILENCE_MS
    )?.cause ??
    null
  return { seq: first.seq, at: first.at, path: first.path, event: first.event, text: told ?? first.to ?? "" }
}
