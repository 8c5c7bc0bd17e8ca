/** What a simulation relies on: a database whose time is set, and one source of all random values. */
import * as fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { nodeLimits } from "../../src/domain/kernel/limits-execution.ts"
import { ageLimits, claimLimits } from "../../src/domain/kernel/limits-signals.ts"
import { redactUrls } from "../../src/domain/kernel/redaction.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { accountsStorePg } from "../../src/layers/accounts/accounts-store.pg.ts"
import { NodeStore } from "../../src/layers/accounts/node-store.port.ts"
import { nodeStorePg } from "../../src/layers/accounts/node-store.pg.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { alertsQueueMasked } from "../../src/layers/alerts/alerts.queue.ts"
import { AlertsStore } from "../../src/layers/alerts/alerts-store.port.ts"
import { alertsStorePg } from "../../src/layers/alerts/alerts-store.pg.ts"
import { Database, type DatabaseService } from "../../src/layers/database/database.port.ts"
import { ReadStore } from "../../src/layers/health/read-store.port.ts"
import { ReadStorePg } from "../../src/layers/health/read-store.pg.ts"
import { dataDirAt } from "../../src/layers/platform/data-dir.file.ts"
import { Entropy } from "../../src/layers/platform/entropy.port.ts"
import { journalRing } from "../../src/layers/platform/journal.ring.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { insertSignals, plannerOf, rows, storeOn } from "../support/decisions.ts"
import { seededEntropy } from "../support/entropy.ts"
import { heldInstance } from "../support/instance.ts"
import { openFreshDatabase } from "../support/postgres.ts"
import { settingsFrom } from "../support/practice-settings.ts"
import { scratchRoot } from "../support/scratch.ts"

const START = Date.parse("2031-03-04T14:30:00.000Z")
const mark = { host: null, pid: 1, startedAt: "1" }

/** Sets the time of the one session of `database`. */
const setNow = (database: DatabaseService, ms: number) =>
  database.run(
    "test.now",
    (sql) => sql`SELECT set_config('holdfast.now', ${new Date(ms).toISOString()}, false)`
  )

const alert = {
  severity: "HIGH",
  kind: "test",
  dedupKey: "test:1",
  message: "something lasts"
} as const

/** A database of one session, whose time stands still at START, and the stores on it. */
const openWorld = (seed: number) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(START)
    const entropy = seededEntropy(seed)
    const { database } = yield* openFreshDatabase({ poolSize: 1 })
    yield* setNow(database, START)
    const stores = Layer.mergeAll(accountsStorePg, alertsStorePg, nodeStorePg, ReadStorePg)
    const context = yield* Layer.build(
      Layer.merge(stores, alertsQueueMasked(redactUrls)).pipe(
        Layer.provide(Layer.succeed(Database, database)),
        Layer.provide(Layer.merge(Wake.layer, journalRing)),
        Layer.provide(Layer.succeed(Entropy, entropy))
      )
    )
    return {
      entropy,
      database,
      nodes: Context.get(context, NodeStore),
      accounts: Context.get(context, AccountsStore),
      alerts: Context.get(context, Alerts),
      alertsStore: Context.get(context, AlertsStore),
      reads: Context.get(context, ReadStore)
    }
  })

const TABLES = ["nodes", "accounts", "signals", "decisions", "orders", "alerts"]

