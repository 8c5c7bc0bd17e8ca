/**
 * A drill as it can be watched: what the journal shows of its signals while its receipt is not written yet.
 *
 * Promises: the faults are those that the service injects; counts are of orders that the journal has shown, so they are never
 * more than what happened.
 * Never: decides whether a drill passes.
 */
import { DRILL_FAULTS, drillLimits } from "../../src/domain/control/drill.ts"

/** What can be injected, and what it does. */
export const FAULTS: Readonly<Record<string, string>> = DRILL_FAULTS

/** Signals of a drill: as many before the fault as during and after it. */
export const DRILL_SIGNALS = 3 * drillLimits.signalsEach

interface Recorded {
  readonly type: string
  readonly at: string
  readonly to: string | null
  readonly detail: Readonly<Record<string, unknown>> | null
}

export interface DrillProgress {
  /** Of its signals: those with an order that opens, those whose order filled, those whose position was closed again. */
  readonly ordered: number
  readonly filled: number
  readonly closed: number
}

const symbolOf = ({ detail, type }: Recorded): string | null => {
  const symbol = detail?.["symbol"]
  return type === "order" && typeof symbol === "string" && /^DRILL\d+$/.test(symbol) ? symbol : null
}

/** What to show of a drill: its orders, and whatever became of components and of health. */
export const concernsDrill = (entry: Recorded): boolean =>
  ["restart", "component", "health", "alert"].includes(entry.type) || symbolOf(entry) !== null

/** How far a drill has come, by the entries since it began. Its signals have a symbol each. */
export const progressOf = (entries: ReadonlyArray<Recorded>): DrillProgress => {
  const seen = { ordered: new Set<string>(), filled: new Set<string>(), closed: new Set<string>() }
  for (const entry of entries) {
    const symbol = symbolOf(entry)
    if (symbol === null) continue
    const isFilled = entry.to === "filled"
    if (entry.detail?.["side"] === "sell") {
      if (isFilled) seen.closed.add(symbol)
      continue
    }
    seen.ordered.add(symbol)
    if (isFilled) seen.filled.add(symbol)
  }
  return { ordered: seen.ordered.size, filled: seen.filled.size, closed: seen.closed.size }
}
