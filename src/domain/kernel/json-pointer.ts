/**
 * json-pointer: a place in a JSON value, as RFC 6901 writes it (`/order/amount`, `/legs/0/side`).
 *
 * Promises: pure; only own fields and items of arrays are found; `~1` and `~0` stand for a slash and a tilde in a name.
 * Never: reads a prototype.
 */
import { fieldOf, isJsonObject, type JsonValue } from "./canonical-json.ts"

/** The names on the way. */
export type PointerPath = ReadonlyArray<string>

/** A pointer to a part of a value: a slash and a name, at least once. */
export const POINTER = /^(?:\/(?:[^~/]|~[01])+)+$/

/** The path of a pointer that matches `POINTER`. */
export const pathOfPointer = (pointer: string): PointerPath =>
  pointer
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"))

const partOf = (value: JsonValue | undefined, name: string): JsonValue | undefined => {
  if (value === undefined) return undefined
  if (isJsonObject(value)) return fieldOf(value, name)
  if (!Array.isArray(value) || !/^(?:0|[1-9]\d{0,4})$/.test(name)) return undefined
  return value[Number(name)]
}

/** What is there; undefined for nothing. */
export const valueAt = (value: JsonValue, path: PointerPath): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>(partOf, value)

/** The value without what is there. An item of an array becomes null, so that the others keep their places. */
export const withoutAt = (value: JsonValue, [name = "", ...rest]: PointerPath): JsonValue => {
  const inner = partOf(value, name)
  if (inner === undefined) return value
  const left = rest.length === 0 ? null : withoutAt(inner, rest)
  if (Array.isArray(value))
    return value.map((item: JsonValue, index) => (index === Number(name) ? left : item))
  if (!isJsonObject(value)) return value
  if (rest.length > 0) return { ...value, [name]: left }
  const { [name]: _dropped, ...kept } = value
  return kept
}
