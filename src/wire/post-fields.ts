/**
 * post-fields: what any post to the webhook may carry, a signal as well as metadata.
 *
 * Promises: an id that passes is one that identity.ts takes.
 * Never: keeps the secret.
 */
import { z } from "zod"
import { intakeLimits } from "../domain/kernel/limits-signals.ts"
import { EVENT_NAME, readEventName } from "../domain/signals/identity.ts"
import { exactNumber, optional, patternOf, readBy, text, wordsOf } from "./sent.ts"

const eventName = readBy(
  z.union(
    [
      text("", { pattern: patternOf(EVENT_NAME), maxLength: intakeLimits.identityLengthMax }),
      exactNumber({ type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })
    ],
    wordsOf(readEventName)
  ),
  readEventName,
  ({ text: name }) => name
)

export const eventId = optional(eventName, {
  description: "Identifies the event: another post with the same id is a duplicate or a conflict (T3)."
})

export const secret = z.unknown().optional().meta({
  description: "Authenticates senders that cannot set headers; a text. Neither stored nor hashed."
})
