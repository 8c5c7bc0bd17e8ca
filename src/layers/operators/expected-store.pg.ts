/**
 * ExpectedStore on PostgreSQL.
 *
 * A due moment is judged in the statement that writes its row: what arrived, and whether posts were taken for all of its
 * time, are read in one snapshot. Overlapping stretches of several processes are one time (`range_agg`).
 *
 * Promises: those of the port; what nobody measures any more is removed when a stretch begins.
 * Never: reads a clock of this process.
 * Failure: `DatabaseUnavailable`; every write may be repeated.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { ExpectedStatus } from "../../domain/signals/expected-schedule.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { expectedLimits } from "../../domain/kernel/limits-kept.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { ExpectedStore, type ExpectedStoreService, type Judged } from "./expected-store.port.ts"

interface Row {
  readonly due: number
  readonly needed: number
  readonly received: number
  readonly status: ExpectedStatus
}

const judgedOf = (rows: ReadonlyArray<Row>): ReadonlyArray<Judged> =>
  rows
    .map(({ due, needed, received, status }) => ({ dueMs: due, needed, received, status }))
    .toSorted((a, b) => a.dueMs - b.dueMs)

const ms = (sql: SqlClient, column: string) => sql.literal(`(extract(epoch FROM ${column}) * 1000)::float8`)

const interval = (sql: SqlClient, millis: number) => sql`${millis}::float8 * interval '1 millisecond'`

const clock = (sql: SqlClient) =>
  Effect.map(sql<{ readonly now: number }>`SELECT ${ms(sql, "hf_clock()")} AS now`, ([row]) => row?.now ?? 0)

/** Signals of the window `w`, from its beginning to this end of it. */
const arrived = (sql: SqlClient, source: string, end: string) => sql`
  (SELECT count(*)::int FROM signals g WHERE g.source = ${source} AND g.kind = 'signal'
    AND g.received_at >= w.from_at AND g.received_at <= ${sql.literal(end)})`

const judgeIn =
  (database: DatabaseService): ExpectedStoreService["judge"] =>
  (source, needed, dues) => {
    if (dues.length === 0) return Effect.succeed([])
    const column = (of: (due: (typeof dues)[number]) => number) => dues.map((due) => isoOf(of(due)))
    return database.run("expected.judge", (sql) =>
      Effect.map(
        sql<Row>`
          INSERT INTO expected_signals (source, due_at, from_at, grace_at, until_at, needed, received, status)
          SELECT ${source}::text, w.due_at, w.from_at, w.grace_at, w.until_at, ${needed}::int, c.received,
            CASE WHEN c.received >= ${needed}::int THEN 'received' WHEN coalesce(p.observed, false) THEN 'missed'
              ELSE 'unobserved' END
          FROM unnest(${column((due) => due.dueMs)}::timestamptz[], ${column((due) => due.fromMs)}::timestamptz[],
              ${column((due) => due.graceMs)}::timestamptz[], ${column((due) => due.untilMs)}::timestamptz[])
              AS w (due_at, from_at, grace_at, until_at)
            CROSS JOIN LATERAL (SELECT ${arrived(sql, source, "w.grace_at")} AS received) AS c
            CROSS JOIN LATERAL (SELECT range_agg(tstzrange(i.since, i.until, '[]'))
                @> tstzrange(w.from_at, w.grace_at, '[]') AS observed
              FROM intake_presence i WHERE i.until >= w.from_at AND i.since <= w.grace_at) AS p
          ON CONFLICT DO NOTHING
          RETURNING ${ms(sql, "due_at")} AS due, needed, received, status`,
        judgedOf
      )
    )
  }

const recountIn =
  (database: DatabaseService): ExpectedStoreService["recount"] =>
  (source, withinMs) =>
    database.run("expected.recount", (sql) =>
      Effect.map(
        sql<Row>`
          WITH counted AS (
            SELECT w.due_at, ${arrived(sql, source, "w.until_at")} AS received FROM expected_signals w
            WHERE w.source = ${source} AND w.status IN ('missed', 'unobserved')
              AND w.until_at >= hf_now() - ${interval(sql, withinMs)})
          UPDATE expected_signals e SET received = c.received, status = 'late', judged_at = hf_clock()
          FROM counted c WHERE e.source = ${source} AND e.due_at = c.due_at AND e.status IN ('missed', 'unobserved')
            AND c.received >= e.needed
          RETURNING ${ms(sql, "e.due_at")} AS due, e.needed, e.received, e.status`,
        judgedOf
      )
    )

