/**
 * 0026 signal mapping: what the fields of a signal were made of, where its source has names and words of its own.
 *
 * The body is stored as it was sent, and the settings that mapped it may have changed since: so what was done is stored with the row.
 *
 * Promises: additive; NULL for sources without a mapping, and for older rows.
 * Never: rewrites a row.
 */
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) => sql`ALTER TABLE signals ADD COLUMN mapped jsonb`)
