/**
 * Entropy from a seed: the same seed, the same ids, bytes and numbers in the same order.
 *
 * Promises: UUIDs have the form of version 4; two seeds share no sequence that a test would meet.
 * Never: keeps a secret.
 */
import { Layer } from "effect"
import { nodeEntropy } from "../../src/layers/platform/entropy.node.ts"
import { Entropy, type EntropyService } from "../../src/layers/platform/entropy.port.ts"
import { SeededRandom } from "../../src/runtime/backoff.ts"

/** A source that starts at `seed`. */
export const seededEntropy = (seed: number): EntropyService => {
  const random = new SeededRandom(seed)
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => random.below(256))
  return {
    bytes,
    next: () => random.next(),
    uuid: () => {
      const hex = Buffer.from(bytes(16)).toString("hex")
      const variant = (8 + (Number.parseInt(hex.charAt(16), 16) & 3)).toString(16)
      return [
        hex.slice(0, 8),
        hex.slice(8, 12),
        `4${hex.slice(13, 16)}`,
        `${variant}${hex.slice(17, 20)}`,
        hex.slice(20)
      ].join("-")
    }
  }
}

/** What the service draws from, for worlds that nobody repeats: two of them on one database draw no id twice. */
export const layerEntropy: Layer.Layer<Entropy> = Layer.succeed(Entropy, nodeEntropy)
