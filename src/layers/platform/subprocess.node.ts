/**
 * Subprocess: a short command with a deadline, as an Effect.
 *
 * The launcher asks the system small questions (can this user read that directory, does `unshare` work) and runs
 * `initdb`. Each could hang on a broken mount or a missing password; none may.
 *
 * Promises: ends within `deadlineMs` (SIGKILL then); output is bounded; the process is gone when the effect ends or is
 * interrupted; a command that cannot be started is a result with `code` undefined, not a defect.
 * Never: goes through a shell, passes on our environment.
 * Failure: a command that fails, hangs or does not exist is a result like any other.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { errorCodeOf } from "./error-code.ts"

/** Runs an effect on the machine's clock whatever clock the caller lives in: processes do not live in virtual time. */
export const inRealTime: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())

export interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  /** Run as this user and group; needs root. Supplementary groups are dropped. */
  readonly uid?: number
  readonly gid?: number
  readonly cwd?: string
  /** File descriptors given to the child as 3, 4, ... */
  readonly descriptors?: ReadonlyArray<number>
}

export interface CommandResult {
  /** Exit status; undefined when it was killed, could not be started or hit the deadline. */
  readonly code: number | undefined
  readonly timedOut: boolean
  /** Why it could not be started (`ENOENT`, `EACCES`), else undefined. */
  readonly startError: string | undefined
  /** stdout and stderr interleaved, the last 16 KiB. */
  readonly output: string
}

const outputBytesMax = 16_384

/** Our environment is not the child's: PG* variables, locales and preload hooks of the operator stay out. */
export const plainEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC"
})

export const spawnPlain = (
  command: Command,
  options: { readonly detached: boolean; readonly stdio: "pipe" | "ignore" }
): ChildProcess =>
  spawn(command.file, [...command.args], {
    cwd: command.cwd ?? "/",
    env: plainEnvironment(),
    detached: options.detached,
    stdio: ["ignore", options.stdio, options.stdio, ...(command.descriptors ?? [])],
    ...(command.uid === undefined ? {} : { uid: command.uid }),
    ...(command.gid === undefined ? {} : { gid: command.gid })
  })

export const runCommand = (command: Command, deadlineMs: number): Effect.Effect<CommandResult> =>
  Effect.callback<CommandResult>((resume) => {
    let output = ""
    let timedOut = false
    let child: ChildProcess
    try {
      child = spawnPlain(command, { detached: false, stdio: "pipe" })
    } catch (cause) {
      // spawn throws for a working directory or a uid it refuses outright.
      resume(
        Effect.succeed({ code: undefined, timedOut, startError: errorCodeOf(cause) ?? String(cause), output })
      )
      return undefined
    }
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString("utf8")).slice(-outputBytesMax)
    }
    child.stdout?.on("data", collect)
    child.stderr?.on("data", collect)
    const timer = setTimeout(() => {
      timedOut = true
      child.kill("SIGKILL")
    }, deadlineMs)
    child.once("error", (cause) => {
      clearTimeout(timer)
      resume(
        Effect.succeed({ code: undefined, timedOut, startError: errorCodeOf(cause) ?? String(cause), output })
      )
    })
    child.once("close", (code) => {
      clearTimeout(timer)
      resume(Effect.succeed({ code: code ?? undefined, timedOut, startError: undefined, output }))
    })
    return Effect.callback<void>((ended) => {
      clearTimeout(timer)
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
        return ended(Effect.void)
      child.once("close", () => ended(Effect.void))
      child.kill("SIGKILL")
    })
  })
