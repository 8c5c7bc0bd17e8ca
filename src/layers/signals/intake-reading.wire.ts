/**
 * From the JSON of a post to what it is and which post it is, by the settings of its source.
 *
 * The intake, the replay of refused posts and the account of a sender's log must read one post alike, or a replayed one would be
 * another signal. So it is read here and nowhere else.
 *
 * Promises: the identity is that of what was sent, without its secret, and so is the body that is stored, whatever a mapping made
 * of it; errors are those of the body, or of the identity it names, and name the place that a field was mapped from; a mapping is
 * prepared once, when its settings come; metadata is not mapped.
 * Never: reads a clock.
 * Failure: a post that cannot be read is a list of errors; no input makes it throw.
 */
import { Result } from "effect"
import {
  bodyHash,
  fieldOf,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  withoutSecret
} from "../../domain/kernel/canonical-json.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { pathOfPointer, withoutAt } from "../../domain/kernel/json-pointer.ts"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import type { SourceSettings } from "../../domain/kernel/settings.ts"
import type { FieldMappings } from "../../domain/kernel/settings-source.ts"
import { type MappedBody, type Mapper, mapperOf } from "../../domain/signals/field-mapping.ts"
import { type Identity, type IdentityHeaders, identityOf } from "../../domain/signals/identity.ts"
import type { IntakeBody } from "../../domain/signals/intake-body.ts"
import { isMetadata } from "../../domain/signals/metadata.ts"
import { decodeIntakeBody } from "../../wire/intake-body.ts"

/** A post without the secret of its source. */
export interface SentPost {
  readonly source: string
  readonly settings: Pick<SourceSettings, "fields" | "identity">
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
  /** What the fields were made of; null where the source has no mapping. */
  readonly mapped: Readonly<Record<string, string>> | null
}

/** What was sent without what proves its sender. `/secret` is no field of any body: whatever reads one leaves it out. */
export const withoutSourceSecret = (
  { authentication }: Pick<SourceSettings, "authentication">,
  json: JsonValue
): JsonValue => {
  const field = authentication?.bodySecret?.field ?? "/secret"
  return field === "/secret" ? json : withoutAt(json, pathOfPointer(field))
}

const mappers = new WeakMap<FieldMappings, Mapper>()

const mapperFor = (fields: FieldMappings): Mapper => {
  const known = mappers.get(fields)
  if (known !== undefined) return known
  const mapper = mapperOf(fields)
  mappers.set(fields, mapper)
  return mapper
}

/** What is read in place of what was sent; null: what was sent. */
const readInstead = (
  { cameAtMs, settings: { fields, identity } }: SentPost,
  sent: JsonObject
): MappedBody | null => {
  const isNamed = identity === "body" && fieldOf(sent, "id") !== undefined
  if ((fields === null && !isNamed) || isMetadata(sent)) return null
  const mapped =
    fields === null
      ? { body: sent, how: {}, errors: [], isReceived: false }
      : mapperFor(fields)(sent, cameAtMs)
  if (identity !== "body") return mapped
  // Its content is its identity: what else the sender calls an id need not be one.
  const { id: _id, ...body } = mapped.body
  return { ...mapped, body }
}

/** The errors of a body that was mapped: those of the mapping, and where the others were mapped from. */
const errorsOf = (
  { errors, how }: MappedBody,
  found: ReadonlyArray<FieldError>
): ReadonlyArray<FieldError> => {
  const known = new Set(errors.map(({ path }) => path))
  const others = found
    .filter(({ path }) => !known.has(path))
    .map(({ message, path }) => ({
      path,
      message: how[path] === undefined ? message : `${message} (it is mapped from ${how[path]})`
    }))
  return [...errors, ...others].slice(0, intakeLimits.bodyErrorsMax)
}

const firedAt = (parsed: IntakeBody): number | null =>
  parsed.kind === "signal" ? parsed.signal.firedAtMs : parsed.metadata.firedAtMs

/** The body as it is stored, and whether it names its time itself. */
const asSent = (parsed: IntakeBody, sent: JsonObject, { isReceived }: MappedBody): IntakeBody =>
  parsed.kind === "signal" ? { ...parsed, body: sent, hasTimestamp: !isReceived } : parsed

export const readPost = (post: SentPost): Result.Result<ReadPost, ReadonlyArray<FieldError>> => {
  const { cameAtMs, headers, json, sentHash, settings, source } = post
  const sent = isJsonObject(json) ? withoutSecret(json) : null
  const instead = sent === null ? null : readInstead(post, sent)
  const read = decodeIntakeBody(instead?.body ?? sent ?? json)
  const errors = read.ok ? [] : read.errors
  if (instead !== null && (!read.ok || instead.errors.length > 0))
    return Result.fail(errorsOf(instead, errors))
  if (!read.ok) return Result.fail(errors)
  const parsed = sent === null || instead === null ? read.value : asSent(read.value, sent, instead)
  const identity = identityOf(source, headers, instead?.body ?? parsed.body, parsed.hasTimestamp, cameAtMs, {
    rule: settings.identity,
    firedAtMs: parsed.hasTimestamp ? firedAt(parsed) : null,
    sentHash: sentHash ?? (instead === null ? undefined : bodyHash(parsed.body))
  })
  if (Result.isFailure(identity)) return Result.fail([identity.failure])
  const mapped = settings.fields === null || instead === null ? null : instead.how
  return Result.succeed({ parsed, identity: identity.success, mapped })
}
