import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import { projectMigrations } from "../../src/layers/database/database-migrations.files.ts"
import { applySchema } from "../../src/layers/database/database-schema.pg.ts"
import { emptyDatabase } from "../support/postgres.ts"

/** The migrations up to a number. */
const upTo = (number: number) => Effect.map(projectMigrations, (all) => all.slice(0, number))

const id = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, "0")}`

it.live(
  "a database of the version before keeps positions, exits and cursors: shares add up, whoever traded",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { target } = yield* emptyDatabase
        const database = yield* makePgDatabase({ target, poolSize: 2 })
        const run = (text: string) => database.run("test", (sql) => sql.unsafe<Record<string, unknown>>(text))
        yield* applySchema({ target, migrations: yield* upTo(5) })
        yield* run(
          `INSERT INTO accounts (id, venue, starting_cash, fills_sequence) VALUES ('a', 'v', 1000, 41)`
        )
        yield* run(`INSERT INTO positions (id, account, symbol, quantity, average_price, stop_price, opened_at) VALUES
          ('${id(1)}', 'a', 'TWO', 5, 100, 98, now()), ('${id(2)}', 'a', 'TURNED', -1, 50, NULL, now()),
          ('${id(3)}', 'a', 'HAND', 2, 10, NULL, now()), ('${id(4)}', 'a', 'FLAT', 0, 0, NULL, now())`)
        // TWO is of two strategies; TURNED was turned by the second; HAND was never ours; FLAT is over.
        const trades = [
          [11, 1, "buy", 2, "x"],
          [12, 1, "buy", 3, "y"],
          [13, 2, "buy", 2, "x"],
          [14, 2, "sell", 3, "y"],
          [15, 3, "buy", 2, null],
          [16, 4, "buy", 1, "x"],
          [17, 4, "sell", 1, "x"]
        ] as const
        for (const [trade, position, side, quantity, strategy] of trades) {
          yield* run(`INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, position_id, side, quantity,
            price, source, order_time) VALUES ('${id(trade)}', 'v', 'a', 's', 'o', 't${trade}', '${id(position)}', '${side}',
            ${quantity}, 1, 'webhook', now())`)
          if (strategy !== null)
            yield* run(`INSERT INTO trade_strategy_link (trade_record_id, strategy, linked_by)
              VALUES ('${id(trade)}', '${strategy}', 'order_id')`)
        }
        yield* run(`INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force,
          status, source, venue, position_id, position_epoch, exit_number, exit_kind) VALUES ('${id(21)}', 'c', 'a', 'x', 'reduce',
          'TWO', 'sell', 'market', 5, 'day', 'intended', 'exit_monitor', 'v', '${id(1)}', 1, 1, 'stop_loss')`)

        // 0012: a filled order that says why it once waited, beside one that still does.
        yield* run(`INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force,
          status, source, venue, reason) SELECT gen_random_uuid(), status, 'a', 'x', 'entry', 'TWO', 'buy', 'market', 1, 'day', status,
          'webhook', 'v', 'trading_halted' FROM unnest(ARRAY['filled', 'held']) AS status`)

        yield* applySchema({ target })
        assert.deepStrictEqual(
          yield* run(`SELECT p.symbol || ' ' || h.strategy || ' ' || trim_scale(h.quantity) || ' ' ||
              coalesce(trim_scale(h.stop_price)::text, '-') AS line
            FROM position_shares h JOIN positions p ON p.id = h.position_id ORDER BY 1`),
          ["HAND external 2 -", "TURNED y -1 -", "TWO x 2 98", "TWO y 3 98"].map((line) => ({ line }))
        )
        assert.deepStrictEqual(yield* run("SELECT fills_cursor FROM accounts"), [{ fills_cursor: "41" }])
        assert.deepStrictEqual(yield* run("SELECT sizing, wanted FROM orders WHERE intent = 'reduce'"), [
          { sizing: "share", wanted: null }
        ])
        assert.deepStrictEqual(
          yield* run("SELECT status, reason FROM orders WHERE intent = 'entry' ORDER BY status"),
          [
            { status: "filled", reason: null },
            { status: "held", reason: "trading_halted" }
          ]
        )
        // 0013: the setting of a session moves both clocks and every default; without it they are PostgreSQL's own.
        assert.deepStrictEqual(
          yield* run(`SELECT table_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name <> 'schema_migrations'
              AND (column_default LIKE '%now()%' OR column_default LIKE '%clock_timestamp%')
              AND column_default NOT IN ('hf_now()', 'hf_clock()')`),
          []
        )
        assert.deepStrictEqual(
          yield* run(
            "SELECT hf_now() = now() AS same, hf_clock() > now() AS later, hf_clock() < now() + interval '1 min' AS near"
          ),
          [{ same: true, later: true, near: true }]
        )
        const simulated = yield* database.run("test", (sql) =>
          sql.withTransaction(
            Effect.andThen(
              sql`SELECT set_config('holdfast.now', '2020-02-29T12:00:00Z', true)`,
              sql`INSERT INTO accounts (id, venue, starting_cash) VALUES ('then', 'v', 1)
                RETURNING created_at = '2020-02-29T12:00:00Z' AND hf_now() = created_at AND hf_clock() = created_at AS then`
            )
          )
        )
        assert.deepStrictEqual(simulated, [{ then: true }])
      })
    ),
  180_000
)

it.live(
  "a database of the version before names the signal that opened what is still held, and no other",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { target } = yield* emptyDatabase
        const database = yield* makePgDatabase({ target, poolSize: 2 })
        const run = (text: string) => database.run("test", (sql) => sql.unsafe<Record<string, unknown>>(text))
        yield* applySchema({ target, migrations: yield* upTo(17) })
        yield* run(`INSERT INTO accounts (id, venue, starting_cash) VALUES ('a', 'v', 1000)`)
        yield* run(`INSERT INTO positions (id, account, symbol, quantity) VALUES ('${id(1)}', 'a', 'S', 3)`)
        // Signal 31 opened a share that is over, 32 the one that is held, 33 added to it.
        const trades = [
          [11, 31, 1],
          [12, 32, 3],
          [13, 33, 5]
        ] as const
        for (const [trade, signal, minute] of trades) {
          yield* run(`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer)
          VALUES ('${id(signal)}', 'signal', 's', '${signal}', 'explicit', 'h', '{}', 'r', '{}')`)
          yield* run(`INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, position_id, side, quantity,
          price, source, order_time, recorded_at) VALUES ('${id(trade)}', 'v', 'a', 'S', 'o', 't${trade}', '${id(1)}', 'buy', 1, 1,
          'webhook', now(), '2026-01-01T10:0${minute}Z')`)
          yield* run(`INSERT INTO trade_strategy_link (trade_record_id, signal_id, strategy, linked_by)
          VALUES ('${id(trade)}', '${id(signal)}', 'x', 'client_order_id')`)
        }
        yield* run(`INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq, opened_at)
        VALUES ('${id(1)}', 'x', 3, 1, 2, '2026-01-01T10:03:00.010Z')`)
        for (const [order, minute] of [
          [21, 2],
          [22, 6]
        ] as const)
          yield* run(`INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force,
          status, source, venue, position_id, position_epoch, exit_number, exit_kind, created_at) VALUES ('${id(order)}', 'c${order}',
          'a', 'x', 'reduce', 'S', 'sell', 'market', 1, 'day', '${order === 21 ? "filled" : "acked"}', 'exit_monitor', 'v',
          '${id(1)}', 1, ${order}, 'stop_loss', '2026-01-01T10:0${minute}Z')`)
        yield* applySchema({ target, migrations: yield* upTo(18) })
        const opened = (from: string) =>
          Effect.map(run(`SELECT opened_by FROM ${from}`), (rows) => rows.map((row) => row["opened_by"]))
        assert.deepStrictEqual(yield* opened("position_shares"), [id(32)])
        assert.deepStrictEqual(yield* opened("orders ORDER BY id"), [null, id(32)])
        assert.deepStrictEqual(yield* opened("trade_strategy_link ORDER BY trade_record_id"), [
          null,
          id(32),
          id(32)
        ])
      })
    )
)

it.live(
  "an entry that works across the upgrade is part of the share that its fills opened, and of no later one",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { target } = yield* emptyDatabase
        const database = yield* makePgDatabase({ target, poolSize: 2 })
        const run = (text: string) => database.run("test", (sql) => sql.unsafe<Record<string, unknown>>(text))
        yield* applySchema({ target, migrations: yield* upTo(21) })
        yield* run(`INSERT INTO accounts (id, venue, starting_cash) VALUES ('a', 'v', 1000)`)
        yield* run(`INSERT INTO positions (id, account, symbol, quantity) VALUES ('${id(1)}', 'a', 'S', 3)`)
        yield* run(`INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq, opened_at)
        VALUES ('${id(1)}', 'x', 3, 1, 7, '2026-01-01T10:02:00.010Z')`)
        // 21 filled before the share was opened, by 22; 23 added to it, 24 has no fill, and 25 ended.
        for (const [order, minute, status, filled] of [
          [21, 1, "partially_filled", 1],
          [22, 2, "partially_filled", 1],
          [23, 3, "pending_cancel", 1],
          [24, null, "acked", 0],
          [25, 4, "cancelled", 1]
        ] as const) {
          yield* run(`INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, filled_quantity,
          time_in_force, status, source, venue) VALUES ('${id(order)}', 'c${order}', 'a', 'x', 'entry', 'S', 'buy', 'market', 9,
          ${filled}, 'day', '${status}', 'webhook', 'v')`)
          if (minute === null) continue
          yield* run(`INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, position_id, side,
          quantity, price, source, order_time, recorded_at) VALUES ('${id(order + 10)}', 'v', 'a', 'S', 'o', 't${order}',
          '${id(order)}', '${id(1)}', 'buy', 1, 1, 'webhook', now(), '2026-01-01T10:0${minute}Z')`)
          yield* run(`INSERT INTO trade_strategy_link (trade_record_id, order_id, strategy, linked_by)
          VALUES ('${id(order + 10)}', '${id(order)}', 'x', 'client_order_id')`)
        }
        yield* applySchema({ target, migrations: yield* upTo(22) })
        const rows = yield* run("SELECT opened_seq::int AS opening, partial FROM orders ORDER BY id")
        assert.deepStrictEqual(rows, [
          { opening: null, partial: null },
          { opening: 7, partial: null },
          { opening: 7, partial: null },
          { opening: null, partial: null },
          { opening: null, partial: "kept" }
        ])
      })
    )
)
