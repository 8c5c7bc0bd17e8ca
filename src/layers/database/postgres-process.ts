/**
 * PostgreSQL process: spawns one postmaster, knows when it is ready, and ends it.
 *
 * The server must die with us even when we are killed without warning (`setpriv --pdeathsig INT`), must not die before
 * us on Ctrl-C (`detached`: a session of its own, so the terminal's signal reaches only us and the shutdown is ours to
 * order), and must not be left behind by a stop that it ignores.
 *
 * Promises: `ready` means line 8 of postmaster.pid reads "ready" for our pid AND a connection answered; the process is gone
 * when the scope has closed, a frozen one included; every end is reported once, with the end of its log.
 * Never: uses the ambient clock: another process does not live in virtual time.
 * Failure: ended before ready -> `PostgresStartFailed`; not ready in time -> `PostgresStartTimedOut`.
 */
import type { ChildProcess } from "node:child_process"
import * as fs from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { logEvent, type LogLevelName } from "../../runtime/log-event.ts"
import { errorCodeOf } from "../platform/error-code.ts"
import { makeClient } from "./database.client.ts"
import { databaseLimits, postgresLimits } from "./database-limits.ts"
import { makeSocketCensus } from "./database.socket.ts"
import { type DatabaseTarget, withDatabase } from "./database-target.ts"
import { processTree, readPidFile } from "./postgres-pid-file.ts"
import { PostgresStartFailed, PostgresStartTimedOut, type ServerExit } from "./postgres-server.port.ts"
import { type Command, inRealTime, runCommand, spawnPlain } from "../platform/subprocess.node.ts"

export interface ServerProcess {
  readonly pid: number
  readonly exited: Effect.Effect<ServerExit>
}

interface Watched {
  readonly child: ChildProcess
  readonly pid: number
  readonly end: Deferred.Deferred<ServerExit>
  readonly lines: Array<string>
  requested: boolean
}

/** `setpriv --pdeathsig INT -- command` where that exists: the kernel then signals the server when we die. */
export const withParentDeathSignal = (command: Command): Effect.Effect<Command> =>
  Effect.gen(function* () {
    const prefix = ["--pdeathsig", "INT", "--"]
    const probe = yield* runCommand(
      { file: "setpriv", args: [...prefix, "/bin/true"] },
      postgresLimits.commandMs
    )
    if (probe.code === 0)
      return { ...command, file: "setpriv", args: [...prefix, command.file, ...command.args] }
    yield* Effect.logWarning(
      "setpriv is missing: a killed service leaves its database running until the next start"
    ).pipe(Effect.annotateLogs({ event: "postgres.no_parent_death_signal" }))
    return command
  })

const keepLines = (watched: Watched, offer: (line: string) => void): void => {
  let rest = ""
  const collect = (chunk: Buffer): void => {
    const parts = (rest + chunk.toString("utf8")).split("\n")
    rest = (parts.pop() ?? "").slice(0, 4_096)
    for (const line of parts) {
      watched.lines.push(line)
      if (watched.lines.length > postgresLimits.logLinesMax) watched.lines.shift()
      offer(line)
    }
  }
  watched.child.stdout?.on("data", collect)
  watched.child.stderr?.on("data", collect)
}

const spawnServer = (
  command: Command,
  log: Queue.Queue<string>
): Effect.Effect<Watched, PostgresStartFailed> =>
  Effect.callback<Watched, PostgresStartFailed>((resume) => {
    const refuse = (cause: unknown): void =>
      resume(
        Effect.fail(
          new PostgresStartFailed({
            exit: undefined,
            cause,
            hint: "the server's executable could not be started"
          })
        )
      )
    let child: ChildProcess
    try {
      child = spawnPlain(command, { detached: true, stdio: "pipe" })
    } catch (cause) {
      return refuse(cause)
    }
    const end = Deferred.makeUnsafe<ServerExit>()
    child.once("error", refuse)
    child.once("spawn", () => {
      const watched: Watched = { child, pid: child.pid ?? -1, end, lines: [], requested: false }
      keepLines(watched, (line) => Queue.offerUnsafe(log, line))
      // `close`, not `exit`: by then the last lines of the log were read too.
      const report = (code: number | null, signal: NodeJS.Signals | null): void => {
        Deferred.doneUnsafe(
          end,
          Effect.succeed({ code, signal, requested: watched.requested, lastLines: watched.lines.slice(-20) })
        )
      }
      child.once("close", report)
      // A backend that outlives its killed postmaster keeps the pipe open: then the exit itself has to do.
      child.once("exit", (code, signal) => setTimeout(report, 200, code, signal).unref())
      resume(Effect.succeed(watched))
    })
  })

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (cause) {
    if (errorCodeOf(cause) !== "ESRCH") throw cause
  }
}

