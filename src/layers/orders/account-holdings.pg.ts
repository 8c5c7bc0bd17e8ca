/**
 * What an account holds, by either book: positions, open orders, orders whose fills are not complete.
 *
 * Whoever wants to let an account go asks here, and so does whoever looks for one that was left behind.
 *
 * Promises: a position that only the venue reports counts, unless a later fill of ours explains it; one in dispute counts.
 * Never: locks anything; that is for the caller, who knows what must not change meanwhile.
 * Failure: that of the statements these are parts of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import { OPEN, SETTLES } from "../../domain/orders/order.ts"

/** Names of symbols that a text shows; the rest is a number. */
const SHOWN_MAX = 5

export interface Holding {
  readonly id: string
  readonly symbols: ReadonlyArray<string>
  readonly open: ReadonlyArray<{ readonly status: string; readonly count: number }>
  readonly unsettled: number
}

/** What each of `accounts` has by either book; those without anything are left out. */
export const holdings = (sql: SqlClient, accounts: ReadonlyArray<string>) => sql<Holding>`
  SELECT * FROM (
    SELECT a.id,
      (SELECT coalesce(array_agg(p.symbol ORDER BY p.symbol), '{}') FROM positions p WHERE p.account = a.id
        AND (p.quantity <> 0 OR p.disputed_at IS NOT NULL
          -- What the venue reported before our last fill is explained by that fill. A row of the first version had none:
          -- the confirmation that made it is from when the venue was asked, which was before.
          OR (p.confirmed_quantity <> 0 AND (p.version = 1 OR p.confirmed_at >= p.updated_at)))) AS symbols,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('status', status, 'count', n) ORDER BY status), '[]')
        FROM (SELECT o.status, count(*)::int AS n FROM orders o
          WHERE o.account = a.id AND ${sql.in("o.status", [...OPEN])} GROUP BY o.status) AS counted) AS open,
      (SELECT count(*)::int FROM orders o WHERE o.account = a.id AND o.settled_at IS NULL
        AND ${sql.in("o.status", [...SETTLES])}) AS unsettled
    FROM accounts a WHERE a.id = ANY (${[...accounts]}::text[])) AS held
  WHERE cardinality(symbols) > 0 OR jsonb_array_length(open) > 0 OR unsettled > 0 ORDER BY id`

const counted = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`

/** What an account has, as a phrase. An order that waits to be sent reserves what it will use. */
export const holdingsText = ({ open, symbols, unsettled }: Holding): string => {
  const shown = symbols.slice(0, SHOWN_MAX).join(", ")
  const more = symbols.length > SHOWN_MAX ? ` and ${symbols.length - SHOWN_MAX} more` : ""
  return [
    ...(symbols.length === 0 ? [] : [`a position in ${shown}${more}`]),
    ...open.map(({ count, status }) => `${counted(count, "order")} ${status}`),
    ...(unsettled === 0 ? [] : [`${counted(unsettled, "order")} whose fills are not complete`])
  ].join(", ")
}
