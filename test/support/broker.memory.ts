/**
 * Broker twin in memory: a deterministic venue whose answers a test scripts one by one.
 *
 * The executor, the order machine and the reconciler are tested against this twin on the virtual clock; it passes the
 * same contract suite as the adapter of the paper venue, so what is learned here holds there.
 *
 * Promises: without a script it behaves like the paper venue: market orders fill at once at the symbol's price, limit
 * and stop orders rest; every scripted outcome is used once, in order; requests are counted per client order id before anything
 * else happens to them.
 * Never: waits on anything but the ambient clock, or keeps state outside the object it returns.
 * Failure: exactly what the script defines, with the tags of the port.
 */
import { BigDecimal, Cause, Clock, Effect, Option, Queue } from "effect"
import { accountLimits } from "../../src/domain/kernel/limits-execution.ts"
import type { VenueFill } from "../../src/domain/orders/fill.ts"
import {
  type BrokerConnection,
  type BrokerEvent,
  BrokerNotSent,
  BrokerOutcomeUnknown,
  BrokerRefused,
  BrokerStreamEnded,
  BrokerUnavailable,
  type ClientOrderIdRule,
  type CreateOrder,
  SendPermit,
  type VenueOrder
} from "../../src/layers/venues/broker.port.ts"
import { isOpen, makeMemoryBook, type MemoryBook, remainingQuantity } from "./venue-book.memory.ts"

/**
 * What one create or cancel meets. `applied: true` means that the venue did it and only the answer was lost (K5);
 * `hang` waits for the adapter's deadline on the clock and then is unknown; `delay` answers late but truly.
 */
export type Outcome =
  | { readonly _tag: "answer" }
  | { readonly _tag: "delay"; readonly ms: number }
  | { readonly _tag: "refuse"; readonly code: string; readonly message: string }
  | { readonly _tag: "lost"; readonly applied: boolean; readonly reason?: string }
  | { readonly _tag: "hang"; readonly applied: boolean }
  | { readonly _tag: "notSent" }

export interface MemoryBrokerOptions {
  readonly name?: string
  readonly venue?: string
  readonly rule?: ClientOrderIdRule
  readonly propagationMs?: number
  readonly startingCash?: string
  /** After how long a `hang` is given up, as an adapter's deadline would. Default: the limit of one broker round trip. */
  readonly deadlineMs?: number
}

export interface MemoryBroker {
  readonly connection: BrokerConnection
  /** The raw book, for assertions and for facts that happen without us (`createExternal`, `fill`, `end`). */
  readonly book: MemoryBook
  readonly scriptCreate: (...outcomes: ReadonlyArray<Outcome>) => void
  readonly scriptCancel: (...outcomes: ReadonlyArray<Outcome>) => void
  /** While false every read fails with `BrokerUnavailable`. */
  readonly setReadable: (readable: boolean) => void
  /** Milliseconds during which `findByClientOrderId`, `openOrders` and `recentOrders` do not see a new order. */
  readonly setInvisibleMs: (ms: number) => void
  readonly setPrice: (symbol: string, price: string) => void
  /** While true market orders stay open: a test fills them itself with `fill`. */
  readonly holdFills: (held: boolean) => void
  /** Fills what is left of an order, or `quantity` of it, at `price` or the symbol's price. */
  readonly fill: (venueOrderId: string, quantity?: string, price?: string) => Effect.Effect<VenueFill>
  /** Cuts every live stream. Code null stands for a connection that broke without a close frame. */
  readonly endStreams: (code: number | null, reason: string) => void
  /** While a reason is set, `stream` ends at once with it. */
  readonly refuseStreams: (reason: string | null) => void
  /** How many create requests reached the venue under this id, and how many orders they made. */
  readonly creates: (clientOrderId: string) => { readonly requests: number; readonly orders: number }
}

/** More events than any test makes at once, small enough to show that the buffer is bounded. */
const STREAM_BUFFER_MAX = 1_024
const PRICE_DEFAULT = "100"
const DUPLICATE_CODE = "duplicate_client_order_id"

type Stream = Queue.Queue<BrokerEvent, BrokerStreamEnded>

/** The live streams of one twin: publish to all, end all. */
const makeStreams = (name: string) => {
  const live = new Set<Stream>()
  let refused: string | null = null
  const ended = (code: number | null, reason: string) => new BrokerStreamEnded({ broker: name, code, reason })
  return {
    publish: (event: BrokerEvent): void => {
      for (const queue of live) {
        if (!Queue.offerUnsafe(queue, event))
          Queue.failCauseUnsafe(queue, Cause.fail(ended(null, "buffer full")))
      }
    },
    endAll: (code: number | null, reason: string): void => {
      for (const queue of live) Queue.failCauseUnsafe(queue, Cause.fail(ended(code, reason)))
      live.clear()
    },
    refuse: (reason: string | null): void => {
      refused = reason
    },
    connection: <R>(onEvent: (event: BrokerEvent) => Effect.Effect<void, never, R>) =>
      Effect.gen(function* () {
        if (refused !== null) return yield* ended(null, refused)
        const queue: Stream = yield* Queue.dropping<BrokerEvent, BrokerStreamEnded>(STREAM_BUFFER_MAX)
        yield* Effect.acquireRelease(
          Effect.sync(() => live.add(queue)),
          () => Effect.sync(() => live.delete(queue))
        )
        yield* onEvent({ _tag: "Connected" })
        return yield* Effect.forever(Effect.flatMap(Queue.take(queue), onEvent))
      })
  }
}

