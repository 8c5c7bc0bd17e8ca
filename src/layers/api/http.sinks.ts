/**
 * The sinks of alerts: `/api/v1/sinks`.
 *
 * Promises: the sinks of the settings in force, with the figures of their rows and the state of their component here.
 * Never: shows an address or a secret.
 * Failure: that of the routes: what the store cannot answer now is 503.
 */
import { Effect } from "effect"
import { sinkPath } from "../../domain/alerts/outbox-route.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { PAGE_ITEMS_MAX } from "../../wire/page.ts"
import { listSinks, sinkRow } from "../../wire/sink-endpoints.ts"
import type { HealthSourceService } from "../health/health-source.port.ts"
import type { ReadStoreService } from "../health/read-store.port.ts"
import { snapshotOf } from "../platform/config.port.ts"
import { badCursor, decoded, type Route, route } from "./http.route.ts"

/** Of a sink for which nothing was ever sent. */
const untouched = {
  queued: 0,
  oldest_at: null,
  sent: 0,
  dead: 0,
  last_sent_at: null,
  last_failed_at: null,
  last_error: null
}

/** The routes of this file. `source` as it may be shown. */
export const sinkRoutes = (
  settings: Settings,
  reads: ReadStoreService,
  source: HealthSourceService
): ReadonlyArray<Route> => [
  route(listSinks, () =>
    Effect.gen(function* () {
      const { items } = yield* reads
        .list("sinks", { limit: PAGE_ITEMS_MAX, cursor: null, filters: {} })
        .pipe(Effect.catchTag("BadCursor", () => Effect.fail(badCursor)))
      const rows = yield* Effect.forEach(items, (item) => decoded(sinkRow, item))
      const byName = new Map(rows.map((row) => [row.name, row]))
      const health = source.health()
      return {
        status: 200,
        json: {
          items: Object.entries(snapshotOf(settings).alerts.sinks).map(([name, { kind, severityMin }]) => ({
            ...untouched,
            ...byName.get(name),
            name,
            kind,
            severity_min: severityMin,
            state: health.component(sinkPath(name))?.state ?? "none"
          })),
          next_cursor: null
        }
      }
    })
  )
]
