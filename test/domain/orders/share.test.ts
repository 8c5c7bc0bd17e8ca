import { assert, describe, it } from "@effect/vitest"
import { decimal, formatDecimal, zero } from "../../../src/domain/kernel/decimal.ts"
import { EXTERNAL } from "../../../src/domain/kernel/settings.ts"
import { applyToShares, type Share } from "../../../src/domain/orders/share.ts"

const share = (strategy: string, quantity: string, seq: bigint, averagePrice = "100"): Share => ({
  strategy,
  quantity: decimal(quantity),
  averagePrice: decimal(averagePrice),
  openedSeq: seq
})
const fill = (side: "buy" | "sell", quantity: string, price = "110") => ({
  side,
  quantity: decimal(quantity),
  price: decimal(price),
  fee: zero
})
const applied = (shares: ReadonlyArray<Share>, strategy: string, ...given: Parameters<typeof fill>) =>
  applyToShares(shares, strategy, fill(...given), 9n).map(
    ({ change, share: { averagePrice, quantity, strategy: owner } }) =>
      `${owner} ${change} ${formatDecimal(quantity)} at ${formatDecimal(averagePrice)}`
  )

describe("a fill moves the shares of its position", () => {
  const three = [share("old", "2", 1n), share("young", "3", 2n), share(EXTERNAL, "1", 3n)]

  it("opens one, and adds to it at the average of its own entries", () => {
    assert.deepStrictEqual(applied([], "a", "buy", "2"), ["a opened 2 at 110"])
    assert.deepStrictEqual(applied([share("a", "2", 1n)], "a", "buy", "2"), ["a increased 4 at 105"])
    assert.deepStrictEqual(applied([share("b", "2", 1n)], "a", "buy", "2"), ["a opened 2 at 110"])
  })

  it("takes from the sender first, then from what belongs to nobody, then from the oldest", () => {
    assert.deepStrictEqual(applied(three, "young", "sell", "2"), ["young reduced 1 at 100"])
    assert.deepStrictEqual(applied(three, "young", "sell", "5"), [
      "young closed 0 at 100",
      `${EXTERNAL} closed 0 at 100`,
      "old reduced 1 at 100"
    ])
    assert.deepStrictEqual(applied(three, EXTERNAL, "sell", "2"), [
      `${EXTERNAL} closed 0 at 100`,
      "old reduced 1 at 100"
    ])
    assert.deepStrictEqual(
      applied([three[1] ?? share("x", "1", 1n), share("old", "2", 1n)], "other", "sell", "1"),
      ["old reduced 1 at 100"]
    )
  })

  it("opens the sender's share on the other side with what is left of it", () => {
    assert.deepStrictEqual(applied([share("a", "2", 1n)], "a", "sell", "5"), ["a opened -3 at 110"])
    assert.deepStrictEqual(applied([share("a", "2", 1n)], "b", "sell", "5"), [
      "a closed 0 at 100",
      "b opened -3 at 110"
    ])
  })

  it("gains or loses against the average of each share, and keeps it when it turns", () => {
    const gained = (shares: ReadonlyArray<Share>, strategy: string, side: "buy" | "sell", quantity: string) =>
      applyToShares(shares, strategy, fill(side, quantity), 9n, decimal("50")).map(
        ({ profit, share: { strategy: owner } }) =>
          `${owner} ${profit === null ? "nothing closed" : formatDecimal(profit)}`
      )
    assert.deepStrictEqual(
      gained([share("a", "2", 1n, "100"), share("b", "2", 2n, "120")], "a", "sell", "3"),
      ["a 1000", "b -500"]
    )
    assert.deepStrictEqual(gained([share("a", "-2", 1n)], "a", "buy", "1"), ["a -500"])
    assert.deepStrictEqual(gained([share("a", "2", 1n)], "a", "sell", "5"), ["a 1000"])
    assert.deepStrictEqual(gained([share("a", "2", 1n)], "a", "buy", "5"), ["a nothing closed"])
  })
  it("takes from the oldest of the others however they are listed, and by name where two are as old", () => {
    const others = [share("b", "1", 2n), share("c", "1", 1n), share("a", "1", 3n)]
    for (const listed of [others, others.toReversed()])
      assert.deepStrictEqual(applied(listed, "z", "sell", "3"), [
        "c closed 0 at 100",
        "b closed 0 at 100",
        "a closed 0 at 100"
      ])
    const asOld = [share("a", "1", 1n), share("b", "1", 1n)]
    for (const listed of [asOld, asOld.toReversed()])
      assert.deepStrictEqual(applied(listed, "z", "sell", "1"), ["a closed 0 at 100"])
  })

  it("keeps the sign of a short share that it reduces", () => {
    assert.deepStrictEqual(applied([share("a", "-3", 1n)], "a", "buy", "1"), ["a reduced -2 at 100"])
    assert.deepStrictEqual(applied([share("a", "-3", 1n)], "b", "buy", "5"), [
      "a closed 0 at 100",
      "b opened 2 at 110"
    ])
  })

  it("gives the profit of what it closes to its owner, and none to the strategy that opens with the rest", () => {
    const steps = applyToShares([share("a", "2", 1n)], "b", fill("sell", "5"), 9n)
    assert.deepStrictEqual(
      steps.map(({ profit, share: { openedSeq, strategy } }) => [
        strategy,
        profit === null ? null : formatDecimal(profit),
        openedSeq
      ]),
      [
        ["a", "20", 1n],
        ["b", null, 9n]
      ]
    )
  })

  it("leaves the shares of the other side alone", () => {
    const mixed = [share("a", "-2", 1n), share("b", "3", 2n)]
    assert.deepStrictEqual(applied(mixed, "c", "buy", "1"), ["a reduced -1 at 100"])
    assert.deepStrictEqual(applied(mixed, "b", "buy", "3"), ["a closed 0 at 100", "b increased 4 at 102.5"])
  })
})
