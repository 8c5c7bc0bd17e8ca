/**
 * replay: dead letters, refused posts, and what becomes of them when they are replayed.
 *
 * Promises: the text of a refused post is a text, because most of it is no JSON.
 * Never: shows a secret; they are kept without.
 */
import { z } from "zod"
import { REFUSAL_REASONS, REPLAY_OUTCOMES } from "../domain/intake/refused-post.ts"
import { fieldProblem } from "./refusal.ts"
import { anyJson, count, instant, uuid } from "./words.ts"

const text = z.string().nullable()

export const REPLAY_STATUSES = ["open", "replayed"] as const

export const deadLetter = z
  .object({
    id: uuid,
    status: z.enum(REPLAY_STATUSES),
    origin: z.string(),
    reference: text,
    reason: z.string(),
    payload: anyJson,
    created_at: instant,
    replayed_at: instant.nullable()
  })
  .meta({ id: "DeadLetter" })

export const refusedPost = z
  .object({
    id: uuid,
    status: z.enum(REPLAY_STATUSES),
    source: z.string(),
    reason: z.enum(REFUSAL_REASONS),
    answered: count.meta({ description: "The status code that its sender got." }),
    errors: z.array(fieldProblem),
    body: z.string().meta({ description: "The first 64 KiB of the body, without secrets." }),
    body_bytes: count.meta({ description: "Size of the body as it came." }),
    cut: z.boolean().meta({ description: "The end of the body is missing; it cannot be replayed." }),
    request_id: z.string(),
    address: text,
    signal_id: uuid.nullable().meta({
      description: "The signal that it conflicts with, was decided as, or became when it was replayed."
    }),
    received_at: instant,
    replayed_at: instant.nullable(),
    replayed_by: text
  })
  .meta({ id: "RefusedPost" })

const replayedItem = z
  .object({
    id: uuid,
    outcome: z.enum(REPLAY_OUTCOMES),
    signal_id: uuid.nullable(),
    errors: z.array(fieldProblem).meta({ description: "Of an outcome `refused`: what would be right." })
  })
  .meta({ id: "ReplayedItem" })

export const replayed = z
  .object({
    status: z.literal("ACCEPTED"),
    outcomes: z.record(z.string(), count).meta({ description: "How many items had each outcome." }),
    items: z.array(replayedItem).meta({ description: "At most a page of them." })
  })
  .meta({ id: "Replayed" })
