/**
 * Settings for tests: what the service resolves from a configuration file in practice mode.
 *
 * Promises: goes through the resolution of the service, so a test never runs with settings it would refuse.
 * Never: reads a file or the environment.
 */
import { Result } from "effect"
import { resolveSettings } from "../../src/layers/platform/config.resolve.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"

/** Settings as the service resolves them from this configuration file, in practice mode. */
export const settingsFrom = (file: Record<string, unknown> = {}): Settings => {
  const input = {
    environment: {},
    file,
    cwd: "/tmp",
    stdoutIsTerminal: false,
    resolvePath: (_: string, to: string) => to,
    readSecret: () => Result.fail("there are no files here")
  }
  const resolved = resolveSettings(input)
  if (Result.isFailure(resolved)) throw new Error(JSON.stringify(resolved.failure))
  return resolved.success
}
