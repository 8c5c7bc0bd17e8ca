/**
 * The endpoint of the sinks, a part of the table in endpoints.ts.
 *
 * Promises: one item for each sink of the settings; counts are those of all processes.
 * Never: shows an address or a secret; handles anything.
 */
import { z } from "zod"
import { SEVERITIES, SINK_KINDS } from "../domain/kernel/settings-alerts.ts"
import { endpoint, list } from "./endpoint.ts"
import { page } from "./page.ts"
import { count, instant } from "./words.ts"

const figures = {
  queued: count.meta({ description: "Alerts that wait." }),
  oldest_at: instant.nullable().meta({ description: "Since when the oldest of them does." }),
  sent: count.meta({ description: "Alerts that it took." }),
  dead: count.meta({ description: "Alerts that were given up." }),
  last_sent_at: instant.nullable(),
  last_failed_at: instant.nullable(),
  last_error: z
    .string()
    .nullable()
    .meta({ description: "Of the last attempt; null when that was taken, or there was none." })
}

/** As read from the rows; what the settings and this process add is extra. */
export const sinkRow = z.object({ name: z.string(), ...figures })

const sink = z
  .object({
    name: z.string(),
    kind: z.enum(SINK_KINDS),
    severity_min: z.enum(SEVERITIES),
    state: z.string().meta({ description: "Of its component in this process; `none` without one." }),
    ...figures
  })
  .meta({ id: "Sink" })

export const listSinks = endpoint({
  ...list,
  path: "/api/v1/sinks",
  tag: "operations",
  name: "listSinks",
  summary: "Where alerts are sent: what waits, was sent and was given up.",
  answers: { 200: page(sink) }
})
