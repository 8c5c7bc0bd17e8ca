/**
 * Breaker store on PostgreSQL.
 *
 * Every change compares the version of the row, so processes that see the same window make one change of it and one audit row.
 *
 * Promises: those of the port; counts older than the longest window are removed with the next ones that are added.
 * Never: compares the clock of a process with the database's.
 * Failure: `DatabaseUnavailable`. After a lost response a change may have been made: the next look shows it.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { breakerLimits } from "../../domain/kernel/breaker-limits.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { type Breaker, type BreakerChange, type BreakerCounts, isNews } from "../../domain/orders/breaker.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import {
  type BreakerReading,
  BreakerStore,
  type BreakerStoreService,
  type CountedCalls,
  type Watched
} from "./breaker-store.port.ts"

const ms = (sql: SqlClient, column: string) =>
  sql`(extract(epoch FROM ${sql.literal(column)}) * 1000)::float8`

const columnsOf = (sql: SqlClient) => sql`
  b.id, b.state, b.manual, b.reason, b.changed_by AS "changedBy", ${ms(sql, "b.changed_at")} AS "changedAtMs",
  ${ms(sql, "b.opened_at")} AS "openedAtMs", b.openings, ${ms(sql, "b.cooldown_until")} AS "cooldownUntilMs", b.probes,
  b.numbers, b.version`

/** The columns of a row that is new: closed, and its window begins now. */
const create = (sql: SqlClient, ids: ReadonlyArray<string>) => sql`
  INSERT INTO circuit_breakers (id, state, changed_by, changed_at)
  SELECT id, 'CLOSED', 'system', hf_clock() FROM unnest(${[...ids]}::text[]) AS names (id) ORDER BY id
  ON CONFLICT DO NOTHING`

const add = (sql: SqlClient, counted: ReadonlyArray<CountedCalls>) =>
  Effect.gen(function* () {
    const rows = counted.map(({ ageMs, ...count }) => ({ ...count, age_ms: ageMs }))
    yield* sql`
      INSERT INTO breaker_calls (id, breaker, kind, calls, failures, at)
      SELECT id, breaker, kind, calls, failures, hf_clock() - age_ms * interval '1 millisecond'
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        AS c (id uuid, breaker text, kind text, calls int, failures int, age_ms float8)
      ON CONFLICT DO NOTHING`
    yield* sql`DELETE FROM breaker_calls
      WHERE at < hf_clock() - ${breakerLimits.windowMsMax}::float8 * interval '1 millisecond'`
  })

interface Row extends Breaker, BreakerCounts {
  readonly now_ms: number
}

/** What counts is what came after the last change: failures from before it was closed must not open it again. */
const select = (sql: SqlClient, watched: ReadonlyArray<Watched>) => sql<Row>`
  SELECT ${columnsOf(sql)}, c.*, ${ms(sql, "hf_clock()")} AS now_ms
  FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(watched)}::text::jsonb) AS (id text, "windowMs" float8))
    WITH ORDINALITY AS w (id, "windowMs", place)
  JOIN circuit_breakers b ON b.id = w.id
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(calls) FILTER (WHERE kind = 'orders'), 0)::int AS orders,
      coalesce(sum(failures) FILTER (WHERE kind = 'orders'), 0)::int AS "orderFailures",
      coalesce(sum(calls) FILTER (WHERE kind = 'reads'), 0)::int AS reads,
      coalesce(sum(failures) FILTER (WHERE kind = 'reads'), 0)::int AS "readFailures"
    FROM breaker_calls k
    WHERE k.breaker = b.id AND k.at > hf_clock() - w."windowMs" * interval '1 millisecond'
      AND (b.state = 'OPEN' OR k.at > b.changed_at)) c
  ORDER BY w.place`

const breakerOf = (row: Breaker): Breaker => ({
  id: row.id,
  state: row.state,
  manual: row.manual,
  reason: row.reason,
  changedBy: row.changedBy,
  changedAtMs: row.changedAtMs,
  openedAtMs: row.openedAtMs,
  openings: row.openings,
  cooldownUntilMs: row.cooldownUntilMs,
  probes: row.probes,
  numbers: row.numbers,
  version: row.version
})

