/**
 * What the package exports as `holdfast/runtime`.
 *
 * The files next to this one import each other by name and never through it: it is not an internal barrel but the
 * one list of what users of the package may rely on. Everything that is not named here (the core, the shell, the
 * bridge) can change without notice.
 * Promises: every name here is described in docs/runtime.md; removing or changing one is a breaking change.
 * Never: holds code, or hands out a name of a dependency.
 */
export type {
  Backoff,
  Budget,
  ChildPolicy,
  PolicyOptions,
  RestartType,
  StopBudget,
  WhenExhausted
} from "./child-policy.ts"
export type {
  AutoShutdown,
  ChildSelf,
  ChildSpec,
  ChildStatus,
  DynamicSpec,
  Ignore,
  Instance,
  RequirementsOf,
  Running,
  Start,
  Strategy,
  SupervisorSpec,
  Template,
  WorkerSpec
} from "./child-spec.ts"
export { dynamic, ignore, supervisor, worker } from "./child-spec.ts"
export type { DeadLetter, DeadLetterReason, DeadLetters, Delivery } from "./dead-letters.ts"
export { isAccepted } from "./dead-letters.ts"
export type { ExitReason, FailureClass } from "./exit-reason.ts"
export {
  BadStartReturn,
  describeCause,
  describeError,
  describeExit,
  failureClassOf,
  GaveUp,
  isExitReason,
  isOrderly,
  NameTaken,
  normal,
  shutdown,
  StartFailed,
  StartTimedOut
} from "./exit-reason.ts"
export type { Inspection, Transition, TransitionDetail, TransitionObserver } from "./inspection.ts"
export { logEvent, type LogLevelName } from "./log-event.ts"
export type {
  ActorRequirements,
  EffectActor,
  MachineChildOptions,
  StreamActorScope
} from "./machine-child.ts"
export { effectActor, machineChild, streamActor } from "./machine-child.ts"
export type { PendingTimer } from "./machine-timers.ts"
export type { Mailbox, MailboxDepth, MailboxLoss, MailboxOptions, Overflow } from "./mailbox.ts"
export type { ErrorReport, Observer, Offender, SupervisionEvent } from "./reports.ts"
export { formatReport } from "./reports.ts"
export { SpecInvalid } from "./spec-validation.ts"
export type { StartupEvent, StartupStep, StartupStepState } from "./startup.ts"
export { StartupProgress } from "./startup.ts"
export { type RootSpec, startTree, type TreeOptions } from "./supervisor.ts"
export { subtree } from "./supervisor-shell.ts"
export type {
  AdminReason,
  ChildCounts,
  ChildDown,
  ChildLine,
  Phase,
  StartedChild,
  StopReport,
  SupervisorFlags,
  Tree,
  TreeEnd,
  TreeFigures,
  TreeNode
} from "./tree.ts"
export { AdminError, Deaf } from "./tree.ts"
