/**
 * http.hidden: answers of the API without the secrets of the settings.
 *
 * `secret` is taken out of a body before it is stored, and the log masks what it writes; but a sender may have put its secret into
 * another field as well, a comment or an object of its own, and whoever reads signals is not always whom the secret was given to.
 * The stored body stays as it was sent: its hash is the identity of the post.
 *
 * Promises: no text of an answer contains a secret of sixteen characters or more that the settings have or had in this process;
 * names of fields and everything else stay as they are.
 * Never: touches a stream, or a file of the console.
 * Failure: that of the route.
 */
import { Effect } from "effect"
import { type Mask, maskedTexts } from "../../domain/kernel/redaction.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { settingsHider } from "../platform/config-mask.ts"
import type { ControlTokenService } from "../platform/control-token.port.ts"
import type { Reply, Route } from "./http.route.ts"

const hidden = (hide: Mask, reply: Reply): Reply => {
  if ("json" in reply) return { ...reply, json: maskedTexts(hide, reply.json) }
  return typeof reply.text === "string" ? { ...reply, text: hide(reply.text) } : reply
}

/** The routes with their answers without secrets: those of the settings, and the token of this installation. */
export const hidingSecrets = (
  routes: ReadonlyArray<Route>,
  settings: Settings,
  token: Pick<ControlTokenService, "mask">
): ReadonlyArray<Route> => {
  const configured = settingsHider(settings)
  const hide: Mask = (text) => configured(token.mask(text))
  return routes.map((route) => ({
    ...route,
    handle: (request) => Effect.map(route.handle(request), (reply) => hidden(hide, reply))
  }))
}
