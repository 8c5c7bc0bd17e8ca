/**
 * Routes: a table of method, pattern and effect, and the one way an effect becomes an answer.
 *
 * A small table and not a router library: the answers of the contract need 405 with its Allow, JSON refusals with a
 * request id for everything, and a bound on reads in work; adding those to the toolbox's router was more code than
 * the table, and importing it costs memory of a budget that is counted in megabytes.
 *
 * Promises: a path that exists under another method is 405, one that does not exist 404; a segment that is no valid
 * percent-encoding is 400; a route's failure of any kind is a status with a request id, and a defect is logged.
 * Never: lets a route run without its deadline.
 * Failure: `DatabaseUnavailable` and a passed deadline are 503, `Refused` its status, anything else 500 and an error line.
 */
import {
  answerJson,
  answerText,
  type Exchange,
  type RefusalStatus,
  refuse,
  retryAfter
} from "./http.exchange.ts"
import { Cause, Data, Effect } from "effect"
import type { JsonObject } from "../../domain/kernel/canonical-json.ts"
import type { FieldError } from "../../domain/kernel/field.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { type DatabaseError } from "../database/database.port.ts"
import type { Standing } from "./http.access.ts"
import { readLimits } from "../platform/http-limits.ts"

/** A request that cannot be answered as asked. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly status: RefusalStatus
  readonly errors?: ReadonlyArray<FieldError>
  readonly more?: Record<string, unknown>
}> {}

/** The request with what the path, the query and the body say. */
export interface RouteRequest {
  readonly exchange: Exchange
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** What the caller may do; routes of the API run only for who may. */
  readonly standing: Standing
  /** The JSON object of the body for routes with `body: true`, else empty. */
  readonly body: JsonObject
}

export type Reply =
  | { readonly status: number; readonly json: unknown; readonly headers?: Record<string, string> }
  | {
      readonly status: number
      readonly text: string
      readonly contentType: string
      readonly headers?: Record<string, string>
    }

export type RouteEffect = Effect.Effect<Reply, Refused | DatabaseError>

export interface Route {
  readonly method: "GET" | "POST"
  /** Segments; one that starts with a colon is a parameter. */
  readonly pattern: string
  /** `open` to everybody, or for who may use the API: read it, and control by it where the method is POST. */
  readonly access: "open" | "api"
  /** The route reads a JSON object from the body. */
  readonly body?: boolean
  /** Query parameters beside `limit` and `cursor`, for the index of the API. */
  readonly filters?: ReadonlyArray<string>
  /** Milliseconds; default `readLimits.queryMs` and a little for the way. */
  readonly deadlineMs?: number
  /** Name in metrics; the pattern is used when it is missing. */
  readonly handle: (request: RouteRequest) => RouteEffect
}

/** What a path leads to. */
export type Match =
  | { readonly _tag: "Found"; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly _tag: "OtherMethod"; readonly allow: ReadonlyArray<string> }
  | { readonly _tag: "BadPath" }
  | { readonly _tag: "NotFound" }

const segmentsOf = (path: string): ReadonlyArray<string> => path.split("/").slice(1)

const matchPattern = (
  pattern: ReadonlyArray<string>,
  path: ReadonlyArray<string>
): Record<string, string> | undefined => {
  if (pattern.length !== path.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, wanted] of pattern.entries()) {
    const given = path[index] ?? ""
    if (wanted.startsWith(":") && given !== "") params[wanted.slice(1)] = given
    else if (wanted !== given) return undefined
  }
  return params
}

const decodeAll = (params: Record<string, string>): Record<string, string> | undefined => {
  try {
    return Object.fromEntries(
      Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)])
    )
  } catch {
    // The one error decodeURIComponent has: an escape that is not UTF-8. The caller answers it with 400.
    return undefined
  }
}

/** A matcher over a table. HEAD matches GET. Literal segments win over parameters by their order in the table. */
export const makeMatcher = (routes: ReadonlyArray<Route>): ((method: string, path: string) => Match) => {
  const table = routes.map((route) => ({ route, pattern: segmentsOf(route.pattern) }))
  return (method, path) => {
    const segments = segmentsOf(path)
    const wanted = method === "HEAD" ? "GET" : method
    const allow = new Set<string>()
    for (const { pattern, route } of table) {
      const raw = matchPattern(pattern, segments)
      if (raw === undefined) continue
      if (route.method !== wanted) {
        allow.add(route.method)
        if (route.method === "GET") allow.add("HEAD")
        continue
      }
      const params = decodeAll(raw)
      return params === undefined ? { _tag: "BadPath" } : { _tag: "Found", route, params }
    }
    return allow.size === 0 ? { _tag: "NotFound" } : { _tag: "OtherMethod", allow: [...allow] }
  }
}

const answer = (exchange: Exchange, reply: Reply): void => {
  if ("json" in reply) answerJson(exchange, reply.status, reply.json, reply.headers)
  else answerText(exchange, reply.status, reply.contentType, reply.text, reply.headers)
}

const answerCause = (
  exchange: Exchange,
  cause: Cause.Cause<Refused | DatabaseError | Cause.TimeoutError>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.void
    const error = Cause.squash(cause)
    if (error instanceof Refused) {
      refuse(exchange, error.status, {
        ...(error.errors === undefined ? {} : { errors: error.errors }),
        ...error.more
      })
      return Effect.void
    }
    const transient =
      error instanceof Error &&
      "_tag" in error &&
      (error._tag === "DatabaseUnavailable" || error._tag === "TimeoutError")
    if (transient) {
      refuse(exchange, 503, {}, retryAfter)
      return logEvent("warn", "http.read_unavailable", "a read could not be answered", {
        request_id: exchange.requestId,
        path: exchange.path,
        error: error.message
      })
    }
    refuse(exchange, 500)
    return logEvent("error", "http.request_failed", "a request failed", {
      request_id: exchange.requestId,
      path: exchange.path,
      error: Cause.pretty(cause).slice(0, 2_000)
    })
  })

/** Runs a route to its answer. Never fails; ends within the deadline of the route. */
export const runRoute = (route: Route, request: RouteRequest): Effect.Effect<void> =>
  Effect.suspend(() => route.handle(request)).pipe(
    Effect.timeout(route.deadlineMs ?? readLimits.routeMs),
    Effect.andThen((reply) => Effect.sync(() => answer(request.exchange, reply))),
    Effect.catchCause((cause) => answerCause(request.exchange, cause))
  )
