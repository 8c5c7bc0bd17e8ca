/**
 * json-path: how a place inside a body is written in an error.
 *
 * A sender sees `score.Buy Score` or `legs[2].symbol`. The keys come from outside and go into answers and log
 * lines, so they are made printable and short first.
 *
 * Promises: printable text of bounded length for any keys; "" for the body itself.
 * Never: is parsed back; two odd keys may look the same.
 */

/** Longest key shown, and most segments; the depth limit bounds the rest. */
const KEY_LENGTH_MAX = 64

const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

const shownKey = (key: string): string => {
  const short = key.length > KEY_LENGTH_MAX ? `${key.slice(0, KEY_LENGTH_MAX)}...` : key
  return short.replace(UNPRINTABLE, "?").toWellFormed()
}

/** The path of keys (text) and indexes (numbers), from the outside in. */
export const jsonPath = (segments: ReadonlyArray<string | number>): string =>
  segments.reduce<string>((path, segment) => {
    if (typeof segment === "number") return `${path}[${segment}]`
    return path === "" ? shownKey(segment) : `${path}.${shownKey(segment)}`
  }, "")
