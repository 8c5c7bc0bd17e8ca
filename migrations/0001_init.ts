/**
 * 0001 init: every table of the first holdfast.
 *
 * One statement per query, because the client speaks the extended protocol only. Money and quantity are
 * `numeric` without a scale: venues disagree about decimals, and rounding is a decision of the domain,
 * never of a column. Times are `timestamptz`, always written from the database's clock.
 *
 * Promises: the constraints here are the last line of the guards named in the truth tables (identity,
 * one decision per signal, one order per intent, one fill per trade, one live exit per position).
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      // What was received. `identity` is unique per source for good: it is what makes a second post a duplicate.
      // `metadata` rows (a body with snapshot_id) share the identity rules and are never claimed for trading.
      sql`CREATE TABLE signals (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        kind text NOT NULL CHECK (kind IN ('signal', 'metadata')),
        source text NOT NULL,
        identity text NOT NULL,
        identity_kind text NOT NULL CHECK (identity_kind IN ('explicit', 'hash', 'bucket')),
        body_hash text NOT NULL,
        body jsonb NOT NULL,
        symbol text,
        action text CHECK (action IN ('BUY', 'SELL')),
        direction text CHECK (direction IN ('LONG', 'SHORT', 'CALL', 'PUT')),
        timeframe text,
        fired_at timestamptz,
        expires_from timestamptz,
        quantity numeric,
        price numeric,
        strategy text,
        strike numeric,
        expiration date,
        request_id text NOT NULL,
        experiment_id text,
        variant text,
        answer jsonb NOT NULL,
        status text NOT NULL DEFAULT 'received'
          CHECK (status IN ('received', 'processing', 'done', 'rejected', 'dead')),
        reason text,
        claim uuid,
        lease_until timestamptz,
        attempts integer NOT NULL DEFAULT 0,
        received_at timestamptz NOT NULL DEFAULT now(),
        decided_at timestamptz,
        UNIQUE (source, identity)
      )`,
      sql`CREATE INDEX signals_open ON signals (seq) WHERE status IN ('received', 'processing')`,
      sql`CREATE INDEX signals_bucket ON signals (source, body_hash) WHERE identity_kind = 'bucket'`,

      sql`CREATE TABLE enriched_signals (
        signal_id uuid PRIMARY KEY REFERENCES signals (id),
        symbol text NOT NULL,
        bid numeric,
        ask numeric,
        last numeric,
        quoted_at timestamptz,
        enriched_at timestamptz NOT NULL DEFAULT now()
      )`,

      sql`CREATE TABLE signal_metadata (
        snapshot_id uuid PRIMARY KEY,
        signal_id uuid NOT NULL UNIQUE REFERENCES signals (id),
        pair text NOT NULL,
        trigger text NOT NULL,
        buy_score double precision NOT NULL,
        sell_score double precision NOT NULL,
        order_id text,
        side text CHECK (side IN ('buy', 'sell')),
        received_at timestamptz NOT NULL DEFAULT now(),
        linked_at timestamptz
      )`,
      sql`CREATE INDEX signal_metadata_unlinked ON signal_metadata (pair, received_at) WHERE linked_at IS NULL`,
      sql`CREATE INDEX signal_metadata_order ON signal_metadata (order_id) WHERE order_id IS NOT NULL`,

      // One decision per signal, for good: the primary key is the guard of T4.
      sql`CREATE TABLE decisions (
        signal_id uuid PRIMARY KEY REFERENCES signals (id),
        engine text NOT NULL,
        experiment_id text NOT NULL,
        variant text NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('ordered', 'denied', 'held', 'ignored')),
        reason text,
        checks jsonb NOT NULL,
        shadow jsonb,
        decided_at timestamptz NOT NULL DEFAULT now()
      )`,

      // `fence` rises with every activation of the executor; a write that carries an older one changes no row.
      sql`CREATE TABLE accounts (
        id text PRIMARY KEY,
        venue text NOT NULL,
        starting_cash numeric NOT NULL,
        enabled boolean NOT NULL DEFAULT true,
        fence bigint NOT NULL DEFAULT 0,
        owner text,
        lease_until timestamptz,
        reconciled_at timestamptz,
        -- The venue's fill sequence up to which every fill is stored. Only a complete catch-up advances it: the stream
        -- may deliver fill 10 while 9 was lost with the last connection.
        fills_sequence numeric,
        created_at timestamptz NOT NULL DEFAULT now()
      )`,

      // The complete order, committed before any broker hears of it.
      sql`CREATE TABLE orders (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        client_order_id text NOT NULL UNIQUE,
        signal_id uuid REFERENCES signals (id),
        account text NOT NULL REFERENCES accounts (id),
        strategy text NOT NULL,
        leg integer NOT NULL DEFAULT 0,
        intent text NOT NULL CHECK (intent IN ('entry', 'reduce')),
        symbol text NOT NULL,
        side text NOT NULL CHECK (side IN ('buy', 'sell')),
        type text NOT NULL CHECK (type IN ('market', 'limit')),
        quantity numeric NOT NULL CHECK (quantity > 0),
        limit_price numeric CHECK (limit_price > 0),
        time_in_force text NOT NULL CHECK (time_in_force IN ('day', 'gtc', 'ioc')),
        status text NOT NULL CHECK (status IN ('intended', 'denied', 'submitting', 'acked', 'partially_filled',
          'pending_cancel', 'filled', 'cancelled', 'expired', 'rejected', 'unknown', 'resolving', 'held',
          'expired_unsent', 'needs_operator')),
        attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
        source text NOT NULL,
        venue text NOT NULL,
        venue_order_id text,
        filled_quantity numeric NOT NULL DEFAULT 0,
        average_price numeric,
        reason text,
        fence bigint,
        sends integer NOT NULL DEFAULT 0,
        position_id uuid,
        position_epoch integer,
        exit_number integer,
        exit_kind text,
        valid_until timestamptz,
        sent_at timestamptz,
        resolve_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        settled_at timestamptz,
        UNIQUE (signal_id, account, strategy, leg),
        UNIQUE (account, position_id, position_epoch, exit_number),
        CHECK ((intent = 'entry') = (position_id IS NULL)),
        CHECK (type <> 'limit' OR limit_price IS NOT NULL)
      )`,
      sql`CREATE INDEX orders_open ON orders (account, seq) WHERE status IN ('intended', 'submitting', 'acked',
        'partially_filled', 'pending_cancel', 'unknown', 'resolving', 'held', 'needs_operator')`,
      sql`CREATE INDEX orders_venue_id ON orders (venue, venue_order_id) WHERE venue_order_id IS NOT NULL`,
      sql`CREATE INDEX orders_unsettled ON orders (account, updated_at)
        WHERE settled_at IS NULL AND status IN ('filled', 'cancelled', 'expired', 'rejected')`,
      // One live exit per position (T4): two exit monitors, or one that restarts, can never reduce twice at once.
      sql`CREATE UNIQUE INDEX orders_one_live_exit ON orders (position_id) WHERE intent = 'reduce' AND status IN (
        'intended', 'submitting', 'acked', 'partially_filled', 'pending_cancel', 'unknown', 'resolving', 'held',
        'needs_operator')`,

      // Every transition an order made, and every event it refused as illegal.
      sql`CREATE TABLE order_events (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        order_id uuid NOT NULL REFERENCES orders (id),
        event text NOT NULL,
        from_status text NOT NULL,
        to_status text NOT NULL,
        legal boolean NOT NULL DEFAULT true,
        fence bigint,
        detail jsonb NOT NULL DEFAULT '{}',
        at timestamptz NOT NULL DEFAULT now()
      )`,
      sql`CREATE INDEX order_events_order ON order_events (order_id, seq)`,

      sql`CREATE TABLE positions (
        id uuid PRIMARY KEY,
        account text NOT NULL REFERENCES accounts (id),
        symbol text NOT NULL,
        epoch integer NOT NULL DEFAULT 1,
        quantity numeric NOT NULL DEFAULT 0,
        average_price numeric NOT NULL DEFAULT 0,
        realised_pnl numeric NOT NULL DEFAULT 0,
        stop_price numeric,
        target_price numeric,
        confirmed_quantity numeric,
        confirmed_at timestamptz,
        exits integer NOT NULL DEFAULT 0,
        opened_at timestamptz,
        closed_at timestamptz,
        updated_at timestamptz NOT NULL DEFAULT now(),
        version integer NOT NULL DEFAULT 1,
        UNIQUE (account, symbol)
      )`,

      // Fills. A fill is a fact: stored once per trade of the venue, never refused.
      sql`CREATE TABLE trade_records (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        venue text NOT NULL,
        account text NOT NULL,
        symbol text NOT NULL,
        venue_order_id text NOT NULL,
        trade_id text NOT NULL,
        client_order_id text,
        order_id uuid REFERENCES orders (id),
        position_id uuid REFERENCES positions (id),
        side text NOT NULL CHECK (side IN ('buy', 'sell')),
        quantity numeric NOT NULL CHECK (quantity > 0),
        price numeric NOT NULL CHECK (price > 0),
        fee numeric NOT NULL DEFAULT 0,
        realised_pnl numeric NOT NULL DEFAULT 0,
        source text NOT NULL,
        order_time timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (venue, account, symbol, venue_order_id, trade_id)
      )`,
      sql`CREATE INDEX trade_records_order ON trade_records (order_id)`,
      sql`CREATE INDEX trade_records_symbol ON trade_records (symbol, order_time)`,

      sql`CREATE TABLE trade_strategy_link (
        trade_record_id uuid PRIMARY KEY REFERENCES trade_records (id),
        order_id uuid REFERENCES orders (id),
        signal_id uuid REFERENCES signals (id),
        strategy text NOT NULL,
        snapshot_id uuid REFERENCES signal_metadata (snapshot_id),
        linked_by text NOT NULL CHECK (linked_by IN ('client_order_id', 'order_id', 'window')),
        linked_at timestamptz NOT NULL DEFAULT now()
      )`,
      sql`CREATE INDEX trade_strategy_link_order ON trade_strategy_link (order_id)`,
      sql`CREATE INDEX trade_strategy_link_signal ON trade_strategy_link (signal_id)`,

      sql`CREATE TABLE trading_state (
        scope text PRIMARY KEY,
        state text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
        reason text NOT NULL,
        changed_by text NOT NULL,
        version integer NOT NULL DEFAULT 1,
        changed_at timestamptz NOT NULL DEFAULT now()
      )`,
      sql`INSERT INTO trading_state (scope, state, reason, changed_by) VALUES ('global', 'ACTIVE', 'first start', 'system')`,

      sql`CREATE TABLE waves (
        feed text NOT NULL,
        wave timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        status text NOT NULL CHECK (status IN ('expected', 'processing', 'done', 'missed')),
        owner text,
        epoch integer NOT NULL DEFAULT 0,
        lease_until timestamptz,
        successful integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        skipped integer NOT NULL DEFAULT 0,
        duration_ms integer,
        reason text,
        PRIMARY KEY (feed, wave)
      )`,

      sql`CREATE TABLE alerts (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        severity text NOT NULL CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
        kind text NOT NULL,
        dedup_key text NOT NULL,
        message text NOT NULL,
        component text,
        detail jsonb NOT NULL DEFAULT '{}',
        occurrences integer NOT NULL DEFAULT 1,
        version integer NOT NULL DEFAULT 1,
        first_at timestamptz NOT NULL DEFAULT now(),
        last_at timestamptz NOT NULL DEFAULT now(),
        acknowledged_at timestamptz
      )`,
      sql`CREATE UNIQUE INDEX alerts_open ON alerts (dedup_key) WHERE acknowledged_at IS NULL`,

      sql`CREATE TABLE dead_letters (
        id uuid PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        origin text NOT NULL,
        reference text,
        reason text NOT NULL,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        replayed_at timestamptz
      )`,

      sql`CREATE TABLE actor_events (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        path text NOT NULL,
        event text NOT NULL,
        detail jsonb NOT NULL DEFAULT '{}'
      )`,
      sql`CREATE INDEX actor_events_at ON actor_events (at)`,

      sql`CREATE TABLE circuit_breakers (
        id text PRIMARY KEY,
        state text NOT NULL CHECK (state IN ('CLOSED', 'OPEN', 'HALF_OPEN')),
        reason text,
        changed_by text NOT NULL,
        opened_at timestamptz,
        version integer NOT NULL DEFAULT 1,
        changed_at timestamptz NOT NULL DEFAULT now()
      )`
    ],
    { discard: true }
  )
)
