/**
 * 0031 restart history: the restarts of the journal can be read without the millions of transitions between them.
 *
 * Whoever looks at one component asks for its restarts, which may be days apart. The index has restarts alone, so no transition pays
 * for it.
 *
 * Promises: additive; no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.asVoid(
    sql`CREATE INDEX actor_events_restarts ON actor_events (number) WHERE type = 'restart' AND number IS NOT NULL`
  )
)
