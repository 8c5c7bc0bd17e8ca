/**
 * Child specifications: what a supervisor must know about a child before it starts it.
 *
 * A tree is a literal of `supervisor({...})`, `worker({...})` and `dynamic({...})`, so one can review the
 * whole supervision policy of a service at a glance. The constructors fill the documented defaults and
 * refuse unknown keys, bad values and contradictions with the path of the key.
 * Promises: a spec that was constructed is complete and valid; every field of it is plain and inspectable.
 * Never: starts anything. Constructing a spec does no I/O.
 */
import type { Effect, Fiber, Scope } from "effect"
import type { EventObject } from "xstate"
import {
  type Budget,
  budgetFields,
  type ChildPolicy,
  completeBackoff,
  completePolicy,
  fiveInAMinute,
  policyFields,
  type PolicyOptions,
  refuseContradictions,
  supervisorPolicy,
  supervisorTimes,
  workerPolicy
} from "./child-policy.ts"
import type { Delivery } from "./dead-letters.ts"
import type { ExitReason, NameTaken } from "./exit-reason.ts"
import type { PendingTimer } from "./machine-timers.ts"
import type { Mailbox, MailboxDepth, MailboxOptions } from "./mailbox.ts"
import * as Check from "./spec-validation.ts"

/** Which siblings share the fate of a crashed child. */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one"
/** Whether the end of significant children ends their supervisor. */
export type AutoShutdown = "never" | "any_significant" | "all_significant"

/** What a child shows of itself in the tree. `detail` must stay small: it is copied into every snapshot. */
export interface ChildStatus {
  readonly state: string
  readonly ready: boolean
  readonly tags: ReadonlyArray<string>
  readonly detail: Record<string, unknown>
  readonly lastError?: string
}

/** What a child is given at its start. */
export interface ChildSelf {
  /** For example `root/trading/market`. */
  readonly path: string
  /** 1 for the first start, one more for each restart. */
  readonly incarnation: number
  /** Publishes the visible state; missing fields keep their value. Ready is counted from the first `ready: true`. */
  readonly setStatus: (status: Partial<ChildStatus>) => void
  /** Names the step a start is in, for `StartFailed.step`. */
  readonly step: (name: string) => void
  /** Forks a fiber owned by this child: it ends with the child, and its failure or defect crashes the child. */
  readonly fork: <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<Fiber.Fiber<A, E>, never, R>
  /** Crashes this child from a callback that has no fiber (socket listeners, timers of third-party libraries). */
  readonly crash: (error: unknown) => void
  /** Takes a name that is unique in the tree, until this incarnation has ended. */
  readonly register: (name: string) => Effect.Effect<void, NameTaken>
  /** A bounded mailbox whose losses are this child's dead letters. */
  readonly mailbox: <A extends { readonly type: string }>(options: MailboxOptions) => Mailbox<A>
  /** Ends this child from a callback; `Normal` when no reason is given. */
  readonly end: (reason?: ExitReason) => void
}

/** A started child. All fields are optional: `{}` is a child that lives until it is stopped. */
export interface Running<R = never> {
  /** The life. Completing ends the child normally (or with the returned reason); failure or defect is a crash. Absent: it never ends by itself. */
  readonly run?: Effect.Effect<void | ExitReason, unknown, R>
  /** Accepts an event for this child. */
  readonly send?: (event: EventObject) => Delivery
  /** The graceful part of a stop: runs first, within the stop budget; then the child is interrupted. */
  readonly drain?: Effect.Effect<void, unknown, R> | undefined
  /** Depth and bounds of the child's own mailbox, for the tree snapshot. */
  readonly mailbox?: () => MailboxDepth
  /** Timers that wait, the next first, for whoever looks at this one child. */
  readonly timers?: () => ReadonlyArray<PendingTimer>
  /** Whether its state now has anything to do for an event; not asked for a delivery, which finds out by itself. */
  readonly takes?: (event: EventObject) => boolean
  /**
   * Computes the visible state on demand; wins over `setStatus`. A `ready: false` takes the readiness away from what is
   * shown at that moment, a `ready: true` gives none: supervision relies on what was published.
   */
  readonly status?: () => ChildStatus
  /** Handed to the caller that requested the start. */
  readonly extra?: unknown
}

/** Answer of a start that is switched off by configuration: not an error, the child is kept without a life (temporary: dropped). */
export interface Ignore {
  readonly _tag: "Ignore"
}
/** The component is switched off by configuration. */
export const ignore: Ignore = { _tag: "Ignore" }

/** Brings a child to life inside the child's own Scope, under its start deadline. Success means started, not ready. */
export type Start<R = never> = (
  self: ChildSelf
) => Effect.Effect<Running<R> | Ignore, unknown, R | Scope.Scope>

