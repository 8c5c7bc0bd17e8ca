/** The queue: what has expired ends in bulk and blocks nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { decide, planSignal } from "../../../src/domain/decision/decision.ts"
import type { Facts } from "../../../src/domain/decision/facts.ts"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"
import type { DatabaseService } from "../../../src/layers/database/database.port.ts"
import { backlogRow, claimRows, expireRows } from "../../../src/layers/decision/signals-store.pg-queue.ts"
import type { SignalsStoreService } from "../../../src/layers/decision/signals-store.port.ts"
import {
  expireLeases,
  insertAccounts,
  insertMetadata,
  insertSignals,
  planSettings,
  preparedStore,
  rows,
  storeOn
} from "../../support/decisions.ts"
import { openFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"
import { insertStale } from "../../support/stale-signals.ts"

const settings = settingsFrom()
const hour = 3_600_000

const claimedIds = (store: SignalsStoreService, limit = 64) =>
  Effect.map(store.claim(limit), ({ signals }) => signals.map(({ id }) => id))

interface Decided {
  readonly engine: string
  readonly experiment_id: string
  readonly variant: string
  readonly outcome: string
  readonly reason: string
  readonly checks: ReadonlyArray<{ readonly numbers: Readonly<Record<string, number>> }>
}

describe("signals that are too old", () => {
  it.live("end with the decision that the planner makes, so the trace tells why", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [id = ""] = yield* insertSignals(database, [{ ageMs: hour }])
        assert.deepStrictEqual(
          (yield* store.expire(10)).map(({ count, oldestId, source }) => [source, count, oldestId]),
          [["default", 1, id]]
        )
        assert.deepStrictEqual(yield* rows(database, "SELECT status, reason, claim FROM signals"), [
          { status: "rejected", reason: "too_old", claim: null }
        ])
        const [stored] = yield* rows<Decided>(
          database,
          "SELECT engine, experiment_id, variant, outcome, reason, checks FROM decisions"
        )
        const planned = planSignal({
          signal: {
            id,
            source: "default",
            symbol: "SPY",
            action: null,
            direction: "LONG",
            quantity: null,
            price: null,
            strategy: null,
            strike: null,
            expiration: null,
            intent: null,
            positionSize: null,
            marketPosition: null,
            prevMarketPosition: null,
            marketPositionSize: null,
            orderType: null,
            limitPrice: null,
            stopPrice: null,
            timeInForce: null,
            experimentId: null,
            variant: null,
            expiresFromMs: 0
          },
          settings: planSettings(settings),
          context: {
            nowMs: hour,
            trading: new Map(),
            accounts: new Map(),
            orderIds: new Set(),
            rates: [],
            breakers: new Map(),
            stages: new Map()
          },
          quoteOf: () => null,
          figuresOf: () => null,
          votes: null,
          voters: null,
          chain: null,
          mayDefer: true
        })
        const decision = planned._tag === "Decided" ? planned.decision : assert.fail("it is too old")
        const ageMs = stored?.checks[0]?.numbers["age_ms"] ?? 0
        assert.isTrue(ageMs >= hour && ageMs < hour + 60_000)
        assert.deepStrictEqual(stored, {
          engine: decision.engine,
          experiment_id: decision.experimentId,
          variant: decision.variant,
          outcome: decision.outcome,
          reason: decision.reason,
          checks: decision.checks.map((check) => ({
            ...check,
            numbers: { ...check.numbers, age_ms: ageMs }
          }))
        } as never)
        const [kept] = yield* rows<{ readonly facts: Facts }>(database, "SELECT facts FROM decisions")
        const again = decide(kept?.facts ?? assert.fail("its facts are stored"), planSettings(settings))
        assert.deepStrictEqual(again.missing, [])
        assert.deepStrictEqual(
          again.decided._tag === "Decided" ? again.decided.decision.checks : [],
          stored?.checks as never
        )
      })
    )
  )

  it.live("[T15] by less than a millisecond are too old in their facts as well", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* preparedStore
        yield* insertSignals(database, [{}])
        const limitMs = settings.sources["default"]?.ageMaxMs ?? 0
        const plan = planSettings(settings)
        yield* database.transact("test", (sql) =>
          Effect.gen(function* () {
            yield* sql`SELECT set_config('holdfast.now', '2026-11-23T15:00:00Z', true)`
            yield* sql`UPDATE signals SET fired_at = NULL, expires_from = NULL,
              received_at = hf_now() - ${limitMs}::int * interval '1 ms' - interval '0.0003 s'`
            const under = { sources: settings.sources, version: plan.version }
            assert.lengthOf(yield* expireRows(sql, under, 10), 1)
          })
        )
        const [kept] = yield* rows<{ readonly facts: Facts }>(database, "SELECT facts FROM decisions")
        const again = decide(kept?.facts ?? assert.fail("its facts are stored"), plan).decided
        assert.strictEqual(again._tag === "Decided" ? again.decision.reason : again._tag, "too_old")
      })
    )
  )

  it.live("are ended oldest first, no more than asked for, and counted by source", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertStale(database, 5)
        yield* insertStale(database, 3, { source: "wave" })
        const [oldest = ""] = yield* insertSignals(database, [{ ageMs: 3 * hour }])
        assert.strictEqual((yield* store.backlog).expired, 9)
        const first = yield* store.expire(1)
        assert.deepStrictEqual(
          first.map(({ count, oldestId }) => [count, oldestId]),
          [[1, oldest]]
        )
        const rest = yield* store.expire(100)
        assert.deepStrictEqual(
          rest.map(({ count, source }) => [source, count]),
          [
            ["default", 5],
            ["wave", 3]
          ]
        )
        assert.deepStrictEqual(yield* store.expire(100), [])
        assert.deepInclude(yield* store.backlog, { open: 0, expired: 0 })
      })
    )
  )

  it.live("are judged by the limit of their own source, by the default where it is not configured", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase()
        yield* insertAccounts(database)
        const patient = { ...settings.sources["default"]!, ageMaxMs: 2 * hour }
        const store = yield* storeOn(database, {
          ...settings,
          sources: { ...settings.sources, patient }
        })
        const [young, , ageless] = yield* insertSignals(database, [
          { source: "patient", ageMs: hour },
          { source: "patient", ageMs: 3 * hour },
          { source: "no longer configured", ageMs: 60_000 },
          { source: "no longer configured", ageMs: hour },
          { source: "default", ageMs: hour }
        ])
        assert.deepStrictEqual(yield* claimedIds(store), [young, ageless])
        const ended = yield* store.expire(10)
        assert.deepStrictEqual(
          ended.map(({ count, source }) => [source, count]),
          [
            ["default", 1],
            ["no longer configured", 1],
            ["patient", 1]
          ]
        )
        const limits = yield* rows(
          database,
          `SELECT s.source, (d.checks -> 0 -> 'numbers' ->> 'limit_ms')::int AS ms
          FROM decisions d JOIN signals s ON s.id = d.signal_id ORDER BY s.source`
        )
        assert.deepStrictEqual(limits, [
          { source: "default", ms: 300_000 },
          { source: "no longer configured", ms: 300_000 },
          { source: "patient", ms: 2 * hour }
        ])
      })
    )
  )

  it.live("leave metadata, waves that are not due, and what somebody is deciding alone", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const metadata = yield* insertMetadata(database, { snapshot_id: "x" })
        const [held, buffered] = yield* insertSignals(database, [{}, {}])
        const other = yield* storeOn(database)
        // A row as the feed leaves it, which no step leads back to: past the guard of test databases.
        yield* database.transact("test", (sql) =>
          Effect.andThen(
            sql`SET LOCAL session_replication_role = replica`,
            sql`UPDATE signals SET status = 'buffered' WHERE id = ${buffered}`
          )
        )
        // Metadata is claimed alone or not; the other process holds both.
        yield* other.claim(10)
        yield* database.run(
          "test",
          (sql) => sql`UPDATE signals SET received_at = now() - interval '2 hours',
            expires_from = CASE WHEN kind = 'signal' THEN now() - interval '2 hours' END`
        )
        assert.deepStrictEqual(yield* store.expire(10), [])
        // Its decider is dead: the signal ends, the metadata is handled.
        yield* expireLeases(database)
        assert.deepStrictEqual(
          (yield* store.expire(10)).map(({ oldestId }) => oldestId),
          [held]
        )
        assert.deepStrictEqual(yield* claimedIds(store), [metadata])
      })
    )
  )

  it.live("in the hands of a decider that was frozen: it writes nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const frozen = yield* storeOn(database)
        yield* insertSignals(database, [{ ageMs: 299_000 }])
        const { signals, token } = yield* frozen.claim(10)
        yield* expireLeases(database)
        yield* database.run("test", (sql) => sql`UPDATE signals SET expires_from = now() - interval '1 hour'`)
        assert.lengthOf(yield* store.expire(10), 1)
        const outcomes = yield* frozen.decide(token, signals, ["paper-1"], () => assert.fail("not ours"))
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["ClaimLost"]
        )
      })
    )
  )
})

/** The tables that a statement reads from end to end, by its plan. */
const scannedWhole = (database: DatabaseService, statement: (sql: SqlClient) => Fragment) =>
  Effect.map(
    database.run(
      "test.explain",
      (sql) => sql<{ readonly "QUERY PLAN": string }>`EXPLAIN (ANALYZE) ${statement(sql)}`
    ),
    (plan) =>
      plan
        .map((line) => line["QUERY PLAN"])
        .filter((line) => /Seq Scan|signals_seq_key/.test(line) || /Rows Removed by Filter: \d{3}/.test(line))
  )

