/**
 * The identities in the spool, so that a repetition is recognised while the database cannot be asked (T3).
 *
 * Promises: an entry is as small as its answer and two texts; what is the same is decided as for the database (intake-batch.ts).
 * Never: reads a file.
 */
import { identityKey, knownOf, outcomeAgainst, type StoredIdentity } from "../signals/intake-batch.ts"
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
      const known = knownOf(row, (key) => held.get(key))
      return known === undefined ? undefined : outcomeAgainst(row, known)
    },
    add: (row) =>
      void held.set(ownKey(row), {
        signalId: row.id,
        bodyHash: row.bodyHash,
        answer: row.answer,
        tooOld: row.reason === TOO_OLD,
        bucketAtMs: row.bucketAtMs
      }),
    remove: (row) => void held.delete(ownKey(row)),
    clear: () => held.clear()
  }
}
