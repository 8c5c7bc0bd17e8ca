/**
 * 0039 paper orders: what shadow strategies have resting on paper, and what their fills cost (G5).
 *
 * An order that waits for its price lived only in the decision that planned it, and was never filled. Now it is a row until it
 * fills or is over, apart from the orders of accounts, so that nothing that sends can find it. A holding carries the fees of what
 * opened it until its closes bear them, and remembers the signal that opened it, to which its profit is counted.
 *
 * Promises: additive; what was traded on paper before had no fees, and so keeps its profit.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE paper_orders (
        -- That its row of orders would have.
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        signal_id uuid NOT NULL REFERENCES signals (id) ON DELETE CASCADE,
        strategy text NOT NULL,
        account text NOT NULL REFERENCES accounts (id),
        leg int NOT NULL,
        symbol text NOT NULL,
        side text NOT NULL CHECK (side IN ('buy', 'sell')),
        intent text NOT NULL CHECK (intent IN ('entry', 'reduce')),
        quantity numeric NOT NULL CHECK (quantity > 0),
        limit_price numeric,
        stop_price numeric,
        -- The market has reached its stop; stored, because it may have left it since.
        triggered boolean NOT NULL DEFAULT false,
        -- Null: until it is cancelled.
        expires_at timestamptz,
        placed_at timestamptz NOT NULL DEFAULT hf_clock(),
        CHECK (limit_price IS NOT NULL OR stop_price IS NOT NULL)
      )`,
      sql`CREATE INDEX paper_orders_signal ON paper_orders (signal_id)`,
      sql`ALTER TABLE paper_positions ADD COLUMN fees numeric NOT NULL DEFAULT 0`,
      sql`ALTER TABLE paper_positions ADD COLUMN opened_by uuid`,
      // The profit of a close is net of its own fee and of its part of those that opened it.
      sql`ALTER TABLE paper_trades ADD COLUMN fee numeric NOT NULL DEFAULT 0`,
      // The signal whose holding it opened, added to or closed.
      sql`ALTER TABLE paper_trades ADD COLUMN opened_by uuid`,
      sql`CREATE INDEX paper_trades_opened_by ON paper_trades (opened_by) WHERE opened_by IS NOT NULL`
    ],
    { discard: true }
  )
)
