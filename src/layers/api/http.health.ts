/**
 * The routes that report on the process: health in three questions, its version, its metrics.
 *
 * They are open to everybody who reaches the listener, though without details for outsiders, and touch no database: an orchestrator asks them when everything
 * else is broken. `/health/live` asks the root supervisor itself, so a process with an unresponsive tree is not alive.
 *
 * Promises: each answers within a second and a half, whatever is away; the status codes are those of T2.
 * Failure: a component that is away is part of the response, never a failure of it.
 * Never: caches, or reports anything but what the health source derives at that moment.
 */
import { retryAfter } from "./http.exchange.ts"
import { Effect } from "effect"
import type { HealthSourceService } from "../health/health-source.port.ts"
import type { Mode } from "../../domain/kernel/settings.ts"
import * as wire from "../../wire/endpoints.ts"
import type { healthDocument } from "../../wire/health.ts"
import type { Standing } from "./http.access.ts"
import { readLimits } from "../platform/http-limits.ts"
import { type JsonOf, type Route, route } from "./http.route.ts"
import type { Exposition } from "../platform/metrics.port.ts"

/** Outside practice mode a caller without the token sees the status but no holdings: accounts and symbols need the token. */
const mayKnow = (mode: Mode, { may }: Standing): boolean =>
  mode === "PRACTICE" || may === "control" || may === "forged"

/** The routes of this file. */
export const healthRoutes = (
  source: HealthSourceService,
  exposition: Exposition["Service"],
  mode: Mode
): ReadonlyArray<Route> => [
  route(wire.health, ({ standing }) =>
    Effect.sync(() => {
      const health = source.health()
      const document: JsonOf<typeof healthDocument> = health.document
      return { status: health.httpStatus, json: mayKnow(mode, standing) ? document : health.outline }
    })
  ),
  route(wire.healthLive, ({ standing }) =>
    source.ping(readLimits.pingMs).pipe(
      Effect.as({ status: 200, json: { status: "live" } as const }),
      Effect.catchTag("TreeDeaf", ({ path }) =>
        Effect.succeed({
          status: 503,
          json: { status: "deaf" as const, ...(mayKnow(mode, standing) ? { path } : {}) }
        })
      )
    )
  ),
  route(wire.healthReady, ({ standing }) =>
    Effect.sync(() => {
      const health = source.health()
      const { can_trade, ready, reasons, status } = mayKnow(mode, standing) ? health.document : health.outline
      return {
        status: ready ? 200 : 503,
        json: { ready, status, can_trade, reasons },
        ...(ready ? {} : { headers: retryAfter })
      }
    })
  ),
  route(wire.getVersion, () =>
    Effect.sync(() => {
      const { commit, mode, version } = source.health().document
      return { status: 200, json: { name: "holdfast", version, commit, mode, node: process.version } }
    })
  ),
  route(wire.metrics, ({ standing }) =>
    Effect.map(exposition.text(mayKnow(mode, standing)), (text) => ({
      status: 200,
      text,
      contentType: wire.metrics.answers[200].text
    }))
  ),
  route(wire.openapi, () =>
    Effect.map(
      Effect.promise(() => import("../../wire/openapi.json", { with: { type: "json" } })),
      ({ default: json }) => ({ status: 200, json })
    )
  ),
  route(wire.settingsSchema, () =>
    Effect.map(
      Effect.promise(() => import("../../wire/holdfast.schema.json", { with: { type: "json" } })),
      ({ default: json }) => ({ status: 200, json })
    )
  )
]
