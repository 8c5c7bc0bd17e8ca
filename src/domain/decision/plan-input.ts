/**
 * Plan input: everything that the plan of one signal may read, and where it is to go.
 *
 * Apart from the plan, whose parts (order-size.ts, shadow-order.ts) read the same.
 *
 * Promises: decimals are strings, times are milliseconds since the epoch.
 * Never: holds behaviour.
 */
import type { StrategySettings } from "../kernel/settings.ts"
import type { ListedContract } from "../market/option-chain.ts"
import type { PlanContext, PlanQuote, PlanSettings } from "../orders/plan-context.ts"
import type { ScopeFigures } from "../orders/risk-scope.ts"
import type { SignalTerms } from "../signals/order-type.ts"
import type { SignalTarget } from "../signals/signal.ts"
import type { EngineSignal } from "./engine-a.ts"
import type { Vote } from "./panel.ts"

/** The parts of a claimed signal that deciding needs. */
export interface DecisionSignal extends EngineSignal, SignalTarget, SignalTerms {
  readonly id: string
  readonly source: string
  readonly strategy: string | null
  readonly price: string | null
  readonly experimentId: string | null
  readonly variant: string | null
  /** The moment its age counts from. */
  readonly expiresFromMs: number
}

/** One strategy in one account. */
export interface Target {
  readonly name: string
  readonly strategy: StrategySettings
  readonly account: string
}

export interface PlanInput {
  readonly signal: DecisionSignal
  readonly settings: PlanSettings
  readonly context: PlanContext
  /** The market's quote of a symbol, null when it has none that is fresh. */
  readonly quoteOf: (symbol: string) => PlanQuote | null
  /** The latest figures of a scope, null when there are none. */
  readonly figuresOf: (scope: string) => ScopeFigures | null
  /** What the agents of engine B said of the symbol; null when nobody asked them. */
  readonly votes: ReadonlyArray<Vote> | null
  /** What the endpoints of engine C said of the signal, by name; null when nobody asked one. */
  readonly voters: ReadonlyArray<Vote> | null
  /** The option contracts that are listed for the signal, by its right; null when nobody asked, or nobody answered. */
  readonly chain: ReadonlyArray<ListedContract> | null
  /** False when the decision was deferred long enough: a deferral is then a denial. */
  readonly mayDefer: boolean
}
