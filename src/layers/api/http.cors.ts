/**
 * Cross-origin responses: exact origins of the settings, nothing else.
 *
 * A wildcard would let any page that an operator opens read the API that is open on loopback in practice (D10).
 *
 * Promises: an origin that is not listed gets no permission, and the response states that it depends on the origin.
 * Never: reflects an origin that is not in the list; allows credentials other than the Authorization header.
 * Failure: an origin that is not listed is answered without permissions.
 */
import { answerEmpty, type Exchange } from "./http.exchange.ts"

const originOf = (corsOrigins: ReadonlyArray<string>, exchange: Exchange): string | undefined => {
  const { origin } = exchange.request.headers
  return origin !== undefined && corsOrigins.includes(origin) ? origin : undefined
}

/** Adds the permission of a listed origin to whatever response the exchange gets. */
export const applyCors = (corsOrigins: ReadonlyArray<string>, exchange: Exchange): void => {
  if (exchange.request.headers.origin === undefined) return
  exchange.headers["vary"] = "origin"
  const origin = originOf(corsOrigins, exchange)
  if (origin === undefined) return
  exchange.headers["access-control-allow-origin"] = origin
  exchange.headers["access-control-expose-headers"] = "x-request-id, retry-after"
}

/**
 * A browser's preflight for a page of a listed origin. Every other OPTIONS, including that of an
 * unlisted origin, asks what a path accepts.
 */
export const isPreflight = (corsOrigins: ReadonlyArray<string>, exchange: Exchange): boolean =>
  exchange.method === "OPTIONS" &&
  exchange.request.headers["access-control-request-method"] !== undefined &&
  originOf(corsOrigins, exchange) !== undefined

/** Answers a preflight: what a listed origin may send, to whatever path, for it comes without credentials. */
export const answerPreflight = (exchange: Exchange): void => {
  answerEmpty(exchange, 204, {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers":
      "authorization, content-type, idempotency-key, webhook-id, webhook-timestamp, webhook-signature, x-request-id, x-webhook-signature",
    "access-control-max-age": "600"
  })
}
