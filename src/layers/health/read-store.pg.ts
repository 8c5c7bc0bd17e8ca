/**
 * ReadStore on PostgreSQL: one table of lists, one trace and its sentences, two aggregates.
 *
 * Promises: those of the port; every call has `readLimits.queryMs`, below the deadline of the route that makes it, so a slow
 * query is named as such; a page is one indexed statement.
 * Never: takes a column or table name from a request: both come from the tables below.
 * Failure: `DatabaseUnavailable` is the caller's 503.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { OPEN } from "../../domain/orders/order.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import {
  BadCursor,
  type Item,
  type ListName,
  type Page,
  type PageRequest,
  ReadStore,
  type ReadStoreService
} from "./read-store.port.ts"
import { fillColumns, jsonItem, orderColumns, signalColumns } from "./read-rows.pg.ts"
import { serverOf } from "./read-database.pg.ts"
import { experimentsOf } from "./read-experiments.pg.ts"
import { flagsOf } from "./read-flags.pg.ts"
import { strategiesOf } from "./read-strategies.pg.ts"
import { latencyLedger, latencyOf } from "./read-latency.pg.ts"
import { linkageOf, recentLinkageOf } from "./read-linkage.pg.ts"
import { payloadHolds } from "./read-search.pg.ts"
import { traceOf } from "./read-trace.pg.ts"
import { explainOf } from "./read-why.pg.ts"

interface ListTable {
  readonly from: string
  readonly columns: string
  /** Columns that order the list, newest first; together unique. The cursor holds their values. */
  readonly key: ReadonlyArray<{ readonly column: string; readonly type: "bigint" | "text" | "timestamptz" }>
  readonly where?: string
  /** Reversed, for lists whose oldest row matters most. */
  readonly oldestFirst?: true
  /** The column of the filters `from`, `to` and `since`. */
  readonly time?: string
  /**
   * Filters that no column has: what each of their words stands for. As a condition of its own, and not as a comparison with a word
   * that every row would have to make, because only then does the planner take the index of it.
   */
  readonly words?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** What the filter `payload` means. */
  readonly search?: (sql: SqlClient, searched: string) => Fragment
}

/** The lease of an account is that of the life that holds it; owners of earlier versions had one of their own. */
const leaseUntil =
  "CASE WHEN strpos(owner, '/') > 0 THEN (SELECT n.lease_until FROM nodes n WHERE n.life = owner) ELSE lease_until END"
/** Must match the index `orders_open`. */
const openOrders = `status IN (${[...OPEN].map((status) => `'${status}'`).join(", ")})`
const bySeq = [{ column: "seq", type: "bigint" }] as const
/** What somebody may still have to replay is open. */
const replayWords = { status: { open: "replayed_at IS NULL", replayed: "replayed_at IS NOT NULL" } }

