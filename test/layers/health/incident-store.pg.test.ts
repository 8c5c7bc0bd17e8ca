/** [G8] When processes were alive, by their entries: in a span and at its edges, of this node only. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { journalFact } from "../../../src/domain/platform/journal.ts"
import { Database, type DatabaseService } from "../../../src/layers/database/database.port.ts"
import { incidentStorePg } from "../../../src/layers/health/incident-store.pg.ts"
import { IncidentStore } from "../../../src/layers/health/incident-store.port.ts"
import { journalStorePg } from "../../../src/layers/health/journal-store.pg.ts"
import { JournalStore } from "../../../src/layers/health/journal-store.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { openFreshDatabase } from "../../support/postgres.ts"

const a = "a0000000-0000-4000-8000-000000000000"
const b = "b0000000-0000-4000-8000-000000000000"
const c = "c0000000-0000-4000-8000-000000000000"
const t0 = Date.UTC(2026, 10, 30, 9)

const storesOf = (database: DatabaseService, nodeId: string) => {
  const instance = makeInstance()
  instance.assign({ nodeId, bootId: a })
  const ground = Layer.merge(Layer.succeed(Database, database), Layer.succeed(Instance, instance))
  return Effect.gen(function* () {
    const stores = yield* Layer.build(
      Layer.merge(journalStorePg, incidentStorePg).pipe(Layer.provide(ground))
    )
    return {
      journal: yield* Effect.provide(JournalStore, stores),
      incidents: yield* Effect.provide(IncidentStore, stores)
    }
  })
}

describe("the lives of a report", () => {
  it.live("are those of its span, with the last before it and the first after it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* openFreshDatabase()
        const { incidents, journal } = yield* storesOf(database, "node-a")
        const other = yield* storesOf(database, "node-b")
        const at = (boot: string, ...seconds: ReadonlyArray<number>) =>
          journal.store(
            boot,
            seconds.map((second) => ({
              ...journalFact({ type: "health", at: t0 + second * 1_000, path: "root", event: "e" }),
              seq: 1_000 + second
            }))
          )
        yield* at(a, 1, 10, 20)
        yield* at(b, 40, 50)
        yield* at(c, 90, 95)
        yield* other.journal.store(c, [
          { ...journalFact({ type: "health", at: t0 + 30_000, path: "root", event: "e" }), seq: 9 }
        ])
        const lives = (from: number, to: number) =>
          Effect.map(incidents.read(t0 + from * 1_000, t0 + to * 1_000), ({ alive }) =>
            alive.map(({ boot, fromMs, toMs }) => [boot[0], (fromMs - t0) / 1_000, (toMs - t0) / 1_000])
          )
        assert.deepStrictEqual(yield* lives(15, 60), [
          ["a", 10, 20],
          ["b", 40, 50],
          ["c", 90, 90]
        ])
        assert.deepStrictEqual(yield* lives(60, 80), [
          ["b", 50, 50],
          ["c", 90, 90]
        ])
        // One process on both sides of a span in which it recorded nothing.
        assert.deepStrictEqual(yield* lives(11, 19), [["a", 10, 20]])
        assert.deepStrictEqual(yield* lives(-20, -10), [["a", 1, 1]])
      })
    )
  )
})
