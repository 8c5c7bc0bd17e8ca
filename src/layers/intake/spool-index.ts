/**
 * The identities in the spool, so that a repetition is recognised while the database cannot be asked (T3).
 *
 * Promises: an entry is as small as its answer and two texts; equal posts in one time bucket or the next are the same.
 * Never: reads a file.
 */
import { identityKey, keysOf, outcomeAgainst, type StoredIdentity } from "../signals/intake-batch.ts"
import { TOO_OLD } from "../signals/intake-row.ts"
import type { IntakeOutcome, IntakeRow } from "../signals/intake-store.port.ts"

export interface SpoolIndex {
  /** What the post is answered by what is held; undefined when its identity is not. */
  readonly outcomeOf: (row: IntakeRow) => IntakeOutcome | undefined
  readonly add: (row: IntakeRow) => void
  readonly remove: (row: IntakeRow) => void
  readonly clear: () => void
}

export const makeSpoolIndex = (): SpoolIndex => {
  // Bounded by the posts that the spool may hold.
  const held = new Map<string, StoredIdentity>()
  const ownKey = (row: IntakeRow): string => identityKey(row.source, row.identity)
  return {
    outcomeOf: (row) => {
      for (const key of keysOf(row)) {
        const known = held.get(key)
        if (known !== undefined) return outcomeAgainst(row, known)
      }
      return undefined
    },
    add: (row) =>
      void held.set(ownKey(row), {
        signalId: row.id,
        bodyHash: row.bodyHash,
        answer: row.answer,
        tooOld: row.reason === TOO_OLD
      }),
    remove: (row) => void held.delete(ownKey(row)),
    clear: () => held.clear()
  }
}
