/**
 * Who may post to the webhook, and who may use the API.
 *
 * Three kinds of senders exist: those that sign the raw body with a header, those that follow Standard Webhooks, and
 * TradingView, which can send no header and so carries its secret in the body (W6). Each is accepted by what it can
 * do; which check failed is nobody's business but the operator's.
 *
 * Promises: secrets and signatures are compared in constant time over equal-length digests; a signature header that
 * cannot be checked is a refusal, never ignored; unsigned posts pass only in practice, without any secret configured,
 * from loopback by a loopback name, through no proxy, and not from a web page of another origin.
 * Never: says why it refused, reads a body before the header checks are done, or believes what a forwarding header says.
 * Failure: anything malformed is a refusal; no input makes it throw.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { Redacted } from "effect"
import type { Settings } from "../../domain/settings.ts"
import { postLimits } from "./http-limits.ts"

/** What the headers and the address say. `body`: the secret must be in the body. */
export type Credential = "accepted" | "refused" | "body"

export interface PostCaller {
  readonly headers: IncomingHttpHeaders
  readonly remoteAddress: string | undefined
  readonly body: Uint8Array
  readonly nowMs: number
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Equal texts, in a time that depends on neither their content nor where they differ. */
export const equalSecrets = (given: string, wanted: string): boolean =>
  timingSafeEqual(digestOf(given), digestOf(wanted))

const one = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : undefined

/** IPv4 addresses of dual-stack sockets arrive as `::ffff:127.0.0.1`. */
export const plainAddress = (address: string | undefined): string =>
  address === undefined ? "" : address.startsWith("::ffff:") ? address.slice(7) : address

export const isLoopback = (address: string | undefined): boolean => {
  const plain = plainAddress(address)
  return plain === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain)
}

const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"])

/** Whether a Host header names this machine: what a page that rebinds its own name to 127.0.0.1 cannot forge. */
export const isLoopbackHost = (host: string | undefined): boolean =>
  host !== undefined && loopbackHosts.has(host.toLowerCase().replace(/:\d{1,5}$/, ""))

/** What proxies and tunnels add to a request they pass on; whoever speaks to us directly has no reason to. */
const forwardingHeaders = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip"
] as const

/**
 * Whether somebody on this machine speaks for himself. A proxy or tunnel here makes every stranger look like loopback;
 * it is given away by the host name it was asked for, or, when it rewrites that to ours, by what it adds. Such a header
 * is never believed, only its presence counts, so a sender can lose by it and not win.
 */
const isLocalCaller = (headers: IncomingHttpHeaders, remoteAddress: string | undefined): boolean =>
  isLoopback(remoteAddress) &&
  isLoopbackHost(headers.host) &&
  forwardingHeaders.every((name) => headers[name] === undefined)

/**
 * Whether a browser's page may do this. No Origin: not a browser. Else the page must be served by this very host, under
 * a loopback name, or be an exact origin of the settings.
 */
export const isTrustedOrigin = (
  headers: IncomingHttpHeaders,
  corsOrigins: ReadonlyArray<string>
): boolean => {
  const origin = one(headers.origin)
  if (origin === undefined) return headers.origin === undefined
  if (corsOrigins.includes(origin)) return true
  return (
    isLoopbackHost(headers.host) && origin.toLowerCase() === `http://${headers.host?.toLowerCase() ?? ""}`
  )
}

const encodedKey = /^(?:v1,)?(?<text>whsec_(?<base64>[A-Za-z0-9+/_-]{8,}={0,2}))$/

/**
 * The keys that a secret may mean. Standard Webhooks shows one as base64 after `whsec_`, some of its tools with `v1,` before
 * that, and a sender that knows nothing of it signs with the very text it was given. All of them are as secret as the
 * secret is. What looks encoded and is not (an empty key above all, with which anybody could sign) is text.
 */
const keysOfSecret = (secret: string): ReadonlyArray<Buffer> => {
  const groups = encodedKey.exec(secret)?.groups
  const texts = [...new Set([secret, groups?.["text"] ?? secret])].map((text) => Buffer.from(text))
  return groups === undefined ? texts : [Buffer.from(groups["base64"] ?? "", "base64"), ...texts]
}

/** Whether one of the given digests is one of ours. All are compared: which key was used shows in no timing. */
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
  const id = one(caller.headers["webhook-id"])
  const timestamp = one(caller.headers["webhook-timestamp"])
  const signatures = one(caller.headers["webhook-signature"])
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
    const signature = one(headers["x-webhook-signature"])
    return hmac !== null && signature !== undefined && isHexSignatureOf(signature, hmac, caller.body)
      ? "accepted"
      : "refused"
  }
  if (headers["webhook-signature"] !== undefined)
    return hmac !== null && isStandardSignatureOf(caller, hmac) ? "accepted" : "refused"
  if (settings.secrets.webhook !== null) return "body"
  if (hmac !== null || settings.mode !== "PRACTICE") return "refused"
  return isLocalCaller(headers, caller.remoteAddress) && isTrustedOrigin(headers, settings.corsOrigins)
    ? "accepted"
    : "refused"
}

/** Judges the secret of a body; `given` is whatever the body has there. */
export const isBodySecret = (settings: Settings, given: unknown): boolean => {
  const wanted = clear(settings.secrets.webhook)
  // The comparison is made in any case, so that a missing secret takes as long as a wrong one.
  const equal = equalSecrets(typeof given === "string" ? given : "", wanted ?? "")
  return wanted !== null && typeof given === "string" && equal
}

/**
 * Whether this request may use the API: the admin token, or, while none is configured in practice, a caller on this
 * machine that speaks for himself and comes from no foreign page.
 */
export const mayUseApi = (
  settings: Settings,
  headers: IncomingHttpHeaders,
  remoteAddress: string | undefined
): boolean => {
  const token = clear(settings.secrets.admin)
  if (token !== null) {
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? ""
    return equalSecrets(given, token) && given !== ""
  }
  return (
    settings.mode === "PRACTICE" &&
    isLocalCaller(headers, remoteAddress) &&
    isTrustedOrigin(headers, settings.corsOrigins)
  )
}
