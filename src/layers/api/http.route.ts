/**
 * Routes: endpoints of the wire with their effects, and the one way an effect becomes a response.
 *
 * A small table and not a router library: the contract needs 405 with its Allow, JSON refusals with a
 * request id for everything, and a bound on concurrent reads; adding those to the framework's router was more code than
 * the table, and importing it costs memory of a budget that is counted in megabytes.
 *
 * Promises: a path that exists under another method is 405, one that does not exist 404; a segment that is not valid
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
import type { z } from "zod"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { invariant, InvariantViolated } from "../../domain/kernel/invariant.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { CommandName } from "../../domain/control/commands.ts"
import type { Endpoint } from "../../wire/endpoint.ts"
import { decode } from "../../wire/problems.ts"
import { type DatabaseError } from "../database/database.port.ts"
import type { Standing } from "./http.access.ts"
import type { Handling } from "./http.front.ts"
import { readLimits } from "../platform/http-limits.ts"

/** A request that cannot be answered as requested. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly status: RefusalStatus
  readonly errors?: ReadonlyArray<FieldError>
  readonly more?: Record<string, unknown>
  /** What refused it has audited the attempt. */
  readonly audited?: true
}> {}

/** A list was requested from a cursor that none of its pages returned. */
export const badCursor = new Refused({
  status: 400,
  errors: [{ path: "query.cursor", message: "must be a next_cursor of this list" }]
})

/** The request with its path, query and body; query and body as decoded by the endpoint's schemas. */
export interface RouteRequest<Query = unknown, Body = unknown> {
  readonly exchange: Exchange
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
  /** What the caller may do; routes of the API run only for permitted callers. */
  readonly standing: Standing
  readonly body: Body
}

/** Values whose every part is read only, as those of the domain are. */
type Immutable<A> = A extends (...given: never) => unknown
  ? A
  : A extends ReadonlyArray<infer Item>
    ? ReadonlyArray<Immutable<Item>>
    : A extends object
      ? { readonly [key in keyof A]: Immutable<A[key]> }
      : A

type Headers = Readonly<Record<string, string>>
/** An answer of an endpoint; `Json` is what its schemas take. */
export type Reply<Json = unknown> =
  | { readonly status: number; readonly json: Json; readonly headers?: Headers }
  | {
      readonly status: number
      readonly text: string | Buffer
      readonly contentType: string
      readonly headers?: Headers
    }

type RouteEffect<Json = unknown> = Effect.Effect<Reply<Json>, Refused | DatabaseError>

/** An endpoint and what it does. */
export interface Route {
  readonly endpoint: Endpoint
  /** Milliseconds; default `readLimits.queryMs` plus a little overhead. */
  readonly deadlineMs: number
  readonly handle: (request: RouteRequest<unknown, unknown>) => RouteEffect
  /**
   * Takes the exchange over as a stream, outside of fibers and deadlines, where it is one; false: it is answered as usual.
   */
  readonly stream?: (exchange: Exchange, handling: Handling) => boolean
  /** The command that it gives, where it gives one. */
  readonly command?: CommandName
}

type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined
/** What may be given for a schema. */
export type JsonOf<Schema> = Schema extends z.ZodType ? Immutable<z.input<Schema>> : never
type AnswerOf<E extends Endpoint> = E["answers"][keyof E["answers"]]
export type RequestOf<E extends Endpoint> = RouteRequest<OutputOf<E["query"]>, OutputOf<E["body"]>>

/** Parameters that are given more than once: whoever does that means both, and only one would count. */
const givenTwice = (parameters: URLSearchParams): ReadonlyArray<FieldError> => {
  const names = [...parameters.keys()]
  const twice = new Set(names.filter((name, at) => names.indexOf(name) !== at))
  return [...twice].map((name) => ({ path: `query.${name}`, message: "must not be given twice" }))
}

/** The route of an endpoint whose response is untyped until it is built: what comes from rows is decoded (`decoded`). */
export const rowsRoute = (
  endpoint: Endpoint,
  handle: (request: RouteRequest) => RouteEffect,
  deadlineMs: number = readLimits.routeMs
): Route => ({
  endpoint,
  deadlineMs,
  handle: (request) => {
    const parameters = new URLSearchParams(request.exchange.query)
    const query = read(endpoint.query, Object.fromEntries(parameters), { at: "query", what: "parameter" })
    const body = read(endpoint.body, request.body, {})
    const errors = [...givenTwice(parameters), ...query.errors, ...body.errors]
    return errors.length > 0
      ? Effect.fail(new Refused({ status: 400, errors }))
      : handle({ ...request, query: query.value, body: body.value })
  }
})

/** The route of an endpoint: the compiler checks its response against the endpoint's schemas. */
export const route = <E extends Endpoint>(
  endpoint: E,
  handle: (request: RequestOf<E>) => RouteEffect<JsonOf<AnswerOf<E>>>,
  deadlineMs?: number
): Route =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read by the schemas that the types come from
  rowsRoute(endpoint, (request) => handle(request as RequestOf<E>), deadlineMs)

const read = (
  schema: z.ZodObject | undefined,
  given: unknown,
  words: Parameters<typeof decode>[2]
): { readonly value: unknown; readonly errors: ReadonlyArray<FieldError> } => {
  if (schema === undefined) return { value: undefined, errors: [] }
  const found = decode(schema, given, words)
  return found.ok ? { value: found.value, errors: [] } : { value: undefined, errors: found.errors }
}

/** Rows in the outgoing shape, which drops what the shape does not have. A row of another shape is a defect that names it. */
export const decoded = <Schema extends z.ZodType>(
  schema: Schema,
  rows: unknown
): Effect.Effect<z.output<Schema>> =>
  Effect.sync(() => {
    const found = schema.safeParse(rows)
    invariant(found.success, "a row has the shape that the API returns", {
      problems: found.error?.issues.slice(0, 3).map(({ message, path }) => `${path.join(".")}: ${message}`)
    })
    return found.data
  })

/** What a path resolves to. */
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
  const table = routes.map((found) => ({ found, pattern: segmentsOf(found.endpoint.path) }))
  return (method, path) => {
    const segments = segmentsOf(path)
    const wanted = method === "HEAD" ? "GET" : method
    const allow = new Set<string>()
    for (const { found, pattern } of table) {
      const { method: takes } = found.endpoint
      const raw = matchPattern(pattern, segments)
      if (raw === undefined) continue
      if (takes !== wanted) {
        allow.add(takes)
        if (takes === "GET") allow.add("HEAD")
        continue
      }
      const params = decodeAll(raw)
      return params === undefined ? { _tag: "BadPath" } : { _tag: "Found", route: found, params }
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
      const more = { ...(error.errors === undefined ? {} : { errors: error.errors }), ...error.more }
      const headers = error.status === 426 ? { upgrade: "websocket" } : {}
      refuse(exchange, error.status, more, error.status === 503 ? retryAfter : headers)
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
      error: Cause.pretty(cause).slice(0, 2_000),
      ...(error instanceof InvariantViolated ? { details: error.details } : {})
    })
  })

/** Runs a route to its answer. Never fails; ends within the deadline of the route. */
export const runRoute = ({ deadlineMs, handle }: Route, request: RouteRequest): Effect.Effect<void> =>
  Effect.suspend(() => handle(request)).pipe(
    Effect.timeout(deadlineMs),
    Effect.andThen((reply) => Effect.sync(() => answer(request.exchange, reply))),
    Effect.catchCause((cause) => answerCause(request.exchange, cause))
  )
