/**
 * settings-source: how a source proves who it is, and how fast it may post.
 *
 * Promises: resolved: secrets are values, and what a source leaves out is that of its preset or of the installation.
 * Never: holds a secret in clear text.
 */
import type { Redacted } from "effect"
import { intakeLimits } from "./limits-signals.ts"

/** Sets of defaults for kinds of senders. */
export const sourcePresets = ["generic", "tradingview", "standard-webhooks"] as const
export type SourcePreset = (typeof sourcePresets)[number]

/**
 * Where the identity of a post without an identifying header comes from (T3). `id`: its `id`; `id+timestamp`: both, for senders
 * whose id is the name of an order; `body`: its content, whatever its `id`.
 */
export const identityRules = ["id", "id+timestamp", "body"] as const
export type IdentityRule = (typeof identityRules)[number]

type Secrets = ReadonlyArray<Redacted.Redacted<string>>

/** How a signature is written. */
export const signatureEncodings = ["hex", "base64"] as const

/** What a sender must show. A method that is null is not taken; without any, only local senders in practice mode are. */
interface Authentication<Of> {
  /** Whether one of the methods is enough, or each of them is needed. */
  readonly require: "any" | "all"
  /** The HMAC-SHA256 of the raw body, in a header. */
  readonly hmac: {
    readonly header: string
    readonly encoding: (typeof signatureEncodings)[number]
    readonly secrets: Of
  } | null
  readonly standardWebhooks: { readonly toleranceMs: number; readonly secrets: Of } | null
  /** `field` is a JSON pointer. */
  readonly bodySecret: { readonly field: string; readonly secrets: Of } | null
  /** Senders at these addresses and networks. */
  readonly addresses: ReadonlyArray<string> | null
}

/** With the secrets that count. A method without any secret is one that nobody can pass. */
export type SourceAuthentication = Authentication<Secrets>

/** As a source has it. Secrets that are null are those of the installation, which change with a restart only. */
export type AuthenticationSettings = Authentication<Secrets | null>

/** The secrets of the installation. */
export interface InstallationSecrets {
  readonly hmac: Redacted.Redacted<string> | null
  readonly webhook: Redacted.Redacted<string> | null
}

/** What a source requires under these secrets of the installation. */
export const authenticationOf = (
  own: AuthenticationSettings | null,
  { hmac, webhook }: InstallationSecrets
): SourceAuthentication => {
  const signing = hmac === null ? [] : [hmac]
  const body = webhook === null ? [] : [webhook]
  if (own === null)
    return {
      require: "any",
      hmac: hmac === null ? null : { header: "x-webhook-signature", encoding: "hex", secrets: signing },
      standardWebhooks:
        hmac === null ? null : { toleranceMs: intakeLimits.signatureToleranceMs, secrets: signing },
      bodySecret: webhook === null ? null : { field: "/secret", secrets: body },
      addresses: null
    }
  const complete = <Method extends { readonly secrets: Secrets | null }>(
    method: Method | null,
    inherited: Secrets
  ) => (method === null ? null : { ...method, secrets: method.secrets ?? inherited })
  return {
    ...own,
    hmac: complete(own.hmac, signing),
    standardWebhooks: complete(own.standardWebhooks, signing),
    bodySecret: complete(own.bodySecret, body)
  }
}

/** Every secret of its own of a source, with its path below that of the authentication. */
export const secretsOfSource = (
  own: AuthenticationSettings | null
): ReadonlyArray<readonly [path: string, secret: Redacted.Redacted<string>]> =>
  own === null
    ? []
    : Object.entries({
        hmac: own.hmac,
        standardWebhooks: own.standardWebhooks,
        bodySecret: own.bodySecret
      }).flatMap(([method, given]) =>
        (given?.secrets ?? []).map((secret, at) => [`${method}.secrets.${at}`, secret] as const)
      )

/** `reject`: posts beyond the rate are refused; `queue`: they wait for their turn. */
export const ratePolicies = ["reject", "queue"] as const

/** How many posts of one sender pass within any `perMs`, and what becomes of more. */
export interface SourceRate {
  readonly requests: number
  readonly perMs: number
  readonly policy: (typeof ratePolicies)[number]
  /** How long a post of `queue` may wait; one that would wait longer is refused at once. */
  readonly waitMsMax: number
}

type Scalar = string | number | boolean

/** A text of a place in the body, which is a JSON pointer; the rest after, or before, the first of a text in it. */
export interface TextPart {
  readonly from: string
  readonly after?: string
  readonly before?: string
}

/** What a field of a signal is made of: exactly one of the first four. */
export interface FieldMapping {
  /** The first place with a value. */
  readonly from?: string | ReadonlyArray<string>
  readonly constant?: Scalar
  readonly join?: ReadonlyArray<string | TextPart>
  /** The time of receipt, for senders that name none. */
  readonly received?: true
  readonly after?: string
  readonly before?: string
  readonly case?: "upper" | "lower"
  /** The sender's word, in any case, to ours; `*` is any other, null is absent. */
  readonly table?: Readonly<Record<string, Scalar | null>>
  /** For a value that is absent or blank. */
  readonly default?: Scalar
}

/** By our field; null: what the sender calls by that name is something else. */
export type FieldMappings = Readonly<Record<string, FieldMapping | null>>
