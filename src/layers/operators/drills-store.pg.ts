/**
 * Drills store on PostgreSQL.
 *
 * Promises: as the port; the index on running drills decides which of two that begin at once does.
 * Never: changes a signal or an order.
 * Failure: `DatabaseUnavailable`; `begin` is not tried again by itself, the others may be. A fault is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { DrillOrder } from "../../domain/control/drill.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { SETTLES, TERMINAL } from "../../domain/orders/order.ts"
import { Database } from "../database/database.port.ts"
import { Instance, type InstanceService } from "../platform/instance.port.ts"
import { DrillsStore, type DrillsStoreService } from "./drills-store.port.ts"

const identityOf = (instance: InstanceService) => {
  const identity = instance.current()
  invariant(identity !== null, "DATA_DIR is held before there is a database")
  return identity
}

const endFormer = (sql: SqlClient, instance: InstanceService) => {
  const { life, nodeId } = identityOf(instance)
  return sql`UPDATE drills SET status = 'interrupted', ended_at = hf_now()
    WHERE node = ${nodeId} AND life <> ${life} AND status = 'running'`
}

interface OutcomeRow {
  readonly id: string
  readonly status: string | null
  readonly orders: ReadonlyArray<DrillOrder>
}

const selectOutcomes = (sql: SqlClient, ids: ReadonlyArray<string>) => sql<OutcomeRow>`
  SELECT g.id, s.status, (SELECT coalesce(jsonb_agg(jsonb_build_object('status', o.status,
      'quantity', trim_scale(o.quantity)::text, 'filled', trim_scale(o.filled_quantity)::text,
      'isOver', o.status = ANY (${[...TERMINAL]}::text[])
        AND (o.settled_at IS NOT NULL OR NOT o.status = ANY (${[...SETTLES]}::text[]))) ORDER BY o.seq), '[]')
    FROM orders o WHERE o.signal_id = g.id) AS orders
  FROM unnest(${[...ids]}::uuid[]) WITH ORDINALITY AS g (id, place) LEFT JOIN signals s ON s.id = g.id
  ORDER BY g.place`

export const drillsStorePg: Layer.Layer<DrillsStore, never, Database | Instance> = Layer.effect(
  DrillsStore,
  Effect.gen(function* () {
    const database = yield* Database
    const instance = yield* Instance
    const service: DrillsStoreService = {
      begin: ({ by, fault, id, reason }) =>
        database
          .transact("drills.begin", (sql) =>
            Effect.gen(function* () {
              const { life, nodeId } = identityOf(instance)
              yield* endFormer(sql, instance)
              const begun = yield* sql`
                INSERT INTO drills (id, node, life, fault, status, by, reason, begun_at)
                VALUES (${id}::uuid, ${nodeId}, ${life}, ${fault}, 'running', ${by}, ${reason}, hf_now())
                ON CONFLICT DO NOTHING RETURNING id`
              return begun.length === 1
            })
          )
          .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
      end: (id, status, receipt) =>
        database
          .run(
            "drills.end",
            (
              sql
            ) => sql`UPDATE drills SET status = ${status}, receipt = ${JSON.stringify(receipt)}::text::jsonb,
              ended_at = hf_now() WHERE id = ${id}::uuid AND status = 'running'`
          )
          .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die)),
      interrupt: database
        .run("drills.interrupt", (sql) => endFormer(sql, instance))
        .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die)),
      outcomes: (ids) =>
        database
          .run("drills.outcomes", (sql) => selectOutcomes(sql, ids))
          .pipe(
            Effect.map((rows) => rows.map(({ id, orders, status }) => ({ signalId: id, status, orders }))),
            Effect.catchTag("DatabaseFault", Effect.die)
          ),
      held: (symbols) =>
        database
          .run(
            "drills.held",
            (sql) => sql<{ readonly symbol: string }>`
              SELECT DISTINCT symbol FROM positions WHERE symbol = ANY (${[...symbols]}::text[]) AND quantity <> 0`
          )
          .pipe(
            Effect.map((rows) => rows.map(({ symbol }) => symbol)),
            Effect.catchTag("DatabaseFault", Effect.die)
          )
    }
    return DrillsStore.of(service)
  })
)
