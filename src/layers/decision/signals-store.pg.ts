/**
 * SignalsStore on PostgreSQL: the queue is the table.
 *
 * Claims skip rows that another claimer holds, so any number of processes share the queue without waiting for each
 * other. A claim needs no durability of its own (a lost one is only an early retry), so it does not wait for the disk;
 * the decision does. The token starts with a digest of the node and ends with one of its life, which is how the next life
 * of a node recognises the claims of earlier ones and releases them at once instead of waiting for their leases.
 *
 * Promises: as the port; leases are judged by the database's clock alone.
 * Never: reads a row without the claim it needs, or keeps anything in memory.
 * Failure: `DatabaseUnavailable` with outcome `unknown` may have decided; the next claim then finds nothing to do. A
 * fault of a decision is the caller's to isolate; any other fault is a bug and dies.
 */
import { createHash } from "node:crypto"
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { isJsonObject } from "../../domain/kernel/canonical-json.ts"
import { uuidFromDigest } from "../../domain/kernel/ids.ts"
import { versionOf } from "../../domain/kernel/settings-change.ts"
import { ORDER_HAS_METADATA } from "../../domain/signals/metadata.ts"
import { claimDigits, claimToken } from "../../domain/platform/node-life.ts"
import { decodeMetadata } from "../../wire/metadata-body.ts"
import { Config, snapshotOf } from "../platform/config.port.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { Entropy, type EntropyService } from "../platform/entropy.port.ts"
import { Instance, type InstanceIdentity, type InstanceService } from "../platform/instance.port.ts"
import { recordMetadata } from "../orders/metadata-link.pg.ts"
import { contextTerms } from "../orders/account-book.pg.ts"
import { decideIn, settleFailure } from "./signals-store.pg-decide.ts"
import { backlogRow, claimRows, expireRows, type SignalRow } from "./signals-store.pg-queue.ts"
import {
  type ClaimedSignal,
  ClaimLost,
  type RecordedMetadata,
  SignalsStore,
  type SignalsStoreService
} from "./signals-store.port.ts"

const metadataOf = (row: SignalRow): ClaimedSignal => {
  const base = { id: row.id, source: row.source, attempts: row.attempts, receivedAtMs: row.received_at_ms }
  const parsed = isJsonObject(row.body) ? decodeMetadata(row.body) : null
  if (parsed === null || !parsed.ok) {
    const problem =
      parsed === null
        ? "the body is not an object"
        : parsed.errors.map(({ path, message }) => `${path} ${message}`).join("; ")
    return { ...base, kind: "unreadable", problem: `metadata: ${problem}` }
  }
  return { ...base, kind: "metadata", metadata: parsed.value, atMs: row.fired_at_ms ?? row.received_at_ms }
}

const claimedOf = (row: SignalRow): ClaimedSignal => {
  if (row.kind === "metadata") return metadataOf(row)
  const base = { id: row.id, source: row.source, attempts: row.attempts, receivedAtMs: row.received_at_ms }
  if (row.symbol === null) return { ...base, kind: "unreadable", problem: "a signal without a symbol" }
  const signal = {
    id: row.id,
    source: row.source,
    symbol: row.symbol,
    action: row.action,
    direction: row.direction,
    quantity: row.quantity,
    price: row.price,
    strategy: row.strategy,
    strike: row.strike,
    expiration: row.expiration,
    intent: row.intent,
    positionSize: row.position_size,
    marketPosition: row.market_position,
    prevMarketPosition: row.prev_market_position,
    marketPositionSize: row.market_position_size,
    orderType: row.order_type,
    limitPrice: row.limit_price,
    stopPrice: row.stop_price,
    timeInForce: row.time_in_force,
    experimentId: row.experiment_id,
    variant: row.variant,
    expiresFromMs: row.expires_from_ms ?? row.received_at_ms
  }
  return { ...base, kind: "signal", signal }
}

const digestOf = (name: string): string => createHash("sha256").update(name).digest("hex")

/** The token of one claim: which node made it, which of its lives, and randomness. */
const tokenOf = (identity: InstanceIdentity | null, entropy: EntropyService): string => {
  const random = Buffer.from(entropy.bytes(16)).toString("hex")
  // Before DATA_DIR is held there is no node yet; such a claim is only never taken back early.
  const { life, nodeId } = identity ?? { nodeId: random, life: random }
  return uuidFromDigest(claimToken(digestOf(nodeId), digestOf(life), random))
}

/** LIKE patterns for the tokens of all lives of a node, and for those of one life. */
const patternsOf = ({ life, nodeId }: InstanceIdentity) => {
  const node = digestOf(nodeId).slice(0, claimDigits.node)
  return { node: `${node}-%`, life: `${node}-%-${digestOf(life).slice(0, claimDigits.life)}` }
}

