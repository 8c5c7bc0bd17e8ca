/**
 * The restart policy of a child: what it may cost, how long it may take, what its failures do.
 *
 * Separate from the specs, because workers, supervisors and templates share it exactly.
 * Promises: a completed policy has every field; numbers that contradict each other are refused with their path.
 * Never: knows what a child is.
 */
import * as Check from "./spec-validation.ts"

/** `permanent`: always restarted; `transient`: unless it ended normally; `temporary`: never, and its spec is dropped. */
export type RestartType = "permanent" | "transient" | "temporary"
/** Delay before restart n: `firstMs * factor^(n-1)`, at most `maxMs`; `full` jitter draws uniformly from 0 to that. */
export interface Backoff {
  readonly firstMs: number
  readonly factor: number
  readonly maxMs: number
  readonly jitter: "full" | "none"
  /** The attempt count returns to zero only after the child was ready this long. */
  readonly resetAfterMs: number
}
/** At most `max` restarts within any window of `withinMs`; one more exhausts the budget. */
export interface Budget {
  readonly max: number
  readonly withinMs: number
}
/**
 * What a child's exhausted budget does. `escalate`: the supervisor gives up and its parent decides.
 * `park`: only this child is `failed`, visible, and retried every `retryEveryMs`; restarts of a child that
 * parks never burn the group's intensity, so its failures stay its own.
 */
export type WhenExhausted =
  | { readonly action: "escalate" }
  | { readonly action: "park"; readonly retryEveryMs: number }
/** Milliseconds to end gracefully; `kill`: no grace; `infinity`: the tree's whole stop deadline, which bounds every budget. */
export type StopBudget = number | "kill" | "infinity"

/** The policy every child declares. Times are milliseconds. */
export interface ChildPolicy {
  readonly restart: RestartType
  /** A start that has not settled by then fails with `StartTimedOut`. `Infinity` only for supervisors, whose children have deadlines. */
  readonly startDeadlineMs: number
  readonly stopBudgetMs: StopBudget
  readonly backoff: Backoff
  readonly budget: Budget
  readonly whenExhausted: WhenExhausted
  /** `required`: the parent is ready only when this child is. */
  readonly readiness: "required" | "optional"
  /** `fail`: a failing first start rolls the parent's start back, as in OTP; `retry`: it goes into backoff and the parent starts. */
  readonly initialStart: "fail" | "retry"
  /** Its orderly end counts for the supervisor's `autoShutdown`. */
  readonly significant: boolean
  /** Delay between retries after an error of class `credentials`. */
  readonly credentialsRetryMs: number
}

/** Policy fields as written in a literal: everything has a default except what a constructor asks for. */
export type PolicyOptions = Partial<Omit<ChildPolicy, "backoff">> & { readonly backoff?: Partial<Backoff> }

const patience: Backoff = { firstMs: 100, factor: 2, maxMs: 30_000, jitter: "full", resetAfterMs: 30_000 }
// A restarted supervisor does not wait: its children carry their own backoff.
const promptly: Backoff = { ...patience, firstMs: 0, maxMs: 0 }
const unlimited: Budget = { max: Number.POSITIVE_INFINITY, withinMs: 60_000 }
/** The budget of a group, and of a child that parks, when none is given. */
export const fiveInAMinute: Budget = { max: 5, withinMs: 60_000 }
const escalate: WhenExhausted = { action: "escalate" }

/** What a worker gets for every field it leaves out. */
export const workerPolicy: ChildPolicy = {
  restart: "permanent",
  startDeadlineMs: 10_000,
  stopBudgetMs: 5_000,
  backoff: patience,
  budget: unlimited,
  whenExhausted: escalate,
  readiness: "required",
  initialStart: "fail",
  significant: false,
  credentialsRetryMs: 60_000
}
/** What a supervisor gets for every field it leaves out. */
export const supervisorPolicy: ChildPolicy = {
  ...workerPolicy,
  startDeadlineMs: Number.POSITIVE_INFINITY,
  stopBudgetMs: "infinity",
  backoff: promptly
}

