/**
 * Stage store on PostgreSQL.
 *
 * What a rule looks at is summed in SQL, over the last closes of a strategy by its index: real ones while it trades, those on
 * paper while it is a shadow.
 *
 * Promises: those of the port; a promotion drops what is held on paper, so that the next demotion starts from nothing.
 * Never: passes money through a float.
 * Failure: `DatabaseUnavailable`; every write is guarded by what was read. A fault is a bug and dies, except of a command.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { invariant } from "../../domain/kernel/invariant.ts"
import { type StageFigures, type StageRow, STAGE_CLOSES_MAX } from "../../domain/orders/stage-rule.ts"
import type { Stage } from "../../domain/orders/stage.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import type { PendingEntry } from "../alerts/alerts.port.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { paperStore, restingIn } from "./stage-store.pg-paper.ts"
import {
  type OpenPaper,
  type RestingPaper,
  type StageAsked,
  type StageReading,
  StageStore,
  type StageStoreService
} from "./stage-store.port.ts"
import { ruleAudited } from "./rule-audit.pg.ts"

const create = (sql: SqlClient, strategies: ReadonlyArray<string>) => sql`
  INSERT INTO strategy_stages (strategy, stage, changed_by)
  SELECT name, 'live', 'system' FROM unnest(${strategies}::text[]) AS names (name) ORDER BY name
  ON CONFLICT DO NOTHING`

interface Row {
  readonly now_ms: number
  readonly rows: ReadonlyArray<StageRow & StageFigures>
  readonly demoted: ReadonlyArray<string>
  readonly open: ReadonlyArray<OpenPaper>
  readonly resting: ReadonlyArray<RestingPaper>
}

/** The closes of a strategy since its stage began, the last ones. */
const closes = (sql: SqlClient) => sql`
  (SELECT closed_at AS at, cause::text AS id, profit FROM closes c
    WHERE s.stage = 'live' AND c.strategy = s.strategy AND c.closed_at > s.since
    ORDER BY closed_at DESC, cause DESC LIMIT ${STAGE_CLOSES_MAX}::int)
  UNION ALL
  (SELECT at, lpad(seq::text, 20, '0'), profit FROM paper_trades p
    WHERE s.stage = 'shadow' AND p.strategy = s.strategy AND p.profit IS NOT NULL AND p.at > s.since
    ORDER BY at DESC, seq DESC LIMIT ${STAGE_CLOSES_MAX}::int)`

const readIn = (sql: SqlClient, asked: ReadonlyArray<StageAsked>) => sql<Row>`
  SELECT (extract(epoch FROM hf_clock()) * 1000)::float8 AS now_ms,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('strategy', s.strategy, 'stage', s.stage, 'changedBy', s.changed_by,
        'version', s.version, 'closes', f.closes, 'profit', f.profit::text, 'losses', f.losses, 'drawdown', f.drawdown::text)
        ORDER BY s.strategy), '[]')
      FROM jsonb_to_recordset(${JSON.stringify(asked)}::text::jsonb) AS g (strategy text, "closesLive" int, "closesShadow" int)
      JOIN strategy_stages s ON s.strategy = g.strategy
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS closes,
          coalesce(sum(profit) FILTER (WHERE nth <= CASE s.stage WHEN 'live' THEN g."closesLive" ELSE g."closesShadow" END), 0) AS profit,
          (count(*) FILTER (WHERE losing))::int AS losses,
          greatest(coalesce(max(running), 0), 0) - coalesce(sum(profit), 0) AS drawdown
        FROM (SELECT profit, row_number() OVER newest AS nth, bool_and(profit < 0) OVER newest AS losing,
            sum(profit) OVER (ORDER BY at, id) AS running
          FROM (${closes(sql)}) AS c WINDOW newest AS (ORDER BY at DESC, id DESC)) AS counted) AS f) AS rows,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('strategy', strategy, 'account', account, 'symbol', symbol,
        'quantity', quantity::text, 'averagePrice', average_price::text, 'fees', fees::text, 'bestPrice', best_price::text,
        'openedAtMs', extract(epoch FROM opened_at) * 1000) ORDER BY strategy, account, symbol), '[]')
      FROM paper_positions) AS open,
    ${restingIn(sql)} AS resting,
    (SELECT coalesce(array_agg(strategy ORDER BY strategy), '{}') FROM strategy_stages WHERE stage = 'shadow') AS demoted`

