/**
 * The read API and the few commands of an operator.
 *
 * Promises: lists are `{items, next_cursor}`; an unknown query parameter, a bad cursor or a bad limit is a 400 that
 * names it; an id that is no UUID is 404, because nothing can have it.
 * Never: answers from memory what the database knows; a caller that needs truth gets the row or a 503.
 * Failure: as the routes': what the store cannot answer now is 503.
 */
import { isUuid } from "../../domain/kernel/ids.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Effect } from "effect"
import { fieldOf, type JsonObject } from "../../domain/kernel/canonical-json.ts"
import {
  type ControlCommand,
  controlCommands,
  type ControlDone,
  type ControlRefused,
  UNPROTECTED
} from "../../domain/control/control.ts"
import type { FieldError } from "../../domain/kernel/field.ts"
import type { ActorRow, HealthSourceService } from "../health/health-source.port.ts"
import { controlLimits } from "../../domain/kernel/limits.ts"
import { readLimits } from "../platform/http-limits.ts"
import { Refused, type Reply, type Route, type RouteEffect, type RouteRequest } from "./http.route.ts"
import {
  type ListName,
  listFilters,
  type PageRequest,
  type ReadStoreService
} from "../health/read-store.port.ts"
import { TRADING_STATES, type TradingStateName } from "../../domain/kernel/trading-state.ts"
import type { TradingStateStoreService } from "../control/trading-state-store.port.ts"

const ok = (json: unknown): Reply => ({ status: 200, json })
const invalid = (path: string, message: string): Refused =>
  new Refused({ status: 400, errors: [{ path, message }] })
const notFound = new Refused({ status: 404 })

const limitOf = (text: string | null): number | undefined => {
  if (text === null) return readLimits.pageDefault
  return /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= readLimits.pageMax
    ? Number(text)
    : undefined
}

/** What is wrong with one filter of a list; filters named `..._id` are ids of other rows. */
const filterProblem = (known: ReadonlyArray<string>, key: string, value: string): string | undefined => {
  if (!known.includes(key)) return `unknown parameter; use limit, cursor, ${known.join(", ")}`
  if (key.endsWith("_id") && !isUuid(value)) return "must be a UUID"
  return value.includes("\u0000") ? "must not contain NUL" : undefined
}

/** The page a query asks for, or everything that is wrong with it. */
const pageOf = (name: ListName, query: URLSearchParams): PageRequest | ReadonlyArray<FieldError> => {
  const errors: Array<FieldError> = []
  const filters: Record<string, string> = {}
  const known: ReadonlyArray<string> = listFilters[name]
  for (const [key, value] of query) {
    if (key === "limit" || key === "cursor") continue
    const problem = filterProblem(known, key, value)
    if (problem === undefined) filters[key] = value
    else errors.push({ path: `query.${key}`, message: problem })
  }
  const limit = limitOf(query.get("limit"))
  if (limit === undefined)
    errors.push({ path: "query.limit", message: `must be a whole number from 1 to ${readLimits.pageMax}` })
  return errors.length > 0 || limit === undefined ? errors : { limit, cursor: query.get("cursor"), filters }
}

const listRoute = (reads: ReadStoreService, pattern: string, name: ListName): Route => ({
  method: "GET",
  pattern,
  filters: listFilters[name],
  access: "api",
  handle: ({ query }) =>
    Effect.gen(function* () {
      const page = pageOf(name, query)
      if (!("limit" in page)) return yield* new Refused({ status: 400, errors: page })
      const { items, nextCursor } = yield* reads
        .list(name, page)
        .pipe(
          Effect.catchTag("BadCursor", () =>
            Effect.fail(invalid("query.cursor", "must be a next_cursor of this list"))
          )
        )
      return ok({ items, next_cursor: nextCursor })
    })
})

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

const actorsRoute = (source: HealthSourceService): Route => ({
  method: "GET",
  pattern: "/api/v1/actors",
  access: "api",
  handle: () => Effect.sync(() => ok({ items: source.actors().map(actorItem), next_cursor: null }))
})

/** Names of positions in an answer; more than a screen of them tells an operator no more. */
const shownMax = 20

const refusalOf = ({ message, positions, reason }: ControlRefused): Refused =>
  reason === "not_found"
    ? notFound
    : new Refused({
        status: 409,
        more: {
          reason,
          ...(message === undefined ? {} : { message }),
          ...(reason === UNPROTECTED
            ? { confirm: UNPROTECTED, positions: positions?.slice(0, shownMax) ?? null }
            : {})
        }
      })

const viaOf = ({ exchange, standing }: RouteRequest): string =>
  `${standing.by === "session" ? "console" : "api"}:${exchange.request.socket.remoteAddress ?? "unknown"}`

const controlRoute = (
  { controlled, source }: Pick<ApiServices, "controlled" | "source">,
  command: ControlCommand
): Route => ({
  method: "POST",
  pattern: `/api/v1/actors/:path/${command}`,
  access: "api",
  body: true,
  deadlineMs: controlLimits.commandMsMax,
  handle: (request) =>
    Effect.gen(function* () {
      const path = request.params["path"] ?? ""
      const confirm = fieldOf(request.body, "confirm")
      if (confirm !== undefined && confirm !== UNPROTECTED)
        return yield* invalid("confirm", `must be "${UNPROTECTED}" or absent`)
      const confirmed = confirm === UNPROTECTED
      const done = yield* source
        .control({ command, path, confirmed })
        .pipe(Effect.catchTag("ControlRefused", (refused) => Effect.fail(refusalOf(refused))))
      yield* controlled({ command, path, by: viaOf(request), ...done })
      return { status: 202, json: { status: "ACCEPTED", path, command } }
    })
})

