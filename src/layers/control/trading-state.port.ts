/**
 * Trading state: what this process knows of ACTIVE, REDUCING or HALTED without asking the database.
 *
 * Promises: `null` while it is unknown; never older than the poll interval of its component.
 * Never: decides about an order: decisions read the row itself, in their own statement.
 */
import { Context, Layer } from "effect"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"

export interface TradingStateService {
  readonly current: () => TradingStateName | null
  readonly assign: (state: TradingStateName | null) => void
}

export class TradingState extends Context.Service<TradingState, TradingStateService>()(
  "holdfast/layers/TradingState"
) {
  static readonly layer: Layer.Layer<TradingState> = Layer.sync(TradingState, () => {
    let state: TradingStateName | null = null
    return TradingState.of({
      current: () => state,
      assign: (next) => {
        state = next
      }
    })
  })
}
