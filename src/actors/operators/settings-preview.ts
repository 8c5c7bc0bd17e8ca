/**
 * Settings preview: what the routes and the console are told of the configuration file and of an edited text.
 *
 * Promises: as layers/control/settings-editor.port.ts, whose settings are without secrets.
 * Never: applies anything.
 */
import { Effect, Layer } from "effect"
import type { SettingsComponent } from "../../domain/control/tree-change.ts"
import { describeSettings } from "../../domain/kernel/settings-shown.ts"
import { SettingsEditor } from "../../layers/control/settings-editor.port.ts"
import type { ConfigReader, SettingsInForce } from "../../layers/platform/config.port.ts"
import type { SettingsFile } from "../../layers/platform/settings-file.port.ts"
import { SettingsControl } from "./reloader.ts"
import { fileShown } from "./settings-editor.ts"

const pathsOf = (components: ReadonlyArray<SettingsComponent> = []): ReadonlyArray<string> =>
  components.map(({ path }) => path)

export const settingsEditorLayer = Layer.effect(
  SettingsEditor,
  Effect.gen(function* () {
    const control = yield* SettingsControl
    const context = yield* Effect.context<ConfigReader | SettingsFile | SettingsInForce>()
    return SettingsEditor.of({
      shown: Effect.provideContext(fileShown, context),
      preview: (version, text) =>
        Effect.map(
          control.preview(version, text),
          ({ applied, before, change, problems, read, restart }) => ({
            problems,
            applied,
            restart,
            components: {
              added: pathsOf(change?.added),
              removed: pathsOf(change?.removed),
              restarted: pathsOf(change?.restarted)
            },
            before: describeSettings(before),
            after: read === null ? null : describeSettings(read)
          })
        )
    })
  })
)
