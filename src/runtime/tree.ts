/**
 * The tree as its users see it: snapshot, end, stop report, administration by path.
 *
 * Health, readiness, the watchdog, the console and the tests all read this one interface, so they cannot
 * disagree about what is running.
 * Promises: `snapshot` is synchronous and costs O(children); every administrative effect has an answer in
 * bounded time, or the typed reason why not.
 * Never: exposes the internals of a supervisor.
 */
import { Data, type Effect, type Scope } from "effect"
import type { EventObject } from "xstate"
import type { Budget, RestartType } from "./child-policy.ts"
import type {
  AutoShutdown,
  ChildSpec,
  DynamicSpec,
  Instance,
  Strategy,
  SupervisorSpec
} from "./child-spec.ts"
import type { DeadLetters, Delivery } from "./dead-letters.ts"
import type { ExitReason, GaveUp } from "./exit-reason.ts"
import type { Inspection } from "./inspection.ts"
import type { PendingTimer } from "./machine-timers.ts"
import type { MailboxDepth } from "./mailbox.ts"
import type { Observer, SupervisionEvent } from "./reports.ts"

/**
 * Where a child is in its life. `stopped`: has a spec and no life (ended for good, terminated or ignored);
 * `failed`: parked; `waiting`: its turn in a start or group restart has not come; `paused`: by an operator.
 */
export type Phase =
  | "waiting"
  | "starting"
  | "running"
  | "stopping"
  | "backingOff"
  | "failed"
  | "stopped"
  | "paused"

/** One component in the snapshot. Times are epoch milliseconds. */
export interface TreeNode {
  readonly id: string
  readonly path: string
  readonly type: "worker" | "supervisor" | "dynamic"
  readonly phase: Phase
  /** The child's own name for its state; the phase when it has none. */
  readonly state: string
  readonly ready: boolean
  readonly readiness: "required" | "optional"
  readonly tags: ReadonlyArray<string>
  /** When the current phase began. */
  readonly since: number
  readonly incarnation: number
  /** Restarts since it was added. */
  readonly restarts: number
  /** Failed attempts since it was last stable; 0 when stable. */
  readonly attempt: number
  /** When the next attempt is due, while backing off or failed. */
  readonly nextAt?: number
  readonly restart: RestartType
  /** Restarts used of the child's own budget (a supervisor shows its group's under `group`). */
  readonly budget: { readonly used: number; readonly max: number; readonly withinMs: number }
  readonly group?: {
    readonly used: number
    readonly max: number
    readonly withinMs: number
    readonly strategy: Strategy | "dynamic"
  }
  readonly mailbox?: MailboxDepth
  readonly lastError?: string
  readonly detail: Record<string, unknown>
  readonly children: ReadonlyArray<TreeNode>
}

/** How the tree ended. */
export type TreeEnd =
  | { readonly _tag: "Stopped"; readonly report: StopReport }
  | { readonly _tag: "GaveUp"; readonly error: GaveUp; readonly report: StopReport }
  | { readonly _tag: "AutoShutdown"; readonly report: StopReport }

/** What a stop did. `killed` names every component that did not end within its budget: its drain was cut or it was abandoned. */
export interface StopReport {
  readonly elapsedMs: number
  readonly deadlineMs: number
  readonly killed: ReadonlyArray<string>
}

/** A supervisor did not answer a ping in time; `path` is the deepest one known not to have answered. */
export class Deaf extends Data.TaggedError("Deaf")<{ readonly path: string; readonly deadlineMs: number }> {
  override get message(): string {
    return `${this.path} did not answer a ping within ${this.deadlineMs} ms`
  }
}

export type AdminReason =
  | "not_found"
  | "already_started"
  | "already_present"
  | "running"
  | "restarting"
  | "not_running"
  | "not_allowed"
  | "spec_invalid"
  | "start_failed"
  | "mailbox_full"
  | "stopping"

