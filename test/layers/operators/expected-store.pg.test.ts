import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import type { Due } from "../../../src/domain/signals/expected-schedule.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { expectedStorePg } from "../../../src/layers/operators/expected-store.pg.ts"
import { ExpectedStore, type Judged } from "../../../src/layers/operators/expected-store.port.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"

const minute = 60_000
// Of the past, and not far: late signals are looked for within days.
const base = Math.floor(Date.now() / minute) * minute - 30 * minute

/** The due moment `n` minutes after the base, with a grace of 20 s. */
const due = (n: number): Due => {
  const dueMs = base + n * minute
  return { dueMs, fromMs: dueMs - 5_000, graceMs: dueMs + 20_000, untilMs: dueMs + minute - 5_000 }
}

layer(expectedStorePg.pipe(Layer.provideMerge(layerFreshDatabase({ poolSize: 4 }))), {
  excludeTestServices: true
})("what sources should have sent", (it) => {
  const run = (text: string) =>
    Effect.flatMap(Database, (database) =>
      database.run("test", (sql) => sql.unsafe<Record<string, unknown>>(text))
    )
  const at = (seconds: number): string => new Date(base + seconds * 1_000).toISOString()
  const signal = (source: string, seconds: number, kind = "signal") => {
    const id = randomUUID()
    return run(`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer, received_at)
      VALUES ('${id}', '${kind}', '${source}', '${id}', 'explicit', 'h', '{}', 'r', '{}', '${at(seconds)}')`)
  }
  const present = (from: number, to: number) =>
    run(
      `INSERT INTO intake_presence (id, life, since, until) VALUES ('${randomUUID()}', 'n/1', '${at(from)}', '${at(to)}')`
    )
  const judge = (source: string, needed: number, ...minutes: ReadonlyArray<number>) =>
    ExpectedStore.use((store) => store.judge(source, needed, minutes.map(due)))
  const lines = (judged: ReadonlyArray<Judged>) =>
    judged.map(({ dueMs, received, status }) => `${(dueMs - base) / minute} ${status} ${received}`)
  const outage = (source: string) =>
    Effect.map(
      ExpectedStore.use((store) => store.outage(source)),
      (found) =>
        found === null
          ? null
          : [found.missed, (found.firstMs - base) / minute, (found.lastMs - base) / minute]
    )
  const clear = run("DELETE FROM intake_presence")

  it.effect("a signal in the window and its grace is received; without one the sender was silent", () =>
    Effect.gen(function* () {
      yield* clear
      yield* present(0, 600)
      yield* signal("a", 60 - 5)
      yield* signal("a", 120 + 20)
      // Late for 3, and what is no signal, or of another source, is none.
      yield* signal("a", 180 + 21)
      yield* signal("a", 240, "metadata")
      yield* signal("b", 240)
      assert.deepStrictEqual(lines(yield* judge("a", 1, 1, 2, 3, 4)), [
        "1 received 1",
        "2 received 1",
        "3 missed 0",
        "4 missed 0"
      ])
      assert.deepStrictEqual(lines(yield* judge("a", 1, 1, 2, 3, 4)), [], "judged once")
    })
  )

  it.effect("at least so many: one of two is missing", () =>
    Effect.gen(function* () {
      yield* clear
      yield* present(0, 600)
      yield* signal("two", 60)
      yield* signal("two", 120)
      yield* signal("two", 121)
      assert.deepStrictEqual(lines(yield* judge("two", 2, 1, 2)), ["1 missed 1", "2 received 2"])
    })
  )

  it.effect("[our own downtime] blames nobody, however short, and proves what came in spite of it", () =>
    Effect.gen(function* () {
      yield* clear
      // Two processes, one after the other without a gap, then a gap of a second within the grace of 2.
      yield* present(0, 62)
      yield* present(60, 130)
      yield* present(131, 600)
      yield* signal("c", 120)
      assert.deepStrictEqual(lines(yield* judge("c", 1, 1, 2, 3)), [
        "1 missed 0",
        "2 received 1",
        "3 missed 0"
      ])
      assert.deepStrictEqual(lines(yield* judge("d", 1, 1, 2, 3)), [
        "1 missed 0",
        "2 unobserved 0",
        "3 missed 0"
      ])
      yield* clear
      assert.deepStrictEqual(lines(yield* judge("e", 1, 1)), ["1 unobserved 0"], "nobody was there")
      yield* present(55.001, 80)
      assert.deepStrictEqual(lines(yield* judge("f", 1, 1)), ["1 unobserved 0"], "a millisecond too late")
      yield* present(0, 55.001)
      assert.deepStrictEqual(lines(yield* judge("g", 1, 1)), ["1 missed 0"])
    })
  )

  it.effect(
    "an outage is what was missed since the last signal; a late one ends it, our downtime does not",
    () =>
      Effect.gen(function* () {
        yield* clear
        yield* present(0, 200)
        yield* present(270, 900)
        yield* signal("o", 60)
        yield* judge("o", 1, 1)
        assert.strictEqual(yield* outage("o"), null)
        yield* judge("o", 1, 2, 3, 4, 5)
        assert.deepStrictEqual(yield* outage("o"), [3, 2, 5])
        const recount = (withinMs: number) => ExpectedStore.use((store) => store.recount("o", withinMs))
        assert.deepStrictEqual(lines(yield* recount(60 * minute)), [])
        yield* signal("o", 300 + 30)
        assert.deepStrictEqual(lines(yield* recount(minute)), [], "its window ended before that")
        assert.deepStrictEqual(lines(yield* recount(60 * minute)), ["5 late 1"])
        assert.strictEqual(yield* outage("o"), null)
        // A signal ends it whenever it comes, also when nobody knows whether that of its bar was sent.
        yield* judge("o", 1, 6, 20)
        assert.deepStrictEqual(yield* outage("o"), [1, 6, 6])
        yield* signal("o", 1_200 + 40)
        assert.deepStrictEqual(lines(yield* recount(60 * minute)), ["20 late 1"])
        assert.strictEqual(yield* outage("o"), null)
        assert.strictEqual(yield* ExpectedStore.use((store) => store.lastDue("o")), base + 20 * minute)
      })
  )

  it.effect("a stretch of taken posts goes on while it is extended, and never after a pause", () =>
    Effect.gen(function* () {
      yield* clear
      const store = yield* ExpectedStore
      const presence = { id: randomUUID(), life: "n/1" }
      yield* present(-41 * 86_400, -40.5 * 86_400)
      const beganMs = yield* store.begin(presence)
      const goesOn = yield* store.extend(presence)
      assert.isAtLeast(goesOn ?? 0, beganMs)
      const observed = yield* store.observed
      assert.deepStrictEqual(
        observed,
        [{ fromMs: beganMs, toMs: goesOn ?? 0 }],
        "what nobody measures is gone"
      )
      yield* run(
        `UPDATE intake_presence SET until = until - interval '7 seconds', since = since - interval '7 seconds'`
      )
      assert.strictEqual(yield* store.extend(presence), null)
      assert.strictEqual(yield* store.extend({ id: randomUUID(), life: "n/1" }), null)
    })
  )

  it.effect("a rate counts signals, up to what is needed, and refused posts of the same time", () =>
    Effect.gen(function* () {
      const store = yield* ExpectedStore
      for (const seconds of [10, 20, 30, 40]) yield* signal("r", seconds)
      assert.strictEqual(yield* store.receivedSince("r", base + 20_000, 10), 3)
      assert.strictEqual(yield* store.receivedSince("r", base, 2), 2)
      yield* run(`INSERT INTO refused_posts (id, source, reason, answered, body, body_bytes, request_id, received_at)
        VALUES ('${randomUUID()}', 'r', 'not_json', 400, 'x', 1, 'q', '${at(30)}')`)
      assert.strictEqual(yield* store.refusedSince("r", base), 1)
      assert.strictEqual(yield* store.refusedSince("r", base + 31_000), 0)
    })
  )
})
