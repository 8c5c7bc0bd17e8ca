/**
 * canonical-json: one text per JSON value, whatever order its keys were sent in.
 *
 * Two posts are the same when their canonical texts are: keys sorted by UTF-16 code units and numbers in their
 * shortest form, as RFC 8785 has it, or with all their digits when a double cannot hold them. The body's `secret` proves who sent it and is no part of what was sent, so
 * it is dropped before anything is hashed or stored.
 *
 * Promises: values that differ only in key order, whitespace, escapes or number notation have equal texts.
 * Never: keeps a secret; sees a value that `readJson` did not accept (depth is bounded there).
 */
import { hash } from "node:crypto"

import { ExactNumber } from "./exact-number.ts"

export type JsonValue = null | boolean | number | ExactNumber | string | ReadonlyArray<JsonValue> | JsonObject

/** A JSON object. Read it with `Object.hasOwn` or through `fieldOf`: its keys come from outside. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** The field of the body that authenticates it. Only the top level: a nested key of that name is the sender's own. */
export const SECRET_FIELD = "secret"

/** True for a JSON object, false for null, arrays and scalars. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)

/** An own field of an object from outside; undefined when absent. Never looks at a prototype. */
export const fieldOf = (object: JsonObject, key: string): JsonValue | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined

/** The body without its secret, for the row and the hash. */
export const withoutSecret = (body: JsonObject): JsonObject => {
  if (!Object.hasOwn(body, SECRET_FIELD)) return body
  const { [SECRET_FIELD]: _dropped, ...kept } = body
  return kept
}

const writeObject = (object: JsonObject): string => {
  const members = Object.keys(object)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] ?? null)}`)
  return `{${members.join(",")}}`
}

/** The canonical text of a value. Negative zero is written as zero, as JSON.stringify has it. */
export const canonicalJson = (value: JsonValue): string => {
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => canonicalJson(item)).join(",")}]`
  if (isJsonObject(value)) return writeObject(value)
  return JSON.stringify(value)
}

/** sha256 of the canonical text of a body without its secret, 64 hexadecimal characters: `signals.body_hash`. */
export const bodyHash = (body: JsonObject): string =>
  hash("sha256", canonicalJson(withoutSecret(body)), "hex")
