/**
 * Order journal: what becomes of orders in this process, as entries of the journal.
 *
 * Around the ports and not inside their adapters: an entry is made when a committed step is known to this process, and the
 * adapters stay a mirror of the tables. `order_events` remains the truth about an order; this is the same life in the one
 * sequence with everything else that happened.
 *
 * Promises: each step that a port reports as made is one entry, in the order of the answers; a step that was already
 * recorded is not recorded again; the correlation id is the signal's, the command's, or the order's own.
 * Never: reads a table; changes what a port returns, or when.
 */
import { BigDecimal, Clock, Context, Effect, Layer } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { decimal, formatDecimal } from "../../domain/kernel/decimal.ts"
import type { OrderStatus } from "../../domain/orders/order.ts"
import { journalFact, journalText } from "../../domain/platform/journal.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import { Journal, type JournalService } from "../platform/journal.port.ts"
import { type Adopted, FillsStore, type PositionAfter } from "./fills-store.port.ts"
import { OrderCommands, type Stepped } from "./order-commands.port.ts"
import { correlationOf, OrdersStore } from "./orders-store.port.ts"

/** What an entry shows of an order; decisions and stores both have it. */
export interface JournalledOrder {
  readonly id: string
  readonly clientOrderId: string
  readonly signalId: string | null
  readonly commandId: string | null
  /** The signal that opened what an exit closes. */
  readonly openedBy: string | null
  readonly account: string
  readonly strategy: string
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly quantity: string
  readonly filledQuantity: string
  readonly status: OrderStatus
  readonly reason: string | null
}

export interface OrderJournalService {
  /** The order is in its status now. `event` as in `order_events`; that of its status when left out. */
  readonly moved: (order: JournalledOrder, event?: string) => Effect.Effect<void>
  /** A trade of the venue, and the position after it; `order` is null when it is nobody's of ours. */
  readonly filled: (
    order: JournalledOrder | null,
    fill: {
      readonly account: string
      readonly symbol: string
      readonly side: string
      readonly quantity: string
      readonly price: string
    },
    position: PositionAfter
  ) => Effect.Effect<void>
}

/** Orders whose last status is remembered, so that the next step can name it; beyond that the oldest is forgotten. */
const REMEMBERED_MAX = 4_096

const accountPath = (account: string): string => `root/trading/accounts/${account}`

const detailOf = (order: JournalledOrder) => ({
  order_id: order.id,
  client_order_id: order.clientOrderId,
  account: order.account,
  strategy: order.strategy,
  symbol: order.symbol,
  side: order.side,
  quantity: order.quantity,
  filled_quantity: order.filledQuantity
})

const makeOrderJournal = (journal: JournalService, mask: Mask): OrderJournalService => {
  const last = new Map<string, OrderStatus>()
  const remember = ({ id, status }: JournalledOrder): OrderStatus | null => {
    const before = last.get(id) ?? null
    if (before === null && last.size >= REMEMBERED_MAX) {
      const oldest = last.keys().next().value
      if (oldest !== undefined) last.delete(oldest)
    }
    last.set(id, status)
    return before
  }
  const record = (
    order: JournalledOrder,
    event: string,
    from: string | null,
    more: Record<string, unknown>
  ) =>
    Effect.map(Clock.currentTimeMillis, (at) =>
      journal.record(
        journalFact({
          type: "order",
          at,
          path: accountPath(order.account),
          event,
          from,
          to: order.status,
          cause: order.reason === null ? null : journalText(mask(order.reason)),
          correlationId: correlationOf(order),
          detail: { ...detailOf(order), ...more }
        })
      )
    )
  return {
    moved: (order, event = `order.${order.status}`) =>
      Effect.suspend(() => {
        if (order.account === CANARY) return Effect.void
        const from = remember(order)
        return from === order.status ? Effect.void : record(order, event, from, {})
      }),
    filled: (order, fill, after) =>
      Effect.suspend(() => {
        const { account, price, quantity, side, symbol } = fill
        if (account === CANARY) return Effect.void
        const position = {
          quantity: after.quantity,
          average_price: after.averagePrice,
          realised_pnl: after.realisedPnl
        }
        const more = { fill: { quantity, price }, position }
        if (order !== null) return record(order, "order.fill", remember(order), more)
        return Effect.map(Clock.currentTimeMillis, (at) =>
          journal.record(
            journalFact({
              type: "order",
              at,
              path: accountPath(account),
              event: "order.external_fill",
              detail: { account, symbol: journalText(symbol), side, ...more }
            })
          )
        )
      })
  }
}

export class OrderJournal extends Context.Service<OrderJournal, OrderJournalService>()(
  "holdfast/layers/OrderJournal"
) {
  /** The reason of an order may repeat what a venue wrote; `mask` hides what is secret in it. */
  static readonly masked = (mask: Mask): Layer.Layer<OrderJournal, never, Journal> =>
    Layer.effect(
      OrderJournal,
      Effect.map(Journal, (journal) => OrderJournal.of(makeOrderJournal(journal, mask)))
    )
}