describe("fresh signals behind many that are too old", () => {
  it.live("are found by the same plan when the statistics are of a time without a queue", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* preparedStore
        // Years of decided signals: the statistics are refreshed only after a tenth of the table has changed.
        yield* database.run(
          "test.decided",
          (
            sql
          ) => sql`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer, status)
            SELECT gen_random_uuid(), 'signal', 'default', n::text, 'hash', 'h', '{}', 'r', '{}', 'done'
            FROM generate_series(1, 2000) AS n`
        )
        yield* database.run("test", (sql) => sql`ANALYZE signals`)
        yield* insertStale(database, 1_000)
        yield* insertSignals(database, [{}, {}])
        const token = "00000000-0000-4000-8000-000000000000"
        assert.deepStrictEqual(
          yield* scannedWhole(database, (sql) => claimRows(sql, settings.sources, token, 2)),
          []
        )
      })
    )
  )

  it.live("are claimed in the order of arrival, whatever stands before them, and no plan reads a table", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertStale(database, 20_000)
        const fresh = yield* insertSignals(
          database,
          Array.from({ length: 10 }, () => ({}))
        )
        const { sources } = settings
        const token = "00000000-0000-4000-8000-000000000000"
        const statements: ReadonlyArray<(sql: SqlClient) => Fragment> = [
          (sql) => expireRows(sql, { sources, version: "v" }, 100),
          (sql) => claimRows(sql, sources, token, 2),
          (sql) => backlogRow(sql, sources)
        ]
        // Before the table was ever analyzed, and after: an outage's backlog is seen by both.
        for (const statement of statements)
          assert.deepStrictEqual(yield* scannedWhole(database, statement), [])
        yield* database.run("test", (sql) => sql`ANALYZE signals`)
        for (const statement of statements)
          assert.deepStrictEqual(yield* scannedWhole(database, statement), [])
        assert.deepStrictEqual(yield* claimedIds(store, 4), fresh.slice(4, 8))
        const { more, signals } = yield* store.claim(4)
        assert.deepStrictEqual(
          signals.map(({ id }) => id),
          fresh.slice(8)
        )
        assert.isFalse(more)
        const backlog = yield* store.backlog
        assert.deepInclude(backlog, {
          open: claimLimits.backlogCountMax,
          expired: claimLimits.expireMax
        })
        assert.isTrue(backlog.oldestMs > 7_000_000)
      })
    )
  )
})
