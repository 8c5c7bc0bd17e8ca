/**
 * Config: the port through which every component reads its settings.
 *
 * Settings are resolved once, before the tree exists, so that a wrong configuration is exit status 78 and
 * never a half-started service.
 *
 * Promises: complete, cross-checked settings (see domain/settings-resolve.ts).
 * Never: changes at run time.
 */
import { Context } from "effect"
import type { Settings } from "../domain/settings.ts"

export class Config extends Context.Service<Config, Settings>()("holdfast/layers/Config") {}
