/**
 * words: the values that every shape of the wire is made of.
 *
 * Money and quantities are text, because JSON numbers are doubles to most readers; 64-bit counters are text for the same
 * reason; every instant is ISO 8601 in UTC.
 *
 * Promises: a value has one form everywhere; a form that a person may get wrong reports what would be right.
 * Never: knows an endpoint.
 */
import { z } from "zod"

export const instant = z.iso.datetime().meta({ id: "Instant", description: "ISO 8601, in UTC." })

export const decimal = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .meta({ id: "Decimal", description: "An exact decimal number, as text.", examples: ["101.25"] })

export const uuid = z.guid("must be a UUID").meta({ id: "Uuid", description: "An id of a row." })

export const count = z.int().nonnegative()

/** JSON whose shape is decided elsewhere: a sender's body, the detail of a component. */
export const anyJson = z.unknown()
export const anyObject = z.record(z.string(), z.unknown())

/** Text without what PostgreSQL cannot store. */
export const storable = (text: z.ZodString): z.ZodString => text.regex(/^[^\0]*$/, "must not contain NUL")

/** A word from a closed list; a wrong one is answered with the list. */
export const oneOf = <const Words extends ReadonlyArray<string>>(words: Words) =>
  z.enum(words, `must be one of ${words.join(", ")}`)
