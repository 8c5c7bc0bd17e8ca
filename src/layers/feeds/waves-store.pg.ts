/**
 * WavesStore on PostgreSQL.
 *
 * Every write of an owner is guarded by (owner, epoch, `processing`) in its own statement, so an owner that was frozen
 * and taken over changes nothing. Outcomes are not events that could be lost: they are counted from the signals, their
 * decisions and orders, on every read.
 *
 * Promises: those of the port; the ledger is brought up to date in one transaction, of which two at once do no harm.
 * Never: keeps anything in memory, or judges a lease by our clock.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have taken or ended the wave; taking it again as the same
 * owner gives the next epoch, and what has ended stays as it is.
 */
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { unusableMark } from "../../domain/feeds/feed-wire.ts"
import { waveLimits } from "../../domain/kernel/limits-feeds.ts"
import { nextDueAtMs, searchedAt, wavesBetween } from "../../domain/kernel/wave-clock.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { lifeOver } from "../accounts/node-life.pg.ts"
import {
  type Accounted,
  type AccountRequest,
  type ClosedWave,
  type Take,
  type WaveLease,
  WavesStore,
  type WavesStoreService,
  type WaveTally
} from "./waves-store.port.ts"

const times = (waves: ReadonlyArray<number>): ReadonlyArray<string> => waves.map(isoOf)

const noSignals: WaveTally = { found: 0, pending: 0, successful: 0, failed: 0, skipped: 0 }

/**
 * The outcome of one signal `s`. An order that the venue accepted counts as success whatever it filled; one that was
 * refused, never sent or left to a human is a failure even when another account's order of the signal went well.
 */
const outcome = `CASE
  WHEN s.status IN ('buffered', 'received', 'processing') THEN 'pending'
  WHEN s.status = 'dead' THEN 'failed'
  WHEN s.status = 'rejected' THEN 'skipped'
  ELSE (SELECT CASE
    WHEN count(*) FILTER (WHERE o.status IN ('rejected', 'expired_unsent', 'needs_operator')) > 0 THEN 'failed'
    WHEN count(*) FILTER (WHERE o.status IN ('intended', 'submitting', 'unknown', 'resolving')) > 0 THEN 'pending'
    WHEN count(*) FILTER (WHERE o.status IN ('acked', 'partially_filled', 'pending_cancel', 'filled', 'cancelled',
      'expired')) > 0 THEN 'successful'
    ELSE 'skipped' END FROM orders o WHERE o.signal_id = s.id) END`

/**
 * Counts of the signals of these waves, one row per wave that has any. A fragment for a CTE. `unusable` ones are among the
 * failed: they failed on arrival, so they are no sign that their wave was processed.
 */
const tallies = (sql: SqlClient, feed: string, waves: ReadonlyArray<number>) => sql`
  SELECT wave, count(*)::int AS found, (count(*) FILTER (WHERE outcome = 'pending'))::int AS pending,
    (count(*) FILTER (WHERE outcome = 'successful'))::int AS successful,
    (count(*) FILTER (WHERE outcome = 'failed'))::int AS failed,
    (count(*) FILTER (WHERE outcome = 'skipped'))::int AS skipped, (count(*) FILTER (WHERE unusable))::int AS unusable
  FROM (SELECT s.wave, ${sql.literal(outcome)} AS outcome,
      s.status = 'dead' AND starts_with(coalesce(s.reason, ''), ${unusableMark}) AS unusable FROM signals s
    WHERE s.feed = ${feed} AND s.wave = ANY (${times(waves)}::timestamptz[])) AS signals GROUP BY wave`

/** Rows since the last one that was due, and the next; a ledger without rows begins with the next wave. */
const layOut = Effect.fnUntraced(function* (sql: SqlClient, request: AccountRequest) {
  const { feed, nowMs, schedule } = request
  const [last] = yield* sql<{ readonly due_ms: number | null }>`
    SELECT (extract(epoch FROM max(due_at)) * 1000)::float8 AS due_ms FROM waves
    WHERE feed = ${feed} AND due_at <= ${isoOf(nowMs)}::timestamptz`
  const rows = wavesBetween(
    schedule,
    last?.due_ms ?? nowMs,
    nextDueAtMs(schedule, nowMs),
    waveLimits.ledgerRowsMax
  )
  if (rows.length === 0) return 0
  const laid = yield* sql`
    INSERT INTO waves (feed, wave, due_at, status)
    SELECT ${feed}::text, wave, due_at, 'expected'
    FROM unnest(${times(rows.map(({ waveMs }) => waveMs))}::timestamptz[],
      ${times(rows.map(({ dueAtMs }) => dueAtMs))}::timestamptz[]) AS rows (wave, due_at)
    ON CONFLICT DO NOTHING RETURNING wave`
  return laid.length
})

