/**
 * Tables of the venue, as forward-only migrations.
 *
 * They live in the venue's own schema, with a migrations table of their own. One statement per query: the client speaks
 * the extended protocol only.
 *
 * Promises: `create_requests` and `orders` survive every kill, so a judge can compare what was requested with what was created;
 * fills are numbered without gaps in the order in which they were committed.
 * Never: refers to a table of holdfast.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

const init = SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE accounts (
        id text PRIMARY KEY,
        starting_cash numeric NOT NULL,
        cash numeric NOT NULL,
        created_at timestamptz NOT NULL
      )`,
      // What arrived at POST /orders, counted before anything else is done with it. '' stands for no client order id.
      sql`CREATE TABLE create_requests (
        client_order_id text PRIMARY KEY,
        received bigint NOT NULL DEFAULT 0,
        created bigint NOT NULL DEFAULT 0,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL
      )`,
      sql`CREATE TABLE orders (
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        id uuid PRIMARY KEY,
        client_order_id text,
        account text NOT NULL REFERENCES accounts (id),
        symbol text NOT NULL,
        side text NOT NULL CHECK (side IN ('buy', 'sell')),
        type text NOT NULL CHECK (type IN ('market', 'limit')),
        quantity numeric NOT NULL CHECK (quantity > 0),
        limit_price numeric CHECK (limit_price > 0),
        time_in_force text NOT NULL CHECK (time_in_force IN ('day', 'gtc', 'ioc')),
        status text NOT NULL CHECK (status IN ('open', 'partially_filled', 'filled', 'cancelled', 'expired', 'rejected')),
        filled_quantity numeric NOT NULL DEFAULT 0 CHECK (filled_quantity <= quantity),
        average_price numeric,
        reserved numeric NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`,
      sql`CREATE INDEX orders_by_client_id ON orders (account, client_order_id, seq)`,
      sql`CREATE INDEX orders_open ON orders (seq) WHERE status IN ('open', 'partially_filled')`,
      sql`CREATE INDEX orders_by_account ON orders (account, seq)`,
      sql`CREATE TABLE fills (
        sequence bigint PRIMARY KEY,
        trade_id text NOT NULL UNIQUE,
        order_id uuid NOT NULL REFERENCES orders (id),
        account text NOT NULL,
        quantity numeric NOT NULL CHECK (quantity > 0),
        price numeric NOT NULL CHECK (price > 0),
        fee numeric NOT NULL DEFAULT 0,
        at timestamptz NOT NULL
      )`,
      sql`CREATE INDEX fills_by_account ON fills (account, sequence)`,
      sql`CREATE TABLE positions (
        account text NOT NULL REFERENCES accounts (id),
        symbol text NOT NULL,
        quantity numeric NOT NULL,
        average_price numeric NOT NULL,
        PRIMARY KEY (account, symbol)
      )`,
      // One row, locked by every fill: numbers become visible in their own order, so a client's cursor never skips one.
      sql`CREATE TABLE fill_sequence (single boolean PRIMARY KEY DEFAULT true CHECK (single), value bigint NOT NULL)`,
      sql`INSERT INTO fill_sequence (value) VALUES (0)`,
      sql`CREATE TABLE price_overrides (symbol text PRIMARY KEY, price numeric NOT NULL CHECK (price > 0))`
    ],
    { discard: true }
  )
)

const stopOrders = SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE orders DROP CONSTRAINT orders_type_check,
        ADD CONSTRAINT orders_type_check CHECK (type IN ('market', 'limit', 'stop', 'stop_limit')),
        ADD COLUMN stop_price numeric CHECK (stop_price > 0),
        ADD COLUMN triggered_at timestamptz`
    ],
    { discard: true }
  )
)

export const migrations = { "0001_init": init, "0002_stop-orders": stopOrders }
