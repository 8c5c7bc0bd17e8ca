/**
 * Config mask: hides the secrets of the settings in force, and of those that were in force before.
 *
 * A reload may bring a feed with a token of its own, or a broker with a secret in its URL. What they answer is repeated in
 * the log, in alerts and in health, so the mask follows the settings; a secret that was replaced may still be repeated by a peer
 * that was given it.
 *
 * Promises: a secret is hidden from the moment its settings are in force.
 * Never: keeps more than `FORMER_MAX` secrets that are no longer set: the oldest are forgotten first.
 */
import { makeHider, makeMask, type Mask } from "../../domain/kernel/redaction.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { secretTexts } from "../../domain/kernel/settings-secrets.ts"
import { snapshotOf } from "./config.port.ts"

/** Each costs a search through every text: more than a hundred tokens replaced in one life are no practice of anybody. */
const FORMER_MAX = 100

const maskBy = (settings: Settings, make: (secrets: ReadonlyArray<string>) => Mask): Mask => {
  let masked: Settings | null = null
  let secrets: ReadonlyArray<string> = []
  let mask: Mask = (text) => text
  return (text) => {
    const inForce = snapshotOf(settings)
    if (inForce !== masked) {
      masked = inForce
      const now = secretTexts(inForce)
      const former = secrets.filter((secret) => !now.includes(secret)).slice(-FORMER_MAX)
      secrets = [...former, ...now]
      mask = make(secrets)
    }
    return mask(text)
  }
}

/**
 * A database's password may be `postgres`, and that of a practice `default`: hidden in answers, they would blank out the names of
 * sources and accounts. Those of webhooks and control have twice this length outside practice.
 */
const ANSWER_SECRET_LENGTH_MIN = 16

/** The mask of a whole service. `settings` may be a view of live settings. */
export const settingsMask = (settings: Settings): Mask => maskBy(settings, makeMask)

/** The same for answers, of which programs read names and words: without URLs and without secrets that could be such a word. */
export const settingsHider = (settings: Settings): Mask =>
  maskBy(settings, (secrets) => makeHider(secrets, ANSWER_SECRET_LENGTH_MIN))
