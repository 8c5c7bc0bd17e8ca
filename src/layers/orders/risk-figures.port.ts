/**
 * Risk figures: the latest figures of each scope, in memory, where a decision reads them without a query.
 *
 * Prices are in this process and profits in the database; combining them in each decision would cost a statement per order.
 * So one component measures (risk.actor.ts), and decisions and permits read its figures with their timestamp.
 *
 * Promises: every figure has its timestamp; a scope that was never measured is null.
 * Never: decides whether a figure is recent enough: the rules do (domain/orders/risk-scope.ts).
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
