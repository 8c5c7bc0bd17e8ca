/**
 * Entropy from `node:crypto`: what the service uses when it runs for real.
 *
 * Promises: cryptographic strength; an id comes from Node's own store of random bytes and costs what `randomUUID` costs.
 * Never: takes a seed.
 * Failure: an operating system without randomness throws, which is a bug of the machine and ends the component.
 */
import { randomBytes, randomInt, randomUUID } from "node:crypto"
import type { EntropyService } from "./entropy.port.ts"

/** As fine as a jitter of minutes needs, and below the limit of `randomInt`. */
const STEPS = 2 ** 32

export const nodeEntropy: EntropyService = {
  uuid: () => randomUUID(),
  bytes: (count) => randomBytes(count),
  next: () => randomInt(STEPS) / STEPS
}
