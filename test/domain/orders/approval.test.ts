import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Schema } from "effect"
import { decimal, formatDecimal, zero } from "../../../src/domain/kernel/decimal.ts"
import {
  approvalParts,
  type AskedOrder,
  lapsed,
  type Press,
  pressed
} from "../../../src/domain/orders/approval.ts"
import { ORDER_STATUSES } from "../../../src/domain/orders/order.ts"
import { crosses, type Holding, planSize, type Sized } from "../../../src/domain/orders/sizing.ts"
import type { Wish } from "../../../src/domain/signals/wish.ts"

/** A symbol that one strategy trades alone. */
const holding = (position: string, others = "0"): Holding => {
  const none = { buy: zero, sell: zero }
  const nothing = { live: none, ownLive: none, opening: none, ownOpening: none }
  return {
    position: BigDecimal.sum(decimal(position), decimal(others)),
    confirmed: BigDecimal.sum(decimal(position), decimal(others)),
    own: decimal(position),
    external: zero,
    ...nothing,
    resting: nothing
  }
}
const sized = (wish: Wish, held: Holding): Sized => {
  const plan = planSize(wish, held, { policy: "both", reducing: false })
  return plan._tag === "Order" ? plan : assert.fail(plan.reason)
}
const told = (part: Sized | null): string =>
  part === null
    ? "nothing"
    : `${part.intent} ${part.side} ${formatDecimal(part.quantity)} ${part.sizing} ${part.wanted ?? "all"}`
const parts = (wish: Wish, held: Holding): ReadonlyArray<string> => {
  const { closes, opens } = approvalParts(sized(wish, held), held)
  return [told(closes), told(opens)]
}

describe("what a strategy that asks first wishes (G9, T10)", () => {
  const rows: ReadonlyArray<readonly [string, Wish, Holding, string, string]> = [
    [
      "an opening from flat",
      { kind: "open", side: "buy", quantity: "2" },
      holding("0"),
      "nothing",
      "entry buy 2 open 2"
    ],
    [
      "an addition",
      { kind: "open", side: "buy", quantity: "2" },
      holding("1"),
      "nothing",
      "entry buy 2 open 2"
    ],
    [
      "a close",
      { kind: "close", side: null, quantity: null },
      holding("3"),
      "reduce sell 3 share all",
      "nothing"
    ],
    [
      "a reverse",
      { kind: "open", side: "sell", quantity: "2" },
      holding("3"),
      "reduce sell 3 share all",
      "entry sell 2 open 2"
    ],
    [
      "a plain order that closes a part",
      { kind: "plain", side: "sell", quantity: "2" },
      holding("3"),
      "reduce sell 2 fixed 2",
      "nothing"
    ],
    [
      "a plain order through zero",
      { kind: "plain", side: "sell", quantity: "5" },
      holding("3"),
      "reduce sell 3 fixed 3",
      "entry sell 2 fixed 2"
    ],
    [
      "a target on the other side",
      { kind: "target", position: "-2" },
      holding("3"),
      "reduce sell 3 share all",
      "entry sell 2 target -2"
    ],
    [
      "against what others hold",
      { kind: "plain", side: "sell", quantity: "2" },
      holding("0", "3"),
      "nothing",
      "entry sell 2 fixed 2"
    ]
  ]
  for (const [name, wish, held, closes, opens] of rows)
    it(name, () => assert.deepStrictEqual(parts(wish, held), [closes, opens]))

  it.prop(
    "asks about no more than what opens, whatever is held and wished",
    {
      held: Schema.Int,
      others: Schema.Int,
      wished: Schema.Int,
      kind: Schema.Literals(["plain", "open", "target"])
    },
    ({ held, kind, others, wished }) => {
      const quantity = String(Math.abs(wished % 1_000) + 1)
      const side = wished < 0 ? "sell" : "buy"
      const wish: Wish =
        kind === "target"
          ? { kind, position: `${wished < 0 ? "-" : ""}${quantity}` }
          : { kind, side, quantity }
      const book = holding(String(held % 1_000), String(others % 1_000))
      const plan = planSize(wish, book, { policy: "both", reducing: false })
      if (plan._tag === "Nothing") return
      const { closes, opens } = approvalParts(plan, book)
      const sum = BigDecimal.sum(closes?.quantity ?? zero, opens?.quantity ?? zero)
      assert.strictEqual(formatDecimal(sum), formatDecimal(plan.quantity), "both parts are the whole")
      if (closes !== null) {
        assert.strictEqual(closes.intent, "reduce")
        assert.isFalse(crosses(book.own, closes.side, closes.quantity), "it closes its own share and no more")
      }
      if (opens !== null && plan.intent === "entry") {
        const left = BigDecimal.sum(
          book.own,
          plan.side === "sell" ? BigDecimal.negate(closes?.quantity ?? zero) : (closes?.quantity ?? zero)
        )
        const against = opens.side === "sell" ? BigDecimal.sign(left) > 0 : BigDecimal.sign(left) < 0
        const isShared = !BigDecimal.equals(book.own, book.position)
        assert.isTrue(isShared || !against, "nothing that closes its own share waits")
      }
    },
    { arbitrary: { runs: 500 } }
  )
})

