import { randomUUID } from "node:crypto"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { WaveSchedule } from "../../../src/domain/kernel/wave-clock.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import {
  type AccountRequest,
  type Take,
  type WaveLease,
  WavesStore
} from "../../../src/layers/feeds/waves-store.port.ts"
import { wavesStorePg } from "../../../src/layers/feeds/waves-store.pg.ts"
import { rows } from "../../support/decisions.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"

const quarter: WaveSchedule = { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 }
const minute = 60_000
const at = (iso: string): number => Date.parse(iso)
const due = at("2025-10-21T23:05:00Z")
const wave = at("2025-10-21T22:45:00Z")

const request = (feed: string, nowMs: number, over: Partial<AccountRequest> = {}): AccountRequest => ({
  feed,
  schedule: quarter,
  freshMs: 5 * minute,
  nowMs,
  owner: "node-a",
  upSinceMs: due - 60 * minute,
  outage: false,
  ...over
})

const ledger = (feed: string) =>
  Effect.flatMap(Database, (database) =>
    rows<{ readonly line: string }>(
      database,
      `SELECT to_char(wave AT TIME ZONE 'UTC', 'HH24:MI') || ' ' || status || coalesce(' ' || reason, '') AS line
       FROM waves WHERE feed = '${feed}' ORDER BY wave`
    )
  ).pipe(Effect.map((found) => found.map(({ line }) => line)))

const expire = (feed: string) =>
  Effect.flatMap(Database, (database) =>
    database.run(
      "test",
      (sql) =>
        sql`UPDATE waves SET lease_until = now() - interval '1 second' WHERE feed = ${feed} AND lease_until IS NOT NULL`
    )
  )

/** Signals of a wave by what became of them: a status of the signal, or of its orders. */
const signals = (feed: string, waveMs: number, outcomes: ReadonlyArray<string | ReadonlyArray<string>>) =>
  Effect.flatMap(Database, (database) =>
    database.run("test", (sql) =>
      Effect.gen(function* () {
        yield* sql`INSERT INTO accounts (id, venue, starting_cash) SELECT 'a' || n, 'practice', 1 FROM generate_series(0, 2) n ON CONFLICT DO NOTHING`
        for (const outcome of outcomes) {
          const id = randomUUID()
          const status = typeof outcome === "string" ? outcome : "done"
          yield* sql`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer, status, feed, wave)
            VALUES (${id}, 'signal', 'wave', ${id}, 'explicit', 'h', '{}', 'r', '{}', ${status}, ${feed}, ${new Date(waveMs).toISOString()}::timestamptz)`
          if (typeof outcome === "string") continue
          for (const [index, order] of outcome.entries()) {
            yield* sql`INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity,
                time_in_force, status, source, venue)
              VALUES (${randomUUID()}, ${randomUUID()}, ${id}, ${`a${index}`}, 's', 'entry', 'SPY', 'buy', 'market', 1, 'day', ${order}, 'wave', 'practice')`
          }
        }
      })
    )
  )

const takeIt = (feed: string, owner = "node-a", waveMs = wave, feedLive = true) =>
  Effect.flatMap(WavesStore, (store) =>
    store.take({ feed, waveMs, owner }, { leaseMs: 10_000, late: false, feedLive })
  )

const leaseOf = (take: Take): WaveLease => (take._tag === "Taken" ? take.lease : assert.fail(take._tag))

