/**
 * 0007 shares: whose a position is, how large an order may be when it is sent, and up to where fills are known.
 *
 * A strategy that closes, or that is to be protected, has to find its own part of a position that several share; so every
 * position gets shares that add up to it, and exit prices belong to them. An order keeps what was wanted and the rule
 * that sizes it, because its quantity is worked out again when it leaves. The place up to which fills are known becomes
 * opaque text: it is the venue's, and a saving, never a truth.
 *
 * Promises: shares of positions that are open follow from their linked trades where these add up to the position; else
 * all of it belongs to the strategy that traded it last; exit prices stay until the settings of the strategy arm them anew.
 * Never: changes a quantity; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE orders ADD COLUMN sizing text NOT NULL DEFAULT 'fixed'
          CHECK (sizing IN ('fixed', 'share', 'open', 'target')),
        ADD COLUMN wanted numeric`,
      sql`ALTER TABLE orders DROP CONSTRAINT orders_status_check`,
      sql`ALTER TABLE orders ADD CONSTRAINT orders_status_check CHECK (status IN ('intended', 'denied', 'withdrawn',
        'submitting', 'acked', 'partially_filled', 'pending_cancel', 'filled', 'cancelled', 'expired', 'rejected',
        'unknown', 'resolving', 'held', 'expired_unsent', 'needs_operator'))`,
      // A close that an alert asks for is a reduce as well, and belongs to its signal and not to one exit of a position.
      sql`ALTER TABLE orders DROP CONSTRAINT orders_check`,
      sql`ALTER TABLE orders ADD CONSTRAINT orders_exit_check CHECK (
        (position_id IS NULL) = (exit_number IS NULL) AND (intent = 'reduce' OR position_id IS NULL))`,
      // Until now an exit was sized by the whole position; from now on it closes the share of its strategy.
      sql`UPDATE orders SET sizing = 'share' WHERE intent = 'reduce'`,
      sql`CREATE INDEX orders_at_venue ON orders (account, symbol) WHERE status IN ('submitting', 'acked',
        'partially_filled', 'pending_cancel', 'unknown', 'resolving', 'needs_operator')`,
      // The last close or exit of a share: one that the venue refused is tried again.
      sql`CREATE INDEX orders_reduces ON orders (account, symbol, seq) WHERE intent = 'reduce'`,
      sql`CREATE TABLE position_shares (
        position_id uuid NOT NULL REFERENCES positions (id),
        strategy text NOT NULL,
        quantity numeric NOT NULL,
        average_price numeric NOT NULL,
        -- The version of the position at the fill that opened the share: which of them is older.
        opened_seq bigint NOT NULL,
        -- By the clock of this database, to tell the closes of this opening from those of an earlier one.
        opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        -- What the exit prices were made of; they are made anew when the settings of the strategy say something else.
        stop_pct numeric,
        target_pct numeric,
        stop_price numeric,
        target_price numeric,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (position_id, strategy)
      )`,
      sql`INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq, opened_at, stop_price,
          target_price)
        WITH traded AS (
          SELECT t.position_id, coalesce(l.strategy, 'external') AS strategy, max(t.seq) AS last,
            sum(CASE t.side WHEN 'buy' THEN t.quantity ELSE -t.quantity END) AS quantity
          FROM trade_records t LEFT JOIN trade_strategy_link l ON l.trade_record_id = t.id
          WHERE t.position_id IS NOT NULL GROUP BY 1, 2
        ), fitting AS (
          SELECT p.id FROM positions p JOIN traded t ON t.position_id = p.id
          WHERE p.quantity <> 0 GROUP BY p.id, p.quantity
          HAVING sum(t.quantity) = p.quantity AND bool_and(t.quantity = 0 OR sign(t.quantity) = sign(p.quantity))
        )
        SELECT p.id, t.strategy, t.quantity, p.average_price, t.last, coalesce(p.opened_at, p.updated_at), p.stop_price,
          p.target_price
        FROM positions p JOIN traded t ON t.position_id = p.id
        WHERE p.id IN (SELECT id FROM fitting) AND t.quantity <> 0
        UNION ALL
        SELECT p.id, coalesce((SELECT t.strategy FROM traded t WHERE t.position_id = p.id ORDER BY t.last DESC LIMIT 1),
            'external'), p.quantity, p.average_price, 0, coalesce(p.opened_at, p.updated_at), p.stop_price, p.target_price
        FROM positions p WHERE p.quantity <> 0 AND p.id NOT IN (SELECT id FROM fitting)`,
      sql`ALTER TABLE positions DROP COLUMN stop_price, DROP COLUMN target_price, ADD COLUMN disputed_at timestamptz`,
      sql`ALTER TABLE accounts RENAME COLUMN fills_sequence TO fills_cursor`,
      sql`ALTER TABLE accounts ALTER COLUMN fills_cursor TYPE text USING fills_cursor::text`
    ],
    { discard: true }
  )
)
