/**
 * The row of an order that rests on paper, as the rules read it (G5).
 *
 * Promises: a part of a statement about `paper_orders o`; quantities and prices are text.
 * Never: says whether it still may rest.
 * Failure: that of the statement it is a part of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

export const paperOrder = (
  sql: SqlClient
): Fragment => sql`jsonb_build_object('id', o.id, 'symbol', o.symbol, 'side', o.side,
  'intent', o.intent, 'quantity', o.quantity::text, 'limitPrice', o.limit_price::text, 'stopPrice', o.stop_price::text,
  'isTriggered', o.triggered, 'untilMs', (extract(epoch FROM o.expires_at) * 1000)::bigint)`
