/**
 * RefusedStore on PostgreSQL: one INSERT of fixed text per batch.
 *
 * It waits for no disk where the sender was refused: a row that a crash of the server takes back is one that nobody has acted on,
 * and the flood it may be part of should not wait in line with the commits of the posts that were taken. A post of the spool was
 * answered 202, and leaves its file after this.
 *
 * Promises: as the port.
 * Never: updates a row.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have stored the batch; storing it again is harmless.
 */
import { Effect, Layer } from "effect"
import { Database } from "../database/database.port.ts"
import { refusedLimits } from "../../domain/kernel/limits-kept.ts"
import type { RefusedPost } from "../../domain/intake/refused-post.ts"
import { RefusedStore } from "./refused-store.port.ts"

const rowOf = ({ errors, receivedAtMs, text, ...post }: RefusedPost) => ({
  id: post.id,
  source: post.source,
  reason: post.reason,
  answered: post.answered,
  errors,
  body: text.body,
  body_bytes: text.bytes,
  cut: text.cut,
  body_hash: text.hash,
  webhook_id: post.webhookId,
  idempotency_key: post.idempotencyKey,
  request_id: post.requestId,
  address: post.address,
  signal_id: post.signalId,
  received_ms: receivedAtMs
})

export const refusedStorePg: Layer.Layer<RefusedStore, never, Database> = Layer.effect(
  RefusedStore,
  Effect.map(Database, (database) =>
    RefusedStore.of({
      store: (posts, how) =>
        database
          .run(
            "refused.store",
            (sql) => sql`
              WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit',
                CASE WHEN ${how === "durable"}::boolean THEN current_setting('synchronous_commit') ELSE 'off' END, true) AS mode)
              INSERT INTO refused_posts (id, source, reason, answered, errors, body, body_bytes, cut, body_hash, webhook_id,
                idempotency_key, request_id, address, signal_id, received_at)
              SELECT r.id, r.source, r.reason, r.answered, r.errors, r.body, r.body_bytes, r.cut, r.body_hash, r.webhook_id,
                r.idempotency_key, r.request_id, r.address, r.signal_id, to_timestamp(r.received_ms / 1000)
              FROM quick CROSS JOIN jsonb_to_recordset(${JSON.stringify(posts.map(rowOf))}::text::jsonb)
                AS r (id uuid, source text, reason text, answered int, errors jsonb, body text, body_bytes int, cut boolean,
                  body_hash text, webhook_id text, idempotency_key text, request_id text, address text, signal_id uuid,
                  received_ms float8)
              ON CONFLICT DO NOTHING`,
            { deadlineMs: refusedLimits.storeMsMax }
          )
          .pipe(Effect.asVoid),
      open: database
        .run(
          "refused.open",
          (sql) => sql<{ readonly open: number }>`
            SELECT count(*)::int AS open FROM (
              SELECT FROM refused_posts WHERE replayed_at IS NULL ORDER BY seq LIMIT ${refusedLimits.countMax}::int) AS posts`,
          { deadlineMs: refusedLimits.storeMsMax }
        )
        .pipe(Effect.map(([row]) => row?.open ?? 0))
    })
  )
)