interface ClosedRow extends WaveTally {
  readonly wave: Date
  readonly due_at: Date
  readonly status: "done" | "missed"
  readonly reason: string
  readonly lost_ms: bigint
}

/** The wave that is searched for now, or the next one: earlier ones are no longer searched for. */
const firstSearched = ({ freshMs, nowMs, schedule }: AccountRequest): number =>
  searchedAt(schedule, freshMs, nowMs)?.waveMs ?? nextDueAtMs(schedule, nowMs) - schedule.lagMs

/** Signals of due and fresh waves of the ledger. What came before the ledger began is history. */
const handOverIn = (sql: SqlClient, feed: string, nowMs: number, freshMs: number) =>
  Effect.map(
    sql`UPDATE signals s SET status = 'received', expires_from = w.due_at FROM waves w
      WHERE w.feed = ${feed} AND w.due_at <= ${isoOf(nowMs)}::timestamptz AND w.due_at >= ${isoOf(nowMs - freshMs)}::timestamptz
        AND s.feed = w.feed AND s.wave = w.wave AND s.status = 'buffered' RETURNING s.id`,
    (rows) => rows.length
  )

/**
 * Ends waves that nobody holds and that are no longer searched for: those with traded signals as `done`, those whose
 * time is over otherwise. Oldest first, at most `closeRowsMax`: a join of thousands of them is quadratic.
 */
const closeSome = Effect.fnUntraced(function* (sql: SqlClient, request: AccountRequest) {
  const { feed, freshMs, nowMs, outage, owner, schedule, upSinceMs } = request
  const over = yield* sql<{ readonly wave: Date }>`
    SELECT wave FROM waves WHERE feed = ${feed} AND wave < ${isoOf(firstSearched(request))}::timestamptz
      AND status IN ('expected', 'processing') AND (status = 'expected' OR owner = ${owner} OR lease_until < hf_now()
        OR ${lifeOver(sql, "waves.owner")})
    ORDER BY wave LIMIT ${waveLimits.closeRowsMax}::int FOR UPDATE SKIP LOCKED`
  if (over.length === 0) return []
  const closed = yield* sql<ClosedRow>`
    WITH tallies AS (${tallies(
      sql,
      feed,
      over.map(({ wave }) => wave.getTime())
    )}),
    ends AS (SELECT w.wave, coalesce(t.found, 0) AS found, coalesce(t.pending, 0) AS pending,
      coalesce(t.successful, 0) AS successful, coalesce(t.failed, 0) AS failed, coalesce(t.skipped, 0) AS skipped,
      CASE WHEN t.found > t.skipped + t.unusable THEN 'done' ELSE 'missed' END AS status,
      CASE WHEN t.found > t.skipped + t.unusable THEN 'accounted_late' WHEN w.reason IS NOT NULL THEN w.reason
        WHEN w.epoch > 0 AND w.owner <> ${owner} THEN 'process_down'
        -- Who is there for half of the time in which a wave may be processed would have processed it.
        WHEN ${outage}::boolean AND w.due_at >= ${isoOf(upSinceMs - freshMs / 2)}::timestamptz THEN 'database_down'
        WHEN w.epoch > 0 OR w.due_at < ${isoOf(upSinceMs)}::timestamptz THEN 'process_down' ELSE 'late' END AS reason,
      -- A wave that was begun went without trading from its last beginning on; the others as long as they are.
      CASE WHEN w.status = 'processing' AND w.started_at IS NOT NULL THEN least(${schedule.periodMs}::bigint,
        greatest(0, extract(epoch FROM hf_now() - w.started_at) * 1000)::bigint) ELSE ${schedule.periodMs}::bigint END AS lost_ms
      FROM waves w LEFT JOIN tallies t ON t.wave = w.wave
      WHERE w.feed = ${feed} AND w.wave = ANY (${over.map(({ wave }) => wave.toISOString())}::timestamptz[]))
    UPDATE waves w SET status = e.status, reason = e.reason, signals = e.found, successful = e.successful,
      failed = e.failed, skipped = e.skipped, lease_until = NULL, finished_at = hf_now(), late = e.status = 'done',
      lost_ms = CASE WHEN e.status = 'missed' THEN e.lost_ms ELSE 0 END
    FROM ends e WHERE w.feed = ${feed} AND w.wave = e.wave
      AND (e.status = 'done' OR w.due_at < ${isoOf(nowMs - freshMs)}::timestamptz)
    RETURNING w.wave, w.due_at, w.status, w.reason, w.lost_ms, e.found, e.pending, e.successful, e.failed, e.skipped`
  const waves = closed
    .map(({ due_at: dueAt, lost_ms: lostMs, wave, ...row }): ClosedWave => {
      return { ...row, waveMs: wave.getTime(), dueAtMs: dueAt.getTime(), lostMs: Number(lostMs) }
    })
    .toSorted((a, b) => a.waveMs - b.waveMs)
  return waves
})

