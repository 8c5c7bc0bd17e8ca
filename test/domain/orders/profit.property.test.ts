/**
 * Any fills of any instruments: what is made of them is the cash that moved and what is left at the market.
 *
 * The other side of each equation is whole numbers, written here from the fills alone, without a position or an average price.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, BigDecimal, Schema } from "effect"
import { type Decimal, decimal, formatDecimal, zero } from "../../../src/domain/kernel/decimal.ts"
import { multiplierOf, plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import type { Fill } from "../../../src/domain/orders/fill.ts"
import { applyFill, isFlat, type Position } from "../../../src/domain/orders/position.ts"
import { profitOf, sumOfProfits } from "../../../src/domain/orders/profit.ts"
import { flatPosition } from "../../support/unopened.ts"

/** What one unit is worth, as the exchanges publish it: written out, so that a wrong table is noticed as well. */
const units = { SPY: 1n, ESZ6: 50n, "SPY 2026-12-18 C 450": 100n, "BTC-USD": 1n } as const
type Name = keyof typeof units
const symbols = Object.keys(units) as ReadonlyArray<Name>

/** Thousandths of a unit, ten-thousandths of money, cents. */
interface Trade {
  readonly symbol: Name
  readonly side: "buy" | "sell"
  readonly quantity: number
  readonly price: number
  readonly fee: number
}

const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const trades: Arbitrary.Arbitrary<ReadonlyArray<Trade>> = Arbitrary.array(
  Arbitrary.schema(
    Schema.Struct({
      symbol: Schema.Literals(["SPY", "ESZ6", "SPY 2026-12-18 C 450", "BTC-USD"]),
      side: Schema.Literals(["buy", "sell"]),
      quantity: whole(1, 5_000),
      price: whole(1, 9_000_000),
      fee: whole(0, 500)
    })
  ),
  { maxLength: 40 }
)
/** One price per symbol. */
const marks = Arbitrary.schema(
  Schema.Struct({
    a: whole(1, 9_000_000),
    b: whole(1, 9_000_000),
    c: whole(1, 9_000_000),
    d: whole(1, 9_000_000)
  })
)
type Marks = Readonly<Record<"a" | "b" | "c" | "d", number>>
const markOf = ({ a, b, c, d }: Marks, symbol: Name): number =>
  symbol === "SPY" ? a : symbol === "ESZ6" ? b : symbol === "BTC-USD" ? c : d

const fillOf = ({ fee, price, quantity, side }: Trade): Fill => ({
  side,
  quantity: BigDecimal.make(BigInt(quantity), 3),
  price: BigDecimal.make(BigInt(price), 4),
  fee: BigDecimal.make(BigInt(fee), 2)
})

/** The holdings of whoever made these trades, as the rows of an account have them. */
const holdingsOf = (list: ReadonlyArray<Trade>) => {
  const positions = new Map<Name, Position>()
  for (const trade of list) {
    const before = positions.get(trade.symbol) ?? flatPosition
    const worth = multiplierOf(plainInstruments, trade.symbol)
    positions.set(trade.symbol, applyFill(before, fillOf(trade), worth).position)
  }
  return {
    realised: formatDecimal(BigDecimal.sumAll([...positions.values()].map((one) => one.realisedPnl))),
    fees: formatDecimal(BigDecimal.sumAll(list.map((trade) => fillOf(trade).fee))),
    open: [...positions]
      .filter(([, position]) => !isFlat(position))
      .map(([symbol, { averagePrice, quantity }]) => ({
        symbol,
        quantity: formatDecimal(quantity),
        averagePrice: formatDecimal(averagePrice)
      }))
  }
}

const valuationAt = (prices: Marks) => ({
  marketPrice: (symbol: string) => formatDecimal(BigDecimal.make(BigInt(markOf(prices, symbol as Name)), 4)),
  multiplierOf: (symbol: string) => multiplierOf(plainInstruments, symbol)
})

