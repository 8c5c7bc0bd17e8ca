/**
 * The stages of strategies, with what each closed since: real orders, and fills on paper (G5).
 *
 * Promises: one statement; a strategy of the settings has a row whether the table has one or not.
 * Never: writes.
 * Failure: `DatabaseUnavailable`.
 */
import { Effect } from "effect"
import type { Settings } from "../../domain/kernel/settings.ts"
import { BY_SETTINGS } from "../../domain/orders/stage.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { jsonItem } from "./read-rows.pg.ts"
import type { Item } from "./read-store.port.ts"

export const strategiesOf = (database: DatabaseService) => (strategies: Settings["strategies"]) =>
  database.run(
    "read.strategies",
    (sql) => {
      const asked = Object.entries(strategies).map(([name, { demotion, stage }]) => ({
        name,
        shadow: stage === "shadow",
        demotes: stage === "live" && demotion !== null,
        promotes: stage === "live" && (demotion?.back ?? null) !== null
      }))
      return Effect.map(
        sql<Item>`
          SELECT g.name AS strategy, CASE WHEN g.shadow THEN 'shadow' ELSE coalesce(s.stage, 'live') END AS stage,
            CASE WHEN g.shadow THEN ${BY_SETTINGS} ELSE nullif(s.changed_by, 'system') END AS changed_by,
            CASE WHEN NOT g.shadow THEN s.reason END AS reason,
            CASE WHEN g.shadow THEN '{}' ELSE coalesce(s.numbers, '{}') END AS numbers, s.since,
            g.demotes, g.promotes, c.closes, trim_scale(c.pnl)::text AS pnl, p.closes AS paper_closes, trim_scale(p.pnl)::text AS paper_pnl,
            trim_scale(p.fees)::text AS paper_fees,
            (SELECT coalesce(jsonb_agg(jsonb_build_object('account', account, 'symbol', symbol, 'quantity', quantity::text,
                'average_price', average_price::text) ORDER BY account, symbol), '[]')
              FROM paper_positions WHERE strategy = g.name) AS paper_open,
            (SELECT coalesce(jsonb_agg(jsonb_build_object('order_id', id, 'signal_id', signal_id, 'account', account,
                'symbol', symbol, 'side', side, 'quantity', quantity::text, 'limit_price', limit_price::text,
                'stop_price', stop_price::text, 'triggered', triggered, 'expires_at', expires_at) ORDER BY seq), '[]')
              FROM paper_orders WHERE strategy = g.name) AS paper_resting
          FROM jsonb_to_recordset(${JSON.stringify(asked)}::text::jsonb)
            AS g (name text, shadow boolean, demotes boolean, promotes boolean)
          LEFT JOIN strategy_stages s ON s.strategy = g.name
          CROSS JOIN LATERAL (SELECT count(*)::int AS closes, coalesce(sum(profit), 0) AS pnl FROM closes
            WHERE strategy = g.name AND closed_at > coalesce(s.since, '-infinity')) AS c
          CROSS JOIN LATERAL (SELECT count(profit)::int AS closes, coalesce(sum(profit), 0) AS pnl, coalesce(sum(fee), 0) AS fees
            FROM paper_trades WHERE strategy = g.name AND at > coalesce(s.since, '-infinity')) AS p
          ORDER BY g.name`,
        (rows) => rows.map(jsonItem)
      )
    },
    { deadlineMs: readLimits.queryMs }
  )
