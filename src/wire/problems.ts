/**
 * problems: what a schema found wrong, as messages and paths of a refusal.
 *
 * Promises: every problem is named by the path of its field; an unknown field is reported with the known ones.
 * Never: repeats a value, which could be a secret.
 */
import { z } from "zod"
import type { FieldError } from "../domain/kernel/field-error.ts"

const pathOf = (at: string, keys: ReadonlyArray<PropertyKey>): string =>
  [...(at === "" ? [] : [at]), ...keys.map(String)].join(".")

/** The keys of the object at `path` of a schema, through whatever wraps it. */
const keysAt = (
  schema: z.core.$ZodType | undefined,
  path: ReadonlyArray<PropertyKey>
): ReadonlyArray<string> => {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodExactOptional
  )
    return keysAt(schema.unwrap(), path)
  const [key, ...rest] = path
  if (schema instanceof z.ZodObject)
    return key === undefined ? Object.keys(schema.shape) : keysAt(schema.shape[String(key)], rest)
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, rest)
  return schema instanceof z.ZodArray ? keysAt(schema.element, rest) : []
}

/** What a part must be, in words, where its schema has none of its own. */
const TYPES: Readonly<Record<string, string>> = {
  object: "must be an object",
  record: "must be an object",
  array: "must be a list",
  string: "must be a text",
  number: "must be a number",
  int: "must be a whole number",
  boolean: "must be true or false"
}

/** The message of an issue; that of the library, which speaks of its own, is put into words. */
const messageOf = (issue: z.core.$ZodIssue): string => {
  // A record's key has the message of the key's own schema.
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message
  if (issue.code !== "invalid_type" || !issue.message.startsWith("Invalid input")) return issue.message
  if (issue.message.endsWith("received undefined")) return "is required"
  return TYPES[issue.expected] ?? "must be of another type"
}

/** The value that a schema made of what was given, or all that is wrong with it. */
export type Decoded<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly errors: ReadonlyArray<FieldError> }

/**
 * The value that a schema makes of `given`, or what is wrong with it. `at` prefixes every path; `what` is the word for a
 * part of it.
 */
export const decode = <Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
  { at = "", what = "field" }: { readonly at?: string; readonly what?: string } = {}
): Decoded<z.output<Schema>> => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return { ok: true, value: parsed.data }
  const errors = parsed.error.issues.flatMap((issue): ReadonlyArray<FieldError> => {
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, issue.path).join(", ")
      const message = known === "" ? `unknown ${what}; there is none` : `unknown ${what}; use ${known}`
      return issue.keys.map((key) => ({ path: pathOf(at, [...issue.path, key]), message }))
    }
    return [{ path: pathOf(at, issue.path), message: messageOf(issue) }]
  })
  return {
    ok: false,
    errors: [...new Map(errors.toReversed().map((error) => [error.path, error])).values()].toReversed()
  }
}
