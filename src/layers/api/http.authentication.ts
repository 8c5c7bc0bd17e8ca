/**
 * Who may post to the webhook.
 *
 * Three kinds of senders exist: those that sign the raw body with a header, those that follow Standard Webhooks, and
 * TradingView, which cannot send headers and so carries its secret in the body (W6). Each is accepted by what it can
 * do; which check failed is only the operator's business.
 *
 * Promises: secrets and signatures are compared in constant time over equal-length digests; a signature header that
 * cannot be checked is a refusal, never ignored; unsigned posts pass only in practice, where a source has no method at all,
 * from a caller that is believed to be local (http.caller.ts); what a source needs is worked out once, when its settings come.
 * Never: reveals to a sender why it refused, or reads a body before the header checks are done.
 * Failure: anything malformed is a refusal; no input makes it throw.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import { Redacted } from "effect"
import { isJsonObject, type JsonValue } from "../../domain/kernel/canonical-json.ts"
import { pathOfPointer, type PointerPath, valueAt } from "../../domain/kernel/json-pointer.ts"
import type { Settings, SourceSettings } from "../../domain/kernel/settings.ts"
import {
  authenticationOf,
  type InstallationSecrets,
  type SourceAuthentication
} from "../../domain/kernel/settings-source.ts"
import { readSecret } from "../../domain/kernel/settings-text.ts"
import { standardSignature } from "../../domain/kernel/standard-webhooks.ts"
import { type Networks, networksOf } from "../platform/networks.node.ts"
import { type Caller, isLocalCaller, oneHeader } from "./http.caller.ts"

/** The verdict by headers and address. `body`: the secret must be in the body. */
export type Credential = "accepted" | "refused" | "body"

