/**
 * Entropy: where every id, secret and random number of the service comes from.
 *
 * One port, because a run can be repeated from its seed only if every random value follows from the seed. Plain functions and not
 * effects: each post without a request id draws one, and a fiber's step would cost more than the draw.
 *
 * Promises: the live implementation provides all three with cryptographic strength, as the control token and session names need.
 * Never: waits; is bypassed: a lint rule refuses the random functions of the platform and of Effect elsewhere in `src`.
 */
import { Context } from "effect"

export interface EntropyService {
  /** A random UUID (version 4), in lower case. */
  readonly uuid: () => string
  /** The requested number of random bytes, in an array of their own. */
  readonly bytes: (count: number) => Uint8Array
  /** A number in [0, 1): for jitter and seeds. */
  readonly next: () => number
}

export class Entropy extends Context.Service<Entropy, EntropyService>()("holdfast/layers/Entropy") {}