const outageIn =
  (database: DatabaseService): ExpectedStoreService["outage"] =>
  (source) =>
    database.run("expected.outage", (sql) =>
      Effect.map(
        // What was not observed neither begins nor ends it.
        sql<{ readonly missed: number; readonly first: number; readonly last: number }>`
          SELECT count(*)::int AS missed, ${ms(sql, "min(due_at)")} AS first, ${ms(sql, "max(due_at)")} AS last
          FROM expected_signals WHERE source = ${source} AND status = 'missed'
            AND due_at > coalesce((SELECT max(r.due_at) FROM expected_signals r
              WHERE r.source = ${source} AND r.status IN ('received', 'late')), '-infinity')`,
        ([row]) =>
          row === undefined || row.missed === 0
            ? null
            : { missed: row.missed, firstMs: row.first, lastMs: row.last }
      )
    )

const make = (database: DatabaseService): ExpectedStoreService => ({
  now: database.run("expected.now", clock),
  extend: ({ id }) =>
    database.run("expected.extend", (sql) =>
      Effect.map(
        sql<{ readonly now: number }>`
          UPDATE intake_presence SET until = hf_clock()
          WHERE id = ${id}::uuid AND until >= hf_clock() - ${interval(sql, expectedLimits.gapMsMax)}
          RETURNING ${ms(sql, "until")} AS now`,
        ([row]) => row?.now ?? null
      )
    ),
  begin: ({ id, life }) =>
    database.transact("expected.begin", (sql) =>
      Effect.gen(function* () {
        yield* sql`DELETE FROM intake_presence WHERE until < hf_now() - ${interval(sql, expectedLimits.observedMsMax)}`
        const [row] = yield* sql<{ readonly now: number }>`
          INSERT INTO intake_presence (id, life, since, until)
          SELECT ${id}::uuid, ${life}, c.at, c.at FROM (SELECT hf_clock() AS at) AS c RETURNING ${ms(sql, "until")} AS now`
        return row?.now ?? 0
      })
    ),
  lastDue: (source) =>
    database.run("expected.last", (sql) =>
      Effect.map(
        sql<{ readonly due: number | null }>`
          SELECT ${ms(sql, "max(due_at)")} AS due FROM expected_signals WHERE source = ${source}`,
        ([row]) => row?.due ?? null
      )
    ),
  judge: judgeIn(database),
  recount: recountIn(database),
  outage: outageIn(database),
  observed: database.run("expected.observed", (sql) =>
    Effect.map(
      sql<{ readonly since: number; readonly until: number }>`
        SELECT ${ms(sql, "since")} AS since, ${ms(sql, "until")} AS until FROM intake_presence
        ORDER BY intake_presence.until DESC LIMIT ${expectedLimits.observedRowsMax}`,
      (rows) => rows.map(({ since, until }) => ({ fromMs: since, toMs: until }))
    )
  ),
  receivedSince: (source, sinceMs, max) =>
    database.run("expected.received", (sql) =>
      Effect.map(
        sql<{ readonly count: number }>`
          SELECT count(*)::int AS count FROM (SELECT FROM signals WHERE source = ${source} AND kind = 'signal'
            AND received_at >= ${isoOf(Math.floor(sinceMs))}::timestamptz LIMIT ${max}) AS found`,
        ([row]) => row?.count ?? 0
      )
    ),
  refusedSince: (source, sinceMs) =>
    database.run("expected.refused", (sql) =>
      Effect.map(
        sql<{ readonly count: number }>`
          SELECT count(*)::int AS count FROM refused_posts WHERE source = ${source}
            AND received_at >= ${isoOf(Math.floor(sinceMs))}::timestamptz`,
        ([row]) => row?.count ?? 0
      )
    )
})

export const expectedStorePg: Layer.Layer<ExpectedStore, never, Database> = Layer.effect(
  ExpectedStore,
  Effect.map(Database, (database) => ExpectedStore.of(make(database)))
)