export interface PostCaller extends Caller {
  /** Behind trusted proxies the address of the sender, else that of the socket. */
  readonly address: string
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

type Keys = ReadonlyArray<Uint8Array>

/** What the posts of a source are judged by. */
export interface Gate {
  readonly require: SourceAuthentication["require"]
  readonly ips: Networks | null
  readonly addresses: Networks | null
  readonly hmac: { readonly header: string; readonly encoding: "hex" | "base64"; readonly keys: Keys } | null
  readonly standard: { readonly toleranceMs: number; readonly keys: Keys } | null
  readonly body: { readonly path: PointerPath; readonly digests: ReadonlyArray<Buffer> } | null
}

const makeGate = ({ authentication, ips }: SourceSettings, secrets: InstallationSecrets): Gate => {
  const required = authenticationOf(authentication, secrets)
  const { addresses, bodySecret, hmac, require, standardWebhooks } = required
  const keys = (secrets: ReadonlyArray<Redacted.Redacted<string>>): Keys =>
    secrets.flatMap((secret) => keysOfSecret(Redacted.value(secret)))
  return {
    require,
    ips: ips === null ? null : networksOf(ips),
    addresses: addresses === null ? null : networksOf(addresses),
    hmac: hmac === null ? null : { ...hmac, keys: keys(hmac.secrets) },
    standard:
      standardWebhooks === null ? null : { ...standardWebhooks, keys: keys(standardWebhooks.secrets) },
    body:
      bodySecret === null
        ? null
        : {
            path: pathOfPointer(bodySecret.field),
            digests: bodySecret.secrets.map((secret) => digestOf(Redacted.value(secret)))
          }
  }
}

/** Settings of a source do not change; a reload brings new ones, and the secrets of the installation stay. */
const gates = new WeakMap<SourceSettings, { readonly secrets: InstallationSecrets; readonly gate: Gate }>()

export const gateOf = (source: SourceSettings, secrets: InstallationSecrets): Gate => {
  const known = gates.get(source)
  if (known?.secrets === secrets) return known.gate
  const gate = makeGate(source, secrets)
  gates.set(source, { secrets, gate })
  return gate
}

/** Whether one of the given digests is one of ours. All are compared, so that timing does not reveal which key was used. */
const matchesOne = (given: ReadonlyArray<Buffer>, wanted: ReadonlyArray<Buffer>): boolean => {
  let matched = false
  for (const one of given) {
    for (const other of wanted) if (one.length === other.length && timingSafeEqual(one, other)) matched = true
  }
  return matched
}

/** What a check found, in words for the operator; null: it passed. */
type Fault = string | null

const ABSENT = "it was not sent"

const signatureFault = ({ encoding, header, keys }: NonNullable<Gate["hmac"]>, caller: PostCaller): Fault => {
  const given = caller.headers[header]
  if (given === undefined) return ABSENT
  const signature = oneHeader(given)
  if (signature === undefined) return `the header ${header} was sent more than once`
  const text = signature.startsWith("sha256=") ? signature.slice(7) : signature
  const form = encoding === "hex" ? /^[0-9a-fA-F]{64}$/ : /^[A-Za-z0-9+/_-]{43}=?$/
  if (!form.test(text)) return `the header ${header} is no ${encoding} of 32 bytes`
  const wanted = keys.map((key) => createHmac("sha256", key).update(caller.body).digest())
  return matchesOne([Buffer.from(text, encoding)], wanted)
    ? null
    : "it is that of another secret, or of other bytes"
}

const standardFault = ({ keys, toleranceMs }: NonNullable<Gate["standard"]>, caller: PostCaller): Fault => {
  const { body, headers, nowMs } = caller
  if (headers["webhook-signature"] === undefined) return ABSENT
  const id = oneHeader(headers["webhook-id"])
  const timestamp = oneHeader(headers["webhook-timestamp"])
  const signatures = oneHeader(headers["webhook-signature"])
  if (id === undefined || timestamp === undefined || signatures === undefined)
    return "webhook-id, webhook-timestamp and webhook-signature must each be sent once"
  if (!/^\d{1,12}$/.test(timestamp)) return "webhook-timestamp must be whole seconds"
  const wanted = keys.map((key) => standardSignature(key, id, timestamp, body))
  const given = signatures
    .split(" ")
    .slice(0, 8)
    .filter((entry) => entry.startsWith("v1,"))
    .map((entry) => Buffer.from(entry.slice(3), "base64"))
  if (!matchesOne(given, wanted)) return "it is that of another secret, or of another id, time or body"
  return Math.abs(nowMs - Number(timestamp) * 1_000) <= toleranceMs
    ? null
    : `webhook-timestamp is more than ${toleranceMs / 1_000} s from our clock`
}

/** The secret of a body, which is absent from one that is no object. */
const bodyFault = ({ digests, path }: NonNullable<Gate["body"]>, json: JsonValue | undefined): Fault => {
  const given = json !== undefined && isJsonObject(json) ? valueAt(json, path) : undefined
  // The comparison is made in any case, so that a missing secret takes as long as a wrong one.
  const matches = matchesOne([digestOf(typeof given === "string" ? given : "")], digests)
  if (given === undefined) return ABSENT
  if (typeof given !== "string") return "it must be a text"
  return matches ? null : "it is another one"
}

/** The usual signature headers: one that is sent is checked or refused, whatever else the sender shows. */
const isStray = (gate: Gate, { headers }: PostCaller): boolean =>
  (headers["x-webhook-signature"] !== undefined && gate.hmac?.header !== "x-webhook-signature") ||
  (headers["webhook-signature"] !== undefined && gate.standard === null)

/** Every method that needs no body passes. */
const passesAll = (gate: Gate, caller: PostCaller): boolean =>
  (gate.addresses === null || gate.addresses(caller.address)) &&
  (gate.hmac === null || signatureFault(gate.hmac, caller) === null) &&
  (gate.standard === null || standardFault(gate.standard, caller) === null)

const hasMethod = ({ addresses, body, hmac, standard }: Gate): boolean =>
  addresses !== null || body !== null || hmac !== null || standard !== null

/** Judges a post by its headers and its address. */
export const judgeHeaders = (
  gate: Gate,
  { corsOrigins, mode }: Pick<Settings, "corsOrigins" | "mode">,
  caller: PostCaller
): Credential => {
  if (gate.ips !== null && !gate.ips(caller.address)) return "refused"
  if (isStray(gate, caller)) return "refused"
  if (!hasMethod(gate))
    return mode === "PRACTICE" && isLocalCaller(caller, corsOrigins) ? "accepted" : "refused"
  const { body, hmac, standard } = gate
  if (gate.require === "all")
    return passesAll(gate, caller) ? (body === null ? "accepted" : "body") : "refused"
  const { headers } = caller
  if (hmac !== null && headers[hmac.header] !== undefined)
    return signatureFault(hmac, caller) === null ? "accepted" : "refused"
  if (standard !== null && headers["webhook-signature"] !== undefined)
    return standardFault(standard, caller) === null ? "accepted" : "refused"
  if (gate.addresses?.(caller.address) === true) return "accepted"
  return body === null ? "refused" : "body"
}

/** Judges the secret of a body. */
export const isBodySecret = (gate: Gate, json: JsonValue | undefined): boolean =>
  gate.body !== null && bodyFault(gate.body, json) === null

/** What each check found, for an operator. */
export interface Explained {
  readonly passes: boolean
  readonly require: Gate["require"]
  readonly checks: ReadonlyArray<{
    readonly method: string
    readonly result: "passed" | "failed" | "absent"
    readonly message: string | null
  }>
}

const found = (method: string, fault: Fault): Explained["checks"][number] => ({
  method,
  result: fault === null ? "passed" : fault === ABSENT ? "absent" : "failed",
  message: fault
})

const listed = (networks: Networks, address: string): Fault =>
  networks(address) ? null : `${address === "" ? "the sender" : address} is not in the list`

/** Judges a post as the intake does, and names every check. Never for a sender. */
export const explain = (
  gate: Gate,
  settings: Pick<Settings, "corsOrigins" | "mode">,
  caller: PostCaller,
  json: JsonValue | undefined
): Explained => {
  const { addresses, body, hmac, ips, require, standard } = gate
  const verdict = judgeHeaders(gate, settings, caller)
  return {
    passes: verdict === "accepted" || (verdict === "body" && isBodySecret(gate, json)),
    require,
    checks: [
      ...(ips === null ? [] : [found("ips", listed(ips, caller.address))]),
      ...(hmac === null ? [] : [found("hmac", signatureFault(hmac, caller))]),
      ...(standard === null ? [] : [found("standardWebhooks", standardFault(standard, caller))]),
      ...(body === null ? [] : [found("bodySecret", bodyFault(body, json))]),
      ...(addresses === null ? [] : [found("addresses", listed(addresses, caller.address))]),
      ...(isStray(gate, caller)
        ? [found("signature", "a signature was sent that this source does not check")]
        : []),
      ...(hasMethod(gate)
        ? []
        : [
            found(
              "local",
              verdict === "accepted"
                ? null
                : "without a secret only unsigned posts of this machine are taken, in PRACTICE"
            )
          ])
    ]
  }
}