const look =
  (database: DatabaseService): BreakerStoreService["look"] =>
  (watched, counted) =>
    database
      .transact(
        "breakers.look",
        (sql) =>
          Effect.gen(function* () {
            if (counted.length > 0) yield* add(sql, counted)
            const found = yield* select(sql, watched)
            if (found.length === watched.length) return found
            yield* create(
              sql,
              watched.map(({ id }) => id)
            )
            return yield* select(sql, watched)
          }),
        { retry: "idempotent" }
      )
      .pipe(
        Effect.map((rows): BreakerReading => ({
          nowMs: rows[0]?.now_ms ?? 0,
          breakers: rows.map((row) => ({
            breaker: breakerOf(row),
            counts: {
              orders: row.orders,
              orderFailures: row.orderFailures,
              reads: row.reads,
              readFailures: row.readFailures
            }
          }))
        })),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const JOURNAL_PATH = { rule: "root/trading/breakers", operator: "root/http" } as const

/** The guarded statement. What a rule does is in the audit beside what operators do (T14), in the commit of the change. */
const write = (
  sql: SqlClient,
  { id, version }: Pick<Breaker, "id" | "version">,
  change: BreakerChange,
  by: keyof typeof JOURNAL_PATH
) => {
  const { event, from, next } = change
  const { changedBy, numbers, reason, state } = next
  const detail = JSON.stringify({ id, event, from, state, reason, changedBy, numbers })
  const given = JSON.stringify({ from, state, numbers })
  const news = isNews(change)
  return sql<Breaker>`
    WITH b AS (
      UPDATE circuit_breakers SET state = ${state}, manual = ${next.manual}, reason = ${reason}, changed_by = ${changedBy},
        openings = ${next.openings}, opened_at = ${next.openedAtMs === null ? null : isoOf(next.openedAtMs)}::timestamptz,
        cooldown_until = ${next.cooldownUntilMs === null ? null : isoOf(next.cooldownUntilMs)}::timestamptz,
        probes = ${next.probes}, numbers = ${JSON.stringify(numbers)}::text::jsonb, version = version + 1,
        probe_at = CASE WHEN ${news}::boolean THEN NULL ELSE probe_at END,
        changed_at = CASE WHEN ${news}::boolean THEN hf_clock() ELSE changed_at END
      WHERE id = ${id} AND version = ${version} AND state = ${from}
      RETURNING *
    ), journal AS (
      INSERT INTO actor_events (at, path, event, detail)
      SELECT hf_now(), ${JOURNAL_PATH[by]}, 'breaker.changed', ${detail}::text::jsonb FROM b WHERE ${news}::boolean
    ), audited AS (
      INSERT INTO audit (id, command, scope, arguments, reason, by, means, request_id, fingerprint, command_id, life,
        result, begun_at, completed_at)
      SELECT made.id, ${state === "OPEN" ? "breaker.open" : "breaker.close"}, 'breaker:' || b.id, ${given}::text::jsonb, ${reason},
        ${changedBy}, 'rule', ${changedBy}, '', made.id, 'rule', 'accepted', hf_now(), hf_now()
      FROM b, LATERAL (SELECT md5(b.id || b.version::text || hf_clock()::text)::uuid AS id) made
      WHERE ${news && by === "rule"}::boolean)
    SELECT ${columnsOf(sql)} FROM b`
}

const move =
  (database: DatabaseService): BreakerStoreService["move"] =>
  (breaker, change) =>
    database
      .run("breakers.move", (sql) => write(sql, breaker, change, "rule"))
      .pipe(
        Effect.map(([row]) => (row === undefined ? null : breakerOf(row))),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const claimProbe =
  (database: DatabaseService): BreakerStoreService["claimProbe"] =>
  ({ id, version }, everyMs) =>
    database
      .run(
        "breakers.claim_probe",
        (sql) => sql<{ readonly now_ms: number }>`
          UPDATE circuit_breakers SET probe_at = hf_clock() + ${everyMs}::float8 * interval '1 millisecond'
          WHERE id = ${id} AND version = ${version} AND state = 'HALF_OPEN' AND coalesce(probe_at <= hf_clock(), true)
          RETURNING ${ms(sql, "hf_clock()")} AS now_ms`
      )
      .pipe(
        Effect.map(([row]) => row?.now_ms ?? null),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const operate =
  (database: DatabaseService): BreakerStoreService["operate"] =>
  (id, change) =>
    database.transact(
      "breakers.operate",
      (sql) =>
        Effect.gen(function* () {
          yield* create(sql, [id])
          const [row] = yield* sql<Breaker & { readonly now_ms: number }>`
            SELECT ${columnsOf(sql)}, ${ms(sql, "hf_clock()")} AS now_ms FROM circuit_breakers b WHERE b.id = ${id} FOR UPDATE`
          invariant(row !== undefined, "a breaker that was created exists", { id })
          const next = change(breakerOf(row), row.now_ms)
          if (next === null) return breakerOf(row)
          const [moved] = yield* write(sql, row, next, "operator")
          invariant(moved !== undefined, "a row that is locked keeps its version", { id })
          return breakerOf(moved)
        }),
      { deadlineMs: readLimits.queryMs }
    )

export const breakerStorePg: Layer.Layer<BreakerStore, never, Database> = Layer.effect(
  BreakerStore,
  Effect.map(Database, (database) =>
    BreakerStore.of({
      look: look(database),
      move: move(database),
      claimProbe: claimProbe(database),
      operate: operate(database)
    })
  )
)
