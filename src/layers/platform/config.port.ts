/**
 * Config: the port through which every component reads its settings.
 *
 * Settings are resolved once, before the tree exists, so that a wrong configuration is exit status 78 and
 * never a half-started service.
 *
 * Promises: complete, cross-checked settings (see config.resolve.ts); what a reload may change (settings-change.ts) has the
 * value in force whenever it is read, everything else the one from the start.
 * Never: mixes two versions in what `snapshotOf` returns: a transaction, a decision and whatever else reads several values
 * that belong together reads them from there.
 */
import { Context, type Result } from "effect"
import type { Settings, SettingsProblem } from "../../domain/kernel/settings.ts"

export class Config extends Context.Service<Config, Settings>()("holdfast/layers/Config") {}

/** Where a view of live settings keeps the way to the settings in force. Not enumerable, so that a copy is plain settings. */
export const IN_FORCE: unique symbol = Symbol("holdfast.settings.in_force")

/**
 * The settings in force now, as an object that never changes: the same object until a reload, so that what is derived from
 * it can be cached by it. Settings that are no view are returned as they are.
 */
export const snapshotOf = (settings: Settings & { readonly [IN_FORCE]?: () => Settings }): Settings =>
  settings[IN_FORCE]?.() ?? settings

export interface SettingsInForceService {
  /** As they are now; this object does not change afterwards. */
  readonly current: () => Settings
  readonly assign: (next: Settings) => void
  /** Calls `heard` after each assignment, for as long as the process lives. */
  readonly onAssign: (heard: (next: Settings, before: Settings) => void) => void
}

/** Where the settings in force are replaced; only the reloader does. */
export class SettingsInForce extends Context.Service<SettingsInForce, SettingsInForceService>()(
  "holdfast/layers/SettingsInForce"
) {}

/** Rereads the configuration, for a reload or a preview; this does not change what is in force. */
export class ConfigReader extends Context.Service<
  ConfigReader,
  {
    readonly read: () => Result.Result<Settings, ReadonlyArray<SettingsProblem>>
    /** As they would be with these changes, which have the form of the configuration file, laid over it. */
    readonly readWith: (changes: unknown) => Result.Result<Settings, ReadonlyArray<SettingsProblem>>
    /** As they would be with this text in the configuration file. */
    readonly readText: (text: string) => Result.Result<Settings, ReadonlyArray<SettingsProblem>>
  }
>()("holdfast/layers/ConfigReader") {}
