/**
 * spool: what the local spool is allowed to take, and what a post is when its turn comes.
 *
 * Promises: pure; a signal is judged by its age when it is stored, not when it came (T3): it is then that somebody would act on it.
 * Never: reads a clock.
 */
import { ageLimits } from "../kernel/limits-signals.ts"
import type { SourceSettings } from "../kernel/settings.ts"

/** Why a spool takes nothing. `full`: its bounds or the disk; `failed`: the disk refuses or does not answer. */
export type SpoolFaultKind = "full" | "failed"

/**
 * What posts may expect of the spool. `none`: there is no spool, nobody knows yet what it holds, or too many wait for its disk just
 * now.
 */
export type SpoolState = "none" | "usable" | SpoolFaultKind

/** What the age of a spooled post is judged by. */
export interface SpooledAge {
  readonly kind: "signal" | "metadata"
  readonly source: string
  readonly status: "received" | "rejected"
  readonly expiresFromMs: number | null
}

/** Whether a signal has become too old in the spool. The default limit stands in for that of a source that is gone. */
export const becameTooOld = (
  row: SpooledAge,
  sources: Readonly<Record<string, Pick<SourceSettings, "ageMaxMs">>>,
  nowMs: number
): boolean => {
  if (row.kind !== "signal" || row.status !== "received" || row.expiresFromMs === null) return false
  const source = Object.hasOwn(sources, row.source) ? sources[row.source] : undefined
  return nowMs - row.expiresFromMs > (source?.ageMaxMs ?? ageLimits.signalAgeMsDefault)
}