/** A node comes up, takes its accounts, decides a signal and raises an alert; answers every row that this left. */
const liveOnce = (seed: number) =>
  Effect.gen(function* () {
    const { accounts, alerts, alertsStore, database, entropy, nodes } = yield* openWorld(seed)
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(`${scratchRoot()}/holdfast-ground-`)),
      (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
    )
    const { bootId, nodeId } = yield* dataDirAt(directory, entropy).hold
    const instance = heldInstance(nodeId, bootId)
    const life = instance.current()?.life ?? assert.fail("it has an identity")
    const settings = settingsFrom()
    const configured = Object.entries(settings.accounts)
    yield* nodes.open({ nodeId, life, mark }, nodeLimits.leaseMs, null)
    yield* accounts.ensure(
      configured.map(([id, { broker, enabled, startingCash }]) => ({
        id,
        venue: broker,
        startingCash,
        enabled
      }))
    )
    const names = configured.map(([id]) => id)
    for (const name of names) {
      const taken = yield* accounts.take(name, life)
      if (taken._tag === "Taken") yield* accounts.markReconciled(taken.grant)
    }
    const signals = yield* storeOn(database, settings, nodeId, instance, entropy)
    yield* insertSignals(database, [{ id: "7f1c9a50-0000-4000-8000-000000000001" }, { id: entropy.uuid() }])
    const claim = yield* signals.claim(1)
    const outcomes = yield* signals.decide(claim.token, claim.signals, names, plannerOf(settings))
    assert.strictEqual(outcomes[0]?._tag, "Decided")
    assert.lengthOf((yield* signals.claim(1)).signals, 1, "the second keeps the token of its claim")
    yield* alerts.raise(alert)
    yield* alertsStore.store(alerts.takePending())
    const left: Record<string, unknown> = {}
    for (const table of TABLES)
      left[table] = yield* rows(database, `SELECT to_jsonb(t)::text AS row FROM ${table} t ORDER BY 1`)
    return left
  }).pipe(Effect.scoped)

describe("a run with a seed and a set time", () => {
  it.effect(
    "leaves the same rows again, ids, tokens and times included, and other ids with another seed",
    () =>
      Effect.gen(function* () {
        const first = yield* liveOnce(7)
        for (const table of TABLES) assert.isNotEmpty(first[table], table)
        assert.deepStrictEqual(yield* liveOnce(7), first)
        const other = yield* liveOnce(8)
        for (const table of ["nodes", "accounts", "signals", "alerts"])
          assert.notDeepEqual(other[table], first[table], table)
      })
  )
})

describe("the stores on a session whose time is set", () => {
  it.effect("the lease of a node ends when that time has come, to the millisecond", () =>
    Effect.gen(function* () {
      const { database, nodes } = yield* openWorld(1)
      const opened = yield* nodes.open({ nodeId: "n", life: "n/first", mark }, 4_000, null)
      assert.strictEqual(opened._tag, "Held")
      const second = () => nodes.open({ nodeId: "n", life: "n/second", mark }, 4_000, null)
      assert.deepInclude(yield* second(), { _tag: "Leased", remainingMs: 4_000 })
      yield* setNow(database, START + 3_999)
      assert.deepInclude(yield* second(), { _tag: "Leased", remainingMs: 1 })
      yield* setNow(database, START + 4_000)
      assert.strictEqual((yield* second())._tag, "Held")
    })
  )

  it.effect("a claim on a signal is over, and the signal too old, when that time has come", () =>
    Effect.gen(function* () {
      const { database } = yield* openWorld(1)
      const store = yield* storeOn(database)
      const [id = ""] = yield* insertSignals(database, [{ ageMs: 0 }])
      const claimed = Effect.map(store.claim(10), ({ signals }) => signals.length)
      assert.strictEqual(yield* claimed, 1)
      yield* setNow(database, START + claimLimits.leaseMs)
      assert.strictEqual(yield* claimed, 0)
      yield* setNow(database, START + claimLimits.leaseMs + 1)
      assert.strictEqual(yield* claimed, 1)
      yield* setNow(database, START + ageLimits.signalAgeMsDefault)
      assert.deepStrictEqual(yield* store.expire(10), [])
      yield* setNow(database, START + ageLimits.signalAgeMsDefault + 1)
      assert.deepStrictEqual(yield* store.expire(10), [
        { source: "default", count: 1, oldestMs: ageLimits.signalAgeMsDefault + 1, oldestId: id }
      ])
    })
  )

  it.effect("an alert is acknowledged at that time", () =>
    Effect.gen(function* () {
      const { alerts, alertsStore, database, reads } = yield* openWorld(1)
      yield* alerts.raise(alert)
      yield* alertsStore.store(alerts.takePending())
      const [stored] = yield* rows<{ readonly id: string }>(database, "SELECT id FROM alerts")
      yield* setNow(database, START + 90_000)
      const seen = yield* reads.acknowledgeAlert({ id: stored?.id ?? "", by: "ann", note: null })
      assert.strictEqual(seen?.["acknowledged_at"], "2031-03-04T14:31:30.000Z")
    })
  )
})
