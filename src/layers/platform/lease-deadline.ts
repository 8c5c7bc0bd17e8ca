/**
 * Lease deadline: until when this process may rely on its lease, by its own clocks.
 *
 * A fence guards rows, not wires. Between the commit of `submitting` and the bytes on the socket a process can be frozen
 * for any length of time, and resume when another process owns the account. So the lease is checked once more,
 * synchronously, right before the write (T4). The deadline is counted from before the renewing query was SENT, minus a
 * margin: whatever the network did, the database's lease ends later than ours.
 *
 * Promises: nothing remains from the deadline on, after a freeze (monotonic clock) and after a suspended machine (wall
 * clock; the monotonic one stands still there). A clock set back never prolongs a lease.
 * Never: queries the database, or revives a lost lease.
 */
import type { Clock } from "effect"

/** A point in time on both clocks, taken before a query is sent. */
export interface Instant {
  readonly monotonicNanos: bigint
  readonly wallMs: number
}

export interface LeaseTerms {
  readonly leaseMs: number
  /** How much earlier than the database's lease ours ends. Covers the time between the check and the wire. */
  readonly marginMs: number
}

export interface LeaseDeadline {
  /** Milliseconds for which the lease may still be used; zero or less afterwards. */
  readonly remainingMs: () => number
  /** The lease was extended by a query sent at `sent`. A dropped lease stays dropped. */
  readonly extend: (sent: Instant) => void
  /** Ends it for good. */
  readonly giveUp: () => void
}

const nanosPerMs = 1_000_000n

export const instantOf = (clock: Clock.Clock): Instant => ({
  monotonicNanos: clock.monotonicTimeNanosUnsafe(),
  wallMs: clock.currentTimeMillisUnsafe()
})

/** The deadline of a lease granted by a query that was sent at `sent`. */
export const makeLeaseDeadline = (clock: Clock.Clock, terms: LeaseTerms, sent: Instant): LeaseDeadline => {
  const usableMs = terms.leaseMs - terms.marginMs
  let since = sent
  let givenUp = false
  return {
    remainingMs: () => {
      if (givenUp) return 0
      const now = instantOf(clock)
      const elapsedMonotonicMs = Number((now.monotonicNanos - since.monotonicNanos) / nanosPerMs)
      // The later of the two clocks counts: one of them may have stood still or been set back.
      return usableMs - Math.max(elapsedMonotonicMs, now.wallMs - since.wallMs)
    },
    extend: (next) => {
      if (next.monotonicNanos > since.monotonicNanos) since = next
    },
    giveUp: () => {
      givenUp = true
    }
  }
}

/**
 * What a holder reports instead of its state once its lease has expired. Judged at the moment of the report: the renewal
 * that is missing is the very thing that would have updated it.
 */
export const overdueStatus = (lease: Pick<LeaseDeadline, "remainingMs"> | null) =>
  lease !== null && lease.remainingMs() > 0
    ? {}
    : { state: "Overdue", ready: false, lastError: "the lease has expired by our clock and was not renewed" }
