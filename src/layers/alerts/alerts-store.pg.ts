/**
 * Alerts store on PostgreSQL.
 *
 * A partial unique index makes the dedup key of an open row its identity: repetitions raise its count, and once it is
 * resolved the next one of its key is a new row. Entries of one key must not overtake each other, so the batch is
 * applied in rounds of different keys; nearly always there is one round.
 *
 * Promises: all of the batch or nothing; the first message and detail of an outbreak stay, those of the last repetition
 * are next to them; times are when it happened, not when it could be stored.
 * Never: changes a row that is resolved.
 * Failure: `DatabaseUnavailable` gives the batch back to the caller, who keeps it in memory.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { alertLimits } from "../../domain/kernel/limits.ts"
import { AlertsStore, type ClosedAlert } from "./alerts-store.port.ts"
import type { Alert, Ended, PendingAlert, PendingEntry, Resolution } from "./alerts.port.ts"
import { Database } from "../database/database.port.ts"

const detailOf = ({ correlationId, detail }: Pick<Alert, "correlationId" | "detail">): string =>
  JSON.stringify({ ...detail, ...(correlationId === undefined ? {} : { correlation_id: correlationId }) })

/** An event that did not recur for long is closed; the next one of its key is another outbreak. */
const closeQuiet = (sql: SqlClient, alerts: ReadonlyArray<PendingAlert>) => sql`
  UPDATE alerts SET resolved_at = last_at, resolved_by = 'no other within an hour', version = version + 1
  FROM unnest(${alerts.map(({ dedupKey }) => dedupKey)}::text[], ${alerts.map(({ firstAtMs }) => firstAtMs)}::float8[])
    AS e (dedup_key, first_ms)
  WHERE alerts.dedup_key = e.dedup_key AND alerts.resolved_at IS NULL AND NOT alerts.standing
    AND alerts.last_at < to_timestamp((e.first_ms - ${alertLimits.quietMs}::float8) / 1000)`

/** A repetition that is worse than the row. It is news, of which whoever was told of the row knows nothing. */
const RISES = `array_position(ARRAY['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'], excluded.severity)
        > array_position(ARRAY['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'], alerts.severity)`

const openOrCount = (sql: SqlClient, alerts: ReadonlyArray<PendingAlert>) => sql`
  INSERT INTO alerts (id, severity, kind, dedup_key, message, component, detail, occurrences, standing, first_at, last_at,
    last_message, last_detail, last_entry)
  SELECT id, severity, kind, dedup_key, message, component, detail, occurrences, standing,
    to_timestamp(first_ms / 1000), to_timestamp(last_ms / 1000), last_message, last_detail, id
  FROM unnest(
    ${alerts.map(({ id }) => id)}::uuid[],
    ${alerts.map(({ severity }) => severity)}::text[],
    ${alerts.map(({ kind }) => kind)}::text[],
    ${alerts.map(({ dedupKey }) => dedupKey)}::text[],
    ${alerts.map(({ message }) => message)}::text[],
    ${alerts.map(({ component }) => component ?? "")}::text[],
    ${alerts.map(detailOf)}::jsonb[],
    ${alerts.map(({ occurrences }) => occurrences)}::int[],
    ${alerts.map(({ standing }) => standing === true)}::boolean[],
    ${alerts.map(({ firstAtMs }) => firstAtMs)}::float8[],
    ${alerts.map(({ lastAtMs }) => lastAtMs)}::float8[],
    ${alerts.map(({ last }) => last.message)}::text[],
    ${alerts.map(({ last, correlationId }) => detailOf({ ...last, ...(correlationId === undefined ? {} : { correlationId }) }))}::jsonb[]
  ) WITH ORDINALITY AS e (id, severity, kind, dedup_key, message, component, detail, occurrences, standing, first_ms, last_ms,
    last_message, last_detail, n)
  -- An entry whose answer was lost comes again; its row may be over by now.
  WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.resolved_at IS NOT NULL AND a.last_entry = e.id)
  ORDER BY n
  ON CONFLICT (dedup_key) WHERE resolved_at IS NULL DO UPDATE SET
    occurrences = alerts.occurrences + excluded.occurrences,
    severity = CASE WHEN ${sql.literal(RISES)} THEN excluded.severity ELSE alerts.severity END,
    telegram_at = CASE WHEN ${sql.literal(RISES)} THEN NULL ELSE alerts.telegram_at END,
    telegram_chats = CASE WHEN ${sql.literal(RISES)} THEN '{}' ELSE alerts.telegram_chats END,
    -- Graver than before is news to the sinks too, some of which may not have been told of it at all.
    routed_at = CASE WHEN ${sql.literal(RISES)} THEN NULL ELSE alerts.routed_at END,
    last_message = excluded.last_message, last_detail = excluded.last_detail, last_entry = excluded.last_entry,
    last_at = greatest(alerts.last_at, excluded.last_at), version = alerts.version + 1
  WHERE alerts.last_entry IS DISTINCT FROM excluded.last_entry`

