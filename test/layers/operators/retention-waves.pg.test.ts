/** [T13] The ledger of waves does not grow forever, and goes on behind its last wave. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makePgDatabase } from "../../../src/layers/database/database.pg.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { RetentionStore } from "../../../src/layers/operators/retention-store.port.ts"
import { retentionStorePg } from "../../../src/layers/operators/retention-store.pg.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { rows } from "../../support/decisions.ts"
import { alterDatabase, freshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const now = Date.UTC(2030, 0, 1)
const at = (days: number): string => new Date(now - days * 86_400_000).toISOString()

const ledger = [
  ["a", 500, "done"],
  ["a", 450, "missed"],
  ["a", 430, "processing"],
  ["a", 390, "done"],
  ["gone", 600, "done"],
  ["gone", 550, "done"]
] as const

describe("waves", () => {
  it.live("go when they are over, except the last of a feed and those that are still expected", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const fresh = yield* freshDatabase
        const clock = `ALTER DATABASE "${fresh.target.database}" SET holdfast.now = '${new Date(now).toISOString()}'`
        yield* alterDatabase(fresh, clock)
        const database = yield* makePgDatabase({ target: fresh.target })
        const ground = Layer.mergeAll(
          Layer.succeed(Database, database),
          Layer.succeed(Config, settingsFrom({ retention: { signalDays: 400 } }))
        )
        const retention = yield* Effect.provide(
          RetentionStore,
          yield* Layer.build(retentionStorePg.pipe(Layer.provide(ground)))
        )
        for (const [feed, days, status] of ledger)
          yield* database.run(
            "test",
            (sql) =>
              sql`INSERT INTO waves (feed, wave, due_at, status) VALUES (${feed}, ${at(days)}::timestamptz, ${at(days)}::timestamptz, ${status})`
          )
        const rule = (yield* retention.begin).find((one) => one.rule === "waves")
        if (rule === undefined) return assert.fail("waves have a rule")
        assert.deepInclude(yield* retention.prune(rule, 0n), { removed: 3, done: true })
        const left = yield* rows<{ feed: string; status: string }>(
          database,
          "SELECT feed, status FROM waves ORDER BY wave"
        )
        assert.deepStrictEqual(
          left.map(({ feed, status }) => `${feed} ${status}`),
          ["gone done", "a processing", "a done"]
        )
      })
    )
  )
})
