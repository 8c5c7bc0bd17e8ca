/**
 * intake-posture: what a post to the webhook gets now, and why it is not simply stored (T2).
 *
 * Promises: pure; every posture but `store` has its reasons.
 * Never: knows how a post is spooled.
 */
import type { SpoolState } from "../intake/spool.ts"

/** What a post to the webhook gets: stored (201), spooled (202), or refused (503). */
export type IntakePosture = "store" | "spool" | "refuse"

/** The facts it follows from; those of health.ts. */
export interface PostureFacts {
  readonly stopping: boolean
  readonly database: "ready" | "away"
  readonly spool: SpoolState
  readonly spooled: number
  readonly components: ReadonlyArray<{
    readonly readiness: "required" | "optional"
    readonly type: string
    readonly phase: string
    readonly ready: boolean
  }>
}

export const intakeOf = (facts: PostureFacts): IntakePosture => {
  if (facts.stopping) return "refuse"
  if (facts.database === "ready") {
    const missing = facts.components.some(
      (row) => row.readiness === "required" && row.type === "worker" && row.phase !== "stopped" && !row.ready
    )
    if (missing) return "refuse"
    if (facts.spooled === 0) return "store"
    return facts.spool === "usable" ? "spool" : "refuse"
  }
  // With the database away everything that stores waits for it, so the required rows add nothing: the spool decides.
  return facts.spool === "usable" ? "spool" : "refuse"
}

/** Why posts are refused. */
export const refusalReasons = (facts: PostureFacts): ReadonlyArray<string> => {
  const reasons: Array<string> = []
  const isSpooled = facts.database === "ready" && facts.spooled > 0
  if (facts.database === "away") reasons.push("the database is away")
  else if (!isSpooled || facts.spool === "usable") reasons.push("a component that intake needs is not ready")
  if (isSpooled) reasons.push("spooled posts have to be stored first")
  if (facts.spool === "full") reasons.push("the spool is full")
  if (facts.spool === "failed") reasons.push("the spool cannot be used")
  return reasons
}

/** Why posts are spooled. */
export const spoolReason = ({ database }: PostureFacts): string =>
  database === "away" ? "the database is away, posts are spooled" : "spooled posts are being stored"
