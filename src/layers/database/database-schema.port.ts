/**
 * Database schema: the port behind which migrations are applied.
 *
 * Promises: `apply` either leaves the schema exactly at the version of this code, or changes nothing and reports why;
 * safe to call from several processes at once; forward only.
 * Never: downgrades, edits an applied migration, or serves on a schema that is newer than the code.
 */
import { Context, Data, type Effect } from "effect"
import type { DatabaseUnavailable } from "./database.port.ts"

/** The database was migrated by a newer holdfast: ids are the highest applied and the highest known. */
export class SchemaNewer extends Data.TaggedError("SchemaNewer")<{
  readonly database: number
  readonly code: number
  readonly hint: string
}> {}

/** One migration, or the numbering itself, is wrong; `name` is its file ("0002_waves"). Nothing was applied. */
export class MigrationFailed extends Data.TaggedError("MigrationFailed")<{
  readonly name: string
  readonly cause: unknown
  readonly hint: string
}> {}

export interface SchemaReport {
  /** Names applied by this call, in order. Empty when the schema was current. */
  readonly applied: ReadonlyArray<string>
  /** Highest applied id now. */
  readonly version: number
}

export type SchemaError = SchemaNewer | MigrationFailed | DatabaseUnavailable

export interface DatabaseSchemaService {
  readonly apply: Effect.Effect<SchemaReport, SchemaError>
}

export class DatabaseSchema extends Context.Service<DatabaseSchema, DatabaseSchemaService>()(
  "holdfast/layers/DatabaseSchema"
) {}
