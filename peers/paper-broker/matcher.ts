/**
 * Matcher: fills what can trade.
 *
 * One loop does all filling, so trades are published to the streams in the order of their sequence numbers. It checks an
 * order as soon as it is placed, and at every open order once per step of the price while there are any; the second look is also the
 * recovery: an order that was committed before a kill and not filled is filled after it.
 *
 * Promises: market orders trade at once, limit orders when the price reaches them, stop orders after the last trade has reached
 * their stop, for good; `ioc` trades at once or is cancelled, `day` expires at 00:00 UTC; nothing trades while fills are held; a database that is away only makes it wait.
 * Never: holds an order in memory: the queue has names of orders, the book has the orders.
 */
import { BigDecimal, Clock, Effect, Option, Queue, Semaphore } from "effect"
import { formatDecimal } from "../../src/domain/kernel/decimal.ts"
import type { Book, Filled } from "./book.ts"
import type { DatabaseAway } from "./database.ts"
import type { Faults } from "./faults.ts"
import { venueLimits } from "./options.ts"
import { type Prices, reachesStop, tradePrice } from "./prices.ts"
import type { Queries } from "./queries.ts"
import type { Refusal } from "./refusal.ts"
import type { StreamHub } from "./stream-hub.ts"
import { isOpen, type OrderRow, plain } from "./wire.ts"

export interface Matcher {
  /** Reports that an order was placed. Cheap; when the queue is full the next sweep finds the order. */
  readonly look: (order: OrderRow) => void
  /** Fills on request of a test, even while fills are held. Null when the order has ended. */
  readonly fillNow: (
    order: Pick<OrderRow, "id" | "account">,
    quantity: string | null,
    price: string
  ) => Effect.Effect<Filled | null, Refusal | DatabaseAway>
  /** Runs forever; to be owned by the venue's scope. Ends only by a defect. */
  readonly run: Effect.Effect<never>
}

/** What the matcher depends on. */
export interface MatcherParts {
  readonly book: Book
  readonly queries: Queries
  readonly prices: Prices
  readonly faults: Faults
  readonly hub: StreamHub
}

const dayOf = (date: Date): number => Math.floor(date.getTime() / 86_400_000)

/** Quantities of the trades an order of `quantity` is split into; the last takes the rest. */
const partsOf = (quantity: string, parts: number): ReadonlyArray<string | null> => {
  if (parts <= 1) return [null]
  const share = BigDecimal.round(
    BigDecimal.divideUnsafe(BigDecimal.fromStringUnsafe(quantity), BigDecimal.fromBigInt(BigInt(parts))),
    { scale: 6, mode: "floor" }
  )
  if (BigDecimal.isZero(share)) return [null]
  return [...Array.from({ length: parts - 1 }, () => formatDecimal(share)), null]
}

/** Looks at every open order; whether there is any. Page by page: those far from the market would otherwise hide the rest. */
const sweepAll = <E>(queries: Queries, match: (order: OrderRow) => Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    for (let after = 0n, any = false; ;) {
      const orders: ReadonlyArray<OrderRow> = yield* queries.open(after)
      any ||= orders.length > 0
      yield* Effect.forEach(orders, match, { discard: true })
      const last = orders.at(-1)
      if (last === undefined || orders.length < venueLimits.sweepOrdersMax) return any
      after = last.seq
    }
  })

export const makeMatcher = (parts: MatcherParts): Effect.Effect<Matcher> =>
  Effect.gen(function* () {
    const { book, queries, prices, faults, hub } = parts
    const queue = yield* Queue.dropping<OrderRow>(venueLimits.matcherQueueMax)
    // One trade at a time, published before the next: the order on the stream is the order of the sequence.
    const oneTrade = yield* Semaphore.make(1)

    const fillNow: Matcher["fillNow"] = (order, quantity, price) =>
      oneTrade.withPermit(
        Effect.tap(book.fill(order, quantity, price), (filled) =>
          Effect.sync(() => {
            if (filled !== null) hub.publishFill(filled)
          })
        )
      )
    const end = (order: OrderRow, status: "cancelled" | "expired") =>
      book.end(null, order.id, status).pipe(
        Effect.tap((ended) => Effect.sync(() => hub.publishOrder(ended))),
        // It ended by itself meanwhile: by a cancel of its owner, or its last trade.
        Effect.catchTag("Refusal", () => Effect.void)
      )
    const match = (found: OrderRow) =>
      Effect.gen(function* () {
        if (faults.state().holdFills) return
        const quote = yield* prices.quote(found.symbol)
        // Stored before it trades: a venue that is killed in between finds it triggered, whatever the market does meanwhile.
        const isTriggered = found.triggered_at === null && reachesStop(found, quote)
        const order = isTriggered ? ((yield* book.trigger(found.id)) ?? found) : found
        const price = tradePrice(order, quote)
        if (price !== null) {
          for (const quantity of partsOf(plain(order.quantity), faults.state().fillParts)) {
            const filled = yield* fillNow(order, quantity, price)
            if (filled === null || !isOpen(filled.order.status)) return
          }
          return
        }
        const today = Math.floor((yield* Clock.currentTimeMillis) / 86_400_000)
        if (order.time_in_force === "ioc") yield* end(order, "cancelled")
        if (order.time_in_force === "day" && dayOf(order.created_at) < today) yield* end(order, "expired")
      })
    // Whether an order may be open. Only a sweep shows that none is, and whoever places one says so before its look.
    let mayBeOpen = true
    const sweep = Effect.gen(function* () {
      mayBeOpen = false
      if (yield* sweepAll(queries, match)) mayBeOpen = true
    }).pipe(Effect.onError(() => Effect.sync(() => void (mayBeOpen = true))))
    let sweepAtMs = 0
    const turn = Effect.gen(function* () {
      const beforeMs = yield* Clock.currentTimeMillis
      if (!mayBeOpen) sweepAtMs = Math.max(sweepAtMs, beforeMs + venueLimits.sweepIdleMs)
      const next = yield* Effect.timeoutOption(Queue.take(queue), Math.max(0, sweepAtMs - beforeMs))
      if (Option.isSome(next)) yield* match(next.value)
      // By the clock and not by an empty queue: a busy venue must not forget its resting orders.
      const nowMs = yield* Clock.currentTimeMillis
      if (mayBeOpen) sweepAtMs = Math.min(sweepAtMs, nowMs + venueLimits.sweepEveryMs)
      if (nowMs < sweepAtMs) return
      sweepAtMs = nowMs + venueLimits.sweepEveryMs
      yield* sweep
    }).pipe(
      Effect.catchTags({
        DatabaseAway: () => Effect.sleep(venueLimits.databaseRetryMsFirst),
        // No trade of the matcher can be refused: the book answers null for an order that has ended.
        Refusal: (refusal) => Effect.die(refusal)
      })
    )
    const look = (order: OrderRow): void => {
      mayBeOpen = true
      Queue.offerUnsafe(queue, order)
    }
    return { look, fillNow, run: Effect.forever(turn) }
  })
