/**
 * The live streams and the list of the journal: `/api/v1/live`, `/api/v1/events`.
 *
 * Promises: a stream begins behind the number it is asked for (`since`, or `Last-Event-ID`), else with what comes next; a
 * WebSocket is opened for pages of this service and of the listed origins only (T16); the list is the same journal, from
 * memory and table as one.
 * Never: takes a token from a query.
 * Failure: too many viewers, and entries that only an absent database has, are 503.
 */
import { Effect } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import type { JournalType } from "../../domain/platform/journal.ts"
import * as wire from "../../wire/journal-endpoints.ts"
import { entryItem } from "../../wire/journal.ts"
import { PAGE_ITEMS_DEFAULT } from "../../wire/page.ts"
import { decode } from "../../wire/problems.ts"
import { liveLimits } from "../platform/http-limits.ts"
import type { SheddingService } from "../platform/shedding.port.ts"
import type { HttpAccessService } from "./http.access.ts"
import { isSamePage, oneHeader } from "./http.caller.ts"
import { type Exchange, refuse, retryAfter } from "./http.exchange.ts"
import type { Handling } from "./http.front.ts"
import { badCursor, Refused, type Route, route } from "./http.route.ts"
import type { LiveHub, Viewer } from "./live.hub.ts"
import { type JournalReads, readDown, readUp } from "./journal.read.ts"
import { eventStreamSink, type SinkEvents, webSocketSink } from "./live.sinks.ts"
import type { Sink, ViewerRequest } from "./live.viewer.ts"

/** What the streams need. */
export interface LiveParts extends JournalReads {
  readonly hub: LiveHub
  readonly access: HttpAccessService
  readonly corsOrigins: ReadonlyArray<string>
  readonly shedding: Pick<SheddingService, "isOff" | "may">
}

interface StreamQuery {
  readonly path?: string | undefined
  readonly type?: Array<JournalType> | undefined
  readonly since?: number | undefined
}

const filterOf = ({ path, type }: Pick<StreamQuery, "path" | "type">) => ({
  path: path ?? null,
  types: type ?? null
})

/** The query of a stream; null when it was refused. */
const readQuery = (exchange: Exchange): StreamQuery | null => {
  const given = Object.fromEntries(new URLSearchParams(exchange.query))
  const found = decode(wire.streamQuery, given, { at: "query", what: "parameter" })
  if (found.ok) return found.value
  refuse(exchange, 400, { errors: found.errors })
  return null
}

/** Opens a viewer whose sink is made with what the hub hears of it. */
const openViewer = (
  hub: LiveHub,
  request: Omit<ViewerRequest, "sink">,
  sinkOf: (events: SinkEvents) => Sink
): boolean => {
  let viewer: Viewer | null = null
  const sink = sinkOf({ drained: () => viewer?.drained(), gone: () => viewer?.gone() })
  viewer = hub.open({ ...request, sink })
  return viewer !== null
}

const stillAllowed = (access: HttpAccessService, exchange: Exchange) => (): boolean => {
  const { may } = access.standingOf(exchange)
  return may !== "nothing" && may !== "unknown"
}

const full = (exchange: Exchange): void =>
  refuse(exchange, 503, { errors: [{ path: "", message: "as many viewers as there may be" }] }, retryAfter)

/** Refuses a viewer while there are as many as there may be, or while streams are given up (E9). Returns whether it did. */
const refusesViewer = ({ hub, shedding }: LiveParts, exchange: Exchange): boolean => {
  if (!shedding.may("console")) {
    hub.countShed()
    const message = shedding.isOff("console")
      ? "streams are switched off by the flag console"
      : "streams are given up while this process is short of memory or time"
    refuse(exchange, 503, { errors: [{ path: "", message }] }, retryAfter)
    return true
  }
  if (!hub.isFull()) return false
  full(exchange)
  return true
}

/** A number that names an entry; a browser sends the last `id` it saw. */
const lastEventId = (exchange: Exchange): number | null => {
  const given = oneHeader(exchange.request.headers["last-event-id"])
  const number = given !== undefined && /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN
  return Number.isSafeInteger(number) ? number : null
}

/** Whether a request wants the stream and not the list. */
const wantsStream = ({ query, request: { headers } }: Exchange): boolean => {
  const accept = headers.accept ?? ""
  if (accept.includes("text/event-stream") || headers["last-event-id"] !== undefined) return true
  return query === "" && !accept.includes("application/json")
}

const streamEvents = (parts: LiveParts, exchange: Exchange, handling: Handling): boolean => {
  if (exchange.method !== "GET" || !wantsStream(exchange)) return false
  const query = readQuery(exchange)
  if (query === null) return true
  const { response } = exchange
  if (refusesViewer(parts, exchange)) return true
  exchange.settled(200)
  response.writeHead(200, {
    "x-request-id": exchange.requestId,
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    // A proxy that collects a response before it passes it on would never pass this one on.
    "x-accel-buffering": "no",
    ...exchange.headers
  })
  response.flushHeaders()
  const request = {
    filter: filterOf(query),
    after: lastEventId(exchange) ?? query.since ?? null,
    allowed: stillAllowed(parts.access, exchange),
    run: handling.run
  }
  if (!openViewer(parts.hub, request, (events) => eventStreamSink(response, events))) response.end()
  return true
}

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: liveLimits.frameBytesMax,
  clientTracking: false
})

