import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../../src/domain/decision/decision.ts"
import { asksVoters } from "../../../src/domain/decision/facts.ts"
import type { PlanInput } from "../../../src/domain/decision/plan-input.ts"
import type { Vote } from "../../../src/domain/decision/panel.ts"
import { questionOf, voterVote } from "../../../src/domain/decision/voter.ts"
import type { StrategySettings } from "../../../src/domain/kernel/settings.ts"
import type { VoterRule } from "../../../src/domain/kernel/settings-voters.ts"
import { checkSentence } from "../../../src/domain/decision/why-check.ts"

import { account, contextOf, decided, nowMs, settings, signal, with2 } from "./decision-world.ts"

const said = (vote: Vote["vote"], confidence = 0.8, agent = "mine"): Vote => ({
  agent,
  vote,
  confidence,
  reasons: ["a test"],
  ms: 1
})
const rule: VoterRule = { confidenceMin: 0.5, onSilence: "deny" }
const c = (
  given: Partial<StrategySettings> = {},
  voters: Readonly<Record<string, VoterRule>> = { mine: rule }
) => ({
  ...with2({ engine: "C", voter: "mine", ...given }),
  voters
})
const buy = { ...signal, experimentId: "s1", variant: "C" }
const found = (given: Partial<PlanInput>) => {
  const { decision } = decided({ settings: c(), signal: buy, ...given })
  return [decision.engine, decision.outcome, decision.reason, ...decision.orders.map(({ status }) => status)]
}

