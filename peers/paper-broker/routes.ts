/**
 * Routes of the venue: what a client may ask, and the switches of the tests under /admin.
 *
 * Orders: POST /orders, DELETE /orders/:id?account=, GET /orders?account=&client_order_id=&status=open|all&updated_since=
 * &after=&limit=. Facts: GET /fills?account=&after_sequence=&limit=, /positions?account=, /accounts/:id, /activity?after=,
 * /quotes/:symbol, /health.
 * Tests: GET|POST|DELETE /admin/faults, GET /admin/creates?client_order_id=, POST /admin/price, POST /admin/fill,
 * POST /admin/expire, POST /admin/stream/close.
 *
 * Promises: POST /orders is counted before anything else is done with it; every refusal is `{code, message}` with a
 * documented code; 503 `database_away` means that the venue does not know whether a change was made.
 * Never: answers a create with its fills: those are facts of the stream and of /fills.
 */
import { Effect, Result } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type AdminParts, adminRoute } from "./admin-routes.ts"
import type { Book } from "./book.ts"
import type { DatabaseAway } from "./database.ts"
import type { FaultPoint, Faults } from "./faults.ts"
import { refusalOf } from "./faults.ts"
import { type Answer, json, readJson, waitUnlessGone } from "./http-io.ts"
import type { Matcher } from "./matcher.ts"
import type { Prices } from "./prices.ts"
import { venueLimits } from "./options.ts"
import type { PageAsked, Queries } from "./queries.ts"
import { Refusal } from "./refusal.ts"
import type { StreamHub } from "./stream-hub.ts"
import { claimedClientOrderId, orderOut, parseOrder } from "./wire.ts"

export interface RouteParts extends AdminParts {
  readonly book: Book
  readonly queries: Queries
  readonly prices: Prices
  readonly faults: Faults
  readonly matcher: Matcher
  readonly hub: StreamHub
  readonly health: () => object
}

type Handled = Effect.Effect<Answer, Refusal | DatabaseAway>

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const DIGITS = /^\d{1,18}$/

/** Runs `work` as the fault switched on for this point prescribes. */
const underFault = (faults: Faults, point: FaultPoint, response: ServerResponse, work: Handled): Handled =>
  Effect.gen(function* () {
    const fault = faults.take(point)
    if (fault === null) return yield* work
    switch (fault.mode) {
      case "delay_before":
        yield* waitUnlessGone(response, fault.delayMs ?? 0)
        return yield* work
      case "drop_before":
        return { _tag: "cut" }
      case "error_before":
        return json(500, { code: "internal_error", message: "a test asked for this before the commit" })
      case "penalty_before":
        return json(200, { code: "too_many_requests", message: "a test asked for this refusal in a 200" })
      case "refuse": {
        const { code, status } = refusalOf(fault)
        return json(status, { code, message: "a test asked for this refusal" })
      }
      case "delay_after": {
        const answer = yield* work
        yield* waitUnlessGone(response, fault.delayMs ?? 0)
        return answer
      }
      case "drop_after":
        yield* work
        return { _tag: "cut" }
      case "error_after":
        yield* work
        return json(500, { code: "internal_error", message: "a test asked for this after the commit" })
      case "garbage_after":
        yield* work
        return { _tag: "raw", status: 200, text: "<html>a proxy of the venue has something to say</html>" }
    }
  })

const create = (parts: RouteParts, request: IncomingMessage, response: ServerResponse): Handled =>
  Effect.gen(function* () {
    const body = yield* readJson(request)
    yield* parts.book.count(claimedClientOrderId(body))
    const place = Effect.gen(function* () {
      const order = yield* Effect.fromResult(parseOrder(body))
      const quote = yield* parts.prices.quote(order.symbol)
      const placed = yield* parts.book.place(order, order.side === "buy" ? quote.ask : quote.bid)
      if (placed.created) {
        parts.hub.publishOrder(placed.order)
        parts.matcher.look(placed.order)
      }
      return json(placed.created ? 201 : 200, orderOut(placed.order))
    })
    return yield* underFault(parts.faults, "create", response, place)
  })

const cancel = (parts: RouteParts, response: ServerResponse, id: string, account: string | null): Handled => {
  if (!UUID.test(id))
    return Effect.fail(new Refusal({ code: "order_not_found", message: `there is no order ${id}` }))
  const end = Effect.map(parts.book.end(account, id, "cancelled"), (order) => {
    parts.hub.publishOrder(order)
    return json(200, orderOut(order))
  })
  return underFault(parts.faults, "cancel", response, end)
}

