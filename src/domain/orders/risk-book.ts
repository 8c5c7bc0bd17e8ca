/**
 * Risk book: what an account is exposed to in the worst case its open orders allow.
 *
 * A limit that counts only filled quantity is exceeded tenfold by ten alerts in one second. So each symbol counts
 * with the larger of what it would be if every open buy filled and if every open sell did, and an order whose outcome
 * nobody knows counts in full, whatever was reported filled of it (F3).
 *
 * Promises: pure; adding an open order never lowers a number here; quantities are positive decimals or signed
 * positions as strings, money is exact.
 * Never: nets one symbol against another, or guesses a price: a symbol without any price is named as unpriced.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, formatDecimal, zero } from "../kernel/decimal.ts"
import { AT_VENUE, type OrderStatus } from "./order.ts"
import { EXTERNAL } from "../kernel/settings.ts"
import type { Side } from "../signals/signal.ts"
import type { Holding, Live, Sides } from "./sizing.ts"

/**
 * Orders that are not terminal, aggregated where they are otherwise equal: `count` of them. `price` is their own,
 * or the quote they were decided on, or null.
 */
export interface BookOrder {
  readonly symbol: string
  readonly strategy: string
  readonly side: Side
  readonly intent: "entry" | "reduce"
  readonly status: OrderStatus
  readonly count: number
  readonly quantity: string
  readonly filledQuantity: string
  readonly price: string | null
  /** They wait for a price at the venue, or are to; left out otherwise. */
  readonly rests?: true
}

/** A position; `quantity` is signed, "0" when flat. */
export interface BookPosition {
  readonly symbol: string
  readonly quantity: string
  readonly averagePrice: string
  /** What the venue last reported, null when it was not asked. */
  readonly confirmed: string | null
  /** The venue's quantity and ours differ, even after all fills were fetched again (T10). */
  readonly disputed: boolean
  /** Whose it is: signed quantities that add up to `quantity`. */
  readonly shares: ReadonlyArray<{ readonly strategy: string; readonly quantity: string }>
}

export interface Book {
  readonly positions: ReadonlyArray<BookPosition>
  readonly orders: ReadonlyArray<BookOrder>
}

/** Unresolved by us, being looked up: may be resolved within seconds. */
const lookedUp: ReadonlySet<OrderStatus> = new Set<OrderStatus>(["unknown", "resolving"])

/** Whether an order's outcome is unknown: `looked_up` ends by itself, `needs_operator` only by a human. */
export const unresolved = (order: BookOrder): "looked_up" | "needs_operator" | null => {
  if (order.status === "needs_operator") return "needs_operator"
  return lookedUp.has(order.status) ? "looked_up" : null
}

/** What may still fill of an order: its remainder, or all of it when nobody knows. */
const pending = (order: BookOrder): Decimal =>
  unresolved(order) === null
    ? BigDecimal.max(zero, BigDecimal.subtract(decimal(order.quantity), decimal(order.filledQuantity)))
    : decimal(order.quantity)

/** The row of a symbol, undefined when nothing was ever held of it. */
export const rowOf = (book: Book, symbol: string): BookPosition | undefined =>
  book.positions.find((position) => position.symbol === symbol)

/** The signed position of a symbol, zero when there is none. */
export const positionOf = (book: Book, symbol: string): Decimal =>
  decimal(rowOf(book, symbol)?.quantity ?? "0")

const sumOf = (orders: ReadonlyArray<BookOrder>, side: Side): Decimal =>
  orders
    .filter((order) => order.side === side)
    .reduce((total, order) => BigDecimal.sum(total, pending(order)), zero)

/** What is open on one side of one symbol. */
export const pendingOn = (book: Book, symbol: string, side: Side): Decimal =>
  sumOf(
    book.orders.filter((order) => order.symbol === symbol),
    side
  )

const sidesOf = (some: ReadonlyArray<BookOrder>): Sides => ({
  buy: sumOf(some, "buy"),
  sell: sumOf(some, "sell")
})
const entriesOf = (some: ReadonlyArray<BookOrder>): ReadonlyArray<BookOrder> =>
  some.filter(({ intent }) => intent === "entry")

/** What may still fill of these orders. */
const liveOf = (orders: ReadonlyArray<BookOrder>, strategy: string): Live => {
  const own = orders.filter((order) => order.strategy === strategy)
  return {
    live: sidesOf(orders),
    ownLive: sidesOf(own),
    opening: sidesOf(entriesOf(orders)),
    ownOpening: sidesOf(entriesOf(own))
  }
}

/** A symbol as one strategy sees it, with all open orders of the book as live. */
export const holdingOf = (book: Book, symbol: string, strategy: string): Holding => {
  const row = rowOf(book, symbol)
  const shareOf = (owner: string): Decimal =>
    decimal(row?.shares.find((share) => share.strategy === owner)?.quantity ?? "0")
  const orders = book.orders.filter((order) => order.symbol === symbol)
  return {
    position: decimal(row?.quantity ?? "0"),
    confirmed: row === undefined || row.confirmed === null ? null : decimal(row.confirmed),
    own: shareOf(strategy),
    external: shareOf(EXTERNAL),
    ...liveOf(orders, strategy),
    resting: liveOf(
      orders.filter(({ rests }) => rests === true),
      strategy
    )
  }
}

