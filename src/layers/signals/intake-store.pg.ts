/**
 * IntakeStore on PostgreSQL: one multi-row INSERT per batch.
 *
 * The unique key (source, identity) decides who is first, in one statement and without a lock of ours, because two
 * processes may receive the same alert. The conflict names no key: the id follows from that pair, so two that race may meet
 * at the primary key as well, and a named key would make that an error of the server. Only payloads without an identity and without a time need more: they are equal
 * when they arrive less than a time bucket apart, which no unique key can express, so they take an advisory lock on
 * their hash for the length of the transaction (T3).
 *
 * Promises: those of the port; the usual batch is one statement of fixed text.
 * Never: updates a row, or compares bodies in SQL. A row that the database refuses fails its whole batch; the queue then
 * stores the rows one by one.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have stored the batch; the re-send is then a duplicate.
 */
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { invariant } from "../../domain/kernel/invariant.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { postLimits } from "../platform/http-limits.ts"
import { bucketedAtMs } from "../../domain/signals/identity.ts"
import { identityKey, knownOf, leadersOf, outcomesOf, type StoredIdentity } from "./intake-batch.ts"
import { TOO_OLD } from "./intake-row.ts"
import { type IntakeAnswer, type IntakeOutcome, type IntakeRow, IntakeStore } from "./intake-store.port.ts"

interface InsertedRow {
  readonly source: string
  readonly identity: string
}
interface ExistingRow extends InsertedRow {
  readonly id: string
  readonly body_hash: string
  readonly answer: IntakeAnswer
  readonly too_old: boolean
  readonly received_ms: number
}

/** When the rows were received, where that is not now: the posts of an outage. An ordinary batch does not pay for it. */
const receipts = (sql: SqlClient, rows: ReadonlyArray<IntakeRow>) => {
  const isLate = rows.some(({ receivedAtMs }) => receivedAtMs !== undefined)
  const column = rows.map(({ receivedAtMs }) => isoOf(receivedAtMs ?? null) ?? "")
  return isLate
    ? {
        given: sql`, ${column}::text[]`,
        name: sql`, received_at`,
        value: sql`, coalesce(nullif(received_at, '')::timestamptz, hf_now())`
      }
    : { given: sql``, name: sql``, value: sql`` }
}

/**
 * Arrays by column: one statement of fixed text for any number of rows, so it stays a prepared one. Null is sent as the
 * empty text, which no column of these can hold, because the client refuses an array of nulls only.
 *
 * Rows get their numbers in the order of arrival and are written in the order of their keys: two processes that hold
 * equal rows in different orders would otherwise wait for each other until the server ends one of them, a second later.
 */
const insert = (sql: SqlClient, rows: ReadonlyArray<IntakeRow>) => {
  const column = (f: (row: IntakeRow) => string | null): ReadonlyArray<string> =>
    rows.map((row) => f(row) ?? "")
  const { given, name, value } = receipts(sql, rows)
  return sql<InsertedRow>`
    WITH rows AS MATERIALIZED (SELECT *, nextval(pg_get_serial_sequence('signals', 'seq')) AS seq FROM unnest(
      ${column((row) => row.id)}::text[], ${column((row) => row.kind)}::text[], ${column((row) => row.source)}::text[],
      ${column((row) => row.identity)}::text[], ${column((row) => row.identityKind)}::text[],
      ${column((row) => row.bodyHash)}::text[], ${column((row) => row.body)}::text[],
      ${column((row) => row.symbol)}::text[], ${column((row) => row.action)}::text[],
      ${column((row) => row.direction)}::text[], ${column((row) => row.timeframe)}::text[],
      ${column((row) => isoOf(row.firedAtMs))}::text[], ${column((row) => isoOf(row.expiresFromMs))}::text[],
      ${column((row) => row.quantity)}::text[], ${column((row) => row.price)}::text[],
      ${column((row) => row.strategy)}::text[], ${column((row) => row.strike)}::text[],
      ${column((row) => row.expiration)}::text[], ${column((row) => row.requestId)}::text[],
      ${column((row) => row.experimentId)}::text[], ${column((row) => row.variant)}::text[],
      ${column((row) => JSON.stringify(row.answer))}::text[], ${column((row) => row.status)}::text[],
      ${column((row) => row.reason)}::text[], ${column((row) => row.intent)}::text[],
      ${column((row) => row.positionSize)}::text[], ${column((row) => row.marketPosition)}::text[],
      ${column((row) => row.prevMarketPosition)}::text[], ${column((row) => row.marketPositionSize)}::text[],
      ${column((row) => row.mapped)}::text[], ${column((row) => row.orderType)}::text[],
      ${column((row) => row.limitPrice)}::text[], ${column((row) => row.stopPrice)}::text[],
      ${column((row) => row.timeInForce)}::text[]${given})
      AS rows (id, kind, source, identity, identity_kind, body_hash, body, symbol, action, direction, timeframe,
        fired_at, expires_from, quantity, price, strategy, strike, expiration, request_id, experiment_id, variant,
        answer, status, reason, intent, position_size, market_position, prev_market_position, market_position_size, mapped,
        order_type, limit_price, stop_price, time_in_force${name}))
    INSERT INTO signals (seq, id, kind, source, identity, identity_kind, body_hash, body, symbol, action, direction,
      timeframe, fired_at, expires_from, quantity, price, strategy, strike, expiration, request_id, experiment_id,
      variant, answer, status, reason, decided_at, intent, position_size, market_position, prev_market_position,
      market_position_size, mapped, order_type, limit_price, stop_price, time_in_force${name})
    OVERRIDING SYSTEM VALUE
    SELECT seq, id::uuid, kind, source, identity, identity_kind, body_hash, body::jsonb, nullif(symbol, ''),
      nullif(action, ''), nullif(direction, ''), nullif(timeframe, ''), nullif(fired_at, '')::timestamptz,
      nullif(expires_from, '')::timestamptz, nullif(quantity, '')::numeric, nullif(price, '')::numeric,
      nullif(strategy, ''), nullif(strike, '')::numeric, nullif(expiration, '')::date, request_id,
      nullif(experiment_id, ''), nullif(variant, ''), answer::jsonb, status, nullif(reason, ''),
      CASE WHEN status = 'rejected' THEN hf_now() END, nullif(intent, ''), nullif(position_size, '')::numeric,
      nullif(market_position, ''), nullif(prev_market_position, ''), nullif(market_position_size, '')::numeric,
      nullif(mapped, '')::jsonb, nullif(order_type, ''), nullif(limit_price, '')::numeric,
      nullif(stop_price, '')::numeric, nullif(time_in_force, '')${value}
    FROM rows ORDER BY source COLLATE "C", identity COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING source, identity`
}

