import { assert, describe, it } from "@effect/vitest"
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import {
  crosses,
  type Holding,
  holdingNumbers,
  type Leave,
  permits,
  planSize,
  type SidePolicy,
  type SizedOrder,
  sizeToSend
} from "../../../src/domain/orders/sizing.ts"
import { type BookOrder, holdingOf, worstQuantity } from "../../../src/domain/orders/risk-book.ts"
import type { Wish } from "../../../src/domain/signals/wish.ts"

interface Given {
  readonly position?: string
  readonly confirmed?: string | null
  readonly own?: string
  readonly external?: string
  readonly buy?: string
  readonly sell?: string
  readonly ownBuy?: string
  readonly ownSell?: string
  /** Of the live quantities, what only reduces. */
  readonly closingBuy?: string
  readonly closingSell?: string
  /** Of what closes and opens, what rests. All of it is of the strategy. */
  readonly restingClose?: string
  readonly restingBuy?: string
  readonly restingSell?: string
}
/** Closes rest against what is held: a sell of a long. */
const restingOf = ({ position = "0", restingBuy = "0", restingClose = "0", restingSell = "0" }: Given) => {
  const closes = decimal(restingClose)
  const isShort = position.startsWith("-")
  const opening = { buy: decimal(restingBuy), sell: decimal(restingSell) }
  const live = isShort
    ? { buy: BigDecimal.sum(opening.buy, closes), sell: opening.sell }
    : { buy: opening.buy, sell: BigDecimal.sum(opening.sell, closes) }
  return { live, ownLive: live, opening, ownOpening: opening }
}
/** A symbol that one strategy trades alone, unless a test says otherwise. */
const holding = (given: Given): Holding => {
  const { buy = "0", position = "0", sell = "0" } = given
  const { confirmed = position, external = "0", own = position, ownBuy = buy, ownSell = sell } = given
  const { closingBuy = "0", closingSell = "0" } = given
  const opening = (live: string, closing: string) =>
    BigDecimal.max(decimal("0"), BigDecimal.subtract(decimal(live), decimal(closing)))
  return {
    position: decimal(position),
    confirmed: confirmed === null ? null : decimal(confirmed),
    own: decimal(own),
    external: decimal(external),
    live: { buy: decimal(buy), sell: decimal(sell) },
    ownLive: { buy: decimal(ownBuy), sell: decimal(ownSell) },
    opening: { buy: opening(buy, closingBuy), sell: opening(sell, closingSell) },
    ownOpening: { buy: opening(ownBuy, closingBuy), sell: opening(ownSell, closingSell) },
    resting: restingOf(given)
  }
}
const planned = (wish: Wish, given: Given, policy: SidePolicy = "both", reducing = false): string => {
  const leave: Leave = { policy, reducing }
  const plan = planSize(wish, holding(given), leave)
  if (plan._tag === "Nothing") return plan.reason
  const note = plan.note === null ? "" : ` (${plan.note})`
  return `${plan.intent} ${plan.side} ${formatDecimal(plan.quantity)} ${plan.sizing} ${plan.effect}${note}`
}
const open = (side: "buy" | "sell", quantity: string): Wish => ({ kind: "open", side, quantity })
const plain = (side: "buy" | "sell", quantity: string): Wish => ({ kind: "plain", side, quantity })
const close = (quantity: string | null, side: "buy" | "sell" | null = null): Wish => ({
  kind: "close",
  side,
  quantity
})
const target = (position: string): Wish => ({ kind: "target", position })

