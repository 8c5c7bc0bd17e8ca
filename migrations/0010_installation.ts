/**
 * 0010 installation: what a database remembers of the settings it is used under.
 *
 * Practice positions in a PAPER service blocked its entries, and a changed starting cash was ignored. The mode of the
 * first start is kept, and each change of an account's starting cash is a row: a deposit or a withdrawal.
 *
 * Promises: a database that exists is taken to be of the mode of its next start; there is one row, or none yet.
 * Never: changes a row that exists; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE installation (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        mode text NOT NULL CHECK (mode IN ('PRACTICE', 'PAPER', 'LIVE')),
        since timestamptz NOT NULL DEFAULT now()
      )`,
      // Signed: a deposit is positive, a withdrawal negative.
      sql`CREATE TABLE account_cash_flows (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account text NOT NULL REFERENCES accounts (id),
        amount numeric NOT NULL CHECK (amount <> 0),
        cash_before numeric NOT NULL,
        cash_after numeric NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
      )`,
      sql`CREATE INDEX account_cash_flows_account ON account_cash_flows (account, seq)`
    ],
    { discard: true }
  )
)
