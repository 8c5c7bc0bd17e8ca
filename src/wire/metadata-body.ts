/**
 * metadata-body: a post that is metadata of an order (requirement A1).
 *
 * Promises: every error of a body at once, named by path; both scores are finite numbers, and a null score is an error; a
 * field of a signal is an error even when it is empty.
 * Never: keeps `secret`; makes a signal.
 */
import { z } from "zod"
import { isJsonObject, type JsonObject } from "../domain/kernel/canonical-json.ts"
import { fieldLimits } from "../domain/kernel/limits-signals.ts"
import type { Metadata } from "../domain/signals/metadata.ts"
import { SIGNAL_FIELDS } from "../domain/signals/signal.ts"
import { eventId, secret } from "./post-fields.ts"
import { decode, type Decoded } from "./problems.ts"
import { exactNumber, optional, ownFields, required, wordOf } from "./sent.ts"
import { line, symbol, time } from "./sent-values.ts"

const shown = ({ input }: { readonly input?: unknown }): string =>
  input === undefined ? "is required" : "must be a number"

/** A measure and no money: the nearest double does, and the stored body has all its digits. */
const score = exactNumber({}, shown).transform((given) => (typeof given === "number" ? given : given.nearest))

const scores = z.preprocess(
  (given) => (isJsonObject(given) ? ownFields(given) : undefined),
  z.object({ "Buy Score": score, "Sell Score": score }, 'must be an object with "Buy Score" and "Sell Score"')
)

const noSignal = z.compile(
  z.object(
    Object.fromEntries(
      SIGNAL_FIELDS.map((field) => [
        field,
        z.never("is a field of a signal: a body is a signal or metadata, not both").optional()
      ])
    )
  )
)

const fields = z.compile(
  z.object({
    snapshot_id: required(z.guid("must be a UUID").toLowerCase(), {
      description: "The producer's snapshot; its presence makes a post metadata."
    }),
    score: scores.meta({ description: "The scores of the producer's rules." }),
    trigger: required(line(fieldLimits.triggerLengthMax), { description: "The rule that placed the order." }),
    pair: required(symbol, { description: "The instrument.", examples: ["ZRX-USD"] }),
    order_id: optional(line(fieldLimits.orderIdLengthMax), { description: "The venue's id of the order." }),
    side: optional(wordOf(["buy", "sell"], "must be buy or sell"), { description: "The order's side." }),
    timestamp: optional(time, { description: "When the order was placed." }),
    id: eventId
  })
)

export const metadataBody = z.object({ ...fields.shape, secret, ...noSignal.shape }).meta({
  id: "MetadataBody",
  description:
    "What a producer reports about an order that it made; it is linked to the fill, and never becomes an order."
})

/** A body as metadata, or every error of it. */
export const decodeMetadata = (body: JsonObject): Decoded<Metadata> => {
  const own = ownFields(body)
  const alone = decode(noSignal, own)
  const read = decode(fields, own)
  if (!alone.ok || !read.ok)
    return { ok: false, errors: [alone, read].flatMap((part) => (part.ok ? [] : part.errors)) }
  const {
    order_id: orderId,
    pair,
    score: scored,
    side,
    snapshot_id: snapshotId,
    timestamp,
    trigger
  } = read.value
  return {
    ok: true,
    value: {
      snapshotId,
      pair,
      trigger,
      buyScore: scored["Buy Score"],
      sellScore: scored["Sell Score"],
      orderId,
      side,
      firedAtMs: timestamp
    }
  }
}
