/**
 * JournalStore on PostgreSQL: one INSERT of fixed text per batch, and pages by number.
 *
 * An insert waits for no disk: an entry that a crash of the server takes back was in memory a moment ago, and a journal that
 * shared the flushes of orders would slow them.
 *
 * Promises: as the port; a page is one statement over the index of numbers.
 * Never: updates a row.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have stored the batch; storing it again is harmless. A row that
 * PostgreSQL refuses is a `DatabaseFault`.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { invariant } from "../../domain/kernel/invariant.ts"
import { journalLimits } from "../../domain/kernel/limits-kept.ts"
import type { JournalEntry, JournalType } from "../../domain/platform/journal.ts"
import { Database, DatabaseFault, type DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { Instance, type InstanceService } from "../platform/instance.port.ts"
import { type EntryPage, JournalStore, type StoredEntry } from "./journal-store.port.ts"

const rowOf = ({ actions, context, detail, guard, ...entry }: JournalEntry) => ({
  number: entry.seq,
  type: entry.type,
  at_ms: entry.at,
  path: entry.path,
  incarnation: entry.incarnation,
  event: entry.event,
  from_state: entry.from,
  to_state: entry.to,
  since_ms: entry.since,
  cause: entry.cause,
  correlation_id: entry.correlationId,
  detail: {
    ...(guard === null ? {} : { guard }),
    ...(actions === null ? {} : { actions }),
    ...(context === null ? {} : { context }),
    ...(detail === null ? {} : { detail })
  }
})

interface Row {
  readonly boot: string
  readonly number: bigint
  readonly type: JournalType
  readonly at_ms: number
  readonly path: string
  readonly incarnation: number | null
  readonly event: string
  readonly from_state: string | null
  readonly to_state: string | null
  readonly since_ms: number | null
  readonly cause: string | null
  readonly correlation_id: string | null
  readonly detail: Partial<Pick<JournalEntry, "actions" | "context" | "detail" | "guard">>
}

const entryOf = (row: Row): StoredEntry => ({
  boot: row.boot,
  seq: Number(row.number),
  type: row.type,
  at: row.at_ms,
  path: row.path,
  incarnation: row.incarnation,
  event: row.event,
  from: row.from_state,
  to: row.to_state,
  since: row.since_ms,
  cause: row.cause,
  correlationId: row.correlation_id,
  guard: row.detail.guard ?? null,
  actions: row.detail.actions ?? null,
  context: row.detail.context ?? null,
  detail: row.detail.detail ?? null
})

const bigint = (sql: SqlClient, value: number): Fragment => sql`${String(value)}::text::bigint`

/** Text that LIKE takes literally. */
const escaped = (path: string): string => path.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)

const select = (
  sql: SqlClient,
  node: string,
  { after, alone, before, limit, lookedAtMax, path, sinceMs, types }: EntryPage
) => {
  const range: Array<Fragment> = [sql`node = ${node}`, sql`number IS NOT NULL`]
  if (after !== null) range.push(sql`number > ${bigint(sql, after)}`)
  if (before !== null) range.push(sql`number < ${bigint(sql, before)}`)
  const conditions = [...range]
  if (sinceMs !== null) conditions.push(sql`at >= to_timestamp(${sinceMs}::float8 / 1000)`)
  // A machine inside a machine is below its component too.
  if (path !== null)
    conditions.push(
      sql`(path = ${path} OR (${alone !== true}::boolean AND path LIKE ${`${escaped(path)}/%`}) OR path LIKE ${`${escaped(path)}#%`})`
    )
  // A word of ours, written out: the planner takes the index of the restarts only where it sees the word.
  const [only, ...others] = types ?? []
  if (only !== undefined && others.length === 0) conditions.push(sql.literal(`type = '${only}'`))
  else if (types !== null) conditions.push(sql`type = ANY (${[...types]}::text[])`)
  const from =
    lookedAtMax === undefined
      ? sql.literal("actor_events")
      : sql`(SELECT * FROM actor_events WHERE ${sql.and(range)} ORDER BY number DESC LIMIT ${lookedAtMax}::int) AS newest`
  const order = sql.literal(after === null && sinceMs === null ? "DESC" : "ASC")
  return sql<Row>`
    SELECT boot, number, type, (extract(epoch FROM at) * 1000)::float8 AS at_ms, path, incarnation, event, from_state,
      to_state, (extract(epoch FROM state_since) * 1000)::float8 AS since_ms, cause, correlation_id, detail
    FROM ${from} WHERE ${sql.and(conditions)} ORDER BY number ${order}, boot LIMIT ${limit}::int`
}

