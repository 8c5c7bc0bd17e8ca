/**
 * Draining the spool: the posts of an outage into the database, in their order, as if they came now.
 *
 * Each batch goes through the same store as the posts of the intake, so identity decides what is new (T3), and is taken out of the
 * files after its commit. A crash in between stores a batch twice, which changes nothing.
 *
 * Promises: oldest first; a signal that has become too old is stored as such and alerted; a post whose identity was taken by other
 * content is kept as refused, under one id however often it is drained; one that the database refuses is kept in a file apart.
 * Never: takes a post out of the files before all of that is durable.
 */
import { Clock, Data, Effect, Result } from "effect"
import { keptText, type RefusedPost } from "../../domain/intake/refused-post.ts"
import { becameTooOld } from "../../domain/intake/spool.ts"
import { refusedSpooledId } from "../../domain/kernel/ids.ts"
import { spoolLimits } from "../../domain/kernel/limits-kept.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import { readJson } from "../../domain/kernel/json-reader.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { SettledPost } from "../../layers/intake/intake-queue.port.ts"
import { storeBatch } from "../../layers/intake/intake-store-batch.ts"
import { RefusedStore } from "../../layers/intake/refused-store.port.ts"
import { Spool, type SpooledPost, type SpoolService } from "../../layers/intake/spool.port.ts"
import { settingsMask } from "../../layers/platform/config-mask.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { TOO_OLD } from "../../layers/signals/intake-row.ts"
import { type IntakeRow, IntakeStore } from "../../layers/signals/intake-store.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

const component = "root/spool"

/** A batch that the database did not take; it stays where it is. */
export class DrainInterrupted extends Data.TaggedError("DrainInterrupted")<{ readonly why: string }> {
  override get message(): string {
    return this.why
  }
}

interface Totals {
  stored: number
  duplicates: number
  conflicts: number
  tooOld: number
  refused: number
}

/** The row as it is stored now. */
const asOfNow = (row: IntakeRow, isTooOld: boolean): IntakeRow =>
  isTooOld ? { ...row, status: "rejected", reason: TOO_OLD } : row

const event = "event:"

/** A post that was answered 202 and turned out to be another one under a known identity. */
const refusedOf = (row: SpooledPost["row"], signalId: string, mask: Mask): RefusedPost => {
  const bytes = Buffer.from(row.body)
  return {
    id: refusedSpooledId(signalId, row.bodyHash),
    source: row.source,
    reason: "conflict",
    answered: 202,
    errors: [],
    text: keptText(bytes, Result.getOrUndefined(readJson(bytes)), mask),
    // Only an explicit identity conflicts, and by this name a replay finds it again, wherever it stood.
    webhookId: row.identity.startsWith(event) ? row.identity.slice(event.length) : null,
    idempotencyKey: null,
    requestId: row.requestId,
    address: null,
    signalId,
    receivedAtMs: row.receivedAtMs
  }
}

const keepConflicts = (settled: ReadonlyArray<SettledPost>, posts: ReadonlyArray<SpooledPost>) =>
  Effect.gen(function* () {
    const [store, settings, token] = [yield* RefusedStore, yield* Config, yield* ControlToken]
    const configured = settingsMask(settings)
    const mask: Mask = (text) => configured(token.mask(text))
    const refused = settled.flatMap(({ result }, index) => {
      const post = posts[index]
      return result._tag === "Conflict" && post !== undefined
        ? [refusedOf(post.row, result.signalId, mask)]
        : []
    })
    if (refused.length > 0) yield* store.store(refused, "durable")
  }).pipe(Effect.mapError(({ message }) => new DrainInterrupted({ why: message })))

const setAside = (settled: ReadonlyArray<SettledPost>, posts: ReadonlyArray<SpooledPost>) =>
  Effect.gen(function* () {
    const broken = posts.filter((_, index) => settled[index]?.result._tag === "Broken")
    const [first] = broken
    if (first === undefined) return
    yield* (yield* Spool).putAside(broken)
    yield* (yield* Alerts).raise({
      severity: "HIGH",
      kind: "spool.refused",
      dedupKey: "spool.refused",
      component,
      correlationId: first.row.id,
      message: `the database refuses ${broken.length} spooled posts, which were answered 202; they are kept in a file of the spool`,
      detail: { count: broken.length, signals: broken.slice(0, 20).map(({ row }) => row.id) }
    })
  })

const count = (totals: Totals, settled: ReadonlyArray<SettledPost>): void => {
  for (const { result, row } of settled) {
    if (result._tag === "Stored") totals[row.status === "rejected" ? "tooOld" : "stored"] += 1
    else if (result._tag === "Duplicate") totals.duplicates += 1
    else if (result._tag === "Conflict") totals.conflicts += 1
    else totals.refused += 1
  }
}

const drainBatch = (posts: ReadonlyArray<SpooledPost>, totals: Totals) =>
  Effect.gen(function* () {
    const [store, spool, { sources }] = [yield* IntakeStore, yield* Spool, yield* Config]
    const nowMs = yield* Clock.currentTimeMillis
    const rows = posts.map(({ row }) => asOfNow(row, becameTooOld(row, sources, nowMs)))
    const results = yield* storeBatch(store, rows)
    const settled = rows.map((row, index): SettledPost => ({
      row,
      result: results[index] ?? { _tag: "Broken", cause: "the store returned no outcome" }
    }))
    if (settled.some(({ result }) => result._tag === "Unavailable"))
      return yield* new DrainInterrupted({ why: "the database did not take a batch of spooled posts" })
    yield* keepConflicts(settled, posts)
    yield* setAside(settled, posts)
    for (const { row } of posts) faultPoint(FAULT_POINTS.spoolStored, row.symbol ?? "")
    yield* spool.drained
    count(totals, settled)
    yield* spool.settle(settled)
  })

/** Until something changes in the spool; the net is under a change between the look and this. */
const spoolChange = (spool: SpoolService): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const end = spool.listen(() => resume(Effect.void))
    return Effect.sync(end)
  }).pipe(Effect.timeoutOption(spoolLimits.writeMsMax), Effect.asVoid)

/** Ends when the spool is empty, with the number of posts it has moved; fails when a batch could not be stored or read. */
export const drainSpool = Effect.gen(function* () {
  const spool = yield* Spool
  const totals: Totals = { stored: 0, duplicates: 0, conflicts: 0, tooOld: 0, refused: 0 }
  const beganMs = yield* Clock.currentTimeMillis
  const work = Effect.gen(function* () {
    while (!spool.isEmpty()) {
      // With few left, new posts wait for the database instead: a spool that is refilled while it is drained is never empty.
      if (spool.look().posts <= spoolLimits.drainRowsMax) spool.handOver(true)
      const posts = yield* spool.next
      if (posts.length > 0) yield* drainBatch(posts, totals)
      else if (!spool.isEmpty()) yield* spoolChange(spool)
    }
  })
  yield* Effect.ensuring(
    work,
    Effect.sync(() => spool.handOver(false))
  )
  const posts = totals.stored + totals.duplicates + totals.conflicts + totals.tooOld + totals.refused
  if (posts === 0) return 0
  yield* logEvent("info", "spool.drained", `the database has ${posts} spooled posts`, {
    component,
    ms: (yield* Clock.currentTimeMillis) - beganMs,
    posts,
    stored: totals.stored,
    duplicates: totals.duplicates,
    conflicts: totals.conflicts,
    too_old: totals.tooOld,
    refused: totals.refused
  })
  return posts
})