describe("a wish becomes an order (T10)", () => {
  const rows: ReadonlyArray<readonly [string, Wish, Given, string, SidePolicy?, boolean?]> = [
    ["open from flat", open("buy", "2"), {}, "entry buy 2 open open"],
    ["add", open("buy", "2"), { position: "1" }, "entry buy 2 open open"],
    [
      "SELL + short on a long of equal size",
      open("sell", "1"),
      { position: "1" },
      "entry sell 2 open reverse"
    ],
    [
      "open while the opposite is about to be held",
      open("sell", "1"),
      { buy: "3" },
      "entry sell 4 open reverse"
    ],
    [
      "open while the opposite is being closed",
      open("sell", "1"),
      { position: "2", sell: "2" },
      "entry sell 1 open open"
    ],
    [
      "open short, long_only, long held",
      open("sell", "1"),
      { position: "3" },
      "reduce sell 3 share close (nothing_opened)",
      "long_only"
    ],
    ["open short, long_only, flat", open("sell", "1"), {}, "entry sell 1 open open", "long_only"],
    [
      "open long, long_only, short held",
      open("buy", "1"),
      { position: "-3" },
      "reduce buy 3 share close (nothing_opened)",
      "long_only"
    ],
    [
      "open short while REDUCING, long held",
      open("sell", "1"),
      { position: "3" },
      "reduce sell 3 share close (nothing_opened)",
      "both",
      true
    ],
    ["open long while REDUCING", open("buy", "1"), { position: "3" }, "entry buy 1 open open", "both", true],
    ["plain sell", plain("sell", "5"), { position: "2" }, "entry sell 5 fixed reverse"],
    [
      "plain sell, long_only",
      plain("sell", "5"),
      { position: "2" },
      "reduce sell 2 fixed close",
      "long_only"
    ],
    ["plain sell, long_only, flat", plain("sell", "5"), {}, "entry sell 5 fixed open", "long_only"],
    [
      "plain buy, long_only, short held",
      plain("buy", "5"),
      { position: "-2" },
      "reduce buy 2 fixed close",
      "long_only"
    ],
    [
      "plain sell while REDUCING",
      plain("sell", "1"),
      { position: "2" },
      "reduce sell 1 fixed close",
      "both",
      true
    ],
    ["close all", close(null), { position: "3" }, "reduce sell 3 share close"],
    ["close all of a short", close(null), { position: "-3" }, "reduce buy 3 share close"],
    ["close all of the own share", close(null), { position: "5", own: "2" }, "reduce sell 2 share close"],
    ["close some", close("1"), { position: "3" }, "reduce sell 1 fixed close"],
    ["close more than there is", close("9"), { position: "3" }, "reduce sell 3 fixed close"],
    ["close the other side", close(null, "buy"), { position: "3" }, "nothing_to_close"],
    ["close nothing", close(null), {}, "nothing_to_close"],
    ["close what is about to be opened", close(null, "sell"), { buy: "2" }, "reduce sell 2 share close"],
    [
      "close either side of what is about to be opened",
      close(null),
      { sell: "2" },
      "reduce buy 2 share close"
    ],
    ["close while closes wait for nothing", close(null), { sell: "3", closingSell: "3" }, "nothing_to_close"],
    [
      "close what is about to be opened behind another close of it",
      close(null),
      { buy: "2", sell: "2", closingSell: "2" },
      "reduce sell 2 share close"
    ],
    [
      "reverse of a long that two closes are to end: nobody holds anything then",
      { kind: "reverse", side: null, quantity: "1" },
      { position: "3", sell: "6", closingSell: "6" },
      "nothing_to_do"
    ],
    [
      "be short instead of a long that two closes are to end",
      open("sell", "1"),
      { position: "3", sell: "6", closingSell: "6" },
      "entry sell 1 open open"
    ],
    [
      "a target on the other side, behind two closes",
      target("-1"),
      { position: "3", sell: "6", closingSell: "6" },
      "entry sell 1 target open"
    ],
    [
      "close when the strategy holds nothing of it",
      close(null),
      { position: "5", own: "0" },
      "nothing_to_close"
    ],
    [
      "reverse",
      { kind: "reverse", side: null, quantity: "1" },
      { position: "2" },
      "entry sell 3 open reverse"
    ],
    ["reverse of nothing", { kind: "reverse", side: null, quantity: "1" }, {}, "nothing_to_do"],
    [
      "reverse, long_only",
      { kind: "reverse", side: null, quantity: "1" },
      { position: "2" },
      "reduce sell 2 share close (nothing_opened)",
      "long_only"
    ],
    ["target up", target("5"), { position: "2" }, "entry buy 3 target open"],
    ["target down", target("1"), { position: "3" }, "reduce sell 2 target close"],
    ["target counts what works", target("5"), { position: "2", buy: "3" }, "nothing_to_do"],
    ["target below what is about to be held", target("2"), { buy: "5" }, "entry sell 3 target close"],
    ["target reached", target("2"), { position: "2" }, "nothing_to_do"],
    ["target across", target("-1"), { position: "2" }, "entry sell 3 target reverse"],
    [
      "target across, long_only",
      target("-1"),
      { position: "2" },
      "reduce sell 2 share close (nothing_opened)",
      "long_only"
    ],
    [
      "target across while REDUCING",
      target("-1"),
      { position: "2" },
      "reduce sell 2 share close (nothing_opened)",
      "both",
      true
    ],
    [
      "open short while a buy rests",
      open("sell", "1"),
      { buy: "3", restingBuy: "3" },
      "entry sell 1 open open"
    ],
    [
      "reverse of what a close that rests may close",
      { kind: "reverse", side: null, quantity: "1" },
      { position: "2", sell: "2", closingSell: "2", restingClose: "2" },
      "entry sell 3 open reverse"
    ],
    [
      "target while a close rests",
      target("3"),
      { position: "2", sell: "2", closingSell: "2", restingClose: "2" },
      "entry buy 1 target open"
    ],
    ["target of one of two strategies", target("2"), { position: "5", own: "2" }, "nothing_to_do"],
    [
      "target over what belongs to nobody",
      target("2"),
      { position: "5", own: "0", external: "5" },
      "reduce sell 3 target close"
    ]
  ]
  for (const [name, wish, given, expected, policy, reducing] of rows) {
    it(`[${name}] ${expected}`, () => {
      assert.strictEqual(planned(wish, given, policy, reducing), expected)
    })
  }
})

