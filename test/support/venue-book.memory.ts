/**
 * In-memory book of a venue: orders, fills, positions and cash behind the memory twin of the broker port.
 *
 * It exists so that the order machine, the executor and the reconciler can be tested against a venue that follows the
 * same contract suite as the paper venue, on the virtual clock, with outcomes scripted call by call.
 *
 * Promises: synchronous and deterministic: ids and sequences are counters, times are given by the caller; every change
 * is passed to the listener in the order in which it happened.
 * Never: touches a clock, randomness or the world; is used outside tests.
 * Failure: the venue's refusals are answers, and outcomes that fail are scripted by the test.
 */
import { BigDecimal } from "effect"
import { contractMultiplier } from "../../src/domain/kernel/option-contract.ts"
import { applyTrade, FLAT, type PracticePosition, weightedAverage } from "../../peers/paper-broker/ledger.ts"
import type { VenueFill } from "../../src/domain/orders/fill.ts"
import type {
  BrokerEvent,
  ClientOrderIdRule,
  CreateOrder,
  VenueBalance,
  VenueOrder,
  VenueOrderStatus,
  VenuePosition
} from "../../src/layers/venues/broker.port.ts"

/** What a create did to the book. `Existing` and `Taken` created nothing. */
export type CreateResult =
  | { readonly _tag: "Created"; readonly order: VenueOrder }
  | { readonly _tag: "Existing"; readonly order: VenueOrder }
  | { readonly _tag: "Taken" }

export interface MemoryBook {
  readonly create: (order: CreateOrder, at: Date) => CreateResult
  /** An order that was not placed by us: it has no client order id. */
  readonly createExternal: (order: Omit<CreateOrder, "clientOrderId">, at: Date) => VenueOrder
  readonly fill: (venueOrderId: string, quantity: string, price: string, at: Date) => VenueFill
  /** Ends an open order. An order that is already terminal is returned as it is. */
  readonly end: (venueOrderId: string, status: "cancelled" | "expired" | "rejected", at: Date) => VenueOrder
  readonly order: (venueOrderId: string) => VenueOrder | undefined
  readonly orders: (account?: string) => ReadonlyArray<VenueOrder>
  readonly fills: (account: string) => ReadonlyArray<VenueFill>
  readonly positions: (account: string) => ReadonlyArray<VenuePosition>
  readonly balance: (account: string) => VenueBalance
}

const ZERO = BigDecimal.fromBigInt(0n)
const decimal = BigDecimal.fromStringUnsafe

export const isOpen = (status: VenueOrderStatus): boolean =>
  status === "open" || status === "partially_filled"

export const remainingQuantity = (order: VenueOrder): string =>
  BigDecimal.format(BigDecimal.subtract(decimal(order.quantity), decimal(order.filledQuantity)))

interface Ledger {
  cash: BigDecimal.BigDecimal
  readonly positions: Map<string, PracticePosition>
}

/** The order after a fill of `quantity` at `price`. */
const withFill = (order: VenueOrder, quantity: string, price: string, at: Date): VenueOrder => {
  const before = decimal(order.filledQuantity)
  const filled = BigDecimal.sum(before, decimal(quantity))
  const average = weightedAverage(
    decimal(order.averagePrice ?? "0"),
    before,
    decimal(price),
    decimal(quantity)
  )
  const complete = BigDecimal.isGreaterThanOrEqualTo(filled, decimal(order.quantity))
  return {
    ...order,
    filledQuantity: BigDecimal.format(filled),
    averagePrice: BigDecimal.format(average),
    // A fill that arrives after a cancel is a fact of the trade, not of the order's life.
    status: complete ? "filled" : isOpen(order.status) ? "partially_filled" : order.status,
    updatedAt: at
  }
}

interface BookState {
  readonly rule: ClientOrderIdRule
  readonly startingCash: string
  readonly tell: (event: BrokerEvent) => void
  readonly orders: Map<string, VenueOrder>
  readonly fills: Array<VenueFill>
  readonly ledgers: Map<string, Ledger>
}

const ledgerOf = (state: BookState, account: string): Ledger => {
  const known = state.ledgers.get(account)
  if (known !== undefined) return known
  const ledger: Ledger = { cash: decimal(state.startingCash), positions: new Map() }
  state.ledgers.set(account, ledger)
  return ledger
}

