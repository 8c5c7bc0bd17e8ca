/**
 * Risk figures: what the last look found of each scope, kept where a decision can read it without asking anybody.
 *
 * Prices are in this process and profits in the database; a decision that put them together by itself would pay a statement
 * for each order. So one component looks (risk.actor.ts), and whoever judges an order reads what it found, with its time.
 *
 * Promises: a figure is as old as it says; a scope that was never looked at is null.
 * Never: says that a figure is young enough: the rules do (domain/orders/risk-scope.ts).
 */
import { Context, Layer } from "effect"
import type { ScopeFigures } from "../../domain/orders/risk-scope.ts"

export interface RiskFiguresService {
  /** By scope: `global`, `account:<id>`, `strategy:<name>`. */
  readonly of: (scope: string) => ScopeFigures | null
  /** Replaces all of them. */
  readonly publish: (figures: ReadonlyMap<string, ScopeFigures>) => void
}

export class RiskFigures extends Context.Service<RiskFigures, RiskFiguresService>()(
  "holdfast/layers/RiskFigures"
) {
  static readonly layer: Layer.Layer<RiskFigures> = Layer.sync(RiskFigures, () => {
    let known: ReadonlyMap<string, ScopeFigures> = new Map()
    return RiskFigures.of({
      of: (scope) => known.get(scope) ?? null,
      publish: (figures) => {
        known = figures
      }
    })
  })
}
