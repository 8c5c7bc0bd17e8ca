/** [T13] Each rule on both sides of its boundary, on a database whose clock stands still. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { randomUUID } from "node:crypto"
import { OPEN, SETTLES, TERMINAL } from "../../../src/domain/orders/order.ts"
import { retentionLimits } from "../../../src/domain/kernel/limits-kept.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { Database, type DatabaseService } from "../../../src/layers/database/database.port.ts"
import { makePgDatabase } from "../../../src/layers/database/database.pg.ts"
import { FillsStore } from "../../../src/layers/orders/fills-store.port.ts"
import { fillsStorePg } from "../../../src/layers/orders/fills-store.pg.ts"
import { RetentionStore } from "../../../src/layers/operators/retention-store.port.ts"
import { retentionStorePg } from "../../../src/layers/operators/retention-store.pg.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { insertAccounts, rows } from "../../support/decisions.ts"
import { alterDatabase, freshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const now = Date.UTC(2030, 0, 1)
const day = 86_400_000
/** So many days before now, and some milliseconds. */
const at = (days: number, ms = 0): string => new Date(now - days * day + ms).toISOString()

interface World {
  readonly database: DatabaseService
  readonly sql: (text: string, values?: ReadonlyArray<unknown>) => Effect.Effect<void>
  readonly retention: RetentionStore["Service"]
  readonly fills: FillsStore["Service"]
}

const openWorld = (retention: Record<string, unknown> = {}) =>
  Effect.gen(function* () {
    const fresh = yield* freshDatabase
    yield* alterDatabase(
      fresh,
      `ALTER DATABASE "${fresh.target.database}" SET holdfast.now = '${new Date(now).toISOString()}'`
    )
    const database = yield* makePgDatabase({ target: fresh.target })
    const settings: Settings = settingsFrom({ retention })
    const services = yield* Layer.build(
      Layer.mergeAll(retentionStorePg, fillsStorePg).pipe(
        Layer.provide(Layer.mergeAll(Layer.succeed(Database, database), Layer.succeed(Config, settings)))
      )
    )
    yield* insertAccounts(database)
    return {
      database,
      sql: (text, values = []) =>
        Effect.asVoid(Effect.orDie(database.run("test", (client) => client.unsafe(text, [...values])))),
      retention: yield* Effect.provide(RetentionStore, services),
      fills: yield* Effect.provide(FillsStore, services)
    } satisfies World
  })

/** A round without its pauses: what each rule removed. */
const round = ({ retention }: World) =>
  Effect.gen(function* () {
    const removed: Record<string, number> = {}
    for (const rule of yield* retention.begin) {
      let cursor = 0n
      for (;;) {
        const page = yield* retention.prune(rule, cursor)
        if (page === null) return assert.fail("another prunes")
        if (page.removed > 0) removed[rule.rule] = (removed[rule.rule] ?? 0) + page.removed
        if (page.done) break
        cursor = page.cursor
      }
    }
    return removed
  })

interface SignalOptions {
  readonly received?: string
  readonly expires?: string | null
  readonly status?: string
  readonly kind?: string
}
const signal = ({ sql }: World, options: SignalOptions = {}) => {
  const { expires = null, kind = "signal", received = at(401), status = "done" } = options
  const id = randomUUID()
  return Effect.as(
    sql(
      `INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer, status,
        received_at, expires_from) VALUES ($1, $2, 'default', $1::uuid::text, 'hash', 'h', '{}', 'r', '{}', $3, $4, $5)`,
      [id, kind, status, received, expires]
    ),
    id
  )
}

