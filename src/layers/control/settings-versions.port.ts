/**
 * Settings versions: the port to which settings were in force when.
 *
 * Promises: a version is stored once, a change each time that it is applied.
 * Never: gets a secret: settings arrive redacted.
 */
import { Context, type Effect } from "effect"
import type { DatabaseError } from "../database/database.port.ts"

export interface SettingsChange {
  readonly version: string
  /** The settings with every secret replaced. */
  readonly settings: Readonly<Record<string, unknown>>
  /** The node that runs under it from now on. */
  readonly node: string
  /** Which process of it: copies of a DATA_DIR share a node, and run under settings of their own. */
  readonly life: string | null
  /** `start`, or who asked for the reload. */
  readonly by: string
  /** Names of the settings that changed; none at a start. */
  readonly changed: ReadonlyArray<string>
  readonly at: Date
}

export class SettingsVersions extends Context.Service<
  SettingsVersions,
  { readonly record: (change: SettingsChange) => Effect.Effect<void, DatabaseError> }
>()("holdfast/layers/SettingsVersions") {}
