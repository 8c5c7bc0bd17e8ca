import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { projectMigrations } from "../../../src/layers/database/database-schema.pg.ts"
import { checkNumbering, loadMigrations } from "../../../src/layers/database/migration.files.ts"

describe("migration files", () => {
  it.effect("of this project are numbered without a gap and all load", () =>
    Effect.gen(function* () {
      const migrations = yield* loadMigrations(projectMigrations)
      assert.isAbove(migrations.length, 0)
      assert.deepStrictEqual(
        migrations.map((migration) => migration.id),
        migrations.map((_, index) => index + 1)
      )
    })
  )

  it.effect("are ordered by number, other files are not migrations", () =>
    Effect.gen(function* () {
      const numbered = yield* checkNumbering(["0002_b.ts", "README.md", "0001_a.ts"])
      assert.deepStrictEqual(
        numbered.map(({ file }) => file),
        ["0001_a.ts", "0002_b.ts"]
      )
    })
  )

  for (const [what, files, text] of [
    ["a gap", ["0001_a.ts", "0003_c.ts"], "a gap"],
    ["a duplicate", ["0001_a.ts", "0001_b.ts"], "a duplicate"],
    ["a start other than one", ["0002_a.ts"], "a gap"],
    ["an unnumbered file", ["0001_a.ts", "init.ts"], "NNNN_name.ts"],
    ["a short number", ["1_a.ts"], "NNNN_name.ts"]
  ] as const) {
    it.effect(`[${what}] is refused and named`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(checkNumbering(files))
        assert.strictEqual(error._tag, "MigrationFailed")
        assert.include(String(error.cause), text)
      })
    )
  }
})
