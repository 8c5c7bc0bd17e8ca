/**
 * Protection: which open positions would not be left now, though they should be able to.
 *
 * A stop loss is a promise that silence breaks: no quotes, no broker, an exit that waits for a human. The exits component
 * says here after each look what it cannot protect and why, and executors say whether their broker answers, so that
 * health can be unhealthy the moment a promise is not kept (T2).
 *
 * Promises: synchronous and cheap; a position is named once, with the first reason that holds.
 * Never: asks anybody; what was said last stays until it is said anew.
 */
import { Context, Layer } from "effect"

export interface Unprotected {
  readonly account: string
  readonly symbol: string
  /** For people: "no fresh quote", "the broker does not answer", ... */
  readonly reason: string
}

export interface ProtectionService {
  readonly unprotected: () => ReadonlyArray<Unprotected>
  /** Epoch milliseconds of the last complete look, null before the first. */
  readonly lookedAt: () => number | null
  /** The exits component, after a look. */
  readonly report: (unprotected: ReadonlyArray<Unprotected>, atMs: number) => void
  /** An executor, when its broker stops or starts to answer. */
  readonly noteBroker: (account: string, answers: boolean) => void
  readonly brokerAnswers: (account: string) => boolean
}

const makeProtection = (): ProtectionService => {
  // Bounded by the configured accounts.
  const silent = new Set<string>()
  let found: ReadonlyArray<Unprotected> = []
  let at: number | null = null
  return {
    unprotected: () => found,
    lookedAt: () => at,
    report: (unprotected, atMs) => {
      found = unprotected
      at = atMs
    },
    noteBroker: (account, answers) => {
      if (answers) silent.delete(account)
      else silent.add(account)
    },
    brokerAnswers: (account) => !silent.has(account)
  }
}

export class Protection extends Context.Service<Protection, ProtectionService>()(
  "holdfast/layers/Protection"
) {
  static readonly layer: Layer.Layer<Protection> = Layer.sync(Protection, makeProtection)
}
