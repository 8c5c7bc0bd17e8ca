/** What consoles and reports ask for again and again is found by an index, however much is stored. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { DatabaseService } from "../../../src/layers/database/database.port.ts"
import { pageStatement } from "../../../src/layers/health/read-store.pg.ts"
import type { ListName } from "../../../src/layers/health/read-store.port.ts"
import { openFreshDatabase } from "../../support/postgres.ts"

const ROWS = 20_000

/** Rows of years: almost everything is over. */
const history = [
  `INSERT INTO accounts (id, venue, starting_cash) VALUES ('a', 'v', 1)`,
  `INSERT INTO positions (id, account, symbol, quantity)
    SELECT gen_random_uuid(), 'a', 'S' || n, CASE WHEN n % 2000 = 0 THEN 1 ELSE 0 END FROM generate_series(1, ${ROWS}) AS n`,
  `INSERT INTO alerts (id, severity, kind, dedup_key, message, resolved_at)
    SELECT gen_random_uuid(), 'LOW', 'k', 'k' || n, 'm', CASE WHEN n % 4000 = 7 THEN NULL ELSE now() END
    FROM generate_series(1, ${ROWS}) AS n`,
  `INSERT INTO dead_letters (id, origin, reason, payload, replayed_at)
    SELECT gen_random_uuid(), 'o', 'r', '{}', CASE WHEN n % 4000 = 7 THEN NULL ELSE now() END
    FROM generate_series(1, ${ROWS}) AS n`,
  `INSERT INTO refused_posts (id, source, reason, answered, body, body_bytes, request_id, replayed_at)
    SELECT gen_random_uuid(), 's', 'invalid', 400, '', 0, 'r', CASE WHEN n % 4000 = 7 THEN NULL ELSE now() END
    FROM generate_series(1, ${ROWS}) AS n`,
  `INSERT INTO waves (feed, wave, due_at, status)
    SELECT f, timestamptz '2020-01-01' + n * interval '5 minutes', timestamptz '2020-01-01' + n * interval '5 minutes', 'done'
    FROM generate_series(1, ${ROWS / 2}) AS n CROSS JOIN (VALUES ('one'), ('two')) AS feeds (f)`,
  `INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force, status, source,
      venue, fence, created_at)
    SELECT gen_random_uuid(), n::text, 'a', 's', 'entry', 'S', 'buy', 'market', 1, 'day', 'filled', 'webhook', 'v', 1,
      timestamptz '2020-01-01' + n * interval '5 minutes' FROM generate_series(1, ${ROWS}) AS n`,
  `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, side, quantity, price, source, order_time,
      recorded_at)
    SELECT gen_random_uuid(), 'v', 'a', 'S', n::text, n::text, 'buy', 1, 1, 'webhook', now(),
      timestamptz '2020-01-01' + n * interval '5 minutes' FROM generate_series(1, ${ROWS}) AS n`,
  // As the server does by itself when a range of pages is full.
  `SELECT brin_summarize_new_values('orders_created'), brin_summarize_new_values('trade_records_recorded')`,
  `ANALYZE`
]

const opened = Effect.gen(function* () {
  const { database } = yield* openFreshDatabase()
  for (const text of history) yield* database.run("test.history", (sql) => sql.unsafe(text))
  return database
})

const planOf = (database: DatabaseService, statement: (sql: SqlClient) => Fragment) =>
  Effect.map(
    database.run(
      "test.explain",
      (sql) => sql<{ readonly "QUERY PLAN": string }>`EXPLAIN (ANALYZE) ${statement(sql)}`
    ),
    (plan) => plan.map((line) => line["QUERY PLAN"])
  )

/** What reads a table of history from end to end, or throws hundreds of rows away. */
const wasteIn = (plan: ReadonlyArray<string>): ReadonlyArray<string> =>
  plan.filter(
    (line) =>
      /Seq Scan on (alerts|dead_letters|orders|positions|refused_posts|trade_records|waves)\b/.test(line) ||
      /Rows Removed by Filter: \d{3}/.test(line)
  )

const lists: ReadonlyArray<readonly [ListName, Readonly<Record<string, string>>, index: string]> = [
  ["positions", { open: "true" }, "positions_open"],
  ["alerts", { status: "open" }, "alerts_unresolved"],
  ["dead_letters", { status: "open" }, "dead_letters_open"],
  ["refused", { status: "open" }, "refused_posts_open"],
  ["waves", {}, "waves_newest"]
]

describe("[E8] what is asked for again and again", () => {
  it.live("is read by an index, and by no scan of a table", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const database = yield* opened
        for (const [name, filters, index] of lists) {
          const plan = yield* planOf(database, (sql) => pageStatement(sql, name, { limit: 60, filters }))
          assert.include(plan.join("\n"), index, name)
          assert.deepStrictEqual(wasteIn(plan), [], name)
        }
        for (const [table, column, index] of [
          ["orders", "created_at", "orders_created"],
          ["trade_records", "recorded_at", "trade_records_recorded"]
        ] as const) {
          const plan = yield* planOf(
            database,
            (
              sql
            ) => sql`SELECT count(*) FROM ${sql.literal(table)} WHERE ${sql.literal(column)} >= '2020-01-15'
              AND ${sql.literal(column)} < '2020-01-16' AND source <> 'canary'`
          )
          assert.include(plan.join("\n"), index, table)
          assert.deepStrictEqual(wasteIn(plan), [], table)
        }
      })
    )
  )
})
