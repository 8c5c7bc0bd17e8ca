/**
 * Chart: a statechart as data, from the machine itself.
 *
 * The diagrams of docs/machines, the API and the console show the same machines; one walk over them keeps the three from
 * differing. XState's own graph function loses guards and eventless transitions, so the walk is ours.
 *
 * Promises: the same machine always gives the same chart; every state, transition, guard and deadline is in it; states
 * come parents first, in the order of the machine.
 * Never: runs a machine.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"

/** A state. `id` is its path, joined by points, and empty for the machine itself. */
export interface ChartState {
  readonly id: string
  readonly parent: string | null
  readonly key: string
  readonly type: "atomic" | "compound" | "parallel" | "final" | "history"
  readonly initial: string | null
  readonly description: string | null
  readonly tags: ReadonlyArray<string>
  readonly runs: ReadonlyArray<string>
}

/** A transition. `to` is null when it is handled and stays; `event` is "" for one without. */
export interface ChartTransition {
  readonly from: string
  readonly to: string | null
  readonly event: string
  /** The event as people read it, with what it comes from and its guard. */
  readonly label: string
  readonly guard: string | null
  readonly actions: ReadonlyArray<string>
}

export interface Chart {
  readonly initial: string | null
  readonly states: ReadonlyArray<ChartState>
  readonly transitions: ReadonlyArray<ChartTransition>
}

const idOf = (node: AnyStateNode): string => node.path.join(".")

const children = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  Object.values(node.states).toSorted((a, b) => a.order - b.order)

const walk = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [node, ...children(node).flatMap(walk)]

const eventLabel = (type: string): string => {
  const after = /^xstate\.after\.([^.]+)\./.exec(type)
  if (after !== null) return /^\d+$/.test(after[1] ?? "") ? `after ${after[1]} ms` : `after ${after[1]}`
  if (type.startsWith("xstate.done.actor.")) return "done"
  if (type.startsWith("xstate.error.actor.")) return "error"
  if (type.startsWith("xstate.done.state.")) return "finished"
  return type === "" ? "always" : type
}

const guardOf = ({ guard }: AnyTransitionDefinition): string | null => {
  if (guard === undefined) return null
  if (typeof guard === "string") return guard
  if (typeof guard === "function") return guard.name || "guard"
  return "type" in guard ? guard.type : "guard"
}

const actionOf = (action: unknown): string => {
  if (typeof action === "string") return action
  const isObject = (typeof action === "object" && action !== null) || typeof action === "function"
  const type: unknown = isObject && "type" in action ? action.type : undefined
  if (typeof type === "string") return type
  return typeof action === "function" && action.name !== "" ? action.name : "action"
}

/** XState's own: what `after` adds to arm and disarm its timers. */
const isOurs = (action: string): boolean => action !== "xstate.raise" && action !== "xstate.cancel"

/** Where an error or result comes from: the slot of the invoke, so that two `done` edges can be distinguished. */
const sourceLabel = (node: AnyStateNode, type: string): string => {
  const match = /^xstate\.(?:done|error)\.actor\.(.+)$/.exec(type)
  if (match === null) return ""
  const invoke = node.invoke.find((definition) => definition.id === match[1])
  return invoke === undefined ? "" : ` ${slotOf(invoke.src)}`
}

const slotOf = (src: unknown): string => (typeof src === "string" ? src : "work")

const transitionsOf = (node: AnyStateNode): ReadonlyArray<ChartTransition> => {
  const found: Array<ChartTransition> = []
  const add = (event: string, transition: AnyTransitionDefinition): void => {
    const guard = guardOf(transition)
    const label = `${eventLabel(event)}${event === "" ? "" : sourceLabel(node, event)}${guard === null ? "" : ` [${guard}]`}`
    const actions = transition.actions.map(actionOf).filter(isOurs)
    const targets = transition.target ?? []
    const edge = { from: idOf(node), event, label, guard, actions }
    if (targets.length === 0) found.push({ ...edge, to: null })
    for (const target of targets) found.push({ ...edge, to: idOf(target) })
  }
  for (const [event, transitions] of node.transitions)
    for (const transition of transitions) add(event, transition)
  for (const transition of node.always ?? []) add("", transition)
  return found
}

const initialOf = (node: AnyStateNode): string | null => {
  const target = node.initial?.target[0]
  return target === undefined ? null : idOf(target)
}

const stateOf = (node: AnyStateNode): ChartState => ({
  id: idOf(node),
  parent: node.parent === undefined ? null : idOf(node.parent),
  key: node.key,
  type: node.type,
  initial: initialOf(node),
  description: node.description ?? null,
  tags: [...node.tags].toSorted(),
  runs: node.invoke.map(({ src }) => slotOf(src))
})

/** The chart of a machine. */
export const chartOf = (machine: AnyStateMachine): Chart => {
  const nodes = walk(machine.root)
  return {
    initial: initialOf(machine.root),
    states: nodes.map(stateOf),
    transitions: nodes.flatMap(transitionsOf)
  }
}
