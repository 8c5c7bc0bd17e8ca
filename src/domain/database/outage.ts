/**
 * Outage: when an absence has lasted long enough to be reported, and what is reported when it ends.
 *
 * Promises: pure; a short absence is not reported, a long one twice: while it lasts, and with its duration and what it
 * cost when it ends.
 * Never: reads a clock, or decides what counts as away.
 */

/** What is remembered between two checks; null while the database is there. */
export type Outage = {
  readonly sinceMs: number
  readonly alerted: boolean
  readonly cause: string
  /** Posts refused, and posts spooled, before it began. */
  readonly refusedBefore: number
  readonly spooledBefore: number
} | null

export interface OutageLook {
  readonly nowMs: number
  readonly away: boolean
  /** What is known of the cause now, null when nothing is. */
  readonly cause: string | null
  /** Posts refused since start, and since the last one that was accepted: the first of those revealed the absence. */
  readonly refused: number
  readonly refusedInRow: number
  /** Posts that went to the spool since start, and since it was last empty. */
  readonly spooled: number
  readonly spooledInRow: number
}

export type OutageNews =
  | {
      readonly _tag: "Away"
      readonly sinceMs: number
      readonly cause: string
      readonly refused: number
      readonly spooled: number
    }
  | {
      readonly _tag: "Back"
      readonly sinceMs: number
      readonly cause: string
      readonly refused: number
      readonly spooled: number
      readonly lastedMs: number
    }

/** The next state, and what is to be reported. */
export const lookAtOutage = (
  before: Outage,
  { away, cause, nowMs, refused, refusedInRow, spooled, spooledInRow }: OutageLook,
  reportAfterMs: number
): { readonly outage: Outage; readonly news: OutageNews | null } => {
  if (!away) {
    if (before === null || !before.alerted) return { outage: null, news: null }
    const { refusedBefore, sinceMs, spooledBefore } = before
    const news = {
      _tag: "Back" as const,
      sinceMs,
      cause: before.cause,
      refused: refused - refusedBefore,
      spooled: spooled - spooledBefore,
      lastedMs: nowMs - sinceMs
    }
    return { outage: null, news }
  }
  const begun = before ?? {
    sinceMs: nowMs,
    alerted: false,
    cause: "unknown",
    refusedBefore: refused - refusedInRow,
    spooledBefore: spooled - spooledInRow
  }
  const outage = { ...begun, cause: cause ?? begun.cause }
  if (outage.alerted || nowMs - outage.sinceMs <= reportAfterMs) return { outage, news: null }
  const news = {
    _tag: "Away" as const,
    sinceMs: outage.sinceMs,
    cause: outage.cause,
    refused: refused - outage.refusedBefore,
    spooled: spooled - outage.spooledBefore
  }
  return { outage: { ...outage, alerted: true }, news }
}
