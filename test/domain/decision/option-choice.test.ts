import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../../src/domain/decision/decision.ts"
import type { PlanInput } from "../../../src/domain/decision/plan-input.ts"
import { practiceChain } from "../../../src/domain/market/practice-chain.ts"

import { account, contextOf, decided, nowMs, signal, with2 } from "./decision-world.ts"

const rule = { delta: 0.3, days: 30, spreadPctMax: 20, openInterestMin: 1 }
const settings = with2({ options: rule })
const call = { ...signal, direction: "CALL" } as const
const chain = practiceChain(1, { underlying: "SPY", right: "CALL", atMs: nowMs })
const quoteOf = (symbol: string) => ({ symbol, bid: "1", ask: "1.1", last: "1.05", atMs: nowMs })
const found = (given: Partial<PlanInput>) => {
  const { decision } = decided({ settings, signal: call, quoteOf, chain, ...given })
  return [decision.outcome, decision.reason, ...decision.orders.map(({ symbol }) => symbol)]
}

describe("[D7] a strategy that chooses its contracts", () => {
  it("orders the listed one that is nearest to its delta and days, and says which parts it chose", () => {
    const { decision } = decided({ settings, signal: call, quoteOf, chain })
    const [order] = decision.orders
    const [, expiration, , strike] = order?.symbol.split(" ") ?? []
    const picked = chain.find((one) => one.expiration === expiration && one.strike === strike)
    assert.strictEqual(expiration, "2026-12-18")
    assert.isTrue(
      chain.every(
        (one) =>
          one.expiration !== expiration || Math.abs(one.delta - 0.3) >= Math.abs((picked?.delta ?? 9) - 0.3)
      )
    )
    assert.strictEqual(decision.checks[0]?.numbers["chosen"], "strike,expiration")
  })

  it("opens nothing without a chain, and nothing that is not liquid", () => {
    assert.deepStrictEqual(found({ chain: null }), ["denied", "option_not_listed"])
    const strict = with2({ options: { ...rule, openInterestMin: 1_000_000 } })
    assert.deepStrictEqual(found({ settings: strict }), ["denied", "option_illiquid"])
  })

  it("takes the contract that the sender names, and closes what is held, listed or not", () => {
    const named = { ...call, strike: "450", expiration: "2027-01-15" }
    assert.deepStrictEqual(found({ signal: named, chain: null }), ["ordered", null, "SPY 2027-01-15 C 450"])
    const held = {
      symbol: "SPY 2027-01-15 C 450",
      quantity: "2",
      averagePrice: "1",
      confirmed: "2",
      disputed: false,
      shares: [{ strategy: "s1", quantity: "2" }]
    }
    const context = contextOf({}, account("paper-1", { positions: [held] }))
    const close = { ...call, action: "SELL" } as const
    assert.deepStrictEqual(found({ signal: close, context, chain: null }), ["ordered", null, held.symbol])
  })

  it("is decided again from the chain in its facts, which other settings miss", () => {
    const made = decided({ settings, signal: call, quoteOf, chain })
    const facts = JSON.parse(JSON.stringify(made.facts)) as typeof made.facts
    const again = decide(facts, settings)
    assert.deepStrictEqual(again.missing, [])
    assert.deepStrictEqual(again.decided._tag === "Decided" ? again.decided.decision : null, made.decision)
    const plain = decided({ settings: with2({}), signal: call, quoteOf, chain })
    assert.isUndefined(plain.facts.chain)
    assert.include(decide(plain.facts, settings).missing, "chain")
    assert.isBelow(JSON.stringify(made.facts.chain).length, 4_096, "a chain is small")
  })
})
