/**
 * Broker adapter for the paper venue: plain HTTP for orders and look-ups, a WebSocket for facts.
 *
 * It is the pattern for every later venue: one attempt per create, and each outcome classified by what is known about it.
 *
 * Promises: a create is `BrokerRefused` only for a 4xx with a code this venue documents; `BrokerNotSent` only when no
 * byte left; everything else that is not the order itself is `BrokerOutcomeUnknown`; the permit to send is checked with
 * the connection made and nothing written.
 * Never: retries, caches, or does I/O while it is built.
 * Failure: reads fail as `BrokerUnavailable`, even for a 4xx: a refused look-up learned nothing.
 */
import { Effect, Option, type Scope } from "effect"
import { accountLimits } from "../../domain/kernel/limits-execution.ts"
import { brokerLimits } from "./broker-limits.ts"
import {
  type BrokerConnection,
  BrokerNotSent,
  BrokerOutcomeUnknown,
  BrokerRefused,
  BrokerStreamEnded,
  BrokerUnavailable,
  type ClientOrderIdRule,
  type CreateOrder,
  SendPermit,
  type VenueOrder
} from "./broker.port.ts"
import { type Exchange, ExchangeFailed, makeExchange, type Reply } from "./broker.exchange.ts"
import { paperStream } from "./broker.paper-stream.ts"
import {
  documentedRefusals,
  orderBody,
  type Page,
  readActivity,
  readBalance,
  readFills,
  readOrder,
  readOrders,
  readPositions,
  readRefusal
} from "./broker.paper-wire.ts"

export interface PaperConnectionOptions {
  readonly name: string
  readonly venue: string
  readonly rule: ClientOrderIdRule
  readonly propagationMs: number
  /** Base URL of the venue now, or null while it is not up. Looked up at every call: an embedded venue moves. */
  readonly address: () => string | null
}

interface Wire {
  readonly options: PaperConnectionOptions
  readonly exchange: Exchange
}

const DUPLICATE_CODE = "duplicate_client_order_id"
const NOT_UP = "the venue is not up"

const excerpt = (reply: Reply): string =>
  `status ${reply.status}: ${JSON.stringify(reply.text.slice(0, brokerLimits.excerptLengthMax))}`

/** The URL of `path` below the venue's base, or a failure that states that nothing was sent. */
const urlOf = (wire: Wire, path: string, query: Readonly<Record<string, string>> = {}) =>
  Effect.suspend(() => {
    const base = wire.options.address()
    if (base === null) return Effect.fail(new ExchangeFailed({ sent: false, reason: NOT_UP }))
    const url = new URL(path, base.endsWith("/") ? base : `${base}/`)
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
    return Effect.succeed(url)
  })

/** What the response to a POST or DELETE means. */
const judge = (
  name: string,
  reply: Reply,
  accept: (order: VenueOrder) => boolean
): Effect.Effect<VenueOrder, BrokerRefused | BrokerOutcomeUnknown> => {
  if (reply.status === 200 || reply.status === 201) {
    const order = readOrder(reply.text)
    if (order !== null && accept(order)) return Effect.succeed(order)
  }
  if (reply.status >= 400 && reply.status < 500) {
    const refusal = readRefusal(reply.text)
    if (refusal !== null && documentedRefusals.has(refusal.code)) {
      return Effect.fail(
        new BrokerRefused({ broker: name, ...refusal, duplicate: refusal.code === DUPLICATE_CODE })
      )
    }
  }
  return Effect.fail(new BrokerOutcomeUnknown({ broker: name, reason: excerpt(reply) }))
}

const createOn =
  (wire: Wire): BrokerConnection["create"] =>
  (order: CreateOrder) =>
    Effect.gen(function* () {
      const { name } = wire.options
      const url = yield* urlOf(wire, "orders")
      const permit = yield* SendPermit
      const deadlineMs = accountLimits.brokerCallMsMax
      const reply = yield* wire.exchange({ method: "POST", url, body: orderBody(order), deadlineMs, permit })
      return yield* judge(
        name,
        reply,
        (placed) => placed.clientOrderId === order.clientOrderId && placed.account === order.account
      )
    }).pipe(
      Effect.catchTag("ExchangeFailed", ({ sent, reason, cause }) => {
        const broker = wire.options.name
        return Effect.fail(
          sent
            ? new BrokerOutcomeUnknown({ broker, reason, cause })
            : new BrokerNotSent({ broker, reason, cause })
        )
      })
    )

const cancelOn =
  (wire: Wire): BrokerConnection["cancel"] =>
  (account, venueOrderId) =>
    Effect.gen(function* () {
      const url = yield* urlOf(wire, `orders/${encodeURIComponent(venueOrderId)}`, { account })
      const permit = yield* SendPermit
      const deadlineMs = accountLimits.brokerCallMsMax
      const reply = yield* wire.exchange({ method: "DELETE", url, body: null, deadlineMs, permit })
      return yield* judge(wire.options.name, reply, (order) => order.venueOrderId === venueOrderId)
    }).pipe(
      Effect.catchTag("ExchangeFailed", ({ sent, reason, cause }) => {
        const broker = wire.options.name
        return Effect.fail(
          sent
            ? new BrokerOutcomeUnknown({ broker, reason, cause })
            : new BrokerNotSent({ broker, reason, cause })
        )
      })
    )