/** True for a process that SIGSTOP froze: it would sleep through every polite signal. */
const isFrozen = (pid: number): boolean => {
  try {
    return /^\d+ \(.*\) [Tt] /.test(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

const endedWithin = (watched: Watched, ms: number): Effect.Effect<boolean> =>
  Deferred.await(watched.end).pipe(Effect.timeoutOption(ms), Effect.map(Option.isSome))

const stopSteps = [
  { signal: "SIGINT", waitMs: postgresLimits.stopFastMs },
  { signal: "SIGQUIT", waitMs: postgresLimits.stopImmediateMs }
] as const

/** Fast shutdown, then immediate, then by force. The data is safe in all three: the log is replayed at the next start. */
const stop = (watched: Watched): Effect.Effect<void> =>
  Effect.gen(function* () {
    watched.requested = true
    if (yield* Deferred.isDone(watched.end)) return
    if (!isFrozen(watched.pid)) {
      for (const step of stopSteps) {
        signal(watched.pid, step.signal)
        if (yield* endedWithin(watched, step.waitMs)) return
      }
    }
    const tree = processTree(watched.pid)
    for (const pid of tree) signal(pid, "SIGKILL")
    const ended = yield* endedWithin(watched, postgresLimits.stopKillMs)
    yield* Effect.logError("the database server did not stop when asked and was killed").pipe(
      Effect.annotateLogs({ event: "postgres.killed", pid: watched.pid, ended })
    )
  }).pipe(inRealTime)

/** One connection to the maintenance database; creates ours at the first start. */
export const connectOnce = (target: DatabaseTarget, database: string): Effect.Effect<void, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const sql = yield* makeClient({
        target: withDatabase(target, "postgres"),
        applicationName: "holdfast launcher",
        connections: 1,
        census: makeSocketCensus(),
        // CREATE DATABASE copies a directory of files, on whatever disk this is.
        statementMs: postgresLimits.createDatabaseMs,
        silenceMs: postgresLimits.createDatabaseMs + databaseLimits.lockMs
      })
      const found = yield* sql`SELECT 1 FROM pg_database WHERE datname = ${database}`
      if (found.length === 0) yield* sql`CREATE DATABASE ${sql(database)}`
    })
  )

const startFailed = (exit: ServerExit): PostgresStartFailed =>
  new PostgresStartFailed({
    exit,
    cause: new Error(exit.lastLines.slice(-6).join("\n") || `exited with ${exit.code ?? exit.signal}`),
    hint: "the cause is the end of the server's own log"
  })

const awaitReady = (
  watched: Watched,
  cluster: string,
  target: DatabaseTarget,
  database: string
): Effect.Effect<void, PostgresStartFailed | PostgresStartTimedOut> => {
  const readyInPidFile = Effect.suspend(() => {
    const file = readPidFile(cluster)
    return file?.pid === watched.pid && file.status === "ready"
      ? Effect.void
      : Effect.fail("not yet" as const)
  })
  const attempt = Effect.andThen(readyInPidFile, connectOnce(target, database))
  const poll = Effect.eventually(Effect.tapError(attempt, () => Effect.sleep(postgresLimits.readyPollMs)))
  const early = Effect.flatMap(Deferred.await(watched.end), (exit) => Effect.fail(startFailed(exit)))
  return Effect.raceFirst(poll, early).pipe(
    Effect.timeoutOrElse({
      duration: postgresLimits.readyMs,
      orElse: () =>
        Effect.fail(
          new PostgresStartTimedOut({
            step: "postgres.ready",
            deadlineMs: postgresLimits.readyMs,
            cause: new Error(watched.lines.slice(-6).join("\n")),
            hint: "the server started but takes no connections: it may be replaying its log from a slow disk"
          })
        )
    })
  )
}

/** The log level of a server's line. That it ends its connections at a stop is part of stopping. */
const levelOf = (line: string): LogLevelName => {
  if (line.includes("terminating connection due to administrator command")) return "debug"
  return /\b(?:ERROR|FATAL|PANIC): /.test(line) ? "warn" : "info"
}

/** Starts the postmaster with `command` and waits until it is ready. It ends with the scope. */
export const startProcess = (options: {
  readonly command: Command
  readonly cluster: string
  readonly target: DatabaseTarget
  readonly database: string
}): Effect.Effect<ServerProcess, PostgresStartFailed | PostgresStartTimedOut, Scope.Scope> =>
  Effect.gen(function* () {
    const log = yield* Queue.sliding<string>(postgresLimits.logLinesMax)
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.flatMap(Queue.take(log), (line) =>
          logEvent(levelOf(line), "postgres.log", line, { component: "root/database" })
        )
      )
    )
    const watched = yield* Effect.acquireRelease(spawnServer(options.command, log), stop)
    yield* awaitReady(watched, options.cluster, options.target, options.database)
    return { pid: watched.pid, exited: Deferred.await(watched.end) }
  })