/** The stored rows under any of these keys. Runs after the INSERT, in a snapshot of its own, so it sees who was first. */
const find = (sql: SqlClient, rows: ReadonlyArray<IntakeRow>) => {
  const pairs = rows.flatMap((row) =>
    [row.identity, ...row.neighbourIdentities].map((identity) => [row.source, identity])
  )
  return sql<ExistingRow>`
    SELECT s.id, s.source, s.identity, s.body_hash, s.answer, (extract(epoch FROM s.received_at) * 1000)::float8 AS received_ms,
      s.status = 'rejected' AND s.reason IS NOT DISTINCT FROM ${TOO_OLD}::text AS too_old
    FROM unnest(${pairs.map(([source]) => source)}::text[], ${pairs.map(([, identity]) => identity)}::text[]) AS wanted (source, identity)
    JOIN signals s ON s.source = wanted.source AND s.identity = wanted.identity`
}

/** One lock per payload hash, in one order for everybody, so that two batches cannot wait for each other. */
const lockBuckets = (sql: SqlClient, rows: ReadonlyArray<IntakeRow>) => {
  const keys = [...new Set(rows.map((row) => identityKey(row.source, row.bodyHash)))].toSorted()
  return sql`SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(${keys}::text[]) AS keys (key)`
}

const stored = (found: ReadonlyArray<ExistingRow>): ReadonlyMap<string, StoredIdentity> =>
  new Map(
    found.map((row) => [
      identityKey(row.source, row.identity),
      {
        signalId: row.id,
        bodyHash: row.body_hash,
        answer: row.answer,
        tooOld: row.too_old,
        bucketAtMs: bucketedAtMs(row.identity, row.received_ms)
      }
    ])
  )

/** Insert first, look afterwards only for what was not inserted: the usual batch is one statement. */
const storeKeyed = Effect.fnUntraced(function* (sql: SqlClient, rows: ReadonlyArray<IntakeRow>) {
  const leaders = leadersOf(rows)
  const inserted = new Set((yield* insert(sql, leaders)).map((row) => identityKey(row.source, row.identity)))
  const missing = leaders.filter((row) => !inserted.has(identityKey(row.source, row.identity)))
  const existing =
    missing.length === 0 ? new Map<string, StoredIdentity>() : stored(yield* find(sql, missing))
  return { inserted, existing }
})

/** Look first under the locks, because the adjacent bucket may hold the row under another key. */
const storeWithBuckets = Effect.fnUntraced(function* (sql: SqlClient, rows: ReadonlyArray<IntakeRow>) {
  const buckets = rows.filter((row) => row.identityKind === "bucket")
  yield* lockBuckets(sql, buckets)
  const before = stored(yield* find(sql, buckets))
  const rest = rows.filter((row) => knownOf(row, (key) => before.get(key)) === undefined)
  if (rest.length === 0) return { inserted: new Set<string>(), existing: before }
  const { inserted, existing } = yield* storeKeyed(sql, rest)
  return { inserted, existing: new Map([...before, ...existing]) }
})

const makeStore = (database: DatabaseService) => (rows: ReadonlyArray<IntakeRow>) =>
  Effect.gen(function* () {
    if (rows.length === 0) return []
    const options = { deadlineMs: postLimits.storeMs }
    const bucketed = rows.some((row) => row.identityKind === "bucket")
    const { inserted, existing } = yield* bucketed
      ? database.transact("intake.store", (sql) => storeWithBuckets(sql, rows), options)
      : database.run("intake.store", (sql) => storeKeyed(sql, rows), options)
    return outcomesOf(rows, inserted, existing).map((outcome): IntakeOutcome => {
      invariant(outcome !== undefined, "a row that was not inserted is found", { rows: rows.length })
      return outcome
    })
  })

export const IntakeStorePg: Layer.Layer<IntakeStore, never, Database> = Layer.effect(
  IntakeStore,
  Effect.gen(function* () {
    const database = yield* Database
    return IntakeStore.of({
      store: makeStore(database),
      available: () => database.availability.current() === "available"
    })
  })
)
