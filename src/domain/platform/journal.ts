/**
 * journal: what is recorded of everything that happens in a process, and what of it may be shown.
 *
 * The journal is one sequence over transitions, restarts, alerts, orders and health, so that "what happened, in which order"
 * has one answer. An entry is a fact with a number; a number is never used twice and none is skipped, so a reader knows
 * what it missed.
 *
 * Promises: numbers of a later process are above those of an earlier one on the same clock, so a bare number identifies
 * an entry across restarts; whatever a context holds, what is shown of it is plain, bounded, and named by its schema.
 * Never: reads a clock; decides who sees an entry.
 */
import type { Mask } from "../kernel/redaction.ts"

/** What an entry is about. `component`: the life of one, where it is no restart. */
export const JOURNAL_TYPES = ["transition", "restart", "component", "alert", "order", "health"] as const
export type JournalType = (typeof JOURNAL_TYPES)[number]

/** The changed fields of a context: before and after. */
export type ContextDiff = Readonly<Record<string, readonly [before: unknown, after: unknown]>>

/** One fact. Times are epoch milliseconds; what a type does not have is null. */
export interface JournalFact {
  readonly type: JournalType
  readonly at: number
  /** Where in the supervision tree; an order's is that of its account. */
  readonly path: string
  readonly incarnation: number | null
  /** Dotted, such as `order.acked`; for a transition the event of the machine. */
  readonly event: string
  readonly from: string | null
  readonly to: string | null
  /** Since when it was in `from`. */
  readonly since: number | null
  /** Why, in bounded text without secrets. */
  readonly cause: string | null
  readonly correlationId: string | null
  /** Of a transition, while somebody looked; null otherwise. Several guards are joined by commas. */
  readonly guard: string | null
  readonly actions: ReadonlyArray<string> | null
  readonly context: ContextDiff | null
  /** What else belongs to this type: of an alert its severity, of an order its quantity. Plain JSON. */
  readonly detail: Readonly<Record<string, unknown>> | null
}

export interface JournalEntry extends JournalFact {
  readonly seq: number
}

/** A fact with null for whatever it does not have. */
export const journalFact = (
  given: Pick<JournalFact, "at" | "event" | "path" | "type"> & Partial<JournalFact>
): JournalFact => ({
  incarnation: null,
  from: null,
  to: null,
  since: null,
  cause: null,
  correlationId: null,
  guard: null,
  actions: null,
  context: null,
  detail: null,
  ...given
})

/** Facts a process may record for each millisecond it lives before its numbers could meet those of the next one. */
const NUMBERS_PER_MS = 1_000

/**
 * The number before the first entry of a process that began at `nowMs`. From the clock and not from the database, which is
 * away exactly when the first entries matter. Numbers stay below 2^53 until the year 2255.
 */
export const journalBase = (nowMs: number): number => Math.max(0, Math.floor(nowMs)) * NUMBERS_PER_MS

/** Bytes of one text field; a longer one is cut. */
const TEXT_CHARS_MAX = 300

/** A text that PostgreSQL and JSON take: no NUL, no half of a pair, bounded. */
export const journalText = (text: string, charsMax = TEXT_CHARS_MAX): string =>
  (text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`)
    .replaceAll("\u0000", "\ufffd")
    .toWellFormed()

/** What may be shown of a field of a context: its value, or only how much it holds. What has no entry is hidden. */
export type Shown = "value" | "size"
export type ContextSchema = Readonly<Record<string, Shown>>

/** Changed fields of one diff, and items of one value that are shown. */
const FIELDS_MAX = 24
const ITEMS_MAX = 16
const DEPTH_MAX = 3
/** In place of a value that the schema does not show. */
export const HIDDEN = "[hidden]"

const sizeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.length
  if (value instanceof Map || value instanceof Set) return value.size
  return typeof value === "object" && value !== null ? Object.keys(value).length : value === null ? null : 1
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** A value as plain JSON with every text masked and cut, to a depth; what is beyond is named by its kind. */
export const journalValue = (mask: Mask, value: unknown, depth = DEPTH_MAX): unknown => {
  switch (typeof value) {
    case "string":
      return journalText(mask(value))
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "boolean":
      return value
    case "bigint":
      return value.toString()
    case "object":
      break
    default:
      return typeof value
  }
  if (value === null) return null
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Error) return journalText(mask(`${value.name}: ${value.message}`))
  if (Array.isArray(value)) {
    if (depth <= 0) return `${value.length} items`
    return value.slice(0, ITEMS_MAX).map((item: unknown) => journalValue(mask, item, depth - 1))
  }
  if (!isPlain(value)) return "an object"
  if (depth <= 0) return `${Object.keys(value).length} fields`
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, ITEMS_MAX)
      .map(([key, inner]) => [journalText(mask(key)), journalValue(mask, inner, depth - 1)])
  )
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const shownAs = (mask: Mask, shown: Shown | undefined, value: unknown): unknown => {
  if (value === undefined) return null
  if (shown === "value") return journalValue(mask, value)
  return shown === "size" ? sizeOf(value) : HIDDEN
}

/**
 * The fields of a context that differ between two references, as its schema shows them; null when nothing differs. Fields are
 * compared by identity: machines assign whole values.
 */
export const contextDiff = (
  before: unknown,
  after: unknown,
  schema: ContextSchema,
  mask: Mask
): ContextDiff | null => {
  if (before === after || !isRecord(before) || !isRecord(after)) return null
  const diff: Record<string, readonly [unknown, unknown]> = {}
  let count = 0
  for (const field of Object.keys(after)) {
    const [was, now] = [before[field], after[field]]
    if (Object.is(was, now)) continue
    if (count >= FIELDS_MAX) break
    const shown = Object.hasOwn(schema, field) ? schema[field] : undefined
    diff[journalText(field)] = [shownAs(mask, shown, was), shownAs(mask, shown, now)]
    count += 1
  }
  return count === 0 ? null : diff
}