/** Locks one row of a claim for a transaction; fails when it is no longer ours. */
const take = (sql: SqlClient, token: string, id: string) =>
  sql`UPDATE signals SET lease_until = lease_until WHERE id = ${id} AND status = 'processing' AND claim = ${token}::uuid RETURNING id`.pipe(
    Effect.flatMap((rows) => (rows.length === 1 ? Effect.void : Effect.fail(new ClaimLost({ id }))))
  )

const storeMetadata =
  (database: DatabaseService): SignalsStoreService["recordMetadata"] =>
  (token, id, metadata, atMs) =>
    database.transact("signals.metadata", (sql) =>
      Effect.gen(function* () {
        yield* take(sql, token, id)
        const recorded = yield* recordMetadata(sql, id, metadata, new Date(atMs))
        const [status, reason] = {
          Recorded: ["done", null],
          Known: ["rejected", "snapshot_known"],
          Taken: ["done", ORDER_HAS_METADATA]
        }[recorded._tag]
        yield* sql`
          UPDATE signals SET status = ${status}, reason = ${reason}, decided_at = hf_now(), claim = NULL, lease_until = NULL
          WHERE id = ${id}`
        const { snapshotId, pair } = metadata
        const linked = recorded._tag === "Recorded" ? recorded.linked : []
        return {
          snapshotId,
          pair,
          linked,
          known: recorded._tag === "Known",
          taken: recorded._tag === "Taken"
        } satisfies RecordedMetadata
      })
    )

const fail =
  (database: DatabaseService): SignalsStoreService["fail"] =>
  (token, signal, error) =>
    database
      .transact("signals.fail", (sql) =>
        Effect.andThen(take(sql, token, signal.id), settleFailure(sql, signal, error))
      )
      .pipe(
        Effect.catchTag("ClaimLost", ({ id }) => Effect.succeed({ _tag: "ClaimLost" as const, id })),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/**
 * What this life claimed before (its pipeline crashed, or lost the database), and what every other life of the node did
 * while this one holds the node's lease: they have ended (T16). A copy of the node releases only its own.
 */
const releaseOwn = (database: DatabaseService, instance: InstanceService) => (after: "crash" | "outage") =>
  Effect.gen(function* () {
    const { _tag: standing } = yield* instance.settled
    const identity = instance.current()
    if (identity === null) return 0
    const patterns = patternsOf(identity)
    const released = yield* database.run(
      "signals.release_own",
      (sql) => sql`
          UPDATE signals SET status = 'received', claim = NULL, lease_until = NULL,
            attempts = CASE WHEN ${after === "outage"}::boolean AND claim::text LIKE ${patterns.life}
              THEN greatest(attempts - 1, 0) ELSE attempts END
          WHERE status = 'processing'
            AND claim::text LIKE ${standing === "Held" ? patterns.node : patterns.life} RETURNING id`
    )
    return released.length
  }).pipe(Effect.catchTag("DatabaseFault", Effect.die))

/** A statement about the queue as a whole; the database refuses none of them. */
const look = <A>(
  database: DatabaseService,
  operation: string,
  f: (sql: SqlClient) => Effect.Effect<A, SqlError>
) => database.run(operation, f).pipe(Effect.catchTag("DatabaseFault", Effect.die))

export const signalsStorePg: Layer.Layer<SignalsStore, never, Config | Database | Entropy | Instance> =
  Layer.effect(
    SignalsStore,
    Effect.gen(function* () {
      const database = yield* Database
      const instance = yield* Instance
      const entropy = yield* Entropy
      const settings = yield* Config
      const terms = contextTerms(settings)
      return SignalsStore.of({
        releaseOwn: releaseOwn(database, instance),
        claim: (limit) =>
          Effect.suspend(() => {
            const token = tokenOf(instance.current(), entropy)
            return look(database, "signals.claim", (sql) =>
              claimRows(sql, settings.sources, token, limit)
            ).pipe(
              // UPDATE returns its rows in no order.
              Effect.map((rows) => ({
                token,
                signals: rows.toSorted((a, b) => (a.seq < b.seq ? -1 : 1)).map(claimedOf),
                more: rows.length === limit || rows.some(({ open }) => open > rows.length)
              }))
            )
          }),
        decide: (token, signals, accounts, plan) =>
          database.transact("signals.decide", (sql) => decideIn(sql, terms, token, signals, accounts, plan)),
        recordMetadata: storeMetadata(database),
        fail: fail(database),
        expire: (limit) =>
          Effect.suspend(() => {
            const inForce = snapshotOf(settings)
            const under = { sources: inForce.sources, version: versionOf(inForce) }
            return look(database, "signals.expire", (sql) => expireRows(sql, under, limit))
          }),
        backlog: look(database, "signals.backlog", (sql) => backlogRow(sql, settings.sources)).pipe(
          Effect.map(([row]) => row ?? { open: 0, oldestMs: 0, expired: 0, dead: 0, waiting: false })
        )
      })
    })
  )