/** What the library would refuse with a body of its own. */
const handshakeErrors = ({ request: { headers } }: Exchange) => {
  const errors = []
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers["sec-websocket-key"] ?? ""))
    errors.push({ path: "headers.sec-websocket-key", message: "must be 16 bytes in Base64" })
  if (headers["sec-websocket-version"] !== "13")
    errors.push({ path: "headers.sec-websocket-version", message: "must be 13" })
  return errors
}

/** Whether a handshake may go on; one that may not is answered. */
const mayUpgrade = (parts: LiveParts, exchange: Exchange): boolean => {
  const errors = handshakeErrors(exchange)
  if (errors.length > 0) refuse(exchange, 400, { errors })
  // A browser sends the cookie of this service along for whatever page asks; only the page's origin tells them apart.
  else if (!isSamePage(exchange.request.headers, parts.corsOrigins))
    refuse(exchange, 403, {
      errors: [{ path: "headers.origin", message: "must be this service or a listed origin" }]
    })
  else return !refusesViewer(parts, exchange)
  return false
}

const upgradeLive = (parts: LiveParts, exchange: Exchange, handling: Handling): boolean => {
  const { request, upgrade } = exchange
  if (upgrade === null) return false
  const query = readQuery(exchange)
  if (query === null || !mayUpgrade(parts, exchange)) return true
  const { head, socket } = upgrade
  exchange.settled(101)
  exchange.response.detachSocket(socket)
  sockets.handleUpgrade(request, socket, head, (client: WebSocket) => {
    const viewer = {
      filter: filterOf(query),
      after: query.since ?? null,
      allowed: stillAllowed(parts.access, exchange),
      run: handling.run
    }
    if (!openViewer(parts.hub, viewer, (events) => webSocketSink(client, socket, events)))
      client.close(1013, "full")
  })
  return true
}

interface ListQuery extends Pick<StreamQuery, "path" | "type"> {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  readonly since?: number | { readonly ms: number } | undefined
  readonly before?: number | undefined
}

/** Where a page begins. `up`: oldest first, after a number or an instant; `down`: newest first, before a number. */
type Position =
  | {
      readonly _tag: "up"
      readonly after: number
      readonly sinceMs: number | null
      readonly before: number | null
    }
  | { readonly _tag: "down"; readonly before: number | null }

const writeCursor = (position: Position, last: number): string =>
  Buffer.from(`${position._tag}:${last}`).toString("base64url")

const readCursor = (cursor: string): Position | null => {
  const found = /^(?<way>up|down):(?<at>\d{1,16})$/.exec(Buffer.from(cursor, "base64url").toString("utf8"))
  const at = Number(found?.groups?.["at"])
  if (!Number.isSafeInteger(at)) return null
  return found?.groups?.["way"] === "up"
    ? { _tag: "up", after: at, sinceMs: null, before: null }
    : { _tag: "down", before: at }
}

const positionOf = ({ cursor, since, ...query }: ListQuery): Position | null => {
  const before = query.before ?? null
  if (cursor !== undefined) {
    const position = readCursor(cursor)
    // The other end of the span is that of the query.
    return position?._tag === "up" ? { ...position, before } : position
  }
  if (since === undefined) return { _tag: "down", before }
  return typeof since === "number"
    ? { _tag: "up", after: since, sinceMs: null, before }
    : { _tag: "up", after: 0, sinceMs: since.ms, before }
}

const readPage = (parts: LiveParts, query: ListQuery) =>
  Effect.gen(function* () {
    const position = positionOf(query)
    if (position === null) return yield* badCursor
    const limit = query.limit ?? PAGE_ITEMS_DEFAULT
    const filter = filterOf(query)
    const entries =
      position._tag === "up"
        ? yield* readUp(parts, position, filter, limit)
        : yield* readDown(parts, position.before, filter, limit)
    const last = entries.at(-1)
    return {
      items: entries.map((entry) => entryItem(entry, entry.boot)),
      next_cursor: last === undefined || entries.length < limit ? null : writeCursor(position, last.seq)
    }
  })

/** The routes of this file. */
export const liveRoutes = (parts: LiveParts): ReadonlyArray<Route> => [
  {
    ...route(wire.listEvents, ({ query }) =>
      Effect.map(readPage(parts, query), (json) => ({ status: 200, json }))
    ),
    stream: (exchange, handling) => streamEvents(parts, exchange, handling)
  },
  {
    ...route(wire.live, () =>
      Effect.fail(
        new Refused({
          status: 426,
          errors: [{ path: "headers.upgrade", message: "must be websocket" }]
        })
      )
    ),
    stream: (exchange, handling) => upgradeLive(parts, exchange, handling)
  }
]
