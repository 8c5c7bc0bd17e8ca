/**
 * Risk store on PostgreSQL.
 *
 * Positions and shares are summed in SQL, so a check costs one round trip however many symbols were ever traded. Closes are
 * read per scope, each by its own index, and only as many as its limit needs.
 *
 * Promises: those of the port; marks are compared inside the statement, so two processes never undo each other's changes.
 * Never: passes money through a float.
 * Failure: `DatabaseUnavailable`; every write is idempotent. A fault is a bug and dies.
 */
import { Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { invariant } from "../../domain/kernel/invariant.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import type { ScopeLimits } from "../../domain/kernel/settings.ts"
import { TRADING_STATES, type TradingStateName } from "../../domain/kernel/trading-state.ts"
import type { Marks } from "../../domain/orders/risk-marks.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import type { PendingEntry } from "../alerts/alerts.port.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import {
  type AccountHoldings,
  type Closes,
  type RiskReading,
  RiskStore,
  type RiskStoreService,
  type Trip
} from "./risk-store.port.ts"
import { ruleAudited } from "./rule-audit.pg.ts"

interface Row {
  readonly now_ms: number
  readonly crashed_at_ms: number | null
  readonly accounts: ReadonlyArray<AccountHoldings>
  readonly strategies: RiskReading["strategies"]
  readonly marks: ReadonlyArray<Marks & { readonly scope: string }>
  readonly trading: ReadonlyArray<{ readonly scope: string; readonly state: TradingStateName }>
  readonly closes: ReadonlyArray<Closes & { readonly scope: string }>
}

const open = (sql: SqlClient, of: string): Fragment => sql`
  coalesce(jsonb_agg(jsonb_build_object('symbol', p.symbol, 'quantity', ${sql.literal(of)}.quantity::text, 'averagePrice',
    ${sql.literal(of)}.average_price::text) ORDER BY p.account, p.symbol) FILTER (WHERE ${sql.literal(of)}.quantity <> 0), '[]')`

/** The closes of one scope: losses in a row up to its limit, and the last loss within its cooldown. */
const closesOf = (sql: SqlClient, scope: string, limits: ScopeLimits): Fragment => {
  const [kind, name = ""] = scope.split(":")
  const mine = kind === "global" ? sql`true` : sql`${sql.literal(kind ?? "")} = ${name}`
  return sql`
    SELECT ${scope}::text AS scope,
      (SELECT count(*)::int FROM (SELECT bool_and(profit < 0) OVER (ORDER BY closed_at DESC, cause, strategy) AS losing
        FROM (SELECT * FROM closes WHERE ${mine}
            AND closed_at > coalesce((SELECT since FROM risk_marks WHERE scope = ${scope}), hf_clock())
          ORDER BY closed_at DESC, cause, strategy LIMIT ${limits.lossStreakMax ?? 0}) AS last) AS counted
        WHERE losing) AS losses,
      (SELECT extract(epoch FROM max(closed_at)) * 1000 FROM closes WHERE ${mine} AND profit < 0
        AND closed_at > hf_clock() - ${limits.cooldownAfterLossMs ?? 0}::float8 * interval '1 millisecond') AS "lastLossAtMs"`
}

const readIn = (
  sql: SqlClient,
  accounts: ReadonlyArray<string>,
  scopes: Readonly<Record<string, ScopeLimits>>
) => {
  const asked = Object.entries(scopes).filter(
    ([, { cooldownAfterLossMs, lossStreakMax }]) => cooldownAfterLossMs !== null || lossStreakMax !== null
  )
  const marked = [...Object.keys(scopes), ...accounts.map((account) => `account:${account}`)]
  const closes =
    asked.length === 0
      ? sql`'[]'::jsonb`
      : sql`(SELECT jsonb_agg(to_jsonb(c) ORDER BY c.scope) FROM (${sql.join(
          " UNION ALL ",
          false
        )(asked.map(([scope, limits]) => closesOf(sql, scope, limits)))}) AS c)`
  return sql<Row>`
    SELECT (extract(epoch FROM hf_clock()) * 1000)::float8 AS now_ms,
      (SELECT (extract(epoch FROM max(crashed_at)) * 1000)::float8 FROM nodes) AS crashed_at_ms,
      (SELECT coalesce(jsonb_agg(to_jsonb(h) ORDER BY h.account), '[]') FROM (
        SELECT a.id AS account, a.starting_cash::text AS "startingCash",
          CASE WHEN a.balance_at IS NOT NULL THEN a.venue_cash::text END AS cash, sum(p.realised_pnl)::text AS realised,
          sum(p.fees)::text AS fees, ${open(sql, "p")} AS open
        FROM positions p JOIN accounts a ON a.id = p.account
        WHERE p.account = ANY (${[...accounts]}::text[]) GROUP BY a.id) AS h) AS accounts,
      (SELECT coalesce(jsonb_agg(to_jsonb(h) ORDER BY h.strategy), '[]') FROM (
        SELECT s.strategy, sum(s.realised_pnl)::text AS realised, sum(s.fees)::text AS fees, ${open(sql, "s")} AS open
        FROM position_shares s JOIN positions p ON p.id = s.position_id
        WHERE p.account = ANY (${[...accounts]}::text[]) GROUP BY s.strategy) AS h) AS strategies,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('scope', scope, 'day', day::text, 'dayBase', day_base::text,
          'highWater', high_water::text, 'pnl', pnl::text, 'sinceMs', extract(epoch FROM since) * 1000, 'tripped', tripped) ORDER BY scope),
          '[]') FROM risk_marks WHERE scope = ANY (${marked}::text[])) AS marks,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('scope', scope, 'state', state) ORDER BY scope), '[]') FROM trading_state) AS trading,
      ${closes} AS closes`
}

const read =
  (database: DatabaseService): RiskStoreService["read"] =>
  (accounts, scopes) =>
    database
      .run("risk.read", (sql) => readIn(sql, accounts, scopes))
      .pipe(
        Effect.map(([row]): RiskReading => {
          invariant(row !== undefined, "a select without FROM has one row")
          return {
            // In whole milliseconds, as stored.
            nowMs: Math.floor(row.now_ms),
            crashedAtMs: row.crashed_at_ms,
            accounts: row.accounts,
            strategies: row.strategies,
            marks: new Map(row.marks.map(({ scope, ...marks }) => [scope, marks])),
            trading: new Map(row.trading.map(({ scope, state }) => [scope, state])),
            closes: new Map(row.closes.map(({ scope, ...closes }) => [scope, closes]))
          }
        }),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const saveMarks =
  (database: DatabaseService): RiskStoreService["saveMarks"] =>
  (changes) => {
    const rows = changes.map(({ marks: { dayBase, highWater, sinceMs, ...marks }, resumed, scope }) => ({
      scope,
      day: marks.day,
      day_base: dayBase,
      high_water: highWater,
      pnl: marks.pnl,
      since: isoOf(sinceMs),
      resumed
    }))
    return database
      .run(
        "risk.save_marks",
        (sql) => sql`
          WITH given AS (SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
            AS g (scope text, day date, day_base numeric, high_water numeric, pnl numeric, since timestamptz, resumed boolean)),
          reset AS (
            UPDATE risk_marks m SET day = g.day, day_base = g.day_base, high_water = g.high_water, pnl = g.pnl,
              since = g.since, saved_at = hf_now(), tripped = NULL, tripped_at = NULL
            FROM given g WHERE g.resumed AND m.scope = g.scope AND m.tripped IS NOT NULL)
          INSERT INTO risk_marks AS m (scope, day, day_base, high_water, pnl, since, saved_at)
          SELECT scope, day, day_base, high_water, pnl, since, hf_now() FROM given WHERE NOT resumed ORDER BY scope
          ON CONFLICT (scope) DO UPDATE SET day = excluded.day, pnl = excluded.pnl, saved_at = excluded.saved_at,
            day_base = CASE WHEN excluded.day > m.day THEN excluded.day_base ELSE m.day_base END,
            high_water = greatest(m.high_water, excluded.high_water)
          -- Marks from before a resume are obsolete, and a day that has started stays.
          WHERE m.since = excluded.since AND excluded.day >= m.day`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))
  }

const tripIn = (sql: SqlClient, { numbers, reason, rule, scope, state }: Trip) => {
  const detail = JSON.stringify({ scope, state, reason, changedBy: `rule:${rule}`, numbers })
  const audited = ruleAudited(sql, {
    rows: "moved",
    command: "trading_state.set",
    scope: sql`moved.scope`,
    key: sql`${rule}::text`,
    rule,
    reason,
    given: JSON.stringify({ state, numbers })
  })
  return sql<{ readonly moved: boolean }>`
    WITH marked AS (
      UPDATE risk_marks SET tripped = ${rule}, tripped_at = hf_now()
      WHERE scope = ${scope} AND tripped IS NULL RETURNING scope
    ), moved AS (
      INSERT INTO trading_state AS t (scope, state, reason, changed_by, changed_at)
      SELECT scope, ${state}, ${reason}, ${`rule:${rule}`}, hf_now() FROM marked
      ON CONFLICT (scope) DO UPDATE SET state = excluded.state, reason = excluded.reason,
        changed_by = excluded.changed_by, version = t.version + 1, changed_at = excluded.changed_at
      WHERE array_position(${[...TRADING_STATES]}::text[], t.state)
        < array_position(${[...TRADING_STATES]}::text[], excluded.state)
      RETURNING t.scope
    ), logged AS (
      INSERT INTO actor_events (at, path, event, detail)
      SELECT hf_now(), 'root/trading/risk', 'trading_state.changed', ${detail}::text::jsonb FROM moved
    ), audited AS (
      ${audited})
    SELECT EXISTS (SELECT FROM moved) AS moved FROM marked`
}

const trip =
  (database: DatabaseService): RiskStoreService["trip"] =>
  (given, alertOf) =>
    database
      .transact("risk.trip", (sql) =>
        Effect.gen(function* () {
          const [row] = yield* tripIn(sql, given)
          if (row === undefined) return { _tag: "Known" } as const
          const alert = alertOf(row.moved)
          const before: PendingEntry = {
            _tag: "Closing",
            ended: { _tag: "Keys", keys: [alert.dedupKey] },
            resolution: { by: alert.message, atMs: alert.firstAtMs }
          }
          return {
            _tag: "Tripped",
            moved: row.moved,
            ended: yield* storeAlertsIn(sql, [before, alert])
          } as const
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

const sample =
  (database: DatabaseService): RiskStoreService["sample"] =>
  (samples) =>
    database
      .run("risk.sample", (sql) => {
        const rows = samples.map(
          ({ account, atMs, cash, dayPnl, drawdown, equity, fees, realised, unrealised }) => ({
            account,
            at: isoOf(atMs),
            cash,
            realised_pnl: realised,
            fees,
            unrealised_pnl: unrealised,
            equity,
            day_pnl: dayPnl,
            drawdown
          })
        )
        return sql`
          WITH given AS (SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
            AS g (account text, at timestamptz, cash numeric, realised_pnl numeric, fees numeric, unrealised_pnl numeric,
              equity numeric, day_pnl numeric, drawdown numeric)),
          -- Twice as many as are added, so that a backlog shrinks without a long statement.
          old AS (DELETE FROM equity e USING (SELECT o.account, o.at FROM equity o
              WHERE o.at < hf_now() - ${riskLimits.sampleRetentionMs}::float8 * interval '1 millisecond'
              ORDER BY o.at LIMIT ${samples.length * 2}) AS gone
            WHERE e.account = gone.account AND e.at = gone.at)
          INSERT INTO equity (account, at, cash, realised_pnl, fees, unrealised_pnl, equity, day_pnl, drawdown)
          SELECT account, at, cash, realised_pnl, fees, unrealised_pnl, equity, day_pnl, drawdown FROM given
          ON CONFLICT DO NOTHING`
      })
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))

const book =
  (database: DatabaseService): RiskStoreService["book"] =>
  (account) =>
    database
      .run(
        "risk.book",
        (sql) => sql<{ readonly book: Readonly<Record<string, string>> }>`
          SELECT coalesce(jsonb_object_agg(symbol, quantity::text), '{}') AS book FROM positions
          WHERE account = ${account} AND quantity <> 0`
      )
      .pipe(
        Effect.map(([row]) => row?.book ?? {}),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

const noteBalance =
  (database: DatabaseService): RiskStoreService["noteBalance"] =>
  (grant, money) =>
    database
      .run(
        "risk.note_balance",
        (sql) => sql`
          UPDATE accounts SET venue_cash = coalesce(${money?.cash ?? null}::numeric, venue_cash),
            buying_power = ${money?.buyingPower ?? null}::numeric,
            balance_at = CASE WHEN ${money !== null}::boolean THEN hf_clock() END,
            balance_book = ${money === null ? null : JSON.stringify(money.book)}::text::jsonb
          WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))

export const riskStorePg: Layer.Layer<RiskStore, never, Database> = Layer.effect(
  RiskStore,
  Effect.map(Database, (database) =>
    RiskStore.of({
      read: read(database),
      saveMarks: saveMarks(database),
      trip: trip(database),
      sample: sample(database),
      book: book(database),
      noteBalance: noteBalance(database)
    })
  )
)
