/**
 * Administration of children by an operator: start, terminate, restart, delete, pause, resume, bounce.
 *
 * OTP's five calls with OTP's refusals, and three verbs an operator of a running service needs: `pause` keeps a
 * child down through group restarts, `resume` brings it back, `bounce` restarts it now outside every budget.
 * Promises: every ticket is answered exactly once, even when the supervisor stops meanwhile.
 * Never: waits; the answer to a stop comes when the life has ended.
 */
import { clearTimer, retire, advancePlan, startChild, stopChild } from "./core-restart.ts"
import {
  accept,
  type Child,
  type Core,
  type CoreEvent,
  generateId,
  insertChild,
  isAlive,
  isPending,
  makeChild,
  offenderOf,
  refuseTicket,
  removeChild,
  report,
  setPhase,
  type Ticket
} from "./core-state.ts"
import type { AdminReason } from "./tree.ts"

type AdminEvent = Extract<CoreEvent, { readonly ticket: Ticket }>

/** Carries out one administrative event. */
export const administrate = (core: Core, event: AdminEvent): void => {
  if (core.status === "stopping" || core.status === "ended")
    return refuseTicket(core, event.ticket, "stopping")
  if (event._tag === "AddChild") return addChild(core, event)
  if (event._tag === "AddInstance") return addInstance(core, event)
  if (event._tag === "Reconfigure") return reconfigure(core, event)
  const child = core.children.get(event.id)
  if (child === undefined) {
    // A generated id that was given out before belongs to a child that has ended: terminating it is idempotent.
    const number = Number(event.id)
    const ended =
      core.dynamic !== undefined && Number.isInteger(number) && number > 0 && number <= core.generated
    return ended && event._tag === "Terminate"
      ? accept(core, event.ticket)
      : refuseTicket(core, event.ticket, "not_found")
  }
  const refusal = verbs[event._tag](core, child, event.ticket)
  if (refusal !== undefined) refuseTicket(core, event.ticket, refusal)
}

const addChild = (core: Core, event: AdminEvent & { _tag: "AddChild" }): void => {
  if (core.dynamic !== undefined) return refuseTicket(core, event.ticket, "not_allowed")
  const present = core.children.get(event.spec.id)
  if (present !== undefined)
    return refuseTicket(core, event.ticket, isAlive(present) ? "already_started" : "already_present")
  if (event.spec.significant && core.autoShutdown === "never")
    return refuseTicket(core, event.ticket, "spec_invalid", "a significant child needs autoShutdown")
  add(core, makeChild(event.spec.id, event.spec, undefined, core.nowMs), event.ticket)
}

const addInstance = (core: Core, event: AdminEvent & { _tag: "AddInstance" }): void => {
  const template = core.dynamic
  if (template === undefined) return refuseTicket(core, event.ticket, "not_allowed")
  const id = event.instance.id ?? generateId(core, core.children)
  if (core.children.has(id)) return refuseTicket(core, event.ticket, "already_started")
  add(core, makeChild(id, template, event.instance.args, core.nowMs), event.ticket)
}

const add = (core: Core, child: Child, ticket: Ticket): void => {
  insertChild(core, child)
  child.startTicket = ticket
  startChild(core, child)
}

/**
 * OTP's code change: new flags and new specs for a running supervisor. Lives continue untouched and follow the new
 * policy from their next event; specs that are gone stay while the supervisor runs, new ones are not started.
 */
