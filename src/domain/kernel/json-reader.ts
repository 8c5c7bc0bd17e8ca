/**
 * json-reader: the bytes of a body as a JSON value, or the exact place where they are not one.
 *
 * The native parser is fast and too lenient: it accepts a key twice (the last wins, so a signature may cover another
 * order than the one that is read), turns 1e999 into Infinity, rounds a number of many digits, and lets half a
 * surrogate pair through, which PostgreSQL then refuses. So its result is walked once, and the source is scanned once
 * for the number of keys; only a body that fails pays for locating the fault, and only one with long numbers for those.
 *
 * Promises: an accepted number is the number that was written; an accepted value is finite, bounded in size and depth, well-formed text, free of NUL, of duplicate
 * and `__proto__` keys, and so can be stored as jsonb and hashed; time is linear in the size of the body.
 * Never: repeats the body in a message (it may hold the secret); throws for any bytes.
 */
import { Result } from "effect"

import { type JsonValue, isJsonObject } from "./canonical-json.ts"
import { exactNumber, mayBeInexact } from "./exact-number.ts"
import type { FieldError } from "./field-error.ts"
import { findJsonFault } from "./json-fault.ts"
import { jsonPath } from "./json-path.ts"
import { intakeLimits } from "./limits-signals.ts"

/** Why a body was refused. `too_large` is a 413, everything else a 400. */
export interface JsonRefused extends FieldError {
  readonly reason:
    | "too_large"
    | "not_utf8"
    | "syntax"
    | "duplicate_key"
    | "too_deep"
    | "too_many"
    | "not_finite"
    | "bad_text"
}

const refused = (reason: JsonRefused["reason"], path: string, message: string): JsonRefused => ({
  reason,
  path,
  message
})

/** How much one text may contain. */
export interface JsonBounds {
  readonly depthMax: number
  readonly valuesMax: number
}

/** What an unknown sender may send. */
const bodyBounds: JsonBounds = {
  depthMax: intakeLimits.bodyDepthMax,
  valuesMax: intakeLimits.bodyValuesMax
}

interface Walk {
  readonly bounds: JsonBounds
  keys: number
  values: number
  /** Inside out: pushed while the recursion returns, so that a valid body pays nothing for paths. */
  readonly trail: Array<string | number>
}

type Fault = { readonly reason: JsonRefused["reason"]; readonly message: string }

const tooDeep = ({ bounds }: Walk): Fault => ({
  reason: "too_deep",
  message: `must not nest deeper than ${bounds.depthMax}`
})
const tooMany = ({ bounds }: Walk): Fault => ({
  reason: "too_many",
  message: `must not have more than ${bounds.valuesMax} values`
})
const NOT_FINITE: Fault = {
  reason: "not_finite",
  message: "must be a number within a double's range (not 1e999), of at most 1,000 digits"
}
const LONE_SURROGATE: Fault = {
  reason: "bad_text",
  message: "must be well-formed Unicode (a surrogate stands alone)"
}
const NUL: Fault = { reason: "bad_text", message: "must not contain the character NUL" }
const PROTO: Fault = { reason: "bad_text", message: "must not be a key" }

const textFault = (text: string): Fault | null => {
  if (!text.isWellFormed()) return LONE_SURROGATE
  return text.includes("\u0000") ? NUL : null
}

const walkObject = (object: Readonly<Record<string, JsonValue>>, depth: number, walk: Walk): Fault | null => {
  const keys = Object.keys(object)
  walk.keys += keys.length
  for (const key of keys) {
    const fault =
      textFault(key) ?? (key === "__proto__" ? PROTO : walkValue(object[key] ?? null, depth + 1, walk))
    if (fault !== null) {
      walk.trail.push(key)
      return fault
    }
  }
  return null
}

const walkArray = (items: ReadonlyArray<JsonValue>, depth: number, walk: Walk): Fault | null => {
  for (const [index, item] of items.entries()) {
    const fault = walkValue(item, depth + 1, walk)
    if (fault !== null) {
      walk.trail.push(index)
      return fault
    }
  }
  return null
}

