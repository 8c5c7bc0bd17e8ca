/**
 * stage: whether a strategy trades, or runs as a shadow (G5).
 *
 * A shadow decides everything in full and opens nothing: what it would have opened is filled on paper, in a book of its own that
 * no broker ever sees. It is one because its settings say so, or because a rule or an operator demoted it. What it held before
 * is real, so whatever closes passes.
 *
 * Promises: pure; the settings win: what they call a shadow is one, whatever a row says; only what opens is refused.
 * Never: changes a stage (stage-rule.ts says when one is due).
 */
import type { StrategySettings } from "../kernel/settings.ts"
import type { Side } from "../signals/signal.ts"
import type { RiskVerdict } from "./risk.ts"

export const STAGES = ["live", "shadow"] as const
export type Stage = (typeof STAGES)[number]

/** What a strategy holds on paper of one symbol; `quantity` is signed. */
export interface PaperHolding {
  readonly symbol: string
  readonly quantity: string
  readonly averagePrice: string
  /** Fees of what opened it, which its closes bear in proportion; left out when there were none. */
  readonly fees?: string
}

/** An order that rests on paper. */
export interface PaperOrder {
  /** That its row of `orders` would have. */
  readonly id: string
  readonly symbol: string
  readonly side: Side
  readonly intent: "entry" | "reduce"
  readonly quantity: string
  readonly limitPrice: string | null
  readonly stopPrice: string | null
  /** The market has reached its stop: from then on it is a market or a limit order. */
  readonly isTriggered: boolean
  /** When it is over by the clock; null: when somebody cancels it. */
  readonly untilMs: number | null
}

/** What is stored about the stage of one strategy. */
export interface StrategyStage {
  /** Who demoted it, `rule:<name>` for a rule; null: nobody did. */
  readonly by: string | null
  readonly reason: string | null
  /** By account. */
  readonly book: Readonly<Record<string, ReadonlyArray<PaperHolding>>>
  /** By account; left out when nothing rests. */
  readonly resting?: Readonly<Record<string, ReadonlyArray<PaperOrder>>>
}

/** Of a strategy that nobody demoted and that holds nothing on paper. */
export const plainStage: StrategyStage = { by: null, reason: null, book: {} }

/** The check, and its code. */
const STAGE = "stage"
export const SHADOWED = "strategy_shadow"
/** Who made a shadow of what the settings call one. */
export const BY_SETTINGS = "settings"

/** Who made a shadow of a strategy, and why; null: it trades. */
export const shadowedBy = (
  strategy: Pick<StrategySettings, "stage"> | undefined,
  stored: StrategyStage | undefined
): { readonly by: string; readonly reason: string | null } | null => {
  if (strategy?.stage === "shadow") return { by: BY_SETTINGS, reason: null }
  return stored === undefined || stored.by === null ? null : { by: stored.by, reason: stored.reason }
}

/** What is recorded against an order that would open something. */
export const stageVerdict = (shadowed: {
  readonly by: string
  readonly reason: string | null
}): RiskVerdict => ({
  check: STAGE,
  ok: false,
  code: SHADOWED,
  numbers: { by: shadowed.by, reason: shadowed.reason }
})
