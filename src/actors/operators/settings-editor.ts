/**
 * Settings editor: the configuration file as it is shown to be edited, and what an edited text means (G11).
 *
 * Promises: a file that somebody else changed is never taken for the one that was edited; what is shown holds no secret.
 * Never: writes, or applies anything (reloader.ts does).
 */
import { Effect, Result } from "effect"
import { settingsLimits } from "../../domain/kernel/limits.ts"
import { readJsonText } from "../../domain/kernel/json-reader.ts"
import type { Settings, SettingsProblem } from "../../domain/kernel/settings.ts"
import { meantFile, shownFile } from "../../domain/kernel/settings-file-text.ts"
import { secretTexts } from "../../domain/kernel/settings-secrets.ts"
import { NotEditable, type ShownFile } from "../../layers/control/settings-editor.port.ts"
import { ConfigReader, SettingsInForce } from "../../layers/platform/config.port.ts"
import { SettingsFile } from "../../layers/platform/settings-file.port.ts"

/** What is edited where there is no file yet. */
const EMPTY = "{}\n"

const secretsIn = (all: ReadonlyArray<Settings>): ((text: string) => boolean) => {
  const secrets = all.flatMap(secretTexts).filter((secret) => secret !== "")
  return (text) => secrets.some((secret) => text.includes(secret))
}

/** The file as it is now, and which of its texts are secrets. */
const readFile = Effect.gen(function* () {
  const disk = yield* SettingsFile
  const reader = yield* ConfigReader
  const inForce = yield* SettingsInForce
  const file = yield* disk.read.pipe(
    Effect.mapError(({ message }) => new NotEditable({ reason: "unreadable", message }))
  )
  const text = file.text ?? EMPTY
  const json = readJsonText(text, settingsLimits)
  if (Result.isFailure(json))
    return yield* new NotEditable({
      reason: "unreadable",
      message: `${file.path} is not JSON, so it cannot be edited here: ${json.failure.message}`
    })
  const read = reader.readText(text)
  const isSecret = secretsIn([inForce.current(), ...(Result.isSuccess(read) ? [read.success] : [])])
  return { file, text, isSecret }
})

/** The file with a placeholder for every secret. */
export const fileShown = Effect.map(readFile, ({ file, isSecret, text }): ShownFile => ({
  path: file.path,
  version: file.version,
  text: shownFile(text, isSecret)
}))

/** What is meant by a text that was made from the file of this version; problems with their paths where that cannot be told. */
export const editedText = (version: string, edited: string) =>
  Effect.gen(function* () {
    const { file, isSecret, text } = yield* readFile
    if (file.version !== version)
      return yield* new NotEditable({
        reason: "changed",
        message: `${file.path} was changed since it was read: read it again`
      })
    const json = readJsonText(edited, settingsLimits)
    const meant: Result.Result<string, ReadonlyArray<SettingsProblem>> = Result.isFailure(json)
      ? Result.fail([
          {
            path: json.failure.path === "" ? "(the whole file)" : json.failure.path,
            message: json.failure.message
          }
        ])
      : meantFile(edited, text, isSecret)
    return { file, meant }
  })
