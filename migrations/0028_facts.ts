/**
 * 0028 facts: what a decision was made from is stored with it (T15).
 *
 * Decisions from before have none, and cannot be decided again.
 *
 * Promises: additive; no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) => sql`ALTER TABLE decisions ADD COLUMN facts jsonb`)
