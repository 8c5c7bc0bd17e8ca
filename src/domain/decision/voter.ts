/**
 * voter: the vote of the user's own endpoint, and what it comes to for one order (D9).
 *
 * Engine C is the rules with one more voice, which is outside of this process. It is told of the signal and the quote, and says
 * whether to be for or against: whatever it answers, an order passes the same limits, and no answer makes one larger.
 *
 * Promises: pure; the vote that is stored with a decision gives the same verdict again; an order that closes is never asked about, and
 * neither is a signal that only closes (T6); silence is what the settings say it is, and denies without any.
 * Never: asks anybody (layers/decision/voters.port.ts does), changes a size, or tells a position, an account or a limit.
 */
import { isoOf } from "../kernel/iso-time.ts"
import type { Mode } from "../kernel/settings.ts"
import type { VoterRule } from "../kernel/settings-voters.ts"
import { oneLine } from "../kernel/text-line.ts"
import type { PlanQuote, PlanSettings } from "../orders/plan-context.ts"
import type { RiskVerdict } from "../orders/risk.ts"
import type { Side } from "../signals/signal.ts"
import { engineOf } from "../signals/routing.ts"
import { wishOf } from "../signals/wish.ts"
import { instrumentName } from "../kernel/symbol-map.ts"
import type { Opinion } from "./agents.ts"
import { abstention, directionOf, type Vote, voteIn } from "./panel.ts"
import type { DecisionSignal, Target } from "./plan-input.ts"

/** A voter that is asked about a signal. */
export interface AskedVoter {
  readonly voter: string
  /** Strategies that ask it. */
  readonly strategies: ReadonlyArray<string>
  /** It decides for one of them; else all only compare. */
  readonly decides: boolean
}

/** The voters that a signal with these targets is put to, each once. None for a signal that can only close. */
export const votersFor = (
  signal: DecisionSignal,
  targets: ReadonlyArray<Target>,
  settings: Pick<PlanSettings, "mode" | "symbols">
): ReadonlyArray<AskedVoter> => {
  const about = { id: signal.id, symbol: instrumentName(signal.symbol, settings) }
  const found = new Map<string, AskedVoter>()
  for (const { name, strategy } of targets) {
    const { quantity, shadow, voter } = strategy
    const decides = engineOf([name, strategy], about) === "C"
    if (voter === null || (!decides && shadow !== "C")) continue
    if (wishOf(signal, quantity)?.kind === "close") continue
    const before = found.get(voter)
    found.set(voter, {
      voter,
      strategies: [...new Set([...(before?.strategies ?? []), name])],
      decides: decides || before?.decides === true
    })
  }
  return [...found.values()]
}

/** The parts of a signal that a voter is told, null where it does not say. */
const told = (signal: DecisionSignal) => ({
  source: signal.source,
  action: signal.action,
  direction: signal.direction,
  intent: signal.intent,
  quantity: signal.quantity,
  price: signal.price,
  strike: signal.strike,
  expiration: signal.expiration,
  position_size: signal.positionSize,
  market_position: signal.marketPosition,
  prev_market_position: signal.prevMarketPosition,
  market_position_size: signal.marketPositionSize
})

/** The document that a voter gets. `symbol`: the instrument that the signal means. */
export const questionOf = (
  signal: DecisionSignal,
  { decides, strategies }: Pick<AskedVoter, "decides" | "strategies">,
  at: {
    readonly mode: Mode
    readonly nowMs: number
    readonly symbol: string
    readonly quote: Omit<PlanQuote, "symbol"> | null
  }
) => ({
  type: "signal.vote_wanted",
  timestamp: isoOf(at.nowMs),
  data: {
    signal_id: signal.id,
    mode: at.mode,
    strategies,
    decides,
    symbol: at.symbol,
    ...told(signal),
    quote:
      at.quote === null
        ? null
        : { bid: at.quote.bid, ask: at.quote.ask, last: at.quote.last, at: isoOf(at.quote.atMs) }
  }
})
export type VoterQuestion = ReturnType<typeof questionOf>

/** Longest reason that is kept. It comes from outside, and goes into rows, logs and consoles. */
const REASON_MAX = 120

/** The vote in an answer whose shape is right. */
export const voterVote = (voter: string, opinion: Opinion, ms: number): Vote =>
  voteIn(voter, { ...opinion, reasons: opinion.reasons.map((reason) => oneLine(reason, REASON_MAX)) }, ms)

export const voterAbstention = (voter: string, reason: string, ms: number): Vote =>
  abstention(voter, oneLine(reason, REASON_MAX), ms)

/** For a voter that is in no settings any more. */
export const strictVoter: VoterRule = { confidenceMin: 1, onSilence: "deny" }

const codeOf = (vote: Vote | null, side: Side, { confidenceMin, onSilence }: VoterRule): string | null => {
  if (vote === null) return "voter_missing"
  const direction = directionOf(vote.vote, side)
  if (direction === 0) return onSilence === "rules" ? null : "voter_silent"
  if (direction < 0) return "voter_against"
  return vote.confidence >= confidenceMin ? null : "voter_unsure"
}

/** What a voter's vote comes to for an order that opens. `vote` null: it was not asked. */
export const voterVerdict = (voter: string, vote: Vote | null, side: Side, rule: VoterRule): RiskVerdict => {
  const code = codeOf(vote, side, rule)
  const direction = vote === null ? 0 : directionOf(vote.vote, side)
  return {
    check: "voter",
    ok: code === null,
    code,
    numbers: {
      voter,
      vote: vote?.vote ?? null,
      confidence: vote?.confidence ?? null,
      confidence_min: rule.confidenceMin,
      score: direction === 0 || vote === null ? null : direction * vote.confidence,
      silence: rule.onSilence,
      reason: vote?.reasons[0] ?? null
    }
  }
}