describe("[D9] engine C", () => {
  it("opens what its voter is sure enough of, and nothing else", () => {
    for (const vote of ["long", "enter"] as const)
      assert.deepStrictEqual(found({ voters: [said(vote)] }), ["C", "ordered", null, "intended"])
    for (const [vote, code] of [
      [said("short"), "voter_against"],
      [said("stay_out", 0), "voter_against"],
      [said("enter", 0.49), "voter_unsure"],
      [said("abstain", 0), "voter_silent"],
      [said("enter", 1, "another"), "voter_missing"]
    ] as const)
      assert.deepStrictEqual(found({ voters: [vote] }), ["C", "denied", code, "denied"])
    assert.deepStrictEqual(found({ voters: null }), ["C", "denied", "voter_missing", "denied"])
    const short = { ...buy, direction: "SHORT", action: "SELL" } as const
    assert.deepStrictEqual(found({ signal: short, voters: [said("short")] }), [
      "C",
      "ordered",
      null,
      "intended"
    ])
  })

  it("goes by the rules alone while its voter is silent, where the settings say so", () => {
    const open = c({}, { mine: { ...rule, onSilence: "rules" } })
    assert.deepStrictEqual(found({ settings: open, voters: [said("abstain", 0)] }), [
      "C",
      "ordered",
      null,
      "intended"
    ])
    assert.deepStrictEqual(found({ settings: open, voters: [said("short")] })[2], "voter_against")
    assert.deepStrictEqual(
      found({ settings: open, voters: null })[2],
      "voter_missing",
      "not asked is not silent"
    )
    assert.deepStrictEqual(found({ settings: c({}, {}), voters: [said("enter", 0.99)] })[2], "voter_unsure")
  })

  it("raises no limit: what is denied without a voter is denied with the surest", () => {
    const limited = { ...c(), limits: { ...settings.limits, quantityMax: "0.5" } }
    const { decision } = decided({ settings: limited, signal: buy, voters: [said("enter", 1)] })
    assert.deepStrictEqual([decision.outcome, decision.reason], ["denied", "quantity"])
    assert.strictEqual(decision.orders[0]?.quantity, "1")
  })

  it("closes whatever its voter says, and asks it of no signal that only closes", () => {
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
    for (const voters of [null, [said("stay_out")], [said("abstain", 0)]]) {
      const { decision } = decided({ settings: c(), signal: close, context, voters })
      assert.deepStrictEqual([decision.outcome, decision.orders[0]?.intent], ["ordered", "reduce"])
    }
    assert.deepStrictEqual(asksVoters(close, c()), [])
    assert.deepStrictEqual(asksVoters(buy, c()), [{ voter: "mine", strategies: ["s1"], decides: true }])
  })

  it("asks each voter once, and nobody who neither decides nor compares", () => {
    const several = {
      ...with2(
        { engine: "C", voter: "mine" },
        { engine: "A", shadow: "C", voter: "mine" },
        { engine: "A", shadow: "C", voter: "other" },
        { engine: "split", split: { bPct: 0, cPct: 50, pins: { SPY: "A" } }, voter: "third" }
      ),
      voters: { mine: rule, other: rule, third: rule }
    }
    assert.deepStrictEqual(asksVoters(buy, several), [
      { voter: "mine", strategies: ["s1", "s2"], decides: true },
      { voter: "other", strategies: ["s3"], decides: false }
    ])
  })

  it("is shown by a shadow that judges the same order and sends nothing", () => {
    const shadowed = (voters: PlanInput["voters"]) => {
      const { decision } = decided({ settings: c({ engine: "A", shadow: "C" }), signal: buy, voters })
      return [
        decision.outcome,
        ...decision.shadows.map(({ code, engine, score, would }) => [engine, would, code, score])
      ]
    }
    assert.deepStrictEqual(shadowed([said("enter")]), ["ordered", ["C", "order", null, 0.8]])
    assert.deepStrictEqual(shadowed([said("short")]), ["ordered", ["C", "deny", "voter_against", -0.8]])
    assert.deepStrictEqual(shadowed([said("abstain", 0)]), [
      "ordered",
      ["C", "unknown", "voter_silent", null]
    ])
    assert.deepStrictEqual(shadowed(null), ["ordered", ["C", "unknown", "voter_missing", null]])
  })

  it("is decided again from the facts alone, and settings that need its vote miss it", () => {
    const made = decided({ settings: c(), signal: buy, voters: [said("short")] })
    const facts = JSON.parse(JSON.stringify(made.facts)) as typeof made.facts
    const again = decide(facts, c())
    assert.deepStrictEqual(again.missing, [])
    assert.deepStrictEqual(again.decided._tag === "Decided" ? again.decided.decision : null, made.decision)
    const rules = decided({ settings: with2({}), signal: buy })
    assert.isUndefined(rules.facts.voters)
    assert.deepStrictEqual(decide(rules.facts, c()).missing, ["voter:mine"])
  })

  it("says why in words, with the reason of its voter on one line that can be stored", () => {
    const vote = voterVote(
      "mine",
      { vote: "short", confidence: 0.9, reasons: [`earnings\n\u0000${"😀".repeat(80)}`, "b", "c", "d"] },
      3
    )
    assert.lengthOf(vote.reasons, 3)
    const [first = ""] = vote.reasons
    assert.isTrue(first.startsWith("earnings 😀") && first.length <= 120 && first.isWellFormed())
    const { decision } = decided({ settings: c(), signal: buy, voters: [vote] })
    const check = decision.checks.find((one) => one.check === "voter") ?? assert.fail("no check")
    assert.include(
      checkSentence(check),
      "voter, failed (voter_against): the endpoint mine of engine C votes short with a confidence of 0.9, and an order opens from 0.5: earnings"
    )
  })

  it("tells its voter of the signal and the quote, and of no account", () => {
    const quote = { bid: "99", ask: "101", last: null, atMs: nowMs }
    const asked = { strategies: ["s1"], decides: true }
    const question = questionOf(buy, asked, { mode: "PAPER", nowMs, symbol: "SPY", quote })
    assert.deepInclude(question.data, { signal_id: buy.id, symbol: "SPY", direction: "LONG", decides: true })
    assert.deepStrictEqual(question.data.quote, { bid: "99", ask: "101", last: null, at: question.timestamp })
    assert.notInclude(JSON.stringify(question), "paper-1")
  })
})
