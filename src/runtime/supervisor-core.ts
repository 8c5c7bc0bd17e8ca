/**
 * The pure supervisor core: one event in, commands out.
 *
 * This is OTP's supervisor as a state machine that never waits: starts, stops and delays are commands whose ends
 * come back as events, so administrators, pings and crashes of siblings are handled in between.
 * Promises: deterministic for a seed and a sequence of events; constant work per event for dynamic and
 * one_for_one supervisors (scans of the order happen only in group restarts, boot and stop of static ones).
 * Never: performs I/O, reads a clock, throws for anything a child does.
 */
import { Cause } from "effect"
import { SeededRandom } from "./backoff.ts"
import type { DynamicSpec, SupervisorSpec } from "./child-spec.ts"
import { administrate } from "./core-admin.ts"
import {
  advancePlan,
  advanceShutdown,
  beginShutdown,
  failChild,
  finishBoot,
  retire,
  startChild
} from "./core-restart.ts"
import {
  accept,
  type Child,
  type Command,
  type Core,
  type CoreEvent,
  generateId,
  insertChild,
  makeChild,
  offenderOf,
  refuseTicket,
  removeChild,
  report,
  setPhase,
  setReady
} from "./core-state.ts"
import { describeExit, type ExitReason, GaveUp, isOrderly, type StartFailed, tagOf } from "./exit-reason.ts"
import { RestartWindow } from "./restart-budget.ts"

/** Instances that are started before the supervisor's mailbox is read again. */
const bootAtOnce = 64

/** A supervisor that has not been booted. */
export const makeCore = <H>(
  path: string,
  spec: SupervisorSpec<any> | DynamicSpec<any>,
  seed: number,
  nowMs: number
): Core<H> => {
  const core: Core<H> = {
    path,
    dynamic: spec.type === "dynamic" ? spec.template : undefined,
    strategy: spec.type === "dynamic" ? "one_for_one" : spec.strategy,
    intensity: spec.intensity,
    autoShutdown: spec.type === "dynamic" ? "never" : spec.autoShutdown,
    status: "new",
    ending: undefined,
    children: new Map(),
    order: [],
    plan: undefined,
    alive: 0,
    booting: new Set(),
    unbooted: undefined,
    unready: 0,
    reportedReady: false,
    generated: 0,
    restarts: 0,
    window: new RestartWindow(),
    random: new SeededRandom(seed),
    nowMs,
    out: []
  }
  if (spec.type === "dynamic") {
    const chosen = new Set(spec.instances.map((instance) => instance.id))
    for (const { args, id } of spec.instances)
      insertChild(core, makeChild<H>(id ?? generateId(core, chosen), spec.template, args, nowMs))
  } else for (const child of spec.children) insertChild(core, makeChild<H>(child.id, child, undefined, nowMs))
  return core
}

/** True when booted, not stopping, and every child that readiness needs is ready. */
export const isReady = (core: Core<any>): boolean => core.status === "running" && core.unready === 0

/** Handles one event at `nowMs` (monotonic milliseconds) and returns the commands, in the order to be carried out. */
export const handle = <H>(
  typedCore: Core<H>,
  event: CoreEvent<H>,
  nowMs: number
): ReadonlyArray<Command<H>> => {
  // Inside, the handle is opaque; the type parameter only serves the shell.
  const core = typedCore as unknown as Core
  core.nowMs = nowMs
  core.out = []
  dispatch(core, event)
  const ready = isReady(core)
  if (ready !== core.reportedReady) {
    core.reportedReady = ready
    core.out.push({ _tag: "Readiness", ready })
  }
  return core.out as unknown as ReadonlyArray<Command<H>>
}

type Down = CoreEvent & { readonly _tag: "Down" }

const dispatch = (core: Core, event: CoreEvent): void => {
  switch (event._tag) {
    case "Boot":
      return boot(core)
    case "GoOn":
      return bootMore(core)
    case "Started":
      return isCurrent(event) ? started(core, event) : undefined
    case "Ignored":
      return isCurrent(event) ? ignored(core, event.child) : undefined
    case "Ready":
      return isCurrent(event) && event.child.phase === "running"
        ? readiness(core, event.child, event.ready, event.state)
        : undefined
    case "Down":
      return isCurrent(event) ? down(core, event) : undefined
    case "Timer":
      return event.child.timer === event.timer ? timer(core, event.child) : undefined
    case "Shutdown":
      return beginShutdown(core, { _tag: "Stopped" })
    default:
      return administrate(core, event)
  }
}

/** An event of an earlier incarnation (an abandoned one that ended late) is irrelevant to the current one. */
const isCurrent = (event: { readonly child: Child; readonly incarnation: number }): boolean =>
  event.child.incarnation === event.incarnation &&
  (event.child.phase === "starting" || event.child.phase === "running" || event.child.phase === "stopping")