const lists: Readonly<Record<ListName, ListTable>> = {
  signals: {
    from: "signals",
    columns: signalColumns,
    key: bySeq,
    where: "source <> 'canary'",
    search: payloadHolds
  },
  orders: { from: "orders", columns: orderColumns, key: bySeq, where: "source <> 'canary'" },
  approvals: {
    from: `(SELECT p.*, o.signal_id, o.account, o.strategy, o.symbol, o.side, o.quantity, o.status AS order_status, o.reason AS order_reason,
      least(p.deadline, o.valid_until) AS answer_by, CASE WHEN p.decision IS NOT NULL THEN p.decision WHEN o.status = 'held' THEN 'waiting'
        ELSE 'over' END AS status FROM approvals p JOIN orders o ON o.id = p.order_id) AS approvals`,
    columns: `order_id, signal_id, status, account, strategy, symbol, side, quantity, price, price_move_pct_max, otherwise, asked_at, answer_by,
      decided_at, decided_by, command_id, note, order_status, order_reason`,
    key: bySeq,
    words: {
      status: {
        waiting: "decision IS NULL AND order_status = 'held'",
        approved: "decision = 'approved'",
        declined: "decision = 'declined'",
        over: "decision IS NULL AND order_status <> 'held'"
      }
    }
  },
  fills: { from: "trade_records", columns: fillColumns, key: bySeq, where: "source <> 'canary'" },
  positions: {
    from: "positions",
    columns: `id, account, symbol, epoch, quantity, average_price, realised_pnl, confirmed_quantity, confirmed_at,
      disputed_at, opened_at, closed_at, updated_at,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('strategy', h.strategy, 'quantity', trim_scale(h.quantity)::text,
          'average_price', trim_scale(h.average_price)::text, 'stop_price', trim_scale(h.stop_price)::text,
          'target_price', trim_scale(h.target_price)::text, 'best_price', trim_scale(h.best_price)::text,
          'stop_by', h.stop_by, 'opened_at', to_char(h.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
          ORDER BY h.opened_seq, h.strategy), '[]')
        FROM position_shares h WHERE h.position_id = positions.id AND h.quantity <> 0) AS strategies`,
    key: [
      { column: "account", type: "text" },
      { column: "symbol", type: "text" }
    ],
    where: "account <> 'canary'",
    words: { open: { true: "quantity <> 0", false: "quantity = 0" } }
  },
  accounts: {
    from: `(SELECT a.*, (SELECT count(*)::int FROM positions p WHERE p.account = a.id AND p.quantity <> 0) AS open_positions,
      (SELECT coalesce(sum(p.realised_pnl), 0) FROM positions p WHERE p.account = a.id) AS realised_pnl,
      (SELECT coalesce(sum(p.fees), 0) FROM positions p WHERE p.account = a.id) AS fees,
      -- Of one sample, as what they are compared with: cash of this second beside equity of the minute adds up to nothing.
      CASE WHEN idle THEN CASE WHEN a.balance_at IS NOT NULL THEN a.venue_cash END ELSE e.cash END AS cash,
      CASE WHEN idle THEN 0 ELSE e.unrealised_pnl END AS unrealised_pnl,
      CASE WHEN idle THEN a.starting_cash ELSE e.equity END AS equity,
      CASE WHEN idle THEN 0 ELSE e.day_pnl END AS day_pnl, CASE WHEN idle THEN 0 ELSE e.drawdown END AS drawdown, e.at AS equity_at
      FROM accounts a
      -- Without a sample and without a fill nothing is unknown: it has what it began with.
      CROSS JOIN LATERAL (SELECT NOT EXISTS (SELECT FROM equity e WHERE e.account = a.id)
        AND NOT EXISTS (SELECT FROM positions p WHERE p.account = a.id) AS idle) never
      LEFT JOIN LATERAL (SELECT * FROM equity e WHERE e.account = a.id ORDER BY e.at DESC LIMIT 1) e ON true)
      AS accounts`,
    columns: `id, venue, starting_cash, enabled, retired_at, owner, fence::text AS fence,
      ${leaseUntil} AS lease_until, reconciled_at, created_at, open_positions,
      cash, buying_power, balance_at, realised_pnl, fees, unrealised_pnl, equity, day_pnl, drawdown, equity_at`,
    key: [{ column: "id", type: "text" }],
    where: "id <> 'canary'"
  },
  cash_flows: {
    from: "account_cash_flows",
    columns: "account, amount, cash_before, cash_after, reason, at",
    key: bySeq
  },
  equity: {
    from: "equity",
    columns: "account, at, cash, realised_pnl, fees, unrealised_pnl, equity, day_pnl, drawdown",
    key: [
      { column: "at", type: "timestamptz" },
      { column: "account", type: "text" }
    ],
    time: "at"
  },
  waves: {
    from: "waves",
    columns:
      "feed, wave, due_at, status, late, successful, failed, skipped, duration_ms, lost_ms::float8 AS lost_ms, reason",
    key: [
      { column: "wave", type: "timestamptz" },
      { column: "feed", type: "text" }
    ]
  },
  expected_signals: {
    from: "expected_signals",
    columns: "source, due_at, status, needed, received, from_at, grace_at, until_at, judged_at",
    key: [
      { column: "due_at", type: "timestamptz" },
      { column: "source", type: "text" }
    ],
    time: "due_at"
  },
  alerts: {
    // "open" is what an operator looks for; the two other words show its progress.
    from: `(SELECT *, CASE WHEN resolved_at IS NOT NULL THEN 'resolved' WHEN acknowledged_at IS NOT NULL
      THEN 'acknowledged' ELSE 'open' END AS status FROM alerts) AS alerts`,
    columns: `id, status, severity, kind, dedup_key, message, component, detail, occurrences, first_at, last_at,
      last_message, last_detail, standing, acknowledged_at, acknowledged_by, acknowledged_note, resolved_at, resolved_by`,
    key: bySeq,
    words: {
      status: {
        open: "resolved_at IS NULL AND acknowledged_at IS NULL",
        acknowledged: "resolved_at IS NULL AND acknowledged_at IS NOT NULL",
        resolved: "resolved_at IS NOT NULL"
      }
    }
  },
  audit: {
    from: "audit",
    columns: `id, command, scope, arguments, reason, by, means, address, request_id, idempotency_key, result, result_reason,
      answer, command_id, begun_at, completed_at`,
    key: bySeq,
    time: "begun_at"
  },
  settings_changes: {
    from: `(SELECT c.*, v.settings FROM settings_changes c JOIN settings_versions v ON v.version = c.version) AS settings_changes`,
    columns: "version, by, changed, node, life, settings, at",
    key: bySeq
  },
  dead_letters: {
    from: `(SELECT *, CASE WHEN replayed_at IS NULL THEN 'open' ELSE 'replayed' END AS status FROM dead_letters) AS dead_letters`,
    columns: "id, status, origin, reference, reason, payload, created_at, replayed_at",
    key: bySeq,
    words: replayWords
  },
  refused: {
    from: `(SELECT *, CASE WHEN replayed_at IS NULL THEN 'open' ELSE 'replayed' END AS status FROM refused_posts) AS refused_posts`,
    columns: `id, status, source, reason, answered, errors, body, body_bytes, cut, request_id, address, signal_id,
      received_at, replayed_at, replayed_by`,
    key: bySeq,
    words: replayWords
  },
  drills: {
    from: "drills",
    columns: "id, fault, status, by, reason, receipt, node, begun_at, ended_at",
    key: bySeq
  },
  circuit_breakers: {
    from: "circuit_breakers",
    columns: `id, state, manual, reason, changed_by, opened_at, cooldown_until, openings, probes, numbers, changed_at`,
    key: [{ column: "id", type: "text" }]
  },
  sinks: {
    from: `(SELECT s.*, q.queued, q.oldest_at FROM sinks s CROSS JOIN LATERAL (SELECT count(*)::int AS queued,
      min(o.created_at) AS oldest_at FROM outbox o WHERE o.sink = s.name AND o.state = 'queued') q) AS sinks`,
    // As numbers: they are counts of alerts.
    columns: `name, queued, oldest_at, sent::float8 AS sent, dead::float8 AS dead, last_sent_at, last_failed_at, last_error`,
    key: [{ column: "name", type: "text" }]
  },
  resources: {
    from: "resource_samples",
    columns: `at, node, state, shed, rss_bytes, heap_used_bytes, heap_limit_bytes, loop_ms, disk_free_pct, pool_waiting, queue_ms`,
    key: bySeq,
    time: "at"
  },
  latency: { ...latencyLedger, key: bySeq, time: "created_at" },
  // Both halves read an index of what is open, however many rows there are.
  transactions: {
    from: `(SELECT 'signal' AS kind, id::text AS id, id AS signal_id, status, symbol, NULL AS account, strategy, quantity, received_at AS since,
        attempts, reason FROM signals WHERE status IN ('received', 'processing') AND source <> 'canary'
      UNION ALL SELECT 'order', id::text, signal_id, status, symbol, account, strategy, quantity, created_at, sends, reason
        FROM orders WHERE ${openOrders} AND source <> 'canary') AS transactions`,
    columns: `*, greatest(0, round(extract(epoch FROM hf_now() - since) * 1000))::float8 AS age_ms`,
    key: [
      { column: "since", type: "timestamptz" },
      { column: "id", type: "text" }
    ],
    oldestFirst: true
  },
  locks: {
    from: `(SELECT a.id AS account, a.owner, a.fence::text AS fence, ${leaseUntil} AS lease_until,
        w.orders_waiting, w.waiting_since
      FROM accounts a CROSS JOIN LATERAL (SELECT count(*)::int AS orders_waiting, min(o.created_at) AS waiting_since
        FROM orders o WHERE o.account = a.id AND ${openOrders} AND o.status IN ('intended', 'held')) w
      WHERE a.id <> 'canary') AS locks`,
    columns: `account, owner, fence, lease_until, orders_waiting, waiting_since, CASE WHEN owner IS NOT NULL
      THEN greatest(0, round(extract(epoch FROM lease_until - hf_now()) * 1000))::float8 END AS lease_left_ms`,
    key: [{ column: "account", type: "text" }]
  }
}

