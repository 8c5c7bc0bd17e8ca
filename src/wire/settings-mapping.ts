/**
 * settings-mapping: the names and words of a sender, as the settings have them.
 *
 * Promises: as settings.ts, which this is a part of; a mapping is bounded in what it may look at and produce.
 * Never: applies one (domain/signals/field-mapping.ts does).
 */
import { z } from "zod"
import { POINTER } from "../domain/kernel/json-pointer.ts"
import type { JsonObject } from "../domain/kernel/canonical-json.ts"
import type { SettingsProblem } from "../domain/kernel/settings.ts"
import type { FieldMappings } from "../domain/kernel/settings-source.ts"
import { fixedValues, MAPPED_FIELDS } from "../domain/signals/field-mapping.ts"
import { oneOf } from "./words.ts"
import { decodeSignal } from "./signal-body.ts"

const pointerWords = "must be a JSON pointer such as /order/amount"
export const pointer = z.string(pointerWords).max(200, pointerWords).regex(POINTER, pointerWords)

const scalarWords = "must be a text, a number or a truth value"
const scalar = z.union([z.string().max(200), z.number(), z.boolean()], scalarWords)
const separator = z.string("must be a text").min(1, "must not be empty").max(32, "must be at most 32 long")

const partWords = 'must be a text, or {"from": "/place"} with after and before'
const part = z.union(
  [
    z.string().max(200),
    z.strictObject({
      from: pointer,
      after: separator.exactOptional(),
      before: separator.exactOptional()
    })
  ],
  partWords
)

const mapping = z
  .strictObject({
    from: z
      .union([pointer, z.array(pointer).min(1).max(8)], `${pointerWords}, or a list of up to 8`)
      .exactOptional()
      .meta({ description: "Where it is in the body; of a list the first place with a value." }),
    constant: scalar.exactOptional().meta({ description: "The same for every post." }),
    join: z
      .array(part, "must be a list of texts and places")
      .min(1, "joins nothing")
      .max(16, "must have at most 16 parts")
      .exactOptional()
      .meta({
        description:
          'Texts and places, one after the other: `[{"from": "/exchange"}, ":", {"from": "/ticker"}]`.'
      }),
    received: z.literal(true, "must be true").exactOptional().meta({
      description:
        "The time of receipt, for senders that name none: equal posts within a minute are then one (T3)."
    }),
    after: separator.exactOptional().meta({ description: "Only what is after the first of this text." }),
    before: separator.exactOptional().meta({ description: "Only what is before the first of this text." }),
    case: oneOf(["upper", "lower"]).exactOptional().meta({ description: "Turns letters." }),
    table: z
      .record(z.string(), scalar.nullable(), "must be an object")
      .refine((table) => Object.keys(table).length <= 500, "must have at most 500 entries")
      .exactOptional()
      .meta({
        description:
          "The sender's words, in any case, to ours; `*` is any other, null makes the field absent. A word that is not in it is an error."
      }),
    default: scalar.exactOptional().meta({ description: "For a value that is absent or blank." })
  })
  .refine(
    (given) =>
      ["from", "constant", "join", "received"].filter((key) => Object.hasOwn(given, key)).length === 1,
    "must have exactly one of from, constant, join and received"
  )
  .meta({ id: "FieldMapping", description: "What a field of ours is made of." })

export const fieldMappings = z
  .strictObject(Object.fromEntries(MAPPED_FIELDS.map((field) => [field, mapping.nullable().exactOptional()])))
  .meta({
    id: "FieldMappings",
    description:
      "What the fields of a signal are made of, where the sender has other names or words ([sources.md](sources.md)). null for a field: what the sender calls by this name is something else."
  })

const sample: JsonObject = { symbol: "X", action: "BUY", timeframe: "1m", timestamp: "2026-01-05T00:00:00Z" }

/** What a value of a field would be refused for; null when it may be right. */
const refusalOf = (field: string, value: string | number | boolean): string | null => {
  if (typeof value === "string" && value.trim() === "") return "must not be blank"
  const { symbol: _symbol, ...rest } = sample
  const read = decodeSignal({ ...(field === "ticker" ? rest : sample), [field]: value })
  return read.ok ? null : (read.errors.find(({ path }) => path === field)?.message ?? null)
}

interface Mapped {
  readonly fields: FieldMappings | null
  readonly timestampIs: "fired" | "bar"
  readonly identity: string
}

const ofTime = ({ fields, identity, timestampIs }: Mapped): ReadonlyArray<SettingsProblem> => {
  const time = fields?.["timestamp"]
  if (time?.constant !== undefined)
    return [{ path: "fields.timestamp.constant", message: "is no time of a signal: take received" }]
  if (time?.received !== true) return []
  const path = "fields.timestamp.received"
  if (timestampIs === "bar") return [{ path, message: 'is the time of no bar: set "timestampIs" to "fired"' }]
  return identity === "id+timestamp"
    ? [{ path, message: 'differs in every repetition: set "identity" to "id" or "body"' }]
    : []
}

/** What of a source's mappings can never be right, with paths below the source. */
export const mappingProblems = (source: Mapped): ReadonlyArray<SettingsProblem> => [
  ...ofTime(source),
  ...Object.entries(source.fields ?? {}).flatMap(([field, given]) =>
    given === null
      ? []
      : fixedValues(given).flatMap(([at, value]) => {
          const message = refusalOf(field, value)
          return message === null ? [] : [{ path: `fields.${field}.${at}`, message }]
        })
  )
]
