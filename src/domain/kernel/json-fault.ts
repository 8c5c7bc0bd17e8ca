/**
 * json-fault: where a text stops being acceptable JSON, and what stands there instead.
 *
 * Runs only on bodies that are refused anyway, so it is written for good messages: a strict reader of RFC 8259
 * that tracks the path while it reads and names the usual mistakes of hand-written templates (NaN, Infinity,
 * single quotes, an extra or missing comma, a byte order mark, a body cut off in the middle), with the placeholder that is probably
 * behind it.
 *
 * Promises: finds a fault exactly when the native parser refuses the text, when a key is given twice, or when the
 * text nests too deep; messages contain no text of the body but the name of a known placeholder.
 * Never: recurses deeper than `bodyDepthMax`; runs on accepted bodies.
 */
import { jsonPath } from "./json-path.ts"
import { intakeLimits } from "./limits-signals.ts"
import { unfilledWords, usualPlaceholder } from "./placeholder.ts"

/** The first fault of a text. `path` is "" for the body itself. */
export interface JsonFault {
  readonly reason: "syntax" | "duplicate_key" | "too_deep"
  readonly path: string
  readonly message: string
}

interface Cursor {
  readonly text: string
  at: number
  readonly path: Array<string | number>
  fault: JsonFault | null
}

const WHITESPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const LITERAL = /true|false|null/y
/** What may not follow a number or a literal directly: `1x`, `01`, `nullish`. */
const WORD = /[\w.+-]/

const matchAt = (cursor: Cursor, pattern: RegExp): string | null => {
  pattern.lastIndex = cursor.at
  const match = pattern.exec(cursor.text)
  return match === null ? null : match[0]
}

/**
 * The string at the cursor with its quotes, or null. A loop and not one pattern: on a long text without an end a
 * pattern would backtrack over all of it.
 */
const stringAt = (cursor: Cursor): string | null => {
  const { text, at: start } = cursor
  if (text.charAt(start) !== '"') return null
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (character === '"') return text.slice(start, at + 1)
    if (character < " ") return null
    if (character === "\\") {
      ESCAPE.lastIndex = at
      const escape = ESCAPE.exec(text)
      if (escape === null) return null
      at += escape[0].length - 1
    }
  }
  return null
}

const skip = (cursor: Cursor): void => {
  cursor.at += matchAt(cursor, WHITESPACE)?.length ?? 0
}

const fail = (cursor: Cursor, message: string, reason: JsonFault["reason"] = "syntax"): false => {
  const where = reason === "syntax" ? ` (character ${cursor.at + 1})` : ""
  cursor.fault ??= { reason, path: jsonPath(cursor.path), message: `${message}${where}` }
  return false
}

/** What a message adds about a placeholder, given the one that usually stands in the field; null where nobody knows the field. */
type Hint = (usual: string) => string

const hadNoValue: Hint = (usual) => `; ${usual} had no value`
const quoted: Hint = (usual) => `, as in "${usual}"`
const orQuoted: Hint = (usual) => `; text must be in double quotes${quoted(usual)}`