interface OrderOptions {
  readonly signalId?: string | null
  readonly status?: string
  readonly settled?: string | null
  readonly created?: string
  readonly symbol?: string
}
let exits = 0
const order = ({ sql }: World, options: OrderOptions) => {
  const { created = at(401), settled = at(401), signalId = null, status = "filled", symbol = "SPY" } = options
  const id = randomUUID()
  const exit = signalId === null ? [randomUUID(), (exits += 1)] : [null, null]
  return Effect.gen(function* () {
    yield* sql(
      `INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity,
        time_in_force, status, source, venue, settled_at, created_at, updated_at, position_id, position_epoch, exit_number)
        VALUES ($1, $1::uuid::text, $2, 'paper-1', 'default', $3, $4, 'buy', 'market', 1, 'day', $5, 'webhook', 'practice', $6, $7,
          $7, $8, 1, $9)`,
      [id, signalId, signalId === null ? "reduce" : "entry", symbol, status, settled, created, ...exit]
    )
    yield* sql(
      `INSERT INTO order_events (order_id, event, from_status, to_status) VALUES ($1, 'x', 'intended', 'denied')`,
      [id]
    )
    return id
  })
}

interface PositionOptions {
  readonly quantity?: string
  readonly opened?: string | null
  readonly share?: string
}
const position = ({ sql }: World, symbol: string, options: PositionOptions = {}) => {
  const { opened = at(401), quantity = "0", share } = options
  const id = randomUUID()
  return Effect.gen(function* () {
    yield* sql(
      "INSERT INTO positions (id, account, symbol, quantity, opened_at) VALUES ($1, 'paper-1', $2, $3::text::numeric, $4)",
      [id, symbol, quantity, opened]
    )
    if (share !== undefined)
      yield* sql(
        `INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq, opened_at)
          VALUES ($1, 'default', $2::text::numeric, 1, 0, $3)`,
        [id, share, opened]
      )
    return id
  })
}

interface FillOptions {
  readonly orderId: string | null
  readonly positionId: string
  readonly time?: string
  readonly signalId?: string | null
  readonly snapshotId?: string | null
  readonly fee?: string
}
const fill = ({ sql }: World, options: FillOptions) => {
  const { fee = "0.1", orderId, positionId, signalId = null, snapshotId = null, time = at(401) } = options
  const id = randomUUID()
  return Effect.gen(function* () {
    yield* sql(
      `INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, order_id, position_id, side, quantity,
        price, fee, source, order_time, recorded_at)
        VALUES ($1, 'practice', 'paper-1', 'SPY', 'v', $1::uuid::text, $2, $3, 'buy', 1, 1, $4::text::numeric, 'webhook', $5, $5)`,
      [id, orderId, positionId, fee, time]
    )
    yield* sql(
      `INSERT INTO trade_strategy_link (trade_record_id, order_id, signal_id, strategy, snapshot_id, linked_by)
        VALUES ($1, $2, $3, 'default', $4, 'order_id')`,
      [id, orderId, signalId, snapshotId]
    )
    return id
  })
}

const idsIn = ({ database }: World, table: string) =>
  Effect.map(rows<{ id: string }>(database, `SELECT id FROM ${table} ORDER BY id`), (found) =>
    found.map(({ id }) => id)
  )
const scoped = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.scoped(effect)

