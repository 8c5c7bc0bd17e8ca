/**
 * Who may post to the webhook.
 *
 * Three kinds of senders exist: those that sign the raw body with a header, those that follow Standard Webhooks, and
 * TradingView, which cannot send headers and so carries its secret in the body (W6). Each is accepted by what it can
 * do; which check failed is only the operator's business.
 *
 * Promises: secrets and signatures are compared in constant time over equal-length digests; a signature header that
 * cannot be checked is a refusal, never ignored; unsigned posts pass only in practice, without any secret configured,
 * from a caller that is believed to be local (http.caller.ts).
 * Never: reveals why it refused, or reads a body before the header checks are done.
 * Failure: anything malformed is a refusal; no input makes it throw.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import { Redacted } from "effect"
import type { Settings } from "../../domain/kernel/settings.ts"
import { readSecret } from "../../domain/kernel/settings-text.ts"
import { type Caller, isLocalCaller, oneHeader, plainAddress } from "./http.caller.ts"
import { postLimits } from "../platform/http-limits.ts"

/** The verdict by headers and address. `body`: the secret must be in the body. */
export type Credential = "accepted" | "refused" | "body"

export interface PostCaller extends Caller {
  readonly body: Uint8Array
  readonly nowMs: number
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Equal texts, in a time that depends on neither their content nor where they differ. */
export const equalSecrets = (given: string, wanted: string): boolean =>
  timingSafeEqual(digestOf(given), digestOf(wanted))

/**
 * The keys that a secret may mean: the bytes its form encodes, and the literal text that was given, with which a sender that
 * knows nothing of that form signs. All of them are as secret as the secret itself.
 */
const keysOfSecret = (secret: string): ReadonlyArray<Uint8Array> => {
  const { form, key } = readSecret(secret)
  if (form === "text") return [key]
  const texts = new Set([secret, secret.slice(secret.indexOf("whsec_"))])
  return [key, ...[...texts].map((text) => Buffer.from(text))]
}

/** Whether one of the given digests is one of ours. All are compared, so that timing does not reveal which key was used. */
const matchesOne = (given: ReadonlyArray<Buffer>, wanted: ReadonlyArray<Buffer>): boolean => {
  let matched = false
  for (const one of given) {
    for (const other of wanted) if (one.length === other.length && timingSafeEqual(one, other)) matched = true
  }
  return matched
}

const isHexSignatureOf = (header: string, secret: string, body: Uint8Array): boolean => {
  const hex = header.startsWith("sha256=") ? header.slice(7) : header
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) return false
  const wanted = keysOfSecret(secret).map((key) => createHmac("sha256", key).update(body).digest())
  return matchesOne([Buffer.from(hex, "hex")], wanted)
}

const isStandardSignatureOf = (caller: PostCaller, secret: string): boolean => {
  const id = oneHeader(caller.headers["webhook-id"])
  const timestamp = oneHeader(caller.headers["webhook-timestamp"])
  const signatures = oneHeader(caller.headers["webhook-signature"])
  if (
    id === undefined ||
    timestamp === undefined ||
    signatures === undefined ||
    !/^\d{1,12}$/.test(timestamp)
  )
    return false
  const wanted = keysOfSecret(secret).map((key) =>
    createHmac("sha256", key).update(`${id}.${timestamp}.`).update(caller.body).digest()
  )
  const given = signatures
    .split(" ")
    .slice(0, 8)
    .filter((entry) => entry.startsWith("v1,"))
    .map((entry) => Buffer.from(entry.slice(3), "base64"))
  return (
    matchesOne(given, wanted) &&
    Math.abs(caller.nowMs - Number(timestamp) * 1_000) <= postLimits.signatureToleranceMs
  )
}

const clear = (secret: Redacted.Redacted<string> | null): string | null =>
  secret === null ? null : Redacted.value(secret)

/** Judges a post by its headers and its address. */
export const judgeHeaders = (
  settings: Settings,
  ips: ReadonlyArray<string> | null,
  caller: PostCaller
): Credential => {
  const { headers } = caller
  if (ips !== null && !ips.includes(plainAddress(caller.remoteAddress))) return "refused"
  const hmac = clear(settings.secrets.hmac)
  if (headers["x-webhook-signature"] !== undefined) {
    const signature = oneHeader(headers["x-webhook-signature"])
    return hmac !== null && signature !== undefined && isHexSignatureOf(signature, hmac, caller.body)
      ? "accepted"
      : "refused"
  }
  if (headers["webhook-signature"] !== undefined)
    return hmac !== null && isStandardSignatureOf(caller, hmac) ? "accepted" : "refused"
  if (settings.secrets.webhook !== null) return "body"
  if (hmac !== null || settings.mode !== "PRACTICE") return "refused"
  return isLocalCaller(caller, settings.corsOrigins) ? "accepted" : "refused"
}

/** Judges the secret of a body; `given` is whatever the body has there. */
export const isBodySecret = (settings: Settings, given: unknown): boolean => {
  const wanted = clear(settings.secrets.webhook)
  // The comparison is made in any case, so that a missing secret takes as long as a wrong one.
  const equal = equalSecrets(typeof given === "string" ? given : "", wanted ?? "")
  return wanted !== null && typeof given === "string" && equal
}
