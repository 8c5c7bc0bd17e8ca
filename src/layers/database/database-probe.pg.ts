/**
 * The probe: whether the server answers, and, after it ran out of disk, whether it can store again.
 *
 * A server without disk space answers `SELECT 1` and stores nothing. A probe that believes it reports "back" every time,
 * and each time every actor starts over, claims what it cannot decide and is refused: measured as seventy rounds in
 * fifteen seconds, after which an accepted signal was given up. So after a refusal for lack of space a probe allocates
 * some, as pages of a table that ends with its statement.
 *
 * Promises: at most two calls, each with its deadline; nothing it writes stays.
 * Never: writes unless space was found lacking: a table is expensive to create, and `SELECT 1` is enough otherwise.
 * Failure: `DatabaseUnavailable`. A fault of `SELECT 1` means the login works and nothing else does, so it is "away" too; a
 * fault of the table means that none may be created, which is counted and proves nothing about space: the calls will.
 */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import { type DatabaseService, DatabaseUnavailable } from "./database.port.ts"
import { codeOf } from "./database-errors.ts"
import { type DatabaseTarget, describeTarget } from "./database-target.ts"
import { databaseLimits } from "./database-limits.ts"

/** Whether a call was refused for lack of disk space and no probe has found any since. */
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

/** With address and code: "the database is away" is read by people who have more than one. */
const naming = (target: DatabaseTarget, failure: DatabaseUnavailable): DatabaseUnavailable => {
  const code = SqlError.isSqlError(failure.cause) ? codeOf(failure.cause) : undefined
  const message = failure.cause instanceof Error ? failure.cause.message : "no cause"
  const { operation, outcome, reason } = failure
  const place = code === undefined ? describeTarget(target) : `${describeTarget(target)} ${code}`
  const cause = new Error(`${place}: ${message}`, { cause: failure.cause })
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
    // In plain words: this is what an operator reads in /health for as long as it lasts.
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
