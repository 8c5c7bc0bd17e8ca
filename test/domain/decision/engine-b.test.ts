import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../../src/domain/decision/decision.ts"
import type { PlanInput } from "../../../src/domain/decision/plan-input.ts"
import type { Vote } from "../../../src/domain/decision/panel.ts"

import { account, contextOf, decided, signal, with2 } from "./decision-world.ts"

describe("[D9] the engine of a strategy", () => {
  const vote = (agent: string, word: Vote["vote"], confidence = 0.8): Vote => ({
    agent,
    vote: word,
    confidence,
    reasons: ["a test"],
    ms: 1
  })
  const up = [vote("trend", "long"), vote("regime", "enter"), vote("risk", "enter", 0.2)]
  const down = [vote("trend", "short"), vote("regime", "enter", 0.2), vote("risk", "stay_out")]
  const b = with2({ engine: "B" })
  const buy = { ...signal, experimentId: "s1", variant: "B" }
  const found = ({ decision }: ReturnType<typeof decided>) => ({
    engine: decision.engine,
    outcome: decision.outcome,
    reason: decision.reason,
    orders: decision.orders.map(({ reason, status }) => [status, reason]),
    votes: decision.checks
      .filter(({ check }) => check === "votes")
      .map(({ code, numbers }) => [code, numbers["score"]])
  })

  it("B opens what its agents are for, and not what they are against, with their score", () => {
    assert.deepStrictEqual(found(decided({ settings: b, signal: buy, votes: up })), {
      engine: "B",
      outcome: "ordered",
      reason: null,
      orders: [["intended", null]],
      votes: [[null, 0.6]]
    })
    assert.deepStrictEqual(found(decided({ settings: b, signal: buy, votes: down })), {
      engine: "B",
      outcome: "denied",
      reason: "votes_against",
      orders: [["denied", "votes_against"]],
      votes: [["votes_against", -0.467]]
    })
    const short = { ...buy, direction: "SHORT", action: "SELL" } as const
    assert.strictEqual(decided({ settings: b, signal: short, votes: up }).decision.reason, "votes_against")
  })

  it("B opens nothing without votes, and closes whatever they say", () => {
    for (const votes of [null, [], up.slice(0, 2)])
      assert.strictEqual(decided({ settings: b, signal: buy, votes }).decision.outcome, "denied")
    const held = {
      symbol: "SPY",
      quantity: "3",
      averagePrice: "90",
      confirmed: "3",
      disputed: false,
      shares: [{ strategy: "s1", quantity: "3" }]
    }
    const context = contextOf({}, account("paper-1", { positions: [held] }))
    const close = { ...buy, action: "SELL", direction: "LONG" } as const
    for (const votes of [null, up, down]) {
      const { decision } = decided({ settings: b, signal: close, context, votes })
      assert.deepStrictEqual([decision.outcome, decision.orders[0]?.intent], ["ordered", "reduce"])
    }
  })

  it("is shown by a shadow that judges the same order and sends nothing", () => {
    const a = with2({ engine: "A", shadow: "B" })
    const shadowed = (votes: PlanInput["votes"]) => {
      const { decision } = decided({ settings: a, signal: { ...buy, variant: "A" }, votes })
      return [
        decision.outcome,
        decision.orders.length,
        ...decision.shadows.map(({ code, engine, would }) => [engine, would, code])
      ]
    }
    assert.deepStrictEqual(shadowed(up), ["ordered", 1, ["B", "order", null]])
    assert.deepStrictEqual(shadowed(down), ["ordered", 1, ["B", "deny", "votes_against"]])
    assert.deepStrictEqual(shadowed(null), ["ordered", 1, ["B", "unknown", "votes_missing"]])
    const other = decided({
      settings: with2({ engine: "B", shadow: "A" }),
      signal: buy,
      votes: down
    }).decision
    assert.deepStrictEqual([other.outcome, other.shadows[0]?.would], ["denied", "order"])
    const halted = { settings: a, votes: up, context: contextOf({}, account("paper-1", { enabled: false })) }
    assert.strictEqual(decided(halted).decision.shadows[0]?.would, "deny", "the limits are those of both")
  })

  it("is decided again from the facts alone, and settings that need votes miss them", () => {
    const made = decided({ settings: b, signal: buy, votes: down })
    const facts = JSON.parse(JSON.stringify(made.facts)) as typeof made.facts
    const again = decide(facts, b)
    assert.deepStrictEqual(again, {
      decided: {
        _tag: "Decided",
        decision: made.decision,
        context: again.decided._tag === "Decided" ? again.decided.context : assert.fail()
      },
      missing: []
    })
    const rules = decided({ settings: with2({}), signal: buy })
    assert.isUndefined(rules.facts.votes)
    assert.deepStrictEqual(decide(rules.facts, b).missing, ["votes"])
  })
})
