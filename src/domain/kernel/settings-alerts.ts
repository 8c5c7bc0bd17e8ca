/**
 * settings-alerts: where alerts are sent besides the console, as the settings have it.
 *
 * Promises: resolved: secrets and addresses are values, a file has an absolute path.
 * Never: holds a secret in clear text.
 */
import type { Redacted } from "effect"

/** From the least to the gravest. */
export const SEVERITIES = ["LOW", "MEDIUM", "HIGH", "CRITICAL"] as const
export type AlertSeverity = (typeof SEVERITIES)[number]

export const SINK_KINDS = ["webhook", "slack", "discord", "email", "file"] as const
export type SinkKind = (typeof SINK_KINDS)[number]

/** One way out for alerts. */
export interface SinkSettings {
  readonly kind: SinkKind
  /** Where it leads: of HTTP, or of a mail server. Null for a file. Chat services put the secret into it. */
  readonly url: Redacted.Redacted<string> | null
  /** What a webhook is signed with. */
  readonly secret: Redacted.Redacted<string> | null
  readonly path: string | null
  readonly from: string | null
  readonly to: ReadonlyArray<string>
  readonly severityMin: AlertSeverity
  /** Kinds, or beginnings of kinds with a `*` behind them; null: every kind. */
  readonly kinds: ReadonlyArray<string> | null
  /** Of what concerns an account only these; null: every account. */
  readonly accounts: ReadonlyArray<string> | null
  readonly perMinuteMax: number
}

export interface AlertSettings {
  readonly sinks: Readonly<Record<string, SinkSettings>>
  /** Who is told when a CRITICAL alert is not acknowledged in time. */
  readonly escalation: { readonly afterMs: number; readonly to: ReadonlyArray<string> } | null
  /** Somebody outside who misses us when we are silent. */
  readonly heartbeat: HeartbeatSettings | null
}

export interface HeartbeatSettings {
  readonly url: Redacted.Redacted<string>
  readonly everyMs: number
}
