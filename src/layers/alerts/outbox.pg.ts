/**
 * Outbox on PostgreSQL: routing.
 *
 * Alerts are locked in the order in which they came, and those that somebody changes now are left to the next look. Their routing
 * and their rows are one commit; a unique key keeps a second process from making the same rows.
 *
 * Promises: those of the port; above `outboxLimits.waitingMax` rows that wait for a sink only CRITICAL ones are added, and the others
 * are dead at once, and counted.
 * Never: routes an alert of more than a day ago: it is history.
 * Failure: `DatabaseUnavailable`; every write may be repeated.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Occasion } from "../../domain/alerts/outbox-delivery.ts"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import { accountOf, sinksFor } from "../../domain/alerts/outbox-route.ts"
import type { AlertSettings, AlertSeverity } from "../../domain/kernel/settings-alerts.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { Outbox, type OutboxService } from "./outbox.port.ts"
import { failedIn, figuresIn, sentIn, takeIn } from "./outbox.pg-send.ts"

interface AlertRow {
  readonly id: string
  readonly severity: AlertSeverity
  readonly kind: string
  readonly message: string
  readonly component: string
  readonly account: string | null
  readonly atMs: number
}

interface Told {
  readonly sink: string
  readonly occasion: Occasion
  readonly alert: AlertRow
}

const columns = (sql: SqlClient) =>
  sql.literal(`id, severity, kind, left(message, ${outboxLimits.messageMax}) AS message, coalesce(component, '') AS component,
    detail ->> 'account' AS account, (extract(epoch FROM first_at) * 1000)::float8 AS "atMs"`)

/** Marks what nobody has routed yet, and returns it. */
const unrouted = (sql: SqlClient) => sql<AlertRow>`
  WITH picked AS (SELECT id AS picked, seq AS place FROM alerts
    WHERE routed_at IS NULL AND first_at > hf_now() - ${outboxLimits.ageHoursMax}::int * interval '1 hour'
    ORDER BY seq LIMIT ${outboxLimits.roundMax} FOR UPDATE SKIP LOCKED),
  marked AS (UPDATE alerts SET routed_at = hf_now() FROM picked WHERE alerts.id = picked.picked RETURNING alerts.*, picked.place)
  SELECT ${columns(sql)} FROM marked ORDER BY place`

/** The same for what was told and not acknowledged. What is resolved needs nobody. */
const unescalated = (sql: SqlClient, afterMs: number) => sql<AlertRow>`
  WITH picked AS (SELECT id AS picked, seq AS place FROM alerts
    WHERE severity = 'CRITICAL' AND acknowledged_at IS NULL AND resolved_at IS NULL AND escalated_at IS NULL
      AND routed_at < hf_now() - ${afterMs}::float8 * interval '1 millisecond'
    ORDER BY seq LIMIT ${outboxLimits.roundMax} FOR UPDATE SKIP LOCKED),
  marked AS (UPDATE alerts SET escalated_at = hf_now() FROM picked WHERE alerts.id = picked.picked RETURNING alerts.*, picked.place)
  SELECT ${columns(sql)} FROM marked ORDER BY place`

/** How many rows wait, by sink. */
const waitingOf = (sql: SqlClient, sinks: ReadonlyArray<string>) =>
  Effect.map(
    sql<{ readonly sink: string; readonly n: number }>`SELECT sink, count(*)::int AS n FROM outbox
      WHERE state = 'queued' AND sink = ANY (${[...sinks]}::text[]) GROUP BY sink`,
    (rows) => new Map(rows.map(({ n, sink }) => [sink, n]))
  )

const recordOf = ({ alert, occasion, sink }: Told, isDead: boolean) => ({
  sink,
  alert_id: alert.id,
  occasion,
  severity: alert.severity,
  kind: alert.kind,
  content: {
    message: alert.message,
    component: alert.component === "" ? null : alert.component,
    account: accountOf(alert.account, alert.component),
    at_ms: alert.atMs
  },
  state: isDead ? "dead" : "queued"
})

const addRows = (sql: SqlClient, told: ReadonlyArray<Told>) =>
  Effect.gen(function* () {
    const sinks = [...new Set(told.map(({ sink }) => sink))]
    const waiting = yield* waitingOf(sql, sinks)
    const records = told.map((one) => {
      const count = waiting.get(one.sink) ?? 0
      const isDead = one.alert.severity !== "CRITICAL" && count >= outboxLimits.waitingMax
      if (!isDead) waiting.set(one.sink, count + 1)
      return recordOf(one, isDead)
    })
    const made = yield* sql<{ readonly sink: string; readonly dead: boolean }>`
      INSERT INTO outbox (sink, alert_id, occasion, severity, kind, content, state, settled_at, last_error)
      SELECT r.sink, r.alert_id, r.occasion, r.severity, r.kind, r.content, r.state,
        CASE WHEN r.state = 'dead' THEN hf_now() END, CASE WHEN r.state = 'dead' THEN 'too many waited' END
      FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(records)}::text::jsonb)
        AS (sink text, alert_id uuid, occasion text, severity text, kind text, content jsonb, state text))
        WITH ORDINALITY AS r (sink, alert_id, occasion, severity, kind, content, state, n)
      ORDER BY r.n
      ON CONFLICT DO NOTHING RETURNING sink, state = 'dead' AS dead`
    for (const [sink, rows] of Map.groupBy(made, ({ sink }) => sink)) {
      const dead = rows.filter((row) => row.dead).length
      if (dead > 0)
        yield* sql`INSERT INTO sinks AS s (name, dead, last_error) VALUES (${sink}, ${dead}::int, 'too many waited')
          ON CONFLICT (name) DO UPDATE SET dead = s.dead + excluded.dead`
    }
    return sinks
  })

const routeIn =
  (database: DatabaseService): OutboxService["route"] =>
  ({ escalation, sinks }: AlertSettings) =>
    // Without sinks nothing is marked: another process may have some.
    Object.keys(sinks).length === 0
      ? Effect.succeed([])
      : database.transact("outbox.route", (sql) =>
          Effect.gen(function* () {
            const told: Array<Told> = []
            for (const alert of yield* unrouted(sql)) {
              const { component, kind, severity } = alert
              const routed = { severity, kind, component, account: accountOf(alert.account, component) }
              for (const sink of sinksFor(routed, sinks)) told.push({ sink, occasion: severity, alert })
            }
            const late = escalation === null ? [] : yield* unescalated(sql, escalation.afterMs)
            for (const alert of late)
              for (const sink of escalation?.to ?? []) told.push({ sink, occasion: "escalated", alert })
            return told.length === 0 ? [] : yield* addRows(sql, told)
          })
        )

const testIn =
  (database: DatabaseService): OutboxService["test"] =>
  (sink, id, message) =>
    database.run("outbox.test", (sql) =>
      Effect.asVoid(sql`
        INSERT INTO outbox (sink, alert_id, occasion, severity, kind, content)
        VALUES (${sink}, ${id}::uuid, 'LOW', 'LOW', 'sink.test', jsonb_build_object('message', ${message}::text,
          'component', NULL, 'account', NULL, 'at_ms', extract(epoch FROM hf_now()) * 1000))
        ON CONFLICT DO NOTHING`)
    )

export const outboxPg: Layer.Layer<Outbox, never, Database> = Layer.effect(
  Outbox,
  Effect.map(Database, (database) =>
    Outbox.of({
      route: routeIn(database),
      test: testIn(database),
      take: takeIn(database),
      sent: sentIn(database),
      failed: failedIn(database),
      figures: figuresIn(database)
    })
  )
)
