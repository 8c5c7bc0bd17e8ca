/**
 * One batch of posts into the store, whatever becomes of it: the intake's own and the spool's are stored by this.
 *
 * Promises: a result for each row, in their order; contention is retried once; a batch that the database refuses is stored row by
 * row, so that only the row it refuses is `Broken`.
 * Never: fails.
 */
import { Cause, Effect } from "effect"
import { type DatabaseFault, DatabaseUnavailable } from "../database/database.port.ts"
import type { IntakeRow, IntakeStoreService } from "../signals/intake-store.port.ts"
import type { PostResult } from "./intake-queue.port.ts"

type BatchResult = ReadonlyArray<PostResult>

const resultOfFailure = (cause: Cause.Cause<DatabaseUnavailable | DatabaseFault>): PostResult => {
  const error = Cause.squash(cause)
  return error instanceof DatabaseUnavailable ? { _tag: "Unavailable" } : { _tag: "Broken", cause: error }
}

/** Stores a batch. Contention is retried once; a batch the database refuses is stored row by row to find the culprit. */
export const storeBatch = (
  store: IntakeStoreService,
  rows: ReadonlyArray<IntakeRow>
): Effect.Effect<BatchResult> =>
  store.store(rows).pipe(
    Effect.retry({
      times: 1,
      while: (error) => error._tag === "DatabaseUnavailable" && error.reason === "contention"
    }),
    Effect.catchCause((cause): Effect.Effect<BatchResult> => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const result = resultOfFailure(cause)
      if (result._tag === "Unavailable" || rows.length === 1) return Effect.succeed(rows.map(() => result))
      return Effect.forEach(rows, (row) =>
        Effect.map(storeBatch(store, [row]), (results): PostResult => results[0] ?? result)
      )
    })
  )