const order = (given: Partial<SizedOrder>): SizedOrder => ({
  intent: "reduce",
  sizing: "share",
  wanted: null,
  side: "sell",
  quantity: "1",
  sends: 0,
  ...given
})
const sent = (given: Partial<SizedOrder>, held: Given, policy: SidePolicy = "both"): string => {
  const size = sizeToSend(order(given), holding(held), policy)
  return size._tag === "Send" ? formatDecimal(size.quantity) : size.code
}

describe("what a one-sided strategy sends", () => {
  const buys: Partial<SizedOrder> = { intent: "entry", sizing: "open", wanted: "3", side: "buy" }
  it("closes nothing of the other side on its way", () => {
    assert.strictEqual(sent(buys, { position: "0" }, "long_only"), "3")
    assert.strictEqual(sent(buys, { position: "0", sell: "2" }, "both"), "5")
  })
  it("waits while an order works that may yet put the position on the other side", () => {
    assert.strictEqual(
      sent(buys, { position: "0", sell: "2", ownSell: "0" }, "long_only"),
      "other_side_works"
    )
    assert.strictEqual(sent(buys, { position: "2", sell: "2", ownSell: "0" }, "long_only"), "3")
    const sells = { ...buys, side: "sell" } as const
    assert.strictEqual(
      sent(sells, { position: "0", buy: "2", ownBuy: "0" }, "short_only"),
      "other_side_works"
    )
  })
})