/** Everything one twin remembers; the functions below are the three faces it shows to the port. */
interface Twin {
  readonly name: string
  readonly deadlineMs: number
  readonly book: MemoryBook
  readonly createScript: Array<Outcome>
  readonly cancelScript: Array<Outcome>
  readonly requests: Map<string, number>
  readonly prices: Map<string, string>
  readonly triggered: Set<string>
  readable: boolean
  invisibleMs: number
  held: boolean
}

const now = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms))

const priceOf = (twin: Twin, symbol: string): string => twin.prices.get(symbol) ?? PRICE_DEFAULT

const refusal = (twin: Twin, code: string, message: string, duplicate = false) =>
  new BrokerRefused({ broker: twin.name, code, message, duplicate })

/** A stop stays triggered, whatever the price does then. */
const isTriggered = (twin: Twin, { side, stopPrice, symbol, venueOrderId }: VenueOrder): boolean => {
  if (stopPrice === null || twin.triggered.has(venueOrderId)) return true
  const [price, stop] = [priceOf(twin, symbol), stopPrice].map((text) => BigDecimal.fromStringUnsafe(text))
  if (price === undefined || stop === undefined) return false
  const reached =
    side === "buy"
      ? BigDecimal.isGreaterThanOrEqualTo(price, stop)
      : BigDecimal.isLessThanOrEqualTo(price, stop)
  if (reached) twin.triggered.add(venueOrderId)
  return reached
}

const crosses = (twin: Twin, order: VenueOrder): boolean => {
  if (!isTriggered(twin, order)) return false
  if (order.limitPrice === null) return true
  const price = BigDecimal.fromStringUnsafe(priceOf(twin, order.symbol))
  const limit = BigDecimal.fromStringUnsafe(order.limitPrice)
  return order.side === "buy"
    ? BigDecimal.isLessThanOrEqualTo(price, limit)
    : BigDecimal.isGreaterThanOrEqualTo(price, limit)
}

const fillIfMarketable = (twin: Twin, order: VenueOrder, at: Date): void => {
  if (twin.held || !isOpen(order.status) || !crosses(twin, order)) return
  twin.book.fill(order.venueOrderId, remainingQuantity(order), priceOf(twin, order.symbol), at)
}

/** Runs `apply` the way `outcome` says. */
const meet = <A, E>(twin: Twin, outcome: Outcome, apply: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const unknown = (reason: string) => new BrokerOutcomeUnknown({ broker: twin.name, reason })
    switch (outcome._tag) {
      case "refuse":
        return yield* refusal(twin, outcome.code, outcome.message)
      case "lost":
        if (outcome.applied) yield* apply
        return yield* unknown(outcome.reason ?? "connection lost before the answer")
      case "hang":
        if (outcome.applied) yield* apply
        yield* Effect.sleep(twin.deadlineMs)
        return yield* unknown(`no answer within ${twin.deadlineMs} ms`)
      case "delay":
        yield* Effect.sleep(outcome.ms)
        return yield* apply
      default:
        return yield* apply
    }
  })

const createIn =
  (twin: Twin): BrokerConnection["create"] =>
  (order: CreateOrder) =>
    Effect.gen(function* () {
      const outcome = twin.createScript.shift() ?? { _tag: "answer" as const }
      if (outcome._tag === "notSent") {
        return yield* new BrokerNotSent({ broker: twin.name, reason: "connection refused" })
      }
      const permit = yield* SendPermit
      if (!permit())
        return yield* new BrokerNotSent({ broker: twin.name, reason: "the permit to send is gone" })
      twin.requests.set(order.clientOrderId, (twin.requests.get(order.clientOrderId) ?? 0) + 1)
      const apply = Effect.flatMap(now, (at) => {
        const result = twin.book.create(order, at)
        if (result._tag === "Taken") {
          const message = `client order id ${order.clientOrderId} is taken`
          return Effect.fail(refusal(twin, DUPLICATE_CODE, message, true))
        }
        if (result._tag === "Created") fillIfMarketable(twin, result.order, at)
        // The answer of a create is the order as accepted; its fills come by the stream, as at real venues.
        return Effect.succeed(result.order)
      })
      return yield* meet(twin, outcome, apply)
    })

