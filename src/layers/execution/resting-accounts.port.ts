/**
 * Resting accounts: the register of idle executors without a machine.
 *
 * An executor is a machine with its watchers, some sixty kilobytes and milliseconds of start; ten thousand of them are
 * more than a small host has. What most of them do is wait. So an executor may rest here: it
 * is owned, compared with its broker together with all others, and woken by the bell of its account.
 *
 * Promises: one entry per account; all that are due are found by one look.
 * Never: opens or compares an account (account-rest.ts does), or decides that one may rest.
 */
import { Context, Layer } from "effect"
import type { LeaseGuard } from "../accounts/accounts-lease.port.ts"
import type { BrokerConnection } from "../venues/broker.port.ts"

/** Why a resting executor cannot trade yet, as shown. */
export type RestingState = "WaitingForDatabase" | "TakingLease" | "BrokerAway"

/** `Opening`: between `begin` and its outcome. `Over`: it is awake or has ended, and nothing moves it any longer. */
export type RestingPhase = "Waiting" | "Opening" | "Resting" | "Standby" | "Over"

/** One executor, as seen by the component that opens all of them. */
export interface RestingAccount {
  readonly account: string
  /** Name of its broker. */
  readonly broker: string
  /** What it would send by: that of its start, which a reload may have replaced since. */
  readonly connection: BrokerConnection
  /** The lease under which it rests, null without one. */
  readonly guard: () => LeaseGuard | null
  /** It is being opened or compared: bells wait until one of the following is called. */
  readonly begin: () => void
  readonly phase: () => RestingPhase
  /** It is owned from now on, under this lease. */
  readonly hold: (guard: LeaseGuard) => void
  /** It agrees with its broker, and has nothing to do. */
  readonly rest: (guard: LeaseGuard) => void
  /** Another life owns it. */
  readonly standBy: (owner: string) => void
  /** It is not opened; it stays due. */
  readonly wait: (state: RestingState) => void
  /** It has something to do, or to find out: its machine starts, for good. */
  readonly awaken: () => void
}

export interface RestingAccountsService {
  /** Registers one that is due. Returns how to remove it. */
  readonly enter: (entry: RestingAccount) => () => void
  /** Marks one as to be opened or compared, and calls the listener. */
  readonly due: (account: string) => void
  /** Takes out what is due, to be worked on. */
  readonly takeDue: () => ReadonlyArray<RestingAccount>
  /** What they were due for is being checked now. */
  readonly answered: (accounts: Iterable<string>) => void
  /** Owned, compared, and with nothing to do. */
  readonly isResting: (account: string) => boolean
  readonly all: () => ReadonlyArray<RestingAccount>
  /** Calls `listener` whenever something becomes due. One listener; returns how to end it. */
  readonly onDue: (listener: () => void) => () => void
}

const make = (): RestingAccountsService => {
  // Both are bounded by the configured accounts.
  const entries = new Map<string, RestingAccount>()
  const due = new Set<string>()
  let listener: (() => void) | null = null
  const isDue = (account: string): void => {
    if (!entries.has(account)) return
    due.add(account)
    listener?.()
  }
  return {
    enter: (entry) => {
      entries.set(entry.account, entry)
      isDue(entry.account)
      return () => {
        if (entries.get(entry.account) !== entry) return
        entries.delete(entry.account)
        due.delete(entry.account)
      }
    },
    due: isDue,
    takeDue: () => {
      const taken = [...due].flatMap((account) => entries.get(account) ?? [])
      due.clear()
      return taken
    },
    answered: (accounts) => {
      for (const account of accounts) due.delete(account)
    },
    isResting: (account) => entries.get(account)?.phase() === "Resting",
    all: () => [...entries.values()],
    onDue: (next) => {
      listener = next
      if (due.size > 0) next()
      return () => {
        if (listener === next) listener = null
      }
    }
  }
}

export class RestingAccounts extends Context.Service<RestingAccounts, RestingAccountsService>()(
  "holdfast/layers/RestingAccounts"
) {
  static readonly layer: Layer.Layer<RestingAccounts> = Layer.sync(RestingAccounts, make)
}