const nodeOf = (instance: InstanceService): string => {
  const identity = instance.current()
  invariant(identity !== null, "DATA_DIR is held before there is a database")
  return identity.nodeId
}

/** The rows as one text. What JSON cannot write is refused here as PostgreSQL refuses a row. */
const rowsOf = (entries: ReadonlyArray<JournalEntry>): Effect.Effect<string, DatabaseFault> =>
  Effect.try({
    try: () => JSON.stringify(entries.map(rowOf)),
    catch: (cause) =>
      new DatabaseFault({
        operation: "journal.store",
        cause,
        sqlState: undefined,
        uniqueViolation: undefined
      })
  })

const insert = (database: DatabaseService, node: string, boot: string, rows: string) =>
  database
    .run(
      "journal.store",
      (sql) => sql`
        WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS mode)
        INSERT INTO actor_events (node, boot, number, type, at, path, incarnation, event, from_state, to_state,
          state_since, cause, correlation_id, detail)
        SELECT ${node}, ${boot}::uuid, r.number, r.type, to_timestamp(r.at_ms / 1000), r.path, r.incarnation, r.event,
          r.from_state, r.to_state, to_timestamp(r.since_ms / 1000), r.cause, r.correlation_id, r.detail
        FROM quick CROSS JOIN jsonb_to_recordset(${rows}::text::jsonb)
          AS r (number bigint, type text, at_ms float8, path text, incarnation int, event text, from_state text,
            to_state text, since_ms float8, cause text, correlation_id text, detail jsonb)
        ORDER BY r.number
        ON CONFLICT DO NOTHING`,
      { deadlineMs: journalLimits.storeMsMax }
    )
    .pipe(Effect.asVoid)

export const journalStorePg: Layer.Layer<JournalStore, never, Database | Instance> = Layer.effect(
  JournalStore,
  Effect.gen(function* () {
    const database = yield* Database
    const instance = yield* Instance
    return JournalStore.of({
      store: (boot, entries) =>
        Effect.flatMap(rowsOf(entries), (rows) => insert(database, nodeOf(instance), boot, rows)),
      read: (page) =>
        Effect.map(
          database.run("journal.read", (sql) => select(sql, nodeOf(instance), page), {
            deadlineMs: readLimits.queryMs
          }),
          (rows) => rows.map(entryOf)
        ),
      lastAt: (ms) =>
        Effect.map(
          database.run(
            "journal.last_at",
            // By the index of instants; entries of one millisecond by their numbers.
            (sql) => sql<{ readonly number: bigint }>`
              SELECT number FROM actor_events WHERE node = ${nodeOf(instance)} AND number IS NOT NULL
                AND at <= to_timestamp(${ms}::float8 / 1000)
              ORDER BY at DESC, number DESC LIMIT 1`,
            { deadlineMs: readLimits.queryMs }
          ),
          ([row]) => (row === undefined ? null : Number(row.number))
        ),
      oldest: Effect.map(
        database.run(
          "journal.oldest",
          (sql) => sql<{ readonly number: bigint }>`
            SELECT number FROM actor_events WHERE node = ${nodeOf(instance)} AND number IS NOT NULL
            ORDER BY number LIMIT 1`,
          { deadlineMs: readLimits.queryMs }
        ),
        ([row]) => (row === undefined ? null : Number(row.number))
      )
    })
  })
)