/** The page a query asks for: `limit` rows after the cursor under `key`. */
const pageOf = (query: URLSearchParams, key: string): Result.Result<PageAsked, Refusal> => {
  const after = query.get(key) ?? "0"
  const limit = query.get("limit") ?? String(venueLimits.pageRowsMax)
  if (!DIGITS.test(after) || !DIGITS.test(limit) || Number(limit) === 0) {
    const message = `${key} and limit are decimal integers, limit is not 0`
    return Result.fail(new Refusal({ code: "invalid_request", message }))
  }
  return Result.succeed({ after: BigInt(after), limit: Math.min(Number(limit), venueLimits.pageRowsMax) })
}

const since = (text: string | null): Result.Result<Date | null, Refusal> => {
  if (text === null) return Result.succeed(null)
  const at = new Date(text)
  return Number.isNaN(at.getTime())
    ? Result.fail(new Refusal({ code: "invalid_request", message: "updated_since is an ISO 8601 time" }))
    : Result.succeed(at)
}

const needed = (query: URLSearchParams, key: string): Result.Result<string, Refusal> => {
  const value = query.get(key)
  return value === null || value === ""
    ? Result.fail(new Refusal({ code: "invalid_request", message: `${key} is needed` }))
    : Result.succeed(value)
}

const listOrders = (parts: RouteParts, query: URLSearchParams): Handled =>
  Effect.gen(function* () {
    const filter = {
      account: query.get("account"),
      clientOrderId: query.get("client_order_id"),
      status: query.get("status") === "open" ? ("open" as const) : ("all" as const),
      updatedSince: yield* Effect.fromResult(since(query.get("updated_since"))),
      page: yield* Effect.fromResult(pageOf(query, "after"))
    }
    return json(200, yield* parts.queries.orders(filter, parts.faults.state().invisibleMs))
  })

/** The read that a GET names, or null. */
const readRoute = (
  parts: RouteParts,
  path: ReadonlyArray<string>,
  query: URLSearchParams
): Handled | null => {
  const [first, second] = path
  if (path.length === 1 && first === "orders") return listOrders(parts, query)
  if (path.length === 1 && first === "fills") {
    return Effect.gen(function* () {
      const page = yield* Effect.fromResult(pageOf(query, "after_sequence"))
      return json(200, yield* parts.queries.fills(query.get("account"), page))
    })
  }
  if (path.length === 1 && first === "positions") {
    return Effect.gen(function* () {
      const account = yield* Effect.fromResult(needed(query, "account"))
      return json(200, { positions: yield* parts.queries.positions(account) })
    })
  }
  if (path.length === 1 && first === "activity") {
    const activity = parts.queries.activity(query.get("after") ?? "", venueLimits.pageRowsMax)
    return Effect.map(activity, (page) => json(200, page))
  }
  if (path.length !== 2 || second === undefined) return null
  if (first === "accounts") return Effect.map(parts.queries.account(second), (account) => json(200, account))
  if (first === "quotes") return Effect.map(parts.prices.quote(second), (quote) => json(200, quote))
  return null
}

const noRoute = (request: IncomingMessage): Handled =>
  Effect.fail(new Refusal({ code: "no_such_route", message: `${request.method} ${request.url}` }))

/** Answers one request. Total: what is not a route is a refusal. */
export const route = (parts: RouteParts, request: IncomingMessage, response: ServerResponse): Handled => {
  const target = request.url ?? "/"
  // A zero byte is no part of any name, and no column takes it.
  if (!URL.canParse(target, "http://venue") || target.includes("%00")) return noRoute(request)
  // Loopback keeps other machines out, not the pages of a browser on this one.
  if (request.headers.origin !== undefined) {
    return Effect.fail(new Refusal({ code: "account_blocked", message: "this venue is not for web pages" }))
  }
  const { pathname, searchParams: query } = new URL(target, "http://venue")
  const path = pathname.split("/").slice(1)
  const [first, second] = path
  if (first === "health" && path.length === 1) return Effect.succeed(json(200, parts.health()))
  if (first === "admin") return adminRoute(parts, request, path.slice(1), query) ?? noRoute(request)
  if (request.method === "POST" && first === "orders" && path.length === 1)
    return create(parts, request, response)
  if (request.method === "DELETE" && first === "orders" && path.length === 2 && second !== undefined) {
    return cancel(parts, response, second, query.get("account"))
  }
  const read = request.method === "GET" ? readRoute(parts, path, query) : null
  return read === null ? noRoute(request) : underFault(parts.faults, "read", response, read)
}