/** `entry`: the outbreak that ended, where the queue knows it; what began after the end stays open. */
interface End extends ClosedAlert {
  readonly atMs: number
  readonly entry: string | null
}
const closeKeys = (sql: SqlClient, ends: ReadonlyArray<End>) =>
  sql<ClosedAlert>`
  UPDATE alerts SET resolved_at = to_timestamp(e.at_ms / 1000), resolved_by = e.by,
    version = version + 1
  FROM unnest(${ends.map(({ dedupKey }) => dedupKey)}::text[], ${ends.map(({ by }) => by)}::text[],
    ${ends.map(({ atMs }) => atMs)}::float8[], ${ends.map(({ entry }) => entry ?? "")}::text[])
    AS e (dedup_key, by, at_ms, entry)
  WHERE alerts.dedup_key = e.dedup_key AND alerts.resolved_at IS NULL AND (e.entry = '' OR e.entry = alerts.last_entry::text)
    AND alerts.first_at <= to_timestamp(e.at_ms / 1000)
  RETURNING alerts.dedup_key AS "dedupKey", alerts.resolved_by AS by`

const closeAllBut = (
  sql: SqlClient,
  { keys, prefix }: Extract<Ended, { readonly _tag: "AllBut" }>,
  resolution: Resolution
) => sql<ClosedAlert>`
  UPDATE alerts SET resolved_at = to_timestamp(${resolution.atMs}::float8 / 1000),
    resolved_by = ${resolution.by}, version = version + 1
  WHERE starts_with(dedup_key, ${prefix}) AND dedup_key <> ALL(${keys}::text[]) AND resolved_at IS NULL
    AND first_at <= to_timestamp(${resolution.atMs}::float8 / 1000)
  RETURNING dedup_key AS "dedupKey", resolved_by AS by`

/** Splits a batch so that no round has a key twice; a prefix is a round of its own. */
const roundsOf = (entries: ReadonlyArray<PendingEntry>): ReadonlyArray<ReadonlyArray<PendingEntry>> => {
  const rounds: Array<Array<PendingEntry>> = []
  let seen = new Set<string>()
  let open = false
  for (const entry of entries) {
    const isPrefix = entry._tag === "Closing" && entry.ended._tag === "AllBut"
    const keys = entry._tag === "Outbreak" ? [entry.dedupKey] : entry.ended.keys
    if (!open || isPrefix || keys.some((key) => seen.has(key))) {
      rounds.push([])
      seen = new Set()
    }
    rounds.at(-1)?.push(entry)
    for (const key of keys) seen.add(key)
    open = !isPrefix
  }
  return rounds
}

const storeRound = (sql: SqlClient, round: ReadonlyArray<PendingEntry>) =>
  Effect.gen(function* () {
    const alerts = round.filter((entry) => entry._tag === "Outbreak")
    const closings = round.filter((entry) => entry._tag === "Closing")
    if (alerts.length > 0) {
      yield* closeQuiet(sql, alerts)
      yield* openOrCount(sql, alerts)
    }
    // The queue has reported these as resolved; whether a closing closed anything only the table knows.
    const over = alerts.flatMap(({ dedupKey, id, resolved }) =>
      resolved === null ? [] : [{ dedupKey, entry: id, ...resolved }]
    )
    if (over.length > 0) yield* closeKeys(sql, over)
    const ends: Array<End> = []
    for (const { ended, resolution } of closings) {
      // A round of its own.
      if (ended._tag === "AllBut") return yield* closeAllBut(sql, ended, resolution)
      for (const dedupKey of ended.keys) ends.push({ dedupKey, entry: null, ...resolution })
    }
    return ends.length === 0 ? [] : yield* closeKeys(sql, ends)
  })

/**
 * Stores entries in a transaction of the caller, so that what happened and its alert are one commit. The caller raises the alert
 * afterwards under the same `entry`, which logs it and notifies whoever delivers alerts.
 */
export const storeAlertsIn = (sql: SqlClient, entries: ReadonlyArray<PendingEntry>) =>
  Effect.map(
    Effect.forEach(roundsOf(entries), (round) => storeRound(sql, round)),
    (closed): ReadonlyArray<ClosedAlert> => closed.flat()
  )

export const alertsStorePg: Layer.Layer<AlertsStore, never, Database> = Layer.effect(
  AlertsStore,
  Effect.map(Database, (database) =>
    AlertsStore.of({
      store: (entries) =>
        entries.length === 0
          ? Effect.succeed([])
          : database.transact("alerts.store", (sql) => storeAlertsIn(sql, entries))
    })
  )
)
