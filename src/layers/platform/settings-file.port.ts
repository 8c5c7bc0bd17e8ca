/**
 * Settings file: the port to the text of the configuration file.
 *
 * Promises: a write takes place whole or not at all, also when the machine loses its power; what was there is kept beside it.
 * Never: judges or shows the text, which may hold secrets.
 */
import { Context, Data, type Effect } from "effect"

export interface FileText {
  /** Absolute. */
  readonly path: string
  /** Null: there is no such file. */
  readonly text: string | null
  /** Of this text; a file that was changed has another. */
  readonly version: string
}

/** `message` names the file and what the system said. */
export class SettingsFileFault extends Data.TaggedError("SettingsFileFault")<{ readonly message: string }> {}

interface SettingsFileService {
  readonly read: Effect.Effect<FileText, SettingsFileFault>
  /** Puts a text in place of the one that was read as `former`; null removes the file. Fails where it is another one by now. */
  readonly replace: (former: FileText, text: string | null) => Effect.Effect<FileText, SettingsFileFault>
}

export class SettingsFile extends Context.Service<SettingsFile, SettingsFileService>()(
  "holdfast/layers/SettingsFile"
) {}
