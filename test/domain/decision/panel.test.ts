import { assert, describe, it } from "@effect/vitest"
import type { Opinion, VoteWord } from "../../../src/domain/decision/agents.ts"
import {
  abstention,
  factsOfVotes,
  panelVerdict,
  type Vote,
  voteIn,
  votesOfFacts
} from "../../../src/domain/decision/panel.ts"
import { plainPanel } from "../../support/panel.ts"

const vote = (agent: string, word: VoteWord, confidence = 1): Vote => ({
  agent,
  vote: word,
  confidence,
  reasons: ["because"],
  ms: 1
})

describe("[D9] the votes of a panel", () => {
  it("come to the mean of what each believes, for the side of the order", () => {
    const votes = [vote("trend", "long"), vote("regime", "enter", 0.5), vote("risk", "stay_out", 0.25)]
    const score = (side: "buy" | "sell") => panelVerdict(votes, side, plainPanel).numbers["score"]
    assert.strictEqual(score("buy"), 0.417)
    assert.strictEqual(score("sell"), -0.25)
  })

  it("let an order open from the threshold on, and not below", () => {
    const votes = [vote("trend", "enter", 0.3), vote("risk", "enter", 0), vote("regime", "enter", 0)]
    assert.deepStrictEqual(
      [0.1, 0.101].map((threshold) => panelVerdict(votes, "buy", { ...plainPanel, threshold }).code),
      [null, "votes_against"]
    )
  })

  it("are none without a quorum of those that did not abstain: it fails closed", () => {
    const two = [vote("trend", "long"), vote("risk", "enter"), abstention("regime", "it does not run", 0)]
    assert.deepInclude(panelVerdict(two, "buy", plainPanel), { ok: false, code: "votes_quorum" })
    assert.deepInclude(panelVerdict([], "buy", plainPanel), { ok: false, code: "votes_quorum" })
    assert.deepInclude(panelVerdict(null, "buy", plainPanel), { ok: false, code: "votes_missing" })
  })

  it("count by their weights, and one of weight 0 is heard without counting", () => {
    const votes = [vote("trend", "long"), vote("risk", "stay_out"), vote("regime", "stay_out")]
    const weights = { trend: 3 }
    assert.strictEqual(panelVerdict(votes, "buy", { ...plainPanel, weights }).numbers["score"], 0.2)
    const alone = { trend: 1, risk: 0, regime: 0 }
    assert.strictEqual(panelVerdict(votes, "buy", { ...plainPanel, weights: alone }).numbers["score"], 1)
    const nobody = { trend: 0, risk: 0, regime: 0 }
    assert.strictEqual(panelVerdict(votes, "buy", { ...plainPanel, weights: nobody }).code, "votes_against")
  })

  it.each([
    ["no number", { vote: "long", confidence: Number.NaN }],
    ["a million", { vote: "long", confidence: 1e6 }],
    ["less than nothing", { vote: "long", confidence: -0.1 }],
    ["endless", { vote: "long", confidence: Number.POSITIVE_INFINITY }],
    ["no vote", { vote: "buy everything", confidence: 1 }]
  ])("with a confidence or a word of %s are abstentions that say so", (_, given) => {
    const found = voteIn("trend", { ...given, reasons: [] } as unknown as Opinion, 3)
    assert.deepStrictEqual([found.vote, found.confidence, found.ms], ["abstain", 0, 3])
    assert.lengthOf(found.reasons, 1)
  })

  it("are kept short, and are the same from the facts of a decision", () => {
    const long = voteIn(
      "trend",
      { vote: "long", confidence: 0.123_456, reasons: ["x".repeat(999), "b", "c", "d"] },
      1.5
    )
    assert.deepStrictEqual([long.confidence, long.reasons.map(({ length }) => length)], [0.123, [120, 1, 1]])
    const stored = JSON.parse(JSON.stringify(factsOfVotes([long]))) as ReturnType<typeof factsOfVotes>
    assert.deepStrictEqual(votesOfFacts(stored), [long])
  })
})
