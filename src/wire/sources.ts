/**
 * sources: the sources of the settings as the API gives them, and what would be made of a post.
 *
 * Promises: what is shown of a post is what the intake would make of it now.
 * Never: shows a secret.
 */
import { z } from "zod"
import { MEANINGS } from "../domain/kernel/symbol-map.ts"
import { command, endpoint, list } from "./endpoint.ts"
import { fieldProblem } from "./refusal.ts"
import { signal } from "./trading.ts"
import { sourceBody } from "./intake-body.ts"
import { anyObject, count, instant, uuid } from "./words.ts"

const text = z.string().nullable()

export const sourceStatus = z
  .object({
    name: z.string(),
    settings: anyObject.meta({
      description: "As they are in force, preset and defaults included; secrets hidden."
    }),
    strategies: z.array(z.string()).meta({ description: "Those that take its signals." }),
    posts: z
      .object({
        since: instant,
        accepted: count,
        duplicate: count,
        refused: z.record(z.string(), count).meta({ description: "By the word of the answer." }),
        waiting: count.meta({ description: "Waiting for their turn by the rate limit." }),
        last_at: instant.nullable(),
        last_answer: text,
        last_address: text
      })
      .meta({ description: "What this process answered since it started." })
  })
  .meta({ id: "SourceStatus" })

export const CHECK_RESULTS = ["passed", "failed", "absent"] as const

export const triedPost = z
  .object({
    source: z.string(),
    answer: z
      .object({ status: z.int(), word: z.string() })
      .meta({ description: "What the sender would be answered, unless the same post came before." }),
    authentication: z.object({
      passes: z.boolean(),
      require: z.enum(["any", "all"]),
      checks: z.array(z.object({ method: z.string(), result: z.enum(CHECK_RESULTS), message: text }))
    }),
    kind: z.enum(["signal", "metadata"]).nullable().meta({ description: "Null: it cannot be read." }),
    signal: signal
      .pick({
        symbol: true,
        action: true,
        direction: true,
        timeframe: true,
        quantity: true,
        price: true,
        strategy: true,
        strike: true,
        expiration: true,
        intent: true,
        position_size: true,
        market_position: true,
        prev_market_position: true,
        market_position_size: true,
        order_type: true,
        limit_price: true,
        stop_price: true,
        time_in_force: true
      })
      .nullable(),
    mapped: z
      .record(z.string(), z.string())
      .nullable()
      .meta({ description: "What its fields were made of." }),
    instrument: z
      .object({ symbol: text, how: z.enum([...MEANINGS, "refused"]), message: text })
      .nullable()
      .meta({ description: "What its symbol means." }),
    identity: z
      .object({
        kind: z.enum(["explicit", "hash", "bucket"]),
        key: z.string(),
        body_hash: z.string(),
        signal_id: uuid
      })
      .nullable(),
    age: z
      .object({
        timestamp_is: z.enum(["fired", "bar"]),
        fired_at: instant,
        ms: z.number().meta({ description: "Negative while its bar is open." }),
        ms_max: z.number(),
        verdict: z.enum(["fresh", "too_old", "from_the_future"])
      })
      .nullable(),
    strategies: z.array(z.string()).meta({ description: "Those that would decide it." }),
    problems: z.array(fieldProblem)
  })
  .meta({ id: "TriedPost" })

export const listSources = endpoint({
  ...list,
  path: "/api/v1/sources",
  tag: "operations",
  name: "listSources",
  summary: "The sources, with their settings in force and what was answered to their posts.",
  answers: { 200: z.object({ items: z.array(sourceStatus), next_cursor: z.null() }).meta({ id: "Sources" }) }
})

export const trySource = endpoint({
  ...command,
  path: "/webhook/:source/try",
  tag: "intake",
  name: "trySource",
  summary:
    "What would be made of this post, sent as the sender sends it; stores nothing. `address` is where it would come from.",
  query: z.object({
    address: z.string("must be an address").optional().meta({ description: "Absent: that of the caller." })
  }),
  bodies: sourceBody,
  answers: { 200: triedPost }
})
