/**
 * The migrations of this project, as the runner applies them.
 *
 * Promises: in the order of their numbers; loaded when somebody asks, not with the service.
 * Never: runs one.
 * Failure: a list that does not load is a defect of the build, and dies.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"

export interface Migration {
  readonly id: number
  /** The file's name without extension: "0001_init". */
  readonly name: string
  readonly up: Effect.Effect<unknown, unknown, SqlClient>
}

export const projectMigrations: Effect.Effect<ReadonlyArray<Migration>> = Effect.promise(async () => {
  const { migrations } = await import("../../../migrations/list.ts")
  return migrations
})
