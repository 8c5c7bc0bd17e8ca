/**
 * intake-body: what a post to the webhook is, before anything about its source is known.
 *
 * One body is a signal or metadata, decided once and here, so that the intake handler, the spool and the feeds
 * cannot disagree. The order of the questions matters: metadata first, because metadata taken for a signal would
 * be an order nobody asked for.
 *
 * Promises: every error is returned, bounded in number; nothing of what is returned has the secret.
 * Never: decides about identity, age or authentication.
 */
import { z } from "zod"
import { isJsonObject, type JsonValue, withoutSecret } from "../domain/kernel/canonical-json.ts"
import type { FieldError } from "../domain/kernel/field-error.ts"
import { intakeLimits } from "../domain/kernel/limits-signals.ts"
import type { IntakeBody } from "../domain/signals/intake-body.ts"
import { isMetadata } from "../domain/signals/metadata.ts"
import { decodeMetadata, metadataBody } from "./metadata-body.ts"
import type { Decoded } from "./problems.ts"
import { decodeSignal, signalBody } from "./signal-body.ts"

export const webhookBody = z.union([signalBody, metadataBody]).meta({
  id: "WebhookBody",
  description:
    "A signal, or metadata when it has a `snapshot_id`. Fields that are not known are stored and mean nothing."
})

const mappedBody = z.looseObject({}).meta({
  id: "MappedBody",
  description: "A signal in the names and words of its sender, of a source that maps them (`fields`)."
})

/** What may be posted to a source: what any may, or what its settings map. */
export const sourceBody = z.union([signalBody, metadataBody, mappedBody]).meta({
  id: "SourceBody",
  description: "A signal or metadata; of a source with a mapping, whatever that reads a signal from."
})

const refused = (errors: ReadonlyArray<FieldError>) =>
  ({ ok: false, errors: errors.slice(0, intakeLimits.bodyErrorsMax) }) as const

/** Reads a JSON value as a signal or as metadata; or every error of it, at most `bodyErrorsMax` of them. */
export const decodeIntakeBody = (value: JsonValue): Decoded<IntakeBody> => {
  if (!isJsonObject(value)) return refused([{ path: "", message: "must be a JSON object" }])
  const body = withoutSecret(value)
  if (isMetadata(body)) {
    const read = decodeMetadata(body)
    if (!read.ok) return refused(read.errors)
    const hasTimestamp = read.value.firedAtMs !== null
    return { ok: true, value: { kind: "metadata", metadata: read.value, body, hasTimestamp } }
  }
  const read = decodeSignal(body)
  if (!read.ok) return refused(read.errors)
  return { ok: true, value: { kind: "signal", signal: read.value, body, hasTimestamp: true } }
}