/** Filters that are compared as UUIDs. */
const uuidColumns: ReadonlySet<string> = new Set(["order_id", "signal_id"])

const options = { deadlineMs: readLimits.queryMs }

/** The values of a cursor, in the order of the key; undefined when it is not one of ours. */
const readCursor = (table: ListTable, cursor: string): ReadonlyArray<string> | undefined => {
  const parts = Buffer.from(cursor, "base64url").toString("utf8").split("\u0000")
  if (parts.length !== table.key.length) return undefined
  const valid = table.key.every(({ type }, index) => {
    const part = parts[index] ?? ""
    if (type === "bigint") return /^\d{1,18}$/.test(part)
    return type === "timestamptz" ? !Number.isNaN(Date.parse(part)) : !part.includes("\ufffd")
  })
  return valid ? parts : undefined
}

const writeCursor = (key: ReadonlyArray<unknown>): string =>
  Buffer.from(
    key.map((value) => (value instanceof Date ? value.toISOString() : String(value))).join("\u0000")
  ).toString("base64url")

const selectPage = (
  sql: SqlClient,
  table: ListTable,
  request: PageRequest,
  after: ReadonlyArray<string> | null
) => {
  const conditions: Array<Fragment> = Object.entries(request.filters).map(([name, value]) => {
    const words = table.words?.[name]
    // A word that is none finds nothing; the endpoints refuse it before.
    if (words !== undefined) return sql.literal(words[value] ?? "false")
    if (name === "payload" && table.search !== undefined) return table.search(sql, value)
    const isTime = name === "from" || name === "to" || name === "since"
    const column = sql.literal((isTime ? table.time : undefined) ?? name)
    if (name === "from" || name === "since") return sql`${column} >= ${value}::timestamptz`
    if (name === "to") return sql`${column} < ${value}::timestamptz`
    return uuidColumns.has(name) ? sql`${column} = ${value}::uuid` : sql`${column} = ${value}`
  })
  if (table.where !== undefined) conditions.push(sql.literal(table.where))
  if (after !== null) {
    // Row comparison: exactly the order of the list, for keys of one column or two.
    const columns = table.key.map(({ column }) => column).join(", ")
    const values = table.key.map(({ type }, index) => sql`${after[index] ?? ""}::text::${sql.literal(type)}`)
    const [first, second] = values
    const beyond = sql.literal(table.oldestFirst === true ? ">" : "<")
    conditions.push(
      second === undefined
        ? sql`${sql.literal(columns)} ${beyond} ${first ?? ""}`
        : sql`(${sql.literal(columns)}) ${beyond} (${first ?? ""}, ${second})`
    )
  }
  const keys = table.key.map(({ column }, index) => `${column}::text AS key_${index}`).join(", ")
  const direction = table.oldestFirst === true ? "ASC" : "DESC"
  const order = table.key.map(({ column }) => `${column} ${direction}`).join(", ")
  return sql<Item>`SELECT ${sql.literal(`${table.columns}, ${keys}`)} FROM ${sql.literal(table.from)}
    ${conditions.length === 0 ? sql.literal("") : sql`WHERE ${sql.and(conditions)}`}
    ORDER BY ${sql.literal(order)} LIMIT ${request.limit + 1}`
}

