/**
 * PostgreSQL, previous server: what to do with a server of this cluster that an earlier life of ours started.
 *
 * After a SIGKILL of the service the kernel signals its server to shut down (pdeathsig), which takes a moment; a service
 * that is restarted at once finds it still stopping. Where there is no such signal it is still running. It is never
 * adopted: it is not our child, so we would neither see its end nor be sure to end it.
 *
 * Promises: when it succeeds no postmaster of this cluster runs and no pid file claims so; a running one was given
 * time, then asked to stop, and finally killed, under one deadline.
 * Never: signals a process whose command line is not `postgres -D <this cluster>`.
 * Failure: `OldServerStillRunning` with the pid.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { postgresLimits } from "./database-limits.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { clearPidFile, findServerOf, isServerOf } from "./postgres-pid-file.ts"
import { OldServerStillRunning } from "./postgres-server.port.ts"

const pollMs = 20

/** Succeeds when no process of the cluster is in the way and no remnant of one is left; fails with the pid that is. */
const look = (cluster: string): Effect.Effect<void, number> =>
  Effect.suspend((): Effect.Effect<void, number> => {
    const running = findServerOf(cluster)
    if (running !== undefined) return Effect.fail(running)
    const verdict = clearPidFile(cluster)
    if (verdict._tag === "Draining") return Effect.fail(verdict.pid)
    if (verdict._tag === "Clear") return Effect.void
    return logEvent("warn", "postgres.remnant_removed", `postmaster.pid ${verdict.what}: removed`, {
      component: "root/database"
    })
  })

const goneWithin = (cluster: string, ms: number): Effect.Effect<void, number> =>
  Effect.retry(look(cluster), Schedule.spaced(pollMs).pipe(Schedule.upTo({ duration: ms })))

const ask = (cluster: string, pid: number, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.suspend(() => {
    // Checked again right before the signal: the pid may have been reused since.
    if (!isServerOf(pid, cluster)) return Effect.void
    process.kill(pid, signal)
    return Effect.logWarning(`a previous database server still ran and was asked to stop (${signal})`).pipe(
      Effect.annotateLogs({ event: "postgres.previous_stopped", pid })
    )
  })

/** Waits for, then stops, a server that an earlier life started on this cluster. */
export const endPreviousServer = (cluster: string): Effect.Effect<void, OldServerStillRunning> => {
  const { oldServerGraceMs, oldServerMs, stopImmediateMs } = postgresLimits
  const politely = (pid: number) =>
    Effect.andThen(
      ask(cluster, pid, "SIGINT"),
      goneWithin(cluster, oldServerMs - oldServerGraceMs - stopImmediateMs)
    )
  const firmly = (pid: number) =>
    Effect.andThen(ask(cluster, pid, "SIGQUIT"), goneWithin(cluster, stopImmediateMs))
  return goneWithin(cluster, oldServerGraceMs).pipe(
    Effect.catch(politely),
    Effect.catch(firmly),
    Effect.mapError(
      (pid) =>
        new OldServerStillRunning({
          pid,
          cause: new Error(`pid ${pid} still uses ${cluster}`),
          hint: `end process ${pid}, then start again`
        })
    )
  )
}
