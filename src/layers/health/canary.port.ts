/**
 * CanaryFigures: what this process last saw of its canary (T9).
 *
 * Promises: `null` where no canary runs; a state is null before the first canary has ended.
 * Never: judges how old is too old (domain/health/health.ts does).
 */
import { Context, Layer } from "effect"
import type { CanaryFacts } from "../../domain/health/health.ts"

export interface CanaryFiguresService {
  readonly current: () => CanaryFacts | null
  readonly assign: (facts: CanaryFacts | null) => void
}

export class CanaryFigures extends Context.Service<CanaryFigures, CanaryFiguresService>()(
  "holdfast/layers/CanaryFigures"
) {
  static readonly layer: Layer.Layer<CanaryFigures> = Layer.sync(CanaryFigures, () => {
    let facts: CanaryFacts | null = null
    return CanaryFigures.of({
      current: () => facts,
      assign: (next) => {
        facts = next
      }
    })
  })
}
