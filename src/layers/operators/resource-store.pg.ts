/**
 * ResourceStore on PostgreSQL.
 *
 * Promises: those of the port; the samples of a call are one statement.
 * Never: updates or removes a row; retention does the latter.
 * Failure: `DatabaseUnavailable`; a sample whose answer was lost may be there twice, which a history bears.
 */
import { Effect, Layer } from "effect"
import { Database } from "../database/database.port.ts"
import { ResourceStore } from "./resource-store.port.ts"

export const resourceStorePg: Layer.Layer<ResourceStore, never, Database> = Layer.effect(
  ResourceStore,
  Effect.map(Database, (database) =>
    ResourceStore.of({
      add: (samples) =>
        samples.length === 0
          ? Effect.void
          : Effect.asVoid(
              database.run(
                "resources.add",
                (sql) => sql`
                  INSERT INTO resource_samples (node, at, state, shed, rss_bytes, heap_used_bytes, heap_limit_bytes, loop_ms,
                    disk_free_pct, pool_waiting, queue_ms)
                  SELECT node, to_timestamp(at_ms / 1000), state, shed, rss_bytes, heap_used_bytes, heap_limit_bytes, loop_ms,
                    disk_free_pct, pool_waiting, queue_ms
                  FROM jsonb_to_recordset(${JSON.stringify(
                    samples.map((one) => ({
                      node: one.node,
                      at_ms: one.atMs,
                      state: one.state,
                      shed: one.shed,
                      rss_bytes: one.rssBytes,
                      heap_used_bytes: one.heapUsedBytes,
                      heap_limit_bytes: one.heapLimitBytes,
                      loop_ms: one.loopMs,
                      disk_free_pct: one.diskFreePct,
                      pool_waiting: one.poolWaiting,
                      queue_ms: one.queueMs
                    }))
                  )}::text::jsonb) AS s (node text, at_ms float8, state text, shed jsonb, rss_bytes float8,
                    heap_used_bytes float8, heap_limit_bytes float8, loop_ms float8, disk_free_pct float8,
                    pool_waiting int, queue_ms float8)`
              )
            )
    })
  )
)