const cancelIn =
  (twin: Twin): BrokerConnection["cancel"] =>
  (account, venueOrderId) =>
    Effect.gen(function* () {
      const outcome = twin.cancelScript.shift() ?? { _tag: "answer" as const }
      if (outcome._tag === "notSent") {
        return yield* new BrokerNotSent({ broker: twin.name, reason: "connection refused" })
      }
      const permit = yield* SendPermit
      if (!permit())
        return yield* new BrokerNotSent({ broker: twin.name, reason: "the permit to send is gone" })
      const apply = Effect.flatMap(now, (at) => {
        const order = twin.book.order(venueOrderId)
        if (order === undefined || order.account !== account) {
          return Effect.fail(refusal(twin, "order_not_found", `no order ${venueOrderId} in ${account}`))
        }
        return isOpen(order.status)
          ? Effect.succeed(twin.book.end(venueOrderId, "cancelled", at))
          : Effect.fail(refusal(twin, "order_not_open", `order ${venueOrderId} is ${order.status}`))
      })
      return yield* meet(twin, outcome, apply)
    })

type Reads = Pick<
  BrokerConnection,
  "activity" | "findByClientOrderId" | "openOrders" | "recentOrders" | "fillsSince" | "positions" | "balance"
>

const readsOf = (twin: Twin): Reads => {
  const read = <A>(operation: string, f: () => A): Effect.Effect<A, BrokerUnavailable> =>
    Effect.suspend(() =>
      twin.readable
        ? Effect.sync(f)
        : Effect.fail(
            new BrokerUnavailable({ broker: twin.name, operation, reason: "scripted: not readable" })
          )
    )
  const readOrders = <A>(operation: string, account: string, f: (orders: ReadonlyArray<VenueOrder>) => A) =>
    Effect.flatMap(Clock.currentTimeMillis, (ms) =>
      read(operation, () =>
        f(twin.book.orders(account).filter((o) => o.createdAt.getTime() <= ms - twin.invisibleMs))
      )
    )
  return {
    findByClientOrderId: (account, clientOrderId) =>
      readOrders("findByClientOrderId", account, (orders) =>
        Option.fromNullishOr(orders.findLast((o) => o.clientOrderId === clientOrderId))
      ),
    openOrders: (account) =>
      readOrders("openOrders", account, (orders) => orders.filter((o) => isOpen(o.status))),
    recentOrders: (account, since) =>
      readOrders("recentOrders", account, (orders) => orders.filter((o) => o.updatedAt >= since)),
    fillsSince: (account, cursor) =>
      read("fillsSince", () =>
        twin.book.fills(account).filter((f) => cursor === null || BigInt(f.cursor) > BigInt(cursor))
      ),
    activity: read("activity", () =>
      [...new Set(twin.book.orders().map(({ account }) => account))].map((account) => ({
        account,
        openOrders: twin.book.orders(account).filter((o) => isOpen(o.status)).length,
        positions: twin.book.positions(account).filter(({ quantity }) => quantity !== "0").length,
        lastFill: twin.book.fills(account).at(-1)?.cursor ?? null
      }))
    ),
    positions: (account) => read("positions", () => twin.book.positions(account)),
    balance: (account) => read("balance", () => twin.book.balance(account))
  }
}

/** Builds the twin. Effects of the connection need nothing; everything else is synchronous and callable from a test. */
export const makeMemoryBroker = (options: MemoryBrokerOptions = {}): MemoryBroker => {
  const name = options.name ?? "memory"
  const rule = options.rule ?? "U"
  const streams = makeStreams(name)
  const book = makeMemoryBook({ rule, startingCash: options.startingCash ?? "100000", tell: streams.publish })
  const twin: Twin = {
    name,
    deadlineMs: options.deadlineMs ?? accountLimits.brokerCallMsMax,
    book,
    createScript: [],
    cancelScript: [],
    requests: new Map(),
    prices: new Map(),
    triggered: new Set(),
    readable: true,
    invisibleMs: 0,
    held: false
  }
  return {
    connection: {
      name,
      venue: options.venue ?? name,
      rule,
      propagationMs: options.propagationMs ?? 0,
      create: createIn(twin),
      cancel: cancelIn(twin),
      ...readsOf(twin),
      stream: streams.connection
    },
    book,
    scriptCreate: (...outcomes) => void twin.createScript.push(...outcomes),
    scriptCancel: (...outcomes) => void twin.cancelScript.push(...outcomes),
    setReadable: (value) => void (twin.readable = value),
    setInvisibleMs: (ms) => void (twin.invisibleMs = ms),
    setPrice: (symbol, price) => {
      twin.prices.set(symbol, price)
      // A resting limit order fills when the price crosses it; the test's price change is the tick.
      for (const order of book.orders())
        if (order.symbol === symbol) fillIfMarketable(twin, order, order.updatedAt)
    },
    holdFills: (value) => void (twin.held = value),
    fill: (venueOrderId, quantity, price) =>
      Effect.map(now, (at) => {
        const order = book.order(venueOrderId)
        if (order === undefined)
          throw new Error(`the test fills an order this book never had: ${venueOrderId}`)
        return book.fill(
          venueOrderId,
          quantity ?? remainingQuantity(order),
          price ?? priceOf(twin, order.symbol),
          at
        )
      }),
    endStreams: streams.endAll,
    refuseStreams: streams.refuse,
    creates: (clientOrderId) => ({
      requests: twin.requests.get(clientOrderId) ?? 0,
      orders: book.orders().filter((o) => o.clientOrderId === clientOrderId).length
    })
  }
}
