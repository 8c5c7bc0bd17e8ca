/**
 * plan-step: what the plan of one target comes to: verdicts, orders, and what it is on paper.
 *
 * Apart from the plan, because its parts return the same.
 *
 * Promises: plain values; money and quantities are decimal strings.
 * Never: holds behaviour.
 */
import type { PlanContext } from "../orders/plan-context.ts"
import type { RiskVerdict } from "../orders/risk.ts"
import type { PaperHolding } from "../orders/stage.ts"
import type { Side } from "../signals/signal.ts"
import type { PlannedOrder } from "./planned-order.ts"
import type { ShadowOrder } from "./shadow-order.ts"

/** One recorded verdict; `strategy`, `account` and `leg` are null for what concerns the whole signal. */
export interface RecordedCheck extends RiskVerdict {
  readonly strategy: string | null
  readonly account: string | null
  readonly leg: number | null
}

/** The result for one target. `code` is the first reason against it, null when it was ordered. */
export interface Step {
  /** The given context, with the planned orders in their account's book. */
  readonly context: PlanContext
  readonly checks: ReadonlyArray<RecordedCheck>
  readonly orders: ReadonlyArray<PlannedOrder>
  readonly code: string | null
  readonly result: "ordered" | "held" | "denied" | "ignored" | "deferred"
  /** What the shadow engine would have done. */
  readonly shadows: ReadonlyArray<ShadowOrder>
}

/** One fill on paper. */
export interface PaperTrade {
  readonly strategy: string
  readonly account: string
  readonly leg: number
  readonly symbol: string
  readonly side: Side
  readonly quantity: string
  readonly price: string
  /** Of what it closed, before fees; null: it closed nothing. */
  readonly profit: string | null
  /** What the strategy then holds; `opened`: from flat, or through zero. */
  readonly after: PaperHolding
  readonly opened: boolean
}

/** A step with what it is on paper; empty for a strategy that trades. */
export interface TargetStep extends Step {
  readonly papers: ReadonlyArray<PaperTrade>
}
