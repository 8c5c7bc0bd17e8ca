/**
 * A ledger written from fills alone: what whoever made these trades holds, has made, and is worth.
 *
 * The judge of a day's bookkeeping must not share its arithmetic, so this is whole numbers of 10^-30 and nothing of `src`: no
 * decimals, no position rows, no table of instruments.
 *
 * Promises: exact in every sum and product of decimals of ten digits after the point; an average cost is rounded at the thirtieth.
 * Never: reads an order, a decision or a position.
 */

const DIGITS = 30
const ONE = 10n ** BigInt(DIGITS)

/** A fill as its list shows it; decimals are text. */
export interface LedgerFill {
  readonly account: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly price: string
  readonly fee: string
}

/** A decimal text as a whole number of 10^-30. */
export const unitsOf = (text: string): bigint => {
  const groups = /^(?<sign>-?)(?<whole>\d+)(?:\.(?<rest>\d{1,30}))?$/.exec(text)?.groups
  if (groups === undefined) throw new Error(`not a decimal: ${text}`)
  const magnitude = BigInt(`${groups["whole"] ?? ""}${(groups["rest"] ?? "").padEnd(DIGITS, "0")}`)
  return groups["sign"] === "-" ? -magnitude : magnitude
}

/** As text with two digits, as a statement of account shows money. */
export const centsOf = (units: bigint): string => {
  const cent = ONE / 100n
  const size = units < 0n ? -units : units
  const cents = (size + cent / 2n) / cent
  return `${units < 0n && cents > 0n ? "-" : ""}${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`
}

export const times = (a: bigint, b: bigint): bigint => (a * b) / ONE

/** Money per point and unit, as exchanges publish it, of the instruments that the tests trade. */
const MULTIPLIERS: Readonly<Record<string, bigint>> = { ESZ6: 50n, MNQZ6: 2n, CLF7: 1_000n, GCG7: 100n }
export const worthOf = (symbol: string): bigint =>
  / [CP] [\d.]+$/.test(symbol) ? 100n : (MULTIPLIERS[symbol] ?? 1n)

/** Signed; `cost` is what it was bought for, below zero for what was sold, in points and not in money. */
export interface LedgerPosition {
  readonly quantity: bigint
  readonly cost: bigint
}

export interface Book {
  readonly positions: ReadonlyMap<string, LedgerPosition>
  /** What came in less what went out, without fees. */
  readonly cash: bigint
  readonly fees: bigint
  /** Gross of fees. */
  readonly realised: bigint
}

const flat: LedgerPosition = { quantity: 0n, cost: 0n }

const sizeOf = (value: bigint): bigint => (value < 0n ? -value : value)

/** A position after so much more of it at a price, and the points that were made of what it closed. */
const traded = ({ cost, quantity }: LedgerPosition, more: bigint, price: bigint) => {
  const isAgainst = quantity !== 0n && quantity < 0n !== more < 0n
  if (!isAgainst)
    return { position: { quantity: quantity + more, cost: cost + times(more, price) }, points: 0n }
  const closed = sizeOf(more) < sizeOf(quantity) ? sizeOf(more) : sizeOf(quantity)
  const costOfClosed = (cost * closed) / sizeOf(quantity)
  const got = times(quantity < 0n ? -closed : closed, price)
  const left = quantity + more
  // Through zero: all of the old is closed, and what is left was opened by this trade.
  const turned = sizeOf(more) > sizeOf(quantity)
  return {
    position: { quantity: left, cost: turned ? times(left, price) : cost - costOfClosed },
    points: got - costOfClosed
  }
}

/** The books of all accounts, from their fills in the order in which they happened. */
export const ledgerOf = (fills: ReadonlyArray<LedgerFill>): ReadonlyMap<string, Book> => {
  const books = new Map<string, Book>()
  for (const { account, fee, price, quantity, side, symbol } of fills) {
    const book = books.get(account) ?? { positions: new Map(), cash: 0n, fees: 0n, realised: 0n }
    const worth = worthOf(symbol)
    const [at, more] = [unitsOf(price), side === "buy" ? unitsOf(quantity) : -unitsOf(quantity)]
    const { points, position } = traded(book.positions.get(symbol) ?? flat, more, at)
    books.set(account, {
      positions: new Map([...book.positions, [symbol, position]]),
      cash: book.cash - times(more, at) * worth,
      fees: book.fees + unitsOf(fee),
      realised: book.realised + points * worth
    })
  }
  return books
}

/** What is open, valued at a price per symbol, less what it cost. */
export const openProfit = ({ positions }: Book, priceOf: (symbol: string) => string): bigint => {
  let total = 0n
  for (const [symbol, { cost, quantity }] of positions)
    if (quantity !== 0n) total += (times(quantity, unitsOf(priceOf(symbol))) - cost) * worthOf(symbol)
  return total
}

/** The same from the other side: what all of it would bring, with the cash that moved. Needs no cost. */
export const worthNow = ({ cash, fees, positions }: Book, priceOf: (symbol: string) => string): bigint => {
  let total = cash - fees
  for (const [symbol, { quantity }] of positions)
    if (quantity !== 0n) total += times(quantity, unitsOf(priceOf(symbol))) * worthOf(symbol)
  return total
}

/** Whether a told decimal is this, to a billionth: far below a cent, far above the rounding of an average. */
export const isReported = (told: string, units: bigint): boolean =>
  sizeOf(unitsOf(told) - units) < ONE / 1_000_000_000n
