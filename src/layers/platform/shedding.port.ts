/**
 * Shedding: the port through which a feature asks whether it may work now (E9, C5, 11.7).
 *
 * The list of features and their order is domain/platform/resources.ts. A feature may not work while the process gives it up, nor
 * while a flag of the settings switches it off (domain/kernel/flags.ts). It asks each time it begins something, and listens when it
 * has to end what goes on.
 *
 * Promises: `may` is synchronous and costs two look-ups; each refusal of what is given up is counted, by feature; a listener is
 * called with every change, of flags as well.
 * Never: measures anything; refuses what is in no list.
 */
import { Context, Effect, Layer } from "effect"
import { type FlagSettings, isOn, plainFlags } from "../../domain/kernel/flags.ts"
import { isSameSetting } from "../../domain/kernel/settings-change.ts"
import { type Feature, SHED_ORDER } from "../../domain/platform/resources.ts"
import { SettingsInForce } from "./config.port.ts"

export interface SheddingService {
  /** Whether the feature may work now; a no is counted. */
  readonly may: (feature: Feature) => boolean
  /** Whether a flag switches it off: then it comes back when the settings say so, and not by itself. */
  readonly isOff: (feature: Feature) => boolean
  /** What is shed now, in the order in which it was given up. */
  readonly shed: () => ReadonlyArray<Feature>
  /** Replaces what is shed; for the resources component alone. */
  readonly assign: (features: ReadonlyArray<Feature>) => void
  /** The flags have changed. */
  readonly flagged: () => void
  /** Calls `changed` now and with every change, with what may not work. Returns how to end it. */
  readonly onChange: (changed: (gone: ReadonlyArray<Feature>) => void) => () => void
  /** Refusals since start. */
  readonly refused: () => ReadonlyMap<Feature, number>
}

const makeShedding = (flags: () => FlagSettings): SheddingService => {
  let shed: ReadonlyArray<Feature> = []
  const isOff = (feature: Feature): boolean => !isOn(flags(), feature)
  const gone = (): ReadonlyArray<Feature> =>
    SHED_ORDER.filter((feature) => shed.includes(feature) || isOff(feature))
  const refused = new Map<Feature, number>(SHED_ORDER.map((feature) => [feature, 0]))
  // Bounded by the features that listen: one each.
  let listeners: ReadonlyArray<(gone: ReadonlyArray<Feature>) => void> = []
  const tell = (): void => {
    for (const changed of listeners) changed(gone())
  }
  return {
    isOff,
    flagged: tell,
    may: (feature) => {
      if (isOff(feature)) return false
      if (!shed.includes(feature)) return true
      refused.set(feature, (refused.get(feature) ?? 0) + 1)
      return false
    },
    shed: () => shed,
    assign: (features) => {
      shed = features
      tell()
    },
    onChange: (changed) => {
      listeners = [...listeners, changed]
      changed(gone())
      return () => {
        listeners = listeners.filter((listener) => listener !== changed)
      }
    },
    refused: () => refused
  }
}

export class Shedding extends Context.Service<Shedding, SheddingService>()("holdfast/layers/Shedding") {
  /** Without settings: nothing is switched off. */
  static readonly layer: Layer.Layer<Shedding> = Layer.sync(Shedding, () => makeShedding(() => plainFlags))
  /** By the flags in force. */
  static readonly flaggedLayer: Layer.Layer<Shedding, never, SettingsInForce> = Layer.effect(
    Shedding,
    Effect.map(SettingsInForce, (inForce) => {
      const shedding = makeShedding(() => inForce.current().flags)
      inForce.onAssign((next, before) => {
        if (!isSameSetting(next.flags, before.flags)) shedding.flagged()
      })
      return shedding
    })
  )
}
