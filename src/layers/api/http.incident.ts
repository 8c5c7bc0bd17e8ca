/**
 * Incident reports over HTTP: `/api/v1/incident` as JSON, `/api/v1/incident/page` as a page (G8).
 *
 * Promises: the document is of the span and of this node; what is more than it holds is counted; the cost is that of the whole span,
 * however short the timeline; what was at the beginning is left out where nothing tells, and not made up.
 * Never: stores anything.
 * Failure: an empty span, one of more than two days, or one in which health changed more often than is read, is 400; a database that
 * is away is 503.
 */
import { Clock, Effect } from "effect"
import {
  type Alive,
  type Cause,
  causeOf,
  costOf,
  healthOver,
  type HealthSpan
} from "../../domain/health/incident.ts"
import type { PastHealth } from "../../domain/health/past.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { incidentLimits } from "../../domain/kernel/limits-kept.ts"
import type { JournalType } from "../../domain/platform/journal.ts"
import { INCIDENT_FORMAT, INCIDENT_VERSION, type IncidentDocument } from "../../wire/incident.ts"
import { getIncident, getIncidentPage } from "../../wire/incident-endpoints.ts"
import { entryItem } from "../../wire/journal.ts"
import type { DatabaseError } from "../database/database.port.ts"
import type { HealthSourceService } from "../health/health-source.port.ts"
import type { IncidentStoreService } from "../health/incident-store.port.ts"
import type { StoredEntry } from "../health/journal-store.port.ts"
import { momentOf, numberOf, type PastParts, pastRoutes } from "./http.past.ts"
import { Refused, type Route, route } from "./http.route.ts"
import { incidentPage } from "./http.incident-page.ts"
import { readUp } from "./journal.read.ts"

/** What a report is made from. */
export interface IncidentParts extends PastParts {
  readonly incidents: IncidentStoreService
  readonly source: HealthSourceService
}

/** What may be a sign of trouble, or say why: an order is neither, and there may be thousands. */
const signs: ReadonlyArray<JournalType> = ["restart", "component", "alert", "health"]
/** What a timeline shows; transitions of machines are too many, and in the journal. */
const shown: ReadonlyArray<JournalType> = [...signs, "order"]

const tooLong = (message: string) =>
  Effect.fail(new Refused({ status: 400, errors: [{ path: "query.to", message }] }))

const spanOf = ({ from, to }: { readonly from: string; readonly to: string }) => {
  const span = { fromMs: Date.parse(from), toMs: Date.parse(to) }
  const length = span.toMs - span.fromMs
  return length > 0 && length <= incidentLimits.spanMsMax
    ? Effect.succeed(span)
    : tooLong(`must be after from, by at most ${incidentLimits.spanMsMax / 3_600_000} hours`)
}

type Before = Effect.Success<ReturnType<typeof momentOf>>

const healthBefore = (before: Before | null): PastHealth | null => {
  if (before?.health === null || before === null) return null
  const { can_trade: canTrade, ready, reasons, since, status, trading_state: tradingState } = before.health
  return { status, since: Date.parse(since ?? ""), ready, canTrade, tradingState, reasons }
}

const healthItem = ({ fromMs, said, toMs }: HealthSpan) => ({
  from: isoOf(fromMs),
  to: isoOf(toMs),
  said:
    said === null
      ? null
      : {
          status: said.status,
          ready: said.ready,
          can_trade: said.canTrade,
          trading_state: said.tradingState,
          reasons: said.reasons
        }
})

/** Entries of the span: between which numbers, and since when. */
interface Within {
  readonly after: number
  readonly before: number
  readonly sinceMs: number
}

/** By their numbers, which their table is ordered by. What came after the end is of another time, also where there is room for it. */
const withinOf = (parts: IncidentParts, fromMs: number, toMs: number): Effect.Effect<Within, DatabaseError> =>
  Effect.gen(function* () {
    const after = yield* numberOf(parts, { ms: fromMs - 1 })
    const last = yield* numberOf(parts, { ms: toMs - 1 })
    return { after: after ?? 0, before: (last ?? 0) + 1, sinceMs: fromMs }
  })

/** The first sign of trouble, page after page: much may come before it. */
const causeIn = (parts: IncidentParts, within: Within): Effect.Effect<Cause | null, DatabaseError> =>
  Effect.gen(function* () {
    let { after } = within
    let former: ReadonlyArray<StoredEntry> = []
    for (;;) {
      const page: ReadonlyArray<StoredEntry> = yield* readUp(
        parts,
        { ...within, after },
        { path: null, types: signs },
        incidentLimits.entriesMax
      )
      const found = causeOf([...former, ...page])
      const last = page.at(-1)
      if (found !== null || last === undefined || page.length < incidentLimits.entriesMax) return found
      after = last.seq
      former = page
    }
  })