describe("what is sent (T10)", () => {
  const rows: ReadonlyArray<readonly [string, Partial<SizedOrder>, Given, string]> = [
    ["a close of all", {}, { position: "3" }, "3"],
    ["a close without quantity of 3", { quantity: "1" }, { position: "3" }, "3"],
    ["a second close while the first works", {}, { position: "1", sell: "1" }, "nothing_to_close"],
    [
      "a close while a stop of another strategy works",
      {},
      { position: "5", own: "2", sell: "3", ownSell: "0" },
      "2"
    ],
    [
      "a close while more is being sold than others hold",
      {},
      { position: "5", own: "2", sell: "4", ownSell: "0" },
      "1"
    ],
    [
      "a second close of a share while the first works and others hold more",
      {},
      { position: "5", own: "2", sell: "2" },
      "nothing_to_close"
    ],
    ["a close after the stop filled", {}, {}, "nothing_to_close"],
    ["a close after the position turned", {}, { position: "-2" }, "nothing_to_close"],
    ["a close of some", { sizing: "fixed", wanted: "2" }, { position: "3" }, "2"],
    ["a close of some, less is left", { sizing: "fixed", wanted: "2" }, { position: "1" }, "1"],
    [
      "some of a share, while a stop of the share works and others hold more",
      { sizing: "fixed", wanted: "2", ownOnly: true },
      { position: "7", own: "2", sell: "2" },
      "nothing_to_close"
    ],
    [
      "the same, of a close that may take from others",
      { sizing: "fixed", wanted: "2" },
      { position: "7", own: "2", sell: "2" },
      "2"
    ],
    ["a close whose venue has less", {}, { position: "3", confirmed: "1" }, "1"],
    ["a close whose venue is flat", {}, { position: "3", confirmed: "0" }, "nothing_to_close"],
    ["a close whose venue is on the other side", {}, { position: "3", confirmed: "-3" }, "nothing_to_close"],
    ["a close whose venue was not asked", {}, { position: "3", confirmed: null }, "position_not_confirmed"],
    ["a close of nothing needs nobody's word", {}, { position: "0", confirmed: null }, "nothing_to_close"],
    ["a close while the opening works", {}, { buy: "1" }, "opening_works"],
    [
      "a close of all while one rests",
      {},
      { position: "3", sell: "1", closingSell: "1", restingClose: "1" },
      "resting_order"
    ],
    [
      "a close of some that fits beside one that rests",
      { sizing: "fixed", wanted: "2" },
      { position: "3", sell: "1", closingSell: "1", restingClose: "1" },
      "2"
    ],
    [
      "a close of more than fits beside it",
      { sizing: "fixed", wanted: "3" },
      { position: "3", sell: "1", closingSell: "1", restingClose: "1" },
      "resting_order"
    ],
    [
      "an entry against a position that is closed by one that rests",
      { intent: "entry", sizing: "fixed", wanted: "5" },
      { position: "3", sell: "3", closingSell: "3", restingClose: "3" },
      "resting_order"
    ],
    [
      "an entry beside a position whose close rests",
      { intent: "entry", sizing: "open", wanted: "5", side: "buy" },
      { position: "3", sell: "3", closingSell: "3", restingClose: "3" },
      "5"
    ],
    [
      "to be short while a buy of the strategy rests",
      { intent: "entry", sizing: "open", wanted: "1" },
      { buy: "3", restingBuy: "3" },
      "resting_order"
    ],
    [
      "a target while anything of the strategy rests",
      { intent: "entry", sizing: "target", wanted: "2", side: "buy" },
      { buy: "2", restingBuy: "2" },
      "resting_order"
    ],
    ["a buy that covers", { side: "buy" }, { position: "-2" }, "2"],
    ["a second cover", { side: "buy" }, { position: "-2", buy: "2" }, "nothing_to_close"],
    ["a resend keeps to what was sent", { sends: 1, quantity: "1" }, { position: "3" }, "1"],
    ["a resend of more than is left", { sends: 1, quantity: "3" }, { position: "2" }, "2"],
    [
      "a plain order is as large as it says",
      { intent: "entry", sizing: "fixed", wanted: "4" },
      { position: "1" },
      "4"
    ],
    [
      "an opening closes what is held by then",
      { intent: "entry", sizing: "open", wanted: "1" },
      { position: "2" },
      "3"
    ],
    ["an opening after the close filled", { intent: "entry", sizing: "open", wanted: "1" }, {}, "1"],
    [
      "an opening while another of its side works",
      { intent: "entry", sizing: "open", wanted: "1" },
      { position: "2", sell: "3" },
      "1"
    ],
    [
      "a target by then",
      { intent: "entry", sizing: "target", wanted: "5", side: "buy" },
      { position: "3" },
      "2"
    ],
    [
      "a target that was reached meanwhile",
      { intent: "entry", sizing: "target", wanted: "5", side: "buy" },
      { position: "3", buy: "2" },
      "nothing_to_do"
    ],
    [
      "a target that was passed",
      { intent: "entry", sizing: "target", wanted: "5", side: "buy" },
      { position: "6" },
      "nothing_to_do"
    ],
    ["a reducing target", { sizing: "target", wanted: "1" }, { position: "3" }, "2"],
    [
      "a reducing target that a stop overtook",
      { sizing: "target", wanted: "1" },
      { position: "0" },
      "nothing_to_do"
    ]
  ]
  for (const [name, given, held, expected] of rows) {
    it(`[${name}] ${expected}`, () => {
      assert.strictEqual(sent(given, held), expected)
    })
  }
})

