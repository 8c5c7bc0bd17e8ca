/**
 * Exits alerts: alerts operators to positions that cannot be closed, and resolves when they can be again (T11).
 *
 * Health shows it at once; a person is alerted when it lasts, because a quote that is a moment late and a stream that
 * reconnects are over before anybody could look.
 *
 * Promises: one CRITICAL alert per position and outbreak, closed by the look that finds it protected or gone; those of a
 * former life of the process as well.
 * Never: decides what is protected.
 */
import { Effect } from "effect"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"
import type { Watched } from "../../layers/orders/protection.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"

const prefix = "position.unprotected:"

/** By the alert's key: since when (milliseconds of the clock) a position is unprotected, and the last reported reason. */
export type GapsSince = Map<string, { readonly sinceMs: number; alerted: string | null }>

/** After each look. `stuck`: ids of the positions whose exit waits for a human, which were reported separately. */
export const alertGaps = (
  since: GapsSince,
  component: string,
  watched: ReadonlyArray<Watched>,
  stuck: ReadonlySet<string>,
  nowMs: number
) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const open = new Map<string, Watched>()
    for (const position of watched)
      if (position.gap !== null) open.set(`${prefix}${position.account}/${position.symbol}`, position)
    for (const key of since.keys()) if (!open.has(key)) since.delete(key)
    for (const [dedupKey, { account, gap, symbol }] of open) {
      const gone = since.get(dedupKey) ?? { sinceMs: nowMs, alerted: null }
      since.set(dedupKey, gone)
      // Reported again when it lasts for another reason; that it lasts is shown by the open row.
      if (nowMs - gone.sinceMs < exitLimits.unprotectedAlertMs || gone.alerted === gap) continue
      gone.alerted = gap
      yield* alerts.raise({
        severity: "CRITICAL",
        kind: "position.unprotected",
        dedupKey,
        message: `${account} holds ${symbol} and could not close it now: ${gap ?? "not protected"}`,
        component,
        detail: { account, symbol, reason: gap },
        standing: true
      })
    }
    yield* alerts.resolveAllBut(prefix, [...open.keys()], "it is protected again, or closed")
    const blocked = [...stuck].map((id) => `exit.blocked:${id}`)
    yield* alerts.resolveAllBut("exit.blocked:", blocked, "its exit is free again, or it is closed")
  })
