/**
 * How a child ends and how a start fails, as values, never strings to parse.
 *
 * Every restart decision, report and health line is derived from these few types, so they live in one
 * file that the pure core, the shell and the rest of the service share.
 * Promises: a reason always carries the whole Effect cause; a failed start always names which path,
 * how long it took and how long it was allowed to take.
 * Never: decides anything. The core decides.
 */
import { Cause, Data } from "effect"

/**
 * How an incarnation of a child ended.
 * - `Normal`: its life completed; `Shutdown`: it ended in an orderly way, asked to or by its own decision;
 * - `Crashed`: a failure, a defect or a dead fiber (named, when it was a forked one), with the cause; `Killed`: it did not end within its
 *   stop budget: its drain was cut, or it was unresponsive and has been abandoned.
 */
export type ExitReason =
  | { readonly _tag: "Normal" }
  | { readonly _tag: "Shutdown"; readonly detail?: unknown }
  | { readonly _tag: "Crashed"; readonly cause: Cause.Cause<unknown>; readonly fiber?: string }
  | { readonly _tag: "Killed"; readonly budgetMs: number }

/** The life completed and nothing is wrong. */
export const normal: ExitReason = { _tag: "Normal" }
/** The child ended in an orderly way; `detail` gives the reason. A transient child is not restarted. */
export const shutdown = (detail?: unknown): ExitReason =>
  detail === undefined ? shutdownPlain : { _tag: "Shutdown", detail }
const shutdownPlain: ExitReason = { _tag: "Shutdown" }
/** True for the reasons after which a `transient` child stays down. */
export const isOrderly = (reason: ExitReason): boolean =>
  reason._tag === "Normal" || reason._tag === "Shutdown"

/** The `_tag` of any value; undefined when it has none, or when asking for it throws. */
export const tagOf = (value: unknown): unknown => {
  try {
    return typeof value === "object" && value !== null && "_tag" in value ? value._tag : undefined
  } catch {
    return undefined
  }
}
/** True for the values a child's `run` may return to name its own end. */
export const isExitReason = (value: unknown): value is ExitReason => {
  const tag = tagOf(value)
  return tag === "Normal" || tag === "Shutdown" || tag === "Crashed" || tag === "Killed"
}

/**
 * The class an error may carry in a field `failureClass`; the runtime acts on it.
 * `configuration` and `fatal` are never retried: the tree gives up with that cause (exit 78 or 69 is
 * decided by the program). `credentials` retries at the slow rate of the spec and burns no budget.
 * An error without the field is transient: the child's policy applies.
 */
export type FailureClass = "configuration" | "fatal" | "credentials" | "transient"

const classes: ReadonlySet<unknown> = new Set<FailureClass>([
  "configuration",
  "fatal",
  "credentials",
  "transient"
])

const classOfError = (error: unknown, depth: number): FailureClass | undefined => {
  if (typeof error !== "object" || error === null || depth > 4) return undefined
  try {
    if ("failureClass" in error && classes.has(error.failureClass)) return error.failureClass as FailureClass
    // A StartFailed of a nested supervisor wraps the cause of the child that refused; the class must propagate with it.
    if ("cause" in error && Cause.isCause(error.cause)) return classOfCause(error.cause, depth + 1)
  } catch {
    // A getter that throws names no class; the error itself is judged by the child's policy.
  }
  return undefined
}

