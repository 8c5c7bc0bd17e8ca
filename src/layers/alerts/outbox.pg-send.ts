/**
 * Outbox on PostgreSQL: sending.
 *
 * A sink has one row with who sends for it and until when, so that its messages keep their order however many processes there are.
 * The row is freed with each result; after a kill it frees itself. What was sent is true whoever says so, also a process that was
 * frozen past its time: its receiver may be told twice then, by the same id.
 *
 * Promises: an attempt is counted before it is made; rows that are over are never taken again; the rate counts messages, of all
 * processes.
 * Never: holds more than `outboxLimits.roundMax` rows.
 * Failure: `DatabaseUnavailable`; rows stay as they were, or as they were committed.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import {
  isRefusal,
  nextDelivery,
  type Occasion,
  type OutboxAlert,
  type WaitingRow
} from "../../domain/alerts/outbox-delivery.ts"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import { deliveryId } from "../../domain/kernel/ids.ts"
import type { AlertSeverity } from "../../domain/kernel/settings-alerts.ts"
import type { DatabaseService } from "../database/database.port.ts"
import type { Delivery, OutboxService, Sender, SinkFigures, Taken } from "./outbox.port.ts"

const ms = (sql: SqlClient, column: string) => sql.literal(`(extract(epoch FROM ${column}) * 1000)::float8`)

/** Makes this life the sender, unless another one is. */
const claim = (sql: SqlClient, { owner, sink }: Sender) =>
  Effect.map(
    sql`INSERT INTO sinks AS s (name, owner, until)
      VALUES (${sink}, ${owner}::uuid, hf_now() + ${outboxLimits.leaseMs}::int * interval '1 millisecond')
      ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
        WHERE s.owner = excluded.owner OR s.until <= hf_clock()
      RETURNING s.name`,
    (rows) => rows.length > 0
  )

/** Gives up what waited for a day. */
const endOld = (sql: SqlClient, sink: string) =>
  Effect.gen(function* () {
    const reason = `not delivered within ${outboxLimits.ageHoursMax} hours`
    const old =
      yield* sql`UPDATE outbox SET state = 'dead', settled_at = hf_now(), last_error = coalesce(last_error, ${reason})
      WHERE sink = ${sink} AND state = 'queued' AND created_at < hf_now() - ${outboxLimits.ageHoursMax}::int * interval '1 hour'
      RETURNING seq`
    if (old.length > 0) yield* sql`UPDATE sinks SET dead = dead + ${old.length}::int WHERE name = ${sink}`
  })

/** How long the rate of the last minute forbids another message. */
const rateWaitMs = (sql: SqlClient, sink: string, perMinuteMax: number) =>
  Effect.map(
    sql<{ readonly n: number; readonly waitMs: number | null }>`
      SELECT count(*)::int AS n, ${ms(sql, "min(at) + interval '1 minute' - hf_now()")} AS "waitMs"
      FROM (SELECT max(settled_at) AS at FROM outbox WHERE sink = ${sink} AND state = 'sent'
        AND settled_at > hf_now() - interval '1 minute' GROUP BY delivery ORDER BY at DESC LIMIT ${perMinuteMax}) AS d`,
    ([row]) => (row === undefined || row.n < perMinuteMax ? 0 : Math.max(1, Math.ceil(row.waitMs ?? 0)))
  )

interface QueuedRow extends WaitingRow {
  readonly alertId: string
  readonly waitMs: number
}

interface TakenRow {
  readonly seq: bigint
  readonly alertId: string
  readonly severity: AlertSeverity
  readonly kind: string
  readonly occasion: Occasion
  readonly delivery: string
  readonly refusals: number
  readonly content: {
    readonly message: string
    readonly component: string | null
    readonly account: string | null
    readonly at_ms: number
  }
}

const alertOf = ({ alertId, content, kind, severity }: TakenRow): OutboxAlert => ({
  alertId,
  severity,
  kind,
  message: content.message,
  component: content.component,
  account: content.account,
  atMs: content.at_ms
})

const queued = (sql: SqlClient, sink: string) => sql<QueuedRow>`
  SELECT seq, alert_id AS "alertId", severity, kind, occasion, delivery, ${ms(sql, "next_at - hf_now()")} AS "waitMs"
  FROM outbox WHERE sink = ${sink} AND state = 'queued'
  ORDER BY severity = 'CRITICAL' DESC, seq LIMIT ${outboxLimits.roundMax}`

/**
 * Counts the attempt of these rows, and of all that were tried with the first: of a message that was tried nothing is left out
 * because others came in front of it. A new message has the id that the key of its first row gives it.
 */
