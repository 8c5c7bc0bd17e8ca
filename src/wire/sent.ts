/**
 * sent: the forms in which external senders write a value.
 *
 * Their templates write "" or null for what they do not know, numbers as text, and words in any case. What a value means is
 * a rule of the domain (a symbol, a time, a decimal), which reads it; this file defines which JSON may hold it, so that the
 * same schema reads a body and describes it.
 *
 * Promises: whatever is accepted matches the JSON Schema of its form; an optional field is null when absent, null or blank;
 * a field has one error at most, with the message of the rule.
 * Never: looks at two fields, or loses a digit of a number.
 */
import { z } from "zod"
// That of `zod` creates a closure per value, whose garbage survives young collections here: 14 microseconds per body, not 4.
import { transform } from "zod/mini"
import type { JsonObject } from "../domain/kernel/canonical-json.ts"
import { ExactNumber } from "../domain/kernel/exact-number.ts"

/** Keywords of JSON Schema. */
export type Described = Readonly<Record<string, unknown>>

/** The documentation of a field. */
interface About {
  readonly description: string
  readonly examples?: Array<unknown>
}

/** The own fields of an object from outside; a schema would also read those of a prototype. */
export const ownFields = (object: JsonObject): JsonObject => ({ __proto__: null, ...object })

const isBlank = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === "string" && value.trim() === "")

/** What counts as absent, beside a missing field. */
export const BLANK: Described = { type: ["string", "null"], pattern: "^\\s*$" }

/** The forms of a choice, and of choices within it. */
const formsOf = (described: Described): ReadonlyArray<Described> => {
  const { anyOf, ...more } = described
  return Array.isArray(anyOf) && Object.keys(more).length === 0 ? anyOf.flatMap(formsOf) : [described]
}

/** The form or a blank; the documentation of the field stays outside the choice. */
const orBlank = ({ description, examples, default: _absent, ...form }: Described): Described => {
  const forms = formsOf(form).filter(({ not, type }) => type !== "null" && not === undefined)
  return {
    description,
    ...(examples === undefined ? {} : { examples }),
    ...(forms.length === 0 ? BLANK : { anyOf: [...forms, BLANK] })
  }
}

interface Rendering {
  readonly jsonSchema: Record<string, unknown>
}

/** Replaces the generated keywords by those of `described`. */
const rewritten =
  (described: (given: Described) => Described) =>
  ({ jsonSchema }: Rendering): void => {
    const next = described(jsonSchema)
    for (const key of Object.keys(jsonSchema)) delete jsonSchema[key]
    Object.assign(jsonSchema, next)
  }

const fail = ({ issues }: z.core.ParsePayload, input: unknown, message: string): never => {
  issues.push({ code: "custom", message, input })
  return z.NEVER
}

/** The form, applied to the result of `before`; as zod's `preprocess`. */
const preceded = <Form extends z.ZodType>(
  before: (value: unknown, at: z.core.ParsePayload) => unknown,
  form: Form
) =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the constructor has no type parameters; this is its form
  new z.ZodPreprocess({ type: "pipe", in: transform(before), out: form }) as z.ZodPreprocess<Form>

const unlessBlank = (value: unknown): unknown => (isBlank(value) ? undefined : value)

/** A field that may be absent, null or blank: it is null then. */
export const optional = <Form extends z.ZodType>(form: Form, about: About) =>
  preceded(unlessBlank, form.nullable().default(null)).meta({
    ...about,
    override: rewritten(orBlank)
  })

/** A field that must be present and not blank. */
export const required = <Form extends z.ZodType>(form: Form, about: About) =>
  preceded((value, at) => (isBlank(value) ? fail(at, value, "is required") : value), form).meta({ ...about })

/** The same; a missing one is refused with the message of its form. */
export const stated = <Form extends z.ZodType>(form: Form, about: About) =>
  preceded(unlessBlank, form).meta({ ...about })

/** How the rules of the domain report an error. */
type Wrong = { message: string }

/** The message of a rule for a value of another type, as the error of a schema. */
export const wordsOf = (read: (given: unknown) => object | Wrong) => ({
  error: ({ input }: { readonly input?: unknown }): string => {
    const answer = read(input)
    return "message" in answer ? answer.message : "must be of another type"
  }
})

/** A value read by a rule of the domain: what `take` selects from its result, or its message as the error. */
export const readBy = <Form extends z.ZodType, Read extends object, Value>(
  form: Form,
  read: (given: z.output<Form>) => Read | Wrong,
  take: (read: Read) => Value
) =>
  z.pipe(
    form,
    transform((given: z.output<Form>, at): Value => {
      const value = read(given)
      return "message" in value ? fail(at, given, value.message) : take(value)
    })
  )

/** Any JSON number with all its digits. */
export const exactNumber = (
  described: Described = {},
  error = (_issue: { readonly input?: unknown }) => "must be a number"
) =>
  z
    .custom<number | ExactNumber>((value) => typeof value === "number" || value instanceof ExactNumber, {
      abort: true,
      error
    })
    .meta({ override: { type: "number", ...described } })

/** A text; `described` adds keywords. */
export const text = (message: string | ReturnType<typeof wordsOf>, described: Described = {}) =>
  z.string(message).meta({ override: described })

/** The pattern of a text in JSON Schema, with blanks around it allowed. `but`: a pattern that it must not start with. */
export const patternOf = ({ source }: RegExp, but = ""): string =>
  `^\\s*${but === "" ? "" : `(?!${but})`}(?:${source.slice(1, -1).replaceAll(/\?<\w+>/g, "")})\\s*$`

const anyCase = (word: string): string =>
  word.replaceAll(/[a-z]/gi, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`)

/** One of these words in any case, as JSON Schema. */
export const wordForm = (words: ReadonlyArray<string>): Described => ({
  type: "string",
  anyOf: [{ enum: [...words] }, { pattern: `^\\s*(?:${words.map(anyCase).join("|")})\\s*$` }]
})

/** A word of a closed list, accepted in any case; the result is spelled as in the list. */
export const wordOf = <const Words extends ReadonlyArray<string>>(
  words: Words,
  message = `must be one of ${words.join(", ")}`
) => {
  const byUpper = new Map<string, Words[number]>(words.map((word) => [word.toUpperCase(), word]))
  const read = (given: string) => {
    const word = byUpper.get(given.trim().toUpperCase())
    return word === undefined ? { message } : { word }
  }
  return readBy(z.string(message), read, ({ word }) => word).meta({ override: wordForm(words) })
}
