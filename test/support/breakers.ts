/**
 * The view and the counts of circuit breakers of a world.
 *
 * Promises: those that ship; ids are drawn from the source of worlds that nobody repeats.
 * Never: stores anything by itself.
 */
import { Layer } from "effect"
import { Breakers } from "../../src/layers/orders/breakers.port.ts"
import type { Wake } from "../../src/layers/platform/wake.port.ts"
import { layerEntropy } from "./entropy.ts"

export const layerBreakers: Layer.Layer<Breakers, never, Wake> = Breakers.layer.pipe(
  Layer.provide(layerEntropy)
)
