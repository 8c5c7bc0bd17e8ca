/**
 * AlertLogs on PostgreSQL: a log is looked up in four statements, however many lines it has.
 *
 * A line is read as the intake reads a post, by the same code, so its identity is that which the post had. Signals are found
 * by it, whenever they came; equal bodies, and posts whose header named them, by the hash of the body near the time of the
 * alert.
 *
 * Promises: those of the port; others have their turn while thousands of lines are read.
 * Never: writes.
 * Failure: `DatabaseUnavailable`.
 */
import { createHash } from "node:crypto"
import { Clock, Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import {
  accountLines,
  type FoundRefusal,
  type FoundSignal,
  type KeyedLine,
  type LineKey
} from "../../domain/intake/alert-account.ts"
import type { LogLine } from "../../domain/intake/alert-log.ts"
import { keptText } from "../../domain/intake/refused-post.ts"
import { bodyHash, isJsonObject } from "../../domain/kernel/canonical-json.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { readJson } from "../../domain/kernel/json-reader.ts"
import { alertLogLimits } from "../../domain/kernel/limits-kept.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { Settings, SourceSettings } from "../../domain/kernel/settings.ts"
import { plainSource } from "../../wire/settings-source.ts"
import { Database } from "../database/database.port.ts"
import { settingsMask } from "../platform/config-mask.ts"
import { Config } from "../platform/config.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { readPost, withoutSourceSecret } from "../signals/intake-reading.wire.ts"
import { AlertLogs } from "./alert-log.port.ts"

const hashOf = (text: string): string => createHash("md5").update(text).digest("hex")

/** What a line would have been as a post of the source. */
const keyOf = (
  source: string,
  settings: SourceSettings,
  mask: Mask,
  { atMs, text }: { readonly text: string; readonly atMs: number }
): LineKey => {
  const bytes = new TextEncoder().encode(text)
  const json = readJson(bytes)
  const value = Result.isSuccess(json) ? withoutSourceSecret(settings, json.success) : undefined
  const hash = value !== undefined && isJsonObject(value) ? bodyHash(value) : null
  const key = { identity: null, bodyHash: hash, textHash: hashOf(keptText(bytes, value, mask).body) }
  if (Result.isFailure(json)) return { ...key, errors: [json.failure] }
  const read = readPost({ source, settings, json: value ?? null, headers: {}, cameAtMs: atMs })
  if (Result.isFailure(read)) return { ...key, errors: read.failure }
  const { identity } = read.success
  return { ...key, identity: identity.kind === "bucket" ? null : identity.key, errors: [] }
}

const keyed = (source: string, settings: SourceSettings, mask: Mask, lines: ReadonlyArray<LogLine>) =>
  Effect.gen(function* () {
    const result: Array<KeyedLine> = []
    for (const line of lines) {
      const { alert } = line
      result.push({ ...line, key: alert === null ? null : keyOf(source, settings, mask, alert) })
      if (result.length % alertLogLimits.batch === 0) yield* Effect.yieldNow
    }
    return result
  })

interface Times {
  readonly from: string
  readonly to: string
}

const timesOf = (lines: ReadonlyArray<KeyedLine>): Times => {
  const times = lines.flatMap(({ alert }) => (alert === null ? [] : [alert.atMs]))
  const margin = Math.max(alertLogLimits.skewMs, alertLogLimits.delayMsMax, alertLogLimits.sameMsMax)
  const [first, last] = times.reduce(([low, high], ms) => [Math.min(low, ms), Math.max(high, ms)] as const, [
    times[0] ?? 0,
    times[0] ?? 0
  ] as const)
  return { from: isoOf(first - margin), to: isoOf(last + margin) }
}

const distinct = (texts: ReadonlyArray<string | null>): ReadonlyArray<string> => [
  ...new Set(texts.flatMap((text) => (text === null ? [] : [text])))
]

const signalColumns = `id, identity, body_hash AS "bodyHash", status, reason,
  (extract(epoch FROM received_at) * 1000)::float8 AS "receivedMs"`

const findSignals = (
  sql: SqlClient,
  source: string,
  lines: ReadonlyArray<KeyedLine>,
  { from, to }: Times
) => {
  const identities = distinct(lines.map(({ key }) => key?.identity ?? null))
  const hashes = distinct(lines.map(({ key }) => key?.bodyHash ?? null))
  return sql<FoundSignal>`
    SELECT ${sql.literal(signalColumns)} FROM signals
      WHERE source = ${source} AND identity = ANY (${identities}::text[])
    UNION SELECT ${sql.literal(signalColumns)} FROM signals
      WHERE source = ${source} AND received_at BETWEEN ${from}::timestamptz AND ${to}::timestamptz
        AND body_hash = ANY (${hashes}::text[])`
}

const findRefusals = (sql: SqlClient, source: string, lines: ReadonlyArray<KeyedLine>, { from, to }: Times) =>
  sql<FoundRefusal>`
    SELECT id, body_hash AS "bodyHash", md5(body) AS "textHash", reason, errors,
      (extract(epoch FROM received_at) * 1000)::float8 AS "receivedMs"
    FROM refused_posts
    WHERE source = ${source} AND received_at BETWEEN ${from}::timestamptz AND ${to}::timestamptz
      -- Its signal was stored; what became of it is in its trace.
      AND reason <> 'strategy_unknown'
      AND (body_hash = ANY (${distinct(lines.map(({ key }) => key?.bodyHash ?? null))}::text[])
        OR md5(body) = ANY (${distinct(lines.map(({ key }) => key?.textHash ?? null))}::text[]))`

/** Whether posts were taken at these times, null where that was not noted yet. */
const findTaken = (sql: SqlClient, times: ReadonlyArray<number>) =>
  Effect.map(
    sql<{ readonly at: number; readonly taken: boolean | null }>`
      SELECT (extract(epoch FROM t.at) * 1000)::float8 AS at,
        CASE WHEN EXISTS (SELECT FROM intake_presence p WHERE p.until >= t.at AND p.since <= t.at) THEN true
          WHEN EXISTS (SELECT FROM intake_presence p WHERE p.since < t.at)
            AND EXISTS (SELECT FROM intake_presence p WHERE p.until > t.at) THEN false END AS taken
      FROM unnest(${times.map(isoOf)}::timestamptz[]) AS t (at)`,
    (rows) => new Map(rows.map(({ at, taken }) => [Math.round(at), taken]))
  )

const dayMs = 86_400_000

const keptSince = ({ retention }: Settings, nowMs: number): number =>
  retention.signalDays === null ? 0 : nowMs - retention.signalDays * dayMs

export const alertLogsPg: Layer.Layer<AlertLogs, never, Config | Database> = Layer.effect(
  AlertLogs,
  Effect.gen(function* () {
    const database = yield* Database
    const settings = yield* Config
    const mask = settingsMask(settings)
    const options = { deadlineMs: readLimits.queryMs }
    return AlertLogs.of({
      account: Effect.fnUntraced(function* (source, given) {
        const lines = yield* keyed(source, settings.sources[source] ?? plainSource, mask, given)
        const times = timesOf(lines)
        const found = yield* database.run(
          "alert_log.find",
          (sql) =>
            Effect.all([findSignals(sql, source, lines, times), findRefusals(sql, source, lines, times)]),
          options
        )
        const since = keptSince(settings, yield* Clock.currentTimeMillis)
        const accounted = accountLines(lines, found[0], found[1], since)
        const lost = accounted.flatMap(({ line: { alert }, outcome }) =>
          outcome === "never_arrived" && alert !== null ? [alert.atMs] : []
        )
        const taken =
          lost.length === 0
            ? new Map<number, boolean | null>()
            : yield* database.run("alert_log.taken", (sql) => findTaken(sql, lost), options)
        return accounted.map((one) => ({ ...one, postsTaken: taken.get(one.line.alert?.atMs ?? -1) ?? null }))
      })
    })
  })
)
