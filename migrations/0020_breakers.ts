/**
 * 0020 circuit breakers: what a breaker remembers, and the calls that its sliding window counts.
 *
 * The table of 0001 had a state and a reason. A breaker that survives a restart also remembers who opened it, how often in a
 * row, until when it cools down and how many probes have passed. Its window is rows, because several processes call one venue
 * and none of them sees all failures; each process adds what it counted within a second as one row. Rejected: counting order
 * events, which know nothing of look-ups and would need an index on the busiest table.
 *
 * Promises: additive; breakers that exist stay as they are, an open one as if an operator had opened it.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE circuit_breakers ADD COLUMN manual boolean NOT NULL DEFAULT false,
        ADD COLUMN openings integer NOT NULL DEFAULT 0, ADD COLUMN cooldown_until timestamptz,
        ADD COLUMN probes integer NOT NULL DEFAULT 0, ADD COLUMN probe_at timestamptz,
        ADD COLUMN numbers jsonb NOT NULL DEFAULT '{}'`,
      // Nothing opened one by a rule before.
      sql`UPDATE circuit_breakers SET manual = true WHERE state = 'OPEN'`,
      sql`CREATE TABLE breaker_calls (
        -- Of the process that counted: what is stored twice counts once.
        id uuid PRIMARY KEY,
        breaker text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('orders', 'reads')),
        calls integer NOT NULL,
        failures integer NOT NULL,
        at timestamptz NOT NULL
      )`,
      sql`CREATE INDEX breaker_calls_window ON breaker_calls (breaker, at)`,
      sql`CREATE INDEX breaker_calls_at ON breaker_calls (at)`
    ],
    { discard: true }
  )
)
