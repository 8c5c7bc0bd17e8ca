/**
 * 0035 order types: what a signal says of its order, and orders that rest at the venue.
 *
 * `expires_at` is ours: when the session of a `day` order is over. A venue ends such an order by its own day, which may be another,
 * so the executor cancels what is still there.
 *
 * Promises: additive; a price stands exactly where the kind of order has one.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE signals
        ADD COLUMN order_type text CHECK (order_type IN ('market', 'limit', 'stop', 'stop_limit')),
        ADD COLUMN limit_price numeric CHECK (limit_price > 0),
        ADD COLUMN stop_price numeric CHECK (stop_price > 0),
        ADD COLUMN time_in_force text CHECK (time_in_force IN ('day', 'gtc', 'ioc'))`,
      sql`ALTER TABLE orders
        DROP CONSTRAINT orders_type_check,
        ADD CONSTRAINT orders_type_check CHECK (type IN ('market', 'limit', 'stop', 'stop_limit')),
        ADD COLUMN stop_price numeric CHECK (stop_price > 0),
        ADD COLUMN expires_at timestamptz`,
      sql`ALTER TABLE orders
        ADD CONSTRAINT orders_limit_price CHECK ((type IN ('limit', 'stop_limit')) = (limit_price IS NOT NULL)) NOT VALID,
        ADD CONSTRAINT orders_stop_price CHECK ((type IN ('stop', 'stop_limit')) = (stop_price IS NOT NULL)) NOT VALID`,
      // Looked through at every look of an account for work; there are few, and orders at market are none of them.
      sql`CREATE INDEX orders_resting ON orders (account, symbol) WHERE type <> 'market' AND status IN ('acked', 'partially_filled')`
    ],
    { discard: true }
  )
)
