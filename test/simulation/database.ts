/**
 * The database of a simulated process: the real one at the time of the timeline, away or losing the answers of commits when told.
 *
 * Promises: one session, whose `hf_now()` is the virtual time; a call that the fault ends was either not made or made, never half.
 * Never: lets two calls overlap, so that the order of commits follows from the seed.
 */
import { Cause, Effect, Exit, Option } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import {
  type CallOptions,
  type DatabaseError,
  type DatabaseService,
  DatabaseUnavailable,
  type TransactOptions
} from "../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../src/layers/database/database-availability.ts"
import type { Random } from "../outside/random.ts"
import type { Life, Timeline } from "./timeline.ts"

export interface DatabaseFaults {
  away: boolean
  /** How likely the answer of a call is lost after it was carried out. */
  lostRate: number
  /** A planted fault: this operation says that it is done and is undone. */
  forgotten: string | null
}

/** The database answers a probe of the service within this after it is back. */
const PROBE_MS = 250

const unavailable = (operation: string, outcome: "not_applied" | "unknown") =>
  new DatabaseUnavailable({ operation, reason: "connection", outcome, cause: new Error("simulated") })

/** Ends a transaction that a planted fault undoes, with what its caller is told. */
class Forgotten {
  readonly _tag = "Forgotten"
  readonly told: unknown
  constructor(told: unknown) {
    this.told = told
  }
}

/** The time of the session, set when it has moved. */
const makeSetNow = (timeline: Timeline, real: DatabaseService) => {
  let setAtMs = Number.NaN
  return Effect.suspend(() => {
    const nowMs = timeline.nowMs
    if (setAtMs === nowMs) return Effect.void
    setAtMs = nowMs
    return Effect.orDie(
      real.run(
        "simulation.now",
        (sql) => sql`SELECT set_config('holdfast.now', ${new Date(nowMs).toISOString()}, false)`
      )
    )
  })
}

/** What all processes of a simulation share; each gets a port of its own. */
export const shareDatabase = (timeline: Timeline, random: Random, real: DatabaseService) => {
  const faults: DatabaseFaults = { away: false, lostRate: 0, forgotten: null }
  const setNow = makeSetNow(timeline, real)
  const of = (life: Life): DatabaseService => {
    const availability = makeAvailability()
    const lose = (): void => {
      availability.mark("unavailable")
      timeline.after(random.between(0, PROBE_MS), life, probe)
    }
    const probe = (): void => {
      if (faults.away) timeline.after(PROBE_MS, life, probe)
      else availability.mark("available")
    }
    const meet = <A, E, R>(operation: string, effect: Effect.Effect<A, E, R>) =>
      timeline.call(
        life,
        `database ${operation}`,
        Effect.suspend((): Effect.Effect<A, E | DatabaseUnavailable, R> => {
          if (faults.away) {
            lose()
            return Effect.fail(unavailable(operation, "not_applied"))
          }
          const isLost = random.next() < faults.lostRate
          return Effect.andThen(setNow, Effect.exit(effect)).pipe(
            Effect.flatMap((exit): Effect.Effect<A, E | DatabaseUnavailable> => {
              if (!isLost || Exit.isFailure(exit)) return exit
              lose()
              return Effect.fail(unavailable(operation, "unknown"))
            })
          )
        })
      )
    /** The call as it is, or undone while its caller is told that it is done. */
    const remembered = <A, E, R>(
      operation: string,
      f: (sql: SqlClient) => Effect.Effect<A, E, R>,
      call: Effect.Effect<A, DatabaseError | Exclude<E, SqlError>, R>
    ): Effect.Effect<A, DatabaseError | Exclude<E, SqlError>, R> => {
      if (faults.forgotten !== operation) return meet(operation, call)
      const undone = real.transact(operation, (sql) =>
        Effect.flatMap(f(sql), (told) => Effect.fail(new Forgotten(told)))
      )
      const told = Effect.catchCause(undone, (cause) => {
        const error = Option.getOrUndefined(Cause.findErrorOption(cause))
        return error instanceof Forgotten ? Effect.succeed(error.told as A) : Effect.failCause(cause)
      })
      return meet(operation, told) as typeof call
    }
    return {
      run: <A, E, R>(
        operation: string,
        f: (sql: SqlClient) => Effect.Effect<A, E, R>,
        options?: CallOptions
      ) => remembered(operation, f, real.run(operation, f, options)),
      transact: <A, E, R>(
        operation: string,
        f: (sql: SqlClient) => Effect.Effect<A, E, R>,
        options?: TransactOptions
      ) => remembered(operation, f, real.transact(operation, f, options)),
      probe: Effect.suspend(() =>
        faults.away ? Effect.fail(unavailable("probe", "not_applied")) : Effect.void
      ),
      availability,
      stats: real.stats
    }
  }
  return { faults, of }
}
