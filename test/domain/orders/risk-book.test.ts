import { assert, describe, it } from "@effect/vitest"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import { EXTERNAL } from "../../../src/domain/kernel/settings.ts"
import {
  type Book,
  type BookOrder,
  exposureOf,
  growthOf,
  holdingOf
} from "../../../src/domain/orders/risk-book.ts"

const working = (given: Partial<BookOrder>): BookOrder => ({
  symbol: "SPY",
  strategy: "a",
  side: "buy",
  intent: "entry",
  status: "acked",
  count: 1,
  quantity: "1",
  filledQuantity: "0",
  price: "100",
  ...given
})
const bookOf = (...orders: ReadonlyArray<BookOrder>): Book => ({
  positions: [
    {
      symbol: "SPY",
      quantity: "6",
      averagePrice: "100",
      confirmed: "5",
      disputed: false,
      shares: [
        { strategy: "a", quantity: "3" },
        { strategy: "b", quantity: "2" },
        { strategy: EXTERNAL, quantity: "1" }
      ]
    }
  ],
  orders
})
const unquoted = { marketPrice: () => null, multiplierOf: () => decimal("1") }

describe("a holding", () => {
  const shown = (book: Book, symbol: string, strategy: string) => {
    const { confirmed, external, live, own, ownLive, position } = holdingOf(book, symbol, strategy)
    return {
      position: formatDecimal(position),
      confirmed: confirmed === null ? null : formatDecimal(confirmed),
      own: formatDecimal(own),
      external: formatDecimal(external),
      live: [formatDecimal(live.buy), formatDecimal(live.sell)],
      ownLive: [formatDecimal(ownLive.buy), formatDecimal(ownLive.sell)]
    }
  }
  const busy = bookOf(
    working({ quantity: "4", filledQuantity: "1" }),
    working({ side: "sell", quantity: "2" }),
    working({ strategy: "b", quantity: "10" }),
    working({ strategy: "b", side: "sell", quantity: "20" }),
    working({ symbol: "QQQ", quantity: "100" }),
    working({ symbol: "QQQ", side: "sell", quantity: "200" })
  )

  it("is of one symbol, and what works of one strategy is apart from what works in all", () => {
    assert.deepStrictEqual(shown(busy, "SPY", "a"), {
      position: "6",
      confirmed: "5",
      own: "3",
      external: "1",
      live: ["13", "22"],
      ownLive: ["3", "2"]
    })
    assert.deepStrictEqual(shown(busy, "SPY", "b").ownLive, ["10", "20"])
  })

  it("of what was never held is zero, and confirmed by nobody", () => {
    assert.deepStrictEqual(shown(busy, "QQQ", "b"), {
      position: "0",
      confirmed: null,
      own: "0",
      external: "0",
      live: ["100", "200"],
      ownLive: ["0", "0"]
    })
  })
})

describe("what has no price", () => {
  it("is left out of the growth of a book, and adds nothing to it", () => {
    const book = bookOf(working({ quantity: "2" }), working({ symbol: "QQQ", price: null }))
    assert.strictEqual(formatDecimal(growthOf(book, { SPY: "5" }, unquoted)), "300")
  })

  it("is named only where something can be held of it", () => {
    const filled = working({ symbol: "QQQ", price: null, filledQuantity: "1" })
    assert.deepStrictEqual(exposureOf(bookOf(filled), unquoted).unpriced, [])
    assert.deepStrictEqual(exposureOf(bookOf({ ...filled, filledQuantity: "0" }), unquoted).unpriced, ["QQQ"])
  })
})
