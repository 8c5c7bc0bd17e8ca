/**
 * IntakeStore in memory: the twin that defines what the port means, for tests without a database.
 *
 * Promises: passes the same contract suite as the PostgreSQL adapter.
 * Never: used by the service; it forgets everything with the process.
 * Failure: `setAvailable(false)` makes every call fail as an unreachable database does.
 */
import { Effect } from "effect"
import { DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import {
  identityKey,
  knownOf,
  leadersOf,
  outcomesOf,
  type StoredIdentity
} from "../../src/layers/signals/intake-batch.ts"
import type { IntakeRow, IntakeStoreService } from "../../src/layers/signals/intake-store.port.ts"
import { invariant } from "../../src/domain/kernel/invariant.ts"

export interface MemoryIntakeStore extends IntakeStoreService {
  /** All stored rows, oldest first. */
  readonly rows: () => ReadonlyArray<IntakeRow>
  readonly setAvailable: (available: boolean) => void
}

/** A new, empty store. */
export const makeMemoryIntakeStore = (): MemoryIntakeStore => {
  const stored: Array<IntakeRow> = []
  const byKey = new Map<string, StoredIdentity>()
  let available = true
  return {
    rows: () => stored,
    setAvailable: (value) => {
      available = value
    },
    available: () => available,
    store: (rows) =>
      Effect.suspend(() => {
        if (!available) {
          return Effect.fail(
            new DatabaseUnavailable({
              operation: "intake.store",
              reason: "connection",
              outcome: "not_applied",
              cause: "switched off"
            })
          )
        }
        const existing = new Map<string, StoredIdentity>()
        for (const { identity, neighbourIdentities, source } of rows)
          for (const key of [identity, ...neighbourIdentities].map((one) => identityKey(source, one))) {
            const known = byKey.get(key)
            if (known !== undefined) existing.set(key, known)
          }
        const inserted = new Set<string>()
        const isNew = (row: IntakeRow) => knownOf(row, (key) => existing.get(key)) === undefined
        for (const row of leadersOf(rows.filter(isNew))) {
          const key = identityKey(row.source, row.identity)
          inserted.add(key)
          stored.push(row)
          byKey.set(key, {
            signalId: row.id,
            bodyHash: row.bodyHash,
            answer: row.answer,
            tooOld: row.reason === "too_old",
            bucketAtMs: row.bucketAtMs
          })
        }
        return Effect.succeed(
          outcomesOf(rows, inserted, existing).map((outcome) => {
            invariant(outcome !== undefined, "every row of a batch is new or known")
            return outcome
          })
        )
      })
  }
}
