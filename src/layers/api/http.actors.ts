/**
 * The components over HTTP: the whole tree as a list, and one of them with what it waits for and what it went through.
 *
 * Promises: the list is what the tree is now; one component shows its timers of now, and its last entries of the journal from memory and
 * table as one.
 * Never: fails because the database does not answer, which is when somebody looks: what memory has is shown and said to be incomplete.
 * Failure: a path of no component is 404.
 */
import { Effect } from "effect"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import * as wire from "../../wire/endpoints.ts"
import { entryItem } from "../../wire/journal.ts"
import type { ActorRow, ActorTimer, HealthSourceService } from "../health/health-source.port.ts"
import { type JournalReads, newest } from "./journal.read.ts"
import { Refused, type Route, route } from "./http.route.ts"

/** Entries of each kind that one component shows; the list of the journal has the others. */
const HISTORY_MAX = 50

const actorItem = (row: ActorRow) => ({
  path: row.path,
  type: row.type,
  machine: row.machine,
  phase: row.phase,
  state: row.state,
  ready: row.ready,
  readiness: row.readiness,
  since: isoOf(row.since),
  incarnation: row.incarnation,
  restarts: row.restarts,
  budget: {
    used: row.budget.used,
    max: Number.isFinite(row.budget.max) ? row.budget.max : null,
    within_ms: row.budget.withinMs
  },
  mailbox: row.mailbox,
  next_at: isoOf(row.nextAt),
  last_error: row.lastError ?? null,
  detail: row.detail
})

const timerItem = ({ delayMs, dueAt, event, path }: ActorTimer) => ({
  path,
  event,
  delay_ms: delayMs,
  due_at: isoOf(Math.round(dueAt))
})

/**
 * Of the newest entries in the table so many are searched for transitions of one component: they have no index of their own, and one that
 * rests would have the whole table read for it.
 */
const SEARCHED_MAX = 20_000

/** The last entries of one type of one component. Restarts are few and have an index: all of them are searched. */
const historyOf = (sources: JournalReads, path: string, type: "restart" | "transition") =>
  Effect.map(
    newest(
      sources,
      null,
      { path, alone: true, types: [type], ...(type === "restart" ? {} : { lookedAtMax: SEARCHED_MAX }) },
      HISTORY_MAX
    ),
    ({ entries, missing }) => ({
      isComplete: missing === null,
      items: entries.map((entry) => entryItem(entry, entry.boot))
    })
  )

/** The routes of this file. */
export const actorRoutes = (source: HealthSourceService, sources: JournalReads): ReadonlyArray<Route> => [
  route(wire.listActors, () =>
    Effect.sync(() => ({
      status: 200,
      json: { items: source.actors().map(actorItem), next_cursor: null }
    }))
  ),
  route(wire.getActor, ({ params }) =>
    Effect.gen(function* () {
      const found = source.actors().find(({ path }) => path === params["path"])
      if (found === undefined) return yield* new Refused({ status: 404 })
      const { path } = found
      // At once, so that a database that hangs is noticed within the time of one query.
      const [transitions, restarts] = yield* Effect.all(
        [historyOf(sources, path, "transition"), historyOf(sources, path, "restart")],
        { concurrency: 2 }
      )
      return {
        status: 200,
        json: {
          ...actorItem(found),
          pending_timers: source.timers(path).map(timerItem),
          hand_events: source.handEvents(path),
          last_transitions: transitions.items,
          restart_history: restarts.items,
          history_complete: transitions.isComplete && restarts.isComplete
        }
      }
    })
  )
]
