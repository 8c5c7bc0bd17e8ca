/**
 * CanaryPath on the intake queue and PostgreSQL.
 *
 * The signal of a canary is made as the intake makes that of a post: body, schema, identity, row. It is not posted over HTTP,
 * because a source that outsiders may post to could be used to keep a broken path looking whole.
 *
 * Promises: those of the port; following one is one statement, removing some is one more.
 * Never: touches a row that is not of the source or the account of the canary.
 * Failure: `DatabaseUnavailable` and `DatabaseFault` as values; a queue that refuses is a refusal of the canary.
 */
import { Clock, Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { CanaryTrace } from "../../domain/health/canary.ts"
import { CANARY, CANARY_SYMBOL } from "../../domain/kernel/canary.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { AT_VENUE } from "../../domain/orders/order.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { identityOf } from "../../domain/signals/identity.ts"
import { decodeIntakeBody } from "../../wire/intake-body.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { IntakeQueue, type IntakeQueueService, type PostResult } from "../intake/intake-queue.port.ts"
import { Config } from "../platform/config.port.ts"
import { intakeRow } from "../signals/intake-row.ts"
import { type CanaryEntry, CanaryPath, type CanaryPathService } from "./canary.port.ts"

/** The row of a canary, made as that of every post. */
const rowOf = (settings: Settings, name: string, nowMs: number) => {
  const body = {
    id: name,
    symbol: CANARY_SYMBOL,
    direction: "long",
    quantity: "1",
    timeframe: "1m",
    timestamp: isoOf(nowMs)
  }
  const parsed = decodeIntakeBody(body)
  invariant(parsed.ok, "the body of a canary is a signal")
  const headers = { webhookId: undefined, idempotencyKey: undefined }
  const identity = identityOf(CANARY, headers, parsed.value.body, true, nowMs)
  invariant(Result.isSuccess(identity), "the name of a canary is an identity")
  const row = intakeRow(settings, {
    source: CANARY,
    parsed: parsed.value,
    identity: identity.success,
    requestId: name,
    nowMs
  })
  invariant(Result.isSuccess(row), "a canary is of now")
  return row.success
}

const refusalOf = (result: PostResult): string | null => {
  switch (result._tag) {
    case "Stored":
      return null
    case "Late":
      return "its commit is late"
    case "Spooled":
    case "Unavailable":
      return "the database is away"
    case "Broken":
      return "the database refused it"
    case "Duplicate":
    case "Conflict":
      return "its name was used before"
  }
}

const enterInto =
  (settings: Settings, queue: IntakeQueueService): CanaryPathService["enter"] =>
  (name) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const row = rowOf(settings, name, nowMs)
      return Effect.callback<CanaryEntry>((resume) => {
        const done = (refused: string | null): void => resume(Effect.succeed({ id: row.id, refused }))
        if (!queue.submit(row, (result) => done(refusalOf(result)))) done("the intake takes nothing now")
      })
    })

interface TraceRow {
  readonly claimed: boolean
  readonly signal: CanaryTrace["signal"]
  readonly reason: string | null
  readonly order_status: string | null
  readonly sends: number | null
  readonly order_reason: string | null
  readonly latency_ms: number | null
}

const traceOf = (sql: SqlClient, id: string) => sql<TraceRow>`
  SELECT s.attempts > 0 OR s.claim IS NOT NULL AS claimed, s.status AS signal, coalesce(s.reason, d.reason) AS reason,
    o.status AS order_status, o.sends, o.reason AS order_reason,
    (extract(epoch FROM t.recorded_at - s.received_at) * 1000)::float8 AS latency_ms
  FROM signals s LEFT JOIN decisions d ON d.signal_id = s.id LEFT JOIN orders o ON o.signal_id = s.id
    LEFT JOIN trade_records t ON t.order_id = o.id
  WHERE s.id = ${id}::uuid LIMIT 1`

/**
 * One statement: foreign keys are checked at its end. Its position goes with the last of its orders, so that the next canary
 * finds the account as the first one did.
 */
const removeIn = (sql: SqlClient, ids: ReadonlyArray<string>, olderMs: number) => sql`
  WITH gone AS MATERIALIZED (
    -- The fill of an order that works would find no order, and count as somebody else's.
    SELECT s.id FROM signals s WHERE s.id = ANY (${ids}::uuid[]) AND NOT EXISTS (SELECT FROM orders o
      WHERE o.signal_id = s.id AND o.account = ${CANARY} AND ${sql.in("o.status", [...AT_VENUE])})
    UNION SELECT id FROM signals WHERE source = ${CANARY} AND received_at < hf_now() - ${olderMs}::float8 * interval '1 millisecond'),
  sent AS MATERIALIZED (SELECT id FROM orders WHERE account = ${CANARY} AND signal_id IN (SELECT id FROM gone)),
  filled AS MATERIALIZED (SELECT id FROM trade_records WHERE account = ${CANARY} AND order_id IN (SELECT id FROM sent)),
  flat AS MATERIALIZED (SELECT p.id FROM positions p WHERE p.account = ${CANARY}
    AND NOT EXISTS (SELECT FROM orders o WHERE o.account = ${CANARY} AND o.id NOT IN (SELECT id FROM sent))
    AND NOT EXISTS (SELECT FROM trade_records t WHERE t.venue = ${CANARY} AND t.account = ${CANARY} AND t.id NOT IN (SELECT id FROM filled))),
  links AS (DELETE FROM trade_strategy_link WHERE trade_record_id IN (SELECT id FROM filled)),
  fills AS (DELETE FROM trade_records WHERE id IN (SELECT id FROM filled)),
  shares AS (DELETE FROM position_shares WHERE position_id IN (SELECT id FROM flat)),
  held AS (DELETE FROM positions WHERE id IN (SELECT id FROM flat)),
  events AS (DELETE FROM order_events WHERE order_id IN (SELECT id FROM sent)),
  left_orders AS (DELETE FROM orders WHERE id IN (SELECT id FROM sent)),
  enriched AS (DELETE FROM enriched_signals WHERE signal_id IN (SELECT id FROM gone)),
  decided AS (DELETE FROM decisions WHERE signal_id IN (SELECT id FROM gone))
  DELETE FROM signals WHERE id IN (SELECT id FROM gone)`

const make = (
  settings: Settings,
  queue: IntakeQueueService,
  database: DatabaseService
): CanaryPathService => ({
  enter: enterInto(settings, queue),
  trace: (id) =>
    Effect.map(
      database.run("canary.trace", (sql) => traceOf(sql, id)),
      ([row]) =>
        row === undefined
          ? null
          : {
              claimed: row.claimed,
              signal: row.signal,
              reason: row.reason,
              order:
                row.order_status === null
                  ? null
                  : { status: row.order_status, sends: row.sends ?? 0, reason: row.order_reason },
              filled: row.latency_ms !== null,
              latencyMs: row.latency_ms
            }
    ),
  remove: (ids, olderMs) => Effect.asVoid(database.run("canary.remove", (sql) => removeIn(sql, ids, olderMs)))
})

export const canaryPathPg: Layer.Layer<CanaryPath, never, Config | Database | IntakeQueue> = Layer.effect(
  CanaryPath,
  Effect.gen(function* () {
    return CanaryPath.of(make(yield* Config, yield* IntakeQueue, yield* Database))
  })
)
