/**
 * Trading state: what this process knows of ACTIVE, REDUCING or HALTED without asking the database.
 *
 * Promises: `null` while it is unknown; never older than the poll interval of its component.
 * Never: decides about an order: decisions read the row itself, in their own statement.
 */
import { Context, Layer } from "effect"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"

export type TradingStates = ReadonlyMap<string, TradingStateName>

export interface TradingStateService {
  /** That of the whole installation. */
  readonly current: () => TradingStateName | null
  /** That of one scope; ACTIVE where nobody ever set another, null while nothing is known. */
  readonly of: (scope: string) => TradingStateName | null
  /** By scope; null: nothing is known any more. */
  readonly assign: (states: TradingStates | null) => void
  /** One scope was changed by this process; nothing while the others are not known. */
  readonly change: (scope: string, state: TradingStateName) => void
}

export class TradingState extends Context.Service<TradingState, TradingStateService>()(
  "holdfast/layers/TradingState"
) {
  static readonly layer: Layer.Layer<TradingState> = Layer.sync(TradingState, () => {
    let states: TradingStates | null = null
    const of = (scope: string): TradingStateName | null =>
      states === null ? null : (states.get(scope) ?? "ACTIVE")
    return TradingState.of({
      current: () => of("global"),
      of,
      assign: (next) => {
        states = next
      },
      change: (scope, state) => {
        if (states !== null) states = new Map([...states, [scope, state]])
      }
    })
  })
}
