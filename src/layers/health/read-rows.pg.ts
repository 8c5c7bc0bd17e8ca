/**
 * The columns of signals, orders and fills as the API shows them, and how a row becomes JSON.
 *
 * Lists and traces show the same columns, so they are in one place; `correlation_id` is the same rule as `correlationOf` of
 * the log lines (E5), so that a row and its lines are found by one id.
 *
 * Promises: plain names for `SELECT` lists, without parameters.
 * Never: reads a body as numbers; runs a statement.
 * Failure: that of the statement these are parts of.
 */
import { parseExactly } from "../../domain/kernel/json-reader.ts"
import type { Item } from "./read-store.port.ts"

export const signalColumns = `id, kind, source, status, reason, symbol, action, direction, timeframe, quantity, price, strategy, strike,
  expiration::text AS expiration, intent, position_size, market_position, prev_market_position, market_position_size, order_type, limit_price, stop_price, time_in_force, fired_at, expires_from, received_at, decided_at, request_id, experiment_id, variant, identity_kind, attempts, mapped, body::text AS body_text`
/** Must agree with `correlationOf` (actors/execution/order-trace.ts). */
const correlation = (order: string): string =>
  `coalesce(${order}.signal_id, ${order}.command_id, ${order}.opened_by, ${order}.id)`
export const orderColumns = `id, client_order_id, signal_id, account, strategy, leg, intent, sizing, wanted, symbol, side, type, quantity, limit_price, stop_price,
  time_in_force, expires_at, status, attempt, source, venue, venue_order_id, filled_quantity, average_price, reason, sends, position_id, exit_kind, command_id, opened_by, partial, compensates,
  ${correlation("orders")} AS correlation_id,
  valid_until, sent_at, resolve_until, created_at, updated_at, settled_at`
export const fillColumns = `id, venue, account, symbol, venue_order_id, trade_id, client_order_id, order_id, position_id, side, quantity, price, fee,
  realised_pnl, source, order_time, recorded_at,
  (SELECT ${correlation("o")} FROM orders o WHERE o.id = trade_records.order_id) AS correlation_id`
/**
 * Plain JSON: the client's bigints and dates become text; it returns decimals as strings and jsonb as values already. The body of
 * a sender is read as text, because the client would round its long numbers.
 */
export const jsonItem = (row: Item): Item =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (name === "body_text" && typeof value === "string") return ["body", parseExactly(value)]
      // `infinity` arrives as an invalid date: a lease without an end of its own.
      if (value instanceof Date) return [name, Number.isNaN(value.getTime()) ? null : value.toISOString()]
      return [name, typeof value === "bigint" ? value.toString() : value]
    })
  )