describe("which side an order is on, and how far it goes (T10)", () => {
  it.each([
    ["both", true, true],
    ["long_only", true, false],
    ["short_only", false, true]
  ] as const)("[%s] opens by a buy: %s, by a sell: %s", (policy, buys, sells) => {
    assert.deepStrictEqual([permits(policy, "buy"), permits(policy, "sell")], [buys, sells])
  })

  it("an order crosses zero only when it is larger than what it meets on the other side", () => {
    const crossing = (position: string, side: "buy" | "sell", quantity: string): boolean =>
      crosses(decimal(position), side, decimal(quantity))
    assert.deepStrictEqual([crossing("2", "sell", "2"), crossing("2", "sell", "2.1")], [false, true])
    assert.deepStrictEqual([crossing("-2", "buy", "2"), crossing("-2", "buy", "2.1")], [false, true])
    assert.deepStrictEqual([crossing("0", "buy", "1"), crossing("2", "buy", "9")], [false, false])
  })

  it.each([
    ["a close of what is about to be long", close(null), { buy: "2" }, "reduce sell 2 share close"],
    [
      "nothing held, as much about to be long as short",
      close(null),
      { buy: "2", sell: "2" },
      "nothing_to_close"
    ],
    [
      "a stated quantity is of the position, whoever holds it",
      close("3"),
      { position: "5", own: "2" },
      "reduce sell 3 fixed close"
    ],
    [
      "a short is reversed by a buy",
      { kind: "reverse", side: null, quantity: "1" },
      { position: "-2" },
      "entry buy 3 open reverse"
    ]
  ] as const)("[%s]", (_, wish, given, expected) => {
    assert.strictEqual(planned(wish, given), expected)
  })

  it("an order is tagged as one", () => {
    const leave: Leave = { policy: "both", reducing: false }
    assert.strictEqual(planSize(open("buy", "1"), holding({}), leave)._tag, "Order")
    assert.strictEqual(planSize(close(null), holding({ position: "1" }), leave)._tag, "Order")
  })

  it.each([
    ["a short is brought to its target by a buy", { sizing: "target", wanted: "-1", side: "buy" }, "-3", "2"],
    [
      "a sell towards a target below",
      { intent: "entry", sizing: "target", wanted: "-5", side: "sell" },
      "-3",
      "2"
    ],
    ["a resend of which nothing is left", { sends: 1 }, "0", "nothing_to_close"]
  ] as const)("[%s]", (_, given, position, expected) => {
    assert.strictEqual(sent(given, { position }), expected)
  })

  it("a one-sided opening is as large as it was wanted, also against a position that is on the other side", () => {
    const buys = { intent: "entry", sizing: "open", wanted: "3", side: "buy" } as const
    assert.strictEqual(sent(buys, { position: "-2" }, "long_only"), "3")
    assert.strictEqual(sent(buys, { position: "-2" }, "both"), "5")
  })

  it("a one-sided target that is reached waits for nobody", () => {
    const reached = { intent: "entry", sizing: "target", wanted: "2", side: "buy" } as const
    const others = { position: "0", own: "2", sell: "1", ownSell: "0" }
    assert.strictEqual(sent(reached, others, "long_only"), "nothing_to_do")
    assert.strictEqual(sent({ ...reached, wanted: "3" }, others, "long_only"), "other_side_works")
  })

  it("what is not sent is tagged by whether it may be sent later", () => {
    const tagged = (given: Partial<SizedOrder>, held: Given) =>
      sizeToSend(order(given), holding(held), "both")
    assert.deepStrictEqual(tagged({}, { position: "3", confirmed: null }), {
      _tag: "Wait",
      code: "position_not_confirmed"
    })
    assert.deepStrictEqual(tagged({}, { buy: "1" }), { _tag: "Wait", code: "opening_works" })
    assert.deepStrictEqual(tagged({}, {}), { _tag: "Nothing", code: "nothing_to_close" })
    assert.deepStrictEqual(tagged({ sizing: "target", wanted: "1" }, { position: "1" }), {
      _tag: "Nothing",
      code: "nothing_to_do"
    })
  })

  it("the trace shows the holding as it was read", () => {
    const held = { position: "5", confirmed: "4", own: "2", buy: "1.50", sell: "0.25" }
    assert.deepStrictEqual(holdingNumbers(holding(held)), {
      position: "5",
      confirmed: "4",
      share: "2",
      live_buy: "1.5",
      live_sell: "0.25"
    })
    assert.isNull(holdingNumbers(holding({ ...held, confirmed: null }))["confirmed"])
  })
})

describe("a queue of closes (T10)", () => {
  it("never grows: a hundred closes of either side behind one entry are each as large as that", () => {
    const order = (side: "buy" | "sell", intent: "entry" | "reduce", quantity: string): BookOrder => ({
      symbol: "SPY",
      strategy: "default",
      side,
      intent,
      status: "intended",
      count: 1,
      quantity,
      filledQuantity: "0",
      price: null
    })
    const orders: Array<BookOrder> = [order("buy", "entry", "3")]
    for (let n = 0; n < 100; n += 1) {
      const side = n % 3 === 0 ? "buy" : n % 3 === 1 ? "sell" : null
      const plan = planSize(close(null, side), holdingOf({ positions: [], orders }, "SPY", "default"), {
        policy: "both",
        reducing: false
      })
      if (plan._tag === "Order") orders.push(order(plan.side, plan.intent, formatDecimal(plan.quantity)))
    }
    const sizes = new Set(orders.map(({ intent, quantity, side }) => `${intent} ${side} ${quantity}`))
    assert.deepStrictEqual([...sizes], ["entry buy 3", "reduce sell 3"])
    assert.strictEqual(
      formatDecimal(worstQuantity({ positions: [], orders: orders.slice(0, 2) }, "SPY")),
      "3"
    )
  })
})