const store = (state: BookState, order: VenueOrder): VenueOrder => {
  state.orders.set(order.venueOrderId, order)
  state.tell({ _tag: "OrderUpdated", order })
  return order
}

const orderNamed = (state: BookState, venueOrderId: string): VenueOrder => {
  const order = state.orders.get(venueOrderId)
  if (order === undefined) throw new Error(`the test names an order this book never had: ${venueOrderId}`)
  return order
}

const place = (
  state: BookState,
  order: Omit<CreateOrder, "clientOrderId">,
  clientOrderId: string | null,
  at: Date
): VenueOrder =>
  store(state, {
    ...order,
    clientOrderId,
    venueOrderId: `v-${state.orders.size + 1}`,
    status: "open",
    filledQuantity: "0",
    averagePrice: null,
    createdAt: at,
    updatedAt: at
  })

const create = (state: BookState, order: CreateOrder, at: Date): CreateResult => {
  const same = [...state.orders.values()].filter(
    (o) => o.account === order.account && o.clientOrderId === order.clientOrderId
  )
  const last = same.at(-1)
  if (last !== undefined) {
    if (state.rule === "U") return { _tag: "Existing", order: last }
    if (state.rule === "R") return { _tag: "Taken" }
    if (state.rule === "O" && same.some((o) => isOpen(o.status))) return { _tag: "Taken" }
  }
  return { _tag: "Created", order: place(state, order, order.clientOrderId, at) }
}

const fill = (
  state: BookState,
  venueOrderId: string,
  quantity: string,
  price: string,
  at: Date
): VenueFill => {
  const order = orderNamed(state, venueOrderId)
  const ledger = ledgerOf(state, order.account)
  const signed = order.side === "buy" ? decimal(quantity) : BigDecimal.negate(decimal(quantity))
  const cost = BigDecimal.multiplyAll([signed, decimal(price), contractMultiplier(order.symbol)])
  ledger.cash = BigDecimal.subtract(ledger.cash, cost)
  ledger.positions.set(
    order.symbol,
    applyTrade(ledger.positions.get(order.symbol) ?? FLAT, signed, decimal(price))
  )
  const trade: VenueFill = {
    tradeId: `t-${state.fills.length + 1}`,
    venueOrderId,
    clientOrderId: order.clientOrderId,
    account: order.account,
    symbol: order.symbol,
    side: order.side,
    quantity,
    price,
    fee: "0",
    at,
    cursor: String(state.fills.length + 1)
  }
  state.fills.push(trade)
  state.tell({ _tag: "Filled", fill: trade })
  store(state, withFill(order, quantity, price, at))
  return trade
}

/** Builds an empty book. `tell` hears every change; `startingCash` is what each account begins with. */
export const makeMemoryBook = (options: {
  readonly rule: ClientOrderIdRule
  readonly startingCash: string
  readonly tell: (event: BrokerEvent) => void
}): MemoryBook => {
  const state: BookState = { ...options, orders: new Map(), fills: [], ledgers: new Map() }
  return {
    create: (order, at) => create(state, order, at),
    createExternal: (order, at) => place(state, order, null, at),
    fill: (venueOrderId, quantity, price, at) => fill(state, venueOrderId, quantity, price, at),
    end: (venueOrderId, status, at) => {
      const order = orderNamed(state, venueOrderId)
      return isOpen(order.status) ? store(state, { ...order, status, updatedAt: at }) : order
    },
    order: (venueOrderId) => state.orders.get(venueOrderId),
    orders: (account) =>
      [...state.orders.values()].filter((o) => account === undefined || o.account === account),
    fills: (account) => state.fills.filter((f) => f.account === account),
    positions: (account) =>
      [...ledgerOf(state, account).positions].map(([symbol, p]) => ({
        account,
        symbol,
        quantity: BigDecimal.format(p.quantity),
        averagePrice: BigDecimal.format(p.averagePrice)
      })),
    balance: (account) => {
      const cash = ledgerOf(state, account).cash
      return {
        account,
        cash: BigDecimal.format(cash),
        buyingPower: BigDecimal.format(BigDecimal.max(cash, ZERO))
      }
    }
  }
}
