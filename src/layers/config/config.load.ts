/**
 * Configuration loader: reads the file and the environment, once, before anything else exists.
 *
 * It is a plain function and not a layer, because a refused configuration must end the process with status 78
 * before a tree, a logger or a listener could make it look started.
 *
 * Promises: all problems at once; a file named by HOLDFAST_CONFIG that is missing is a problem, the default
 * file that is missing is not.
 * Never: prints, exits or keeps a secret outside of `Redacted`.
 * Failure: an unreadable file or invalid JSON is a problem with the file's path.
 */
import { Redacted, Result } from "effect"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { resolveSettings } from "../../domain/settings-resolve.ts"
import type { Settings, SettingsProblem } from "../../domain/settings.ts"

type FileResult = Result.Result<unknown, ReadonlyArray<SettingsProblem>>

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined

const readFile = (named: string | undefined, cwd: string): FileResult => {
  const path = resolve(cwd, named ?? "holdfast.json")
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if (named === undefined && codeOf(error) === "ENOENT") return Result.succeed(undefined)
    return Result.fail([
      { path: "HOLDFAST_CONFIG", message: `cannot read ${path}: ${String(codeOf(error) ?? error)}` }
    ])
  }
  try {
    return Result.succeed(JSON.parse(text))
  } catch (error) {
    return Result.fail([
      { path, message: `is not JSON: ${error instanceof Error ? error.message : String(error)}` }
    ])
  }
}

/** Loads and resolves the settings of this process. */
export const loadSettings = (
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
  stdoutIsTerminal: boolean
): Result.Result<Settings, ReadonlyArray<SettingsProblem>> => {
  const named = environment["HOLDFAST_CONFIG"]
  const file = readFile(named === "" ? undefined : named, cwd)
  if (Result.isFailure(file)) return Result.fail(file.failure)
  return resolveSettings({ environment, file: file.success, cwd, stdoutIsTerminal, resolvePath: resolve })
}

/** Every secret in clear text, for the log writer that keeps them out of its lines. */
export const secretTexts = (settings: Settings): ReadonlyArray<string> => {
  const { admin, hmac, webhook } = settings.secrets
  const tokens = Object.values(settings.feeds).map((feed) => feed.token)
  const texts = [admin, hmac, webhook, ...tokens].flatMap((secret) =>
    secret === null ? [] : [Redacted.value(secret)]
  )
  const passwords = settings.databaseUrl === null ? [] : passwordsOf(Redacted.value(settings.databaseUrl))
  return [...texts, ...passwords]
}

/** The password of a URL, as written and as meant; none when there is none or it cannot be read. */
const passwordsOf = (url: string): ReadonlyArray<string> => {
  try {
    const { password } = new URL(url)
    return password === "" ? [] : [...new Set([password, decodeURIComponent(password)])]
  } catch {
    return []
  }
}

/** The settings as plain JSON with every secret replaced, for `--check-config`. */
export const describeSettings = (settings: Settings): Record<string, unknown> => {
  const shown = (secret: unknown): string => (secret === null ? "not set" : "[redacted]")
  return {
    ...settings,
    roles: [...settings.roles],
    databaseUrl:
      settings.databaseUrl === null
        ? "embedded PostgreSQL under dataDir"
        : Redacted.value(settings.databaseUrl).replace(/\/\/([^@/]*)@/, "//[redacted]@"),
    feeds: Object.fromEntries(
      Object.entries(settings.feeds).map(([name, feed]) => [name, { ...feed, token: shown(feed.token) }])
    ),
    secrets: {
      hmac: shown(settings.secrets.hmac),
      webhook: shown(settings.secrets.webhook),
      admin: shown(settings.secrets.admin)
    }
  }
}
