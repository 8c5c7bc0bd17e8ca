/**
 * FeedBuffer on PostgreSQL: rows of `signals` in the status `buffered`.
 *
 * A reconnect brings hundreds of signals of which almost all are stored, and a scheduler asks every two seconds, so the
 * usual signal is a duplicate: the statement looks by primary key first and inserts only what is missing. The unique
 * key decides between two processes that saw the same gap.
 *
 * Promises: those of the port; one statement per thousand signals, so memory and lock time are bounded; a row the database
 * refuses is found by halving and named, and the others are stored.
 * Never: changes a row that was stored, except from `buffered` onwards.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have stored a part; storing again counts it as duplicates.
 */
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { bodyHash } from "../../domain/kernel/canonical-json.ts"
import {
  faultsOf,
  unusableIdentity,
  unusableMark,
  type UnusableSignal,
  waveBody,
  waveBodyHash,
  waveIdentity,
  type WaveSignal,
  waveSignalId
} from "../../domain/feeds/feed-wire.ts"
import { signalId } from "../../domain/kernel/ids.ts"
import { feedLimits } from "../../domain/kernel/limits-feeds.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Config } from "../platform/config.port.ts"
import { Database, type DatabaseError, type DatabaseService } from "../database/database.port.ts"
import {
  type BufferedCounts,
  FeedBuffer,
  type FeedBufferService,
  type FeedSource,
  type WaveCounts
} from "./feed-buffer.port.ts"
import { type Experiment, experimentOf } from "../signals/intake-row.ts"
import type { IntakeAnswer } from "../signals/intake-store.port.ts"

interface BufferedRow {
  readonly key: string
  readonly identity: string
  readonly hash: string
  readonly signal: WaveSignal
}

/** The first of two in one frame leads, as the first of two frames does; a second of other content is a conflict. */
const rowsOf = (
  { feed, source }: FeedSource,
  signals: ReadonlyArray<WaveSignal>
): { readonly rows: ReadonlyArray<BufferedRow>; readonly conflicts: ReadonlyArray<string> } => {
  const rows = new Map<string, BufferedRow>()
  const conflicts: Array<string> = []
  for (const signal of signals) {
    const key = waveSignalId(source, feed, signal)
    const hash = waveBodyHash(signal)
    const first = rows.get(key)
    if (first === undefined) rows.set(key, { key, identity: waveIdentity(feed, signal), hash, signal })
    else if (first.hash !== hash) conflicts.push(signal.id)
  }
  return { rows: [...rows.values()], conflicts }
}

const answerOf = (feed: string, row: BufferedRow, { experimentId, variant }: Experiment): IntakeAnswer => ({
  status: "ACCEPTED",
  signal_id: row.key,
  experiment_id: experimentId,
  variant,
  request_id: `${feed}/${row.signal.id}`
})

/**
 * One statement of fixed text for any number of rows. Rows get their numbers in the order of arrival and are written in
 * the order of their keys, so two processes with the same batch do not wait for each other in a circle.
 */
