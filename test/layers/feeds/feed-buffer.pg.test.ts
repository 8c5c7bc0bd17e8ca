import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { UnusableSignal, WaveSignal } from "../../../src/domain/feeds/feed-wire.ts"
import { readWaveSignal } from "../../../src/wire/feed-frame.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { FeedBuffer } from "../../../src/layers/feeds/feed-buffer.port.ts"
import { FeedBufferPg } from "../../../src/layers/feeds/feed-buffer.pg.ts"
import { Feeds } from "../../../src/layers/feeds/feeds.port.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const waveMs = Date.UTC(2025, 9, 21, 22, 45)
const signal = (id: string, more: Partial<WaveSignal> = {}): WaveSignal => ({
  id,
  symbol: "BTC-USDT",
  action: "BUY",
  waveMs,
  price: "100.5",
  score: 1,
  ...more
})
const unusable = (id: string, more: object = {}): UnusableSignal => {
  const wave = new Date(waveMs).toISOString()
  const read = readWaveSignal({ id, symbol: "BTC-USDT", action: "BUY", wave, price: "NaN", ...more })
  return "errors" in read ? read : assert.fail(`${id} is usable`)
}
const many = (n: number, prefix: string): ReadonlyArray<WaveSignal> =>
  Array.from({ length: n }, (_, index) => signal(`${prefix}-${index}`))

const world = Feeds.layer.pipe(
  Layer.provideMerge(FeedBufferPg),
  Layer.provideMerge(Layer.mergeAll(layerFreshDatabase(), Layer.succeed(Config, settingsFrom())))
)
const from = { feed: "north", source: "wave" }

