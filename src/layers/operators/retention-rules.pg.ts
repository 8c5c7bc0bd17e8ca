/**
 * The rules of retention (T13), as one list.
 *
 * Each rule walks through its table in the order in which the rows came, from the oldest on, and stops at the first page that is
 * young. So it needs no index of its own on the tables that grow most, and what may not go yet costs one look.
 *
 * Promises: `over` is asked only of rows that were born before the cutoff, and is true only of what nobody may need any more; a
 * bound in rows holds whatever their age.
 * Never: names a table or a column that a request could choose.
 * Failure: a rule whose table is not there fails each of its pages, which the component shows and tries again.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { lifeAlive } from "../accounts/node-life.pg.ts"
import { OPEN, SETTLES } from "../../domain/orders/order.ts"
import type { RetentionSettings } from "../../domain/kernel/settings.ts"
import { retentionLimits } from "../../domain/kernel/limits-kept.ts"
import {
  removeFillRows,
  removeOrderRows,
  removeSettingsRows,
  removeSignalRows
} from "./retention-remove.pg.ts"

export interface RetentionRule {
  readonly name: string
  readonly table: string
  /** Column with the moment a row came; rises with `seq`. */
  readonly born: string
  /** Days that a row lives (null: forever), and how many rows the table may have. */
  readonly keeps: (settings: RetentionSettings) => { readonly days: number | null; readonly rows?: number }
  /** What must be true of the row `t` besides its age. */
  readonly over: (sql: SqlClient, cutoff: Date) => Fragment
  /** Removes rows by their `seq` with all that hangs on them, and returns how many. Absent: the rows alone. */
  readonly remove?: (sql: SqlClient, seqs: ReadonlyArray<bigint>) => Effect.Effect<number, SqlError>
  /** The table has no `seq`: its oldest rows go by the index of `born`, and those that are not `over` are few. */
  readonly sweeps?: true
}

const always: RetentionRule["over"] = (sql) => sql.literal("true")

/**
 * Whether there is a row, asked per row and by its index: the offset keeps the planner from hashing a whole table for it. For the
 * same reason these are nested and never joined: joined to a table that was empty when it was analyzed, links were read
 * from end to end for each of 200 signals, which took seconds.
 */
const exists = (sql: SqlClient, rows: Fragment): Fragment => sql`EXISTS (${rows} OFFSET 0)`

/** An order that something may still happen to: `o` is the order. */
const orderLives = (sql: SqlClient): Fragment => sql`
  (o.status = ANY (${[...OPEN]}::text[]) OR (o.status = ANY (${[...SETTLES]}::text[]) AND o.settled_at IS NULL))`

/** Something of the signal `t` rests on paper. */
const restsOnPaper = (sql: SqlClient): Fragment =>
  exists(sql, sql`SELECT FROM paper_orders o WHERE o.signal_id = t.id`)

/**
 * A fill that what is held was made of: `r` is the fill. A position that was flat since has forgotten it. A day of difference
 * between the venue's clock and ours, and between a fill and its telling, is none.
 */
const positionLives = (sql: SqlClient): Fragment => {
  const share = sql`SELECT FROM position_shares h WHERE h.position_id = p.id AND h.quantity <> 0
    AND greatest(r.order_time, r.recorded_at) >= h.opened_at - interval '1 day'`
  return exists(
    sql,
    sql`SELECT FROM positions p WHERE p.id = r.position_id AND (
      ((p.quantity <> 0 OR p.disputed_at IS NOT NULL)
        AND (p.opened_at IS NULL OR greatest(r.order_time, r.recorded_at) >= p.opened_at - interval '1 day'))
      OR ${exists(sql, share)})`
  )
}

const fillsLive = (sql: SqlClient): Fragment =>
  exists(sql, sql`SELECT FROM trade_records r WHERE r.order_id = o.id AND ${positionLives(sql)}`)

/** Some order of the signal `t` lives, or a position of it does. */
const ordersLive = (sql: SqlClient): Fragment =>
  exists(
    sql,
    sql`SELECT FROM orders o WHERE o.signal_id = t.id AND (${orderLives(sql)} OR ${fillsLive(sql)})`
  )

/** A link that goes only with somebody else's fill: to the signal `t`, or to the snapshot that it is. */
const linkedElsewhere = (sql: SqlClient): Fragment => {
  const own = sql`SELECT FROM orders o WHERE o.id = l.order_id AND o.signal_id = t.id`
  const byId = sql`SELECT FROM trade_strategy_link l WHERE l.signal_id = t.id AND NOT ${exists(sql, own)}`
  const named = sql`SELECT FROM trade_strategy_link l WHERE l.snapshot_id = m.snapshot_id`
  const bySnapshot = sql`SELECT FROM signal_metadata m WHERE m.signal_id = t.id AND ${exists(sql, named)}`
  return sql`(${exists(sql, byId)} OR ${exists(sql, bySnapshot)})`
}

/** There are as many later closes of its scope as a loss streak may count. */
const laterCloses = (sql: SqlClient, scope: "account" | "strategy"): Fragment => {
  const [theirs, own] = [sql.literal(`c.${scope}`), sql.literal(`t.${scope}`)]
  return sql`EXISTS (SELECT FROM closes c WHERE ${theirs} = ${own} AND c.closed_at > t.closed_at
    ORDER BY c.closed_at OFFSET ${retentionLimits.closesKept - 1} LIMIT 1)`
}

