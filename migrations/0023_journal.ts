/**
 * 0023 journal: entries of `actor_events` get the number and the process they had in memory.
 *
 * The table had a row for whatever somebody wrote into it; now it has the journal of each process, whose entries are numbered
 * without gaps there. `seq` stays what retention walks by; `number` and `boot` are the identity of an entry, so a batch whose
 * commit nobody saw can be stored again. `node` is whose processes a reader follows; it is not in the index, because most
 * databases have one node and each transition pays for the index. Rows from before, and those that SQL writes by itself, have neither.
 *
 * Promises: additive; no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE actor_events
        ADD COLUMN node text,
        ADD COLUMN boot uuid,
        ADD COLUMN number bigint,
        ADD COLUMN type text CHECK (type IN ('transition', 'restart', 'component', 'alert', 'order', 'health')),
        ADD COLUMN incarnation integer,
        ADD COLUMN from_state text,
        ADD COLUMN to_state text,
        ADD COLUMN state_since timestamptz,
        ADD COLUMN cause text,
        ADD COLUMN correlation_id text,
        ADD CONSTRAINT actor_events_numbered CHECK
          (num_nonnulls(node, boot, number, type) IN (0, 4))`,
      sql`CREATE UNIQUE INDEX actor_events_number ON actor_events (number, boot) WHERE number IS NOT NULL`
    ],
    { discard: true }
  )
)
