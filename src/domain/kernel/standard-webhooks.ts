/**
 * standard-webhooks: what is signed of a webhook, and how (https://www.standardwebhooks.com).
 *
 * Promises: one rule for what we verify and for what we send.
 * Never: compares signatures; that takes constant time (layers/api/http.authentication.ts).
 */
import { createHmac } from "node:crypto"

/** The bytes of the signature. `timestamp` is whole seconds since the epoch, as text. */
export const standardSignature = (
  key: Uint8Array,
  id: string,
  timestamp: string,
  body: Uint8Array | string
): Buffer => createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest()

/** The headers that a signed webhook is sent with. */
export const standardHeaders = (
  key: Uint8Array,
  id: string,
  nowMs: number,
  body: string
): Readonly<Record<string, string>> => {
  const timestamp = String(Math.floor(nowMs / 1_000))
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${standardSignature(key, id, timestamp, body).toString("base64")}`
  }
}