/** One look-up: a 200 that `read` understands, or `BrokerUnavailable`. */
const look = <A>(
  wire: Wire,
  operation: string,
  path: string,
  query: Readonly<Record<string, string>>,
  read: (text: string) => A | null
): Effect.Effect<A, BrokerUnavailable> =>
  Effect.gen(function* () {
    const url = yield* urlOf(wire, path, query)
    // A look-up changes nothing, so it needs no permit.
    const permit = () => true
    const deadlineMs = brokerLimits.readMsMax
    const reply = yield* wire.exchange({ method: "GET", url, body: null, deadlineMs, permit })
    const answer = reply.status === 200 ? read(reply.text) : null
    return answer ?? (yield* new ExchangeFailed({ sent: true, reason: excerpt(reply) }))
  }).pipe(
    Effect.catchTag("ExchangeFailed", ({ reason, cause }) =>
      Effect.fail(new BrokerUnavailable({ broker: wire.options.name, operation, reason, cause }))
    )
  )

/** A look-up over all its pages. `cursor` is the parameter under which the venue accepts `next`. */
const lookAll = <A>(
  wire: Wire,
  operation: string,
  path: string,
  query: Readonly<Record<string, string>>,
  cursor: string,
  read: (text: string) => Page<A> | null
): Effect.Effect<ReadonlyArray<A>, BrokerUnavailable> =>
  Effect.gen(function* () {
    const items: Array<A> = []
    let asked = query
    for (let pages = 0; pages < brokerLimits.pagesMax; pages++) {
      const page: Page<A> = yield* look(wire, operation, path, asked, read)
      items.push(...page.items)
      if (page.next === null) return items
      asked = { ...query, [cursor]: page.next }
    }
    const reason = `more than ${brokerLimits.pagesMax} pages`
    return yield* new BrokerUnavailable({ broker: wire.options.name, operation, reason })
  })

/** A cursor of this venue is the sequence of a fill; a few before it are fetched again. */
const beforeCursor = (cursor: string): string => {
  const from = BigInt(cursor) - BigInt(brokerLimits.fillsOverlap)
  return String(from > 0n ? from : 0n)
}

type Reads = Pick<
  BrokerConnection,
  "activity" | "findByClientOrderId" | "openOrders" | "recentOrders" | "fillsSince" | "positions" | "balance"
>

const readsOn = (wire: Wire): Reads => {
  const orders = (operation: string, query: Readonly<Record<string, string>>) =>
    lookAll(wire, operation, "orders", query, "after", readOrders)
  return {
    findByClientOrderId: (account, clientOrderId) =>
      Effect.map(orders("findByClientOrderId", { account, client_order_id: clientOrderId }), (found) =>
        Option.fromNullishOr(found.at(-1))
      ),
    openOrders: (account) => orders("openOrders", { account, status: "open" }),
    recentOrders: (account, since) => orders("recentOrders", { account, updated_since: since.toISOString() }),
    fillsSince: (account, cursor) =>
      lookAll(
        wire,
        "fillsSince",
        "fills",
        { account, ...(cursor === null ? {} : { after_sequence: beforeCursor(cursor) }) },
        "after_sequence",
        readFills
      ),
    activity: lookAll(wire, "activity", "activity", {}, "after", readActivity),
    positions: (account) => look(wire, "positions", "positions", { account }, readPositions),
    balance: (account) => look(wire, "balance", `accounts/${encodeURIComponent(account)}`, {}, readBalance)
  }
}

/** How often a stream that waits for its venue checks for it: below any delay that a person or a test would notice. */
const ADDRESS_LOOK_MS = 25

/**
 * The URL of the stream, as soon as the venue has an address. Waiting for an embedded venue is part of connecting: it
 * comes up together with its broker, and a backoff that began a moment too early would keep trading waiting for seconds.
 */
const streamUrl = (wire: Wire): Effect.Effect<URL, ExchangeFailed> =>
  Effect.gen(function* () {
    while (wire.options.address() === null) yield* Effect.sleep(ADDRESS_LOOK_MS)
    const url = yield* urlOf(wire, "stream")
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
    return url
  }).pipe(
    Effect.timeoutOrElse({
      duration: brokerLimits.streamConnectMsMax,
      orElse: () => Effect.fail(new ExchangeFailed({ sent: false, reason: NOT_UP }))
    })
  )

const streamOn =
  (wire: Wire): BrokerConnection["stream"] =>
  (onEvent) =>
    Effect.gen(function* () {
      const { name } = wire.options
      const url = yield* streamUrl(wire).pipe(
        Effect.mapError(({ reason }) => new BrokerStreamEnded({ broker: name, code: null, reason }))
      )
      return yield* paperStream(name, url, onEvent)
    })

/** A connection to one paper venue. Its sockets open with the first call and close with the scope. */
export const makePaperConnection = (
  options: PaperConnectionOptions
): Effect.Effect<BrokerConnection, never, Scope.Scope> =>
  Effect.map(makeExchange, (exchange) => {
    const wire: Wire = { options, exchange }
    const { name, venue, rule, propagationMs } = options
    return {
      name,
      venue,
      rule,
      propagationMs,
      create: createOn(wire),
      cancel: cancelOn(wire),
      ...readsOn(wire),
      stream: streamOn(wire)
    }
  })
