/**
 * What rests at the venue and should not any more, as parts of statements.
 *
 * An order at market is over in a moment; one that rests meets a world that has changed since it was sent. Whatever would keep it
 * from leaving now takes it back: its session is over, trading was stopped, its strategy is gone or a shadow, its account disabled or a breaker open, a later alert
 * wants something else, or the position that it was to close is smaller than all that works against it, so that its fill would open the other side (T10).
 *
 * Promises: judged by rows alone, on the database's clock; the first reason counts.
 * Never: takes back an order at market, or one whose cancel or outcome is under way.
 * Failure: that of the statement these are parts of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import { AT_VENUE } from "../../domain/orders/order.ts"
import { SHADOWED } from "../../domain/orders/stage.ts"
import type { ContextTerms } from "./account-book.pg.ts"

/**
 * Whether the entry `o` is no longer wanted: a later close of its strategy found less than it wanted, or a later alert named the
 * position it wants. A close at a price is for what the entry brings, and so does not end it.
 */
export const superseded = (
  sql: SqlClient
): Fragment => sql`(o.intent = 'entry' AND EXISTS (SELECT FROM orders r
  WHERE r.account = o.account AND r.strategy = o.strategy AND r.symbol = o.symbol AND r.seq > o.seq AND r.type = 'market'
    AND r.intent = 'reduce' AND r.exit_number IS NULL AND r.side <> o.side AND r.status <> 'denied'
    AND (r.sizing <> 'fixed' OR r.status = 'withdrawn' OR r.quantity < r.wanted)))`

/** How much is held against `o`, and what may still fill of all that only reduces on its side. */
const heldAgainst = (
  sql: SqlClient
): Fragment => sql`coalesce((SELECT CASE o.side WHEN 'sell' THEN p.quantity ELSE - p.quantity END
  FROM positions p WHERE p.account = o.account AND p.symbol = o.symbol), 0)`
const closing = (
  sql: SqlClient
): Fragment => sql`(SELECT sum(l.quantity - least(l.filled_quantity, l.quantity)) FROM orders l
  WHERE l.account = o.account AND l.symbol = o.symbol AND l.side = o.side AND l.intent = 'reduce'
    AND ${sql.in("l.status", [...AT_VENUE])})`

/** Whether a breaker denies the entry `o`. One that is half open only makes entries wait. */
const broken = (sql: SqlClient): Fragment => sql`EXISTS (SELECT FROM circuit_breakers b
  WHERE b.state = 'OPEN' AND b.id IN ('strategy:' || o.strategy, 'broker:' || o.venue))`

/** Whether the strategy of `o` opens nothing: by the settings, by a rule or by an operator. */
const shadowed = (
  sql: SqlClient,
  shadows: ReadonlyArray<string>
): Fragment => sql`(o.strategy = ANY (${[...shadows]}::text[])
  OR EXISTS (SELECT FROM strategy_stages s WHERE s.strategy = o.strategy AND s.stage = 'shadow'))`

/** The orders of which `of` is true that are to be cancelled, with why as `gone`. `of` is about `o`. */
export const givenUp = (
  sql: SqlClient,
  of: Fragment,
  { shadows, strategies }: Pick<ContextTerms, "shadows" | "strategies">
): Fragment => sql`
  SELECT o.* FROM (
    SELECT o.id, o.account, o.seq, o.status, o.intent, o.symbol, o.side, CASE
      WHEN o.expires_at <= hf_clock() - ${executionLimits.dayOrderGraceMs}::int * interval '1 millisecond' THEN 'session_over'
      WHEN o.intent = 'entry' AND EXISTS (SELECT FROM trading_state s WHERE s.state <> 'ACTIVE'
        AND s.scope IN ('global', 'account:' || o.account, 'strategy:' || o.strategy)) THEN 'trading_stopped'
      WHEN o.intent = 'entry' AND o.strategy <> ALL (${[...strategies()]}::text[]) THEN 'strategy_removed'
      WHEN o.intent = 'entry' AND ${shadowed(sql, shadows())} THEN ${SHADOWED}::text
      WHEN o.intent = 'entry' AND EXISTS (SELECT FROM accounts a WHERE a.id = o.account AND NOT a.enabled)
        THEN 'account_disabled'
      WHEN o.intent = 'entry' AND ${broken(sql)} THEN 'breaker_open'
      WHEN ${superseded(sql)} THEN 'superseded'
      WHEN o.intent = 'reduce' AND ${heldAgainst(sql)} < ${closing(sql)} THEN 'nothing_to_close'
    END AS gone
    FROM orders o WHERE ${of} AND o.type <> 'market' AND o.status IN ('acked', 'partially_filled')) o
  WHERE o.gone IS NOT NULL`
