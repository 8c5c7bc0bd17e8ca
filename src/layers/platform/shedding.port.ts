/**
 * Shedding: the port through which a feature asks whether it may work now (E9, C5).
 *
 * The list of features and their order is domain/platform/resources.ts. A feature asks each time it begins something, and
 * listens when it has to end what goes on.
 *
 * Promises: `may` is synchronous and costs one look-up; each refusal is counted, by feature; a listener is called with every
 * change.
 * Never: measures anything; refuses what is in no list.
 */
import { Context, Layer } from "effect"
import { type Feature, SHED_ORDER } from "../../domain/platform/resources.ts"

export interface SheddingService {
  /** Whether the feature may work now; a no is counted. */
  readonly may: (feature: Feature) => boolean
  /** What is shed now, in the order in which it was given up. */
  readonly shed: () => ReadonlyArray<Feature>
  /** Replaces what is shed; for the resources component alone. */
  readonly assign: (features: ReadonlyArray<Feature>) => void
  /** Calls `changed` now and with every change. Returns how to end it. */
  readonly onChange: (changed: (shed: ReadonlyArray<Feature>) => void) => () => void
  /** Refusals since start. */
  readonly refused: () => ReadonlyMap<Feature, number>
}

const makeShedding = (): SheddingService => {
  let shed: ReadonlyArray<Feature> = []
  const refused = new Map<Feature, number>(SHED_ORDER.map((feature) => [feature, 0]))
  // Bounded by the features that listen: one each.
  let listeners: ReadonlyArray<(shed: ReadonlyArray<Feature>) => void> = []
  return {
    may: (feature) => {
      if (!shed.includes(feature)) return true
      refused.set(feature, (refused.get(feature) ?? 0) + 1)
      return false
    },
    shed: () => shed,
    assign: (features) => {
      shed = features
      for (const changed of listeners) changed(shed)
    },
    onChange: (changed) => {
      listeners = [...listeners, changed]
      changed(shed)
      return () => {
        listeners = listeners.filter((listener) => listener !== changed)
      }
    },
    refused: () => refused
  }
}

export class Shedding extends Context.Service<Shedding, SheddingService>()("holdfast/layers/Shedding") {
  static readonly layer: Layer.Layer<Shedding> = Layer.sync(Shedding, makeShedding)
}