/** The book with only those orders that the venue has, or may have. */
export const atVenue = <B extends Book>(book: B): B => ({
  ...book,
  orders: book.orders.filter(({ status }) => AT_VENUE.has(status))
})

/** The largest absolute position the symbol can reach with what is open. */
export const worstQuantity = (book: Book, symbol: string): Decimal => {
  const held = positionOf(book, symbol)
  return BigDecimal.max(
    BigDecimal.abs(BigDecimal.sum(held, pendingOn(book, symbol, "buy"))),
    BigDecimal.abs(BigDecimal.subtract(held, pendingOn(book, symbol, "sell")))
  )
}

/** Every symbol with a position or an open order, each once. */
export const symbolsOf = (book: Book): ReadonlyArray<string> => [
  ...new Set([
    ...book.positions
      .filter((position) => !BigDecimal.isZero(decimal(position.quantity)))
      .map(({ symbol }) => symbol),
    ...book.orders.map(({ symbol }) => symbol)
  ])
]

/** How many open orders fit a description. */
export const countOf = (book: Book, fits: (order: BookOrder) => boolean): number =>
  book.orders.filter(fits).reduce((total, { count }) => total + count, 0)

/** The book as it would be with one more open order. */
export const withOrder = (book: Book, order: BookOrder): Book => ({
  ...book,
  orders: [...book.orders, order]
})

/**
 * The book with one more open order, in one group with those that are like it, as books are read. Its group is now the newest, and
 * has its price.
 */
export const withOpen = (book: Book, order: BookOrder): Book => {
  const isLike = (other: BookOrder): boolean =>
    other.symbol === order.symbol &&
    other.strategy === order.strategy &&
    other.side === order.side &&
    other.intent === order.intent &&
    other.status === order.status &&
    other.rests === order.rests
  const group = book.orders.find(isLike)
  if (group === undefined) return withOrder(book, order)
  const sum = (a: string, b: string): string => formatDecimal(BigDecimal.sum(decimal(a), decimal(b)))
  const joined = {
    ...order,
    count: group.count + order.count,
    quantity: sum(group.quantity, order.quantity),
    filledQuantity: sum(group.filledQuantity, order.filledQuantity),
    price: order.price ?? group.price
  }
  return { ...book, orders: [...book.orders.filter((other) => other !== group), joined] }
}

/** Price of one unit of a symbol's quantity: the market's, else the position's average, else the newest order's. */
const priceIn = (
  book: Book,
  symbol: string,
  marketPrice: (symbol: string) => string | null
): Decimal | null => {
  const price =
    marketPrice(symbol) ??
    book.positions.find((position) => position.symbol === symbol)?.averagePrice ??
    book.orders.findLast((order) => order.symbol === symbol && order.price !== null)?.price ??
    null
  return price === null ? null : decimal(price)
}

/** What converts a quantity to money. */
export interface Valuation {
  readonly marketPrice: (symbol: string) => string | null
  readonly multiplierOf: (symbol: string) => Decimal
}

export interface Exposure {
  /** Sum over symbols of worst quantity x price x contract size. Unpriced symbols are not in it. */
  readonly total: Decimal
  readonly unpriced: ReadonlyArray<string>
}

/**
 * The cost of a book beyond an earlier one: how far each symbol's worst case exceeds what was held then, at current prices.
 * `held` is quantities by symbol; a symbol without any price is left out, and named by `exposureOf`.
 */
export const growthOf = (
  book: Book,
  held: Readonly<Record<string, string>>,
  { marketPrice, multiplierOf }: Valuation
): Decimal => {
  let total = zero
  for (const symbol of symbolsOf(book)) {
    const grown = BigDecimal.subtract(
      worstQuantity(book, symbol),
      BigDecimal.abs(decimal(held[symbol] ?? "0"))
    )
    const price = BigDecimal.isPositive(grown) ? priceIn(book, symbol, marketPrice) : null
    if (price !== null)
      total = BigDecimal.sum(total, BigDecimal.multiplyAll([grown, price, multiplierOf(symbol)]))
  }
  return total
}

/** The gross worst-case exposure of a book. */
export const exposureOf = (book: Book, { marketPrice, multiplierOf }: Valuation): Exposure => {
  let total = zero
  const unpriced: Array<string> = []
  for (const symbol of symbolsOf(book)) {
    const worst = worstQuantity(book, symbol)
    if (BigDecimal.isZero(worst)) continue
    const price = priceIn(book, symbol, marketPrice)
    if (price === null) unpriced.push(symbol)
    else total = BigDecimal.sum(total, BigDecimal.multiplyAll([worst, price, multiplierOf(symbol)]))
  }
  return { total, unpriced }
}
