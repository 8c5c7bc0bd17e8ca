/**
 * Replay of refused posts: through the intake once more, as what they were.
 *
 * Promises: source, header names and the hash of the body make the identity, as they did when the post came; the row is
 * written by the intake's own store; a post of an unknown strategy is a signal already, and goes back to the queue.
 * Never: keeps a lock over the intake's store: two replays of one post meet at its identity.
 * Failure: as replay.pg.ts.
 */
import { Effect, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import { readJson } from "../../domain/kernel/json-reader.ts"
import { strategyUnknown, takersOf } from "../../domain/signals/routing.ts"
import type { ReplayOutcome } from "../../domain/intake/refused-post.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { readPost } from "../signals/intake-reading.wire.ts"
import { intakeRow } from "../signals/intake-row.ts"
import type { IntakeOutcome, IntakeRow, IntakeStoreService } from "../signals/intake-store.port.ts"
import type { ReplayedItem } from "./replay.port.ts"
import { type ReplayRound, requeue, standingOf } from "./replay-signal.pg.ts"

interface Post {
  readonly id: string
  readonly source: string
  readonly reason: string
  readonly body: string
  readonly cut: boolean
  readonly body_hash: string | null
  readonly webhook_id: string | null
  readonly idempotency_key: string | null
  readonly request_id: string
  readonly signal_id: string | null
  readonly received_ms: number
  readonly replayed_ms: number | null
}

const readPosts = (sql: SqlClient, ids: ReadonlyArray<string>) => sql<Post>`
  SELECT id, source, reason, body, cut, body_hash, webhook_id, idempotency_key, request_id, signal_id,
    (extract(epoch FROM received_at) * 1000)::float8 AS received_ms,
    (extract(epoch FROM replayed_at) * 1000)::float8 AS replayed_ms
  FROM refused_posts WHERE id = ANY (${ids}::uuid[]) ORDER BY seq`

const itemOf = (
  post: Post,
  outcome: ReplayOutcome,
  more: { readonly signalId?: string; readonly errors?: ReadonlyArray<FieldError> } = {}
): ReplayedItem => ({
  id: post.id,
  outcome,
  signalId: more.signalId ?? post.signal_id,
  errors: more.errors ?? [],
  replayedAtMs: post.replayed_ms
})

type Judged = { readonly row: IntakeRow } | { readonly item: ReplayedItem }

/** The post as today's code and settings read it. */
const judge = (post: Post, { nowMs, settings }: ReplayRound): Judged => {
  const refused = (...errors: ReadonlyArray<FieldError>): Judged => ({
    item: itemOf(post, "refused", { errors })
  })
  if (post.replayed_ms !== null) return { item: itemOf(post, "already_replayed") }
  if (post.cut) return { item: itemOf(post, "cut_off") }
  const source = Object.hasOwn(settings.sources, post.source) ? settings.sources[post.source] : undefined
  if (source === undefined) return refused({ path: "source", message: "is not configured any more" })
  const json = readJson(Buffer.from(post.body))
  if (Result.isFailure(json)) return refused({ path: json.failure.path, message: json.failure.message })
  const read = readPost({
    source: post.source,
    settings: source,
    json: json.success,
    headers: {
      webhookId: post.webhook_id ?? undefined,
      idempotencyKey: post.idempotency_key ?? undefined
    },
    cameAtMs: post.received_ms,
    sentHash: post.body_hash ?? undefined
  })
  if (Result.isFailure(read)) return refused(...read.failure)
  const row = intakeRow(settings, {
    source: post.source,
    ...read.success,
    requestId: post.request_id,
    nowMs,
    cameAtMs: post.received_ms
  })
  if (Result.isFailure(row)) return refused(...row.failure)
  // Storing it as rejected would spend its identity on nothing.
  return row.success.status === "rejected" ? { item: itemOf(post, "too_old") } : { row: row.success }
}

const storedItem = (post: Post, row: IntakeRow, outcome: IntakeOutcome): ReplayedItem => {
  switch (outcome._tag) {
    case "Stored":
      return itemOf(post, "queued", { signalId: row.id })
    case "Duplicate":
      return itemOf(post, "duplicate", { signalId: outcome.answer.signal_id })
    case "Conflict":
      return itemOf(post, "conflict", { signalId: outcome.signalId })
  }
}

/** Marks what was sent on, or was there already; one that somebody else marked meanwhile keeps its mark. */
const mark = (sql: SqlClient, by: string, items: ReadonlyArray<ReplayedItem>) => {
  const done = items.filter(({ outcome }) => outcome === "queued" || outcome === "duplicate")
  return sql`
    UPDATE refused_posts r SET replayed_at = hf_now(), replayed_by = ${by}, signal_id = d.signal_id
    FROM unnest(${done.map(({ id }) => id)}::uuid[], ${done.map(({ signalId }) => signalId ?? "")}::text[]) AS t (id, signal)
    CROSS JOIN LATERAL (SELECT nullif(t.signal, '')::uuid AS signal_id) AS d
    WHERE r.id = t.id AND r.replayed_at IS NULL`
}

/** Signals whose strategy nobody knew: stored, and denied. They go back when somebody takes them now. */
const replayUnknown = (sql: SqlClient, round: ReplayRound, posts: ReadonlyArray<Post>) =>
  Effect.gen(function* () {
    const { by, settings } = round
    const ids = posts.flatMap(({ signal_id: id }) => (id === null ? [] : [id]))
    const standings = yield* standingOf(sql, settings, ids)
    const items = posts.map((post): ReplayedItem => {
      const signal = standings.get(post.signal_id ?? "")
      if (post.replayed_ms !== null) return itemOf(post, "already_replayed")
      if (signal === undefined) return itemOf(post, "not_replayable")
      if (!signal.left) return itemOf(post, "already_decided")
      if (!signal.young) return itemOf(post, "too_old")
      if (takersOf(settings.strategies, signal.source, signal.strategy).length > 0)
        return itemOf(post, "queued")
      return itemOf(post, "refused", {
        errors: [strategyUnknown]
      })
    })
    const queued = items.filter(({ outcome }) => outcome === "queued")
    yield* requeue(
      sql,
      queued.flatMap(({ signalId }) => (signalId === null ? [] : [signalId]))
    )
    yield* mark(sql, by, queued)
    return items
  })

/** Stores what is right by now. */
const storeJudged = (
  store: IntakeStoreService,
  judged: ReadonlyArray<{ readonly post: Post; readonly row: IntakeRow }>
) =>
  Effect.map(store.store(judged.map(({ row }) => row)), (outcomes) =>
    judged.flatMap(({ post, row }, index) => {
      const outcome = outcomes[index]
      return outcome === undefined ? [] : [storedItem(post, row, outcome)]
    })
  )

/** Replays refused posts, at most as many as one batch of the intake has (`refusedLimits.replayBatch`). */
export const replayPosts = (database: DatabaseService, store: IntakeStoreService, round: ReplayRound) =>
  Effect.gen(function* () {
    const posts = yield* database.run("replay.posts", (sql) => readPosts(sql, round.ids))
    const unknown = posts.filter(({ reason }) => reason === "strategy_unknown")
    const others = posts.filter(({ reason }) => reason !== "strategy_unknown")
    const items: Array<ReplayedItem> = []
    if (unknown.length > 0)
      items.push(...(yield* database.transact("replay.signals", (sql) => replayUnknown(sql, round, unknown))))
    const rows: Array<{ readonly post: Post; readonly row: IntakeRow }> = []
    for (const post of others) {
      const judged = judge(post, round)
      if ("row" in judged) rows.push({ post, row: judged.row })
      else items.push(judged.item)
    }
    const stored = yield* storeJudged(store, rows)
    if (stored.length > 0) yield* database.run("replay.mark", (sql) => mark(sql, round.by, stored))
    return [...items, ...stored]
  })
