/**
 * json-fault: where a text stops being acceptable JSON, and what stands there instead.
 *
 * Runs only on bodies that are refused anyway, so it is written for its answers: a strict reader of RFC 8259
 * that keeps the path while it reads and names the usual mistakes of hand-written templates (NaN, Infinity,
 * single quotes, a trailing comma, a placeholder that was never filled in, a body cut off in the middle).
 *
 * Promises: finds a fault exactly when the native parser refuses the text, when a key is given twice, or when the
 * text nests too deep; messages contain no text of the body.
 * Never: recurses deeper than `bodyDepthMax`; runs on accepted bodies.
 */
import { jsonPath } from "./json-path.ts"
import { intakeLimits } from "./limits.ts"

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

const MISTAKES: ReadonlyArray<readonly [RegExp, string]> = [
  [/^$/, "the body ends here: it was cut off"],
  [/^[-+]?(?:NaN|nan|Infinity|inf)\b/, "NaN and Infinity are not JSON numbers"],
  [/^(?:undefined|None|True|False|Null|NULL|TRUE|FALSE)\b/, "must be true, false or null, in lower case"],
  [/^\{\{/, "a placeholder was not filled in"],
  [/^'/, "text must be in double quotes"],
  [/^\/[/*]/, "comments are not JSON"],
  [/^[}\]]/, "a value is missing, or a comma is too many"],
  [/^[-+.\d]/, "must be a number as JSON writes it, such as 12 or 0.5"],
  [/^"/, "text must not contain raw control characters or unknown escapes, and must end with a quote"]
]

const failHere = (cursor: Cursor, otherwise: string): false => {
  const rest = cursor.text.slice(cursor.at, cursor.at + 16)
  return fail(cursor, MISTAKES.find(([pattern]) => pattern.test(rest))?.[1] ?? otherwise)
}

const readToken = (cursor: Cursor): boolean => {
  const text = stringAt(cursor)
  if (text !== null) {
    cursor.at += text.length
    return true
  }
  const token = matchAt(cursor, NUMBER) ?? matchAt(cursor, LITERAL)
  if (token === null) return failHere(cursor, "must be a JSON value; text must be in double quotes")
  const next = cursor.text.charAt(cursor.at + token.length)
  if (WORD.test(next)) return failHere(cursor, "must be a JSON value; text must be in double quotes")
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
    failHere(cursor, "a colon is missing after the key")
    return null
  }
  cursor.at += 1
  return key
}

const readMember = (cursor: Cursor, seen: Set<string>): boolean => {
  skip(cursor)
  if (readKey(cursor, seen) === null) return false
  if (!readValue(cursor)) return false
  cursor.path.pop()
  return true
}

const readItem = (cursor: Cursor, index: number): boolean => {
  cursor.path.push(index)
  if (!readValue(cursor)) return false
  cursor.path.pop()
  return true
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
    skip(cursor)
    const next = cursor.text.charAt(cursor.at)
    if (next === close) {
      cursor.at += 1
      return true
    }
    if (next !== ",") return failHere(cursor, `a comma or ${close} is missing`)
    cursor.at += 1
  }
}

const readValue = (cursor: Cursor): boolean => {
  skip(cursor)
  const first = cursor.text.charAt(cursor.at)
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
