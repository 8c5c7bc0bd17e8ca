/**
 * intake-body: what a post to the webhook is, before anything about its source is known.
 *
 * One body is a signal or metadata, decided once and here, so that the intake handler, the spool and the feeds
 * cannot disagree. The order of the questions matters: metadata first, because metadata taken for a signal would
 * be an order nobody asked for.
 *
 * Promises: a body that passes has no field that `identityOf` would refuse; every error is returned, bounded in number; `body` is what may be stored, without the secret.
 * Never: decides about identity, age or authentication.
 */
import { Result } from "effect"

import { isJsonObject, type JsonObject, type JsonValue, withoutSecret } from "../kernel/canonical-json.ts"
import type { FieldError } from "../kernel/field.ts"
import { eventIdError } from "./identity.ts"
import { intakeLimits } from "../kernel/limits.ts"
import { isMetadata, type Metadata, parseMetadata } from "./metadata.ts"
import type { Signal } from "./signal.ts"
import { parseSignal } from "./signal-body.ts"

/** A valid body. `hasTimestamp` is what its identity needs to know (T3). */
export type IntakeBody =
  | {
      readonly kind: "signal"
      readonly signal: Signal
      readonly body: JsonObject
      readonly hasTimestamp: true
    }
  | {
      readonly kind: "metadata"
      readonly metadata: Metadata
      readonly body: JsonObject
      readonly hasTimestamp: boolean
    }

/** Reads a JSON value as a signal or as metadata. Fails with every error, at most `bodyErrorsMax` of them. */
export const parseIntakeBody = (value: JsonValue): Result.Result<IntakeBody, ReadonlyArray<FieldError>> => {
  if (!isJsonObject(value)) return Result.fail([{ path: "", message: "must be a JSON object" }])
  const body = withoutSecret(value)
  const parsed: Result.Result<IntakeBody, ReadonlyArray<FieldError>> = isMetadata(body)
    ? Result.map(parseMetadata(body), (metadata) => ({
        kind: "metadata" as const,
        metadata,
        body,
        hasTimestamp: metadata.firedAtMs !== null
      }))
    : Result.map(parseSignal(body), (signal) => ({
        kind: "signal" as const,
        signal,
        body,
        hasTimestamp: true as const
      }))
  const idError = eventIdError(body)
  if (Result.isSuccess(parsed) && idError === null) return parsed
  const errors = [...(Result.isFailure(parsed) ? parsed.failure : []), ...(idError === null ? [] : [idError])]
  return Result.fail(errors.slice(0, intakeLimits.bodyErrorsMax))
}
