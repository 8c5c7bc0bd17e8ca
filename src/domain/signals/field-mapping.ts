/**
 * field-mapping: from the names and words of a sender to ours, as its source says, so that alert texts need not change.
 *
 * A field is taken from a place in the body, is a constant, or is joined of both; a table turns the sender's words into ours. There
 * is no code and nothing that loops, so a mapping costs what its size in the settings is, and can be judged when they are read.
 *
 * Promises: pure; what a field was made of is named for the trace; a field that is not mapped is the sender's own; what was
 * sent is not changed.
 * Never: guesses: a word that a table does not have is an error, and what is not there is absent.
 */
import type { JsonObject, JsonValue } from "../kernel/canonical-json.ts"
import { ExactNumber } from "../kernel/exact-number.ts"
import type { FieldError } from "../kernel/field-error.ts"
import { pathOfPointer, type PointerPath, valueAt } from "../kernel/json-pointer.ts"
import type { FieldMapping, FieldMappings } from "../kernel/settings-source.ts"
import { SIGNAL_FIELDS } from "./signal.ts"

/** Fields that may be mapped. */
export const MAPPED_FIELDS = [...SIGNAL_FIELDS, "timestamp", "id"] as const

type Scalar = string | number | boolean

export interface MappedBody {
  readonly body: JsonObject
  /** What each field was made of. */
  readonly how: Readonly<Record<string, string>>
  readonly errors: ReadonlyArray<FieldError>
  /** The timestamp is the time of receipt. */
  readonly isReceived: boolean
}

export type Mapper = (sent: JsonObject, cameAtMs: number) => MappedBody

/** Symbols and names are much shorter; what is longer than this is no field of a signal. */
const TEXT_LENGTH_MAX = 1_000

/** The text of a scalar; undefined for anything else. */
const textOf = (value: JsonValue | undefined): string | undefined => {
  if (typeof value === "string") return value
  if (value instanceof ExactNumber) return JSON.stringify(value)
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined
}

const isBlank = (value: JsonValue | undefined): boolean =>
  value === undefined || value === null || (typeof value === "string" && value.trim() === "")

const cut = (text: string, { after, before }: Pick<FieldMapping, "after" | "before">): string => {
  const start = after === undefined ? -1 : text.indexOf(after)
  const rest = start < 0 || after === undefined ? text : text.slice(start + after.length)
  const end = before === undefined ? -1 : rest.indexOf(before)
  return end < 0 ? rest : rest.slice(0, end)
}

interface Found {
  readonly value: JsonValue | undefined
  readonly how: string
}

type Finder = (sent: JsonObject, cameAtMs: number) => Found

/** Where a value comes from, before it is turned into ours. */
const finderOf = ({ constant, from, join, received }: FieldMapping): Finder => {
  if (received === true) return (_sent, cameAtMs) => ({ value: cameAtMs, how: "the time of receipt" })
  if (constant !== undefined) return () => ({ value: constant, how: "a constant" })
  if (join !== undefined) {
    const how = join.map((part) => (typeof part === "string" ? JSON.stringify(part) : part.from)).join(" + ")
    const parts = join.map((part) =>
      typeof part === "string" ? part : { part, path: pathOfPointer(part.from) }
    )
    return (sent) => {
      const texts = parts.map((part) => {
        if (typeof part === "string") return part
        const text = textOf(valueAt(sent, part.path))
        return text === undefined ? undefined : cut(text.trim(), part.part)
      })
      // A part that is missing makes no shorter text, which could mean something else.
      return { value: texts.some((text) => isBlank(text)) ? undefined : texts.join(""), how }
    }
  }
  const places = (typeof from === "string" ? [from] : (from ?? [])).map(
    (pointer): readonly [string, PointerPath] => [pointer, pathOfPointer(pointer)]
  )
  return (sent) => {
    for (const [how, path] of places) {
      const value = valueAt(sent, path)
      if (!isBlank(value)) return { value, how }
    }
    return { value: undefined, how: places.map(([pointer]) => pointer).join(" or ") }
  }
}