const begin = (sql: SqlClient, sink: string, head: QueuedRow, rows: ReadonlyArray<QueuedRow>) =>
  Effect.map(
    sql<TakenRow>`UPDATE outbox SET attempts = attempts + 1,
        delivery = coalesce(delivery, ${deliveryId(sink, head.alertId, head.occasion)}::uuid)
      WHERE sink = ${sink} AND state = 'queued'
        AND (seq = ANY (${rows.map(({ seq }) => seq)}::bigint[]) OR delivery = ${head.delivery}::uuid)
      RETURNING seq, alert_id AS "alertId", severity, kind, occasion, delivery, refusals, content`,
    (taken): Delivery | null => {
      const inOrder = taken.toSorted((a, b) => (a.seq < b.seq ? -1 : 1))
      const [first, ...others] = inOrder
      // A process that was frozen has just stored that it had sent them.
      if (first === undefined) return null
      return {
        id: first.delivery,
        isEscalated: first.occasion === "escalated",
        refusals: inOrder.reduce((most, { refusals }) => Math.max(most, refusals), 0),
        seqs: inOrder.map(({ seq }) => seq),
        alerts: [alertOf(first), ...others.map(alertOf)]
      }
    }
  )

export const takeIn =
  (database: DatabaseService): OutboxService["take"] =>
  (sender, perMinuteMax) =>
    Effect.gen(function* () {
      const { sink } = sender
      // Nearly every look finds nothing, and writes nothing.
      const waiting = yield* database.run(
        "outbox.look",
        (sql) => sql`SELECT 1 AS one FROM outbox WHERE sink = ${sink} AND state = 'queued' LIMIT 1`
      )
      if (waiting.length === 0) return { _tag: "Nothing" } satisfies Taken
      return yield* database.transact("outbox.take", (sql) =>
        Effect.gen(function* () {
          if (!(yield* claim(sql, sender))) return { _tag: "Held" } satisfies Taken
          yield* endOld(sql, sink)
          const rows = nextDelivery(yield* queued(sql, sink))
          const [head] = rows
          if (head === undefined) return { _tag: "Nothing" } satisfies Taken
          const waitMs = Math.max(Math.ceil(head.waitMs), yield* rateWaitMs(sql, sink, perMinuteMax))
          if (waitMs > 0) return { _tag: "NotYet", waitMs } satisfies Taken
          const delivery = yield* begin(sql, sink, head, rows)
          return delivery === null
            ? ({ _tag: "Nothing" } satisfies Taken)
            : ({ _tag: "Delivery", delivery } satisfies Taken)
        })
      )
    })

/** The row of a sink is free again, if it still was this life's. */
const freed = (sql: SqlClient, owner: string) =>
  sql`until = CASE WHEN s.owner = ${owner}::uuid THEN hf_now() ELSE s.until END`

export const sentIn =
  (database: DatabaseService): OutboxService["sent"] =>
  ({ owner, sink }, { seqs }) =>
    database.run("outbox.sent", (sql) =>
      Effect.asVoid(sql`
        WITH settled AS (UPDATE outbox SET state = 'sent', settled_at = hf_now(), last_error = NULL
          WHERE seq = ANY (${[...seqs]}::bigint[]) AND state = 'queued' RETURNING seq)
        UPDATE sinks AS s SET sent = s.sent + (SELECT count(*) FROM settled), last_sent_at = hf_now(), last_error = NULL,
          ${freed(sql, owner)} WHERE s.name = ${sink}`)
    )

export const failedIn =
  (database: DatabaseService): OutboxService["failed"] =>
  ({ owner, sink }, { seqs }, { failure, isOver, reason, retryMs }) =>
    database.run("outbox.failed", (sql) =>
      Effect.asVoid(sql`
        WITH noted AS (UPDATE outbox SET last_error = ${reason}, refusals = refusals + ${isRefusal(failure) ? 1 : 0}::int,
            next_at = hf_now() + ${retryMs}::float8 * interval '1 millisecond',
            state = CASE WHEN ${isOver}::boolean THEN 'dead' ELSE state END,
            settled_at = CASE WHEN ${isOver}::boolean THEN hf_now() END
          WHERE seq = ANY (${[...seqs]}::bigint[]) AND state = 'queued' RETURNING state)
        UPDATE sinks AS s SET dead = s.dead + (SELECT count(*) FROM noted WHERE state = 'dead'), last_failed_at = hf_now(),
          last_error = ${reason}, ${freed(sql, owner)} WHERE s.name = ${sink}`)
    )

const unknownYet: SinkFigures = {
  queued: 0,
  oldestMs: null,
  sent: 0,
  dead: 0,
  lastSentMs: null,
  lastError: null,
  nowMs: 0
}

export const figuresIn =
  (database: DatabaseService): OutboxService["figures"] =>
  (sink) =>
    database.run("outbox.figures", (sql) =>
      Effect.map(
        sql<SinkFigures>`SELECT q.queued, q.oldest AS "oldestMs", coalesce(s.sent, 0)::float8 AS sent,
            coalesce(s.dead, 0)::float8 AS dead, ${ms(sql, "s.last_sent_at")} AS "lastSentMs", s.last_error AS "lastError",
            ${ms(sql, "hf_now()")} AS "nowMs"
          FROM (SELECT count(*)::int AS queued, ${ms(sql, "min(created_at)")} AS oldest FROM outbox
            WHERE sink = ${sink} AND state = 'queued') AS q LEFT JOIN sinks s ON s.name = ${sink}`,
        ([row]) => row ?? unknownYet
      )
    )
