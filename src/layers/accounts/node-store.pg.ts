/**
 * Node store on PostgreSQL.
 *
 * One row per node, so two lives that open at once are serialised by its lock and the second sees the lease of the first.
 * The clock is `hf_clock()`: a statement that waited for the row must judge by the time it got it.
 *
 * Promises: those of the port; a life that ended without releasing its lease is recorded by the next one, for
 * limits that apply after a crash. A renewal waits for the disk as every commit does: a server that crashed and forgot the last one
 * would treat our lease as expired while we still rely on it.
 * Never: trusts a time of this process.
 * Failure: an unreachable or silent database is `DatabaseUnavailable`; an opening whose answer was lost may have taken the
 * lease, which the next opening of the same life finds as its own. A fault of a statement is a bug and dies.
 */
import { Effect, Layer } from "effect"
import { nodeLimits } from "../../domain/kernel/limits-execution.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { NodeStore, type NodeStoreService, type Opening } from "./node-store.port.ts"

interface LeasedRow {
  readonly life: string
  readonly host: string | null
  readonly pid: number
  readonly process_started: string
  readonly remaining_ms: number
}

const open =
  (database: DatabaseService): NodeStoreService["open"] =>
  ({ life, mark, nodeId }, leaseMs, provenDead) =>
    database
      .run("nodes.open", (sql) =>
        Effect.gen(function* () {
          const taken = yield* sql`
            INSERT INTO nodes AS n (node_id, life, host, pid, process_started, released, lease_until)
            VALUES (${nodeId}, ${life}, ${mark.host}, ${mark.pid}, ${mark.startedAt}, false,
              hf_clock() + ${leaseMs}::int * interval '1 millisecond')
            ON CONFLICT (node_id) DO UPDATE SET life = excluded.life, host = excluded.host, pid = excluded.pid,
              process_started = excluded.process_started, began_at = hf_clock(), released = false,
              -- A life that released its lease was stopped cleanly.
              crashed_at = CASE WHEN n.life <> excluded.life AND NOT n.released THEN hf_clock() ELSE n.crashed_at END,
              lease_until = hf_clock() + ${leaseMs}::int * interval '1 millisecond'
            WHERE n.life = excluded.life OR n.life = ${provenDead}::text OR n.lease_until <= hf_clock()
            RETURNING n.life`
          if (taken.length === 1) return { _tag: "Held" } satisfies Opening
          const [row] = yield* sql<LeasedRow>`
            SELECT life, host, pid, process_started, greatest(0, extract(epoch FROM
              (lease_until - hf_clock())) * 1000)::float8 AS remaining_ms FROM nodes WHERE node_id = ${nodeId}`
          // The row may be gone or free by now; then the next try takes it.
          return {
            _tag: "Leased",
            life: row?.life ?? "",
            mark: { host: row?.host ?? null, pid: row?.pid ?? 0, startedAt: row?.process_started ?? "" },
            remainingMs: Math.ceil(row?.remaining_ms ?? 0)
          } satisfies Opening
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const renew =
  (database: DatabaseService): NodeStoreService["renew"] =>
  (life, leaseMs) =>
    database
      .run(
        "nodes.renew",
        (sql) => sql<{ readonly lapsed: boolean; readonly accounts: number }>`
          WITH before AS MATERIALIZED (SELECT lease_until FROM nodes WHERE life = ${life} FOR UPDATE)
          UPDATE nodes SET lease_until = hf_clock() + ${leaseMs}::int * interval '1 millisecond'
          FROM before WHERE life = ${life}
          RETURNING before.lease_until <= hf_clock() AS lapsed,
            (SELECT count(*)::int FROM accounts WHERE owner = ${life}) AS accounts`,
        { deadlineMs: nodeLimits.renewMsMax }
      )
      .pipe(
        Effect.map(([row]) => ({
          held: row !== undefined,
          lapsed: row?.lapsed ?? true,
          accounts: row?.accounts ?? 0
        })),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const make = (database: DatabaseService): NodeStoreService => ({
  open: open(database),
  renew: renew(database),
  release: (life) =>
    database
      .run(
        "nodes.release",
        (sql) => sql`UPDATE nodes SET lease_until = hf_clock(), released = true WHERE life = ${life}`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))
})

export const nodeStorePg: Layer.Layer<NodeStore, never, Database> = Layer.effect(
  NodeStore,
  Effect.map(Database, (database) => NodeStore.of(make(database)))
)