const insert = (
  sql: SqlClient,
  { feed, source }: FeedSource,
  experimentFor: (row: BufferedRow) => Experiment,
  rows: ReadonlyArray<BufferedRow>
) => {
  const column = (f: (row: BufferedRow) => string): ReadonlyArray<string> => rows.map(f)
  const ids = column((row) => row.key)
  return sql<{ readonly id: string; readonly body_hash: string | null }>`
    WITH known AS MATERIALIZED (SELECT id, body_hash FROM signals WHERE id = ANY (${ids}::uuid[])),
    rows AS MATERIALIZED (SELECT *, nextval(pg_get_serial_sequence('signals', 'seq')) AS seq FROM unnest(
      ${ids}::uuid[], ${column((row) => row.identity)}::text[], ${column((row) => row.hash)}::text[],
      ${column((row) => JSON.stringify(waveBody(row.signal)))}::text[], ${column((row) => row.signal.symbol)}::text[],
      ${column((row) => row.signal.action)}::text[], ${column((row) => row.signal.price ?? "")}::text[],
      ${column((row) => new Date(row.signal.waveMs).toISOString())}::text[],
      ${column((row) => `${feed}/${row.signal.id}`)}::text[],
      ${column((row) => JSON.stringify(answerOf(feed, row, experimentFor(row))))}::text[])
      AS rows (id, identity, body_hash, body, symbol, action, price, wave, request_id, answer)
      WHERE NOT EXISTS (SELECT 1 FROM known WHERE known.id = rows.id)),
    stored AS (
      INSERT INTO signals (seq, id, kind, source, identity, identity_kind, body_hash, body, symbol, action, price,
        fired_at, request_id, experiment_id, variant, answer, status, feed, wave)
      OVERRIDING SYSTEM VALUE
      SELECT seq, id, 'signal', ${source}::text, identity, 'explicit', body_hash, body::jsonb, symbol, action,
        nullif(price, '')::numeric, wave::timestamptz, request_id, answer::jsonb ->> 'experiment_id',
        answer::jsonb ->> 'variant', answer::jsonb, 'buffered', ${feed}::text, wave::timestamptz
      FROM rows ORDER BY identity COLLATE "C"
      ON CONFLICT DO NOTHING
      RETURNING id)
    SELECT id, NULL AS body_hash FROM stored UNION ALL SELECT id, body_hash FROM known`
}

const nothing: BufferedCounts = { stored: 0, duplicates: 0, conflicts: [], refused: [] }

const sumOf = (all: ReadonlyArray<BufferedCounts>): BufferedCounts =>
  all.reduce(
    (sum, one) => ({
      stored: sum.stored + one.stored,
      duplicates: sum.duplicates + one.duplicates,
      conflicts: [...sum.conflicts, ...one.conflicts],
      refused: [...sum.refused, ...one.refused]
    }),
    nothing
  )

const makeStore = (database: DatabaseService, settings: Settings) => {
  const experimentFor =
    ({ source }: FeedSource) =>
    ({ key, signal }: BufferedRow): Experiment =>
      experimentOf(settings, source, { id: key, strategy: null, symbol: signal.symbol })
  const write = (
    from: FeedSource,
    rows: ReadonlyArray<BufferedRow>
  ): Effect.Effect<BufferedCounts, DatabaseError> =>
    database
      .run("feed.store", (sql) => insert(sql, from, experimentFor(from), rows), {
        deadlineMs: feedLimits.storeMsMax
      })
      .pipe(
        Effect.map((found) => {
          const known = new Map(found.map((row) => [row.id, row.body_hash]))
          const stored = found.filter((row) => row.body_hash === null).length
          const conflicts = rows
            .filter(({ hash, key }) => (known.get(key) ?? hash) !== hash)
            .map(({ signal }) => signal.id)
          return {
            stored,
            duplicates: rows.length - stored - conflicts.length,
            conflicts,
            refused: []
          }
        }),
        // A fault is about one row, and the others have to be stored.
        Effect.catchTag("DatabaseFault", (fault) => {
          const [first] = rows
          if (first === undefined) return Effect.fail(fault)
          if (rows.length === 1) return Effect.succeed({ ...nothing, refused: [first.signal.id] })
          const half = Math.ceil(rows.length / 2)
          return Effect.map(
            Effect.forEach([rows.slice(0, half), rows.slice(half)], (part) => write(from, part)),
            sumOf
          )
        })
      )
  return Effect.fnUntraced(function* (from: FeedSource, signals: ReadonlyArray<WaveSignal>) {
    const parts: Array<BufferedCounts> = []
    for (let at = 0; at < signals.length; at += feedLimits.storeRowsMax) {
      const part = signals.slice(at, at + feedLimits.storeRowsMax)
      const { conflicts, rows } = rowsOf(from, part)
      const counts = yield* write(from, rows)
      parts.push({
        ...counts,
        duplicates: counts.duplicates + part.length - rows.length - conflicts.length,
        conflicts: [...counts.conflicts, ...conflicts]
      })
    }
    return sumOf(parts)
  })
}

