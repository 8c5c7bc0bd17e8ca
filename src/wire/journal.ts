/**
 * journal: entries and the messages of a live stream, as viewers get them.
 *
 * The WebSocket sends each as one text frame; server-sent events send entries as `data` with their number as `id`, and the
 * other messages as named events, so that a plain reader of entries never meets one. Only entries have `seq`.
 *
 * Promises: every entry has every field; what its type does not have is null.
 * Never: has a field that depends on who looks.
 */
import { z } from "zod"
import { JOURNAL_TYPES, type JournalEntry } from "../domain/platform/journal.ts"
import { isoOf } from "../domain/kernel/iso-time.ts"
import { anyObject, count, instant, uuid } from "./words.ts"

const text = z.string().nullable()

export const journalEntry = z
  .object({
    seq: count.meta({
      description: "Consecutive within a process; those of a later process are above. At most 2^53."
    }),
    boot: uuid.meta({ description: "The process." }),
    type: z.enum(JOURNAL_TYPES),
    at: instant,
    path: z.string().meta({ description: "Where in the supervision tree." }),
    incarnation: count.nullable(),
    event: z.string(),
    from: text,
    to: text,
    since: instant.nullable().meta({ description: "Since when it was in `from`." }),
    cause: text,
    correlation_id: text,
    guard: text.meta({ description: "Captured while somebody looks, as are actions and context." }),
    actions: z.array(z.string()).nullable(),
    context: z
      .record(z.string(), z.tuple([z.unknown(), z.unknown()]))
      .nullable()
      .meta({ description: "Changed fields: before and after. Fields that no schema shows are hidden." }),
    detail: anyObject.nullable()
  })
  .meta({ id: "JournalEntry" })

/** An entry as its JSON value. */
export const entryItem = (entry: JournalEntry, boot: string) => ({
  seq: entry.seq,
  boot,
  type: entry.type,
  at: isoOf(entry.at),
  path: entry.path,
  incarnation: entry.incarnation,
  event: entry.event,
  from: entry.from,
  to: entry.to,
  since: isoOf(entry.since),
  cause: entry.cause,
  correlation_id: entry.correlationId,
  guard: entry.guard,
  actions: entry.actions,
  context: entry.context,
  detail: entry.detail
})

/** Why a stream ends by our side. */
export const BYE_REASONS = ["too_slow", "unauthorized", "stopping", "unavailable", "shed"] as const
export type ByeReason = (typeof BYE_REASONS)[number]

/** Why entries are missing. `lost`: never stored; `removed`: past their retention. */
export const GAP_REASONS = ["lost", "removed"] as const

/** The messages that are not entries. */
export const liveMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    boot: uuid,
    after: count.meta({ description: "The stream begins behind this number." }),
    head: count.meta({ description: "The last number so far." }),
    first: count.meta({ description: "The oldest number that needs no database." }),
    heartbeat_ms: count
  }),
  z.object({ type: z.literal("heartbeat"), head: count, at: instant }),
  z.object({ type: z.literal("process"), boot: uuid, after: count }),
  z.object({ type: z.literal("gap"), from: count, to: count, reason: z.enum(GAP_REASONS) }),
  z.object({ type: z.literal("reset"), after: count }),
  z.object({ type: z.literal("bye"), reason: z.enum(BYE_REASONS), after: count }),
  z.object({ type: z.literal("pong") })
])
export type LiveMessage = z.infer<typeof liveMessage>