/** One row by its id. */
const itemRoute = (
  pattern: string,
  find: (id: string) => Effect.Effect<unknown, Effect.Error<ReturnType<ReadStoreService["order"]>>>
): Route => ({
  method: "GET",
  pattern,
  access: "api",
  handle: ({ params }) =>
    Effect.gen(function* () {
      const id = params["id"] ?? ""
      const found = isUuid(id) ? yield* find(id) : null
      if (found === null) return yield* notFound
      return ok(found)
    })
})

const reasonLengthMax = 500

const readStateChange = (
  body: JsonObject
): { readonly state: TradingStateName; readonly reason: string } | ReadonlyArray<FieldError> => {
  const given = fieldOf(body, "state")
  const state = TRADING_STATES.find((name) => name === given)
  const reason = fieldOf(body, "reason")
  const text = typeof reason === "string" ? reason.trim() : ""
  const errors: Array<FieldError> = []
  if (state === undefined)
    errors.push({ path: "state", message: `must be one of ${TRADING_STATES.join(", ")}` })
  if (text === "" || text.length > reasonLengthMax)
    errors.push({ path: "reason", message: `must be a text of 1 to ${reasonLengthMax} characters` })
  return state === undefined || errors.length > 0 ? errors : { state, reason: text }
}

/** Who asks, for the audit. */
const setStateRoute = (
  states: TradingStateStoreService,
  changed: (state: TradingStateName, reason: string) => Effect.Effect<void>
): Route => ({
  method: "POST",
  pattern: "/api/v1/trading-state",
  access: "api",
  body: true,
  handle: (request: RouteRequest): RouteEffect =>
    Effect.gen(function* () {
      const change = readStateChange(request.body)
      if (!("state" in change)) return yield* new Refused({ status: 400, errors: change })
      const row = yield* states.set({ ...change, changedBy: viaOf(request) })
      yield* changed(change.state, change.reason)
      return ok(row)
    })
})

const acknowledgeRoute = (reads: ReadStoreService): Route => ({
  method: "POST",
  pattern: "/api/v1/alerts/:id/ack",
  access: "api",
  body: true,
  handle: (request: RouteRequest): RouteEffect =>
    Effect.gen(function* () {
      const { body, params } = request
      const id = params["id"] ?? ""
      const note = fieldOf(body, "note") ?? null
      if (note !== null && (typeof note !== "string" || note.length > reasonLengthMax))
        return yield* invalid("note", `must be a text of at most ${reasonLengthMax} characters`)
      const row = isUuid(id) ? yield* reads.acknowledgeAlert({ id, by: viaOf(request), note }) : null
      if (row === null) return yield* notFound
      return ok(row)
    })
})

/** A command that was carried out, and by whom. */
export interface ControlReport extends ControlDone {
  readonly command: ControlCommand
  readonly path: string
  readonly by: string
}

/**
 * What the API needs besides the rows. `tradingStateChanged` tells whoever holds the state in memory, `controlled` whoever must
 * know what an operator did.
 */
export interface ApiServices {
  readonly controlled: (report: ControlReport) => Effect.Effect<void>
  readonly reads: ReadStoreService
  readonly states: TradingStateStoreService
  readonly source: HealthSourceService
  readonly tradingStateChanged: (state: TradingStateName, reason: string) => Effect.Effect<void>
}

/** The routes of this file. */
export const apiRoutes = (services: ApiServices): ReadonlyArray<Route> => [
  ...readRoutes(services),
  ...controlCommands.map((command) => controlRoute(services, command)),
  setStateRoute(services.states, services.tradingStateChanged)
]

const readRoutes = ({ reads, source, states }: ApiServices): ReadonlyArray<Route> => [
  listRoute(reads, "/api/v1/signals", "signals"),
  itemRoute("/api/v1/signals/:id", reads.trace),
  listRoute(reads, "/api/v1/orders", "orders"),
  itemRoute("/api/v1/orders/:id", reads.order),
  listRoute(reads, "/api/v1/fills", "fills"),
  listRoute(reads, "/api/v1/positions", "positions"),
  listRoute(reads, "/api/v1/accounts", "accounts"),
  listRoute(reads, "/api/v1/cash-flows", "cash_flows"),
  listRoute(reads, "/api/v1/waves", "waves"),
  { method: "GET", pattern: "/api/v1/linkage", access: "api", handle: () => Effect.map(reads.linkage, ok) },
  actorsRoute(source),
  {
    method: "GET",
    pattern: "/api/v1/trading-state",
    access: "api",
    handle: () => Effect.map(states.read, ok)
  },
  listRoute(reads, "/api/v1/monitoring/alerts", "alerts"),
  acknowledgeRoute(reads),
  listRoute(reads, "/api/v1/monitoring/circuit-breakers", "circuit_breakers"),
  listRoute(reads, "/api/v1/dead-letters", "dead_letters")
]

/** What there is below `/api/v1`, for whoever meets it without its documentation. */
export const indexRoute = (routes: ReadonlyArray<Route>): Route => ({
  method: "GET",
  pattern: "/api/v1",
  access: "api",
  handle: () =>
    Effect.succeed(
      ok({
        items: routes.flatMap(({ filters = null, method, pattern }) =>
          pattern.startsWith("/api/v1/") ? [{ method, path: pattern, filters }] : []
        ),
        next_cursor: null
      })
    )
})
