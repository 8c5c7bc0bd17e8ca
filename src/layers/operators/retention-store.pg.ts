/**
 * RetentionStore on PostgreSQL.
 *
 * Of two processes one prunes: the other finds the lock of the page taken and does nothing. The commit waits for no disk: what
 * a crash of the server brings back is removed again.
 *
 * Promises: as the port; a page looks at `retentionLimits.pageMax` rows, by the unique index of their numbers.
 * Never: waits for a lock longer than `retentionLimits.lockMs`.
 * Failure: `DatabaseUnavailable` with reason `contention` or `slow` is a page that gave way.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { retentionLimits } from "../../domain/kernel/limits-kept.ts"
import type { RetentionSettings } from "../../domain/kernel/settings.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { Config } from "../platform/config.port.ts"
import { Database } from "../database/database.port.ts"
import { type RetentionRule, retentionRules } from "./retention-rules.pg.ts"
import { type PrunedPage, RetentionStore, type RuleRound } from "./retention-store.port.ts"

/** "hfrt" in ASCII: one page at a time, whoever prunes. */
const lockKey = 0x68_66_72_74
const dayMs = 86_400_000

const begin = (sql: SqlClient, settings: RetentionSettings) =>
  Effect.gen(function* () {
    const [clock] = yield* sql<{ readonly ms: number }>`
      SELECT (extract(epoch FROM hf_now()) * 1000)::float8 AS ms`
    const nowMs = clock?.ms ?? 0
    return yield* Effect.forEach(retentionRules, ({ keeps, name, table }) =>
      Effect.gen(function* () {
        const { days, rows } = keeps(settings)
        const [beyond] =
          rows === undefined
            ? []
            : yield* sql<{ readonly seq: bigint }>`
                SELECT seq FROM ${sql.literal(table)} ORDER BY seq DESC OFFSET ${rows} LIMIT 1`
        return {
          rule: name,
          cutoffMs: days === null ? null : nowMs - days * dayMs,
          beyond: beyond?.seq ?? null
        } satisfies RuleRound
      })
    )
  })

interface LookedAt {
  readonly seq: bigint
  readonly born_ms: number
  /** Its time is over, or there are too many: the walk goes on behind it. */
  readonly aged: boolean
  readonly gone: boolean
}

/** The next rows in the order of their numbers, and which of them may go. */
const look = (sql: SqlClient, rule: RetentionRule, round: RuleRound, cursor: bigint) => {
  const cutoff = new Date(round.cutoffMs ?? 0)
  const born = sql.literal(`t.${rule.born}`)
  const old = round.cutoffMs === null ? sql.literal("false") : sql`${born} < ${cutoff}`
  const beyond =
    round.beyond === null ? sql.literal("false") : sql`t.seq <= ${String(round.beyond)}::text::bigint`
  // The page first, by itself: the conditions of `over` are then planned for its rows and not for those of the table.
  return sql<LookedAt>`
    WITH page AS MATERIALIZED (
      SELECT t.* FROM ${sql.literal(rule.table)} AS t WHERE t.seq > ${String(cursor)}::text::bigint
      ORDER BY t.seq LIMIT ${retentionLimits.pageMax})
    SELECT t.seq, (extract(epoch FROM ${born}) * 1000)::float8 AS born_ms, ${old} OR ${beyond} AS aged,
      CASE WHEN ${beyond} THEN true WHEN ${old} THEN coalesce(${rule.over(sql, cutoff)}, false) ELSE false END AS gone
    FROM page AS t ORDER BY t.seq`
}

const removePlain = (sql: SqlClient, table: string, seqs: ReadonlyArray<bigint>) =>
  Effect.map(
    sql`DELETE FROM ${sql.literal(table)} WHERE seq = ANY (ARRAY (
      SELECT seq FROM ${sql.literal(table)} WHERE seq = ANY (${seqs.map(String)}::bigint[]) FOR UPDATE SKIP LOCKED))
      RETURNING seq`,
    (rows) => rows.length
  )

/** The oldest rows of a table without numbers. What has to stay is looked at again by each page, and is little. */
const sweepPage = (sql: SqlClient, rule: RetentionRule, round: RuleRound) =>
  Effect.gen(function* () {
    const [table, born] = [sql.literal(rule.table), sql.literal(`t.${rule.born}`)]
    const cutoff = new Date(round.cutoffMs ?? 0)
    const gone =
      round.cutoffMs === null
        ? []
        : yield* sql<{ readonly born_ms: number }>`
            DELETE FROM ${table} AS t WHERE t.ctid = ANY (ARRAY (
              SELECT t.ctid FROM ${table} AS t WHERE ${born} < ${cutoff} AND ${rule.over(sql, cutoff)}
              ORDER BY ${born} LIMIT ${retentionLimits.pageMax} FOR UPDATE SKIP LOCKED))
            RETURNING (extract(epoch FROM ${born}) * 1000)::float8 AS born_ms`
    return {
      removed: gone.length,
      cursor: 0n,
      done: gone.length < retentionLimits.pageMax,
      bornMs: gone.length === 0 ? null : Math.max(...gone.map(({ born_ms: ms }) => ms))
    } satisfies PrunedPage
  })

const prunePage = (sql: SqlClient, round: RuleRound, cursor: bigint) =>
  Effect.gen(function* () {
    const rule = retentionRules.find(({ name }) => name === round.rule)
    invariant(rule !== undefined, "a round is of a rule that exists", { rule: round.rule })
    const [lock] = yield* sql<{ readonly ours: boolean }>`
      SELECT pg_try_advisory_xact_lock(${lockKey}) AS ours, set_config('synchronous_commit', 'off', true),
        set_config('lock_timeout', ${String(retentionLimits.lockMs)}, true),
        set_config('statement_timeout', ${String(retentionLimits.statementMs)}, true)`
    if (lock?.ours !== true) return null
    if (rule.sweeps === true) return yield* sweepPage(sql, rule, round)
    const rows = yield* look(sql, rule, round, cursor)
    const seqs = rows.filter(({ gone }) => gone).map(({ seq }) => seq)
    const removed =
      seqs.length === 0
        ? 0
        : rule.remove === undefined
          ? yield* removePlain(sql, rule.table, seqs)
          : yield* rule.remove(sql, seqs)
    const last = rows.at(-1)
    return {
      removed,
      cursor: last?.seq ?? cursor,
      done: rows.length < retentionLimits.pageMax || last?.aged !== true,
      bornMs: last?.born_ms ?? null
    } satisfies PrunedPage
  })

export const retentionStorePg: Layer.Layer<RetentionStore, never, Config | Database> = Layer.effect(
  RetentionStore,
  Effect.gen(function* () {
    const database = yield* Database
    const settings = yield* Config
    return RetentionStore.of({
      begin: database.run("retention.begin", (sql) => begin(sql, settings.retention)),
      prune: (round, cursor) =>
        database.transact("retention.prune", (sql) => prunePage(sql, round, cursor), {
          deadlineMs: retentionLimits.pageMsMax
        })
    })
  })
)