const MISTAKES: ReadonlyArray<readonly [RegExp, string, Hint?]> = [
  [/^$/, "the body ends here: it was cut off"],
  [/^\ufeff/, "a byte order mark is in front of the JSON: send the text as UTF-8 without one"],
  [/^[-+]?(?:NaN|nan|Infinity|inf)\b/, "NaN and Infinity are not JSON numbers", hadNoValue],
  [/^(?:undefined|None|True|False|Null|NULL|TRUE|FALSE)\b/, "must be true, false or null, in lower case"],
  [/^'/, "text must be in double quotes", quoted],
  [/^\/[/*]/, "comments are not JSON"],
  [/^[}\],]/, "a value is missing, or there is an extra comma", hadNoValue],
  [/^[-+.\d]/, "must be a number as JSON writes it, such as 12 or 0.5", orQuoted],
  [/^"/, "text must not contain raw control characters or unknown escapes, and must end with a quote"]
]

/** Reports what stands at the cursor. `isValue`: where the value of a field should be, which has its usual placeholder. */
const failHere = (cursor: Cursor, otherwise: string, isValue = false): false => {
  const rest = cursor.text.slice(cursor.at, cursor.at + 80)
  if (rest.startsWith("{{"))
    return fail(cursor, `${unfilledWords(rest)}, or its value must be in double quotes`)
  const [, message, hint] = MISTAKES.find(([pattern]) => pattern.test(rest)) ?? [null, otherwise, quoted]
  const usual = isValue ? usualPlaceholder(String(cursor.path.at(-1))) : null
  return fail(cursor, usual === null || hint === undefined ? message : `${message}${hint(usual)}`)
}

const readToken = (cursor: Cursor): boolean => {
  const text = stringAt(cursor)
  if (text !== null) {
    cursor.at += text.length
    return true
  }
  const token = matchAt(cursor, NUMBER) ?? matchAt(cursor, LITERAL)
  if (token === null) return failHere(cursor, "must be a JSON value; text must be in double quotes", true)
  const next = cursor.text.charAt(cursor.at + token.length)
  if (WORD.test(next)) return failHere(cursor, "must be a JSON value; text must be in double quotes", true)
  cursor.at += token.length
  return true
}

const readKey = (cursor: Cursor, seen: Set<string>): string | null => {
  const raw = stringAt(cursor)
  if (raw === null) {
    failHere(cursor, "a key in double quotes is missing")
    return null
  }
  const key: string = JSON.parse(raw)
  cursor.at += raw.length
  cursor.path.push(key)
  if (seen.has(key)) {
    fail(cursor, "must not be given twice", "duplicate_key")
    return null
  }
  seen.add(key)
  skip(cursor)
  if (cursor.text.charAt(cursor.at) !== ":") {
    // Not a fault of what is here, which may be a good value; only the end of the body is a different matter.
    if (cursor.at >= cursor.text.length) failHere(cursor, "")
    else fail(cursor, "a colon is missing after the key")
    return null
  }
  cursor.at += 1
  return key
}

/** Reads a member and leaves its key in the path, so that a fault right after it is reported for it. */
const readMember = (cursor: Cursor, seen: Set<string>): boolean => {
  skip(cursor)
  return readKey(cursor, seen) !== null && readValue(cursor)
}

/** Reads an item and leaves its number in the path. */
const readItem = (cursor: Cursor, index: number): boolean => {
  cursor.path.push(index)
  return readValue(cursor)
}

/** What begins a key or a value: where it follows a value, a comma was forgotten. */
const BEGINS = /^(?:["{[\w-]|\.\d)/
/** A key with its colon, which no array has. */
const KEY = /^"[^"]*"\s*:/

/**
 * Reports what is wrong after a value, `end` being where that value ends. A forgotten comma is reported there, and not
 * at the good text after it.
 */
const failBehind = (cursor: Cursor, close: "}" | "]", end: number): false => {
  const rest = cursor.text.slice(cursor.at)
  if (!BEGINS.test(rest)) {
    cursor.path.pop()
    return failHere(cursor, `a comma or ${close} is missing`)
  }
  cursor.at = end
  return fail(
    cursor,
    close === "]" && KEY.test(rest)
      ? "a ] is missing after this value"
      : "a comma is missing after this value"
  )
}

/** Reads an object or array whose opening bracket is at the cursor. */
const readNest = (cursor: Cursor, close: "}" | "]"): boolean => {
  if (cursor.path.length >= intakeLimits.bodyDepthMax) {
    return fail(cursor, `must not nest deeper than ${intakeLimits.bodyDepthMax}`, "too_deep")
  }
  cursor.at += 1
  skip(cursor)
  if (cursor.text.charAt(cursor.at) === close) {
    cursor.at += 1
    return true
  }
  const seen = new Set<string>()
  for (let index = 0; ; index += 1) {
    if (!(close === "}" ? readMember(cursor, seen) : readItem(cursor, index))) return false
    const end = cursor.at
    skip(cursor)
    const next = cursor.text.charAt(cursor.at)
    if (next !== close && next !== ",") return failBehind(cursor, close, end)
    cursor.path.pop()
    cursor.at += 1
    if (next === close) return true
  }
}

const readValue = (cursor: Cursor): boolean => {
  skip(cursor)
  const first = cursor.text.charAt(cursor.at)
  if (cursor.text.startsWith("{{", cursor.at)) return failHere(cursor, "")
  if (first === "{") return readNest(cursor, "}")
  if (first === "[") return readNest(cursor, "]")
  return readToken(cursor)
}

/** The first fault of a text, or null when there is none. */
export const findJsonFault = (text: string): JsonFault | null => {
  const cursor: Cursor = { text, at: 0, path: [], fault: null }
  if (readValue(cursor)) {
    skip(cursor)
    if (cursor.at < text.length) fail(cursor, "nothing may follow the JSON value")
  }
  return cursor.fault
}
