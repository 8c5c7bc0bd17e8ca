import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { intakeLimits } from "../../src/domain/kernel/limits-signals.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { makeMemoryIntakeStore } from "../support/intake-store.memory.ts"
import { IntakeStorePg } from "../../src/layers/signals/intake-store.pg.ts"
import {
  type IntakeOutcome,
  type IntakeRow,
  IntakeStore,
  type IntakeStoreService
} from "../../src/layers/signals/intake-store.port.ts"
import { openFreshDatabase } from "../support/postgres.ts"

let serial = 0
/** A row like the intake writes it; equal `identity` and `bodyHash` make it the same post. */
const row = (more: Partial<IntakeRow> = {}): IntakeRow => {
  const id = more.id ?? randomUUID()
  serial += 1
  return {
    id,
    kind: "signal",
    source: "default",
    identity: `event:${serial}`,
    identityKind: "explicit",
    neighbourIdentities: [],
    bodyHash: `hash-${serial}`,
    body: '{"symbol":"SPY"}',
    mapped: null,
    symbol: "SPY",
    action: null,
    direction: "LONG",
    timeframe: "5m",
    firedAtMs: 1_760_000_000_123,
    expiresFromMs: 1_760_000_000_123,
    quantity: "1.50",
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
    requestId: `request-${serial}`,
    experimentId: "default",
    variant: "A",
    answer: {
      status: "ACCEPTED",
      signal_id: id,
      experiment_id: "default",
      variant: "A",
      request_id: `request-${serial}`
    },
    status: "received",
    reason: null,
    ...more
  }
}
const bucket = (hash: string, n: number): Partial<IntakeRow> => ({
  identityKind: "bucket",
  bodyHash: hash,
  identity: `sha256:${hash}@${n * 60_000}`,
  neighbourIdentities: [n - 1, n + 1].map((beside) => `sha256:${hash}@${beside * 60_000}`)
})
const tags = (outcomes: ReadonlyArray<IntakeOutcome>): ReadonlyArray<string> =>
  outcomes.map(({ _tag }) => _tag)
const signalIdOf = (outcome: IntakeOutcome | undefined): string | undefined =>
  outcome?._tag === "Duplicate" ? outcome.answer.signal_id : undefined

interface Opened {
  readonly store: IntakeStoreService
  /** Ids of all stored rows, in the order in which they will be decided. */
  readonly ids: Effect.Effect<ReadonlyArray<string>>
  readonly row: (id: string) => Effect.Effect<Record<string, unknown>>
}

const memory: Effect.Effect<Opened, never, Scope.Scope> = Effect.sync(() => {
  const store = makeMemoryIntakeStore()
  return {
    store,
    ids: Effect.sync(() => store.rows().map(({ id }) => id)),
    row: (id) => Effect.sync(() => ({ ...store.rows().find((stored) => stored.id === id) }))
  }
})

const postgres: Effect.Effect<Opened, never, Scope.Scope> = Effect.gen(function* () {
  const { database } = yield* openFreshDatabase()
  const context = yield* Layer.build(IntakeStorePg.pipe(Layer.provide(Layer.succeed(Database, database))))
  return {
    store: Context.get(context, IntakeStore),
    ids: database
      .run("test.ids", (sql) => sql<{ id: string }>`SELECT id FROM signals ORDER BY seq`)
      .pipe(
        Effect.map((rows) => rows.map(({ id }) => id)),
        Effect.orDie
      ),
    row: (id) =>
      database
        .run(
          "test.row",
          (sql) =>
            sql<
              Record<string, unknown>
            >`SELECT status, reason, kind, symbol FROM signals WHERE id = ${id}::uuid`
        )
        .pipe(
          Effect.map((rows) => ({ ...rows[0] })),
          Effect.orDie
        )
  }
})