layer(world)("feed buffer", (it) => {
  it.effect("stores a batch once, and counts it as duplicates when it comes again", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const batch = many(291, "once")
      assert.deepStrictEqual(yield* buffer.store(from, batch), {
        stored: 291,
        duplicates: 0,
        conflicts: [],
        refused: []
      })
      const again = yield* buffer.store(from, [...batch, signal("one more")])
      assert.deepStrictEqual([again.stored, again.duplicates], [1, 291])
    })
  )

  it.effect("the same id twice in one call is stored once", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const counts = yield* buffer.store(from, [signal("twin"), signal("twin")])
      assert.deepStrictEqual([counts.stored, counts.duplicates], [1, 1])
    })
  )

  it.effect("feed, wave and id make the identity: one of them different is another signal", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const a = yield* buffer.store(from, [signal("same"), signal("same", { waveMs: waveMs + 900_000 })])
      const b = yield* buffer.store({ ...from, feed: "south" }, [signal("same")])
      assert.deepStrictEqual([a.stored, b.stored], [2, 1])
    })
  )

  it.effect("another price is the same signal, another action is a conflict and changes nothing", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const db = yield* Database
      yield* buffer.store(from, [signal("moves")])
      const price = yield* buffer.store(from, [signal("moves", { price: "101" })])
      const action = yield* buffer.store(from, [signal("moves", { action: "SELL" })])
      assert.deepStrictEqual([price.duplicates, price.conflicts, action.conflicts], [1, [], ["moves"]])
      const rows = yield* db.run(
        "test",
        (sql) => sql<{ action: string }>`SELECT action FROM signals WHERE request_id = 'north/moves'`
      )
      assert.deepStrictEqual(rows, [{ action: "BUY" }])
    })
  )

  it.effect(
    "the same id with two contents in one call is a conflict: the first leads, and nothing is silent",
    () =>
      Effect.gen(function* () {
        const buffer = yield* FeedBuffer
        const db = yield* Database
        const other = { symbol: "ETH-USDT", action: "SELL" } as const
        const batch = [signal("torn"), signal("torn", other), signal("torn", { price: "7" }), signal("whole")]
        const counts = yield* buffer.store(from, batch)
        assert.deepStrictEqual(counts, { stored: 2, duplicates: 1, conflicts: ["torn"], refused: [] })
        const rows = yield* db.run(
          "test",
          (sql) => sql<{ symbol: string }>`SELECT symbol FROM signals WHERE request_id = 'north/torn'`
        )
        assert.deepStrictEqual(rows, [{ symbol: "BTC-USDT" }])
        const again = yield* buffer.store(from, batch)
        assert.deepStrictEqual(again, { stored: 0, duplicates: 3, conflicts: ["torn"], refused: [] })
      })
  )

  it.effect(
    "an unusable signal is a dead row of its wave, once, and a usable one of its id has its own",
    () =>
      Effect.gen(function* () {
        const buffer = yield* FeedBuffer
        const db = yield* Database
        const broken = { ...from, feed: "broken" }
        const bad = [
          unusable("b1"),
          unusable("b1", { score: 2 }),
          unusable("b2", { id: 7, symbol: "{{b}}", more: "\u0000" })
        ]
        yield* buffer.storeUnusable(broken, bad)
        yield* buffer.storeUnusable(broken, bad)
        const counts = yield* buffer.store(broken, [signal("b1")])
        assert.deepStrictEqual(counts, { stored: 1, duplicates: 0, conflicts: [], refused: [] })
        const stored = yield* db.run(
          "test",
          (sql) => sql<{ id: string; status: string; reason: string | null; wave: Date }>`
          SELECT body->>'id' AS id, status, reason, wave FROM signals WHERE feed = 'broken' ORDER BY status DESC, body->>'id' DESC`
        )
        assert.deepStrictEqual(
          stored.map(({ id, reason, status, wave }) => [id, status, reason?.slice(0, 16), wave.getTime()]),
          [
            ["b1", "dead", "unusable: price ", waveMs],
            ["7", "dead", "unusable: symbol", waveMs],
            ["b1", "buffered", undefined, waveMs]
          ]
        )
      })
  )

  it.effect("an unusable signal without a wave counts in the wave that is collected, else in none", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const db = yield* Database
      const lost = { ...from, feed: "lost" }
      const waves = db.run(
        "test",
        (sql) => sql<{ wave: Date }>`SELECT wave FROM signals WHERE feed = 'lost' ORDER BY seq`
      )
      yield* buffer.storeUnusable(lost, [unusable("l1", { wave: "soon" })])
      assert.deepStrictEqual(yield* waves, [])
      yield* db.run(
        "test",
        (sql) => sql`INSERT INTO waves (feed, wave, due_at, status) VALUES
          ('lost', ${new Date(waveMs).toISOString()}::timestamptz, now(), 'processing'),
          ('lost', ${new Date(waveMs + 900_000).toISOString()}::timestamptz, now(), 'expected')`
      )
      yield* buffer.storeUnusable(lost, [unusable("l1", { wave: "soon" }), unusable("l2", { wave: null })])
      yield* buffer.storeUnusable(lost, [unusable("l2", { wave: null })])
      assert.deepStrictEqual(
        (yield* waves).map(({ wave }) => wave.getTime()),
        [waveMs, waveMs]
      )
    })
  )

  it.effect("two writers with the same 2,000 signals store each once between them", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const batch = many(2_000, "race")
      const [a, b] = yield* Effect.all([buffer.store(from, batch), buffer.store(from, batch.toReversed())], {
        concurrency: 2
      })
      assert.strictEqual(a.stored + b.stored, 2_000)
      assert.strictEqual(a.duplicates + b.duplicates, 2_000)
    })
  )

  it.effect("a buffered signal is claimed by nobody; its wave hands it over exactly once", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      const feeds = yield* Feeds
      const db = yield* Database
      const due = { ...from, feed: "due" }
      yield* buffer.store(due, many(3, "due"))
      assert.deepStrictEqual(yield* feeds.get("due").storedFor("2025-10-21T22:45:00Z"), {
        total: 3,
        buffered: 3
      })
      const open = db.run(
        "test",
        (sql) => sql<{ n: number; age: number | null }>`SELECT count(*)::int AS n,
          max(extract(epoch FROM expires_from))::float8 AS age FROM signals WHERE feed = 'due' AND status = 'received'`
      )
      assert.strictEqual((yield* open)[0]?.n, 0)
      const taken = yield* buffer.dispatch("due", waveMs, waveMs + 1_200_000)
      assert.strictEqual(taken.length, 3)
      assert.deepStrictEqual(yield* open, [{ n: 3, age: (waveMs + 1_200_000) / 1_000 }])
      assert.deepStrictEqual(yield* buffer.dispatch("due", waveMs, waveMs), [])
      assert.deepStrictEqual(yield* buffer.reject("due", waveMs, "late"), [])
      assert.deepStrictEqual(yield* buffer.count("due", waveMs), { total: 3, buffered: 0 })
    })
  )

  it.effect("a wave that is given up rejects what waits, with the reason", () =>
    Effect.gen(function* () {
      const buffer = yield* FeedBuffer
      yield* buffer.store({ ...from, feed: "late" }, many(2, "late"))
      assert.strictEqual((yield* buffer.reject("late", waveMs, "wave_missed")).length, 2)
      assert.deepStrictEqual(yield* buffer.dispatch("late", waveMs, waveMs), [])
    })
  )

  it.effect("a feed that does not run is an answer, not a wait", () =>
    Effect.gen(function* () {
      const feeds = yield* Feeds
      const error = yield* Effect.flip(feeds.get("nowhere").requestSignals(1_000))
      assert.strictEqual(error.reason, "it does not run in this process")
      assert.strictEqual(feeds.get("nowhere").state(), "Absent")
    })
  )
})
