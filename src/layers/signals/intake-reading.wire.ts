/**
 * From the JSON of a post to what it is and which post it is, by the settings of its source.
 *
 * The intake, the replay of refused posts and the account of a sender's log must read one post alike, or a replayed one would be
 * another signal. So it is read here and nowhere else.
 *
 * Promises: the identity is that of what was sent, without its secret; errors are those of the body, or of the identity it names.
 * Never: reads a clock.
 * Failure: a post that cannot be read is a list of errors; no input makes it throw.
 */
import { Result } from "effect"
import { isJsonObject, type JsonValue } from "../../domain/kernel/canonical-json.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { pathOfPointer, withoutAt } from "../../domain/kernel/json-pointer.ts"
import type { SourceSettings } from "../../domain/kernel/settings.ts"
import { type Identity, type IdentityHeaders, identityOf } from "../../domain/signals/identity.ts"
import type { IntakeBody } from "../../domain/signals/intake-body.ts"
import { decodeIntakeBody } from "../../wire/intake-body.ts"

/** A post without the secret of its source. */
export interface SentPost {
  readonly source: string
  readonly settings: Pick<SourceSettings, "identity">
  readonly json: JsonValue
  readonly headers: IdentityHeaders
  /** Epoch milliseconds. */
  readonly cameAtMs: number
  /** The hash of the body as it was sent, where `json` is not that any more. */
  readonly sentHash?: string | undefined
}

export interface ReadPost {
  readonly parsed: IntakeBody
  readonly identity: Identity
}

/** What was sent without what proves its sender. `/secret` is no field of any body: whatever reads one leaves it out. */
export const withoutSourceSecret = (
  { authentication: { bodySecret } }: Pick<SourceSettings, "authentication">,
  json: JsonValue
): JsonValue =>
  bodySecret === null || bodySecret.field === "/secret" || !isJsonObject(json)
    ? json
    : withoutAt(json, pathOfPointer(bodySecret.field))

const firedAt = (parsed: IntakeBody): number | null =>
  parsed.kind === "signal" ? parsed.signal.firedAtMs : parsed.metadata.firedAtMs

export const readPost = ({
  cameAtMs,
  headers,
  json,
  sentHash,
  settings,
  source
}: SentPost): Result.Result<ReadPost, ReadonlyArray<FieldError>> => {
  const read = decodeIntakeBody(json)
  if (!read.ok) return Result.fail(read.errors)
  const parsed = read.value
  const identity = identityOf(source, headers, parsed.body, parsed.hasTimestamp, cameAtMs, {
    rule: settings.identity,
    firedAtMs: firedAt(parsed),
    sentHash
  })
  return Result.isFailure(identity)
    ? Result.fail([identity.failure])
    : Result.succeed({ parsed, identity: identity.success })
}
