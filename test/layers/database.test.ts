import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Database } from "../../src/layers/database.ts"
import { layerFreshDatabase } from "../support/postgres.ts"

layer(layerFreshDatabase())("a fresh database", (it) => {
  it.effect("has the schema", () => Effect.gen(function*() {
    const db = yield* Database
    const rows = yield* db.run("x", (sql) => sql`select count(*) as n from signals`)
    assert.deepStrictEqual(rows, [{ n: 0n }])
  }))
})
