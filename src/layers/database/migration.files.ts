/**
 * Migration files: reads `NNNN_name.ts` from a directory and refuses a numbering that could be misread.
 *
 * The order of migrations is their number. A gap, a duplicate or a stray name is a merge gone wrong; the migrator of the
 * SQL library silently skips a number below the highest applied one, so ours checks the numbers first.
 *
 * Promises: ids are 1, 2, 3 ... without a gap, each loaded module exports an Effect; pure apart from reading and
 * importing.
 * Never: runs one.
 * Failure: `MigrationFailed` with the file and what is wrong with it.
 */
import { readdir } from "node:fs/promises"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { MigrationFailed } from "./database-schema.port.ts"

export interface Migration {
  readonly id: number
  /** The file's name without extension: "0001_init". */
  readonly name: string
  readonly up: Effect.Effect<unknown, unknown, SqlClient>
}

const pattern = /^(\d{4})_([a-z0-9]+(?:-[a-z0-9]+)*)\.ts$/

const wrongFile = (name: string, reason: string): MigrationFailed =>
  new MigrationFailed({
    name,
    cause: new Error(reason),
    hint: "migrations are NNNN_name.ts, numbered 0001, 0002, ..."
  })

/** The numbers and names of a directory's files, checked. Other files than `.ts` are not migrations. */
export const checkNumbering = (
  files: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<{ readonly id: number; readonly file: string }>, MigrationFailed> =>
  Effect.gen(function* () {
    const numbered: Array<{ readonly id: number; readonly file: string }> = []
    for (const file of files.filter((name) => name.endsWith(".ts")).toSorted()) {
      const match = pattern.exec(file)
      if (match === null) return yield* wrongFile(file, "the name is not NNNN_name.ts")
      const expected = numbered.length + 1
      const id = Number(match[1])
      if (id !== expected) {
        return yield* wrongFile(
          file,
          `has number ${id} where ${expected} is next: ${id < expected ? "a duplicate" : "a gap"}`
        )
      }
      numbered.push({ id, file })
    }
    return numbered
  })

/** Every migration of `directory`, in order. */
export const loadMigrations = (directory: string): Effect.Effect<ReadonlyArray<Migration>, MigrationFailed> =>
  Effect.gen(function* () {
    const files = yield* Effect.tryPromise({
      try: () => readdir(directory),
      catch: (cause) =>
        new MigrationFailed({ name: directory, cause, hint: "the directory of migrations must be readable" })
    })
    const numbered = yield* checkNumbering(files)
    return yield* Effect.forEach(numbered, ({ id, file }) =>
      Effect.gen(function* () {
        const name = path.basename(file, ".ts")
        const module = yield* Effect.tryPromise({
          try: (): Promise<unknown> => import(pathToFileURL(path.join(directory, file)).href),
          catch: (cause) => new MigrationFailed({ name, cause, hint: "the file could not be loaded" })
        })
        const up =
          typeof module === "object" && module !== null && "default" in module ? module.default : undefined
        if (!Effect.isEffect(up)) return yield* wrongFile(file, "the default export is not an Effect")
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what it needs and fails with only types know
        return { id, name, up: up as Effect.Effect<unknown, unknown, SqlClient> }
      })
    )
  })