export interface WorkerSpec<R = never> extends ChildPolicy {
  readonly type: "worker"
  readonly id: string
  readonly start: Start<R>
}
export interface SupervisorSpec<R = never> extends ChildPolicy {
  readonly type: "supervisor"
  readonly id: string
  readonly strategy: Strategy
  /** The group budget, OTP's intensity and period. */
  readonly intensity: Budget
  readonly autoShutdown: AutoShutdown
  readonly children: ReadonlyArray<ChildSpec<R>>
}
/** The one shape all children of a dynamic supervisor share; `start` gets the arguments given when a child is added. */
export interface Template<R = never> extends ChildPolicy {
  readonly type: "worker" | "supervisor"
  readonly start: (args: never, id: string) => Start<R>
}
/** A child of a dynamic supervisor: named by `id` (generated when absent), made from `args`. */
export interface Instance {
  readonly id?: string
  readonly args: unknown
}
export interface DynamicSpec<R = never> extends ChildPolicy {
  readonly type: "dynamic"
  readonly id: string
  readonly intensity: Budget
  readonly template: Template<R>
  /** Children started with the supervisor; more are added at run time. */
  readonly instances: ReadonlyArray<Instance>
}
export type ChildSpec<R = never> = WorkerSpec<R> | SupervisorSpec<R> | DynamicSpec<R>

/** The services the children of a spec need. */
export type RequirementsOf<S> =
  S extends WorkerSpec<infer R>
    ? R
    : S extends SupervisorSpec<infer R>
      ? R
      : S extends DynamicSpec<infer R>
        ? R
        : never

const typed = (type: string) => ({ "type?": Check.oneOf(type) })
/** Checks a child of a dynamic supervisor. An id that is no path segment could be started and never be found again. */
export const checkInstance = Check.record({ "id?": Check.anId, "args?": Check.anything })
const checkInstances = Check.distinct(checkInstance)
const flagFields = {
  "intensity?": budgetFields,
  "strategy?": Check.oneOf("one_for_one", "one_for_all", "rest_for_one"),
  "autoShutdown?": Check.oneOf("never", "any_significant", "all_significant")
}
/** Checks new flags of a running supervisor, which are those a literal may have. */
export const checkFlags = Check.record(flagFields)
const insignificant: Check.Check = (at, template) => {
  if ((template as PolicyOptions).significant === true)
    Check.refuse(`${at}.significant`, "children of a dynamic supervisor cannot be significant")
}
// What has no default comes first, because the first fault is the one that is reported.
const workerFields = { id: Check.anId, start: Check.aFunction, ...typed("worker"), ...policyFields }
const supervisorFields = {
  id: Check.anId,
  children: Check.anArray,
  ...typed("supervisor"),
  ...flagFields,
  ...policyFields,
  ...supervisorTimes
}
const templateFields = {
  start: Check.aFunction,
  "type?": Check.oneOf("worker", "supervisor"),
  ...policyFields,
  ...supervisorTimes
}
const dynamicFields = (template: Check.Check) => ({
  id: Check.anId,
  template: Check.all(template, insignificant),
  ...typed("dynamic"),
  "intensity?": budgetFields,
  "instances?": checkInstances,
  ...policyFields,
  ...supervisorTimes
})
const checkWorker = Check.record(workerFields)
const checkSupervisor = Check.record(supervisorFields)
const checkDynamic = Check.record(dynamicFields(Check.record(templateFields)))

/** The same without gaps, for what no constructor has completed. */
const whole = (fields: Readonly<Record<string, Check.Check>>) => ({
  ...Check.required(fields),
  ...completeBackoff
})
const consistent: Check.Check = (at, spec) => refuseContradictions(at, spec as ChildPolicy)
const checkWholeWorker = Check.all(Check.record(whole(workerFields)), consistent)
const checkWholeSupervisor = Check.all(Check.record(whole(supervisorFields)), consistent, (at, value) => {
  const spec = value as SupervisorSpec
  checkChildren(at, spec.children, spec.autoShutdown)
})
const checkWholeTemplate = Check.all(Check.record(whole(templateFields)), consistent)
const checkWholeDynamic = Check.all(Check.record(whole(dynamicFields(checkWholeTemplate))), consistent)

/**
 * Refuses a value that is not a complete specification, such as one written by hand or read from plain JavaScript: a
 * key that is absent, at any depth, would be found by whoever looks at the running tree.
 */
