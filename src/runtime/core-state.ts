/**
 * State, events and commands of the pure supervisor core.
 *
 * The core decides everything a supervisor decides and does nothing: an event goes in, commands come out, and
 * the shell (`supervisor.ts`) carries them out with fibers. The state is updated in place, because copying a map
 * of 100,000 children for each event would make starting them quadratic; it is pure in the sense that matters:
 * no clock, no I/O, no randomness but the seed. The same events always give the same commands.
 * Promises: every life the core asks for ends in exactly one `Down`; commands are carried out in order.
 * Never: knows what a life is; `handle` is the shell's and opaque here.
 */
import type { SeededRandom } from "./backoff.ts"
import { backoffDelayMs } from "./backoff.ts"
import type { Budget } from "./child-policy.ts"
import type {
  AutoShutdown,
  ChildSpec,
  DynamicSpec,
  Instance,
  Strategy,
  SupervisorSpec,
  Template
} from "./child-spec.ts"
import type { ExitReason, GaveUp, StartFailed } from "./exit-reason.ts"
import type { Offender, SupervisionEvent } from "./reports.ts"
import type { RestartWindow } from "./restart-budget.ts"
import type { AdminReason, Phase, StartedChild } from "./tree.ts"

/** The spec of any child, or the template of a dynamic one. Requirements are erased: the shell holds the services. */
export type AnySpec = ChildSpec<any> | Template<any>

/** What becomes of a child when a stop the core requested is done. */
export type AfterStop = "hold" | "pause" | "bounce" | "replan" | "shutdown"

/** An administrator waiting for an answer; the shell knows who. */
export interface Ticket {
  readonly number: number
  readonly operation: string
}

/** One child. Times are monotonic milliseconds unless named `...At`, which is epoch milliseconds. */
export interface Child<H = unknown> {
  readonly id: string
  spec: AnySpec
  /** Arguments of a dynamic child; dropped once a temporary one has started. */
  args: unknown
  phase: Phase
  incarnation: number
  restarts: number
  attempt: number
  parked: boolean
  ready: boolean
  readySinceMs: number | undefined
  sinceMs: number
  nextMs: number | undefined
  timer: number
  window: RestartWindow | undefined
  lastError: string | undefined
  after: AfterStop | undefined
  startTicket: Ticket | undefined
  stopTickets: Array<Ticket> | undefined
  /** The shell's life of the current incarnation. */
  handle: H | undefined
}

/** How a supervisor ends. */
export type Ending =
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "GaveUp"; readonly error: GaveUp }
  | { readonly _tag: "AutoShutdown"; readonly child: string }
  | { readonly _tag: "StartFailed"; readonly error: StartFailed }

/** A sequence over the ordered children from `from` on: stop what lives in reverse, wait for delays, start in order. */
export interface Plan {
  from: number
  stage: "stopping" | "starting"
  /** In `starting`: members before it are done. */
  cursor: number
}

/** The events the core handles. `atMs` of `handle` is monotonic. */
export type CoreEvent<H = unknown> =
  | { readonly _tag: "Boot" }
  /** The answer to `Continue`. */
  | { readonly _tag: "GoOn" }
  | {
      readonly _tag: "Started"
      readonly child: Child<H>
      readonly incarnation: number
      readonly ready: boolean
      readonly elapsedMs: number
      readonly extra: unknown
    }
  | { readonly _tag: "Ignored"; readonly child: Child<H>; readonly incarnation: number }
  | {
      readonly _tag: "Ready"
      readonly child: Child<H>
      readonly incarnation: number
      readonly ready: boolean
      readonly state: string
    }
  | {
      readonly _tag: "Down"
      readonly child: Child<H>
      readonly incarnation: number
      readonly reason: ExitReason
      readonly startFailed: StartFailed | undefined
      readonly killedAfterMs: number | undefined
      readonly elapsedMs: number
    }
  | { readonly _tag: "Timer"; readonly child: Child<H>; readonly timer: number }
  | { readonly _tag: "Shutdown" }
  | { readonly _tag: "AddChild"; readonly ticket: Ticket; readonly spec: ChildSpec<any> }
  | { readonly _tag: "AddInstance"; readonly ticket: Ticket; readonly instance: Instance }
  | {
      readonly _tag: "Reconfigure"
      readonly ticket: Ticket
      readonly spec: SupervisorSpec<any> | DynamicSpec<any>
    }
  | {
      readonly _tag: "Terminate" | "Restart" | "Delete" | "Pause" | "Resume" | "Bounce"
      readonly ticket: Ticket
      readonly id: string
    }

