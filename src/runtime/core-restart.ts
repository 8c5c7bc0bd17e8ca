/**
 * How the core starts, stops and restarts children: policies, budgets, strategies.
 *
 * One rule serves boot, one_for_all and rest_for_one: a plan over the ordered children from an index on, which
 * stops what still lives in reverse order, waits for the delay of the failed child, and starts in order. A child
 * that fails while the plan runs only moves the plan's beginning. That is OTP's behaviour without its blocking:
 * between any two steps the supervisor answers.
 * Promises: a restart is counted before it is made; a stop is requested once per life.
 * Never: lets a child that parks burn the group's intensity.
 */
import type { Cause } from "effect"
import {
  type AfterStop,
  type Child,
  type Core,
  type Ending,
  forgive,
  isAlive,
  isStable,
  nextDelayMs,
  offenderOf,
  refuseTicket,
  removeChild,
  report,
  setPhase
} from "./core-state.ts"
import { describeCause, failureClassOf, GaveUp } from "./exit-reason.ts"
import { RestartWindow } from "./restart-budget.ts"

/** Asks the shell for a new life. */
export const startChild = (core: Core, child: Child): void => {
  clearTimer(core, child)
  child.incarnation++
  child.readySinceMs = undefined
  if (child.incarnation > 1) {
    child.restarts++
    core.restarts++
  }
  setPhase(core, child, "starting")
  report(core, { _tag: "Starting", offender: offenderOf(core, child), attempt: child.attempt })
  core.out.push({ _tag: "Start", child })
}

/** Asks the shell to end a life, and remembers what comes after. A stop already requested is not repeated. */
export const stopChild = (core: Core, child: Child, after: AfterStop): void => {
  child.after = after
  if (child.phase === "stopping") return
  setPhase(core, child, "stopping")
  core.out.push({ _tag: "Stop", child })
}

/** Cancels a pending backoff. */
export const clearTimer = (core: Core, child: Child): void => {
  if (child.nextMs === undefined) return
  child.nextMs = undefined
  child.timer++
  core.out.push({ _tag: "ClearTimer", child })
}

/** A child that must be restarted failed (or a permanent one ended): count, decide, schedule. */
export const failChild = (
  core: Core,
  child: Child,
  cause: Cause.Cause<unknown>,
  message: string = describeCause(cause)
): void => {
  const failureClass = failureClassOf(cause)
  child.lastError = message
  if (failureClass === "configuration" || failureClass === "fatal")
    return giveUp(core, child, "not_retryable", cause)
  if (isStable(child, core.nowMs)) forgive(child)
  child.readySinceMs = undefined
  child.attempt++
  const { budget, credentialsRetryMs, whenExhausted } = child.spec
  // Trying a refused password faster only locks the account; it proves nothing about the component's health.
  if (failureClass === "credentials") return schedule(core, child, credentialsRetryMs, "failed")
  if (child.parked && whenExhausted.action === "park")
    return schedule(core, child, whenExhausted.retryEveryMs, "failed")
  child.window ??= new RestartWindow()
  if (!child.window.spend(budget, core.nowMs)) {
    if (whenExhausted.action === "escalate") return giveUp(core, child, "child_budget", cause)
    child.parked = true
    return schedule(core, child, whenExhausted.retryEveryMs, "failed")
  }
  if (whenExhausted.action === "escalate" && !core.window.spend(core.intensity, core.nowMs))
    return giveUp(core, child, "group_budget", cause)
  schedule(core, child, nextDelayMs(core, child), "backingOff")
}

/** Of the budgets a restart was charged to, the one closest to exhaustion. */
const tightestBudget = (core: Core, child: Child) => {
  const { budget, whenExhausted } = child.spec
  const own = { ...budget, used: child.window?.used(budget, core.nowMs) ?? 0 }
  if (whenExhausted.action === "park") return own
  const group = { ...core.intensity, used: core.window.used(core.intensity, core.nowMs) }
  return group.used / group.max > own.used / own.max ? group : own
}

/** Puts a failed child (and, by strategy, its siblings) on the way back. */
const schedule = (core: Core, child: Child, delayMs: number, phase: "backingOff" | "failed"): void => {
  if (delayMs > 0) {
    setPhase(core, child, phase)
    child.nextMs = core.nowMs + delayMs
    child.timer++
    core.out.push({ _tag: "SetTimer", child, timer: child.timer, delayMs })
    const offender = offenderOf(core, child)
    const lastError = child.lastError ?? ""
    if (phase === "failed")
      report(core, {
        _tag: "Parked",
        offender,
        attempt: child.attempt,
        retryEveryMs: delayMs,
        inMs: delayMs,
        lastError
      })
    else
      report(core, {
        _tag: "BackingOff",
        offender,
        attempt: child.attempt,
        delayMs,
        inMs: delayMs,
        lastError,
        budget: tightestBudget(core, child)
      })
  } else setPhase(core, child, "waiting")
  if (core.dynamic !== undefined || core.strategy === "one_for_one") {
    if (delayMs <= 0) startChild(core, child)
    return
  }
  replan(core, core.strategy === "one_for_all" ? 0 : core.order.indexOf(child))
}

