/**
 * settings-voters: endpoints of the user's own that engine C asks, as settings.
 *
 * Apart from settings.ts, which is at its size limit.
 *
 * Promises: times are milliseconds; a confidence is from 0 to 1.
 * Never: holds a secret in clear.
 */
import type { Redacted } from "effect"

/** What becomes of an order while a voter is silent: nothing opens, or the rules alone decide. */
export const SILENCES = ["deny", "rules"] as const

export interface VoterFields {
  /** Where it is asked; http or https. */
  readonly url: string
  /** A decision that it decides waits this long. */
  readonly deadlineMs: number
  /** One that it only judges as a shadow. */
  readonly shadowDeadlineMs: number
  /** The least confidence of a vote for an order that opens it. */
  readonly confidenceMin: number
  readonly onSilence: (typeof SILENCES)[number]
  /** Questions that are out at the same time. */
  readonly atOnceMax: number
  /** Failures in a row that open its breaker. */
  readonly failuresMax: number
  /** How long it is left alone then. */
  readonly cooldownMs: number
}

export interface VoterSettings extends VoterFields {
  /** What questions are signed with. */
  readonly secret: Redacted.Redacted<string>
}

/** What a decision reads of a voter. */
export type VoterRule = Pick<VoterFields, "confidenceMin" | "onSilence">
