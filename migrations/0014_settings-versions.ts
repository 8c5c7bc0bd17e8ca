/**
 * 0014 settings versions: what ran when, by hash, and who applied it.
 *
 * A decision is explained by the settings under which it was made. They are kept as they are shown, without secrets; the
 * version tells two of them apart, secrets included.
 *
 * Promises: additive.
 * Never: holds a secret.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE settings_versions (
        version text PRIMARY KEY,
        settings jsonb NOT NULL,
        first_at timestamptz NOT NULL DEFAULT hf_now()
      )`,
      // One row each time that a process begins to run under a version: at its start, at a reload, at a step back.
      sql`CREATE TABLE settings_changes (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        version text NOT NULL REFERENCES settings_versions (version),
        node text NOT NULL,
        by text NOT NULL,
        changed text[] NOT NULL,
        at timestamptz NOT NULL DEFAULT hf_now()
      )`
    ],
    { discard: true }
  )
)
