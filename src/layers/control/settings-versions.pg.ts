/**
 * Settings versions on PostgreSQL.
 *
 * Promises: one transaction per change.
 * Never: rewrites a version that is stored.
 * Failure: `DatabaseUnavailable`; the recorder retries.
 */
import { Effect, Layer } from "effect"
import { Database } from "../database/database.port.ts"
import { SettingsVersions } from "./settings-versions.port.ts"

export const settingsVersionsPg: Layer.Layer<SettingsVersions, never, Database> = Layer.effect(
  SettingsVersions,
  Effect.map(Database, (database) =>
    SettingsVersions.of({
      record: ({ at, by, changed, life, node, settings, version }) =>
        database.transact("settings.record", (sql) =>
          Effect.gen(function* () {
            yield* sql`INSERT INTO settings_versions (version, settings, first_at)
              VALUES (${version}, ${JSON.stringify(settings)}::text::jsonb, ${at}) ON CONFLICT DO NOTHING`
            yield* sql`INSERT INTO settings_changes (version, node, life, by, changed, at)
              VALUES (${version}, ${node}, ${life}, ${by}, ${[...changed]}::text[], ${at})`
          })
        )
    })
  )
)
