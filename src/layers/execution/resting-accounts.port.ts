/**
 * Resting accounts: the register of executors that have nothing to do and no machine to do it with.
 *
 * An executor is a machine with its watchers, some sixty kilobytes and milliseconds of start; ten thousand of them are
 * more than the machine of a small installation has. What most of them do is to wait. So an executor may rest here: it
 * is owned, compared with its broker together with all others, and woken by the bell of its account.
 *
 * Promises: one entry per account; whoever is due is found by one look.
 * Never: opens or compares an account (account-rest.ts does), or decides that one may rest.
 */
import { Context, Layer } from "effect"
import type { LeaseGuard } from "../accounts/accounts-lease.port.ts"

/** Why an executor that rests cannot trade yet, as it shows it. */
export type RestingState = "WaitingForDatabase" | "TakingLease" | "BrokerAway"

/** `Opening`: between `begin` and what came of it. `Over`: it is awake or has ended, and nothing moves it any more. */
export type RestingPhase = "Waiting" | "Opening" | "Resting" | "Standby" | "Over"

/** One executor, as the one who opens all of them sees it. */
export interface RestingAccount {
  readonly account: string
  /** Name of its broker. */
  readonly broker: string
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
  /** It has something to do, or to find out: its machine begins, for good. */
  readonly awaken: () => void
}

export interface RestingAccountsService {
  /** Enters one that is due. Answers how to take it out. */
  readonly enter: (entry: RestingAccount) => () => void
  /** Says that one is to be opened or compared, and calls whoever listens. */
  readonly due: (account: string) => void
  /** Takes out what is due, to be worked on. */
  readonly takeDue: () => ReadonlyArray<RestingAccount>
  /** What they were due for is what is being asked now. */
  readonly answered: (accounts: Iterable<string>) => void
  /** Owned, compared, and with nothing to do. */
  readonly isResting: (account: string) => boolean
  readonly all: () => ReadonlyArray<RestingAccount>
  /** Calls `listener` whenever something becomes due. One listener; answers how to end it. */
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
