/**
 * Configuration loader: reads the file and the environment, once, before anything else exists.
 *
 * It is a plain function and not a layer, because a refused configuration must end the process with status 78
 * before a tree, a logger or a listener could make it look started.
 *
 * Promises: all problems at once; a file named by HOLDFAST_CONFIG that is missing is a problem, the default
 * file that is missing is not; the file is read as strictly as a webhook: a key given twice is a problem, because
 * nobody can know which of the two was meant.
 * Never: prints, exits or keeps a secret outside `Redacted`; repeats the file in a problem.
 * Failure: an unreadable file or invalid JSON is a problem with the file's path.
 */
import { errorCodeOf } from "./error-code.ts"
import { Result } from "effect"
import { readFileSync, statSync } from "node:fs"
import { resolve } from "node:path"
import { settingsLimits } from "../../domain/kernel/limits.ts"
import { fieldOf, isJsonObject } from "../../domain/kernel/canonical-json.ts"
import { readJsonText } from "../../domain/kernel/json-reader.ts"
import { describeSettings } from "../../domain/kernel/settings-shown.ts"
import { resolveSettings } from "./config.resolve.ts"
import type { Settings, SettingsProblem } from "../../domain/kernel/settings.ts"
import { plainEnvironment } from "../../domain/kernel/settings-text.ts"

type FileResult = Result.Result<unknown, ReadonlyArray<SettingsProblem>>

/** The text of a file as editors save it: UTF-8 or UTF-16 with a byte order mark, or UTF-8 without; null for another. */
export const decodeText = (bytes: Uint8Array): string | null => {
  const [first, second] = bytes
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8"
  try {
    // The decoder strips the byte order mark.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

/** A text as the file; `path` names it in problems. */
const parseText = (text: string, path: string): FileResult =>
  Result.mapError(readJsonText(text, settingsLimits), (refused) => [
    refused.reason === "syntax"
      ? {
          path,
          message: `is not JSON: ${refused.path === "" ? "" : `${refused.path}: `}${refused.message}`
        }
      : { path: refused.path === "" ? path : refused.path, message: refused.message }
  ])

type Environment = Readonly<Record<string, string | undefined>>

/** What HOLDFAST_CONFIG names; undefined where it names nothing. */
const namedIn = (environment: Environment): string | undefined => {
  const named = plainEnvironment(environment).environment["HOLDFAST_CONFIG"]
  return named === "" ? undefined : named
}

const pathOf = (named: string | undefined, cwd: string): string => resolve(cwd, named ?? "holdfast.json")

/** Where the configuration file of this process is, or would be. */
export const settingsPath = (environment: Environment, cwd: string): string =>
  pathOf(namedIn(environment), cwd)

const readFile = (named: string | undefined, cwd: string): FileResult => {
  const path = pathOf(named, cwd)
  let bytes: Uint8Array
  try {
    const { size } = statSync(path)
    if (size > settingsLimits.fileBytesMax) {
      return Result.fail([{ path, message: `must be at most ${settingsLimits.fileBytesMax} bytes` }])
    }
    bytes = readFileSync(path)
  } catch (error) {
    if (named === undefined && errorCodeOf(error) === "ENOENT") return Result.succeed(undefined)
    return Result.fail([
      { path: "HOLDFAST_CONFIG", message: `cannot read ${path}: ${String(errorCodeOf(error) ?? error)}` }
    ])
  }
  const text = decodeText(bytes)
  if (text === null) return Result.fail([{ path, message: "is not UTF-8 text; save it as UTF-8" }])
  return parseText(text, path)
}

/** The text of the file of a secret. */
const readSecret = (path: string): Result.Result<string, string> => {
  try {
    const { size } = statSync(path)
    if (size > settingsLimits.secretBytesMax)
      return Result.fail(`${path} has more than ${settingsLimits.secretBytesMax} bytes`)
    return Result.succeed(readFileSync(path, "utf8"))
  } catch (error) {
    return Result.fail(`cannot read ${path}: ${String(errorCodeOf(error) ?? error)}`)
  }
}

/** One configuration over another: objects by their keys, anything else whole. */
const laidOver = (file: unknown, changes: unknown): unknown =>
  isJsonObject(file) && isJsonObject(changes)
    ? {
        ...file,
        ...Object.fromEntries(
          Object.entries(changes).map(([key, value]) => [key, laidOver(fieldOf(file, key), value)])
        )
      }
    : changes

/** Loads and resolves the settings of this process, with `changes` laid over the file where they are given; `text`: of another file. */
export const loadSettings = (
  environment: Environment,
  cwd: string,
  stdoutIsTerminal: boolean,
  { changes, text }: { readonly changes?: unknown; readonly text?: string } = {}
): Result.Result<Settings, ReadonlyArray<SettingsProblem>> => {
  const named = namedIn(environment)
  const file = text === undefined ? readFile(named, cwd) : parseText(text, pathOf(named, cwd))
  if (Result.isFailure(file)) return Result.fail(file.failure)
  const whole = changes === undefined ? file.success : laidOver(file.success, changes)
  return resolveSettings({
    environment,
    file: whole,
    cwd,
    stdoutIsTerminal,
    resolvePath: resolve,
    readSecret
  })
}

/** Every value by its path. */
const leavesOf = (value: unknown, path: string): ReadonlyArray<readonly [path: string, value: unknown]> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]]
  const entries = Object.entries(value)
  return entries.length === 0
    ? [[path, value]]
    : entries.flatMap(([key, inner]) => leavesOf(inner, path === "" ? key : `${path}.${key}`))
}

/** What `--check-config` prints for a person: one line for each problem or warning, then the settings in effect. */
export const settingsReport = (
  outcome: Result.Result<Settings, ReadonlyArray<SettingsProblem>>,
  warnings: ReadonlyArray<SettingsProblem>
): ReadonlyArray<string> => {
  if (Result.isFailure(outcome)) {
    const { length } = outcome.failure
    return [
      ...outcome.failure.map(({ message, path }) => `${path}: ${message}`),
      "",
      `${length === 1 ? "1 problem" : `${length} problems`}: the service would not start (exit status 78)`
    ]
  }
  const leaves = leavesOf(describeSettings(outcome.success), "")
  const width = Math.max(...leaves.map(([path]) => path.length))
  const shown = leaves.map(
    ([path, value]) => `${path.padEnd(width)}  ${typeof value === "string" ? value : JSON.stringify(value)}`
  )
  return [...warnings.map(({ message, path }) => `warning: ${path}: ${message}`), ...shown]
}