/** The statement of a page, whose plan is looked at by a test. */
export const pageStatement = (sql: SqlClient, name: ListName, request: Omit<PageRequest, "cursor">) =>
  selectPage(sql, lists[name], { ...request, cursor: null }, null)

const listOf =
  (database: DatabaseService) =>
  (
    name: ListName,
    request: PageRequest
  ): Effect.Effect<Page, Effect.Error<ReturnType<ReadStoreService["list"]>>> =>
    Effect.gen(function* () {
      const table = lists[name]
      const after = request.cursor === null ? null : readCursor(table, request.cursor)
      if (after === undefined) return yield* new BadCursor({ cursor: request.cursor ?? "" })
      const rows = yield* database.run(
        `read.${name}`,
        (sql) => selectPage(sql, table, request, after),
        options
      )
      const shown = rows.slice(0, request.limit)
      const last = shown.at(-1)
      const nextCursor =
        rows.length > request.limit && last !== undefined
          ? writeCursor(table.key.map((_, index) => last[`key_${index}`]))
          : null
      const items = shown.map((row) =>
        jsonItem(Object.fromEntries(Object.entries(row).filter(([column]) => !column.startsWith("key_"))))
      )
      return { items, nextCursor }
    })

const orderOf = (database: DatabaseService) => (id: string) =>
  database.run(
    "read.order",
    (sql) =>
      Effect.gen(function* () {
        const [order] =
          yield* sql<Item>`SELECT ${sql.literal(orderColumns)} FROM orders WHERE id = ${id}::uuid`
        if (order === undefined) return null
        const events =
          yield* sql<Item>`SELECT event, from_status, to_status, legal, detail, at FROM order_events
          WHERE order_id = ${id}::uuid ORDER BY seq`
        return { ...jsonItem(order), events: events.map(jsonItem) }
      }),
    options
  )