const asked: AskedOrder = {
  status: "held",
  decision: null,
  decidedBy: null,
  isLate: false,
  price: "100",
  priceMovePctMax: "1"
}
const press: Press = { decision: "approved", commandId: "c", price: "100.5" }

describe("a press", () => {
  const rows: ReadonlyArray<readonly [string, Partial<AskedOrder>, Partial<Press>, string]> = [
    ["in time", {}, {}, "take"],
    ["after the deadline", { isLate: true }, {}, "late"],
    ["that declines after the deadline", { isLate: true }, { decision: "declined" }, "late"],
    ["of what was cancelled", { status: "withdrawn" }, {}, "over"],
    ["of what somebody approved", { decision: "approved", decidedBy: "d" }, {}, "decided"],
    ["of what the deadline declined", { decision: "declined", status: "denied" }, {}, "decided"],
    ["that is handled again", { decision: "approved", decidedBy: "c" }, {}, "repeat"],
    [
      "that is handled again after the order was sent",
      { decision: "approved", decidedBy: "c", status: "filled" },
      {},
      "repeat"
    ],
    ["of another kind under the same command", { decision: "declined", decidedBy: "c" }, {}, "decided"],
    ["without a price", {}, { price: null }, "price_unknown"],
    ["that declines without a price", {}, { decision: "declined", price: null }, "take"],
    ["at the limit of what the price may move", {}, { price: "101" }, "take"],
    ["beyond it", {}, { price: "101.01" }, "price_moved"],
    ["below it", {}, { price: "98.99" }, "price_moved"],
    ["that declines beyond it", {}, { decision: "declined", price: "200" }, "take"],
    ["of what was shown without a price", { price: null }, {}, "price_moved"],
    ["where any price will do", { priceMovePctMax: null, price: null }, { price: "500" }, "take"]
  ]
  for (const [name, given, pressing, expected] of rows)
    it(`${name}: ${expected}`, () =>
      assert.strictEqual(pressed({ ...asked, ...given }, { ...press, ...pressing }), expected))

  it("decides nothing but what is held, undecided and in time", () => {
    for (const status of ORDER_STATUSES)
      for (const decision of [null, "approved", "declined"] as const)
        for (const isLate of [true, false]) {
          const became = pressed({ ...asked, status, decision, decidedBy: decision && "d", isLate }, press)
          assert.strictEqual(became === "take", status === "held" && decision === null && !isLate)
        }
  })

  it("that does not come is what the strategy says", () => {
    assert.strictEqual(lapsed({ otherwise: "deny" }), "declined")
    assert.strictEqual(lapsed({ otherwise: "allow" }), "approved")
  })
})
