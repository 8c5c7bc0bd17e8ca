/** Pictures on PostgreSQL: the newest that is early enough, of this node only, and from memory while the database is away. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { nothingKnown } from "../../../src/domain/health/past.ts"
import { pictureLimits } from "../../../src/domain/kernel/limits-kept.ts"
import {
  Database,
  type DatabaseService,
  DatabaseUnavailable
} from "../../../src/layers/database/database.port.ts"
import { picturesPg } from "../../../src/layers/health/pictures.pg.ts"
import { type KeptPicture, Pictures } from "../../../src/layers/health/pictures.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { openFreshDatabase } from "../../support/postgres.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const base = 1_796_029_356_472_000

const picturesOf = (database: DatabaseService, nodeId = "node-a") => {
  const instance = makeInstance()
  instance.assign({ nodeId, bootId: boot })
  return Effect.provide(
    Pictures,
    picturesPg.pipe(
      Layer.provide(Layer.merge(Layer.succeed(Database, database), Layer.succeed(Instance, instance)))
    )
  )
}
const kept = (number: number): KeptPicture => ({
  after: base + number - 1,
  number: base + number,
  picture: {
    ...nothingKnown(boot, 1_700_000_000_000 + number),
    orders: [],
    positions: [
      { account: "a", symbol: "S", quantity: String(number), averagePrice: "0.1", realisedPnl: "-2" }
    ]
  }
})

describe("pictures", () => {
  it.live(
    "come back whole to the next process, the newest at or before a number, and not to another node",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { database } = yield* openFreshDatabase()
          const first = yield* picturesOf(database)
          for (const number of [10, 20, 30]) yield* first.keep(kept(number))
          yield* first.keep(kept(30))
          const next = yield* picturesOf(database)
          assert.isNull(yield* next.before(base + 9))
          assert.deepStrictEqual(yield* next.before(base + 10), kept(10))
          assert.deepStrictEqual(yield* next.before(base + 29), kept(20))
          assert.deepStrictEqual(yield* next.before(base + 999), kept(30))
          const other = yield* picturesOf(database, "node-b")
          assert.isNull(yield* other.before(base + 999))
          assert.deepStrictEqual(yield* other.present, { orders: [], positions: [], isPart: false })
        })
      )
  )

  it.effect("are found in memory while the database is away, the last ones of them", () =>
    Effect.gen(function* () {
      const away = new DatabaseUnavailable({
        operation: "test",
        reason: "connection",
        outcome: "not_applied",
        cause: "away in this test"
      })
      const database = { run: () => Effect.fail(away) } as unknown as DatabaseService
      const pictures = yield* picturesOf(database)
      for (let number = 1; number <= pictureLimits.heldMax + 1; number += 1)
        assert.strictEqual((yield* Effect.flip(pictures.keep(kept(number))))._tag, "DatabaseUnavailable")
      assert.deepStrictEqual(yield* pictures.before(base + 5), kept(5))
      assert.strictEqual((yield* Effect.flip(pictures.before(base + 1)))._tag, "DatabaseUnavailable")
    })
  )
})
