/**
 * Account leases: which accounts this process owns, and until when it may believe so.
 *
 * An account is owned under a fence, and for as long as the lease of the node that owns it. The fence guards rows, the
 * lease guards wires: it is checked once more, synchronously, right before the bytes of a create or a cancel (T4).
 *
 * Promises: `mayWrite` is synchronous and false once the node's lease may no longer be used, whatever froze whom; a
 * guard that was dropped never becomes true again. The holder of an account is notified when it is lost.
 * Never: queries the database.
 */
import { Context, Layer } from "effect"
import { type AccountTurns, makeAccountTurns } from "./account-turns.ts"
import type { LeaseDeadline } from "../platform/lease-deadline.ts"
import type { AccountGrant } from "./accounts-store.port.ts"

/** One held account. `grant.fence` guards its rows, `mayWrite` guards the wire. */
export interface LeaseGuard {
  readonly grant: AccountGrant
  /** True while no other process can have taken the account over. */
  readonly mayWrite: () => boolean
  /** Milliseconds until `mayWrite` turns false; zero or less afterwards. */
  readonly remainingMs: () => number
  /** Turns `mayWrite` false for good, for this account alone. */
  readonly giveUp: () => void
}

/** A guard under the lease of the node. */
export const makeLeaseGuard = (grant: AccountGrant, deadline: LeaseDeadline): LeaseGuard => {
  let givenUp = false
  const remainingMs = (): number => (givenUp ? 0 : deadline.remainingMs())
  return {
    grant,
    remainingMs,
    mayWrite: () => remainingMs() > 0,
    giveUp: () => {
      givenUp = true
    }
  }
}

export interface AccountLeasesService {
  /** The lease of `account` that this process holds now, null when another process or none holds it. */
  readonly current: (account: string) => LeaseGuard | null
  /** Every lease this process holds. */
  readonly all: () => ReadonlyArray<LeaseGuard>
  readonly size: () => number
  /** Registers a lease that was just taken; an older one of the same account is dropped. */
  readonly hold: (guard: LeaseGuard) => void
  /** Drops a lease. Another guard registered meanwhile stays. */
  readonly drop: (guard: LeaseGuard) => void
  /** Drops a lease that another process took or may have taken, and notifies the watcher of the account. */
  readonly lose: (guard: LeaseGuard) => void
  /** Calls `lost` whenever the lease of `account` is lost. One watcher per account: its executor. Returns how to end it. */
  readonly watch: (account: string, lost: () => void) => () => void
  /** Waits in line for an account of another owner; `free` is called when it may be requested again. Returns how to end it. */
  readonly want: (account: string, free: () => void) => () => void
  readonly wanted: () => ReadonlyMap<string, () => void>
  /** How the round trips of each account waited for each other. */
  readonly turns: AccountTurns
}

const makeLeases = (): AccountLeasesService => {
  // All three are bounded by the configured accounts: one guard, one watcher, one place in line each.
  const held = new Map<string, LeaseGuard>()
  const watchers = new Map<string, () => void>()
  const line = new Map<string, () => void>()
  const drop = (guard: LeaseGuard): void => {
    guard.giveUp()
    if (held.get(guard.grant.account) === guard) held.delete(guard.grant.account)
  }
  const enter = (map: Map<string, () => void>, account: string, notify: () => void) => {
    map.set(account, notify)
    return () => {
      if (map.get(account) === notify) map.delete(account)
    }
  }
  return {
    current: (account) => held.get(account) ?? null,
    all: () => [...held.values()],
    size: () => held.size,
    hold: (guard) => {
      held.get(guard.grant.account)?.giveUp()
      held.set(guard.grant.account, guard)
    },
    drop,
    lose: (guard) => {
      drop(guard)
      watchers.get(guard.grant.account)?.()
    },
    watch: (account, lost) => enter(watchers, account, lost),
    want: (account, free) => enter(line, account, free),
    wanted: () => line,
    turns: makeAccountTurns()
  }
}

/** Which accounts this process owns. The broker stream asks it whose order updates it may apply. */
export class AccountLeases extends Context.Service<AccountLeases, AccountLeasesService>()(
  "holdfast/layers/AccountLeases"
) {
  static readonly layer: Layer.Layer<AccountLeases> = Layer.sync(AccountLeases, makeLeases)
}
