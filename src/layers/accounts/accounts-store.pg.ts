/**
 * Accounts store on PostgreSQL.
 *
 * Every guard is evaluated by the server on the row it changes. The clock is `hf_clock()`, not `hf_now()`: a statement
 * that waited for a row lock must judge the lease by the time it got the lock, not by the time it began to wait.
 *
 * Promises: two takers of one account are serialised by its row, and the second sees the fence of the first; a taker and
 * a renewal of the former owner are serialised by the row of that owner's node, so an account is never taken from a life
 * that renewed in time.
 * Never: trusts a time of this process.
 * Failure: an unreachable or silent database is `DatabaseUnavailable`; a take whose answer was lost may have raised
 * the fence, which is harmless: the next take raises it again. A fault of a statement is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { accountLimits, nodeLimits } from "../../domain/kernel/limits-execution.ts"
import { collapse, inBatches } from "../database/collapse.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { accountLeased, lifeAlive } from "./node-life.pg.ts"
import {
  type AccountDefinition,
  type AccountGrant,
  type AccountRow,
  AccountsStore,
  type AccountsStoreService,
  type TakeOutcome,
  UNLOCKED,
  type VenueMismatch
} from "./accounts-store.port.ts"

interface Taker {
  readonly account: string
  readonly owner: string
}

/**
 * Takes what is free. `over` locks the nodes whose lease has expired: a renewal in progress is waited for and seen,
 * one that comes later finds that it lapsed. The rows are read without locks first and taken only under the fence
 * they had then, so an account that another process takes in between is its own; in the order of their names, so that two
 * takers wait for each other and never deadlock.
 */
const takeFree = (sql: SqlClient, ids: ReadonlyArray<string>, owner: string) => sql<{
  readonly id: string
  readonly fence: bigint
}>`
  WITH self AS MATERIALIZED (
    SELECT life FROM nodes WHERE life = ${owner} AND lease_until > hf_clock() FOR SHARE
  ), over AS MATERIALIZED (
    SELECT life FROM nodes WHERE lease_until <= hf_clock() AND life <> ${owner} ORDER BY life FOR UPDATE
  ), seen AS MATERIALIZED (
    SELECT a.id, a.fence FROM accounts a
    WHERE a.id = ANY (${[...ids]}::text[]) AND (a.owner IS NULL OR a.owner = ${owner} OR a.lease_until IS NULL
      OR a.lease_until <= hf_clock() OR (strpos(a.owner, '/') > 0 AND (a.owner IN (SELECT life FROM over)
        OR NOT EXISTS (SELECT FROM nodes WHERE nodes.life = a.owner))))
  ), free AS MATERIALIZED (
    SELECT a.id FROM accounts a JOIN seen ON seen.id = a.id AND seen.fence = a.fence
    ORDER BY a.id FOR NO KEY UPDATE OF a
  )
  UPDATE accounts SET fence = accounts.fence + 1, owner = ${owner}, reconciled_at = NULL, retired_at = NULL,
    lease_until = 'infinity'
  FROM free, self WHERE accounts.id = free.id RETURNING accounts.id, accounts.fence`

interface HeldRow {
  readonly id: string
  readonly owner: string | null
  readonly remaining_ms: number
}

/** Who owns the others. One that was released in between has no time left, and the next try takes it. */
const holders = (sql: SqlClient, ids: ReadonlyArray<string>) => sql<HeldRow>`
  SELECT a.id, a.owner, coalesce(greatest(0, extract(epoch FROM (CASE WHEN strpos(a.owner, '/') > 0 THEN n.lease_until
    ELSE a.lease_until END) - hf_clock()) * 1000), 0)::float8 AS remaining_ms
  FROM accounts a LEFT JOIN nodes n ON n.life = a.owner WHERE a.id = ANY (${[...ids]}::text[])`

const takeAs = (sql: SqlClient, ids: ReadonlyArray<string>, owner: string) =>
  Effect.gen(function* () {
    const outcomes = new Map<string, TakeOutcome>()
    for (const { fence, id } of yield* takeFree(sql, ids, owner))
      outcomes.set(id, { _tag: "Taken", grant: { account: id, owner, fence } })
    const left = ids.filter((id) => !outcomes.has(id))
    if (left.length === 0) return outcomes
    const [alive] = yield* sql<{ readonly alive: boolean }>`SELECT ${lifeAlive(sql, "me.life")} AS alive
      FROM (VALUES (${owner}::text)) AS me (life)`
    for (const { id, owner: holder, remaining_ms: remainingMs } of yield* holders(sql, left)) {
      outcomes.set(
        id,
        // Ours by now: the lease of our node, or the row, has changed since the previous statement. To stand by for ourselves
        // would be to wait until our own lease expires.
        alive?.alive === true && holder !== owner
          ? { _tag: "HeldByOther", owner: holder ?? "", remainingMs: Math.ceil(remainingMs) }
          : { _tag: "NoLease" }
      )
    }
    return outcomes
  })

