/**
 * The probe: whether the server answers, and, after it ran out of disk, whether it can store again.
 *
 * A server without disk space answers `SELECT 1` and stores nothing. A probe that believes it says "back" every time,
 * and each time every actor starts anew, claims what it cannot decide and is refused: measured as seventy rounds in
 * fifteen seconds, after which an accepted signal was given up. So after a refusal for want of space a probe takes
 * some, as pages of a table that ends with its statement.
 *
 * Promises: at most two calls, each with its deadline; nothing of what it writes stays.
 * Never: writes while space was not found wanting: a table is dear to make, and `SELECT 1` is enough then.
 * Failure: `DatabaseUnavailable`. A fault of `SELECT 1` means the login works and nothing else does, so it is "away" too; a
 * fault of the table says that none may be made, which is counted and says nothing about space: the calls will tell.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import { type DatabaseService, DatabaseUnavailable } from "./database.port.ts"
import { codeOf } from "./database-errors.ts"
import { type DatabaseTarget, describeTarget } from "./database-target.ts"
import { databaseLimits } from "./database-limits.ts"

/** Whether a call was refused for want of disk space and no probe has found any since. */
export interface DiskSpace {
  wanting: boolean
}

/** Bytes of one row, below the size from which the server compresses. Four of them fill a page. */
const ROW_BYTES = 1_900

/** SQLSTATE of a full disk. */
const isOutOfSpace = ({ cause }: DatabaseUnavailable): boolean =>
  SqlError.isSqlError(cause) && codeOf(cause) === "53100"

/** Remembers a refusal because the disk is full. */
export const noteSpace = (space: DiskSpace, failure: DatabaseUnavailable): void => {
  if (isOutOfSpace(failure)) space.wanting = true
}

const away = (cause: unknown): DatabaseUnavailable =>
  new DatabaseUnavailable({ operation: "database.probe", reason: "server", outcome: "not_applied", cause })

/** With the place and the code: "the database is away" is told to people who have more than one. */
const naming = (target: DatabaseTarget, failure: DatabaseUnavailable): DatabaseUnavailable => {
  const code = SqlError.isSqlError(failure.cause) ? codeOf(failure.cause) : undefined
  const said = failure.cause instanceof Error ? failure.cause.message : "no cause"
  const { operation, outcome, reason } = failure
  const place = code === undefined ? describeTarget(target) : `${describeTarget(target)} ${code}`
  const cause = new Error(`${place}: ${said}`, { cause: failure.cause })
  return new DatabaseUnavailable({ operation, outcome, reason, cause })
}

const takeRoom = (sql: SqlClient) => sql`
  CREATE TEMP TABLE holdfast_room ON COMMIT DROP AS
  SELECT repeat('x', ${sql.literal(String(ROW_BYTES))}) AS filling
  FROM generate_series(1, ${sql.literal(String(Math.ceil(databaseLimits.roomBytes / ROW_BYTES)))})`

/** The probe of an adapter whose calls go through `run` and note in `space` what they were refused for. */
export const makeProbe = (
  run: DatabaseService["run"],
  space: DiskSpace,
  target: DatabaseTarget
): Effect.Effect<void, DatabaseUnavailable> => {
  const limit = { deadlineMs: databaseLimits.probeMs }
  const answers = run("database.probe", (sql) => sql`SELECT 1`, limit).pipe(
    Effect.catchTag("DatabaseFault", ({ cause }) => Effect.fail(away(cause))),
    Effect.asVoid
  )
  const hasRoom = run("database.room", takeRoom, limit).pipe(
    Effect.catchTag("DatabaseFault", () => Effect.void),
    // Said in words: this is what an operator reads in /health for as long as it lasts.
    Effect.mapError((failure) =>
      isOutOfSpace(failure)
        ? away(new Error("the disk of the database is full", { cause: failure.cause }))
        : failure
    ),
    Effect.andThen(
      Effect.sync(() => {
        space.wanting = false
      })
    )
  )
  return Effect.andThen(
    answers,
    Effect.suspend(() => (space.wanting ? hasRoom : Effect.void))
  ).pipe(Effect.mapError((failure) => naming(target, failure)))
}
