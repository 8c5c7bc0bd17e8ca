/**
 * incident: the report of a span of time, as one document that any installation's console opens (G8).
 *
 * Promises: `format` and `version` name the shape; a section says how many rows there are, and holds the first of them.
 * Never: has a field that needs the installation it came from.
 */
import { z } from "zod"
import { journalEntry } from "./journal.ts"
import { past } from "./past.ts"
import { anyObject, count, instant } from "./words.ts"

export const INCIDENT_FORMAT = "holdfast.incident" as const
export const INCIDENT_VERSION = 1 as const

const counts = z.record(z.string(), count)

const section = z.object({
  total: count.meta({ description: "All of them; `rows` may be fewer." }),
  rows: z.array(anyObject)
})

export const incident = z
  .object({
    format: z.literal(INCIDENT_FORMAT),
    version: z.literal(INCIDENT_VERSION),
    made_at: instant,
    made_by: z.object({ version: z.string(), commit: z.string(), mode: z.string() }),
    from: instant,
    to: instant,
    cause: z
      .object({ seq: count, at: instant, path: z.string(), event: z.string(), text: z.string() })
      .nullable()
      .meta({ description: "The first sign of trouble in the span; null when there was none." }),
    cost: z.object({
      without_trading_ms: count,
      without_intake_ms: count,
      down_ms: count.meta({ description: "No process of this node recorded anything." }),
      signals: counts,
      orders: counts,
      fills: count,
      refused_posts: counts,
      waves: counts
    }),
    health: z
      .array(
        z.object({
          from: instant,
          to: instant,
          said: z
            .object({
              status: z.string(),
              ready: z.boolean(),
              can_trade: z.boolean(),
              trading_state: z.string().nullable(),
              reasons: z.array(z.string())
            })
            .nullable()
            .meta({ description: "Null: nobody said anything, or it is not known." })
        })
      )
      .meta({ description: "What health said over the span." }),
    before: past.nullable().meta({ description: "What was at its beginning, where it is known." }),
    timeline: z.object({
      is_part: z.boolean().meta({ description: "There were more entries than are here." }),
      entries: z.array(journalEntry)
    }),
    late_waves: section,
    unordered_signals: section,
    alerts: section,
    audit: section
  })
  .meta({ id: "Incident" })
export type IncidentDocument = z.infer<typeof incident>
