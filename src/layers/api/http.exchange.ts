/**
 * An exchange: one request and its one response, with the identity both share.
 *
 * Every response of the service leaves through `answerJson` or `answerText`, so what holds for all of them is written
 * once: the request id, the length, no caching, no sniffing, and exactly one response per request.
 *
 * Promises: `x-request-id` is on every response, adopted from the caller when it is valid; a second response to the
 * same exchange is a no-op and not a crash; a HEAD request gets the headers alone.
 * Never: throws because the peer is gone; a peer that hung up simply does not read.
 * Failure: a write to a peer that is gone is dropped by the socket; nothing waits for it.
 */
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { RefusalReason } from "../../domain/intake/refused-post.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { plainAddress } from "./http.caller.ts"

/** Printable, short, and free of anything that could end a header or a log field. */
const requestIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:+/=@-]{0,127}$/

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  /** Upper case. */
  readonly method: string
  /** Path as sent, without scheme, host, query and one slash at its end, still percent-encoded. */
  readonly path: string
  /** Query without its question mark, "" when there is none. */
  readonly query: string
  /** `performance.now()` when the headers were complete. */
  readonly startedAt: number
  /** The address it comes from: that of the socket, until the front knows better; "" when the peer is gone. */
  sender: string
  /** Headers that belong on the response whatever it is, such as the CORS ones. */
  readonly headers: Record<string, string>
  /** The errors reported to the sender; empty unless it was refused for them. */
  errors: ReadonlyArray<FieldError>
  /** The bare socket and what was read of it, where the request asks for another protocol. */
  readonly upgrade: { readonly socket: Socket; readonly head: Buffer } | null
  /** The response is a stream that began with this status: it counts as answered now. The front sets what that does. */
  settled: (status: number) => void
  /** Why the post of an authenticated sender was refused (T12); null for any other exchange. */
  refusal: RefusalReason | null
}

/** The caller's request id when it may be repeated, else a fresh one. */
export const requestIdOf = (
  given: string | ReadonlyArray<string> | undefined,
  freshId: () => string
): string => (typeof given === "string" && requestIdPattern.test(given) ? given : freshId())

// The authority without a userinfo, which no such target may have.
const absoluteForm = /^https?:\/\/(?<authority>[^/?#@]+)(?<rest>.*)$/i

/**
 * The target as path and query. A proxy names scheme and host in it, which every server must take (RFC 9112, 3.2.2);
 * that host then counts and not the header, also for deciding who is a local caller.
 */
const originForm = (request: IncomingMessage): string => {
  const url = request.url ?? "/"
  const groups = absoluteForm.exec(url)?.groups
  if (groups === undefined) return url
  const { authority = "", rest = "" } = groups
  request.headers.host = authority
  return rest.startsWith("/") ? rest : `/${rest}`
}

/** Senders and proxies write `/webhook/` for `/webhook`; two slashes are a mistake and stay a different path. */
const withoutSlash = (path: string): string =>
  path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path

/** Opens the exchange of a request whose headers are complete. */
export const openExchange = (
  request: IncomingMessage,
  response: ServerResponse,
  freshId: () => string,
  upgrade: Exchange["upgrade"] = null
): Exchange => {
  const url = originForm(request)
  const cut = url.indexOf("?")
  return {
    request,
    response,
    requestId: requestIdOf(request.headers["x-request-id"], freshId),
    method: request.method ?? "GET",
    path: withoutSlash(cut < 0 ? url : url.slice(0, cut)),
    query: cut < 0 ? "" : url.slice(cut + 1),
    startedAt: performance.now(),
    sender: plainAddress(request.socket.remoteAddress),
    headers: {},
    errors: [],
    refusal: null,
    upgrade,
    settled: () => undefined
  }
}

/** Milliseconds since the headers were complete, to the microsecond. */
export const elapsedMs = (exchange: Exchange): number =>
  Math.round((performance.now() - exchange.startedAt) * 1_000) / 1_000

const send = (
  exchange: Exchange,
  status: number,
  contentType: string,
  text: string | Buffer,
  headers: Record<string, string>
): void => {
  const { response } = exchange
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    "x-request-id": exchange.requestId,
    "content-type": contentType,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...exchange.headers,
    ...headers
  })
  // A text leaves in one write with the headers; bytes would be a second one.
  if (exchange.method === "HEAD") response.end()
  else response.end(text)
}

/** Answers with JSON. `body` must be plain: bigints are the caller's business. */
export const answerJson = (
  exchange: Exchange,
  status: number,
  body: unknown,
  headers: Record<string, string> = {}
): void => send(exchange, status, "application/json; charset=utf-8", `${JSON.stringify(body)}\n`, headers)

/** Answers with text of the given type, or with the bytes of a file. */
export const answerText = (
  exchange: Exchange,
  status: number,
  contentType: string,
  text: string | Buffer,
  headers: Record<string, string> = {}
): void => send(exchange, status, contentType, text, headers)

/** Answers without a body (204). */
export const answerEmpty = (
  exchange: Exchange,
  status: number,
  headers: Record<string, string> = {}
): void => {
  const { response } = exchange
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    "x-request-id": exchange.requestId,
    "content-length": 0,
    ...exchange.headers,
    ...headers
  })
  response.end()
}

/** For what is not known to be stored: when to resend. */
export const retryAfter = { "retry-after": String(Math.ceil(intakeLimits.retryAfterMs / 1_000)) }

/** The names of refusals, by status: stable, upper case, the `status` of the body. */
export const refusalWords = {
  400: "INVALID",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  408: "REQUEST_TIMEOUT",
  409: "CONFLICT",
  413: "TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  417: "EXPECTATION_FAILED",
  421: "MISDIRECTED",
  426: "UPGRADE_REQUIRED",
  429: "RATE_LIMITED",
  431: "HEADERS_TOO_LARGE",
  500: "INTERNAL_ERROR",
  501: "NOT_IMPLEMENTED",
  503: "UNAVAILABLE"
} as const
export type RefusalStatus = keyof typeof refusalWords

/** What a refusal has beyond its name. `errors`: what the sender can fix. */
export type RefusalBody = Readonly<Record<string, unknown>> & { readonly errors?: ReadonlyArray<FieldError> }

/** Refuses: `{status: WORD, request_id, ...more}`. */
export const refuse = (
  exchange: Exchange,
  status: RefusalStatus,
  more: RefusalBody = {},
  headers: Record<string, string> = {}
): void => {
  exchange.errors = more.errors ?? []
  answerJson(
    exchange,
    status,
    { status: refusalWords[status], ...more, request_id: exchange.requestId },
    headers
  )
}