describe("[T13] what has lived its time", () => {
  it.live("goes a millisecond later, and not before, whatever the rule", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld({
          signalDays: 400,
          alertDays: 300,
          auditDays: 200,
          refusedDays: 30,
          eventDays: 20
        })
        const { sql } = world
        const kept: Record<string, ReadonlyArray<string>> = {}
        const both = (
          table: string,
          days: number,
          insert: (id: string, time: string) => Effect.Effect<void>
        ) =>
          Effect.gen(function* () {
            const [old, young] = [randomUUID(), randomUUID()]
            yield* insert(old, at(days, -1))
            yield* insert(young, at(days))
            kept[table] = [young]
          })
        yield* both("dead_letters", 400, (id, time) =>
          sql(
            "INSERT INTO dead_letters (id, origin, reason, payload, created_at) VALUES ($1, 'x', 'x', '{}', $2)",
            [id, time]
          )
        )
        yield* both("refused_posts", 30, (id, time) =>
          sql(
            `INSERT INTO refused_posts (id, source, reason, answered, body, body_bytes, request_id, received_at)
              VALUES ($1, 'default', 'invalid', 400, '', 0, 'r', $2)`,
            [id, time]
          )
        )
        yield* both("alerts", 300, (id, time) =>
          sql(
            `INSERT INTO alerts (id, severity, kind, dedup_key, message, first_at, last_at, resolved_at)
              VALUES ($1, 'LOW', 'x', $1::uuid::text, 'x', $2, $2, $2)`,
            [id, time]
          )
        )
        yield* both("audit", 200, (id, time) =>
          sql(
            `INSERT INTO audit (id, command, scope, arguments, by, means, request_id, fingerprint, command_id, life, result,
              begun_at) VALUES ($1, 'x', 'x', '{}', 'x', 'token', 'r', 'x', $1, 'x', 'accepted', $2)`,
            [id, time]
          )
        )
        yield* sql("INSERT INTO actor_events (at, path, event) VALUES ($1, 'old', 'x'), ($2, 'young', 'x')", [
          at(20, -1),
          at(20)
        ])
        const young = yield* signal(world, { received: at(400) })
        yield* signal(world, { received: at(400, -1) })
        assert.deepStrictEqual(yield* round(world), {
          signals: 1,
          dead_letters: 1,
          refused_posts: 1,
          actor_events: 1,
          alerts: 1,
          audit: 1
        })
        for (const [table, ids] of Object.entries({ ...kept, signals: [young] }))
          assert.deepStrictEqual(yield* idsIn(world, table), ids, table)
        assert.deepStrictEqual(yield* round(world), {})
      })
    )
  )

  it.live("goes with everything that came of it, and a young row keeps everything", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const { sql } = world
        const held = yield* position(world, "SPY")
        const tables = ["signals", "orders", "trade_records", "trade_strategy_link", "order_events"]
        const whole = (received: string) =>
          Effect.gen(function* () {
            const id = yield* signal(world, { received })
            yield* sql(
              `INSERT INTO decisions (signal_id, engine, experiment_id, variant, outcome, checks)
                VALUES ($1, 'A', 'default', 'A', 'ordered', '[]')`,
              [id]
            )
            yield* sql("INSERT INTO enriched_signals (signal_id, symbol) VALUES ($1, 'SPY')", [id])
            const ordered = yield* order(world, { signalId: id, created: received, settled: received })
            yield* fill(world, { orderId: ordered, positionId: held, signalId: id, time: received })
            return id
          })
        yield* whole(at(401))
        const young = yield* whole(at(399))
        assert.deepStrictEqual(yield* round(world), { signals: 1 })
        for (const table of [...tables, "decisions", "enriched_signals"]) {
          const [found] = yield* rows<{ n: bigint }>(world.database, `SELECT count(*) AS n FROM ${table}`)
          assert.strictEqual(Number(found?.n), 1, table)
        }
        assert.deepStrictEqual(yield* idsIn(world, "signals"), [young])
      })
    )
  )

  it.live("stays forever where the settings say so", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld({ signalDays: null })
        yield* signal(world, { received: at(4_000) })
        assert.deepStrictEqual(yield* round(world), {})
      })
    )
  )

  it.live("stays while it is not decided, or a post of it could still be taken", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        for (const status of ["buffered", "received", "processing"]) yield* signal(world, { status })
        // The bar of a year ends long after its alert came.
        yield* signal(world, { expires: at(400) })
        assert.deepStrictEqual(yield* round(world), {})
        yield* signal(world, { expires: at(400, -1) })
        yield* signal(world, { status: "rejected" })
        yield* signal(world, { status: "dead" })
        assert.deepStrictEqual(yield* round(world), { signals: 3 })
      })
    )
  )

  it.live("[F2] closes go, except the last of each strategy and account, which a loss streak may count", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const close = (strategy: string, account: string, days: number, count = 1) =>
          world.sql(
            `INSERT INTO closes (cause, strategy, account, symbol, profit, closed_at)
              SELECT gen_random_uuid(), $1, $2, 'SPY', -1, $3::timestamptz + n * interval '1 second'
              FROM generate_series(0, $4::int - 1) AS n`,
            [strategy, account, at(days), count]
          )
        yield* close("busy", "paper-1", 500, 3)
        yield* close("quiet", "paper-1", 500, 2)
        yield* close("busy", "paper-1", 300, retentionLimits.closesKept - 1)
        assert.deepStrictEqual(yield* round(world), { closes: 2 })
        yield* close("busy", "paper-1", 1)
        assert.deepStrictEqual(yield* round(world), { closes: 1 })
        const left = yield* rows<{ strategy: string; n: number }>(
          world.database,
          "SELECT strategy, count(*)::int AS n FROM closes GROUP BY 1 ORDER BY 1"
        )
        assert.deepStrictEqual(left, [
          { strategy: "busy", n: retentionLimits.closesKept },
          { strategy: "quiet", n: 2 }
        ])
        // A backlog is gone through page by page.
        yield* close("quiet", "paper-1", 450, 2 * retentionLimits.pageMax + 100)
        assert.deepStrictEqual(yield* round(world), {
          closes: 2 * retentionLimits.pageMax + 100 + 2 - retentionLimits.closesKept
        })
      })
    )
  )

  it.live("[G11] settings go long after they were replaced, except those in force and the step back", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const applied = (version: string, node: string, days: number) =>
          Effect.andThen(
            world.sql(
              "INSERT INTO settings_versions (version, settings) VALUES ($1, '{}') ON CONFLICT DO NOTHING",
              [version]
            ),
            world.sql(
              "INSERT INTO settings_changes (version, node, by, changed, at) VALUES ($1, $2, 'start', '{}', $3)",
              [version, node, at(days)]
            )
          )
        yield* applied("gone", "a", 800)
        yield* applied("shared", "a", 700)
        // In force until 399 days ago.
        yield* applied("long", "a", 600)
        yield* applied("before", "a", 399)
        yield* applied("now", "a", 1)
        // Another node, whose last ones are old.
        yield* applied("gone", "b", 900)
        yield* applied("shared", "b", 850)
        yield* applied("last", "b", 840)
        assert.deepStrictEqual(yield* round(world), { settings: 3 })
        const left = yield* rows<{ line: string }>(
          world.database,
          "SELECT node || ' ' || version AS line FROM settings_changes ORDER BY seq"
        )
        assert.deepStrictEqual(
          left.map(({ line }) => line),
          ["a long", "a before", "a now", "b shared", "b last"]
        )
        const versions = yield* rows<{ version: string }>(
          world.database,
          "SELECT version FROM settings_versions ORDER BY 1"
        )
        assert.deepStrictEqual(
          versions.map(({ version }) => version),
          ["before", "last", "long", "now", "shared"]
        )
      })
    )
  )

  it.live("[T16] starts of a copied DATA_DIR replace nothing of the life that runs", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        yield* world.sql("INSERT INTO settings_versions (version, settings) VALUES ('v', '{}')", [])
        yield* world.sql(
          `INSERT INTO settings_changes (version, node, life, by, changed, at) VALUES ('v', 'n', 'n/runs', 'start', '{}', $1),
            ('v', 'n', 'n/copy', 'start', '{}', $2), ('v', 'n', 'n/copy', 'SIGHUP', '{}', $2)`,
          [at(900), at(800)]
        )
        yield* world.sql(
          `INSERT INTO nodes (node_id, life, pid, process_started, lease_until)
            VALUES ('n', 'n/runs', 1, '1', hf_now() + interval '1 hour')`,
          []
        )
        assert.deepStrictEqual(yield* round(world), {})
        yield* world.sql("UPDATE nodes SET lease_until = hf_now() - interval '1 hour'", [])
        assert.deepStrictEqual(yield* round(world), { settings: 1 })
      })
    )
  )

  it.live("an alert that is open stays, however old it is", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        yield* world.sql(
          `INSERT INTO alerts (id, severity, kind, dedup_key, message, first_at, last_at, resolved_at)
            VALUES ($1, 'LOW', 'x', 'open', 'x', $3, $3, NULL), ($2, 'LOW', 'x', 'late', 'x', $3, $3, $4)`,
          [randomUUID(), randomUUID(), at(900), at(399)]
        )
        assert.deepStrictEqual(yield* round(world), {})
      })
    )
  )

  it.live("is not what bounds a table in rows: the newest stay, however many came", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld({ refusedRowsMax: 450, eventRowsMax: 3 })
        yield* world.sql(
          `INSERT INTO refused_posts (id, source, reason, answered, body, body_bytes, request_id)
            SELECT gen_random_uuid(), 'default', 'invalid', 400, n::text, 0, 'r' FROM generate_series(1, 1000) AS n`
        )
        yield* world.sql(
          "INSERT INTO actor_events (at, path, event) SELECT hf_now(), n::text, 'x' FROM generate_series(1, 3) AS n"
        )
        assert.deepStrictEqual(yield* round(world), { refused_posts: 550 })
        const [{ least } = { least: 0 }] = yield* rows<{ least: number }>(
          world.database,
          "SELECT min(body::int) AS least FROM refused_posts"
        )
        assert.strictEqual(least, 551)
      })
    )
  )
})

