/**
 * 0030 drills: faults that practice mode injected on purpose, and the receipt of each (G4).
 *
 * Promises: additive; no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE drills (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL UNIQUE,
        node text NOT NULL,
        life text NOT NULL,
        fault text NOT NULL,
        status text NOT NULL CHECK (status IN ('running', 'passed', 'failed', 'interrupted')),
        by text NOT NULL,
        reason text,
        receipt jsonb,
        begun_at timestamptz NOT NULL,
        ended_at timestamptz,
        CHECK ((status = 'running') = (ended_at IS NULL))
      )`,
      // Two processes of one node must not drill at once.
      sql`CREATE UNIQUE INDEX drills_running ON drills (node) WHERE status = 'running'`
    ],
    { discard: true }
  )
)