/** What the shell must do. */
export type Command<H = unknown> =
  | { readonly _tag: "Start"; readonly child: Child<H> }
  | { readonly _tag: "Stop"; readonly child: Child<H> }
  | { readonly _tag: "SetTimer"; readonly child: Child<H>; readonly timer: number; readonly delayMs: number }
  | { readonly _tag: "ClearTimer"; readonly child: Child<H> }
  | { readonly _tag: "Report"; readonly event: ReportDraft }
  | { readonly _tag: "Accept"; readonly ticket: Ticket; readonly started?: StartedChild }
  | {
      readonly _tag: "Refuse"
      readonly ticket: Ticket
      readonly reason: AdminReason
      readonly cause?: unknown
    }
  /** There is more to start: `GoOn` is to be queued behind whatever waits already. */
  | { readonly _tag: "Continue" }
  | { readonly _tag: "Booted" }
  | { readonly _tag: "Readiness"; readonly ready: boolean }
  | { readonly _tag: "Ending" }
  | { readonly _tag: "End"; readonly ending: Ending }

/** A report without the fields that need a wall clock; a relative time `inMs` becomes `nextAt`. */
export type ReportDraft = SupervisionEvent extends infer E
  ? E extends SupervisionEvent
    ? Omit<E, "at" | "supervisor" | "nextAt"> & { readonly inMs?: number }
    : never
  : never

/** The whole state of one supervisor. */
export interface Core<H = unknown> {
  readonly path: string
  dynamic: Template<any> | undefined
  strategy: Strategy
  intensity: Budget
  autoShutdown: AutoShutdown
  status: "new" | "booting" | "running" | "stopping" | "ended"
  ending: Ending | undefined
  readonly children: Map<string, Child<H>>
  /** Start order; unused by dynamic supervisors. */
  order: Array<Child<H>>
  plan: Plan | undefined
  /** Children with a life: starting, running or stopping. */
  alive: number
  /** Dynamic boot: instances whose first start has not settled. */
  readonly booting: Set<Child<H>>
  /** Dynamic boot: the instances that have not had their turn; undefined when all have. */
  unbooted: Iterator<Child<H>> | undefined
  unready: number
  reportedReady: boolean
  generated: number
  restarts: number
  readonly window: RestartWindow
  readonly random: SeededRandom
  nowMs: number
  out: Array<Command<H>>
}

/** A child that has not been started. */
export const makeChild = <H>(id: string, spec: AnySpec, args: unknown, nowMs: number): Child<H> => ({
  id,
  spec,
  args,
  phase: "waiting",
  incarnation: 0,
  restarts: 0,
  attempt: 0,
  parked: false,
  ready: false,
  readySinceMs: undefined,
  sinceMs: nowMs,
  nextMs: undefined,
  timer: 0,
  window: undefined,
  lastError: undefined,
  after: undefined,
  startTicket: undefined,
  stopTickets: undefined,
  handle: undefined
})

/** Closes the books of a supervisor that met a defect of its own: nothing in them may look alive. */
export const abandon = (core: Core<any>): void => {
  core.status = "ended"
  for (const child of core.children.values()) {
    child.phase = "stopped"
    child.ready = false
    child.nextMs = undefined
  }
}

/** True while the child has a life. */
export const isAlive = (child: Child): boolean =>
  child.phase === "starting" || child.phase === "running" || child.phase === "stopping"

