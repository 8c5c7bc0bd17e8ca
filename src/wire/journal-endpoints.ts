/**
 * The endpoints of the journal and of the statecharts, a part of the table in endpoints.ts.
 *
 * Promises: reads only; both streams and the list take the same filters.
 * Never: handles anything.
 */
import { z } from "zod"
import { JOURNAL_TYPES, type JournalType } from "../domain/platform/journal.ts"
import { chart, chartLine } from "./chart.ts"
import { endpoint, list } from "./endpoint.ts"
import { journalEntry } from "./journal.ts"
import { past } from "./past.ts"
import { byName, listQuery, page } from "./page.ts"

const isType = (word: string): word is JournalType => JOURNAL_TYPES.some((type) => type === word)

const types = z
  .string()
  .transform((text) => text.split(","))
  .refine(
    (words): words is Array<JournalType> => words.every(isType),
    `must be a comma list of ${JOURNAL_TYPES.join(", ")}`
  )
  .optional()
  .meta({
    description: `Any of ${JOURNAL_TYPES.join(", ")}, by commas.`,
    override: { type: "string" }
  })

const sequence = /^\d{1,16}$/

/** A number of the journal: what comes after it. */
const afterSequence = z
  .string()
  .refine(
    (text) => sequence.test(text) && Number.isSafeInteger(Number(text)),
    "must be a number of the journal"
  )
  .transform(Number)

const afterInstant = z.iso.datetime({ offset: true }).transform((text) => ({ ms: Date.parse(text) }))

const since = z
  .union(
    [afterSequence, afterInstant],
    "must be a number of the journal, or an instant such as 2026-01-31T09:30:00Z"
  )
  .optional()
  .meta({
    description: "Entries after this number, or not older than this instant, oldest first.",
    override: { type: "string" }
  })

const before = afterSequence
  .optional()
  .meta({ description: "Entries before this number.", override: { type: "integer", minimum: 0 } })

export const listEvents = endpoint({
  ...list,
  path: "/api/v1/events",
  tag: "operations",
  name: "listEvents",
  summary:
    "The journal: as JSON with any filter (newest first; after `since` oldest first), otherwise as server-sent events that resume after `Last-Event-ID`.",
  query: listQuery({ path: byName, type: types, since, before }),
  streams: "text/event-stream",
  answers: { 200: page(journalEntry) }
})

export const getPast = endpoint({
  ...list,
  path: "/api/v1/past",
  tag: "operations",
  name: "getPast",
  summary:
    "What this node was at an entry of the journal, or at an instant: every component, health, positions, and orders that were open.",
  query: z.strictObject({
    at: z
      .union(
        [afterSequence, afterInstant],
        "must be a number of the journal, or an instant such as 2026-01-31T09:30:00Z"
      )
      .meta({ description: "A number of the journal, or an instant.", override: { type: "string" } })
  }),
  answers: { 200: past }
})

/** What either stream takes in its query. */
export const streamQuery = z.strictObject({ path: byName, type: types, since: afterSequence.optional() })

export const live = endpoint({
  ...list,
  path: "/api/v1/live",
  tag: "operations",
  name: "live",
  summary: "The journal as it happens, as a WebSocket: one entry for each text frame; resumes after `since`.",
  query: z.strictObject({
    path: byName,
    type: types,
    since: afterSequence
      .optional()
      .meta({ description: "Entries after this number.", override: { type: "integer", minimum: 0 } })
  }),
  // OpenAPI has no word for another protocol, and its linters want a 2xx; nothing answers 200 here.
  answers: { 101: { text: "application/json" }, 200: { text: "application/json" } }
})

export const listMachines = endpoint({
  ...list,
  path: "/api/v1/machines",
  tag: "operations",
  name: "listMachines",
  summary: "The statecharts of the components.",
  answers: { 200: page(chartLine) }
})
export const getMachine = endpoint({
  ...list,
  path: "/api/v1/machines/:name",
  tag: "operations",
  name: "getMachine",
  summary: "A statechart as data: its states with what they mean, and their transitions.",
  answers: { 200: chart }
})

export const journalEndpoints = [listEvents, getPast, live, listMachines, getMachine]
