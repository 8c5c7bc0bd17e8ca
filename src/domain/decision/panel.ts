/**
 * panel: what the votes of engine B's agents come to for one order (D9, G5).
 *
 * An agent that did not answer, or whose answer cannot be one, abstains, and that is as visible as a vote. What is left is one
 * number: the sum of what each voter believes, by its weight, from -1 (against) to 1 (for). Too few voters are no decision, and
 * without a decision nothing is opened.
 *
 * Promises: pure; the votes that are stored with a decision give the same verdict again; an order that closes is never asked about
 * (T6: exits go through no engine).
 * Never: asks anybody (layers/decision/panel.port.ts does), or changes the size of an order.
 */
import type { PanelSettings } from "../kernel/settings.ts"
import type { RiskVerdict } from "../orders/risk.ts"
import type { Side } from "../signals/signal.ts"
import { AGENTS, type Opinion, VOTES, type VoteWord } from "./agents.ts"

/** One agent's vote. `ms`: how long it took. */
export interface Vote extends Opinion {
  readonly agent: string
  readonly ms: number
}

/** A vote as a row of a table, in the facts of a decision. */
export type VoteFacts = readonly [
  agent: string,
  vote: VoteWord,
  confidence: number,
  reasons: ReadonlyArray<string>,
  ms: number
]

/** Longest reason that is kept of an agent, and how many. */
const REASON_MAX = 120
const REASONS_MAX = 3

export const abstention = (agent: string, reason: string, ms: number): Vote => ({
  agent,
  vote: "abstain",
  confidence: 0,
  reasons: [reason.slice(0, REASON_MAX)],
  ms
})

/** The vote in an answer. One that says more than an agent may say is no vote: who claims a confidence of a million has none. */
export const voteIn = (agent: string, { confidence, reasons, vote }: Opinion, ms: number): Vote => {
  const isVote = VOTES.some((word) => word === vote)
  if (!isVote) return abstention(agent, "its answer is no vote", ms)
  if (!(confidence >= 0 && confidence <= 1))
    return abstention(agent, `its confidence of ${String(confidence)} is not from 0 to 1`, ms)
  return {
    agent,
    vote,
    confidence: Math.round(confidence * 1_000) / 1_000,
    reasons: reasons.slice(0, REASONS_MAX).map((reason) => reason.slice(0, REASON_MAX)),
    ms
  }
}

export const factsOfVotes = (votes: ReadonlyArray<Vote>): ReadonlyArray<VoteFacts> =>
  votes.map(({ agent, confidence, ms, reasons, vote }) => [agent, vote, confidence, reasons, ms])

export const votesOfFacts = (facts: ReadonlyArray<VoteFacts>): ReadonlyArray<Vote> =>
  facts.map(([agent, vote, confidence, reasons, ms]) => ({ agent, vote, confidence, reasons, ms }))

/** 1 for an order on this side, -1 against it. */
export const directionOf = (vote: VoteWord, side: Side): number => {
  switch (vote) {
    case "long":
      return side === "buy" ? 1 : -1
    case "short":
      return side === "sell" ? 1 : -1
    case "enter":
      return 1
    case "stay_out":
      return -1
    case "abstain":
      return 0
  }
}

/** Digits of a score: it is shown and compared as this. */
const rounded = (score: number): number => Math.round(score * 1_000) / 1_000

const NO_VOTES: ReadonlyArray<Vote> = []

/** What the panel makes of an order that opens. `votes` null: nobody was asked. */
export const panelVerdict = (
  votes: ReadonlyArray<Vote> | null,
  side: Side,
  { quorum, threshold, weights }: PanelSettings
): RiskVerdict => {
  const cast = (votes ?? NO_VOTES).filter(({ vote }) => vote !== "abstain")
  const weighed = cast.map((vote) => ({ ...vote, weight: weights[vote.agent] ?? 1 }))
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0)
  const sum = weighed.reduce(
    (score, { confidence, vote, weight }) => score + weight * confidence * directionOf(vote, side),
    0
  )
  const score = total === 0 ? null : rounded(sum / total)
  const isQuorate = cast.length >= quorum
  const code =
    votes === null
      ? "votes_missing"
      : !isQuorate
        ? "votes_quorum"
        : score === null || score < threshold
          ? "votes_against"
          : null
  const each = AGENTS.map((agent) => {
    const vote = votes?.find((one) => one.agent === agent)
    return [agent, vote === undefined ? null : `${vote.vote} ${vote.confidence}`] as const
  })
  return {
    check: "votes",
    ok: code === null,
    code,
    numbers: { score, threshold, voters: cast.length, quorum, ...Object.fromEntries(each) }
  }
}
