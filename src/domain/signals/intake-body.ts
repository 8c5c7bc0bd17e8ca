/**
 * intake-body: what a post to the webhook is, before anything about its source is known.
 *
 * Promises: `body` is what may be stored, without the secret; it has no field that `identityOf` would refuse.
 * Never: decides about identity, age or authentication.
 */
import type { JsonObject } from "../kernel/canonical-json.ts"
import type { Metadata } from "./metadata.ts"
import type { Signal } from "./signal.ts"

/** A valid body. `hasTimestamp`: it names its time, which its identity needs to know (T3). */
export type IntakeBody =
  | {
      readonly kind: "signal"
      readonly signal: Signal
      readonly body: JsonObject
      readonly hasTimestamp: boolean
    }
  | {
      readonly kind: "metadata"
      readonly metadata: Metadata
      readonly body: JsonObject
      readonly hasTimestamp: boolean
    }