const boot = (core: Core): void => {
  core.status = "booting"
  if (core.dynamic === undefined) {
    core.plan = { from: 0, stage: "starting", cursor: 0 }
    return advancePlan(core)
  }
  core.unbooted = core.children.values()
  bootMore(core)
}

/**
 * Instances do not depend on each other, so they start at the same time: as many at once as one turn is for, and then
 * whoever else waits for the event loop has it.
 */
const bootMore = (core: Core): void => {
  if (core.status !== "booting") return
  for (let begun = 0; core.unbooted !== undefined;) {
    if (begun === bootAtOnce) return void core.out.push({ _tag: "Continue" })
    const next = core.unbooted.next()
    if (next.done === true) core.unbooted = undefined
    // An instance that was paused or started by an administrator meanwhile no longer belongs to the boot.
    else if (next.value.phase === "waiting") {
      begun += 1
      core.booting.add(next.value)
      startChild(core, next.value)
    }
  }
  settleDynamicBoot(core)
}

const settleDynamicBoot = (core: Core): void => {
  if (core.dynamic !== undefined && core.unbooted === undefined && core.booting.size === 0) finishBoot(core)
}

const settleBoot = (core: Core, child: Child): void => {
  if (core.booting.delete(child)) settleDynamicBoot(core)
}

const started = (core: Core, event: CoreEvent & { _tag: "Started" }): void => {
  const child = event.child
  // A stop overtook the start; its Down is on the way.
  if (child.phase !== "starting") return
  setPhase(core, child, "running")
  report(core, {
    _tag: "Started",
    offender: offenderOf(core, child),
    elapsedMs: event.elapsedMs,
    restarted: child.incarnation > 1
  })
  if (child.spec.restart === "temporary") forgetStart(core, child)
  if (event.ready) readiness(core, child, true, "running")
  if (child.startTicket !== undefined) {
    accept(core, child.startTicket, {
      path: `${core.path}/${child.id}`,
      incarnation: child.incarnation,
      ignored: false,
      extra: event.extra
    })
    child.startTicket = undefined
  }
  settleBoot(core, child)
  advancePlan(core)
}

/** A temporary child is never restarted, so what its start was made of must not be kept alive by us. */
const forgetStart = (core: Core, child: Child): void => {
  child.args = undefined
  if (core.dynamic === undefined) child.spec = { ...child.spec, start: forgotten } as Child["spec"]
}
const forgotten = (): never => {
  throw new Error("the start of a temporary child is not kept")
}

const ignored = (core: Core, child: Child): void => {
  report(core, { _tag: "Ignored", offender: offenderOf(core, child) })
  const ticket = child.startTicket
  child.startTicket = undefined
  if (ticket !== undefined)
    accept(core, ticket, { path: `${core.path}/${child.id}`, incarnation: child.incarnation, ignored: true })
  settleBoot(core, child)
  stoppedTickets(core, child)
  child.after = undefined
  retire(core, child)
  advancePlan(core)
  advanceShutdown(core)
}

const readiness = (core: Core, child: Child, ready: boolean, state: string): void => {
  if (child.ready === ready) return
  setReady(core, child, ready)
  report(
    core,
    ready
      ? { _tag: "Ready", offender: offenderOf(core, child) }
      : { _tag: "Unready", offender: offenderOf(core, child), state }
  )
}

const timer = (core: Core, child: Child): void => {
  if (child.phase !== "backingOff" && child.phase !== "failed") return
  child.nextMs = undefined
  if (
    core.plan !== undefined &&
    core.order.indexOf(child) >= core.plan.from &&
    core.strategy !== "one_for_one"
  ) {
    setPhase(core, child, "waiting")
    return advancePlan(core)
  }
  startChild(core, child)
}

const down = (core: Core, event: Down): void => {
  const { child, reason, startFailed } = event
  const after = child.after
  child.after = undefined
  reportDown(core, event, after !== undefined)
  if (after === undefined && startFailed !== undefined) return startDown(core, child, startFailed)
  settleBoot(core, child)
  if (after !== undefined) return askedDown(core, child, after)
  if (
    child.spec.restart === "temporary" ||
    (child.spec.restart === "transient" && isOrderly(reason) && !mustClimb(reason))
  ) {
    retire(core, child)
    if (!endedBySignificant(core, child)) advancePlan(core)
    return
  }
  setPhase(core, child, "waiting")
  failChild(core, child, causeOf(reason), describeExit(reason))
}

/** A nested supervisor that gave up over a failure that must not be retried takes its parent down, whatever its restart type. */
const mustClimb = (reason: ExitReason): boolean => gaveUpIn(reason)?.why === "not_retryable"