/** What health said in the span: all of it, because what a part of it says of the cost is wrong. */
const verdictsIn = (parts: IncidentParts, within: Within) =>
  Effect.gen(function* () {
    const types: ReadonlyArray<JournalType> = ["health"]
    const filter = { path: null, types }
    const read = yield* readUp(parts, within, filter, incidentLimits.verdictsMax + 1)
    return read.length <= incidentLimits.verdictsMax
      ? read
      : yield* tooLong("must be earlier: health changed too often in so long a time")
  })

/** Lives as the table tells them, and that of this process up to now: what it recorded last may not be stored yet. */
const livesOf = (alive: ReadonlyArray<Alive>, boot: string, nowMs: number): ReadonlyArray<Alive> => {
  const own = alive.find((life) => life.boot === boot)
  return [...alive.filter((life) => life.boot !== boot), { boot, fromMs: own?.fromMs ?? nowMs, toMs: nowMs }]
}

const documentOf = (parts: IncidentParts, query: { readonly from: string; readonly to: string }) =>
  Effect.gen(function* () {
    const span = yield* spanOf(query)
    const madeAt = yield* Clock.currentTimeMillis
    // Nobody knows the future: what it costs is counted up to now.
    const { fromMs } = span
    const toMs = Math.max(fromMs, Math.min(span.toMs, madeAt))
    const within = yield* withinOf(parts, fromMs, toMs)
    const read = yield* readUp(parts, within, { path: null, types: shown }, incidentLimits.entriesMax + 1)
    const entries = read.slice(0, incidentLimits.entriesMax)
    const before = yield* momentOf(parts, { ms: fromMs }).pipe(
      Effect.catchTag("Refused", () => Effect.succeed(null))
    )
    const rows = yield* parts.incidents.read(fromMs, toMs)
    const lives = livesOf(rows.alive, parts.journal.boot, madeAt)
    const verdicts = yield* verdictsIn(parts, within)
    const health = healthOver({ fromMs, toMs }, healthBefore(before), verdicts, lives)
    const cost = costOf(health)
    const cause = yield* causeIn(parts, within)
    const { commit, mode, version } = parts.source.health().document
    return {
      format: INCIDENT_FORMAT,
      version: INCIDENT_VERSION,
      made_at: isoOf(madeAt),
      made_by: { version, commit, mode },
      from: isoOf(fromMs),
      to: isoOf(toMs),
      cause: cause === null ? null : { ...cause, at: isoOf(cause.at) },
      cost: {
        without_trading_ms: Math.round(cost.withoutTradingMs),
        without_intake_ms: Math.round(cost.withoutIntakeMs),
        down_ms: Math.round(cost.downMs),
        signals: rows.signals,
        orders: rows.orders,
        fills: rows.fills,
        refused_posts: rows.refused,
        waves: rows.waves
      },
      health: health.map(healthItem),
      before,
      timeline: {
        is_part: read.length > incidentLimits.entriesMax,
        entries: entries.map((entry) => entryItem(entry, entry.boot))
      },
      late_waves: rows.lateWaves,
      unordered_signals: rows.unordered,
      alerts: rows.alerts,
      audit: rows.audit
    }
  })

/** `incident-2026-11-30T0900-2026-11-30T1000`. */
const fileName = ({ from, to }: { readonly from: string; readonly to: string }): string =>
  `incident-${[from, to].map((text) => text.slice(0, 16).replaceAll(":", "")).join("-")}`

/** The routes of this file, and those of a moment, which a report begins with. */
export const incidentRoutes = (parts: IncidentParts): ReadonlyArray<Route> => [
  ...pastRoutes(parts),
  route(
    getIncident,
    ({ query }) => Effect.map(documentOf(parts, query), (json) => ({ status: 200, json })),
    incidentLimits.routeMsMax
  ),
  route(
    getIncidentPage,
    ({ query }) =>
      Effect.map(documentOf(parts, query), (document) => ({
        status: 200,
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the JSON route is checked against the shape
        text: incidentPage(document as unknown as IncidentDocument),
        contentType: getIncidentPage.answers[200].text,
        // It holds texts of peers: it is saved, and never shown as a page of ours.
        headers: {
          "content-disposition": `attachment; filename="${fileName(document as { from: string; to: string })}.html"`
        }
      })),
    incidentLimits.routeMsMax
  )
]
