/**
 * Account turns: how often the parts of one executor had to wait for each other, counted where they wait.
 *
 * An account talks to its broker one round trip at a time. What that costs (E4) is visible here and nowhere else: a row shows who
 * holds an account, not how long its orders queue within the process.
 *
 * Promises: counting is synchronous and a few additions; an account without a turn has no counts.
 * Never: decides whose turn it is.
 */
import { CANARY } from "../../domain/kernel/canary.ts"
import type { Family } from "../platform/figures.port.ts"

export interface TurnCounts {
  /** Turns that were begun. */
  taken: number
  /** Turns that have ended. */
  ended: number
  /** Waiting now. */
  waiting: number
  /** Turns that had to wait for another. */
  contended: number
  /** Sum of all waits, in milliseconds. */
  waitedMs: number
  longestWaitMs: number
}

export interface AccountTurns {
  /** Null while the account has had no turn in this process. */
  readonly of: (account: string) => Readonly<TurnCounts> | null
  /** The counts of an account, created on first use. */
  readonly open: (account: string) => TurnCounts
  readonly all: () => Iterable<Readonly<TurnCounts>>
}

export const noTurns = (): TurnCounts => ({
  taken: 0,
  ended: 0,
  waiting: 0,
  contended: 0,
  waitedMs: 0,
  longestWaitMs: 0
})

/** Over all accounts: their names are not used as labels. */
export const turnFigures = (all: Iterable<Readonly<TurnCounts>>): ReadonlyArray<Family> => {
  const sum = noTurns()
  for (const counts of all) {
    sum.taken += counts.taken
    sum.waiting += counts.waiting
    sum.contended += counts.contended
    sum.waitedMs += counts.waitedMs
  }
  const family = (name: string, help: string, type: Family["type"], value: number): Family => ({
    name,
    help,
    type,
    samples: [{ labels: {}, value }]
  })
  return [
    family("holdfast_account_turns_total", "Round trips of accounts to their brokers.", "counter", sum.taken),
    family(
      "holdfast_account_turns_contended_total",
      "Round trips that waited for another one.",
      "counter",
      sum.contended
    ),
    family("holdfast_account_turns_waiting", "Round trips that wait now.", "gauge", sum.waiting),
    family(
      "holdfast_account_turn_wait_seconds_total",
      "Time that round trips have waited for another one.",
      "counter",
      sum.waitedMs / 1_000
    )
  ]
}

export const makeAccountTurns = (): AccountTurns => {
  // Bounded by the configured accounts.
  const counts = new Map<string, TurnCounts>()
  return {
    of: (account) => counts.get(account) ?? null,
    open: (account) => {
      // In no figure (T9).
      if (account === CANARY) return noTurns()
      const known = counts.get(account) ?? noTurns()
      counts.set(account, known)
      return known
    },
    all: () => counts.values()
  }
}
