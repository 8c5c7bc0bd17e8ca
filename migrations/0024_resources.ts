/**
 * 0024 resources: the history of what each process had left (E9, T13).
 *
 * One row a minute and process, with the worst of each figure in that minute, so that a burst of five seconds is in the history
 * of last week as well.
 *
 * Promises: additive.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE resource_samples (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        -- Null: a process that holds no data directory yet.
        node text,
        state text NOT NULL,
        shed jsonb NOT NULL,
        rss_bytes double precision NOT NULL,
        heap_used_bytes double precision NOT NULL,
        heap_limit_bytes double precision NOT NULL,
        loop_ms double precision NOT NULL,
        disk_free_pct double precision,
        pool_waiting integer NOT NULL,
        queue_ms double precision NOT NULL
      )`,
      sql`CREATE INDEX resource_samples_at ON resource_samples (at)`
    ],
    { discard: true }
  )
)
