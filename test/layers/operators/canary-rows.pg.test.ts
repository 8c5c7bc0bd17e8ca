/** The rows of canaries: what goes when one has come through, and that nothing of anybody else goes with it. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { CANARY } from "../../../src/domain/kernel/canary.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { IntakeQueue } from "../../../src/layers/intake/intake-queue.port.ts"
import { canaryPathPg } from "../../../src/layers/operators/canary.pg.ts"
import { CanaryPath } from "../../../src/layers/operators/canary.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const noQueue = Layer.succeed(IntakeQueue, {
  submit: () => false,
  worker: Effect.never,
  alive: () => true,
  stalled: () => false,
  accepts: () => "store",
  bytes: () => 0,
  depth: () => 0,
  oldestMs: () => 0,
  totals: () => ({ batches: 0, rows: 0 })
})
const World = canaryPathPg.pipe(
  Layer.provideMerge(Layer.mergeAll(layerFreshDatabase(), noQueue, Layer.succeed(Config, settingsFrom({}))))
)

const rows = <A extends object>(statement: string, values: ReadonlyArray<unknown> = []) =>
  Effect.flatMap(Database, (database) => database.run("test", (sql) => sql.unsafe<A>(statement, [...values])))

/** A signal of so long ago with an order, an event of it, and a fill that opened a position. */
const traded = (source: string, account: string, minutesAgo: number) =>
  Effect.gen(function* () {
    const [signal, order, trade] = [randomUUID(), randomUUID(), randomUUID()]
    yield* rows(
      `INSERT INTO accounts (id, venue, starting_cash) VALUES ($1, $1, 100000) ON CONFLICT DO NOTHING`,
      [account]
    )
    yield* rows(
      `INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer, status, received_at)
        VALUES ($1::uuid, 'signal', $2, $1::uuid::text, 'explicit', 'h', '{}', 'r', '{}', 'done',
          hf_now() - $3::text::int * interval '1 minute')`,
      [signal, source, String(minutesAgo)]
    )
    yield* rows(
      `INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, sizing, symbol, side, type, quantity,
          time_in_force, status, source, venue, settled_at)
        VALUES ($1::uuid, $1::uuid::text, $2::uuid, $3, $4, 'entry', 'fixed', 'SPY', 'buy', 'market', 1, 'day', 'filled', $4, $3, hf_now())`,
      [order, signal, account, source === CANARY ? CANARY : "webhook"]
    )
    yield* rows(
      `INSERT INTO order_events (order_id, event, from_status, to_status) VALUES ($1::uuid, 'order.filled', 'acked', 'filled')`,
      [order]
    )
    const [position] = yield* rows<{ id: string }>(
      `INSERT INTO positions (id, account, symbol, quantity, average_price) VALUES (gen_random_uuid(), $1, 'SPY', 1, 100)
        ON CONFLICT (account, symbol) DO UPDATE SET quantity = positions.quantity + 1 RETURNING id`,
      [account]
    )
    yield* rows(
      `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, position_id, side, quantity,
          price, fee, source, order_time)
        VALUES ($1::uuid, $2, $2, 'SPY', $3::uuid::text, $1::uuid::text, $3::uuid, $4::uuid, 'buy', 1, 100, 0, $5, hf_now())`,
      [trade, account, order, position?.id, source === CANARY ? CANARY : "webhook"]
    )
    return signal
  })

const left = Effect.gen(function* () {
  const count = (table: string) =>
    Effect.map(
      rows<{ account: string; n: number }>(
        `SELECT account, count(*)::int AS n FROM ${table} GROUP BY account ORDER BY account`
      ),
      (found) => found.map(({ account, n }) => `${account} ${n}`)
    )
  return {
    signals: (yield* rows<{ id: string }>("SELECT id FROM signals ORDER BY seq")).map(({ id }) => id),
    orders: yield* count("orders"),
    fills: yield* count("trade_records"),
    positions: yield* count("positions")
  }
})

layer(World, { excludeTestServices: true })("the rows of canaries", (it) => {
  it.effect("[T9] are removed by name and by age, with what came of them, and nothing of anybody else", () =>
    Effect.gen(function* () {
      const path = yield* CanaryPath
      const others = yield* traded("default", "paper-1", 60)
      const old = yield* traded(CANARY, CANARY, 60)
      const named = yield* traded(CANARY, CANARY, 0)
      const young = yield* traded(CANARY, CANARY, 0)
      yield* path.remove([named], 30 * 60_000)
      assert.deepStrictEqual(yield* left, {
        signals: [others, young],
        orders: ["canary 1", "paper-1 1"],
        fills: ["canary 1", "paper-1 1"],
        positions: ["canary 1", "paper-1 1"]
      })
      assert.deepInclude(yield* path.trace(young), { signal: "done", filled: true })
      assert.isNull(yield* path.trace(old))
      // The next canary finds the account as the first one did.
      yield* path.remove([young], 30 * 60_000)
      assert.deepStrictEqual(yield* left, {
        signals: [others],
        orders: ["paper-1 1"],
        fills: ["paper-1 1"],
        positions: ["paper-1 1"]
      })
    })
  )
})
