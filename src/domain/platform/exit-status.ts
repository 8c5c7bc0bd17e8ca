/**
 * Exit statuses: how the end of the process is reported to whoever started it.
 *
 * An operator, systemd and a script read only a number and the last log line; this maps every way to end to
 * both, so that "why did it stop" never needs a debugger.
 *
 * Promises: 0 clean, 69 a start-up step failed, 70 the tree gave up at run time, 75 forced, 78 configuration;
 * a non-zero status always comes with a complete fatal line.
 * Never: ends the process.
 */

export const exitStatus = { clean: 0, startFailed: 69, gaveUp: 70, forced: 75, configuration: 78 } as const
export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus]

/** The fields of the last line before a non-zero exit. */
export interface FatalLine {
  /** Tag of the error, for example `PortInUse`. */
  readonly error: string
  /** Path in the tree, for example `root/http`. */
  readonly path: string
  readonly step: string
  readonly cause: string
  readonly hint: string
}

export interface Verdict {
  readonly status: ExitStatus
  readonly fatal: FatalLine | null
}

/** An end of the tree in plain terms. `everReady`: the process had finished its start-up. */
export interface EndOfTree {
  readonly error: unknown
  readonly failureClass: "configuration" | "fatal" | "credentials" | "transient"
  readonly path: string
  readonly step: string | null
  readonly cause: string
  readonly everReady: boolean
}

const hasText = (value: unknown, key: string): string | null => {
  if (typeof value !== "object" || value === null || !(key in value)) return null
  const field: unknown = Reflect.get(value, key)
  return typeof field === "string" && field !== "" ? field : null
}

/** The tag of an error value: `_tag`, else the name of its class, else `Unknown`. */
export const tagOf = (error: unknown): string => hasText(error, "_tag") ?? hasText(error, "name") ?? "Unknown"

/** What to do about it; the error's own hint wins when it has one. */
const hintOf = (error: unknown, fallback: string): string => hasText(error, "hint") ?? fallback

/** The verdict on a tree that ended by itself. */
export const verdictOf = (end: EndOfTree): Verdict => {
  const status =
    end.failureClass === "configuration"
      ? exitStatus.configuration
      : end.failureClass === "fatal" || !end.everReady
        ? exitStatus.startFailed
        : exitStatus.gaveUp
  return {
    status,
    fatal: {
      error: tagOf(end.error),
      path: hasText(end.error, "path") ?? end.path,
      step: hasText(end.error, "step") ?? end.step ?? "run",
      cause: end.cause,
      hint: hintOf(
        end.error,
        status === exitStatus.gaveUp
          ? "the supervisor starts the process again; look for the errors of this component above"
          : "fix the cause named here and start again"
      )
    }
  }
}

/** The verdict on a configuration that was refused. */
export const verdictOfProblems = (
  problems: ReadonlyArray<{ readonly path: string; readonly message: string }>
): Verdict => ({
  status: exitStatus.configuration,
  fatal: {
    error: "ConfigurationInvalid",
    path: problems[0]?.path ?? "configuration",
    step: "config.load",
    cause: problems.map((problem) => `${problem.path}: ${problem.message}`).join("; "),
    hint: "fix the named settings; `npm run check-config` checks them without starting"
  }
})

/** The verdict on a stop whose deadline passed. */
export const verdictOfForcedStop = (deadlineMs: number, killed: ReadonlyArray<string>): Verdict => ({
  status: exitStatus.forced,
  fatal: {
    error: "StopDeadlinePassed",
    path: killed[0] ?? "root",
    step: "stop",
    cause: `the stop did not finish within ${deadlineMs} ms${killed.length === 0 ? "" : `; killed: ${killed.join(", ")}`}`,
    hint: "everything acknowledged is durable; the next start recovers the rest"
  }
})

/** The verdict on a stop that was cut short by a second request, which came too late to be the first one told twice (T16). */
export const secondStopVerdict: Verdict = {
  status: exitStatus.forced,
  fatal: {
    error: "StopForced",
    path: "root",
    step: "stop",
    cause: "a second stop request came while the first was under way",
    hint: "everything acknowledged is durable; the next start recovers the rest"
  }
}

/** The verdict on a fault outside the tree: a bug in the process around it. */
export const verdictOfFault = (fault: unknown): Verdict => ({
  status: exitStatus.gaveUp,
  fatal: {
    error: tagOf(fault),
    path: "root",
    step: "run",
    cause: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault),
    hint: "this is a bug in holdfast; the supervisor starts the process again"
  }
})
