/** One row per outbreak, on a real database. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { alertLimits } from "../../../src/domain/kernel/limits.ts"
import { alertsStorePg } from "../../../src/layers/alerts/alerts-store.pg.ts"
import { AlertsStore } from "../../../src/layers/alerts/alerts-store.port.ts"
import type { PendingAlert, PendingClosing } from "../../../src/layers/alerts/alerts.port.ts"
import { ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { ReadStorePg } from "../../../src/layers/health/read-store.pg.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"

const world = Layer.mergeAll(alertsStorePg, ReadStorePg).pipe(Layer.provideMerge(layerFreshDatabase()))

const outbreak = (dedupKey: string, over: Partial<PendingAlert> = {}): PendingAlert => ({
  _tag: "Outbreak",
  id: randomUUID(),
  severity: "MEDIUM",
  kind: "test",
  dedupKey,
  message: "first",
  standing: true,
  occurrences: 1,
  firstAtMs: 1_000,
  lastAtMs: 1_000,
  last: { message: "first" },
  resolved: null,
  ...over
})
const closing = (key: string, atMs = 9_000, allBut: ReadonlyArray<string> | null = null): PendingClosing => ({
  _tag: "Closing",
  ended: allBut === null ? { _tag: "Keys", keys: [key] } : { _tag: "AllBut", prefix: key, keys: allBut },
  resolution: { by: "it is back", atMs }
})

layer(world, { excludeTestServices: true })("the alerts table", (it) => {
  const rows = (prefix: string) =>
    Effect.gen(function* () {
      const { items } = yield* ReadStore.use((reads) =>
        reads.list("alerts", { limit: 100, cursor: null, filters: {} })
      )
      return items.filter(({ dedup_key: key }) => String(key).startsWith(prefix)).toReversed()
    })
  const shape = (key: string) =>
    Effect.map(rows(key), (found) =>
      found.map((row) => [row["message"], row["occurrences"], row["resolved_by"]])
    )

  it.effect("repetitions raise the count and the severity of the open row, and leave its first words", () =>
    Effect.gen(function* () {
      const store = yield* AlertsStore
      yield* store.store([outbreak("a")])
      yield* store.store([
        outbreak("a", {
          severity: "HIGH",
          message: "second",
          occurrences: 2,
          lastAtMs: 5_000,
          last: { message: "second", detail: { n: 2 } }
        })
      ])
      yield* store.store([outbreak("a", { severity: "LOW" })])
      const [row] = yield* rows("a")
      assert.deepInclude(row, {
        status: "open",
        severity: "HIGH",
        message: "first",
        occurrences: 4,
        first_at: "1970-01-01T00:00:01.000Z",
        last_at: "1970-01-01T00:00:05.000Z",
        resolved_at: null
      })
    })
  )

  it.effect("what is over is closed by what ended it, and the next outbreak is a row of its own", () =>
    Effect.gen(function* () {
      const store = yield* AlertsStore
      yield* store.store([outbreak("b")])
      assert.deepStrictEqual(yield* store.store([closing("b")]), [{ dedupKey: "b", by: "it is back" }])
      assert.deepStrictEqual(yield* store.store([closing("b")]), [], "closed once")
      yield* store.store([outbreak("b", { message: "again", firstAtMs: 20_000, lastAtMs: 20_000 })])
      assert.deepStrictEqual(yield* shape("b"), [
        ["first", 1, "it is back"],
        ["again", 1, null]
      ])
      // Told late: what began after the end it speaks of is not over.
      yield* store.store([closing("b", 10_000)])
      assert.strictEqual((yield* shape("b"))[1]?.[2], null)
    })
  )

  it.effect("a batch that is stored twice, because its answer was lost, is stored once", () =>
    Effect.gen(function* () {
      const store = yield* AlertsStore
      const batch = [
        outbreak("c", { resolved: { by: "one", atMs: 2_000 } }),
        outbreak("c", {
          firstAtMs: 3_000,
          lastAtMs: 3_000,
          message: "second",
          resolved: { by: "two", atMs: 4_000 }
        }),
        outbreak("c", { firstAtMs: 5_000, lastAtMs: 5_000, message: "third" })
      ]
      yield* store.store(batch)
      yield* store.store(batch)
      assert.deepStrictEqual(yield* shape("c"), [
        ["first", 1, "one"],
        ["second", 1, "two"],
        ["third", 1, null]
      ])
    })
  )

  it.effect("of a prefix only what is still true stays open", () =>
    Effect.gen(function* () {
      const store = yield* AlertsStore
      yield* store.store([outbreak("d%:1"), outbreak("d%:2"), outbreak("dx:3")])
      yield* store.store([closing("d%:", 9_000, ["d%:2"])])
      assert.deepStrictEqual(
        (yield* rows("d")).map((row) => [row["dedup_key"], row["status"]]),
        [
          ["d%:1", "resolved"],
          ["d%:2", "open"],
          ["dx:3", "open"]
        ]
      )
    })
  )

  it.effect("an event after an hour of quiet is another outbreak; a state is not", () =>
    Effect.gen(function* () {
      const store = yield* AlertsStore
      const at = 1_000 + alertLimits.quietMs
      const { standing: _standing, ...event } = outbreak("e")
      for (const firstAtMs of [1_000, at, at + alertLimits.quietMs + 1])
        yield* store.store([{ ...event, id: randomUUID(), firstAtMs, lastAtMs: firstAtMs }])
      assert.deepStrictEqual(
        (yield* rows("e")).map((row) => row["occurrences"]),
        [2, 1]
      )
      yield* store.store([outbreak("f"), outbreak("f", { firstAtMs: at * 2, lastAtMs: at * 2 })])
      assert.deepStrictEqual(
        (yield* rows("f")).map((row) => row["occurrences"]),
        [2]
      )
    })
  )

  it.effect("who has seen it is kept; an event is over by that, a state of the world is not", () =>
    Effect.gen(function* () {
      const store = yield* AlertsStore
      const reads = yield* ReadStore
      const { standing: _standing, ...event } = outbreak("g:event")
      yield* store.store([event, outbreak("g:state")])
      for (const { id } of yield* rows("g"))
        yield* reads.acknowledgeAlert({ id: String(id), by: "api:ann", note: "on it" })
      const [one, other] = yield* rows("g")
      const seen = { acknowledged_by: "api:ann", acknowledged_note: "on it" }
      assert.deepInclude(one, { ...seen, status: "resolved", resolved_by: "acknowledged by api:ann" })
      assert.deepInclude(other, { ...seen, status: "acknowledged", resolved_at: null })
      const again = yield* reads.acknowledgeAlert({ id: String(other?.["id"]), by: "api:bob", note: null })
      assert.deepInclude(again, seen, "the first who saw it")
      assert.isNull(yield* reads.acknowledgeAlert({ id: randomUUID(), by: "x", note: null }))
    })
  )
})
