/**
 * What decisions do on paper, as parts of the statement that writes them (G5).
 *
 * Promises: trades, holdings and resting orders of a batch are in the commit of its decisions; an order that one decision of the
 * batch places and a later one takes back is never stored.
 * Never: writes what an account trades.
 * Failure: that of the statement these are parts of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { Decision } from "../../domain/decision/decision.ts"

const keyOf = (row: {
  readonly strategy: string
  readonly account: string
  readonly symbol: string
}): string => JSON.stringify([row.strategy, row.account, row.symbol])

/** The trades in their order, each with the signal whose holding it concerns, where that opened in this batch. */
const tradesOf = (decisions: ReadonlyArray<Decision>) => {
  const openers = new Map<string, string>()
  return decisions.flatMap(({ papers, signalId }) =>
    papers.map(({ after, opened, profit, ...trade }) => {
      const key = keyOf(trade)
      // A fill through zero closes what another signal opened, and opens its own.
      const isOwn = opened && profit === null
      const opened_by = isOwn ? signalId : (openers.get(key) ?? null)
      if (opened) openers.set(key, signalId)
      return {
        ...trade,
        profit,
        signal_id: signalId,
        opened_by,
        opener: openers.get(key) ?? null,
        held: after.quantity,
        average_price: after.averagePrice,
        fees: after.fees ?? "0",
        opened
      }
    })
  )
}

const trading = (sql: SqlClient, decisions: ReadonlyArray<Decision>): Fragment => {
  const rows = tradesOf(decisions)
  if (rows.length === 0) return sql.literal("")
  const last = new Map(rows.map((row) => [keyOf(row), row]))
  // One that was opened within the batch begins there, however often it was added to since.
  const opened = new Set(rows.flatMap((row) => (row.opened ? [keyOf(row)] : [])))
  const held = [...last].map(([key, row]) => ({ ...row, opened: opened.has(key) }))
  return sql`,
  papers AS (
    INSERT INTO paper_trades (signal_id, strategy, account, leg, symbol, side, quantity, price, fee, profit, opened_by)
    SELECT t.signal_id, t.strategy, t.account, t.leg, t.symbol, t.side, t.quantity, t.price, t.fee, t.profit,
      coalesce(t.opened_by, p.opened_by)
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      AS t (signal_id uuid, strategy text, account text, leg int, symbol text, side text, quantity numeric, price numeric,
        fee numeric, profit numeric, opened_by uuid)
    LEFT JOIN paper_positions p ON p.strategy = t.strategy AND p.account = t.account AND p.symbol = t.symbol),
  held AS (
    SELECT * FROM jsonb_to_recordset(${JSON.stringify(held)}::text::jsonb)
      AS h (strategy text, account text, symbol text, held numeric, average_price numeric, fees numeric, opener uuid, opened boolean)),
  flat AS (
    DELETE FROM paper_positions p USING held h
    WHERE h.held = 0 AND p.strategy = h.strategy AND p.account = h.account AND p.symbol = h.symbol),
  holding AS (
    INSERT INTO paper_positions AS p (strategy, account, symbol, quantity, average_price, fees, opened_by)
    SELECT strategy, account, symbol, held, average_price, fees, opener FROM held WHERE held <> 0
    ON CONFLICT (strategy, account, symbol) DO UPDATE SET quantity = excluded.quantity, average_price = excluded.average_price,
      fees = excluded.fees, opened_by = coalesce(excluded.opened_by, p.opened_by),
      best_price = CASE WHEN (SELECT h.opened FROM held h WHERE h.strategy = p.strategy AND h.account = p.account
        AND h.symbol = p.symbol) THEN NULL ELSE p.best_price END,
      opened_at = CASE WHEN (SELECT h.opened FROM held h WHERE h.strategy = p.strategy AND h.account = p.account
        AND h.symbol = p.symbol) THEN hf_clock() ELSE p.opened_at END)`
}

const resting = (sql: SqlClient, decisions: ReadonlyArray<Decision>): Fragment => {
  const withdrawn = new Set(decisions.flatMap((one) => one.withdrawn))
  const placed = decisions.flatMap((one) =>
    one.placed
      .filter(({ id }) => !withdrawn.has(id))
      .map(({ isTriggered, limitPrice, stopPrice, untilMs, ...order }) => ({
        ...order,
        signal_id: one.signalId,
        limit_price: limitPrice,
        stop_price: stopPrice,
        triggered: isTriggered,
        until_ms: untilMs
      }))
  )
  const taken = sql`,
  taken_back AS (DELETE FROM paper_orders WHERE id = ANY (${[...withdrawn]}::uuid[]))`
  const put = sql`,
  placed AS (
    INSERT INTO paper_orders (id, signal_id, strategy, account, leg, symbol, side, intent, quantity, limit_price, stop_price,
      triggered, expires_at)
    SELECT id, signal_id, strategy, account, leg, symbol, side, intent, quantity, limit_price, stop_price, triggered,
      to_timestamp(until_ms / 1000.0)
    FROM jsonb_to_recordset(${JSON.stringify(placed)}::text::jsonb)
      AS o (id uuid, signal_id uuid, strategy text, account text, leg int, symbol text, side text, intent text, quantity numeric,
        limit_price numeric, stop_price numeric, triggered boolean, until_ms float8)
    ON CONFLICT DO NOTHING)`
  return sql`${withdrawn.size === 0 ? sql.literal("") : taken}${placed.length === 0 ? sql.literal("") : put}`
}

/** What strategies that run as shadows traded on paper, what each then holds, and what rests. */
export const onPaper = (sql: SqlClient, decisions: ReadonlyArray<Decision>): Fragment =>
  sql`${trading(sql, decisions)}${resting(sql, decisions)}`
