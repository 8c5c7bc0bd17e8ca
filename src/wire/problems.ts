/**
 * problems: what a schema found wrong, in the words and paths of a refusal.
 *
 * Promises: every problem is named, by the path of its field; a field that is not known is answered with those that are.
 * Never: repeats a value, which could be a secret.
 */
import type { z } from "zod"
import type { FieldError } from "../domain/kernel/field.ts"

const pathOf = (at: string, keys: ReadonlyArray<PropertyKey>): string =>
  [...(at === "" ? [] : [at]), ...keys.map(String)].join(".")

/** The value that a schema makes of `given`, or what is wrong with it. `at` stands before every path. */
export const decode = <Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
  at = ""
):
  | { readonly ok: true; readonly value: z.output<Schema> }
  | { readonly ok: false; readonly errors: ReadonlyArray<FieldError> } => {
  const parsed = schema.safeParse(given)
  if (parsed.success) return { ok: true, value: parsed.data }
  const known = Object.keys(schema.shape).join(", ")
  const what = at === "query" ? "parameter" : "field"
  const errors = parsed.error.issues.flatMap((issue): ReadonlyArray<FieldError> =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({
          path: pathOf(at, [...issue.path, key]),
          message: known === "" ? `unknown ${what}; there is none` : `unknown ${what}; use ${known}`
        }))
      : [{ path: pathOf(at, issue.path), message: issue.message }]
  )
  return { ok: false, errors: [...new Map(errors.map((error) => [error.path, error])).values()] }
}