const classOfCause = (cause: Cause.Cause<unknown>, depth: number): FailureClass | undefined => {
  for (const reason of cause.reasons) {
    const found = Cause.isFailReason(reason)
      ? classOfError(reason.error, depth)
      : Cause.isDieReason(reason)
        ? classOfError(reason.defect, depth)
        : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** The failure class carried by the first classified error of a cause; `transient` when none carries one. */
export const failureClassOf = (cause: Cause.Cause<unknown>): FailureClass =>
  classOfCause(cause, 0) ?? "transient"

/** The start of a child did not settle within its deadline; its fibers were interrupted. */
export class StartTimedOut extends Data.TaggedError("StartTimedOut")<{
  readonly path: string
  readonly deadlineMs: number
  readonly step?: string
}> {
  override get message(): string {
    return `${this.path} did not start within ${this.deadlineMs} ms${this.step === undefined ? "" : ` (step ${this.step})`}`
  }
}

/** A name is held by another child that lives; `holder` is its path. */
export class NameTaken extends Data.TaggedError("NameTaken")<{
  readonly wanted: string
  readonly holder: string
}> {
  override get message(): string {
    return `the name ${this.wanted} is held by ${this.holder}`
  }
}

/** A start returned something that is neither `Running` nor `Ignore`. */
export class BadStartReturn extends Data.TaggedError("BadStartReturn")<{
  readonly path: string
  readonly returned: string
}> {
  override get message(): string {
    return `${this.path} returned ${this.returned} from its start instead of a Running or ignore`
  }
}

/**
 * A child could not be started. `path` names the deepest child that failed, `step` what it was doing,
 * `reason` is one line for a person, `cause` the whole Effect cause; times are milliseconds.
 */
export class StartFailed extends Data.TaggedError("StartFailed")<{
  readonly path: string
  readonly step?: string
  readonly reason: string
  readonly cause: Cause.Cause<unknown>
  readonly elapsedMs: number
  readonly deadlineMs: number
}> {
  /** The class of the underlying error, so that it survives escalation through nested supervisors. */
  get failureClass(): FailureClass {
    return failureClassOf(this.cause)
  }
  override get message(): string {
    return `${this.path} failed to start${this.step === undefined ? "" : ` at step ${this.step}`}: ${this.reason}`
  }
}

/** A supervisor used up a restart budget, or met a failure that must not be retried, and ended its subtree. */
export class GaveUp extends Data.TaggedError("GaveUp")<{
  /** Path of the supervisor that gave up. */
  readonly path: string
  /** Path of the child whose end exceeded the budget. */
  readonly child: string
  readonly why: "group_budget" | "child_budget" | "not_retryable"
  readonly cause: Cause.Cause<unknown>
}> {
  get failureClass(): FailureClass {
    return failureClassOf(this.cause)
  }
  override get message(): string {
    return `${this.path} gave up because of ${this.child} (${this.why}): ${describeCause(this.cause)}`
  }
}

const clip = (text: string, chars: number): string =>
  text.length <= chars ? text : `${text.slice(0, chars - 1)}…`

/** Types lie about what was thrown: a message may be anything, and every property may be a getter that throws. */
const textOf = (error: unknown): string => {
  if (typeof error === "string") return error
  if (error instanceof Error) {
    const name: unknown = tagOf(error) ?? error.name
    const tag = typeof name === "string" ? name : "Error"
    const message: unknown = error.message
    if (message === undefined || message === "") return tag
    const line = typeof message === "string" ? message : textOf(message)
    return line.startsWith(tag) ? line : `${tag}: ${line}`
  }
  const json = JSON.stringify(error, (_key, value: unknown) =>
    typeof value === "bigint" ? `${value}` : value
  )
  return json ?? String(error)
}

/** One bounded line of text for any thrown or failed value. Total: it has to work for the value that broke everything else. */
export const describeError = (error: unknown, chars = 300): string => {
  try {
    return clip(textOf(error), chars)
  } catch {
    // Cyclic or hostile values still deserve a name in a report.
  }
  try {
    return clip(Object.prototype.toString.call(error), chars)
  } catch {
    return clip("a value that cannot be described", chars)
  }
}

/** One bounded line of text for a cause: its first failure or defect, or the interruption. */
export const describeCause = (cause: Cause.Cause<unknown>, chars = 300): string => {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason)) return describeError(reason.error, chars)
    if (Cause.isDieReason(reason)) return describeError(reason.defect, chars)
  }
  return cause.reasons.length === 0 ? "no cause" : "interrupted"
}

/** One bounded line of text for an exit reason. */
export const describeExit = (reason: ExitReason, chars = 300): string => {
  switch (reason._tag) {
    case "Normal":
      return "ended normally"
    case "Shutdown":
      return reason.detail === undefined ? "shut down" : `shut down: ${describeError(reason.detail, chars)}`
    case "Killed":
      return `killed after ${reason.budgetMs} ms`
    case "Crashed":
      return `${reason.fiber === undefined ? "" : `${reason.fiber}: `}${describeCause(reason.cause, chars)}`
  }
}
