import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { feedLimits } from "../../src/domain/kernel/limits-feeds.ts"
import { type DatabaseService, DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import { openFreshDatabase } from "../support/postgres.ts"
import { flood } from "./feed-flood.ts"
import { feedSettings, runningFeed, signalServer, storedIds, until } from "./feed-world.ts"

describe("a feed under load", () => {
  it.live(
    "100,000 single signals: each stored once, memory flat, the peer waits for the database",
    () =>
      Effect.gen(function* () {
        const { child, grown, paused, rows, waitingMax } = yield* flood(100_000, 60_000)
        assert.deepStrictEqual(rows, { n: 100_000, ids: 100_000 })
        assert.isTrue(paused, "the flood was never held up")
        // One chunk of the socket (64 KiB) is read before a pause takes effect.
        assert.isBelow(waitingMax, feedLimits.waitingSignalsMax + 1_000)
        // 50,000 more signals are 10 MB when they are kept (measured).
        assert.isBelow(grown.held, 2 * 1_024 * 1_024)
        assert.isBelow(grown.rss, 48 * 1_024 * 1_024)
        assert.deepStrictEqual(
          [child.state, child.detail["connects"], child.detail["let_go"], child.restarts],
          ["Live", 1, 0, 0]
        )
      }),
    240_000
  )

  it.live(
    "a batch of 10,000 is stored in bulk, asked for again by the reconnect after a kill, and repeats nothing",
    () =>
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase({ poolSize: 4 })
        database.availability.mark("available")
        const batch = { type: "batch", signals: 10_000 }
        // The first connection breaks in the middle of its batch.
        const server = yield* signalServer({
          faults: [
            { on: "live", connection: 1, do: { ...batch, signals: 4_000 } },
            { on: "get_signals", connection: 1, do: { type: "reset" }, afterMs: 40 },
            { on: "live", connection: 2, do: batch }
          ]
        })
        const { child } = yield* runningFeed(database, "batch", feedSettings(), () => server.url)
        const ids: Array<string> = []
        yield* until(
          "all are stored",
          Effect.fnUntraced(function* () {
            ids.splice(0, ids.length, ...(yield* storedIds(database, "batch")))
            return ids.length >= 10_000 && child().detail["waiting"] === 0
          })
        )
        assert.deepStrictEqual([ids.length, new Set(ids).size], [10_000, 10_000])
        const { duplicates, stored, connects } = child().detail
        // What the first connection had brought is stored, and comes again with the second.
        assert.deepStrictEqual([stored, duplicates, connects], [10_000, 4_000, 2])
      }),
    180_000
  )

  it.live("a database that goes away in the middle costs nothing but time", () =>
    Effect.gen(function* () {
      const { database: real } = yield* openFreshDatabase({ poolSize: 4 })
      real.availability.mark("available")
      let away = false
      const gone = new DatabaseUnavailable({
        operation: "test",
        reason: "connection",
        outcome: "not_applied",
        cause: "pulled"
      })
      const database: DatabaseService = {
        ...real,
        run: (operation, f, options) => (away ? Effect.fail(gone) : real.run(operation, f, options))
      }
      const server = yield* signalServer({ perWave: 5, keepWaves: 2 })
      const { child } = yield* runningFeed(database, "away", feedSettings(), () => server.url)
      yield* until("the first are stored", () => child().detail["stored"] === 10)
      away = true
      database.availability.mark("unavailable")
      yield* until("it says so", () => child().state === "Live.WaitingForDatabase")
      server.publish([
        {
          id: "lost?",
          symbol: "BTC-USDT",
          action: "SELL",
          wave: "2025-10-21T22:45:00Z",
          price: "1",
          score: 0
        }
      ])
      yield* until("the signal waits", () => child().detail["waiting"] === 1)
      away = false
      database.availability.mark("available")
      yield* until("it is stored", () => child().detail["stored"] === 11)
      assert.include(yield* storedIds(database, "away"), "lost?")
      assert.deepStrictEqual([child().detail["connects"], child().restarts], [1, 0])
    })
  )
})
