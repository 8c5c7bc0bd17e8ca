/**
 * canary: how far one canary has come, from what its rows say (T9).
 *
 * Promises: pure; a stage is reached when the rows of a later one exist, whatever the earlier ones say; what can still arrive is
 * never called failed.
 * Never: reads a clock: what is late is decided by whoever waits.
 */
import type { CanaryStage } from "../kernel/canary.ts"

/** What the rows of one canary show. `order` is null while it has none. */
export interface CanaryTrace {
  readonly claimed: boolean
  readonly signal: "received" | "processing" | "done" | "rejected" | "dead"
  /** Why the signal or its decision ended as it did. */
  readonly reason: string | null
  readonly order: { readonly status: string; readonly sends: number; readonly reason: string | null } | null
  readonly filled: boolean
  /** From the intake's commit to the fill's, by the database's clock. Null before the fill. */
  readonly latencyMs: number | null
}

export type CanaryProgress =
  | { readonly _tag: "Came"; readonly latencyMs: number }
  /** `stage` is the one it has not reached yet. */
  | { readonly _tag: "UnderWay"; readonly stage: CanaryStage }
  | { readonly _tag: "Failed"; readonly stage: CanaryStage; readonly reason: string }

/** Orders that are never sent any more, or that the venue will not fill. */
const over: ReadonlySet<string> = new Set([
  "denied",
  "expired_unsent",
  "withdrawn",
  "rejected",
  "cancelled",
  "expired"
])

/** `trace` is null when there is no row of the signal. */
export const progressOf = (trace: CanaryTrace | null): CanaryProgress => {
  if (trace === null) return { _tag: "UnderWay", stage: "stored" }
  const { claimed, filled, latencyMs, order, reason, signal } = trace
  if (filled) return { _tag: "Came", latencyMs: latencyMs ?? 0 }
  if (order !== null) {
    const stage = order.sends > 0 ? "filled" : "sent"
    return over.has(order.status)
      ? { _tag: "Failed", stage, reason: order.reason ?? `its order is ${order.status}` }
      : { _tag: "UnderWay", stage }
  }
  if (signal === "done" || signal === "rejected" || signal === "dead")
    return { _tag: "Failed", stage: "decided", reason: reason ?? `its signal is ${signal} and has no order` }
  return { _tag: "UnderWay", stage: claimed ? "decided" : "claimed" }
}

const words: Readonly<Record<CanaryStage, string>> = {
  stored: "it is not stored",
  claimed: "it is not claimed",
  decided: "it is not decided",
  sent: "its order is not sent",
  filled: "its order is not filled"
}

/** What keeps it, as a phrase. */
export const stageWords = (stage: CanaryStage): string => words[stage]