/** An administrative request was refused; nothing was changed unless `reason` is `start_failed`. */
export class AdminError extends Data.TaggedError("AdminError")<{
  readonly operation: string
  readonly path: string
  readonly reason: AdminReason
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.operation} ${this.path}: ${this.reason}`
  }
}

/** Answer of a start by an administrator. `extra` is what the child's start handed out. */
export interface StartedChild {
  readonly path: string
  readonly incarnation: number
  readonly ignored: boolean
  readonly extra?: unknown
}
/** OTP's count_children. */
export interface ChildCounts {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}
/** OTP's which_children, one line per child. */
export interface ChildLine {
  readonly id: string
  readonly path: string
  readonly type: "worker" | "supervisor" | "dynamic"
  readonly phase: Phase
  readonly incarnation: number
}
/** The end of one incarnation, as seen by a watcher. */
export interface ChildDown {
  readonly path: string
  readonly incarnation: number
  readonly reason: ExitReason
}
/** New flags for a running supervisor; absent fields keep their value. */
export interface SupervisorFlags {
  readonly strategy?: Strategy
  readonly intensity?: Budget
  readonly autoShutdown?: AutoShutdown
}

/** A running tree. Paths are `root/trading/market`. */
export interface Tree {
  readonly path: string
  readonly snapshot: () => TreeNode
  /** True when every child that readiness needs is ready. O(1). */
  readonly ready: () => boolean
  /**
   * True when every worker at or below a path is ready, the optional ones included; false when nothing is there or a
   * supervisor on the way has not started. Looks at no more than what is below, and copies nothing.
   */
  readonly readyBelow: (path: string) => boolean
  /** The timers of a child that wait, the next first; empty for a path without any. Not in the snapshot, which all children share. */
  readonly timers: (path: string) => ReadonlyArray<PendingTimer>
  /** Whether a child has anything to do for an event in its state now; false for a path without a machine. */
  readonly takes: (path: string, event: EventObject) => boolean
  /** Completes when the tree has ended, for whatever reason. */
  readonly awaitEnd: Effect.Effect<TreeEnd>
  /** Stops everything in reverse order inside the tree's global deadline. Idempotent. */
  readonly stop: Effect.Effect<StopReport>
  /** Travels through the mailbox of every supervisor. */
  readonly ping: (deadlineMs: number) => Effect.Effect<void, Deaf>
  /** Sends an event to a child; anything but an accepted delivery is a counted dead letter. */
  readonly send: <E extends EventObject>(path: string, event: E) => Delivery
  readonly startChild: <R>(
    supervisorPath: string,
    spec: ChildSpec<R>
  ) => Effect.Effect<StartedChild, AdminError, Exclude<R, Scope.Scope>>
  /** Adds a child to a dynamic supervisor. */
  readonly startInstance: (
    supervisorPath: string,
    instance: Instance
  ) => Effect.Effect<StartedChild, AdminError>
  /** Stops a child and keeps its spec (temporary and dynamic children are removed). Idempotent. */
  readonly terminateChild: (path: string) => Effect.Effect<void, AdminError>
  /** Starts a stopped child from its kept spec. */
  readonly restartChild: (path: string) => Effect.Effect<StartedChild, AdminError>
  /** Removes the spec of a stopped child. */
  readonly deleteChild: (path: string) => Effect.Effect<void, AdminError>
  /** Stops a child and keeps it down, even through group restarts, until it is resumed. */
  readonly pause: (path: string) => Effect.Effect<void, AdminError>
  readonly resume: (path: string) => Effect.Effect<StartedChild, AdminError>
  /** Stops a running child and starts it again at once, outside every budget: an operator's restart. */
  readonly bounce: (path: string) => Effect.Effect<StartedChild, AdminError>
  readonly whichChildren: (supervisorPath: string) => Effect.Effect<ReadonlyArray<ChildLine>, AdminError>
  readonly countChildren: (supervisorPath: string) => Effect.Effect<ChildCounts, AdminError>
  readonly getChildSpec: (path: string) => Effect.Effect<ChildSpec<never>, AdminError>
  readonly setFlags: (supervisorPath: string, flags: SupervisorFlags) => Effect.Effect<void, AdminError>
  /** Replaces flags and specs of a running supervisor: lives continue, removed specs are kept, new ones are not started. */
  readonly reconfigure: <R>(
    supervisorPath: string,
    spec: SupervisorSpec<R> | DynamicSpec<R>
  ) => Effect.Effect<void, AdminError, Exclude<R, Scope.Scope>>
  /** The path of the child that holds a name taken with `self.register`. */
  readonly whereIs: (name: string) => string | undefined
  /** Completes when the current incarnation of the child has ended; fails `not_running` when there is none. */
  readonly watch: (path: string) => Effect.Effect<ChildDown, AdminError>
  readonly inspection: Inspection
  readonly deadLetters: DeadLetters
  /** Adds an observer of supervision reports; the returned function removes it. */
  readonly observe: (observer: Observer<SupervisionEvent>) => () => void
  /** Figures about the runtime itself. */
  readonly figures: () => TreeFigures
}

export interface TreeFigures {
  readonly restarts: number
  readonly deadLetters: number
  readonly observerFaults: number
  /** Incarnations that outlived their stop budget and have still not ended. */
  readonly abandoned: ReadonlyArray<string>
}
