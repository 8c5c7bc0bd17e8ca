/**
 * Account leases: what this process believes it holds, judged by its own monotonic clock.
 *
 * A fence guards rows, not wires. Between the commit of `submitting` and the bytes on the socket a process can be
 * frozen for as long as somebody likes, and wake up when another process owns the account. So the lease is looked
 * at once more, synchronously, right before the write (T4). The deadline is counted from before the renewing query
 * was SENT, minus a margin: whatever the network did, the database's lease ends later than ours.
 *
 * Promises: `mayWrite` is synchronous and false from the deadline on, after a freeze (monotonic clock) and after a
 * suspended machine (wall clock; the monotonic one stands still there). A clock set back never prolongs a lease.
 * Never: asks the database, or gives a lost lease back.
 */
import { type Clock, Context, Layer } from "effect"
import type { AccountGrant } from "./accounts-store.ts"

/** A point in time on both clocks, taken before a query is sent. */
export interface Instant {
  readonly monotonicNanos: bigint
  readonly wallMs: number
}

/** One held lease. `fence` is what rows are guarded by, `mayWrite` what the wire is guarded by. */
export interface LeaseGuard {
  readonly grant: AccountGrant
  /** True while nobody else can have taken the account over. */
  readonly mayWrite: () => boolean
  /** Milliseconds until `mayWrite` turns false; zero or less afterwards. */
  readonly remainingMs: () => number
  /** The lease was extended by a query sent at `sent`. A lease that was given up stays given up. */
  readonly extend: (sent: Instant) => void
  /** Turns `mayWrite` false for good. */
  readonly giveUp: () => void
}

export interface LeaseTerms {
  readonly leaseMs: number
  /** How much earlier than the database's lease ours ends. Covers the time between the check and the wire. */
  readonly marginMs: number
}

const nanosPerMs = 1_000_000n

export const instantOf = (clock: Clock.Clock): Instant => ({
  monotonicNanos: clock.monotonicTimeNanosUnsafe(),
  wallMs: clock.currentTimeMillisUnsafe()
})

/** A guard for a lease granted by a query that was sent at `sent`. */
export const makeLeaseGuard = (
  clock: Clock.Clock,
  grant: AccountGrant,
  terms: LeaseTerms,
  sent: Instant
): LeaseGuard => {
  const usableMs = terms.leaseMs - terms.marginMs
  let since = sent
  let givenUp = false
  const remainingMs = (): number => {
    if (givenUp) return 0
    const now = instantOf(clock)
    const elapsedMonotonicMs = Number((now.monotonicNanos - since.monotonicNanos) / nanosPerMs)
    // The later of the two clocks counts: one of them may have stood still or been set back.
    return usableMs - Math.max(elapsedMonotonicMs, now.wallMs - since.wallMs)
  }
  return {
    grant,
    remainingMs,
    mayWrite: () => remainingMs() > 0,
    extend: (next) => {
      if (next.monotonicNanos > since.monotonicNanos) since = next
    },
    giveUp: () => {
      givenUp = true
    }
  }
}

export interface AccountLeasesService {
  /** The lease of `account` that this process holds now, null when another process has it or nobody. */
  readonly current: (account: string) => LeaseGuard | null
  /** Registers a lease that was just taken; an older one of the same account is given up. */
  readonly hold: (guard: LeaseGuard) => void
  /** Gives a lease up. Another guard registered meanwhile stays. */
  readonly drop: (guard: LeaseGuard) => void
}

const makeLeases = (): AccountLeasesService => {
  // Bounded by the configured accounts: one guard each.
  const held = new Map<string, LeaseGuard>()
  return {
    current: (account) => held.get(account) ?? null,
    hold: (guard) => {
      held.get(guard.grant.account)?.giveUp()
      held.set(guard.grant.account, guard)
    },
    drop: (guard) => {
      guard.giveUp()
      if (held.get(guard.grant.account) === guard) held.delete(guard.grant.account)
    }
  }
}

/** Which accounts this process owns. The broker stream asks it whose order updates it may apply. */
export class AccountLeases extends Context.Service<AccountLeases, AccountLeasesService>()(
  "holdfast/layers/AccountLeases"
) {
  static readonly layer: Layer.Layer<AccountLeases> = Layer.sync(AccountLeases, makeLeases)
}