/** Checks a budget. */
export const budgetFields = Check.record({ max: Check.wholeOrInfinity(0), withinMs: Check.numberFrom(1) })
const escalating = Check.record({ action: Check.oneOf("escalate") })
const parking = Check.record({ action: Check.oneOf("escalate", "park"), retryEveryMs: Check.numberFrom(1) })
/** A retry rate belongs to parking alone: with `escalate` it is an intention that would silently have no effect. */
const exhaustion: Check.Check = (at, value) => {
  const escalates =
    typeof value === "object" && value !== null && "action" in value && value.action === "escalate"
  return escalates ? escalating(at, value) : parking(at, value)
}
const backoffFields = {
  "firstMs?": Check.numberFrom(0),
  "factor?": Check.numberFrom(1),
  "maxMs?": Check.numberFrom(0),
  "jitter?": Check.oneOf("full", "none"),
  "resetAfterMs?": Check.numberFrom(0)
}
/** Checks of the policy fields, for the constructors of specs. */
export const policyFields = {
  "restart?": Check.oneOf("permanent", "transient", "temporary"),
  "startDeadlineMs?": Check.numberFrom(1),
  "stopBudgetMs?": Check.numberOrWord(0, "kill", "infinity"),
  "backoff?": Check.record(backoffFields),
  "budget?": budgetFields,
  "whenExhausted?": exhaustion,
  "readiness?": Check.oneOf("required", "optional"),
  "initialStart?": Check.oneOf("fail", "retry"),
  "significant?": Check.aBoolean,
  "credentialsRetryMs?": Check.numberFrom(1)
}
/** What a complete policy has besides its required fields: a backoff that is complete as well. */
export const completeBackoff = { backoff: Check.record(Check.required(backoffFields)) }
/** A supervisor's start is bounded by its children's deadlines, so its own may be infinite. */
export const supervisorTimes = { "startDeadlineMs?": Check.numberOrInfinity(1) }
/** Fills a policy and refuses contradictions; `at` is where a fault is reported. */
export const completePolicy = (at: string, defaults: ChildPolicy, options: PolicyOptions): ChildPolicy => {
  const whenExhausted = options.whenExhausted ?? defaults.whenExhausted
  const backoff =
    options.backoff === undefined ? defaults.backoff : { ...defaults.backoff, ...options.backoff }
  // A longer first delay than the default cap is an intention; a first delay above a stated cap is a mistake.
  const capped =
    options.backoff?.maxMs === undefined
      ? { ...backoff, maxMs: Math.max(backoff.maxMs, backoff.firstMs) }
      : backoff
  const policy: ChildPolicy = {
    restart: options.restart ?? defaults.restart,
    startDeadlineMs: options.startDeadlineMs ?? defaults.startDeadlineMs,
    stopBudgetMs: options.stopBudgetMs ?? defaults.stopBudgetMs,
    backoff: capped,
    budget: options.budget ?? (whenExhausted.action === "park" ? fiveInAMinute : defaults.budget),
    whenExhausted,
    readiness: options.readiness ?? defaults.readiness,
    initialStart: options.initialStart ?? defaults.initialStart,
    significant: options.significant ?? defaults.significant,
    credentialsRetryMs: options.credentialsRetryMs ?? defaults.credentialsRetryMs
  }
  refuseContradictions(at, policy)
  return policy
}
/** Refuses a policy whose fields are valid individually but contradict each other; `at` is where a fault is reported. */
export const refuseContradictions = (
  at: string,
  { backoff, restart, significant }: Pick<ChildPolicy, "backoff" | "restart" | "significant">
): void => {
  if (backoff.firstMs > backoff.maxMs)
    Check.refuse(`${at}.backoff.maxMs`, `must be at least firstMs (${backoff.firstMs})`)
  if (significant && restart === "permanent")
    Check.refuse(`${at}.significant`, "a permanent child cannot be significant: it is always restarted")
}
