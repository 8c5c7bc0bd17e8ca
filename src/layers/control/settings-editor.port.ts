/**
 * Settings editor: the port through which the configuration file is read to be edited, and an edited text is judged before it is applied.
 *
 * Promises: what is shown holds no secret of the settings; a preview says what applying would do and what stands against it, and does
 * nothing of it.
 * Never: writes (the command `settings.write` does).
 */
import { Context, Data, type Effect } from "effect"
import type { SettingsProblem } from "../../domain/kernel/settings.ts"

export interface ShownFile {
  readonly path: string
  /** What a write has to name: it is refused once the file is another one. */
  readonly version: string
  /** With a placeholder for every secret. */
  readonly text: string
}

interface SettingsPreview {
  /** What stands against it; nothing is written while there is any. */
  readonly problems: ReadonlyArray<SettingsProblem>
  /** Names of settings that would differ from those in force; those that change at once, and those that wait for a restart. */
  readonly applied: ReadonlyArray<string>
  readonly restart: ReadonlyArray<string>
  /** Paths of components. */
  readonly components: {
    readonly added: ReadonlyArray<string>
    readonly removed: ReadonlyArray<string>
    readonly restarted: ReadonlyArray<string>
  }
  /** The settings in force and those that the text stands for, without secrets; null where they cannot be told. */
  readonly before: Readonly<Record<string, unknown>>
  readonly after: Readonly<Record<string, unknown>> | null
}

/** The file cannot be edited here: it is not JSON, cannot be read, or is another one than the text was made from. */
export class NotEditable extends Data.TaggedError("NotEditable")<{
  readonly reason: "unreadable" | "changed"
  readonly message: string
}> {}

export class SettingsEditor extends Context.Service<
  SettingsEditor,
  {
    readonly shown: Effect.Effect<ShownFile, NotEditable>
    readonly preview: (version: string, text: string) => Effect.Effect<SettingsPreview, NotEditable>
  }
>()("holdfast/layers/SettingsEditor") {}