/** True while the child will be started again by the supervisor itself. */
export const isPending = (child: Child): boolean =>
  child.phase === "backingOff" || child.phase === "failed" || child.phase === "waiting"

/** True when the child's last failure is long enough ago to be forgotten. */
export const isStable = (child: Child, nowMs: number): boolean =>
  child.readySinceMs !== undefined && nowMs - child.readySinceMs >= child.spec.backoff.resetAfterMs

const weighs = (child: Child): number =>
  child.spec.readiness === "required" && child.phase !== "stopped" && !child.ready ? 1 : 0

/** Moves a child to a phase and keeps the counts of lives and of unready children. */
export const setPhase = (core: Core, child: Child, phase: Phase, spec: Child["spec"] = child.spec): void => {
  const weight = weighs(child)
  const lived = isAlive(child)
  if (child.phase !== phase) child.sinceMs = core.nowMs
  child.phase = phase
  child.spec = spec
  if (phase !== "backingOff" && phase !== "failed") child.nextMs = undefined
  if (phase !== "running") child.ready = false
  core.unready += weighs(child) - weight
  const lives = isAlive(child)
  if (lives !== lived) core.alive += lives ? 1 : -1
}

/** Records that a child became ready or unready. */
export const setReady = (core: Core, child: Child, ready: boolean): void => {
  const weight = weighs(child)
  child.ready = ready
  if (!ready && isStable(child, core.nowMs)) forgive(child)
  child.readySinceMs = ready ? core.nowMs : undefined
  core.unready += weighs(child) - weight
}

/** After a stable run the past is forgotten: attempts, budget and parking. */
export const forgive = (child: Child): void => {
  child.attempt = 0
  child.parked = false
  child.window?.clear()
}

/** Adds a child to the books. */
export const insertChild = <H>(core: Core<H>, child: Child<H>): void => {
  core.children.set(child.id, child)
  if (core.dynamic === undefined) core.order.push(child)
  core.unready += weighs(child)
}

/** The next generated id of a dynamic supervisor that nobody has chosen: a child may be called `1` as well. */
export const generateId = (core: Core<any>, taken: { readonly has: (id: string) => boolean }): string => {
  let id = `${++core.generated}`
  while (taken.has(id)) id = `${++core.generated}`
  return id
}

/** Removes a child from the books; its life has ended. */
export const removeChild = <H>(core: Core<H>, child: Child<H>): void => {
  setPhase(core, child, "stopped")
  core.children.delete(child.id)
  if (core.dynamic !== undefined) return
  const index = core.order.indexOf(child)
  if (index < 0) return
  core.order.splice(index, 1)
  if (core.plan !== undefined) {
    if (index < core.plan.from) core.plan.from--
    if (index < core.plan.cursor) core.plan.cursor--
  }
}

/** The child as reports name it. */
export const offenderOf = (core: Core, child: Child): Offender => ({
  id: child.id,
  path: `${core.path}/${child.id}`,
  type: child.spec.type,
  restart: child.spec.restart,
  incarnation: child.incarnation
})

/** Reports something about a child. */
export const report = (core: Core, event: ReportDraft): void => {
  core.out.push({ _tag: "Report", event })
}

/** Answers a waiting administrator with success. */
export const accept = (core: Core, ticket: Ticket, started?: StartedChild): void => {
  core.out.push(started === undefined ? { _tag: "Accept", ticket } : { _tag: "Accept", ticket, started })
}

/** Answers a waiting administrator with a refusal. */
export const refuseTicket = (core: Core, ticket: Ticket, reason: AdminReason, cause?: unknown): void => {
  core.out.push(
    cause === undefined ? { _tag: "Refuse", ticket, reason } : { _tag: "Refuse", ticket, reason, cause }
  )
}

/** The next delay of a child's backoff. */
export const nextDelayMs = (core: Core, child: Child): number =>
  backoffDelayMs(child.spec.backoff, child.attempt, core.random)