const ordersOf = (database: DatabaseService) => (ids: ReadonlyArray<string>) =>
  database.run(
    "read.orders_by_id",
    (sql) =>
      Effect.map(
        sql<Item>`SELECT ${sql.literal(orderColumns)} FROM orders WHERE id = ANY (${[...ids]}::uuid[]) ORDER BY seq`,
        (rows) => rows.map(jsonItem)
      ),
    options
  )

/** The first acknowledgement stays; a condition is resolved when it ends, not when it was acknowledged. */
const acknowledgeAlertOf =
  (database: DatabaseService): ReadStoreService["acknowledgeAlert"] =>
  ({ by, id, note }) =>
    database.run(
      "alerts.acknowledge",
      (sql) =>
        Effect.gen(function* () {
          yield* sql`UPDATE alerts SET acknowledged_at = hf_now(), acknowledged_by = ${by}, acknowledged_note = ${note},
            resolved_at = coalesce(resolved_at, CASE WHEN NOT standing THEN hf_now() END),
            resolved_by = coalesce(resolved_by, CASE WHEN NOT standing THEN ${`acknowledged by ${by}`} END),
            version = version + 1
          WHERE id = ${id}::uuid AND acknowledged_at IS NULL`
          const { columns, from } = lists.alerts
          const [row] =
            yield* sql<Item>`SELECT ${sql.literal(columns)} FROM ${sql.literal(from)} WHERE id = ${id}::uuid`
          return row === undefined ? null : jsonItem(row)
        }),
      options
    )

export const ReadStorePg: Layer.Layer<ReadStore, never, Database> = Layer.effect(
  ReadStore,
  Effect.gen(function* () {
    const database = yield* Database
    return ReadStore.of({
      list: listOf(database),
      trace: traceOf(database),
      explain: explainOf(database),
      order: orderOf(database),
      orders: ordersOf(database),
      latency: latencyOf(database),
      experiments: experimentsOf(database),
      strategies: strategiesOf(database),
      flags: flagsOf(database),
      linkage: linkageOf(database),
      server: serverOf(database),
      recentLinkage: recentLinkageOf(database),
      acknowledgeAlert: acknowledgeAlertOf(database)
    })
  })
)
