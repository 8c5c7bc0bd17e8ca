/**
 * Commands about refused posts: replaying one, or all of a filter (T12, T14).
 *
 * Promises: a single post that was not sent on is a conflict with its outcome as reason; of a filter every post is listed with
 * its own outcome; a filter that matches another number than expected is a conflict that names both, and nothing is done.
 * Never: judges a post (layers/intake/replay.pg.ts does).
 */
import { Effect } from "effect"
import { CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import type { ReplayOutcome } from "../../domain/intake/refused-post.ts"
import { isUuid } from "../../domain/kernel/ids.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Replay, type ReplayedItem, type ReplaySelection } from "../../layers/intake/replay.port.ts"
import { notFound } from "./command-operations.ts"

/** Posts listed in an answer; the counts are of all. */
const listedMax = 50

/** Why a post was not sent on. */
const words: Readonly<Record<Exclude<ReplayOutcome, "queued" | "duplicate" | "not_found">, string>> = {
  too_old: "it is older than its source allows; no order comes of it",
  conflict: "its identity was given to another post before",
  refused: "it would be refused again",
  already_replayed: "it was replayed before",
  already_decided: "its signal has been decided since",
  cut_off: "the end of its body was not stored",
  not_replayable: "there is nothing that could be sent on"
}

const answerOf = (items: ReadonlyArray<ReplayedItem>) => {
  const outcomes: Record<string, number> = {}
  for (const { outcome } of items) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  return {
    status: "ACCEPTED",
    outcomes,
    items: items
      .slice(0, listedMax)
      .map(({ errors, id, outcome, signalId }) => ({ id, outcome, signal_id: signalId, errors }))
  }
}

/** The refusal of a single post that was not sent on; null for one that was. */
const refusalOf = ({ errors, outcome, replayedAtMs, signalId }: ReplayedItem): CommandRefused | null => {
  if (outcome === "queued" || outcome === "duplicate") return null
  if (outcome === "not_found") return notFound
  const when = replayedAtMs === null ? "" : `: ${isoOf(replayedAtMs)}`
  return new CommandRefused({
    kind: "conflict",
    reason: outcome,
    message: `${words[outcome]}${when}`,
    ...(errors.length === 0 ? {} : { errors }),
    ...(signalId === null ? {} : { more: { signal_id: signalId } })
  })
}

const replay = (selection: ReplaySelection, by: string) =>
  Replay.use((service) => service.replay(selection, by)).pipe(
    Effect.catchTags({
      CountDiffers: ({ expected, found }) =>
        Effect.fail(
          new CommandRefused({
            kind: "conflict",
            reason: "other_count",
            message: `the filter matches ${found} open posts and not ${expected}`,
            more: { count: found, expected }
          })
        ),
      TooMany: ({ found, max }) =>
        Effect.fail(
          new CommandRefused({
            kind: "conflict",
            reason: "too_many",
            message: `one replay takes at most ${max} posts, these are ${found}; narrow the filter`,
            more: { count: found }
          })
        ),
      DatabaseFault: Effect.die
    })
  )

export const replayRefusedPost = ({ caller, target: id }: CommandRequest<"refused_post.replay">) =>
  Effect.gen(function* () {
    if (!isUuid(id)) return yield* notFound
    const items = yield* replay({ ids: [id.toLowerCase()] }, caller.by)
    for (const item of items) {
      const refused = refusalOf(item)
      if (refused !== null) return yield* refused
    }
    return answerOf(items)
  })

export const replayRefusedPosts = ({
  arguments: { expect_count: expected, ...filter },
  caller
}: CommandRequest<"refused_posts.replay">) =>
  Effect.gen(function* () {
    const given = Object.entries(filter).flatMap(([column, value]) =>
      value === null ? [] : [[column, value]]
    )
    return answerOf(yield* replay({ filter: Object.fromEntries(given), expected }, caller.by))
  })