/** All of them, in the order in which they are carried out: who points to others goes before them. */
export const retentionRules: ReadonlyArray<RetentionRule> = [
  {
    // Fills of nobody's order: a manual trade, an assignment.
    name: "external_fills",
    table: "trade_records",
    born: "recorded_at",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: (sql, cutoff) => sql`t.order_id IS NULL AND t.order_time < ${cutoff}
      AND NOT EXISTS (SELECT FROM (SELECT t.*) AS r WHERE ${positionLives(sql)})`,
    remove: removeFillRows
  },
  {
    // Orders of no signal: exits, and what an operator closed.
    name: "exits",
    table: "orders",
    born: "created_at",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: (sql, cutoff) => sql`t.signal_id IS NULL AND coalesce(t.settled_at, t.updated_at) < ${cutoff}
      AND NOT EXISTS (SELECT FROM (SELECT t.*) AS o WHERE ${orderLives(sql)} OR ${fillsLive(sql)})`,
    remove: removeOrderRows
  },
  {
    // With decision, quote, orders, their events, fills and links. Its identity goes with it, which the settings keep longer
    // than any post of it could be taken (expires_from: a bar may end long after its alert came).
    name: "signals",
    table: "signals",
    born: "received_at",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: (
      sql,
      cutoff
    ) => sql`t.status IN ('done', 'rejected', 'dead') AND coalesce(t.expires_from, t.received_at) < ${cutoff}
      AND NOT ${ordersLive(sql)} AND NOT ${linkedElsewhere(sql)} AND NOT ${restsOnPaper(sql)}`,
    remove: removeSignalRows
  },
  {
    name: "dead_letters",
    table: "dead_letters",
    born: "created_at",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: always
  },
  {
    // A loss streak counts them back to the last resume, however long ago the last of a quiet strategy was.
    name: "closes",
    table: "closes",
    born: "closed_at",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: (sql) => sql`${laterCloses(sql, "strategy")} AND ${laterCloses(sql, "account")}`,
    sweeps: true
  },
  {
    // A ledger goes on behind its last wave, so that one stays. By the wave itself, which is a lag before it is due.
    name: "waves",
    table: "waves",
    born: "wave",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: (sql) => sql`t.status IN ('done', 'missed')
      AND EXISTS (SELECT FROM waves n WHERE n.feed = t.feed AND n.wave > t.wave)`,
    sweeps: true
  },
  {
    // Kept as long as the decisions made under them, from when the next ones replaced them; the last two of a node are those in
    // force and the one step back.
    name: "settings",
    table: "settings_changes",
    born: "at",
    keeps: ({ signalDays }) => ({ days: signalDays }),
    over: (sql, cutoff) => sql`
      (SELECT min(n.at) < ${cutoff} AND count(*) = 2 FROM (SELECT n.at FROM settings_changes n
        WHERE n.node = t.node AND n.seq > t.seq ORDER BY n.seq LIMIT 2) AS n)
      -- A copy of a DATA_DIR has the same node and starts of its own, which replace nothing of the life that runs.
      AND (NOT ${lifeAlive(sql, "t.life")} OR (SELECT count(*) = 2 FROM (SELECT FROM settings_changes n
        WHERE n.life = t.life AND n.seq > t.seq LIMIT 2) AS n))`,
    remove: removeSettingsRows
  },
  {
    name: "refused_posts",
    table: "refused_posts",
    born: "received_at",
    keeps: ({ refusedDays, refusedRowsMax }) => ({ days: refusedDays, rows: refusedRowsMax }),
    over: always
  },
  {
    name: "actor_events",
    table: "actor_events",
    born: "at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: always
  },
  {
    // Of no use without the entries behind them.
    name: "journal_pictures",
    table: "journal_pictures",
    born: "at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: always
  },
  {
    name: "drills",
    table: "drills",
    born: "begun_at",
    keeps: ({ auditDays }) => ({ days: auditDays }),
    over: (sql) => sql`t.status <> 'running'`
  },
  {
    name: "expected_signals",
    table: "expected_signals",
    born: "judged_at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: always
  },
  {
    name: "resources",
    table: "resource_samples",
    born: "at",
    keeps: ({ resourceDays, resourceRowsMax }) => ({ days: resourceDays, rows: resourceRowsMax }),
    over: always
  },
  {
    name: "telegram_updates",
    table: "telegram_updates",
    born: "received_at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: (sql) => sql`t.status <> 'waiting'`
  },
  {
    name: "telegram_messages",
    table: "telegram_messages",
    born: "created_at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: (sql) => sql`t.status <> 'waiting'`
  },
  {
    name: "telegram_confirmations",
    table: "telegram_confirmations",
    born: "created_at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: always
  },
  {
    // One that waits is sent or given up within a day, unless its sink is no longer there.
    name: "outbox",
    table: "outbox",
    born: "created_at",
    keeps: ({ eventDays, eventRowsMax }) => ({ days: eventDays, rows: eventRowsMax }),
    over: always
  },
  {
    // One that is open is somebody's task, however old it is.
    name: "alerts",
    table: "alerts",
    born: "first_at",
    keeps: ({ alertDays }) => ({ days: alertDays }),
    over: (sql, cutoff) => sql`t.resolved_at < ${cutoff}`
  },
  {
    name: "audit",
    table: "audit",
    born: "begun_at",
    keeps: ({ auditDays }) => ({ days: auditDays }),
    over: always
  }
]
