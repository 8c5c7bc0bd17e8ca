/**
 * refused-post: what is kept of a post that an authenticated sender wrote wrongly (T12).
 *
 * The text is kept as it came, because what is wrong with it is often what no parser can name; except for secrets, which may
 * stand in it in any form that is nearly JSON. They are taken out before the text is cut: half a secret is no text that a
 * mask would find.
 *
 * Promises: pure; the kept text has at most `refusedLimits.bodyBytesMax` bytes, no NUL, no member named `secret` with its
 * value, and nothing that the mask hides; `hash` is that of the body as it was sent.
 * Never: keeps anything of a sender who was not authenticated (http.intake.ts asks only then).
 */
import { bodyHash, isJsonObject, type JsonValue, withoutSecret } from "../kernel/canonical-json.ts"
import type { FieldError } from "../kernel/field-error.ts"
import { refusedLimits } from "../kernel/limits-kept.ts"
import { type Mask, REDACTED } from "../kernel/redaction.ts"

/** Why it was refused; `strategy_unknown` is found by the decision (T10), the others by the intake. */
export const REFUSAL_REASONS = ["not_json", "invalid", "conflict", "strategy_unknown"] as const
export type RefusalReason = (typeof REFUSAL_REASONS)[number]

/**
 * What became of a refused post that was replayed. `queued`: it waits to be decided. `duplicate`: the same post was taken before. The others changed
 * nothing: `refused` has the errors; `already_decided`: its signal is not where it was left; `cut_off`: the end of its body was
 * not kept; `not_replayable`: it has nothing that could be sent on.
 */
export const REPLAY_OUTCOMES = [
  "queued",
  "duplicate",
  "too_old",
  "conflict",
  "refused",
  "already_replayed",
  "already_decided",
  "cut_off",
  "not_replayable",
  "not_found"
] as const
export type ReplayOutcome = (typeof REPLAY_OUTCOMES)[number]

/** A refused post with everything that replaying it needs. Times are epoch milliseconds. */
export interface RefusedPost {
  readonly id: string
  /** Name of a configured source. */
  readonly source: string
  readonly reason: RefusalReason
  readonly answered: number
  readonly errors: ReadonlyArray<FieldError>
  readonly text: KeptText
  readonly webhookId: string | null
  readonly idempotencyKey: string | null
  readonly requestId: string
  /** Null where it is not known any more: of a post that the spool has held. */
  readonly address: string | null
  /** The signal it conflicts with. */
  readonly signalId: string | null
  readonly receivedAtMs: number
}

export interface KeptText {
  readonly body: string
  /** Size of the body as it came. */
  readonly bytes: number
  /** The end is missing. */
  readonly cut: boolean
  /** sha256 of the canonical body; null when it is no JSON object. */
  readonly hash: string | null
}

// A member named `secret`, in the quotes of JSON, in those of a template that is nearly JSON, or in none.
const SECRET_MEMBER =
  /(["']?\bsecret\b["']?\s*[:=]\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;&}\]]+)/gis

/** Letters that JSON escapes without need: a key is named `secret` however it is spelled. */
const ESCAPED_LETTER = /\\u00(?<code>4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/gi
const unescaped = (text: string): string =>
  text.replace(ESCAPED_LETTER, (_escape, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

/** At most `bytesMax` bytes of UTF-8, without half a character at the end. */
const cutTo = (text: string, bytesMax: number): string => {
  const bytes = new TextEncoder().encode(text)
  if (bytes.length <= bytesMax) return text
  let end = bytesMax
  // A continuation byte at the cut belongs to a character that began before it.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return new TextDecoder().decode(bytes.subarray(0, end))
}

/** What is kept of a body; `json` is what it was read as, undefined when it is none. */
export const keptText = (bytes: Uint8Array, json: JsonValue | undefined, mask: Mask): KeptText => {
  const object = json !== undefined && isJsonObject(json) ? json : null
  const sent =
    object === null ? unescaped(new TextDecoder().decode(bytes)) : JSON.stringify(withoutSecret(object))
  const shown = mask(sent.replaceAll("\0", "\uFFFD").replace(SECRET_MEMBER, `$1"${REDACTED}"`))
  const body = cutTo(shown, refusedLimits.bodyBytesMax)
  return {
    body,
    bytes: bytes.length,
    cut: body.length < shown.length,
    hash: object === null ? null : bodyHash(object)
  }
}
