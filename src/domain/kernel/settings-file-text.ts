/**
 * settings-file-text: the text of the configuration file as it may be shown to be edited, and the text that is meant by what comes back.
 *
 * Whoever edits the file in a page must not need its secrets, and must not get them. So each of them is replaced by a placeholder with a
 * number, and a placeholder that comes back is replaced by the secret again, where it still stands at a place for such a secret.
 *
 * Promises: pure; what is shown has no secret of the settings in it, by its place, by its name or by its text; everything else of the file
 * stays as it was written, to the character; a placeholder never puts a secret where it would be shown.
 * Never: reads a file; judges the settings.
 */
import { Result } from "effect"
import { type JsonString, jsonStrings } from "./json-strings.ts"
import { redactUrls } from "./redaction.ts"
import type { SettingsProblem } from "./settings.ts"

/** Places of the file that hold a secret when they hold a text; a list of names, `*` for any. */
const SECRET_PLACES: ReadonlyArray<string> = [
  "hmacSecret",
  "webhookSecret",
  "adminToken",
  "databaseUrl",
  "telegram.token",
  "feeds.*.token",
  "sources.*.authentication.*.secrets.*",
  "alerts.sinks.*.url",
  "alerts.sinks.*.secret",
  "alerts.heartbeat.url"
]
/** Names that speak of a secret: of a member that somebody misspelled, or put in the wrong place. */
const SECRET_NAME = /secret|token|pass|pwd|credential/i

const PLACEHOLDER = /^\[kept secret (\d+)\]$/
const placeholderOf = (n: number): string => `[kept secret ${n}]`

const matches = (place: string, path: ReadonlyArray<string>): boolean => {
  const names = place.split(".")
  return names.length === path.length && names.every((name, at) => name === "*" || name === path[at])
}
const placeOf = (path: ReadonlyArray<string>): string =>
  SECRET_PLACES.find((place) => matches(place, path)) ?? path.join(".")

/** Whether a text is shown to nobody. `isSecret`: it contains a secret that is known. */
const isHidden = ({ path, value }: JsonString, isSecret: (text: string) => boolean): boolean => {
  // A reference to a variable or a file: `{"env": …}` and `{"file": …}`.
  const name = path.findLast((one) => !/^\d+$/.test(one)) ?? ""
  return (
    value !== "" &&
    (SECRET_PLACES.some((place) => matches(place, path)) ||
      (SECRET_NAME.test(name) && !/^(env|file|field)$/.test(name)) ||
      redactUrls(value) !== value ||
      isSecret(value))
  )
}

const replaced = (
  text: string,
  strings: ReadonlyArray<JsonString>,
  tokenOf: (one: JsonString, index: number) => string
): string => {
  let [result, from] = ["", 0]
  for (const [index, one] of strings.entries()) {
    result += text.slice(from, one.start) + tokenOf(one, index)
    from = one.end
  }
  return result + text.slice(from)
}

const hiddenIn = (file: string, isSecret: (text: string) => boolean): ReadonlyArray<JsonString> =>
  jsonStrings(file).filter((one) => isHidden(one, isSecret))

/** The file, which is JSON, with a placeholder for every secret. */
export const shownFile = (file: string, isSecret: (text: string) => boolean): string =>
  replaced(file, hiddenIn(file, isSecret), (_, index) => JSON.stringify(placeholderOf(index + 1)))

/** What is meant by an edited text: with the secrets of the file that it was made from, both of them JSON. */
export const meantFile = (
  edited: string,
  file: string,
  isSecret: (text: string) => boolean
): Result.Result<string, ReadonlyArray<SettingsProblem>> => {
  const kept = hiddenIn(file, isSecret)
  const strings = jsonStrings(edited).filter(({ value }) => PLACEHOLDER.test(value))
  const secretOf = ({ value }: JsonString): JsonString | undefined =>
    kept[Number(PLACEHOLDER.exec(value)?.[1]) - 1]
  const problems = strings.flatMap((one): ReadonlyArray<SettingsProblem> => {
    const secret = secretOf(one)
    if (secret !== undefined && placeOf(secret.path) === placeOf(one.path)) return []
    return [
      {
        path: one.path.join("."),
        message:
          secret === undefined
            ? `"${one.value}" stands for no secret of the file: write the secret itself, or where it is`
            : `"${one.value}" stands for the secret of ${secret.path.join(".")} and can only be kept at a place of that kind`
      }
    ]
  })
  return problems.length > 0
    ? Result.fail(problems)
    : Result.succeed(
        replaced(edited, strings, (one) => {
          const secret = secretOf(one)
          return secret === undefined ? JSON.stringify(one.value) : file.slice(secret.start, secret.end)
        })
      )
}