const replan = (core: Core, from: number): void => {
  // While children start, those before the failed one are up already and stay up; while they stop, the wider plan holds.
  const begin = core.plan?.stage === "stopping" ? Math.min(core.plan.from, from) : from
  core.plan = { from: begin, stage: "stopping", cursor: begin }
  // As in OTP a group restart also starts children that had ended or were terminated before it; one terminated while it
  // is in progress stays down, and so does a paused one.
  for (const child of core.order.slice(begin)) if (child.phase === "stopped") setPhase(core, child, "waiting")
  advancePlan(core)
}

/** Takes the plan's next step, when nothing it waits for is outstanding. */
export const advancePlan = (core: Core): void => {
  const plan = core.plan
  if (plan === undefined || core.status === "stopping" || core.status === "ended") return
  if (plan.stage === "stopping") {
    if (stopLast(core, plan.from, "replan")) return
    const members = core.order.slice(plan.from)
    if (members.some((child) => child.phase === "backingOff" || child.phase === "failed")) return
    plan.stage = "starting"
    plan.cursor = plan.from
  }
  for (let child = core.order[plan.cursor]; child !== undefined; child = core.order[++plan.cursor]) {
    if (child.phase === "waiting") startChild(core, child)
    if (child.phase === "starting") return
  }
  core.plan = undefined
  finishBoot(core)
}

/** Stops the last living child at or after `from`; true while there is one. */
export const stopLast = (core: Core, from: number, after: AfterStop): boolean => {
  for (let index = core.order.length - 1; index >= from; index--) {
    const child = core.order[index]
    if (child === undefined || !isAlive(child)) continue
    // A child that is already on its way down for another reason (terminate, pause) keeps that reason.
    if (child.phase !== "stopping") stopChild(core, child, after)
    else if (after === "shutdown") child.after = after
    return true
  }
  return false
}

/** Boot is complete: whoever started this supervisor may proceed. */
export const finishBoot = (core: Core): void => {
  if (core.status !== "booting") return
  core.status = "running"
  core.out.push({ _tag: "Booted" })
}

/** The supervisor ends itself because of a child; the children are stopped first. */
export const giveUp = (
  core: Core,
  child: Child,
  why: "group_budget" | "child_budget" | "not_retryable",
  cause: Cause.Cause<unknown>
): void => {
  setPhase(core, child, "stopped")
  report(core, { _tag: "Escalated", offender: offenderOf(core, child), why, reason: describeCause(cause) })
  beginShutdown(core, {
    _tag: "GaveUp",
    error: new GaveUp({ path: core.path, child: `${core.path}/${child.id}`, why, cause })
  })
}

/** Starts the ordered stop; the first ending given wins. */
export const beginShutdown = (core: Core, ending: Ending): void => {
  if (core.status === "stopping" || core.status === "ended") return
  core.status = "stopping"
  core.ending = ending
  core.plan = undefined
  core.out.push({ _tag: "Ending" })
  for (const child of core.children.values()) {
    if (!isAlive(child)) {
      clearTimer(core, child)
      if (child.phase !== "paused") setPhase(core, child, "stopped")
    }
    if (child.startTicket !== undefined) refuseTicket(core, child.startTicket, "stopping")
    child.startTicket = undefined
  }
  if (core.dynamic !== undefined) {
    for (const child of core.children.values()) if (isAlive(child)) stopChild(core, child, "shutdown")
  }
  advanceShutdown(core)
}

/** Stops the next child in reverse order, or ends the supervisor when none lives. */
export const advanceShutdown = (core: Core): void => {
  if (core.status !== "stopping") return
  if (core.dynamic === undefined ? stopLast(core, 0, "shutdown") : core.alive > 0) return
  core.status = "ended"
  core.out.push({ _tag: "End", ending: core.ending ?? { _tag: "Stopped" } })
}

/** Takes a child that will not be restarted off the books, or keeps its spec without a life. */
export const retire = (core: Core, child: Child): void => {
  if (child.spec.restart === "temporary" || core.dynamic !== undefined) removeChild(core, child)
  else setPhase(core, child, "stopped")
}