/** Owners differ only in tests: a process has one life. */
const takeAll = (database: DatabaseService) => (takers: ReadonlyArray<Taker>) =>
  database
    .run("accounts.take", (sql) =>
      Effect.gen(function* () {
        const byOwner = new Map<string, ReadonlyMap<string, TakeOutcome>>()
        for (const owner of new Set(takers.map((taker) => taker.owner))) {
          const ids = takers.flatMap((taker) => (taker.owner === owner ? [taker.account] : []))
          byOwner.set(owner, yield* takeAs(sql, ids, owner))
        }
        return takers.map(
          ({ account, owner }): TakeOutcome => byOwner.get(owner)?.get(account) ?? { _tag: "Missing" }
        )
      })
    )
    .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const ensure =
  (database: DatabaseService): AccountsStoreService["ensure"] =>
  (accounts) =>
    database
      .run("accounts.ensure", (sql) =>
        Effect.gen(function* () {
          const ids = accounts.map((account) => account.id)
          const venues = accounts.map((account) => account.venue)
          const cash = accounts.map((account) => account.startingCash)
          const enabled = accounts.map((account) => account.enabled)
          yield* sql`
            INSERT INTO accounts (id, venue, starting_cash, enabled)
            SELECT * FROM unnest(${ids}::text[], ${venues}::text[], ${cash}::numeric[], ${enabled}::boolean[])
              AS c (id, venue, cash, enabled)
            -- Nearly all of them are there at nearly every start, and a conflict costs more than a look.
            WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = c.id)
            ON CONFLICT DO NOTHING`
          return yield* sql<VenueMismatch>`
            SELECT a.id, a.venue AS stored, c.venue AS configured
            FROM accounts a JOIN unnest(${ids}::text[], ${venues}::text[]) AS c (id, venue) ON c.id = a.id
            WHERE a.venue <> c.venue`
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

/** One account each, many at a time: executors that start together. */
const ensureEach = (database: DatabaseService) => (accounts: ReadonlyArray<AccountDefinition>) =>
  Effect.map(ensure(database)(accounts), (mismatches) => {
    const byId = new Map(mismatches.map((mismatch) => [mismatch.id, mismatch]))
    return accounts.map(({ id }): ReadonlyArray<VenueMismatch> => {
      const mismatch = byId.get(id)
      return mismatch === undefined ? [] : [mismatch]
    })
  })

/** Queries about grants take three arrays of equal length. */
const columnsOfGrants = (grants: ReadonlyArray<AccountGrant>) => ({
  ids: grants.map(({ account }) => account),
  owners: grants.map(({ owner }) => owner),
  fences: grants.map(({ fence }) => fence.toString())
})

const markReconciled = (database: DatabaseService) => (grants: ReadonlyArray<AccountGrant>) =>
  database
    .run("accounts.mark_reconciled", (sql) => {
      const { fences, ids, owners } = columnsOfGrants(grants)
      return sql<{ readonly id: string; readonly fence: bigint }>`
        UPDATE accounts a SET reconciled_at = hf_clock()
        FROM unnest(${ids}::text[], ${owners}::text[], ${fences}::bigint[]) AS g (id, owner, fence)
        WHERE a.id = g.id AND a.owner = g.owner AND a.fence = g.fence RETURNING a.id, a.fence`
    })
    .pipe(
      Effect.map((rows) => {
        const marked = new Map(rows.map(({ fence, id }) => [id, fence]))
        return grants.map(({ account, fence }) => marked.get(account) === fence)
      }),
      Effect.catchTag("DatabaseFault", Effect.die)
    )

const release =
  (database: DatabaseService): AccountsStoreService["release"] =>
  (grants) =>
    database
      .run("accounts.release", (sql) => {
        const { fences, ids, owners } = columnsOfGrants(grants)
        return sql`
          UPDATE accounts a SET owner = NULL, lease_until = NULL
          FROM unnest(${ids}::text[], ${owners}::text[], ${fences}::bigint[]) AS g (id, owner, fence)
          WHERE a.id = g.id AND a.owner = g.owner AND a.fence = g.fence`
      })
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))

/**
 * The wire is guarded by the lease of the former owner's node, which this does not end. Whoever froze between its check and
 * the wire sends at the latest when that lease is over by its own clock, and what it renews after this it renews without the
 * account (node.actor.ts). A whole lease covers the renewal that was on its way. The caller's own life keeps it under the
 * higher fence: were it free, another process could have it before this one has let go.
 */
const unlock =
  (database: DatabaseService): AccountsStoreService["unlock"] =>
  (account, life) =>
    database
      .run(
        "accounts.unlock",
        (sql) => sql<{
          readonly owner: string | null
          readonly fence: bigint
          readonly freeInMs: number
        }>`
          WITH held AS MATERIALIZED (SELECT id, owner, lease_until FROM accounts WHERE id = ${account} FOR NO KEY UPDATE),
          silent AS MATERIALIZED (
            SELECT h.id, h.owner, CASE
              WHEN h.owner IS NULL THEN NULL
              WHEN h.owner = ${life}::text THEN h.lease_until
              WHEN strpos(h.owner, '/') = 0 THEN nullif(greatest(h.lease_until, hf_clock()), hf_clock())
              ELSE (SELECT greatest(n.lease_until, hf_clock() + ${nodeLimits.leaseMs}::int * interval '1 millisecond')
                FROM nodes n WHERE n.life = h.owner AND n.lease_until > hf_clock()) END AS until
            FROM held h)
          UPDATE accounts a SET fence = a.fence + 1, lease_until = s.until,
            owner = CASE WHEN s.owner = ${life}::text THEN s.owner WHEN s.until IS NOT NULL THEN ${UNLOCKED}::text END,
            reconciled_at = NULL
          FROM silent s WHERE a.id = s.id
          RETURNING s.owner, a.fence,
            CASE WHEN s.owner = ${life}::text THEN 0
              ELSE ceil(greatest(0, coalesce(extract(epoch FROM s.until - hf_clock()) * 1000, 0))) END::float8 AS "freeInMs"`
      )
      .pipe(
        Effect.map(([row]) => row ?? null),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const free =
  (database: DatabaseService): AccountsStoreService["free"] =>
  (accounts) =>
    database
      .run(
        "accounts.free",
        (sql) => sql<{ readonly free: ReadonlyArray<string>; readonly next_ms: number | null }>`
          WITH asked AS MATERIALIZED (
            SELECT a.id, CASE WHEN a.owner IS NULL THEN NULL WHEN strpos(a.owner, '/') > 0 THEN n.lease_until
              ELSE a.lease_until END AS until
            FROM accounts a LEFT JOIN nodes n ON n.life = a.owner WHERE a.id = ANY (${[...accounts]}::text[]))
          SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE until IS NULL OR until <= hf_clock()), '{}') AS free,
            (extract(epoch FROM min(until) FILTER (WHERE until > hf_clock()) - hf_clock()) * 1000)::float8
              AS next_ms FROM asked`
      )
      .pipe(
        Effect.map(([row]) => ({
          free: row?.free ?? [],
          nextMs: row === undefined || row.next_ms === null ? null : Math.max(0, Math.ceil(row.next_ms))
        })),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const read =
  (database: DatabaseService): AccountsStoreService["read"] =>
  (accounts) =>
    database
      .run(
        "accounts.read",
        (sql) => sql<AccountRow>`
          SELECT id, venue, starting_cash AS "startingCash", enabled, fence, owner, reconciled_at AS "reconciledAt",
            ${accountLeased(sql, "accounts")} AS leased,
            EXISTS (SELECT FROM positions p WHERE p.account = accounts.id AND p.disputed_at IS NOT NULL) AS disputed
          FROM accounts WHERE id = ANY (${[...accounts]}::text[])`
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const paired = <A>(key: string, value: A | undefined): ReadonlyArray<readonly [string, A]> =>
  value === undefined ? [] : [[key, value]]

export const accountsStorePg: Layer.Layer<AccountsStore, never, Database> = Layer.effect(
  AccountsStore,
  Effect.gen(function* () {
    const database = yield* Database
    const { batchMax } = accountLimits
    const take = yield* collapse(takeAll(database), batchMax)
    const ensureOne = yield* collapse(ensureEach(database), batchMax)
    const many = ensure(database)
    return AccountsStore.of({
      take: (account, owner) => take({ account, owner }),
      takeMany: (accounts, owner) =>
        Effect.map(
          inBatches(
            accounts.map((account) => ({ account, owner })),
            batchMax,
            takeAll(database)
          ),
          (outcomes) => new Map(accounts.flatMap((account, n) => paired(account, outcomes[n])))
        ),
      ensure: (accounts) => {
        const [only, ...others] = accounts
        return only !== undefined && others.length === 0 ? ensureOne(only) : many(accounts)
      },
      free: free(database),
      release: release(database),
      unlock: unlock(database),
      owned: (owner) =>
        database
          .run(
            "accounts.owned",
            (sql) =>
              sql<AccountGrant>`SELECT id AS account, owner, fence FROM accounts WHERE owner = ${owner}`
          )
          .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
      markReconciled: yield* collapse(markReconciled(database), batchMax),
      markManyReconciled: (grants) =>
        Effect.map(
          inBatches(grants, batchMax, markReconciled(database)),
          (marked) => new Set(grants.filter((_, n) => marked[n] === true))
        ),
      read: read(database)
    })
  })
)