layer(wavesStorePg.pipe(Layer.provideMerge(layerFreshDatabase({ poolSize: 8 }))))("waves store", (it) => {
  /** A ledger that began before the wave of the test, which is due now and expected. */
  const begun = (feed: string) =>
    Effect.gen(function* () {
      const store = yield* WavesStore
      yield* store.account(request(feed, due - minute))
      yield* store.account(request(feed, due))
      return store
    })

  it.effect("begins with the next wave, goes on with the schedule, and twice is once", () =>
    Effect.gen(function* () {
      const store = yield* WavesStore
      const first = yield* store.account(request("begin", due - minute))
      assert.deepStrictEqual(first, { handedOver: 0, laid: 1, closed: [], reopened: 0, rejectedSignals: 0 })
      assert.deepStrictEqual(yield* ledger("begin"), ["22:45 expected"])
      const again = yield* store.account(request("begin", due - minute))
      assert.strictEqual(again.laid, 0)
      yield* store.account(request("begin", due))
      assert.deepStrictEqual(yield* ledger("begin"), ["22:45 expected", "23:00 expected"])
    })
  )

  it.effect("two processes that lay out the same time at once write each row once", () =>
    Effect.gen(function* () {
      const store = yield* begun("both")
      const later = due + 24 * 60 * minute
      const all = yield* Effect.forEach(
        ["node-a", "node-b", "node-c", "node-d"],
        (owner) => store.account(request("both", later, { owner, upSinceMs: later })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(
        all.reduce((sum, { laid }) => sum + laid, 0),
        96
      )
      assert.strictEqual(
        all.reduce((sum, { closed }) => sum + closed.length, 0),
        96,
        "and each stale one is reported by one of them"
      )
      assert.strictEqual((yield* ledger("both")).filter((line) => line.includes("missed")).length, 96)
    })
  )

  it.effect("[reasons] says why a wave was missed and what it cost", () =>
    Effect.gen(function* () {
      const store = yield* begun("why")
      const later = due + 6 * minute
      const closed = yield* store.account(request("why", later))
      assert.deepInclude(closed.closed[0], {
        waveMs: wave,
        status: "missed",
        reason: "late",
        lostMs: 900_000
      })

      yield* begun("why-down")
      yield* store.account(request("why-down", later, { upSinceMs: later }))
      yield* begun("why-database")
      yield* store.account(request("why-database", later, { outage: true }))
      yield* begun("why-owner")
      yield* takeIt("why-owner", "node-b")
      yield* expire("why-owner")
      yield* store.account(request("why-owner", later))
      yield* begun("why-feed")
      yield* store.giveBack(leaseOf(yield* takeIt("why-feed")), "feed_down")
      yield* store.account(request("why-feed", later, { outage: true }))
      // Up again in the middle of the wave, which then went by with the database away: nobody else was missing.
      yield* begun("why-both")
      yield* takeIt("why-both")
      const both = yield* store.account(request("why-both", later, { upSinceMs: due + minute, outage: true }))
      assert.isBelow(both.closed[0]?.lostMs ?? 900_000, 60_000, "begun a moment ago: not all of it was lost")
      // Up again when hardly anything was left of its time.
      yield* begun("why-end")
      yield* store.account(request("why-end", later, { upSinceMs: due + 4 * minute, outage: true }))
      for (const [feed, reason] of [
        ["why-both", "database_down"],
        ["why-end", "process_down"],
        ["why-down", "process_down"],
        ["why-database", "database_down"],
        ["why-owner", "process_down"],
        ["why-feed", "feed_down"]
      ] as const) {
        assert.strictEqual((yield* ledger(feed))[0], `22:45 missed ${reason}`)
      }
    })
  )

  it.effect("leaves a fresh wave open, and one whose owner still holds it", () =>
    Effect.gen(function* () {
      const store = yield* begun("fresh")
      yield* store.account(request("fresh", due + 5 * minute))
      assert.strictEqual((yield* ledger("fresh"))[0], "22:45 expected")
      yield* takeIt("fresh", "node-b")
      yield* signals("fresh", wave, ["buffered"])
      const result = yield* store.account(request("fresh", due + 6 * minute))
      assert.deepStrictEqual(
        [result.closed.length, result.rejectedSignals],
        [0, 1],
        "past its time even its owner has nothing to trade"
      )
      assert.strictEqual((yield* ledger("fresh"))[0], "22:45 processing")
    })
  )

  it.effect("rejects the stored signals of waves that are over, also of before the ledger began", () =>
    Effect.gen(function* () {
      const store = yield* begun("over")
      yield* signals("over", wave, ["buffered", "buffered"])
      yield* signals("over", wave - 3 * 900_000, ["buffered"])
      yield* signals("over", wave + 900_000, ["buffered"])
      const result = yield* store.account(request("over", due + 6 * minute))
      assert.strictEqual(result.rejectedSignals, 3)
      assert.deepInclude(result.closed[0], { status: "missed", found: 2, skipped: 2 })
    })
  )

  it.effect("an unusable signal counts as failed, and keeps no wave from being missed", () =>
    Effect.gen(function* () {
      const store = yield* begun("unusable")
      const database = yield* Database
      yield* signals("unusable", wave, ["dead", "buffered"])
      yield* database.run(
        "test",
        (sql) => sql`UPDATE signals SET reason = 'unusable: price must be above zero'
          WHERE feed = 'unusable' AND status = 'dead'`
      )
      const { closed } = yield* store.account(request("unusable", due + 6 * minute))
      assert.deepInclude(closed[0], {
        status: "missed",
        found: 2,
        failed: 1,
        skipped: 1,
        lostMs: 900_000
      })

      const other = yield* begun("unusable-done")
      const lease = leaseOf(yield* takeIt("unusable-done"))
      yield* signals("unusable-done", wave, [["filled"], "dead"])
      const tally = yield* other.settle(lease, 5)
      assert.deepInclude(tally, { found: 2, pending: 0, successful: 1, failed: 1, skipped: 0 })
    })
  )

  it.effect("a wave whose signals were traded before its owner died is done, not missed", () =>
    Effect.gen(function* () {
      const store = yield* begun("traded")
      yield* takeIt("traded", "node-b")
      yield* signals("traded", wave, [["filled"], ["filled"], ["rejected"]])
      yield* expire("traded")
      const { closed } = yield* store.account(request("traded", due + 6 * minute))
      assert.deepInclude(closed[0], { status: "done", successful: 2, failed: 1, lostMs: 0 })
      assert.strictEqual((yield* ledger("traded"))[0], "22:45 done accounted_late")
    })
  )

  it.effect(
    "where the period is short, waves missed a moment ago are still traded, and called missed only when stale",
    () =>
      Effect.gen(function* () {
        const store = yield* WavesStore
        const minutely = {
          schedule: { periodMs: minute, offsetMs: 0, lagMs: 0 },
          upSinceMs: due + 10 * minute
        }
        yield* store.account(request("short", due, minutely))
        for (let n = 1; n <= 8; n += 2) yield* signals("short", due + n * minute, ["buffered"])
        const back = yield* store.account(request("short", due + 8 * minute, minutely))
        assert.deepInclude(
          back,
          { handedOver: 3, rejectedSignals: 1 },
          "23:08, :10 and :12 are fresh, :06 is not"
        )
        assert.deepStrictEqual(
          back.closed.map(({ reason, status }) => `${status} ${reason}`),
          [
            "missed process_down",
            "missed process_down",
            "done accounted_late",
            "done accounted_late",
            "done accounted_late"
          ]
        )
        const lines = yield* ledger("short")
        assert.deepStrictEqual(lines.slice(3, 5), ["23:09 expected", "23:10 done accounted_late"])
        assert.strictEqual(yield* store.handOver("short", due + 8 * minute, 5 * minute), 0)
      })
  )

  it.effect("of eight that take a wave at once, one has it", () =>
    Effect.gen(function* () {
      yield* begun("race")
      const takes = yield* Effect.forEach(
        Array.from({ length: 8 }, (_, n) => `node-${n}`),
        (owner) => takeIt("race", owner),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(takes.filter(({ _tag }) => _tag === "Taken").length, 1)
      assert.strictEqual(takes.filter(({ _tag }) => _tag === "Held").length, 7)
    })
  )

  it.effect(
    "[T4] a dead owner's wave is taken over by the next epoch, and the former owner writes nothing more",
    () =>
      Effect.gen(function* () {
        const store = yield* begun("epoch")
        const former = leaseOf(yield* takeIt("epoch", "node-b"))
        assert.strictEqual(former.epoch, 1)
        assert.strictEqual((yield* takeIt("epoch"))._tag, "Held")
        yield* expire("epoch")
        const take = yield* takeIt("epoch")
        assert.deepInclude(take, { _tag: "Taken", formerOwner: "node-b" })
        assert.strictEqual(leaseOf(take).epoch, 2)
        assert.isNull(yield* store.look(former, 1_000))
        assert.isNull(yield* store.settle(former, 5))
        assert.isFalse(yield* store.giveBack(former, "feed_down"))
        assert.strictEqual((yield* ledger("epoch"))[0], "22:45 processing")
        assert.isNotNull(yield* store.settle(leaseOf(take), 5))
        assert.strictEqual((yield* takeIt("epoch", "node-b"))._tag, "Ended")
      })
  )

  it.effect("[T4] a look of its owner renews the lease of a wave, so that nobody takes it meanwhile", () =>
    Effect.gen(function* () {
      const store = yield* begun("renewed")
      const lease = leaseOf(yield* takeIt("renewed", "node-b"))
      yield* expire("renewed")
      assert.isNotNull(yield* store.look(lease, 60_000))
      const other = yield* takeIt("renewed")
      assert.isTrue(other._tag === "Held" && other.remainingMs > 30_000, JSON.stringify(other))
    })
  )

  it.effect(
    "[T16] the wave of a life that has ended is taken at once, and that of one that lives is not",
    () =>
      Effect.gen(function* () {
        yield* begun("over-life")
        yield* Effect.flatMap(Database, (database) =>
          database.run(
            "test",
            (sql) => sql`INSERT INTO nodes (node_id, life, pid, process_started, lease_until)
            VALUES ('n', 'n/lives', 1, '1', hf_clock() + interval '1 minute')`
          )
        )
        yield* takeIt("over-life", "n/lives")
        assert.strictEqual((yield* takeIt("over-life", "m/other"))._tag, "Held")
        yield* Effect.flatMap(Database, (database) =>
          database.run("test", (sql) => sql`UPDATE nodes SET lease_until = hf_clock() WHERE node_id = 'n'`)
        )
        assert.deepInclude(yield* takeIt("over-life", "m/other"), { _tag: "Taken", formerOwner: "n/lives" })
      })
  )

  it.effect(
    "the next life of an owner does not wait for its own lease, and ends its former life's rights",
    () =>
      Effect.gen(function* () {
        const store = yield* begun("life")
        const former = leaseOf(yield* takeIt("life"))
        assert.strictEqual(leaseOf(yield* takeIt("life")).epoch, 2)
        assert.isNull(yield* store.look(former, 1_000))
      })
  )

  it.effect("a wave released for lack of the feed is taken again only where the feed is live", () =>
    Effect.gen(function* () {
      const store = yield* begun("back")
      assert.isTrue(yield* store.giveBack(leaseOf(yield* takeIt("back")), "feed_down"))
      assert.strictEqual((yield* takeIt("back", "node-a", wave, false))._tag, "WaitsForFeed")
      assert.strictEqual((yield* takeIt("back", "node-b", wave, true))._tag, "Taken")
      assert.strictEqual((yield* takeIt("back", "node-b", wave - 900_000))._tag, "Unknown")
    })
  )

  it.effect("counts signals by what became of them, and skips are no failures", () =>
    Effect.gen(function* () {
      const store = yield* begun("tally")
      const lease = leaseOf(yield* takeIt("tally"))
      yield* signals("tally", wave, [
        "buffered",
        "received",
        "processing",
        "dead",
        "rejected",
        "done",
        ["filled"],
        ["acked", "denied"],
        ["filled", "rejected"],
        ["denied"],
        ["held"],
        ["submitting"],
        ["cancelled"],
        ["needs_operator"]
      ])
      yield* signals("tally", wave + 900_000, [["filled"]])
      yield* signals("other", wave, [["filled"]])
      const tally = { found: 14, pending: 4, successful: 3, failed: 3, skipped: 4 }
      assert.deepStrictEqual(yield* store.look(lease, 1_000), tally)
      assert.deepStrictEqual(yield* store.settle(lease, 1_234), tally)
      const database = yield* Database
      const [row] = yield* rows(
        database,
        `SELECT status, reason, signals, successful, failed, skipped, duration_ms FROM waves WHERE feed = 'tally' ORDER BY wave LIMIT 1`
      )
      assert.deepStrictEqual(row, {
        status: "done",
        reason: null,
        signals: 14,
        successful: 3,
        failed: 3,
        skipped: 4,
        duration_ms: 1_234
      })
      // Orders go on after the check: the next accounting counts again.
      yield* database.run(
        "test",
        (sql) => sql`UPDATE orders SET status = 'filled' WHERE status = 'submitting'`
      )
      yield* store.account(request("tally", due + 6 * minute))
      const [later] = yield* rows(
        database,
        `SELECT successful FROM waves WHERE feed = 'tally' ORDER BY wave LIMIT 1`
      )
      assert.deepStrictEqual(later, { successful: 4 })
    })
  )

  it.effect("a wave without a signal is done and says that it was empty", () =>
    Effect.gen(function* () {
      const store = yield* begun("empty")
      yield* store.settle(leaseOf(yield* takeIt("empty")), 1)
      assert.strictEqual((yield* ledger("empty"))[0], "22:45 done empty")
    })
  )

  it.effect("waves that a clock ahead of its time called missed are expected again when it went back", () =>
    Effect.gen(function* () {
      const store = yield* begun("ahead")
      const lease = leaseOf(yield* takeIt("ahead"))
      yield* store.settle(lease, 1)
      const dayAhead = yield* store.account(request("ahead", due + 24 * 60 * minute + 6 * minute))
      assert.strictEqual(dayAhead.closed.length, 96)
      const back = yield* store.account(request("ahead", due + minute))
      assert.strictEqual(back.reopened, 96)
      const lines = yield* ledger("ahead")
      assert.strictEqual(lines[0], "22:45 done empty", "what was done stays done")
      assert.isTrue(lines.slice(1).every((line) => line.endsWith("expected")))
      yield* store.account(request("ahead", due + 15 * minute))
      assert.strictEqual((yield* takeIt("ahead", "node-a", wave + 900_000))._tag, "Taken")
    })
  )

  it.effect("an absence longer than the ledger lays out is bounded to its newest waves", () =>
    Effect.gen(function* () {
      const store = yield* WavesStore
      const secondly = { schedule: { periodMs: 1_000, offsetMs: 0, lagMs: 0 }, freshMs: 1_000 }
      yield* store.account(request("bound", due, secondly))
      const result = yield* store.account(request("bound", due + 5 * 3_600_000, secondly))
      assert.deepStrictEqual(
        [result.laid, result.closed.length],
        [2_880, 2_878],
        "two are open: the next, and one at the edge"
      )
    })
  )
})