describe("[T13] a signal stays", () => {
  it.live("while an order of it lives, in every status, and until what ended has settled", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const lives = [
          ...[...OPEN].map((status) => ({ status, settled: null })),
          ...[...SETTLES].map((status) => ({ status, settled: null }))
        ]
        const over = [...TERMINAL].map((status) => ({
          status,
          settled: SETTLES.has(status) ? at(401) : null
        }))
        const alive: Array<string> = []
        for (const [index, options] of [...lives, ...over].entries()) {
          const id = yield* signal(world)
          yield* order(world, { signalId: id, ...options })
          // A leg that is over does not speak for one that is not.
          if (index < lives.length) alive.push(id)
        }
        assert.deepStrictEqual(yield* round(world), { signals: over.length })
        assert.deepStrictEqual(yield* idsIn(world, "signals"), alive.toSorted())
      })
    )
  )

  it.live("while a position that it was part of is open, and no longer", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const traded = (symbol: string, options: PositionOptions, time = at(401)) =>
          Effect.gen(function* () {
            const id = yield* signal(world)
            const ordered = yield* order(world, { signalId: id, symbol })
            const held = yield* position(world, symbol, options)
            yield* fill(world, { orderId: ordered, positionId: held, signalId: id, time })
            return id
          })
        const alive = [
          yield* traded("HELD", { quantity: "5", opened: at(401) }),
          yield* traded("SHORT", { quantity: "-5", opened: at(410) }),
          yield* traded("UNDATED", { quantity: "5", opened: null }),
          // Two strategies against each other: the position is flat, their shares are not.
          yield* traded("SHARES", { quantity: "0", share: "-2", opened: at(401) })
        ]
        yield* traded("FLAT", { quantity: "0", share: "0" })
        yield* traded("REOPENED", { quantity: "5", share: "5", opened: at(10) })
        assert.deepStrictEqual(yield* round(world), { signals: 2 })
        assert.deepStrictEqual(yield* idsIn(world, "signals"), alive.toSorted())
        yield* world.sql("UPDATE positions SET quantity = 0")
        yield* world.sql("UPDATE position_shares SET quantity = 0")
        assert.deepStrictEqual(yield* round(world), { signals: 4 })
      })
    )
  )

  it.live("as metadata, while a fill that it explains does", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const metadata = yield* signal(world, { kind: "metadata" })
        const snapshot = randomUUID()
        yield* world.sql(
          `INSERT INTO signal_metadata (snapshot_id, signal_id, pair, trigger, buy_score, sell_score)
            VALUES ($1, $2, 'ZRX-USD', 'x', 1, 1)`,
          [snapshot, metadata]
        )
        const held = yield* position(world, "SPY", { quantity: "1" })
        yield* fill(world, { orderId: null, positionId: held, snapshotId: snapshot })
        assert.deepStrictEqual(yield* round(world), {})
        yield* world.sql("UPDATE positions SET quantity = 0")
        assert.deepStrictEqual(yield* round(world), { external_fills: 1, signals: 1 })
      })
    )
  )
})

