/**
 * The routes by which the configuration file is edited.
 *
 * Promises: a text is judged by what the service would do with it; a file that cannot be edited here is a 409 that says why.
 * Never: writes anything (the command does); shows a secret.
 * Failure: that of the routes.
 */
import { Effect } from "effect"
import { getSettingsFile, previewSettings } from "../../wire/settings-endpoints.ts"
import { type NotEditable, SettingsEditor } from "../control/settings-editor.port.ts"
import { Refused, type Route, route, rowsRoute } from "./http.route.ts"

const refusedBy = ({ message, reason }: NotEditable): Refused =>
  new Refused({ status: 409, more: { reason: `file_${reason}`, message } })

/** The routes of this file. */
export const settingsRoutes: Effect.Effect<ReadonlyArray<Route>, never, SettingsEditor> = Effect.map(
  SettingsEditor,
  (editor) => [
    rowsRoute(getSettingsFile, () =>
      editor.shown.pipe(
        Effect.mapBoth({
          onFailure: refusedBy,
          onSuccess: ({ path, text, version }) => ({
            status: 200,
            json: { path, file_version: version, text }
          })
        })
      )
    ),
    route(previewSettings, ({ body }) =>
      editor
        .preview(body.file_version, body.text)
        .pipe(Effect.mapBoth({ onFailure: refusedBy, onSuccess: (json) => ({ status: 200, json }) }))
    )
  ]
)
