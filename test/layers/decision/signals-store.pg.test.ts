import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { expireLeases, insertSignals, preparedStore, rows, storeOn } from "../../support/decisions.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom()

describe("claiming", () => {
  it.live("takes the oldest first, no more than asked, and nothing twice", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const ids = yield* insertSignals(
          database,
          Array.from({ length: 5 }, () => ({}))
        )
        const first = yield* store.claim(3)
        const second = yield* store.claim(3)
        assert.deepStrictEqual(
          first.signals.map(({ id }) => id),
          ids.slice(0, 3)
        )
        assert.deepStrictEqual(
          second.signals.map(({ id }) => id),
          ids.slice(3)
        )
        assert.strictEqual((yield* store.claim(3)).signals.length, 0)
        assert.notStrictEqual(first.token, second.token)
      })
    )
  )

  it.live("shares the queue among claimers at the same time without giving a row to two", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertSignals(
          database,
          Array.from({ length: 60 }, () => ({}))
        )
        const claims = yield* Effect.all(
          Array.from({ length: 12 }, () => store.claim(7)),
          { concurrency: "unbounded" }
        )
        const taken = claims.flatMap(({ signals }) => signals.map(({ id }) => id))
        assert.strictEqual(taken.length, 60)
        assert.strictEqual(new Set(taken).size, 60)
      })
    )
  )

  it.live("passes over a row that somebody holds, and never waits for it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [held, free] = yield* insertSignals(database, [{}, {}])
        const [locked, release] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const holding = yield* Effect.forkChild(
          database.transact("test", (sql) =>
            Effect.gen(function* () {
              yield* sql`SELECT id FROM signals WHERE id = ${held}::uuid FOR UPDATE`
              yield* Deferred.succeed(locked, undefined)
              yield* Deferred.await(release)
            })
          )
        )
        yield* Deferred.await(locked)
        assert.deepStrictEqual(
          (yield* store.claim(10)).signals.map(({ id }) => id),
          [free]
        )
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(holding)
        assert.deepStrictEqual(
          (yield* store.claim(10)).signals.map(({ id }) => id),
          [held]
        )
      })
    )
  )

  it.live("takes over what another node claimed only when its lease is over on the database's clock", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const other = yield* storeOn(database)
        yield* insertSignals(database, [{}])
        yield* other.claim(10)
        assert.strictEqual((yield* store.claim(10)).signals.length, 0)
        yield* expireLeases(database)
        const taken = yield* store.claim(10)
        assert.deepStrictEqual(
          taken.signals.map(({ attempts }) => attempts),
          [2]
        )
      })
    )
  )

  it.live("releases at once what a former life of the same node claimed, and nothing of other nodes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* preparedStore
        const nodeId = randomUUID()
        const before = yield* storeOn(database, settings, nodeId)
        const after = yield* storeOn(database, settings, nodeId)
        const other = yield* storeOn(database)
        const [mine, theirs] = yield* insertSignals(database, [{}, {}])
        yield* before.claim(1)
        yield* other.claim(1)
        assert.strictEqual(yield* after.releaseOwn("outage"), 1)
        assert.deepStrictEqual(
          (yield* after.claim(10)).signals.map(({ attempts, id }) => [id, attempts]),
          [[mine, 2]],
          "an outage of this life says nothing about the end of the one before"
        )
        assert.notStrictEqual(mine, theirs)
      })
    )
  )

  it.live("[T16] a copy of a node releases what is its own, and nothing of the one it was copied from", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* preparedStore
        const nodeId = randomUUID()
        const instance = makeInstance()
        instance.assign({ nodeId, bootId: "copy" })
        instance.stand({ _tag: "Cloned", by: "the original" })
        const original = yield* storeOn(database, settings, nodeId)
        const copy = yield* storeOn(database, settings, nodeId, instance)
        yield* insertSignals(database, [{}, {}])
        yield* original.claim(1)
        assert.strictEqual(yield* copy.releaseOwn("crash"), 0)
        yield* copy.claim(1)
        assert.strictEqual(yield* copy.releaseOwn("crash"), 1)
      })
    )
  )

  it.live("gives the attempt back when only an outage kept this life from deciding, however often", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertSignals(database, [{}])
        for (let outage = 0; outage < 2 * claimLimits.claimsMax; outage += 1) {
          const { signals } = yield* store.claim(10)
          assert.deepStrictEqual(
            signals.map(({ attempts }) => attempts),
            [1],
            `outage ${outage}`
          )
          assert.strictEqual(yield* store.releaseOwn("outage"), 1)
        }
        // A crash of the process is evidence against the signal: its attempt stays.
        yield* store.claim(10)
        yield* store.releaseOwn("crash")
        const { signals } = yield* store.claim(10)
        assert.deepStrictEqual(
          signals.map(({ attempts }) => attempts),
          [2]
        )
      })
    )
  )

  it.live("claims alone what was claimed before, so that crashes in a row make suspects one at a time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [a, b, c] = yield* insertSignals(database, [{}, {}, {}])
        const attempts = rows<{ readonly attempts: number }>(
          database,
          "SELECT attempts FROM signals ORDER BY seq"
        )
        assert.isFalse((yield* store.claim(10)).more)
        for (let crash = 0; crash < 3; crash += 1) {
          yield* store.releaseOwn("crash")
          const { more, signals } = yield* store.claim(10)
          assert.deepStrictEqual([signals.map(({ id }) => id), more], [[a], true])
        }
        assert.deepStrictEqual(
          (yield* attempts).map((row) => row.attempts),
          [4, 1, 1]
        )
        const [fresh] = yield* insertSignals(database, [{}])
        // The first suspect is in hand; the others are still each alone, and the fresh one comes after them.
        for (const expected of [b, c, fresh]) {
          assert.deepStrictEqual(
            (yield* store.claim(10)).signals.map(({ id }) => id),
            [expected]
          )
        }
      })
    )
  )

  it.live("ends a batch of untried signals before the first that was tried", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const ids = yield* insertSignals(database, [{}, {}, {}, {}])
        yield* database.run(
          "test.suspect",
          (sql) => sql`UPDATE signals SET attempts = 1 WHERE id = ${ids[2] ?? ""}`
        )
        const batches = [yield* store.claim(10), yield* store.claim(10), yield* store.claim(10)]
        assert.deepStrictEqual(
          batches.map(({ signals }) => signals.map(({ id }) => id)),
          [ids.slice(0, 2), ids.slice(2, 3), ids.slice(3)]
        )
        assert.deepStrictEqual(
          batches.map(({ more }) => more),
          [true, true, false]
        )
      })
    )
  )

  it.live("reads decimals, dates and times as they were stored", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [id] = yield* insertSignals(database, [{ direction: "CALL", quantity: "0.000000000000000001" }])
        yield* database.run(
          "test.option",
          (sql) =>
            sql`UPDATE signals SET strike = 450.50, expiration = '2026-12-18', price = 451, expires_from = '2099-11-23T15:00:00.123Z',
              intent = 'target', position_size = -2.50, market_position = 'short', prev_market_position = 'flat',
              market_position_size = 2.5,
              order_type = 'stop_limit', limit_price = 101.25, stop_price = 100.50, time_in_force = 'day'`
        )
        const [claimed] = (yield* store.claim(1)).signals
        assert.deepStrictEqual(claimed?.kind === "signal" ? claimed.signal : null, {
          id: id ?? "",
          source: "default",
          symbol: "SPY",
          action: null,
          direction: "CALL",
          quantity: "0.000000000000000001",
          price: "451",
          strategy: null,
          strike: "450.50",
          expiration: "2026-12-18",
          intent: "target",
          positionSize: "-2.50",
          marketPosition: "short",
          prevMarketPosition: "flat",
          marketPositionSize: "2.5",
          orderType: "stop_limit",
          limitPrice: "101.25",
          stopPrice: "100.50",
          timeInForce: "day",
          experimentId: null,
          variant: null,
          expiresFromMs: Date.parse("2099-11-23T15:00:00.123Z")
        })
      })
    )
  )
})

describe("the backlog", () => {
  it.live("counts what is not decided and says how old the oldest is", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        assert.deepStrictEqual(yield* store.backlog, {
          open: 0,
          oldestMs: 0,
          expired: 0,
          dead: 0,
          waiting: false
        })
        yield* insertSignals(database, [{}, {}])
        yield* database.run(
          "test.age",
          (sql) => sql`UPDATE signals SET received_at = now() - interval '1 minute'`
        )
        yield* store.claim(1)
        const { oldestMs, open, waiting } = yield* store.backlog
        assert.strictEqual(open, 2)
        assert.isTrue(waiting)
        assert.isTrue(oldestMs >= 60_000 && oldestMs < 70_000)
      })
    )
  )
})