describe.each([
  ["in memory", memory],
  ["on PostgreSQL", postgres]
])("an intake store %s", (_name, open) => {
  it.live("stores new rows in the order given", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      const rows = Array.from({ length: intakeLimits.batchRowsMax }, () => row())
      const outcomes = yield* store.store(rows)
      assert.deepStrictEqual(new Set(tags(outcomes)), new Set(["Stored"]))
      assert.deepStrictEqual(
        yield* ids,
        rows.map(({ id }) => id)
      )
    }).pipe(Effect.scoped)
  )

  it.live("answers a known identity with what was stored, whatever the new row says", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      const first = row()
      yield* store.store([first])
      const again = { ...row(), id: first.id, identity: first.identity, bodyHash: first.bodyHash }
      const [outcome] = yield* store.store([again])
      assert.deepStrictEqual(outcome, { _tag: "Duplicate", answer: first.answer, tooOld: false })
      assert.lengthOf(yield* ids, 1)
    }).pipe(Effect.scoped)
  )

  it.live(
    "reports of a known identity that it was too old, which whoever stored it may not have lived to alert",
    () =>
      Effect.gen(function* () {
        const { store } = yield* open
        const late = row({ status: "rejected", reason: "too_old" })
        yield* store.store([late])
        const again = { ...row(), id: late.id, identity: late.identity, bodyHash: late.bodyHash }
        const [outcome] = yield* store.store([again])
        assert.deepStrictEqual(outcome, { _tag: "Duplicate", answer: late.answer, tooOld: true })
      }).pipe(Effect.scoped)
  )

  it.live("makes the first of equal rows in one batch the stored one, in any mix", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      const known = row()
      yield* store.store([known])
      const fresh = row()
      const same = { ...row(), id: fresh.id, identity: fresh.identity, bodyHash: fresh.bodyHash }
      const outcomes = yield* store.store([known, fresh, row(), same, known])
      assert.deepStrictEqual(tags(outcomes), ["Duplicate", "Stored", "Stored", "Duplicate", "Duplicate"])
      assert.strictEqual(signalIdOf(outcomes[3]), fresh.id)
      assert.lengthOf(yield* ids, 3)
    }).pipe(Effect.scoped)
  )

  it.live("calls an explicit identity with another body a conflict, in one batch and in two", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      const first = row()
      const other = { ...row(), id: first.id, identity: first.identity }
      assert.deepStrictEqual(yield* store.store([first, other]), [
        { _tag: "Stored" },
        { _tag: "Conflict", signalId: first.id }
      ])
      assert.deepStrictEqual(yield* store.store([other]), [{ _tag: "Conflict", signalId: first.id }])
      assert.lengthOf(yield* ids, 1)
    }).pipe(Effect.scoped)
  )

  it.live("keeps sources apart", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      const one = row({ identity: "event:same" })
      const two = row({ identity: "event:same", source: "wave" })
      assert.deepStrictEqual(tags(yield* store.store([one, two])), ["Stored", "Stored"])
    }).pipe(Effect.scoped)
  )

  it.live("finds a payload without identity in its bucket and the ones beside it, not further", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      assert.deepStrictEqual(
        tags(yield* store.store([row(bucket("b", 10)), row(bucket("b", 10)), row(bucket("b", 11))])),
        ["Stored", "Duplicate", "Duplicate"]
      )
      assert.deepStrictEqual(tags(yield* store.store([row(bucket("b", 11)), row(), row(bucket("c", 11))])), [
        "Duplicate",
        "Stored",
        "Stored"
      ])
      assert.deepStrictEqual(tags(yield* store.store([row(bucket("b", 9))])), ["Duplicate"])
      assert.deepStrictEqual(tags(yield* store.store([row(bucket("b", 12)), row(bucket("b", 8))])), [
        "Stored",
        "Stored"
      ])
      assert.lengthOf(yield* ids, 5)
    }).pipe(Effect.scoped)
  )

  it.live("counts a payload in the bucket beside only when both came less than a minute apart", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      /** At a second of the first, second and further minutes. */
      const at = (minute: number, second: number): IntakeRow => {
        const bucketAtMs = minute * 60_000 + second * 1_000
        return row({ ...bucket("m", minute), bucketAtMs, receivedAtMs: bucketAtMs })
      }
      const one = (minute: number, second: number) => Effect.map(store.store([at(minute, second)]), tags)
      // The same text once a minute is a signal each time.
      assert.deepStrictEqual(yield* one(100, 1), ["Stored"])
      assert.deepStrictEqual(yield* one(101, 1), ["Stored"])
      assert.deepStrictEqual(yield* one(102, 1), ["Stored"])
      // A repetition across a minute's edge is none, in whichever order they come.
      assert.deepStrictEqual(yield* one(200, 50), ["Stored"])
      assert.deepStrictEqual(yield* one(201, 5), ["Duplicate"])
      assert.deepStrictEqual(yield* one(199, 55), ["Duplicate"])
      assert.deepStrictEqual(yield* one(201, 49), ["Duplicate"])
      assert.deepStrictEqual(yield* one(201, 50), ["Stored"])
      // So it is within one batch, as a drain has it.
      assert.deepStrictEqual(tags(yield* store.store([at(300, 1), at(301, 0), at(301, 1), at(302, 1)])), [
        "Stored",
        "Duplicate",
        "Stored",
        "Stored"
      ])
      assert.lengthOf(yield* ids, 8)
    }).pipe(Effect.scoped)
  )

  it.live("stores one of many equal payloads without identity that come at once", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      // Many rounds: in the first ones the connections that are still to be opened keep the batches apart.
      for (let round = 0; round < 20; round += 1) {
        const batches = yield* Effect.all(
          Array.from({ length: 8 }, (_, n) => store.store([row(bucket(`x${round}`, 20 + (n % 2)))])),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          batches.flat().filter(({ _tag }) => _tag === "Stored"),
          1
        )
      }
      assert.lengthOf(yield* ids, 20)
    }).pipe(Effect.scoped)
  )

  it.live("stores each of equal rows once when batches race, in whatever order they hold them", () =>
    Effect.gen(function* () {
      const { ids, store } = yield* open
      const all: Array<string> = []
      // Many rounds: two statements meet inside the server for microseconds only.
      for (let round = 0; round < 30; round++) {
        const rows = Array.from({ length: 20 }, () => row())
        all.push(...rows.map(({ id }) => id))
        const turned = (n: number): ReadonlyArray<IntakeRow> => (n % 2 === 0 ? rows : rows.toReversed())
        const batches = yield* Effect.all(
          Array.from({ length: 8 }, (_, n) => store.store(turned(n))),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          batches.flat().filter(({ _tag }) => _tag === "Stored"),
          20
        )
      }
      assert.deepStrictEqual(new Set(yield* ids), new Set(all))
    }).pipe(Effect.scoped)
  )

  it.live("keeps what was refused as refused, and metadata as metadata", () =>
    Effect.gen(function* () {
      const opened = yield* open
      const old = row({ status: "rejected", reason: "too_old" })
      const about = row({
        kind: "metadata",
        symbol: "ZRX-USD",
        direction: null,
        timeframe: null,
        firedAtMs: null,
        expiresFromMs: null,
        quantity: null
      })
      yield* opened.store.store([old, about])
      assert.deepInclude(yield* opened.row(old.id), { status: "rejected", reason: "too_old" })
      assert.deepInclude(yield* opened.row(about.id), {
        kind: "metadata",
        symbol: "ZRX-USD",
        status: "received"
      })
    }).pipe(Effect.scoped)
  )

  it.live("answers an empty batch with nothing", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      assert.deepStrictEqual(yield* store.store([]), [])
    }).pipe(Effect.scoped)
  )
})
