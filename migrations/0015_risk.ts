/**
 * 0015 risk: the data of loss limits, equity and venue balances.
 *
 * Loss limits need reference points that survive a restart: the marks of a scope. Profit per strategy follows from its shares;
 * every close is a row, so that consecutive losses can be counted. Equity is sampled per minute. A venue's balance is stored
 * with the book at that time, because it is spent from then on.
 *
 * Promises: fees of positions are those of their trades; existing shares start with zero profit, since it was not recorded.
 * Never: changes a quantity; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE accounts ADD COLUMN venue_cash numeric, ADD COLUMN buying_power numeric,
        ADD COLUMN balance_at timestamptz, ADD COLUMN balance_book jsonb`,
      sql`ALTER TABLE positions ADD COLUMN fees numeric NOT NULL DEFAULT 0`,
      sql`UPDATE positions p SET fees = t.fees FROM (SELECT position_id, sum(fee) AS fees FROM trade_records
        WHERE position_id IS NOT NULL GROUP BY position_id) t WHERE t.position_id = p.id AND t.fees <> 0`,
      sql`ALTER TABLE position_shares ADD COLUMN realised_pnl numeric NOT NULL DEFAULT 0,
        ADD COLUMN fees numeric NOT NULL DEFAULT 0`,
      // One row per order that closed some of a strategy's share, or per trade that no order of ours caused.
      sql`CREATE TABLE closes (
        cause uuid NOT NULL,
        strategy text NOT NULL,
        account text NOT NULL REFERENCES accounts (id),
        symbol text NOT NULL,
        -- Net of the fees of the closing trades.
        profit numeric NOT NULL,
        closed_at timestamptz NOT NULL DEFAULT hf_clock(),
        PRIMARY KEY (cause, strategy)
      )`,
      sql`CREATE INDEX closes_at ON closes (closed_at)`,
      sql`CREATE INDEX closes_account ON closes (account, closed_at)`,
      sql`CREATE INDEX closes_strategy ON closes (strategy, closed_at)`,
      // Reference points of the loss limits of a scope, as total profit and loss.
      sql`CREATE TABLE risk_marks (
        scope text PRIMARY KEY,
        day date NOT NULL,
        day_base numeric NOT NULL,
        high_water numeric NOT NULL,
        pnl numeric NOT NULL,
        -- The first check, or the last resume after a rule had stopped the scope.
        since timestamptz NOT NULL,
        saved_at timestamptz NOT NULL,
        tripped text,
        tripped_at timestamptz
      )`,
      sql`CREATE TABLE equity (
        account text NOT NULL REFERENCES accounts (id),
        at timestamptz NOT NULL,
        cash numeric,
        realised_pnl numeric NOT NULL,
        fees numeric NOT NULL,
        unrealised_pnl numeric,
        equity numeric,
        day_pnl numeric,
        drawdown numeric,
        PRIMARY KEY (account, at)
      )`,
      sql`CREATE INDEX equity_at ON equity (at, account)`,
      sql`CREATE INDEX orders_sent ON orders (sent_at) WHERE intent = 'entry' AND sent_at IS NOT NULL`,
      // Whether the last life of a node was stopped cleanly, and when one last was not.
      sql`ALTER TABLE nodes ADD COLUMN released boolean NOT NULL DEFAULT true, ADD COLUMN crashed_at timestamptz`
    ],
    { discard: true }
  )
)