export const checkChildSpec: Check.Check = (at, value) => {
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined
  if (type === "worker") checkWholeWorker(at, value)
  else if (type === "supervisor") checkWholeSupervisor(at, value)
  else if (type === "dynamic") checkWholeDynamic(at, value)
  else Check.refuse(at, "must be made by worker(), supervisor() or dynamic()")
}

const checkDistinctSpecs = Check.distinct(checkChildSpec)
const checkChildren = (at: string, children: ReadonlyArray<ChildSpec<any>>, autoShutdown: AutoShutdown) => {
  checkDistinctSpecs(`${at}.children`, children)
  if (autoShutdown !== "never") return
  const index = children.findIndex((child) => child.significant)
  if (index >= 0)
    Check.refuse(
      `${at}.children[${index}].significant`,
      "a significant child needs a supervisor with autoShutdown"
    )
}

/** Where a fault is reported: the id when there is one, else the kind of spec. */
const nameOf = (kind: string, options: unknown): string =>
  typeof options === "object" &&
  options !== null &&
  "id" in options &&
  typeof options.id === "string" &&
  options.id !== ""
    ? options.id
    : kind

/** Refuses what cannot be the root of a tree. */
export const checkRootSpec = (value: unknown): void => {
  const at = nameOf("root", value)
  if (typeof value !== "object" || value === null || !("type" in value) || value.type !== "supervisor")
    Check.refuse(at, "the root must be made by supervisor()")
  checkChildSpec(at, value)
}

/**
 * A worker: `id` and `start` are required. Defaults: permanent, start deadline 10 s, stop budget 5 s, backoff
 * 100 ms x 2 up to 30 s with full jitter and reset after 30 s ready, budget unlimited when it escalates (the
 * group's intensity decides, as in OTP) and 5 in 60 s when it parks, readiness required.
 * Throws `SpecInvalid` with the path of the offending key.
 */
export const worker = <R = never>(
  options: PolicyOptions & { readonly id: string; readonly start: Start<R> }
): WorkerSpec<Exclude<R, Scope.Scope>> => {
  const at = nameOf("worker", options)
  checkWorker(at, options)
  return {
    type: "worker",
    id: options.id,
    start: options.start as Start<Exclude<R, Scope.Scope>>,
    ...completePolicy(at, workerPolicy, options)
  }
}

/**
 * A supervisor: `id` and `children` are required. Defaults: one_for_one, intensity 5 in 60 s, permanent, stop
 * budget `infinity`, no start deadline of its own (each child has one), auto shutdown never, no backoff delay.
 * Throws `SpecInvalid`, also for two children of one id and for significant children without auto shutdown.
 */
export const supervisor = <const C extends ReadonlyArray<ChildSpec<any>>>(
  options: PolicyOptions & {
    readonly id: string
    readonly strategy?: Strategy
    readonly intensity?: Budget
    readonly autoShutdown?: AutoShutdown
    readonly children: C
  }
): SupervisorSpec<RequirementsOf<C[number]>> => {
  const at = nameOf("supervisor", options)
  checkSupervisor(at, options)
  const autoShutdown = options.autoShutdown ?? "never"
  checkChildren(at, options.children, autoShutdown)
  return {
    type: "supervisor",
    id: options.id,
    strategy: options.strategy ?? "one_for_one",
    intensity: options.intensity ?? fiveInAMinute,
    autoShutdown,
    children: options.children,
    ...completePolicy(at, supervisorPolicy, options)
  }
}

/**
 * A dynamic supervisor: children of one template, added and removed at run time, looked up in constant time and
 * stopped in parallel. `id` and `template.start` are required; the template takes the worker's defaults.
 * Throws `SpecInvalid`, also for two instances of one id and for significant templates: there is no auto shutdown here.
 */
export const dynamic = <A, R = never>(
  options: PolicyOptions & {
    readonly id: string
    readonly intensity?: Budget
    readonly template: PolicyOptions & {
      readonly type?: "worker" | "supervisor"
      readonly start: (args: A, id: string) => Start<R>
    }
    readonly instances?: ReadonlyArray<{ readonly id?: string; readonly args: A }>
  }
): DynamicSpec<Exclude<R, Scope.Scope>> => {
  const at = nameOf("dynamic", options)
  checkDynamic(at, options)
  const type = options.template.type ?? "worker"
  const template: Template<Exclude<R, Scope.Scope>> = {
    type,
    start: options.template.start as Template<Exclude<R, Scope.Scope>>["start"],
    ...completePolicy(`${at}.template`, type === "worker" ? workerPolicy : supervisorPolicy, options.template)
  }
  return {
    type: "dynamic",
    id: options.id,
    intensity: options.intensity ?? fiveInAMinute,
    template,
    instances: options.instances ?? [],
    ...completePolicy(at, supervisorPolicy, options)
  }
}
