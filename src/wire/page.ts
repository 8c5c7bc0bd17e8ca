/**
 * page: how lists are requested and returned.
 *
 * Lists are paged by position and not by number, so that a page never skips or repeats a row because new ones came.
 *
 * Promises: a list takes `limit`, `cursor` and its own filters, and nothing else.
 * Never: names a filter that no column answers.
 */
import { z } from "zod"
import { oneOf, storable, uuid } from "./words.ts"

export const PAGE_ITEMS_DEFAULT = 50
/** About 500 KB of JSON. */
export const PAGE_ITEMS_MAX = 500
/** More than anybody types. */
const PAYLOAD_CHARS_MAX = 300

const wholeNumber = `must be a whole number from 1 to ${PAGE_ITEMS_MAX}`

export const limit = z
  .string()
  .refine((text) => /^[1-9]\d{0,3}$/.test(text) && Number(text) <= PAGE_ITEMS_MAX, wholeNumber)
  .transform(Number)
  .optional()
  .meta({
    description: "Items of the page.",
    override: { type: "integer", minimum: 1, maximum: PAGE_ITEMS_MAX, default: PAGE_ITEMS_DEFAULT }
  })

const cursor = z.string().optional().meta({ description: "`next_cursor` of the previous page." })

/** Filters are exact matches, but for `from`, `to` and `payload`. */
export const listQuery = <Filters extends z.ZodRawShape>(filters: Filters) =>
  z.strictObject({ limit, cursor, ...filters })

/** A filter by a name that operators choose, such as an account. */
export const byName = storable(z.string()).optional()
export const byId = uuid.optional()
/** A filter by whether something is so. */
export const byTruth = oneOf(["true", "false"]).optional()
/** A search in the bodies of senders. */
export const byPayload = storable(
  z
    .string()
    .min(1, "must not be empty")
    .max(PAYLOAD_CHARS_MAX, `must have at most ${PAYLOAD_CHARS_MAX} characters`)
)
  .optional()
  .meta({
    description:
      'A JSON object that the body contains, such as `{"n": 7}`, or a text that stands in it; of the newest 10,000 signals.'
  })
/** A bound in time: `from` is inclusive, `to` exclusive. */
export const byInstant = z.iso
  .datetime({ offset: true, error: "must be an instant such as 2026-01-31T09:30:00Z" })
  .optional()

export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: "Where the next page begins; null when there is none." })
  })