/** One statement; almost all of them are known, because a server repeats what it cannot write properly. */
const makeStoreUnusable =
  (database: DatabaseService): FeedBufferService["storeUnusable"] =>
  ({ feed, source }, unusable) => {
    const rows = new Map(unusable.map((signal) => [unusableIdentity(feed, signal), signal]))
    const identities = [...rows.keys()]
    const column = (f: (signal: UnusableSignal) => string): ReadonlyArray<string> => [...rows.values()].map(f)
    return database.run(
      "feed.store_unusable",
      (sql) =>
        Effect.asVoid(sql`
          INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, fired_at, request_id, answer,
            status, reason, decided_at, feed, wave)
          SELECT rows.id, 'signal', ${source}::text, identity, 'explicit', body_hash, body::jsonb, at.wave, request_id,
            '{"status":"UNUSABLE"}', 'dead', reason, hf_now(), ${feed}::text, at.wave
          FROM unnest(${identities.map((identity) => signalId(source, identity))}::uuid[], ${identities}::text[],
            ${column(({ shown }) => bodyHash(shown))}::text[], ${column(({ shown }) => JSON.stringify(shown))}::text[],
            ${column(({ waveMs }) => (waveMs === null ? "" : isoOf(waveMs)))}::text[],
            ${column(({ id }) => `${feed}/${id ?? "?"}`)}::text[],
            ${column((signal) => `${unusableMark}${faultsOf(signal)}`)}::text[])
            AS rows (id, identity, body_hash, body, wave, request_id, reason)
          CROSS JOIN LATERAL (SELECT coalesce(nullif(rows.wave, '')::timestamptz, (SELECT max(w.wave) FROM waves w
            WHERE w.feed = ${feed} AND w.status = 'processing')) AS wave) AS at
          WHERE at.wave IS NOT NULL AND NOT EXISTS (SELECT 1 FROM signals s WHERE s.id = rows.id)
          ORDER BY identity COLLATE "C" ON CONFLICT DO NOTHING`),
      { deadlineMs: feedLimits.storeMsMax }
    )
  }

/** The buffer over the `Database` of the service. */
export const FeedBufferPg: Layer.Layer<FeedBuffer, never, Config | Database> = Layer.effect(
  FeedBuffer,
  Effect.gen(function* () {
    const database = yield* Database
    const settings = yield* Config
    return FeedBuffer.of({
      store: makeStore(database, settings),
      storeUnusable: makeStoreUnusable(database),
      count: (feed, waveMs) =>
        database
          .run(
            "feed.count",
            (sql) => sql<WaveCounts>`
              SELECT count(*)::int AS total, (count(*) FILTER (WHERE status = 'buffered'))::int AS buffered
              FROM signals WHERE feed = ${feed} AND wave = ${isoOf(waveMs)}::timestamptz`
          )
          .pipe(Effect.map((rows) => rows[0] ?? { total: 0, buffered: 0 })),
      dispatch: (feed, waveMs, expiresFromMs) =>
        database
          .run(
            "feed.dispatch",
            (sql) => sql<{ readonly id: string }>`
              UPDATE signals SET status = 'received', expires_from = ${isoOf(expiresFromMs)}::timestamptz
              WHERE feed = ${feed} AND wave = ${isoOf(waveMs)}::timestamptz AND status = 'buffered' RETURNING id`
          )
          .pipe(Effect.map((rows) => rows.map(({ id }) => id))),
      reject: (feed, waveMs, reason) =>
        database
          .run(
            "feed.reject",
            (sql) => sql<{ readonly id: string }>`
              UPDATE signals SET status = 'rejected', reason = ${reason}, decided_at = hf_now()
              WHERE feed = ${feed} AND wave = ${isoOf(waveMs)}::timestamptz AND status = 'buffered' RETURNING id`
          )
          .pipe(Effect.map((rows) => rows.map(({ id }) => id)))
    })
  })
)