type Turned = { readonly value: JsonValue | undefined; readonly how: string } | { readonly message: string }

/** How a value is turned into ours. */
const turnerOf = (mapping: FieldMapping): ((found: Found) => Turned) => {
  const { after, before, case: letters, default: absent, table } = mapping
  const words = new Map(
    Object.entries(table ?? {}).map(([word, value]) => [word.trim().toLowerCase(), value] as const)
  )
  const other = words.get("*")
  const between = { ...(after === undefined ? {} : { after }), ...(before === undefined ? {} : { before }) }
  const isPlain = Object.keys(between).length === 0 && letters === undefined && table === undefined
  const lookUp = (text: string, how: string): Turned => {
    const known = words.get(text.toLowerCase())
    const value = known === undefined ? other : known
    if (value === undefined)
      return { message: `is mapped from ${how}, whose value is none of ${[...words.keys()].join(", ")}` }
    return { value: value ?? undefined, how: `${how} by table` }
  }
  const turn = ({ how, value }: Found): Turned => {
    if (isPlain || isBlank(value)) return { value, how }
    const text = textOf(value)
    if (text === undefined) return { message: `is mapped from ${how}, which must be a text or a number` }
    const part = cut(text.trim(), between).trim()
    const cased = letters === "upper" ? part.toUpperCase() : letters === "lower" ? part.toLowerCase() : part
    return table === undefined ? { value: cased, how } : lookUp(cased, how)
  }
  return (found) => {
    const turned = turn(found)
    if ("message" in turned || absent === undefined || !isBlank(turned.value)) return turned
    return { value: absent, how: "a default" }
  }
}

/** Another name of the same field: what one is mapped to replaces both. */
const ALIASES: Readonly<Record<string, string>> = { symbol: "ticker", ticker: "symbol" }

/** What a post of a source is mapped by. Mappings are right (`mappingProblems`). */
export const mapperOf = (mappings: FieldMappings): Mapper => {
  const rules = MAPPED_FIELDS.flatMap((field) => {
    const mapping = mappings[field]
    if (mapping === undefined) return []
    const rule = mapping === null ? null : { find: finderOf(mapping), turn: turnerOf(mapping) }
    return [{ field, rule }]
  })
  const replaced = rules.flatMap(({ field, rule }) => {
    const alias = ALIASES[field]
    return alias === undefined || rule === null || mappings[alias] !== undefined ? [field] : [field, alias]
  })
  return (sent, cameAtMs) => {
    const fields: Record<string, JsonValue> = { ...sent }
    const how: Record<string, string> = {}
    const errors: Array<FieldError> = []
    for (const name of replaced) delete fields[name]
    for (const { field, rule } of rules) {
      if (rule === null) continue
      const turned = rule.turn(rule.find(sent, cameAtMs))
      if ("message" in turned) errors.push({ path: field, message: turned.message })
      else if (turned.value !== undefined) {
        if (typeof turned.value === "string" && turned.value.length > TEXT_LENGTH_MAX)
          errors.push({ path: field, message: `is mapped to more than ${TEXT_LENGTH_MAX} characters` })
        fields[field] = turned.value
        how[field] = turned.how
      }
    }
    return { body: fields, how, errors, isReceived: mappings["timestamp"]?.received === true }
  }
}

/** The values of ours that a mapping may produce whatever is sent, with their paths below it. */
export const fixedValues = ({
  constant,
  default: absent,
  table = {}
}: FieldMapping): ReadonlyArray<readonly [path: string, value: Scalar]> => [
  ...(constant === undefined || Object.keys(table).length > 0 ? [] : [["constant", constant] as const]),
  ...Object.entries(table).flatMap(([word, value]) =>
    value === null ? [] : [[`table.${word}`, value] as const]
  ),
  ...(absent === undefined ? [] : [["default", absent] as const])
]