/** Ends what is over: waves nobody holds, and the stored signals of waves whose time is over, of any ledger. */
const close = Effect.fnUntraced(function* (sql: SqlClient, request: AccountRequest) {
  const { feed, freshMs, nowMs, schedule } = request
  const rejected = yield* sql`
    UPDATE signals SET status = 'rejected', reason = 'wave_over', decided_at = hf_now()
    WHERE feed = ${feed} AND wave < ${isoOf(nowMs - freshMs - schedule.lagMs)}::timestamptz AND status = 'buffered'
    RETURNING id`
  const closed: Array<ClosedWave> = []
  for (;;) {
    const some = yield* closeSome(sql, request)
    closed.push(...some)
    if (some.length < waveLimits.closeRowsMax) return { closed, rejectedSignals: rejected.length }
  }
})

/** Orders fill after a check has ended: waves with signals that were pending, and the latest, are counted again. */
const recount = Effect.fnUntraced(function* (sql: SqlClient, { feed, nowMs, schedule }: AccountRequest) {
  const pending = yield* sql<{ readonly wave: Date }>`
    SELECT wave FROM waves WHERE feed = ${feed} AND status = 'done' AND signals > successful + failed + skipped
      AND due_at >= ${isoOf(nowMs - waveLimits.recountMsMax)}::timestamptz ORDER BY wave LIMIT ${waveLimits.closeRowsMax}::int`
  const since = nowMs - waveLimits.recountWaves * schedule.periodMs
  const latest = wavesBetween(schedule, since, nowMs, waveLimits.recountWaves)
  const waves = new Set([...pending.map(({ wave }) => wave.getTime()), ...latest.map(({ waveMs }) => waveMs)])
  yield* sql`
    WITH tallies AS (${tallies(sql, feed, [...waves])})
    UPDATE waves w SET signals = t.found, successful = t.successful, failed = t.failed, skipped = t.skipped
    FROM tallies t WHERE w.feed = ${feed} AND w.wave = t.wave AND w.status IN ('done', 'missed')
      AND (w.signals, w.successful, w.failed, w.skipped) IS DISTINCT FROM (t.found, t.successful, t.failed, t.skipped)`
})

const account = (database: DatabaseService) => (request: AccountRequest) =>
  database.transact(
    "waves.account",
    (sql) =>
      Effect.gen(function* () {
        const reopened = yield* sql`
          UPDATE waves SET status = 'expected', reason = NULL, lost_ms = 0, finished_at = NULL
          WHERE feed = ${request.feed} AND status = 'missed' AND due_at > ${isoOf(request.nowMs)}::timestamptz RETURNING wave`
        const laid = yield* layOut(sql, request)
        const handedOver = yield* handOverIn(sql, request.feed, request.nowMs, request.freshMs)
        const { closed, rejectedSignals } = yield* close(sql, request)
        yield* recount(sql, request)
        return { handedOver, laid, closed, reopened: reopened.length, rejectedSignals } satisfies Accounted
      }),
    { retry: "idempotent" }
  )

