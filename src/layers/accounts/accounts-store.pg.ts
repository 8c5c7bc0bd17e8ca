/**
 * Accounts store on PostgreSQL.
 *
 * Every method is one statement, so every guard is evaluated by the server on the row it changes. The clock is
 * `clock_timestamp()`, not `now()`: a statement that waited for a row lock must judge the lease by the time it
 * got the lock, not by the time it began to wait.
 *
 * Promises: two takers of one account are serialised by the row lock, and the second sees the lease of the first.
 * Never: trusts a time of this process.
 * Failure: an unreachable or silent database is `DatabaseUnavailable`; a take whose answer was lost may have raised
 * the fence, which is harmless: the next take raises it again. A fault of a statement is a bug and dies.
 */
import { Effect, Layer } from "effect"
import {
  type AccountGrant,
  type AccountRow,
  AccountsStore,
  type AccountsStoreService,
  type TakeOutcome
} from "./accounts-store.ts"
import { Database, type DatabaseService } from "../database/database.ts"

interface StoredAccount {
  readonly id: string
  readonly venue: string
  readonly starting_cash: string
  readonly enabled: boolean
  readonly fence: bigint
  readonly owner: string | null
  readonly lease_until: Date | null
  readonly reconciled_at: Date | null
}

const rowOf = (stored: StoredAccount): AccountRow => ({
  id: stored.id,
  venue: stored.venue,
  startingCash: stored.starting_cash,
  enabled: stored.enabled,
  fence: stored.fence,
  owner: stored.owner,
  leaseUntil: stored.lease_until,
  reconciledAt: stored.reconciled_at
})

const take =
  (database: DatabaseService): AccountsStoreService["take"] =>
  (account, owner, leaseMs) =>
    database
      .run("accounts.take", (sql) =>
        Effect.gen(function* () {
          const taken = yield* sql<{ readonly fence: bigint }>`
            UPDATE accounts SET fence = fence + 1, owner = ${owner}, reconciled_at = NULL,
              lease_until = clock_timestamp() + ${leaseMs}::int * interval '1 millisecond'
            WHERE id = ${account}
              AND (owner IS NULL OR owner = ${owner} OR lease_until IS NULL OR lease_until <= clock_timestamp())
            RETURNING fence`
          const [row] = taken
          if (row !== undefined) {
            return { _tag: "Taken", grant: { account, owner, fence: row.fence } } satisfies TakeOutcome
          }
          // The holder may have released between the two statements; then the remaining time is zero and the
          // next try takes it.
          const [held] = yield* sql<{ readonly owner: string | null; readonly remaining_ms: number }>`
            SELECT owner, coalesce(
              greatest(0, extract(epoch FROM (lease_until - clock_timestamp())) * 1000), 0)::float8 AS remaining_ms
            FROM accounts WHERE id = ${account}`
          return held === undefined
            ? ({ _tag: "Missing" } satisfies TakeOutcome)
            : ({
                _tag: "HeldByOther",
                owner: held.owner ?? "",
                remainingMs: Math.ceil(held.remaining_ms)
              } satisfies TakeOutcome)
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const make = (database: DatabaseService): AccountsStoreService => ({
  take: take(database),
  ensure: (accounts) =>
    database
      .run("accounts.ensure", (sql) =>
        Effect.gen(function* () {
          const ids = accounts.map((account) => account.id)
          const venues = accounts.map((account) => account.venue)
          const cash = accounts.map((account) => account.startingCash)
          yield* sql`
            INSERT INTO accounts (id, venue, starting_cash)
            SELECT * FROM unnest(${ids}::text[], ${venues}::text[], ${cash}::numeric[])
            ON CONFLICT DO NOTHING`
          return yield* sql<{ readonly id: string; readonly stored: string; readonly configured: string }>`
            SELECT a.id, a.venue AS stored, c.venue AS configured
            FROM accounts a JOIN unnest(${ids}::text[], ${venues}::text[]) AS c (id, venue) ON c.id = a.id
            WHERE a.venue <> c.venue`
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
  renew: (grant: AccountGrant, leaseMs: number) =>
    database
      .run(
        "accounts.renew",
        (sql) => sql<{ readonly id: string }>`
          UPDATE accounts SET lease_until = clock_timestamp() + ${leaseMs}::int * interval '1 millisecond'
          WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
          RETURNING id`
      )
      .pipe(
        Effect.map((rows) => rows.length === 1),
        Effect.catchTag("DatabaseFault", Effect.die)
      ),
  release: (grant: AccountGrant) =>
    database
      .run(
        "accounts.release",
        (sql) => sql`
          UPDATE accounts SET owner = NULL, lease_until = NULL
          WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die)),
  markReconciled: (grant: AccountGrant) =>
    database
      .run(
        "accounts.mark_reconciled",
        (sql) => sql<{ readonly id: string }>`
          UPDATE accounts SET reconciled_at = clock_timestamp()
          WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
          RETURNING id`
      )
      .pipe(
        Effect.map((rows) => rows.length === 1),
        Effect.catchTag("DatabaseFault", Effect.die)
      ),
  read: (account: string) =>
    database
      .run(
        "accounts.read",
        (sql) => sql<StoredAccount>`
          SELECT id, venue, starting_cash, enabled, fence, owner, lease_until, reconciled_at
          FROM accounts WHERE id = ${account}`
      )
      .pipe(
        Effect.map(([row]) => (row === undefined ? null : rowOf(row))),
        Effect.catchTag("DatabaseFault", Effect.die)
      )
})

export const accountsStorePg: Layer.Layer<AccountsStore, never, Database> = Layer.effect(
  AccountsStore,
  Effect.map(Database, (database) => AccountsStore.of(make(database)))
)