describe("[T13] what belongs to no signal", () => {
  it.live(
    "exits and fills of others go by their own time, and never while they are part of what is held",
    () =>
      scoped(
        Effect.gen(function* () {
          const world = yield* openWorld()
          const [flat, held] = [
            yield* position(world, "FLAT"),
            yield* position(world, "HELD", { quantity: "1" })
          ]
          for (const positionId of [flat, held]) {
            const exit = yield* order(world, {})
            yield* fill(world, { orderId: exit, positionId })
            yield* fill(world, { orderId: null, positionId })
          }
          yield* order(world, { status: "needs_operator", settled: null })
          // Sent long ago, over only now.
          yield* order(world, { settled: at(400) })
          yield* fill(world, { orderId: null, positionId: flat, time: at(400) })
          assert.deepStrictEqual(yield* round(world), { external_fills: 1, exits: 1 })
        })
      )
  )

  it.live("a fill that is gone is known when its venue tells it again, and moves nothing", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const told = {
          account: "paper-1",
          symbol: "SPY",
          venueOrderId: "v-1",
          tradeId: "t-1",
          clientOrderId: null,
          side: "buy",
          quantity: "1",
          price: "10",
          fee: "0.5",
          cursor: "1",
          at: new Date(at(401))
        } as const
        const other = { ...told, side: "sell", tradeId: "t-2", fee: "0" } as const
        for (const one of [told, other]) yield* world.fills.record("practice", one)
        yield* world.sql("UPDATE trade_records SET recorded_at = order_time")
        assert.deepStrictEqual(yield* round(world), { external_fills: 2 })
        assert.deepStrictEqual(yield* world.fills.missing("practice", [told, other]), [])
        const before = yield* rows(world.database, "SELECT quantity, realised_pnl, version FROM positions")
        assert.strictEqual((yield* world.fills.record("practice", told))._tag, "AlreadyKnown")
        assert.deepStrictEqual(
          yield* rows(world.database, "SELECT quantity, realised_pnl, version FROM positions"),
          before
        )
      })
    )
  )
})