const read =
  (database: DatabaseService): StageStoreService["read"] =>
  (asked) =>
    database
      .run("stages.read", (sql) =>
        Effect.gen(function* () {
          const [row] = yield* readIn(sql, asked)
          const missing = asked.length - (row?.rows.length ?? 0)
          if (missing === 0) return row
          yield* create(
            sql,
            asked.map(({ strategy }) => strategy)
          )
          const [again] = yield* readIn(sql, asked)
          return again
        })
      )
      .pipe(
        Effect.map((row): StageReading => {
          invariant(row !== undefined, "a select without FROM has one row")
          return {
            nowMs: Math.floor(row.now_ms),
            open: row.open,
            resting: row.resting,
            demoted: row.demoted,
            rows: row.rows.map(({ closes: count, drawdown, losses, profit, ...of }) => ({
              row: of,
              figures: { closes: count, drawdown, losses, profit }
            }))
          }
        }),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/** What was held on paper, and rested there, ends with the stage. */
const dropPaper = (sql: SqlClient, strategy: string) =>
  sql`WITH rested AS (DELETE FROM paper_orders WHERE strategy = ${strategy})
    DELETE FROM paper_positions WHERE strategy = ${strategy}`

const COMMAND = { shadow: "strategy.demote", live: "strategy.promote" } as const

const move =
  (database: DatabaseService): StageStoreService["move"] =>
  ({ strategy, version }, { numbers, reason, rule, to }, alert) =>
    database
      .transact("stages.move", (sql) =>
        Effect.gen(function* () {
          const by = `rule:${rule}`
          const audited = ruleAudited(sql, {
            rows: "s",
            command: COMMAND[to],
            scope: sql`('strategy:' || s.strategy)`,
            key: sql`s.version::text`,
            rule,
            reason,
            given: JSON.stringify({ stage: to, numbers })
          })
          const detail = JSON.stringify({ strategy, stage: to, reason, changedBy: by, numbers })
          const [moved] = yield* sql`
            WITH s AS (
              UPDATE strategy_stages SET stage = ${to}, reason = ${reason}, changed_by = ${by},
                numbers = ${JSON.stringify(numbers)}::text::jsonb, version = version + 1, since = hf_clock()
              WHERE strategy = ${strategy} AND version = ${version}
              RETURNING *
            ), journal AS (
              INSERT INTO actor_events (at, path, event, detail)
              SELECT hf_now(), 'root/trading/risk', 'strategy.stage_changed', ${detail}::text::jsonb FROM s
            ), audited AS (
              ${audited})
            SELECT strategy FROM s`
          if (moved === undefined) return null
          yield* dropPaper(sql, strategy)
          const before: PendingEntry = {
            _tag: "Closing",
            ended: { _tag: "Keys", keys: [alert.dedupKey] },
            resolution: { by: alert.message, atMs: alert.firstAtMs }
          }
          return { ended: yield* storeAlertsIn(sql, [before, alert]) }
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const operate =
  (database: DatabaseService): StageStoreService["operate"] =>
  ({ by, reason, strategy, to }) =>
    database.transact(
      "stages.operate",
      (sql) =>
        Effect.gen(function* () {
          yield* create(sql, [strategy])
          const detail = JSON.stringify({ strategy, stage: to, reason, changedBy: by })
          const [row] = yield* sql<{
            readonly stage: Stage
            readonly reason: string | null
            readonly changed_by: string
            readonly since: Date
            readonly changed: boolean
          }>`
            WITH before AS (SELECT * FROM strategy_stages WHERE strategy = ${strategy} FOR UPDATE),
            s AS (
              -- A shadow that a rule demoted and an operator demotes again is the operator's.
              UPDATE strategy_stages n SET stage = ${to}, reason = ${reason}, changed_by = ${by}, numbers = '{}',
                version = n.version + 1, since = CASE WHEN n.stage = ${to} THEN n.since ELSE hf_clock() END
              FROM before WHERE n.strategy = before.strategy AND (n.stage <> ${to} OR n.stage = 'shadow')
              RETURNING n.*
            ), journal AS (
              INSERT INTO actor_events (at, path, event, detail)
              SELECT hf_now(), 'root/http', 'strategy.stage_changed', ${detail}::text::jsonb FROM s)
            SELECT stage, reason, changed_by, since, true AS changed FROM s
            UNION ALL SELECT stage, reason, changed_by, since, false FROM before WHERE NOT EXISTS (SELECT FROM s)`
          invariant(row !== undefined, "a row that was created exists", { strategy })
          if (row.changed && to === "live") yield* dropPaper(sql, strategy)
          const { changed, changed_by: changedBy, reason: why, since, stage } = row
          return { strategy, stage, reason: why, changedBy, since: since.toISOString(), changed }
        }),
      { deadlineMs: readLimits.queryMs }
    )

export const stageStorePg: Layer.Layer<StageStore, never, Database> = Layer.effect(
  StageStore,
  Effect.map(Database, (database) =>
    StageStore.of({
      read: read(database),
      move: move(database),
      operate: operate(database),
      ...paperStore(database)
    })
  )
)
