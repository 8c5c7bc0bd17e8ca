import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { makePgDatabase } from "../../../src/layers/database/database.pg.ts"
import type { Migration } from "../../../src/layers/database/database-migrations.files.ts"
import { applySchema } from "../../../src/layers/database/database-schema.pg.ts"
import { socketTarget } from "../../../src/layers/database/database-target.ts"
import { emptyDatabase } from "../../support/postgres.ts"

type Files = Record<string, ReadonlyArray<string>>

/** Migrations that run these statements, one query each. */
const migrationsOf = (files: Files): ReadonlyArray<Migration> =>
  Object.entries(files).map(([name, statements]) => ({
    id: Number(name.slice(0, 4)),
    name,
    up: SqlClient.use((sql) => Effect.forEach(statements, (text) => sql.unsafe(text), { discard: true }))
  }))

const first: Files = { "0001_one": ["CREATE TABLE one (id int PRIMARY KEY)", "INSERT INTO one VALUES (1)"] }
const second: Files = { ...first, "0002_two": ["CREATE TABLE two (id int PRIMARY KEY)"] }

const world = Effect.gen(function* () {
  const { target } = yield* emptyDatabase
  const database = yield* makePgDatabase({ target, poolSize: 2 })
  const apply = (files: Files) => applySchema({ target, migrations: migrationsOf(files) })
  const tables = database
    .run(
      "tables",
      (sql) => sql<{ name: string }>`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`
    )
    .pipe(Effect.map((rows) => rows.map((row) => row.name).toSorted()))
  return { target, database, apply, tables }
})

describe("the schema", { timeout: 180_000 }, () => {
  it.live("is brought to the version of the code, once", () =>
    Effect.gen(function* () {
      const { apply, tables } = yield* world
      assert.deepStrictEqual(yield* apply(first), { applied: ["0001_one"], version: 1 })
      assert.deepStrictEqual(yield* apply(first), { applied: [], version: 1 })
      assert.deepStrictEqual(yield* apply(second), { applied: ["0002_two"], version: 2 })
      assert.deepStrictEqual(yield* tables, ["one", "schema_migrations", "two"])
    })
  )

  it.live("is migrated once by four processes that start together", () =>
    Effect.gen(function* () {
      const { apply } = yield* world
      const reports = yield* Effect.all([apply(second), apply(second), apply(second), apply(second)], {
        concurrency: "unbounded"
      })
      assert.strictEqual(reports.flatMap((report) => report.applied).length, 2)
    })
  )

  it.live("is refused when it is newer than the code, and left alone", () =>
    Effect.gen(function* () {
      const { apply, tables } = yield* world
      yield* apply(second)
      const error = yield* Effect.flip(apply(first))
      assert.include(error, { _tag: "SchemaNewer", database: 2, code: 1 })
      assert.deepStrictEqual(yield* tables, ["one", "schema_migrations", "two"])
    })
  )

  it.live("stays as it was when one of the pending migrations fails, which is named", () =>
    Effect.gen(function* () {
      const { apply, tables } = yield* world
      yield* apply(first)
      const error = yield* Effect.flip(
        apply({ ...second, "0003_three": ["CREATE TABLE three (id int)", "SELECT no_such_column FROM two"] })
      )
      assert.include(error, { _tag: "MigrationFailed", name: "0003_three" })
      assert.deepStrictEqual(yield* tables, ["one", "schema_migrations"])
    })
  )

  it.live("refuses a migration that was renamed after it was applied", () =>
    Effect.gen(function* () {
      const { apply } = yield* world
      yield* apply(first)
      const error = yield* Effect.flip(apply({ "0001_uno": first["0001_one"] ?? [] }))
      assert.include(error, { _tag: "MigrationFailed", name: "0001_uno" })
    })
  )

  it.live("calls a database that is not there unavailable, not broken", () =>
    Effect.gen(function* () {
      const target = socketTarget("/nonexistent", "x")
      const error = yield* Effect.flip(applySchema({ target, migrations: migrationsOf(first) }))
      assert.include(error, { _tag: "DatabaseUnavailable", reason: "connection", outcome: "not_applied" })
    })
  )
})
