/**
 * 0037 stages: whether a strategy trades or runs as a shadow, and what it trades on paper (G5).
 *
 * The row of a strategy is made when a rule first looks at it, or when an operator first changes it. What it holds on paper is one
 * row for each symbol, what it traded there one row for each fill; both are of no broker, so they are apart from positions and
 * trade records, and nothing that counts those can count these by mistake.
 *
 * Promises: additive; every strategy trades as before.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE strategy_stages (
        strategy text PRIMARY KEY,
        stage text NOT NULL CHECK (stage IN ('live', 'shadow')),
        reason text,
        -- As the audit names them: 'rule:<name>' for a rule, 'system' for the first row.
        changed_by text NOT NULL,
        -- What it was changed by, in numbers.
        numbers jsonb NOT NULL DEFAULT '{}',
        version int NOT NULL DEFAULT 1,
        -- Closes count from here.
        since timestamptz NOT NULL DEFAULT hf_clock()
      )`,
      sql`CREATE TABLE paper_positions (
        strategy text NOT NULL,
        account text NOT NULL REFERENCES accounts (id),
        symbol text NOT NULL,
        quantity numeric NOT NULL CHECK (quantity <> 0),
        average_price numeric NOT NULL,
        -- The best price at which it could have been closed; null before its first.
        best_price numeric,
        opened_at timestamptz NOT NULL DEFAULT hf_clock(),
        PRIMARY KEY (strategy, account, symbol)
      )`,
      sql`CREATE TABLE paper_trades (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        -- Null: an exit.
        signal_id uuid REFERENCES signals (id) ON DELETE CASCADE,
        exit_kind text,
        strategy text NOT NULL,
        account text NOT NULL,
        leg int NOT NULL,
        symbol text NOT NULL,
        side text NOT NULL CHECK (side IN ('buy', 'sell')),
        quantity numeric NOT NULL,
        price numeric NOT NULL,
        -- Of what it closed, before fees; null: it closed nothing.
        profit numeric,
        at timestamptz NOT NULL DEFAULT hf_clock(),
        CHECK ((signal_id IS NULL) = (exit_kind IS NOT NULL))
      )`,
      sql`CREATE INDEX paper_trades_closes ON paper_trades (strategy, at) WHERE profit IS NOT NULL`,
      sql`CREATE INDEX paper_trades_signal ON paper_trades (signal_id) WHERE signal_id IS NOT NULL`,
      sql`CREATE INDEX paper_trades_at ON paper_trades (at)`
    ],
    { discard: true }
  )
)
