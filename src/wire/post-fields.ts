/**
 * post-fields: what any post to the webhook may carry, a signal as well as metadata.
 *
 * Promises: an id that passes is one that identity.ts takes.
 * Never: keeps the secret.
 */
import { z } from "zod"
import { intakeLimits } from "../domain/kernel/limits-signals.ts"
import { EVENT_NAME, readEventName } from "../domain/signals/identity.ts"
import { exactNumber, patternOf, readBy, text, wordsOf } from "./sent.ts"

/** A blank one is wrong and not absent: its sender relies on it, and the next rank of T3 would mean something else. */
export const eventId = readBy(
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
  .nullish()
  .meta({
    description: "Identifies the event: another post with the same id is a duplicate or a conflict (T3)."
  })

export const secret = z.unknown().optional().meta({
  description: "Authenticates senders that cannot set headers; a text. Neither stored nor hashed."
})