describe("retention gives way", () => {
  it.live("to whoever holds a row, and to another process that prunes", () =>
    scoped(
      Effect.gen(function* () {
        const world = yield* openWorld()
        const [locked] = [yield* signal(world), yield* signal(world)]
        // A transaction of another fiber, which holds what `take` takes while `during` runs.
        const holding = <E>(
          take: (sql: SqlClient) => Effect.Effect<unknown, SqlError>,
          during: Effect.Effect<void, E>
        ) =>
          Effect.gen(function* () {
            const [taken, release] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
            const holder = yield* Effect.forkChild(
              world.database.transact("test.hold", (sql) =>
                take(sql).pipe(
                  Effect.andThen(Deferred.succeed(taken, undefined)),
                  Effect.andThen(Deferred.await(release))
                )
              )
            )
            yield* Deferred.await(taken)
            yield* during
            yield* Deferred.succeed(release, undefined)
            yield* Fiber.join(holder)
          })
        yield* holding(
          (sql) => sql`SELECT FROM signals WHERE id = ${locked} FOR UPDATE`,
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* round(world), { signals: 1 })
          })
        )
        assert.deepStrictEqual(yield* idsIn(world, "signals"), [locked])
        yield* holding(
          (sql) => sql`SELECT pg_advisory_xact_lock(${0x68_66_72_74})`,
          Effect.gen(function* () {
            const [rule] = yield* world.retention.begin
            assert.isNull(rule === undefined ? undefined : yield* world.retention.prune(rule, 0n))
          })
        )
        assert.deepStrictEqual(yield* round(world), { signals: 1 })
      })
    )
  )
})
