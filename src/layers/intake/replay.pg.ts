/**
 * Replay on PostgreSQL.
 *
 * Promises: as the port. A post goes through the intake's own store, whose unique identity makes a replay that was interrupted, or that two operators ask for at once,
 * the same as one.
 * Never: holds a lock while it waits for anything but the database.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have replayed; asking again shows what.
 */
import { Clock, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { refusedLimits } from "../../domain/kernel/limits-kept.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { Database } from "../database/database.port.ts"
import { Config, snapshotOf } from "../platform/config.port.ts"
import { Wake } from "../platform/wake.port.ts"
import { IntakeStore } from "../signals/intake-store.port.ts"
import { CountDiffers, Replay, type ReplayedItem, type ReplaySelection, TooMany } from "./replay.port.ts"
import { replayPosts } from "./replay-posts.pg.ts"

/** Columns a filter may name; the wire offers no others. */
const filters: ReadonlySet<string> = new Set(["source", "reason", "request_id"])

/** What the selection is, as ids in the order of arrival. */
const idsOf = (sql: SqlClient, selection: ReplaySelection) =>
  Effect.gen(function* () {
    if ("ids" in selection) {
      const ids = [...new Set(selection.ids)]
      if (ids.length > refusedLimits.replayMax)
        return yield* new TooMany({ found: ids.length, max: refusedLimits.replayMax })
      return ids
    }
    const { expected, filter } = selection
    const conditions: ReadonlyArray<Fragment> = Object.entries(filter)
      .filter(([column]) => filters.has(column))
      .map(([column, value]) => sql`${sql.literal(column)} = ${value}`)
    const rows = yield* sql<{ readonly id: string }>`
      SELECT id FROM refused_posts
      WHERE ${sql.and([sql.literal("replayed_at IS NULL"), ...conditions])} ORDER BY seq LIMIT ${refusedLimits.countMax}`
    if (rows.length !== expected) return yield* new CountDiffers({ expected, found: rows.length })
    if (rows.length > refusedLimits.replayMax)
      return yield* new TooMany({ found: rows.length, max: refusedLimits.replayMax })
    return rows.map(({ id }) => id)
  })

const tally = (items: ReadonlyArray<ReplayedItem>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { outcome } of items) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

export const replayPg: Layer.Layer<Replay, never, Config | Database | IntakeStore | Wake> = Layer.effect(
  Replay,
  Effect.gen(function* () {
    const database = yield* Database
    const settings = yield* Config
    const store = yield* IntakeStore
    const wake = yield* Wake
    return Replay.of({
      replay: (selection, by) =>
        Effect.gen(function* () {
          const ids = yield* database.run("replay.select", (sql) => idsOf(sql, selection))
          const nowMs = yield* Clock.currentTimeMillis
          // A snapshot: a reload in the middle would judge one post by two settings.
          const inForce = snapshotOf(settings)
          const done: Array<ReplayedItem> = []
          for (let from = 0; from < ids.length; from += refusedLimits.replayBatch) {
            const batch = ids.slice(from, from + refusedLimits.replayBatch)
            done.push(...(yield* replayPosts(database, store, { ids: batch, by, settings: inForce, nowMs })))
          }
          const byId = new Map(done.map((item) => [item.id, item]))
          const items = ids.map(
            (id): ReplayedItem =>
              byId.get(id) ?? { id, outcome: "not_found", signalId: null, errors: [], replayedAtMs: null }
          )
          if (items.some(({ outcome }) => outcome === "queued")) wake.notify("signals")
          yield* logEvent("info", "replay.done", `${items.length} refused posts replayed by ${by}`, {
            component: "root/http",
            by,
            outcomes: tally(items)
          })
          return items
        })
    })
  })
)
