import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { decideA, type EngineSignal, type SidePolicy } from "../../src/domain/engine-a.ts"
import { chooseContract, contractMultiplier } from "../../src/domain/option-contract.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const signal = (given: Partial<EngineSignal>): EngineSignal => ({
  symbol: "SPY",
  action: null,
  direction: null,
  quantity: null,
  strike: null,
  expiration: null,
  ...given
})
const ask = (
  given: Partial<EngineSignal>,
  position = "0",
  sidePolicy: SidePolicy = "both",
  lastPrice: string | null = "450"
) =>
  decideA({
    signal: signal(given),
    strategy: { sidePolicy, quantity: "1" },
    positionOf: () => position,
    lastPrice,
    nowMs
  })
const wish = (...given: Parameters<typeof ask>): string => {
  const answer = ask(...given)
  if (answer._tag !== "Propose") return answer._tag === "Nothing" ? answer.reason : answer.code
  const { side, quantity, intent, symbol } = answer.proposal
  return `${side} ${quantity} ${symbol} ${intent}`
}

describe("what a signal asks for", () => {
  const table: ReadonlyArray<readonly [Partial<EngineSignal>, string, string]> = [
    [{ direction: "LONG" }, "0", "buy 1 SPY open"],
    [{ action: "BUY" }, "0", "buy 1 SPY open"],
    [{ direction: "SHORT" }, "0", "sell 1 SPY open"],
    [{ action: "SELL" }, "0", "sell 1 SPY open"],
    [{ action: "BUY", direction: "LONG", quantity: "2.5" }, "1", "buy 2.5 SPY open"],
    [{ action: "SELL", quantity: "2" }, "2", "sell 2 SPY close"],
    [{ action: "SELL", quantity: "3" }, "2", "sell 3 SPY reverse"],
    [{ action: "BUY", quantity: "3" }, "-2", "buy 3 SPY reverse"],
    [{ action: "SELL", direction: "LONG", quantity: "3" }, "2", "sell 2 SPY close"],
    [{ action: "SELL", direction: "LONG" }, "0", "nothing_to_close"],
    [{ action: "SELL", direction: "LONG" }, "-4", "nothing_to_close"],
    [{ action: "BUY", direction: "SHORT", quantity: "9" }, "-4", "buy 4 SPY close"],
    [{ action: "SELL", direction: "SHORT" }, "0", "sell 1 SPY open"]
  ]
  for (const [given, position, expected] of table) {
    it(`[${given.action ?? "-"} ${given.direction ?? "-"} ${given.quantity ?? "default"} holding ${position}] is ${expected}`, () => {
      assert.strictEqual(wish(given, position), expected)
    })
  }

  it("closes under long_only no more than is held, so that a sell cannot flip", () => {
    assert.strictEqual(wish({ action: "SELL", quantity: "5" }, "2", "long_only"), "sell 2 SPY close")
  })

  it("leaves a sell without a long to the side policy check under long_only, instead of swallowing it (W9)", () => {
    assert.strictEqual(wish({ action: "SELL", quantity: "5" }, "0", "long_only"), "sell 5 SPY open")
  })

  const whole = Schema.Int.check(Schema.isBetween({ minimum: -50, maximum: 50 }))
  const size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))
  it.prop(
    "[any position and quantity] a closing signal never opens, adds or flips",
    [whole, size],
    ([position, quantity]) => {
      for (const given of [
        { action: "SELL", direction: "LONG" },
        { action: "BUY", direction: "SHORT" }
      ] as const) {
        const answer = ask({ ...given, quantity: String(quantity) }, String(position))
        if (answer._tag !== "Propose") continue
        const after = position + (answer.proposal.side === "buy" ? 1 : -1) * Number(answer.proposal.quantity)
        assert.isTrue(
          Math.abs(after) < Math.abs(position) && after * position >= 0,
          `${position} -> ${after}`
        )
      }
    }
  )
})

describe("options", () => {
  it("buys the contract that the alert names", () => {
    assert.strictEqual(
      wish({ direction: "CALL", strike: "450", expiration: "2026-12-18" }),
      "buy 1 SPY 2026-12-18 C 450 open"
    )
    assert.strictEqual(
      wish({ direction: "PUT", strike: "449.50", expiration: "2026-12-18" }),
      "buy 1 SPY 2026-12-18 P 449.5 open"
    )
  })

  it("closes a held contract on SELL and never writes one", () => {
    const named = { action: "SELL", direction: "CALL", strike: "450", expiration: "2026-12-18" } as const
    assert.strictEqual(wish(named, "1"), "sell 1 SPY 2026-12-18 C 450 close")
    assert.strictEqual(wish(named, "0"), "nothing_to_close")
  })

  it("chooses the strike at the money and the next monthly expiration when the alert is silent", () => {
    assert.strictEqual(wish({ direction: "CALL" }, "0", "both", "452.7"), "buy 1 SPY 2026-12-18 C 455 open")
    assert.strictEqual(wish({ direction: "CALL" }, "0", "both", "102.5"), "buy 1 SPY 2026-12-18 C 103 open")
    assert.strictEqual(wish({ direction: "PUT" }, "0", "both", "12.2"), "buy 1 SPY 2026-12-18 P 12 open")
    assert.strictEqual(wish({ direction: "PUT" }, "0", "both", "0.01"), "buy 1 SPY 2026-12-18 P 0.5 open")
  })

  it("says what it chose", () => {
    const choice = chooseContract(
      { underlying: "SPY", right: "CALL", strike: "450", expiration: null },
      null,
      nowMs
    )
    assert.deepStrictEqual(choice._tag === "Chosen" ? choice.contract.chosen : [], ["expiration"])
  })

  it("refuses to choose a strike from nothing, and a contract that has expired", () => {
    assert.strictEqual(
      wish({ direction: "CALL", expiration: "2026-12-18" }, "0", "both", null),
      "option_price_missing"
    )
    assert.strictEqual(wish({ direction: "CALL", strike: "450", expiration: "2026-11-22" }), "option_expired")
    assert.strictEqual(
      wish({ direction: "CALL", strike: "450", expiration: "2026-11-23" }),
      "buy 1 SPY 2026-11-23 C 450 open"
    )
  })

  it("counts an option contract as a hundred units and anything else as one", () => {
    assert.strictEqual(contractMultiplier("SPY 2026-12-18 C 450").value, 100n)
    assert.strictEqual(contractMultiplier("BRK B 2026-12-18 P 0.5").value, 100n)
    assert.strictEqual(contractMultiplier("SPY").value, 1n)
    assert.strictEqual(contractMultiplier("BRK B").value, 1n)
    assert.strictEqual(contractMultiplier("BTC-USDT").value, 1n)
  })
})
