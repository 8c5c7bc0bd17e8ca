/**
 * Account changes on PostgreSQL: one transaction that asks what the accounts hold, and changes their rows.
 *
 * The advisory lock of an account is the one that a decision takes before it reads what the account has (decision/signals-store.pg-decide.ts).
 * A decision that was first has its orders stored before they are counted here; one that comes after finds the account
 * not reconciled, whatever its executor still writes, and is deferred. Nothing else brings an order to an account that holds nothing: exits
 * and an operator's closes need a position.
 *
 * Promises: locks in the order of names, as everybody else takes them; of two changes at once the second sees the first.
 * Never: retires an account that another living process executes: that one has it in its settings.
 * Failure: `DatabaseUnavailable`; a change whose commit was not answered may have happened, and is the same when repeated; an
 * account that was retired by it and stays in the settings is taken again by its executor. A fault of a statement is a bug and dies.
 */
import { Data, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SettingsProblem } from "../../domain/kernel/settings.ts"
import { accountLeased } from "../accounts/node-life.pg.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { adoptAccounts } from "../database/installation.pg.ts"
import { type Holding, holdings, holdingsText } from "../orders/account-holdings.pg.ts"
import { AccountChanges, type AccountsDefined, type AccountsOutcome } from "./account-changes.port.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly problems: ReadonlyArray<SettingsProblem> }> {}

const lock = (sql: SqlClient, accounts: ReadonlyArray<string>) => sql`
  SELECT count(pg_advisory_xact_lock(hashtextextended('decide:' || account, 0)))
  FROM (SELECT account FROM unnest(${[...accounts].toSorted()}::text[]) AS names (account)) AS sorted`

const problemsOf = (
  held: ReadonlyArray<Holding>,
  moved: ReadonlySet<string>
): ReadonlyArray<SettingsProblem> =>
  held.map((holding) => ({
    path: `accounts.${holding.id}`,
    message: moved.has(holding.id)
      ? `has ${holdingsText(holding)}: the address and the rule of its broker cannot change until that is over`
      : `cannot be removed: it has ${holdingsText(holding)}`
  }))

/**
 * The owner loses the account with this commit, as by an unlock. Its executor is stopped by the reload; should the answer to
 * the commit be lost and the reload refused, it finds out, takes the account again, and that ends the retirement.
 */
const retire = (sql: SqlClient, accounts: ReadonlyArray<string>, life: string | null) => sql`
  UPDATE accounts a SET retired_at = hf_clock(), fence = a.fence + 1, owner = NULL, lease_until = NULL, reconciled_at = NULL
  WHERE a.id = ANY (${[...accounts]}::text[])
    AND (a.owner IS NOT DISTINCT FROM ${life}::text OR NOT ${accountLeased(sql, "a")})`

const define = (sql: SqlClient, defined: AccountsDefined["defined"]) =>
  Effect.gen(function* () {
    const flows = yield* adoptAccounts(sql, defined).pipe(
      Effect.catchTag("AccountVenueChanged", ({ hint, message, path }) =>
        Effect.fail(new Refused({ problems: [{ path, message: `${message}; ${hint}` }] }))
      )
    )
    const columns = [defined.map(({ id }) => id), defined.map(({ venue }) => venue)] as const
    // New ones have a row before anything is decided for them.
    yield* sql`
      INSERT INTO accounts (id, venue, starting_cash, enabled)
      SELECT * FROM unnest(${columns[0]}::text[], ${columns[1]}::text[],
        ${defined.map(({ startingCash }) => startingCash)}::numeric[], ${defined.map(({ enabled }) => enabled)}::boolean[])
      ON CONFLICT DO NOTHING`
    return flows
  })

const apply =
  (database: DatabaseService) =>
  ({ defined, life, moved, removed }: AccountsDefined) =>
    database
      .transact(
        "accounts.change",
        (sql) =>
          Effect.gen(function* () {
            const leaving = [...removed, ...moved]
            if (leaving.length > 0) {
              yield* lock(sql, leaving)
              const held = yield* holdings(sql, leaving)
              if (held.length > 0) return yield* new Refused({ problems: problemsOf(held, new Set(moved)) })
            }
            const flows = defined.length === 0 ? [] : yield* define(sql, defined)
            if (leaving.length > 0) yield* retire(sql, leaving, life)
            return { _tag: "Changed", flows } satisfies AccountsOutcome
          }),
        { retry: "idempotent" }
      )
      .pipe(
        Effect.catchTag("DatabaseFault", Effect.die),
        Effect.catchTag("Refused", ({ problems }) =>
          Effect.succeed<AccountsOutcome>({ _tag: "Refused", problems })
        )
      )

export const accountChangesPg: Layer.Layer<AccountChanges, never, Database> = Layer.effect(
  AccountChanges,
  Effect.map(Database, (database) => AccountChanges.of({ apply: apply(database) }))
)