const walkValue = (value: JsonValue, depth: number, walk: Walk): Fault | null => {
  walk.values += 1
  if (walk.values > walk.bounds.valuesMax) return tooMany(walk)
  if (typeof value === "string") return textFault(value)
  if (typeof value === "number") return Number.isFinite(value) ? null : NOT_FINITE
  if (Array.isArray(value))
    return depth >= walk.bounds.depthMax ? tooDeep(walk) : walkArray(value, depth, walk)
  if (isJsonObject(value))
    return depth >= walk.bounds.depthMax ? tooDeep(walk) : walkObject(value, depth, walk)
  return null
}

const QUOTE = 34
const BACKSLASH = 92
const COLON = 58

/** Members of all objects in a valid JSON text: its colons outside strings. */
const countMembers = (text: string): number => {
  let members = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === COLON) members += 1
    else if (code === QUOTE) {
      for (at += 1; text.charCodeAt(at) !== QUOTE; at += 1) if (text.charCodeAt(at) === BACKSLASH) at += 1
    }
  }
  return members
}

/** What the slow search finds in a text the fast path refused; `reason` is what the fast path knows. */
const located = (text: string, reason: "syntax" | "duplicate_key"): JsonRefused => {
  const fault = findJsonFault(text)
  return fault === null
    ? refused(reason, "", "must be JSON")
    : refused(fault.reason, fault.path, fault.message)
}

const parseNative = (text: string): { readonly value: JsonValue } | null => {
  try {
    const value: JsonValue = JSON.parse(text)
    return { value }
  } catch {
    // Only a syntax error can come from here; its message quotes the body, so it is replaced by our own.
    return null
  }
}

/**
 * Any JSON, with numbers that a double cannot hold as `ExactNumber`, and NaN for one that cannot be kept. Throws
 * SyntaxError as the native parser does, and RangeError for a text that nests thousands deep.
 */
export const parseExactly = (text: string): JsonValue => {
  if (!mayBeInexact(text)) return JSON.parse(text)
  return JSON.parse(text, (_key, value: JsonValue, context?: { readonly source?: string }) =>
    typeof value === "number" ? exactNumber(context?.source ?? "", value) : value
  )
}

/** The second reading, of a text that the first one found to be valid and flat enough for it. */
const readExactly = (text: string, bounds: JsonBounds): Result.Result<JsonValue, JsonRefused> => {
  const value = parseExactly(text)
  const walk: Walk = { bounds, keys: 0, values: 0, trail: [] }
  const fault = walkValue(value, 0, walk)
  return fault === null
    ? Result.succeed(value)
    : Result.fail(refused(fault.reason, jsonPath(walk.trail.toReversed()), fault.message))
}

/** Reads a text as JSON under the rules of this file; `bounds` are those of a body unless a caller has its own. */
export const readJsonText = (
  text: string,
  bounds: JsonBounds = bodyBounds
): Result.Result<JsonValue, JsonRefused> => {
  if (text.trim() === "") return Result.fail(refused("syntax", "", "must be JSON, and is empty"))
  const parsed = parseNative(text)
  if (parsed === null) return Result.fail(located(text, "syntax"))
  const walk: Walk = { bounds, keys: 0, values: 0, trail: [] }
  const fault = walkValue(parsed.value, 0, walk)
  if (fault !== null)
    return Result.fail(refused(fault.reason, jsonPath(walk.trail.toReversed()), fault.message))
  // A key given twice is one key of the value and two of the text.
  if (countMembers(text) !== walk.keys) return Result.fail(located(text, "duplicate_key"))
  return mayBeInexact(text) ? readExactly(text, bounds) : Result.succeed(parsed.value)
}

// Fatal: a byte that is not UTF-8 would become U+FFFD and change what was signed. A byte order mark is kept, and so refused (T12).
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const decode = (bytes: Uint8Array): string | null => {
  try {
    return utf8.decode(bytes)
  } catch {
    // The decoder has one error only: the bytes are not UTF-8.
    return null
  }
}

/** Reads a body as JSON: at most `bytesMax` bytes of UTF-8, those of a post unless a caller has its own bound. */
export const readJson = (
  bytes: Uint8Array,
  bytesMax: number = intakeLimits.bodyBytesMax
): Result.Result<JsonValue, JsonRefused> => {
  if (bytes.byteLength > bytesMax) {
    return Result.fail(refused("too_large", "", `must be at most ${bytesMax} bytes`))
  }
  const text = decode(bytes)
  return text === null ? Result.fail(refused("not_utf8", "", "must be UTF-8")) : readJsonText(text)
}
