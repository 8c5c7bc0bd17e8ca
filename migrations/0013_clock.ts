/**
 * 0013 the clock of the database: `hf_now()` and `hf_clock()`, in place of PostgreSQL's own.
 *
 * A simulation drives time through the database as well as through the process, so SQL asks functions of ours: the setting
 * `holdfast.now` of a session overrides both. `hf_now()` is the instant of the transaction and STABLE: an index condition
 * may use it, and whatever one transaction writes bears one time. `hf_clock()` goes on within a statement: what a lock
 * delayed (a lease, a permit) must be judged by the time at which it runs.
 *
 * Promises: without the setting, the same instants as before; the defaults of columns follow the setting too.
 * Never: changes a row.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE FUNCTION hf_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
        $$ SELECT coalesce(nullif(current_setting('holdfast.now', true), '')::timestamptz, now()) $$`,
      sql`CREATE FUNCTION hf_clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS
        $$ SELECT coalesce(nullif(current_setting('holdfast.now', true), '')::timestamptz, clock_timestamp()) $$`,
      // By name: an external database may hold tables of others.
      sql`DO $$
        DECLARE c record;
        BEGIN
          FOR c IN SELECT table_name, column_name, column_default FROM information_schema.columns
            WHERE table_schema = current_schema() AND column_default IN ('now()', 'clock_timestamp()')
              AND table_name IN ('signals', 'enriched_signals', 'signal_metadata', 'decisions', 'accounts', 'orders',
                'order_events', 'positions', 'trade_records', 'trade_strategy_link', 'trading_state', 'alerts', 'dead_letters',
                'circuit_breakers', 'position_shares', 'installation', 'account_cash_flows', 'nodes')
          LOOP
            EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET DEFAULT %s', c.table_name, c.column_name,
              CASE c.column_default WHEN 'now()' THEN 'hf_now()' ELSE 'hf_clock()' END);
          END LOOP;
        END $$`
    ],
    { discard: true }
  )
)
