/**
 * Protection: which open positions could not be closed now, though they should be.
 *
 * A stop loss is a promise that silence breaks: no quotes, no broker, an exit that waits for a human. The exits component
 * reports here after each look what it cannot protect and why, and executors report whether their broker answers, so that
 * health can be unhealthy the moment a promise is not kept (T2).
 *
 * Promises: synchronous and cheap; a position is named once, with the first reason that holds; when nobody has looked
 * for too long (exits crashed, paused, without a database), every position of the last look, and every one that was opened
 * since, counts as not protected; so does every position of an account that no process has.
 * Never: queries anything; repeats an old "all is well".
 */
import { Context, Layer } from "effect"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"

export interface Unprotected {
  readonly account: string
  readonly symbol: string
  /** For people: "no fresh quote", "the broker does not answer", ... */
  readonly reason: string
}

/** A position with exit prices, and why it could not be closed now; null when it could. */
export interface Watched {
  readonly account: string
  readonly symbol: string
  readonly gap: string | null
}

export interface ProtectionService {
  /** What is not protected at `nowMs` (epoch milliseconds). */
  readonly unprotected: (nowMs: number) => ReadonlyArray<Unprotected>
  /** The exits component, after a look: every position it watches. */
  readonly report: (watched: ReadonlyArray<Watched>, atMs: number) => void
  /**
   * Whoever stores a fill that opens or adds to what has exit prices: it counts as watched from now on, so that it shows as
   * unprotected when no look follows.
   */
  readonly noteOpened: (account: string, symbol: string, nowMs: number) => void
  /** The reconciler: the open positions of accounts that nobody executes, all of them each time. */
  readonly noteAbandoned: (positions: ReadonlyArray<Pick<Watched, "account" | "symbol">>) => void
  /** An executor, when its broker stops or starts to answer. */
  readonly noteBroker: (account: string, answers: boolean) => void
  readonly brokerAnswers: (account: string) => boolean
}

const makeProtection = (): ProtectionService => {
  // Bounded by the configured accounts.
  const silent = new Set<string>()
  let watched: ReadonlyArray<Watched> = []
  let at: number | null = null
  let abandoned: ReadonlyArray<Unprotected> = []
  return {
    unprotected: (nowMs) => {
      const blind = at !== null && nowMs - at > exitLimits.lookAgeMsMax
      const unwatched = watched.flatMap(({ account, symbol, gap }) => {
        const reason = blind ? "its price is not being watched" : gap
        return reason === null ? [] : [{ account, symbol, reason }]
      })
      return [...unwatched, ...abandoned]
    },
    report: (found, atMs) => {
      watched = found
      at = atMs
    },
    noteOpened: (account, symbol, nowMs) => {
      at ??= nowMs
      if (watched.some((known) => known.account === account && known.symbol === symbol)) return
      watched = [...watched, { account, symbol, gap: null }]
    },
    noteAbandoned: (positions) => {
      abandoned = positions.map(({ account, symbol }) => ({
        account,
        symbol,
        reason: "nobody has its account"
      }))
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