const reconfigure = (core: Core, event: AdminEvent & { _tag: "Reconfigure" }): void => {
  const { spec, ticket } = event
  if ((spec.type === "dynamic") !== (core.dynamic !== undefined))
    return refuseTicket(core, ticket, "not_allowed")
  core.intensity = spec.intensity
  if (spec.type === "dynamic") {
    core.dynamic = spec.template
    for (const child of core.children.values()) respecify(core, child, spec.template)
    return accept(core, ticket)
  }
  core.strategy = spec.strategy
  core.autoShutdown = spec.autoShutdown
  const wanted = new Set(spec.children.map((child) => child.id))
  const kept = core.order.filter((child) => !wanted.has(child.id))
  const declared = spec.children.map((childSpec) => {
    const present = core.children.get(childSpec.id)
    if (present !== undefined) {
      respecify(core, present, childSpec)
      return present
    }
    const child = makeChild(childSpec.id, childSpec, undefined, core.nowMs)
    insertChild(core, child)
    setPhase(core, child, "stopped")
    return child
  })
  core.order = [...kept, ...declared]
  // The order has changed under a plan: it begins again where nothing can be forgotten.
  if (core.plan !== undefined) core.plan = { from: 0, stage: core.plan.stage, cursor: 0 }
  accept(core, ticket)
}

/** Gives a child a new spec without losing count of its readiness. */
const respecify = (core: Core, child: Child, spec: Child["spec"]): void => {
  setPhase(core, child, child.phase, spec)
}

/** Each verb answers the ticket itself, now or later, or returns the reason of its refusal. */
type Verb = (core: Core, child: Child, ticket: Ticket) => AdminReason | undefined

const whenStopped = (child: Child, ticket: Ticket): void => {
  if (child.stopTickets === undefined) child.stopTickets = [ticket]
  else child.stopTickets.push(ticket)
}

const dropStartTicket = (core: Core, child: Child): void => {
  if (child.startTicket !== undefined) refuseTicket(core, child.startTicket, "not_running")
  child.startTicket = undefined
}

const terminate: Verb = (core, child, ticket) => {
  dropStartTicket(core, child)
  if (isAlive(child)) {
    whenStopped(child, ticket)
    stopChild(core, child, "hold")
    return undefined
  }
  clearTimer(core, child)
  retire(core, child)
  accept(core, ticket)
  advancePlan(core)
  return undefined
}

const restart: Verb = (core, child, ticket) => {
  // Whoever paused it had a reason that whoever restarts it may not know: only `resume` undoes a pause.
  if (core.dynamic !== undefined || child.phase === "paused") return "not_allowed"
  if (isAlive(child)) return "running"
  if (isPending(child)) return "restarting"
  child.startTicket = ticket
  startChild(core, child)
  return undefined
}

const remove: Verb = (core, child, ticket) => {
  if (core.dynamic !== undefined) return "not_allowed"
  if (isAlive(child)) return "running"
  if (isPending(child)) return "restarting"
  removeChild(core, child)
  accept(core, ticket)
  return undefined
}

const pause: Verb = (core, child, ticket) => {
  dropStartTicket(core, child)
  if (isAlive(child)) {
    whenStopped(child, ticket)
    stopChild(core, child, "pause")
    return undefined
  }
  if (child.phase !== "paused") {
    clearTimer(core, child)
    setPhase(core, child, "paused")
    report(core, { _tag: "Paused", offender: offenderOf(core, child) })
  }
  accept(core, ticket)
  advancePlan(core)
  return undefined
}

const resume: Verb = (core, child, ticket) => {
  if (child.phase !== "paused") return isAlive(child) ? "running" : "not_running"
  report(core, { _tag: "Resumed", offender: offenderOf(core, child) })
  child.startTicket = ticket
  startChild(core, child)
  return undefined
}

const bounce: Verb = (core, child, ticket) => {
  // The pause was accepted, so it holds although the child takes its time to stop.
  if (child.phase === "paused" || (child.phase === "stopping" && child.after === "pause"))
    return "not_running"
  dropStartTicket(core, child)
  child.startTicket = ticket
  if (isAlive(child)) stopChild(core, child, "bounce")
  else startChild(core, child)
  return undefined
}

const verbs: Readonly<Record<Exclude<AdminEvent["_tag"], "AddChild" | "AddInstance" | "Reconfigure">, Verb>> =
  {
    Terminate: terminate,
    Restart: restart,
    Delete: remove,
    Pause: pause,
    Resume: resume,
    Bounce: bounce
  }