/** Why a nested supervisor gave up. The tag first: a child's detail may be anything, even a value `instanceof` throws for. */
const gaveUpIn = (reason: ExitReason): GaveUp | undefined =>
  reason._tag === "Shutdown" && tagOf(reason.detail) === "GaveUp" && reason.detail instanceof GaveUp
    ? reason.detail
    : undefined

const causeOf = (reason: ExitReason): Cause.Cause<unknown> => {
  if (reason._tag === "Crashed") return reason.cause
  return Cause.fail(gaveUpIn(reason) ?? new Error(describeExit(reason)))
}

const askedDown = (core: Core, child: Child, after: NonNullable<Child["after"]>): void => {
  switch (after) {
    case "hold":
      retire(core, child)
      break
    case "pause":
      setPhase(core, child, "paused")
      report(core, { _tag: "Paused", offender: offenderOf(core, child) })
      break
    case "bounce":
      setPhase(core, child, "waiting")
      startChild(core, child)
      break
    case "replan":
      if (child.spec.restart === "temporary") removeChild(core, child)
      else setPhase(core, child, "waiting")
      break
    case "shutdown":
      setPhase(core, child, "stopped")
      break
  }
  stoppedTickets(core, child)
  advancePlan(core)
  advanceShutdown(core)
}

const stoppedTickets = (core: Core, child: Child): void => {
  const tickets = child.stopTickets
  child.stopTickets = undefined
  if (tickets !== undefined) for (const ticket of tickets) accept(core, ticket)
}

const startDown = (core: Core, child: Child, error: StartFailed): void => {
  const ticket = child.startTicket
  child.startTicket = undefined
  child.lastError = error.reason
  if (ticket !== undefined) {
    refuseTicket(core, ticket, "start_failed", error)
    if (ticket.operation === "startChild" || ticket.operation === "startInstance") {
      removeChild(core, child)
      return advancePlan(core)
    }
    if (ticket.operation === "restartChild") {
      setPhase(core, child, "stopped")
      return advancePlan(core)
    }
  }
  const retryable = error.failureClass !== "configuration" && error.failureClass !== "fatal"
  if (core.status === "booting" && (child.spec.initialStart === "fail" || !retryable)) {
    setPhase(core, child, "stopped")
    return beginShutdown(core, { _tag: "StartFailed", error })
  }
  setPhase(core, child, "waiting")
  settleBoot(core, child)
  if (child.spec.restart === "temporary") {
    removeChild(core, child)
    return advancePlan(core)
  }
  // A child that retries is skipped at boot, even when it retries at once.
  if (core.plan?.stage === "starting" && core.order[core.plan.cursor] === child) core.plan.cursor++
  // With `initialStart: "retry"` the parent has started although a group strategy makes the siblings wait.
  if (core.strategy !== "one_for_one" && core.dynamic === undefined) finishBoot(core)
  // The path of the child itself adds nothing new about the child.
  failChild(
    core,
    child,
    Cause.fail(error),
    error.path === `${core.path}/${child.id}` ? error.reason : error.message
  )
  advancePlan(core)
}

const reportDown = (core: Core, event: Down, asked: boolean): void => {
  const { child, elapsedMs, killedAfterMs, reason, startFailed } = event
  const offender = offenderOf(core, child)
  if (killedAfterMs !== undefined) report(core, { _tag: "Killed", offender, budgetMs: killedAfterMs })
  if (asked) {
    if (reason._tag === "Crashed")
      report(core, {
        _tag: "SupervisorError",
        errorContext: "shutdown_error",
        offender,
        reason: describeExit(reason),
        cause: reason.cause
      })
    return report(core, { _tag: "Stopped", offender, reason: describeExit(reason), elapsedMs })
  }
  if (startFailed !== undefined) {
    return report(core, {
      _tag: "SupervisorError",
      errorContext: "start_error",
      offender,
      reason: startFailed.reason,
      cause: startFailed
    })
  }
  if (isOrderly(reason) && child.spec.restart !== "permanent")
    return report(core, { _tag: "Stopped", offender, reason: describeExit(reason), elapsedMs })
  const cause = reason._tag === "Crashed" ? { cause: reason.cause } : {}
  report(core, {
    _tag: "SupervisorError",
    errorContext: "child_terminated",
    offender,
    reason: describeExit(reason),
    ...cause
  })
}

/** Ends the supervisor when the end of this significant child asks for it; true when it does. */
const endedBySignificant = (core: Core, child: Child): boolean => {
  if (!child.spec.significant || core.autoShutdown === "never") return false
  if (core.autoShutdown === "all_significant") {
    for (const other of core.children.values())
      if (other !== child && other.spec.significant && other.phase !== "stopped") return false
  }
  report(core, {
    _tag: "Escalated",
    offender: offenderOf(core, child),
    why: "auto_shutdown",
    reason: core.autoShutdown
  })
  beginShutdown(core, { _tag: "AutoShutdown", child: `${core.path}/${child.id}` })
  return true
}