/** In units of 10^-7: cash that came in, less fees; what is left, by symbol, in thousandths. */
const cashOf = (list: ReadonlyArray<Trade>): bigint => {
  let cash = 0n
  for (const { fee, price, quantity, side, symbol } of list) {
    const cost = BigInt(quantity) * BigInt(price) * units[symbol]
    cash += (side === "buy" ? -cost : cost) - BigInt(fee) * 100_000n
  }
  return cash
}
const leftOf = (list: ReadonlyArray<Trade>, symbol: Name): bigint => {
  let left = 0n
  for (const trade of list)
    if (trade.symbol === symbol) left += BigInt(trade.side === "buy" ? trade.quantity : -trade.quantity)
  return left
}
const worthOf = (list: ReadonlyArray<Trade>, prices: Marks): bigint => {
  let worth = 0n
  for (const symbol of symbols) worth += leftOf(list, symbol) * BigInt(markOf(prices, symbol)) * units[symbol]
  return worth
}

/**
 * Equal but for the rounding of averages: half a unit of the 18th digit for each of forty fills, of at most 200 units of a
 * hundred. Nine digits after the point are far beyond a cent.
 */
const assertSame = (actual: Decimal | null, expected: bigint): void => {
  assert.isNotNull(actual)
  const error = BigDecimal.abs(BigDecimal.subtract(actual ?? zero, BigDecimal.make(expected, 7)))
  assert.isTrue(BigDecimal.isLessThan(error, decimal("0.000000001")), formatDecimal(error))
}

describe("any fills of several instruments, with fees", () => {
  it.prop(
    "leave exactly what was bought less what was sold",
    [trades],
    ([list]) => {
      const open = new Map(holdingsOf(list).open.map(({ quantity, symbol }) => [symbol, quantity]))
      for (const symbol of symbols)
        assert.strictEqual(
          open.get(symbol) ?? "0",
          formatDecimal(BigDecimal.make(leftOf(list, symbol), 3)),
          symbol
        )
    },
    { arbitrary: { runs: 300, seed: 91 } }
  )

  it.prop(
    "have made the cash that came in and what is left at the price of now, in contracts of any size",
    [trades, marks],
    ([list, prices]) => {
      const { net } = profitOf(holdingsOf(list), valuationAt(prices))
      assertSame(net, cashOf(list) + worthOf(list, prices))
    },
    { arbitrary: { runs: 400, seed: 92 } }
  )

  it.prop(
    "have made the same in any order, whatever of it is called realised",
    [trades, marks],
    ([list, prices]) => {
      const { net } = profitOf(holdingsOf(list.toReversed()), valuationAt(prices))
      assertSame(net, cashOf(list) + worthOf(list, prices))
    },
    { arbitrary: { runs: 200, seed: 93 } }
  )

  it.prop(
    "that are all closed have made the cash that moved, at no price at all",
    [trades],
    ([list]) => {
      const closing = symbols.flatMap((symbol): ReadonlyArray<Trade> => {
        const left = Number(leftOf(list, symbol))
        if (left === 0) return []
        return [{ symbol, side: left > 0 ? "sell" : "buy", quantity: Math.abs(left), price: 12_345, fee: 65 }]
      })
      const all = [...list, ...closing]
      const unpriced = { ...valuationAt({ a: 1, b: 1, c: 1, d: 1 }), marketPrice: () => null }
      const { net, unrealised } = profitOf(holdingsOf(all), unpriced)
      assertSame(unrealised, 0n)
      assertSame(net, cashOf(all))
    },
    { arbitrary: { runs: 300, seed: 94 } }
  )

  it.prop(
    "of two accounts have made together what each has made",
    [trades, trades, marks],
    ([one, other, prices]) => {
      const both = [one, other].map((list) => profitOf(holdingsOf(list), valuationAt(prices)))
      const expected = [...one, ...other]
      assertSame(sumOfProfits(both).net, cashOf(expected) + worthOf(expected, prices))
    },
    { arbitrary: { runs: 200, seed: 95 } }
  )

  it.prop(
    "are worth nothing that can be told while a price of something open is missing",
    [trades, marks],
    ([list, prices]) => {
      const holdings = holdingsOf(list)
      const [first] = holdings.open
      if (first === undefined) return
      const { marketPrice, ...rest } = valuationAt(prices)
      const missing = {
        ...rest,
        marketPrice: (name: string) => (name === first.symbol ? null : marketPrice(name))
      }
      assert.isNull(profitOf(holdings, missing).net)
    },
    { arbitrary: { runs: 100, seed: 96 } }
  )
})
