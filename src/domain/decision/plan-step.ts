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
import type { PaperHolding, PaperOrder } from "../orders/stage.ts"
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
  readonly fee: string
  /** Of what it closed, net of fees; null: it closed nothing. */
  readonly profit: string | null
  /** What the strategy then holds; `opened`: from flat, or through zero. */
  readonly after: PaperHolding
  readonly opened: boolean
}

/** One order that is left resting on paper. */
export interface PlacedPaper extends PaperOrder {
  readonly strategy: string
  readonly account: string
  readonly leg: number
}

/** What a decision does on paper; all empty for strategies that trade. */
export interface OnPaper {
  readonly papers: ReadonlyArray<PaperTrade>
  readonly placed: ReadonlyArray<PlacedPaper>
  /** Ids of what rested before and is taken back. */
  readonly withdrawn: ReadonlyArray<string>
}

/** A step with what it is on paper. */
export interface TargetStep extends Step, OnPaper {}
