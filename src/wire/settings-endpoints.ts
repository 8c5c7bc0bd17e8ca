/**
 * The endpoints by which the configuration file is edited, a part of the table in endpoints.ts; the command that writes it is in commands.ts.
 *
 * Promises: the text that is shown has a placeholder for every secret, and takes it back at the same kind of place.
 * Never: handles anything.
 */
import { z } from "zod"
import { command, endpoint, list } from "./endpoint.ts"
import { anyObject } from "./words.ts"

/** Of an edited text; some ten thousand accounts with two keys each. */
const TEXT_LENGTH_MAX = 1_000_000
/** As JSON: a line break takes two bytes there, a letter of most languages up to four. */
export const EDITED_BYTES_MAX = 4 * TEXT_LENGTH_MAX

const textWords = `must be a text of at most ${TEXT_LENGTH_MAX} characters`
/** What an editor sends. */
export const edited = {
  text: z.string(textWords).max(TEXT_LENGTH_MAX, textWords).meta({
    description:
      "The whole file. `[kept secret N]` stands for a secret that it has; any other text is written as it is."
  }),
  file_version: z
    .string("must be the file_version that the text was made from")
    .max(64, "must be the file_version that the text was made from")
    .meta({ description: "Of the file that the text was made from: another one by now is a 409." })
} as const

const settingsFile = z
  .object({
    path: z.string(),
    file_version: z
      .string()
      .meta({ description: "Changes with every change of the file; `none`: there is no file yet." }),
    text: z.string().meta({ description: "The file as it is, with `[kept secret N]` for every secret." })
  })
  .meta({ id: "SettingsFile" })

const problem = z.object({ path: z.string(), message: z.string() })
const names = z.array(z.string())

const preview = z
  .object({
    problems: z
      .array(problem)
      .meta({ description: "What stands against it; the rows of accounts are asked when it is applied." }),
    applied: names.meta({ description: "Settings that would change at once." }),
    restart: names.meta({ description: "Settings that would wait for a restart." }),
    components: z
      .object({ added: names, removed: names, restarted: names })
      .meta({ description: "Paths of components." }),
    before: anyObject.meta({ description: "The settings in force, without secrets." }),
    after: anyObject
      .nullable()
      .meta({ description: "Those that the text stands for; null where it stands for none." })
  })
  .meta({ id: "SettingsPreview" })

export const getSettingsFile = endpoint({
  ...list,
  path: "/api/v1/settings/file",
  tag: "operations",
  name: "getSettingsFile",
  summary: "The configuration file as it may be edited: its text, without secrets.",
  answers: { 200: settingsFile }
})
export const previewSettings = endpoint({
  ...command,
  path: "/api/v1/settings/preview",
  tag: "operations",
  name: "previewSettings",
  summary: "What an edited configuration file would change, and what stands against it; changes nothing.",
  body: z.strictObject(edited).meta({ id: "PreviewSettingsBody" }),
  bodyBytesMax: EDITED_BYTES_MAX,
  answers: { 200: preview }
})
/** All of them, in the order of the documentation. */
export const settingsEndpoints = [getSettingsFile, previewSettings]
