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
import { OPEN, SETTLES } from "../../domain/orders/order.ts"
import { accountLeased } from "../accounts/node-life.pg.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import { adoptAccounts } from "../database/installation.pg.ts"
import { AccountChanges, type AccountsDefined, type AccountsOutcome } from "./account-changes.port.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly problems: ReadonlyArray<SettingsProblem> }> {}

/** Names of symbols and orders that a problem shows; the rest is a number. */
const SHOWN_MAX = 5

const lock = (sql: SqlClient, accounts: ReadonlyArray<string>) => sql`
  SELECT count(pg_advisory_xact_lock(hashtextextended('decide:' || account, 0)))
  FROM (SELECT account FROM unnest(${[...accounts].toSorted()}::text[]) AS names (account)) AS sorted`

interface Holding {
  readonly id: string
  readonly symbols: ReadonlyArray<string>
  readonly open: ReadonlyArray<{ readonly status: string; readonly count: number }>
  readonly unsettled: number
}

/** What each of `accounts` has by either book; those without anything are left out. */
const holdings = (sql: SqlClient, accounts: ReadonlyArray<string>) => sql<Holding>`
  SELECT * FROM (
    SELECT a.id,
      (SELECT coalesce(array_agg(p.symbol ORDER BY p.symbol), '{}') FROM positions p WHERE p.account = a.id
        AND (p.quantity <> 0 OR p.disputed_at IS NOT NULL
          -- What the venue reported before our last fill is explained by that fill. A row of the first version had none:
          -- the confirmation that made it is from when the venue was asked, which was before.
          OR (p.confirmed_quantity <> 0 AND (p.version = 1 OR p.confirmed_at >= p.updated_at)))) AS symbols,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('status', status, 'count', n) ORDER BY status), '[]')
        FROM (SELECT o.status, count(*)::int AS n FROM orders o
          WHERE o.account = a.id AND ${sql.in("o.status", [...OPEN])} GROUP BY o.status) AS counted) AS open,
      (SELECT count(*)::int FROM orders o WHERE o.account = a.id AND o.settled_at IS NULL
        AND ${sql.in("o.status", [...SETTLES])}) AS unsettled
    FROM accounts a WHERE a.id = ANY (${[...accounts]}::text[])) AS held
  WHERE cardinality(symbols) > 0 OR jsonb_array_length(open) > 0 OR unsettled > 0 ORDER BY id`

const counted = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`

/** What an account has, as a phrase. An order that waits to be sent reserves what it will use. */
const phraseOf = ({ open, symbols, unsettled }: Holding): string => {
  const shown = symbols.slice(0, SHOWN_MAX).join(", ")
  const more = symbols.length > SHOWN_MAX ? ` and ${symbols.length - SHOWN_MAX} more` : ""
  return [
    ...(symbols.length === 0 ? [] : [`a position in ${shown}${more}`]),
    ...open.map(({ count, status }) => `${counted(count, "order")} ${status}`),
    ...(unsettled === 0 ? [] : [`${counted(unsettled, "order")} whose fills are not complete`])
  ].join(", ")
}

const problemsOf = (
  held: ReadonlyArray<Holding>,
  moved: ReadonlySet<string>
): ReadonlyArray<SettingsProblem> =>
  held.map((holding) => ({
    path: `accounts.${holding.id}`,
    message: moved.has(holding.id)
      ? `has ${phraseOf(holding)}: the address and the rule of its broker cannot change until that is over`
      : `cannot be removed: it has ${phraseOf(holding)}`
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
      INSERT INTO accounts (id, venue, starting_cash)
      SELECT * FROM unnest(${columns[0]}::text[], ${columns[1]}::text[],
        ${defined.map(({ startingCash }) => startingCash)}::numeric[])
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
