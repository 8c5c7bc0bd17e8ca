/**
 * settings-source: how a source proves who it is, and how fast it may post.
 *
 * Promises: resolved: secrets are values, and what a source leaves out is that of its preset or of the installation.
 * Never: holds a secret in clear text.
 */
import type { Redacted } from "effect"

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
export interface SourceAuthentication {
  /** Whether one of the methods is enough, or each of them is needed. */
  readonly require: "any" | "all"
  /** The HMAC-SHA256 of the raw body, in a header. */
  readonly hmac: {
    readonly header: string
    readonly encoding: (typeof signatureEncodings)[number]
    readonly secrets: Secrets
  } | null
  readonly standardWebhooks: { readonly toleranceMs: number; readonly secrets: Secrets } | null
  /** `field` is a JSON pointer. */
  readonly bodySecret: { readonly field: string; readonly secrets: Secrets } | null
  /** Senders at these addresses and networks. */
  readonly addresses: ReadonlyArray<string> | null
}

/** How many posts of one sender pass, and what becomes of more. */
export interface SourceRate {
  readonly requests: number
  readonly perMs: number
}

/** Every secret of a source, with its path below that of the authentication. */
export const secretsOfSource = ({
  bodySecret,
  hmac,
  standardWebhooks
}: SourceAuthentication): ReadonlyArray<readonly [path: string, secret: Redacted.Redacted<string>]> =>
  Object.entries({ hmac, standardWebhooks, bodySecret }).flatMap(([method, given]) =>
    (given?.secrets ?? []).map((secret, at) => [`${method}.secrets.${at}`, secret] as const)
  )
