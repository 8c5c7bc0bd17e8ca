/**
 * Config: the port through which every component reads its settings.
 *
 * Settings are resolved once, before the tree exists, so that a wrong configuration is exit status 78 and
 * never a half-started service.
 *
 * Promises: complete, cross-checked settings (see config.resolve.ts).
 * Never: changes at run time.
 */
import { Context, type Result } from "effect"
import type { Settings, SettingsProblem } from "../../domain/kernel/settings.ts"

export class Config extends Context.Service<Config, Settings>()("holdfast/layers/Config") {}

/** Reads the configuration again, for a reload; what is in force does not change by it. */
export class ConfigReader extends Context.Service<
  ConfigReader,
  { readonly read: () => Result.Result<Settings, ReadonlyArray<SettingsProblem>> }
>()("holdfast/layers/ConfigReader") {}
