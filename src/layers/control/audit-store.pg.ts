/**
 * AuditStore on PostgreSQL.
 *
 * The unique index over keys decides which of two attempts is the first; the other one reads what the first has become.
 *
 * Promises: what the port promises; every call has the deadline of a read of the API.
 * Never: touches the row of an attempt that was accepted, refused or failed.
 * Failure: `DatabaseUnavailable`; a `begin` whose answer was lost leaves a row that is ended as `interrupted` in time.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { commandLimits } from "../../domain/control/command-limits.ts"
import { lifeOver } from "../accounts/node-life.pg.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import {
  type AuditEnd,
  type AuditEntry,
  AuditStore,
  type AuditStoreService,
  type BeginOutcome,
  type InterruptedEntry
} from "./audit-store.port.ts"

const options = { deadlineMs: readLimits.queryMs }

/** Each try loses to another attempt that begins in the same millisecond with the same key. */
const keyTriesMax = 5

const columns =
  "id, command, scope, arguments, reason, by, means, address, request_id, idempotency_key, fingerprint, command_id, life, result"

const values = (sql: SqlClient, entry: AuditEntry, result: string): Fragment => sql`
  ${entry.id}::uuid, ${entry.command}, ${entry.scope}, ${JSON.stringify(entry.arguments)}::text::jsonb, ${entry.reason},
  ${entry.by}, ${entry.means}, ${entry.address}, ${entry.requestId}, ${entry.key}, ${entry.fingerprint},
  ${entry.commandId}::uuid, ${entry.life}, ${result}`

interface KnownRow {
  readonly fingerprint: string
  readonly result: string
  readonly result_reason: string | null
  readonly answer: AuditEnd["answer"]
}

const endOf = ({ answer, result, result_reason: reason }: KnownRow): AuditEnd | null =>
  result === "accepted" || result === "refused" ? { result, reason, answer } : null

/** A key may be released between the two statements: then there is no row, and the attempt begins again. */
const begin =
  (database: DatabaseService): AuditStoreService["begin"] =>
  (entry) =>
    database.run(
      "audit.begin",
      (sql) =>
        Effect.gen(function* () {
          for (;;) {
            const begun = yield* sql`
              INSERT INTO audit (${sql.literal(columns)}) VALUES (${values(sql, entry, "begun")})
              ON CONFLICT DO NOTHING RETURNING id`
            if (begun.length === 1) return { _tag: "Begun" } satisfies BeginOutcome
            const [known] = yield* sql<KnownRow>`
              SELECT fingerprint, result, result_reason, answer FROM audit
              WHERE idempotency_key = ${entry.key} AND result IN ('begun', 'accepted', 'refused')`
            if (known !== undefined)
              return {
                _tag: "Known",
                fingerprint: known.fingerprint,
                end: endOf(known)
              } satisfies BeginOutcome
          }
        }),
      options
    )

/** Another attempt took the key while this statement ran: the next one sees its row. */
const keyTaken = (error: SqlError): boolean => error.reason._tag === "UniqueViolation"

/**
 * A late end meets the key in the hands of a repetition when it was taken for dead meanwhile: then the row gives its key
 * up, since whoever repeated it has an answer of their own. One that begins at the same moment is not visible yet and shows
 * as a violation of the index.
 */
const end =
  (database: DatabaseService): AuditStoreService["end"] =>
  (entry, { answer, reason, result }) =>
    database
      .run(
        "audit.end",
        (sql) =>
          sql`
          INSERT INTO audit AS a (${sql.literal(columns)}, result_reason, answer, completed_at)
          VALUES (${values(sql, entry, result)}, ${reason},
            ${answer === null ? null : JSON.stringify(answer)}::text::jsonb, hf_clock())
          ON CONFLICT (id) DO UPDATE SET result = excluded.result, result_reason = excluded.result_reason,
            answer = excluded.answer, completed_at = excluded.completed_at,
            idempotency_key = CASE WHEN excluded.idempotency_key IS NULL OR EXISTS (SELECT FROM audit b WHERE b.idempotency_key = a.idempotency_key
              AND b.id <> a.id AND b.result IN ('begun', 'accepted', 'refused')) THEN NULL ELSE a.idempotency_key END
          WHERE a.result IN ('begun', 'interrupted')`.pipe(
            Effect.retry({ while: keyTaken, times: keyTriesMax })
          ),
        options
      )
      .pipe(Effect.asVoid)

const interrupt =
  (database: DatabaseService): AuditStoreService["interrupt"] =>
  (life) =>
    database.run(
      "audit.interrupt",
      (sql) => sql<InterruptedEntry>`
        UPDATE audit SET result = 'interrupted', completed_at = hf_clock(),
          result_reason = 'its process ended while it was carried out'
        -- A life of our node that is leased is no earlier one: it runs from a copy of DATA_DIR, and this process stands by.
        WHERE result = 'begun' AND (split_part(life, '/', 1) = split_part(${life}, '/', 1) AND life <> ${life}
            AND ${lifeOver(sql, "audit.life")}
          OR begun_at < hf_clock() - ${commandLimits.auditedMsMax}::int * interval '1 millisecond')
        RETURNING id, command, scope, by`,
      options
    )

export const auditStorePg: Layer.Layer<AuditStore, never, Database> = Layer.effect(
  AuditStore,
  Effect.map(Database, (database) =>
    AuditStore.of({ begin: begin(database), end: end(database), interrupt: interrupt(database) })
  )
)
