/**
 * The venue's admin routes: switches and counters for tests and operators of practice mode.
 *
 * Promises: the counters are the durable ones; `fill` and `expire` go through the book like everything else, so what a
 * test does by hand is published to the streams too.
 * Never: is subject to fault switches: a test must be able to reset a fault.
 */
import { Effect, Schema } from "effect"
import type { IncomingMessage } from "node:http"
import type { Book } from "./book.ts"
import type { DatabaseAway } from "./database.ts"
import type { Faults } from "./faults.ts"
import { type Answer, json, readJson } from "./http-io.ts"
import type { Matcher } from "./matcher.ts"
import type { Prices } from "./prices.ts"
import type { Queries } from "./queries.ts"
import { Refusal } from "./refusal.ts"
import type { StreamHub } from "./stream-hub.ts"
import { fillOut, orderOut } from "./wire.ts"

export interface AdminParts {
  readonly book: Book
  readonly queries: Queries
  readonly prices: Prices
  readonly faults: Faults
  readonly matcher: Matcher
  readonly hub: StreamHub
}

type Handled = Effect.Effect<Answer, Refusal | DatabaseAway>

const Decimal = Schema.String.check(Schema.isPattern(/^(?=.*[1-9])(0|[1-9]\d{0,11})(\.\d{1,12})?$/))
const Uuid = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/))

const PriceBody = Schema.Struct({ symbol: Schema.NonEmptyString, price: Schema.NullOr(Decimal) })
const FillBody = Schema.Struct({
  account: Schema.NonEmptyString,
  order_id: Uuid,
  quantity: Schema.optionalKey(Decimal),
  price: Decimal
})
const ExpireBody = Schema.Struct({ order_id: Uuid })
const CloseBody = Schema.Struct({
  code: Schema.Int.check(Schema.isBetween({ minimum: 1000, maximum: 4999 })),
  reason: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(100)))
})

const bodyAs = <S extends Schema.Top & { readonly DecodingServices: never }>(
  schema: S,
  request: IncomingMessage
) =>
  Effect.flatMap(readJson(request), (body) =>
    Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })(body).pipe(
      Effect.mapError((e) => new Refusal({ code: "invalid_request", message: e.message }))
    )
  )

const setPrice = (parts: AdminParts, request: IncomingMessage): Handled =>
  Effect.gen(function* () {
    const { symbol, price } = yield* bodyAs(PriceBody, request)
    yield* parts.prices.set(symbol, price)
    return json(200, yield* parts.prices.quote(symbol))
  })

const fillByHand = (parts: AdminParts, request: IncomingMessage): Handled =>
  Effect.gen(function* () {
    const body = yield* bodyAs(FillBody, request)
    const order = { id: body.order_id, account: body.account }
    const filled = yield* parts.matcher.fillNow(order, body.quantity ?? null, body.price)
    if (filled === null) return yield* new Refusal({ code: "order_not_open", message: "the order has ended" })
    return json(200, fillOut(filled.fill))
  })

const expire = (parts: AdminParts, request: IncomingMessage): Handled =>
  Effect.gen(function* () {
    const { order_id } = yield* bodyAs(ExpireBody, request)
    const order = yield* parts.book.end(null, order_id, "expired")
    parts.hub.publishOrder(order)
    return json(200, orderOut(order))
  })

const faultsRoute = (parts: AdminParts, request: IncomingMessage): Handled | null => {
  switch (request.method) {
    case "GET":
      return Effect.sync(() => json(200, parts.faults.state()))
    case "DELETE":
      return Effect.sync(() => json(200, parts.faults.reset()))
    case "POST":
      return Effect.flatMap(readJson(request), (body) =>
        Effect.map(Effect.fromResult(parts.faults.change(body)), (state) => json(200, state))
      )
    default:
      return null
  }
}

const closeStreams = (parts: AdminParts, request: IncomingMessage): Handled =>
  Effect.map(bodyAs(CloseBody, request), ({ code, reason }) =>
    json(200, { closed: parts.hub.closeAll(code, reason ?? "a test asked for this") })
  )

/** The route below /admin, or null when there is none. */
export const adminRoute = (
  parts: AdminParts,
  request: IncomingMessage,
  path: ReadonlyArray<string>,
  query: URLSearchParams
): Handled | null => {
  const place = path.join("/")
  if (place === "faults") return faultsRoute(parts, request)
  if (request.method === "GET" && place === "creates") {
    return Effect.map(parts.queries.creates(query.get("client_order_id")), (creates) =>
      json(200, { creates })
    )
  }
  if (request.method !== "POST") return null
  if (place === "price") return setPrice(parts, request)
  if (place === "fill") return fillByHand(parts, request)
  if (place === "expire") return expire(parts, request)
  if (place === "stream/close") return closeStreams(parts, request)
  return null
}