const take =
  (database: DatabaseService): WavesStoreService["take"] =>
  ({ feed, owner, waveMs }, { feedLive, late, leaseMs }) =>
    database.run("waves.take", (sql) =>
      Effect.gen(function* () {
        const [taken] = yield* sql<{ readonly epoch: number; readonly former: string | null }>`
          UPDATE waves w SET status = 'processing', owner = ${owner}, epoch = w.epoch + 1, late = ${late}::boolean,
            lease_until = hf_now() + ${leaseMs}::int * interval '1 millisecond', started_at = hf_now()
          FROM (SELECT feed, wave, CASE WHEN status = 'processing' THEN owner END AS former FROM waves
            WHERE feed = ${feed} AND wave = ${isoOf(waveMs)}::timestamptz FOR UPDATE) AS was
          WHERE w.feed = was.feed AND w.wave = was.wave AND ((w.status = 'expected' AND (w.reason IS NULL OR ${feedLive}::boolean))
            OR (w.status = 'processing' AND (w.lease_until < hf_now() OR w.owner = ${owner} OR ${lifeOver(sql, "w.owner")})))
          RETURNING w.epoch, was.former`
        if (taken !== undefined) {
          const lease = { feed, waveMs, owner, epoch: taken.epoch }
          return { _tag: "Taken", lease, formerOwner: taken.former } satisfies Take
        }
        const [row] = yield* sql<{ readonly status: string; readonly remaining_ms: number }>`
          SELECT status, greatest(0, coalesce(extract(epoch FROM lease_until - hf_now()) * 1000, 0))::float8 AS remaining_ms
          FROM waves WHERE feed = ${feed} AND wave = ${isoOf(waveMs)}::timestamptz`
        if (row?.status === "processing") {
          return { _tag: "Held", remainingMs: row.remaining_ms } satisfies Take
        }
        if (row === undefined) return { _tag: "Unknown" } satisfies Take
        return { _tag: row.status === "expected" ? "WaitsForFeed" : "Ended" } satisfies Take
      })
    )

const mine = (sql: SqlClient, { epoch, feed, owner, waveMs }: WaveLease) => sql`
  feed = ${feed} AND wave = ${isoOf(waveMs)}::timestamptz AND owner = ${owner} AND epoch = ${epoch}::int AND status = 'processing'`

const look =
  (database: DatabaseService): WavesStoreService["look"] =>
  (lease, leaseMs) =>
    database.run("waves.look", (sql) =>
      Effect.gen(function* () {
        const held = yield* sql`
          UPDATE waves SET lease_until = hf_now() + ${leaseMs}::int * interval '1 millisecond'
          WHERE ${mine(sql, lease)} RETURNING wave`
        if (held.length === 0) return null
        const [tally] = yield* sql<WaveTally>`
          SELECT found, pending, successful, failed, skipped FROM (${tallies(sql, lease.feed, [lease.waveMs])}) AS tally`
        return tally ?? noSignals
      })
    )

const settle =
  (database: DatabaseService): WavesStoreService["settle"] =>
  (lease, durationMs) =>
    database.run("waves.settle", (sql) =>
      Effect.map(
        sql<WaveTally>`
          WITH tallies AS (${tallies(sql, lease.feed, [lease.waveMs])}),
          tally AS (SELECT coalesce(sum(found), 0)::int AS found, coalesce(sum(pending), 0)::int AS pending,
            coalesce(sum(successful), 0)::int AS successful, coalesce(sum(failed), 0)::int AS failed,
            coalesce(sum(skipped), 0)::int AS skipped FROM tallies)
          UPDATE waves SET status = 'done', reason = CASE WHEN tally.found = 0 THEN 'empty' END, lease_until = NULL,
            finished_at = hf_now(), duration_ms = ${Math.round(durationMs)}::int, signals = tally.found,
            successful = tally.successful, failed = tally.failed, skipped = tally.skipped
          FROM tally WHERE ${mine(sql, lease)}
          RETURNING tally.found, tally.pending, tally.successful, tally.failed, tally.skipped`,
        ([tally]) => tally ?? null
      )
    )

const giveBack =
  (database: DatabaseService): WavesStoreService["giveBack"] =>
  (lease, reason) =>
    database.run("waves.give_back", (sql) =>
      Effect.map(
        sql`UPDATE waves SET status = 'expected', lease_until = NULL, reason = ${reason} WHERE ${mine(sql, lease)} RETURNING wave`,
        (rows) => rows.length === 1
      )
    )

/** The ledger over the `Database` of the service. */
export const wavesStorePg: Layer.Layer<WavesStore, never, Database> = Layer.effect(
  WavesStore,
  Effect.map(Database, (database) =>
    WavesStore.of({
      account: account(database),
      handOver: (feed, nowMs, freshMs) =>
        database.run("waves.hand_over", (sql) => handOverIn(sql, feed, nowMs, freshMs)),
      take: take(database),
      look: look(database),
      settle: settle(database),
      giveBack: giveBack(database)
    })
  )
)