/** The orders store whose steps are recorded. */
export const journalledOrders = <E, R>(
  store: Layer.Layer<OrdersStore, E, R>
): Layer.Layer<OrdersStore, E, R | OrderJournal> =>
  Layer.effect(
    OrdersStore,
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { moved } = yield* OrderJournal
      return OrdersStore.of({
        ...orders,
        apply: (grant, order, event, note) =>
          Effect.tap(orders.apply(grant, order, event, note), (outcome) =>
            outcome._tag === "Moved" ? moved(outcome.order, event) : Effect.void
          ),
        submit: (grant, order, judge) =>
          Effect.tap(orders.submit(grant, order, judge), (outcome) => {
            if (outcome._tag === "Submitting")
              return moved(
                outcome.order,
                order.status === "intended" ? "order.submitted" : "order.resubmitted"
              )
            return outcome._tag === "NotPermitted" && outcome.ended !== null
              ? moved(outcome.ended)
              : Effect.void
          }),
        expireStale: (grant, alertOf) =>
          Effect.tap(orders.expireStale(grant, alertOf), (expired) =>
            Effect.forEach(expired ?? [], (order) => moved(order), { discard: true })
          ),
        endUnconfigured: (life, alertOf) =>
          Effect.tap(orders.endUnconfigured(life, alertOf), (ended) =>
            Effect.forEach(ended, (order) => moved(order), { discard: true })
          ),
        lapseApprovals: (grant, alertOf) =>
          Effect.tap(orders.lapseApprovals(grant, alertOf), (lapsed) =>
            Effect.forEach(lapsed ?? [], ({ order }) => moved(order), { discard: true })
          ),
        intendExit: (exit) =>
          Effect.tap(orders.intendExit(exit), (outcome) =>
            outcome._tag === "Intended" ? moved(outcome.order) : Effect.void
          ),
        compensate: (orderId, alertOf) =>
          Effect.tap(orders.compensate(orderId, alertOf), (outcome) =>
            outcome._tag === "Intended" ? moved(outcome.order) : Effect.void
          )
      })
    })
  ).pipe(Layer.provide(store))

/** The trade that brings our quantity to the venue's. */
const adoptedTrade = ({
  account,
  before,
  price,
  quantity,
  symbol
}: Extract<Adopted, { _tag: "Adopted" }>) => {
  const difference = BigDecimal.subtract(decimal(quantity), decimal(before))
  return {
    account,
    symbol,
    side: BigDecimal.sign(difference) > 0 ? "buy" : "sell",
    quantity: formatDecimal(BigDecimal.abs(difference)),
    price
  }
}

/** The fills store whose trades are recorded. */
export const journalledFills = <E, R>(
  store: Layer.Layer<FillsStore, E, R>
): Layer.Layer<FillsStore, E, R | OrderJournal> =>
  Layer.effect(
    FillsStore,
    Effect.gen(function* () {
      const fills = yield* FillsStore
      const { filled } = yield* OrderJournal
      return FillsStore.of({
        ...fills,
        record: (venue, fill, alertOf) =>
          Effect.tap(fills.record(venue, fill, alertOf), (outcome) =>
            outcome._tag === "Recorded" ? filled(outcome.order, fill, outcome.position) : Effect.void
          ),
        adopt: (given) =>
          Effect.tap(fills.adopt(given), (outcome) =>
            outcome._tag === "Adopted" && outcome.position !== null
              ? filled(null, adoptedTrade(outcome), outcome.position)
              : Effect.void
          )
      })
    })
  ).pipe(Layer.provide(store))

/** An operator's commands on orders, whose steps are recorded. */
export const journalledCommands = <E, R>(
  commands: Layer.Layer<OrderCommands, E, R>
): Layer.Layer<OrderCommands, E, R | OrderJournal> =>
  Layer.effect(
    OrderCommands,
    Effect.gen(function* () {
      const given = yield* OrderCommands
      const { moved } = yield* OrderJournal
      const step = (done: Effect.Effect<Stepped, DatabaseUnavailable>) =>
        Effect.tap(done, (outcome) => (outcome._tag === "Done" ? moved(outcome.order) : Effect.void))
      return OrderCommands.of({
        cancel: (orderId, reason) => step(given.cancel(orderId, reason)),
        resolve: (request) => step(given.resolve(request)),
        answer: (press) =>
          Effect.tap(given.answer(press), (outcome) =>
            outcome._tag === "Declined" || outcome._tag === "Refused" ? moved(outcome.order) : Effect.void
          ),
        close: (request) =>
          Effect.tap(given.close(request), (outcome) =>
            outcome._tag === "Closing"
              ? Effect.forEach(outcome.orders, (order) => moved(order), { discard: true })
              : Effect.void
          ),
        flatten: (account, origin, reason) =>
          Effect.tap(given.flatten(account, origin, reason), (outcome) =>
            outcome._tag === "Flattened"
              ? Effect.forEach(outcome.orders, (order) => moved(order), { discard: true })
              : Effect.void
          )
      })
    })
  ).pipe(Layer.provide(commands))
