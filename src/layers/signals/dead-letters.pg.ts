/**
 * DeadLetters on PostgreSQL.
 *
 * Promises: letters and their signals are locked before they are counted, so what was counted is what is replayed.
 * Never: touches a signal that is not dead.
 * Failure: `DatabaseUnavailable`; nothing was replayed, or all of it. A fault of a statement is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { Database } from "../database/database.port.ts"
import { DeadLetters, REPLAYS_MAX, type Replayed } from "./dead-letters.port.ts"

interface Letter {
  readonly id: string
  readonly signal: string
}

/** Lets the signals of locked letters be claimed again, as if they had never been. */
const revive = (sql: SqlClient, letters: ReadonlyArray<Letter>) =>
  Effect.gen(function* () {
    const signals = letters.map(({ signal }) => signal)
    yield* sql`
      UPDATE signals SET status = 'received', attempts = 0, reason = NULL, decided_at = NULL
      WHERE id = ANY (${signals}::uuid[]) AND status = 'dead'`
    yield* sql`
      UPDATE dead_letters SET replayed_at = hf_now() WHERE id = ANY (${letters.map(({ id }) => id)}::uuid[])`
    return { _tag: "Replayed", signals } satisfies Replayed
  })

const replayIn = (sql: SqlClient, letterId: string) =>
  Effect.gen(function* () {
    const [letter] = yield* sql<Letter & { readonly status: string | null }>`
      SELECT d.id, s.id AS signal, s.status FROM dead_letters d
        LEFT JOIN signals s ON s.id = CASE WHEN d.origin = 'pipeline' THEN d.reference::uuid END
      WHERE d.id = ${letterId}::uuid FOR UPDATE OF d`
    if (letter === undefined) return { _tag: "Missing" } satisfies Replayed
    if (letter.status !== "dead") return { _tag: "NotDead", status: letter.status } satisfies Replayed
    return yield* revive(sql, [letter])
  })

const replayAllIn = (
  sql: SqlClient,
  filter: { readonly origin: string | null; readonly reason: string | null },
  expected: number
) =>
  Effect.gen(function* () {
    const letters = yield* sql<Letter>`
      SELECT d.id, s.id AS signal FROM dead_letters d
        JOIN signals s ON s.id = CASE WHEN d.origin = 'pipeline' THEN d.reference::uuid END
      WHERE s.status = 'dead' AND d.origin = coalesce(${filter.origin}::text, d.origin)
        AND d.reason = coalesce(${filter.reason}::text, d.reason) AND d.replayed_at IS NULL
      ORDER BY d.seq LIMIT ${REPLAYS_MAX + 1} FOR UPDATE OF d, s`
    if (letters.length !== expected) return { _tag: "OtherCount", count: letters.length } satisfies Replayed
    return yield* revive(sql, letters)
  })

export const deadLettersPg: Layer.Layer<DeadLetters, never, Database> = Layer.effect(
  DeadLetters,
  Effect.map(Database, (database) =>
    DeadLetters.of({
      replay: (letterId) =>
        database
          .transact("dead_letters.replay", (sql) => replayIn(sql, letterId))
          .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
      replayAll: (filter, expected) =>
        database
          .transact("dead_letters.replay_all", (sql) => replayAllIn(sql, filter, expected))
          .pipe(Effect.catchTag("DatabaseFault", Effect.die))
    })
  )
)
