/**
 * Field checks for child specifications: precise refusals, unknown keys included.
 *
 * A typing error in a supervision policy is found at the moment the literal is built, with the path of the key,
 * not at the first crash in production. TypeScript finds most of it; specs also arrive from configuration and
 * from plain JavaScript.
 * Promises: the first fault found is reported with the path of its key and what was expected.
 * Never: coerces a value.
 */
import { Data } from "effect"

/** A specification cannot be used: `at` is the path of the key, such as `accounts.backoff.maxMs`. A configuration error. */
export class SpecInvalid extends Data.TaggedError("SpecInvalid")<{
  readonly at: string
  readonly problem: string
}> {
  readonly failureClass = "configuration" as const
  override get message(): string {
    return `${this.at}: ${this.problem}`
  }
}

/** Throws `SpecInvalid`. */
export const refuse = (at: string, problem: string): never => {
  throw new SpecInvalid({ at, problem })
}

/** Checks one value; refuses by throwing. */
export type Check = (at: string, value: unknown) => void

/** Longer texts are cut: a refusal is a line for a person. */
const shownChars = 64
const show = (value: unknown): string => {
  if (typeof value === "string")
    return JSON.stringify(value.length > shownChars ? `${value.slice(0, shownChars)}…` : value)
  if (typeof value === "function") return "a function"
  // Not by its own toString: an object without a prototype has none, and a hostile one throws.
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object"
  return String(value)
}

/** A finite number of at least `low`. */
export const numberFrom =
  (low: number): Check =>
  (at, value) => {
    if (typeof value !== "number" || !Number.isFinite(value) || value < low)
      refuse(at, `must be a number of at least ${low}, not ${show(value)}`)
  }
/** A whole number of at least `low`. */
export const wholeFrom =
  (low: number): Check =>
  (at, value) => {
    if (!Number.isSafeInteger(value) || (value as number) < low)
      refuse(at, `must be a whole number of at least ${low}, not ${show(value)}`)
  }
/** A whole number of at least `low`, or `Infinity`. */
export const wholeOrInfinity =
  (low: number): Check =>
  (at, value) => {
    if (value !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(value) || (value as number) < low))
      refuse(at, `must be a whole number of at least ${low}, or Infinity, not ${show(value)}`)
  }
/** A finite number of at least `low`, or `Infinity`. */
export const numberOrInfinity =
  (low: number): Check =>
  (at, value) => {
    if (value !== Number.POSITIVE_INFINITY) numberFrom(low)(at, value)
  }
/** One of the given values. */
export const oneOf =
  (...allowed: ReadonlyArray<unknown>): Check =>
  (at, value) => {
    if (!allowed.includes(value))
      refuse(at, `must be one of ${allowed.map(show).join(", ")}, not ${show(value)}`)
  }
/** A finite number of at least `low`, or one of the words. Without a throw: most values are numbers, and specs are many. */
export const numberOrWord =
  (low: number, ...words: ReadonlyArray<string>): Check =>
  (at, value) => {
    if (typeof value === "number" && Number.isFinite(value) && value >= low) return
    if (!words.includes(value as string))
      refuse(at, `must be a number of at least ${low}, ${words.map(show).join(" or ")}, not ${show(value)}`)
  }
/** A function. */
export const aFunction: Check = (at, value) => {
  if (typeof value !== "function") refuse(at, `must be a function, not ${show(value)}`)
}
/** A boolean. */
export const aBoolean: Check = (at, value) => {
  if (typeof value !== "boolean") refuse(at, `must be true or false, not ${show(value)}`)
}
/** An array. */
export const anArray: Check = (at, value) => {
  if (!Array.isArray(value)) refuse(at, `must be an array, not ${show(value)}`)
}
/** Anything. */
export const anything: Check = () => {}
/** A child id: one path segment. */
export const anId: Check = (at, value) => {
  if (typeof value !== "string" || value === "" || value.includes("/") || value.length > 128) {
    refuse(at, `must be a non-empty string of at most 128 characters without "/", not ${show(value)}`)
  }
}

type Fields = Readonly<Record<string, Check>>
/** The same fields, none of which may be absent. */
export const required = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).map(([key, check]) => [key.replace("?", ""), check]))
/** Passes what every check passes; the first refusal counts. */
export const all =
  (...checks: ReadonlyArray<Check>): Check =>
  (at, value) => {
    for (const check of checks) check(at, value)
  }
/** An array whose elements pass the check. */
export const each =
  (check: Check): Check =>
  (at, value) => {
    anArray(at, value)
    // Not by `forEach`, which steps over holes.
    for (const [index, element] of (value as ReadonlyArray<unknown>).entries())
      check(`${at}[${index}]`, element)
  }
/** An array whose elements pass the check and have different ids, where they have one. */
export const distinct = (check: Check): Check =>
  all(each(check), (at, value) => {
    const seen = new Set<unknown>()
    for (const [index, { id }] of (value as ReadonlyArray<{ readonly id?: unknown }>).entries()) {
      if (id !== undefined && seen.has(id)) refuse(`${at}[${index}].id`, `duplicate id ${show(id)}`)
      seen.add(id)
    }
  })
/** An object with exactly these keys, each checked; a key ending in `?` may be absent. */
export const record = (fields: Fields): Check => {
  const known = new Map(
    Object.entries(fields).map(([key, check]) => [
      key.replace("?", ""),
      { check, optional: key.endsWith("?") }
    ])
  )
  return (at, value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return refuse(at, `must be an object, not ${show(value)}`)
    const given = value as Readonly<Record<string, unknown>>
    for (const key of Object.keys(given)) {
      if (!known.has(key)) refuse(`${at}.${key}`, `unknown key; known are ${[...known.keys()].join(", ")}`)
    }
    for (const [key, { check, optional }] of known) {
      if (given[key] === undefined) {
        if (!optional) refuse(`${at}.${key}`, "is missing")
      } else check(`${at}.${key}`, given[key])
    }
  }
}
