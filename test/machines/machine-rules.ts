/**
 * The rules every machine of the catalog keeps, as functions of any machine, so that each can be shown to fail.
 *
 * They look at the statechart only: what an event means, and whether an effect ever answers, is not in it.
 * Promises: each returns the offences by the name of the state, and none for a machine that keeps them.
 * Never: runs a machine.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"
import { answerOf, effectsOf, eventsOf, waitingStates } from "../../scripts/matrix.ts"

/** Why a state without a deadline is one by design. */
export interface Rest {
  /** The events from outside that end the wait; none for an end that still takes what comes late. */
  readonly until: ReadonlyArray<string>
  readonly why: string
}
/** The states of one machine that rest by design, by their path. */
export type Rests = Readonly<Record<string, Rest>>

const walk = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  node,
  ...Object.values(node.states).flatMap(walk)
]
const statesOf = (machine: AnyStateMachine): ReadonlyArray<AnyStateNode> => walk(machine.root).slice(1)
const nameOf = (node: AnyStateNode): string => node.path.join(".") || "everywhere"
const upwards = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  node.parent === undefined ? [node] : [node, ...upwards(node.parent)]

const raises = (transition: AnyTransitionDefinition): boolean =>
  transition.actions.some((action) => (action as { readonly type?: string }).type === "xstate.raise")

/** Out of the node, or into it again. A target inside of it goes on with the same deadline, which fires once only. */
const leaves = (node: AnyStateNode, transition: AnyTransitionDefinition): boolean =>
  (transition.target ?? []).some((target) => transition.reenter || !upwards(target).includes(node)) ||
  raises(transition)

/** XState takes the first whose guard says yes: something is sure to happen when one has no guard and all lead on. */
const isSure = (node: AnyStateNode, candidates: ReadonlyArray<AnyTransitionDefinition>): boolean => {
  const last = candidates.findIndex(({ guard }) => guard === undefined)
  return last >= 0 && candidates.slice(0, last + 1).every((transition) => leaves(node, transition))
}

/** True when time, or nothing at all, is sure to move the node itself on. */
const movesOn = (node: AnyStateNode): boolean => {
  const delays = new Set(node.after.map(({ eventType }) => eventType))
  return (
    isSure(node, node.always ?? []) ||
    [...delays].some((delay) =>
      isSure(
        node,
        node.after.filter(({ eventType }) => eventType === delay)
      )
    )
  )
}
/** The root is not asked: its deadline fires once in the life of the machine, and bounds no state entered after. */
const hasDeadline = (node: AnyStateNode): boolean =>
  upwards(node).some((one) => one.path.length > 0 && movesOn(one))

/** A state whose entry throws is left as it is entered: the machine has crashed. */
const crashesOnEntry = (machine: AnyStateMachine, node: AnyStateNode): boolean =>
  node.tags.includes("failed") &&
  node.entry.some((action) => {
    const named = typeof action === "string" ? action : (action as { readonly type?: string }).type
    const implementations: Readonly<Record<string, unknown>> = machine.implementations.actions
    const implemented = named === undefined ? action : implementations[named]
    if (typeof implemented !== "function") return false
    try {
      implemented({})
      return false
    } catch {
      return true
    }
  })

/** An event of the state itself, or of one around it, that can lead out of it. */
const isLeftBy = (node: AnyStateNode, event: string): boolean =>
  upwards(node).some((one) =>
    (one.transitions.get(event) ?? []).some((transition) =>
      (transition.target ?? []).some((target) => target !== node)
    )
  )

const faultOfRest = (node: AnyStateNode, rest: Rest | undefined): string | undefined => {
  const isTagged = node.tags.includes("resting")
  if (hasDeadline(node))
    return rest !== undefined || isTagged ? "rests although it has a deadline" : undefined
  if (rest === undefined) return "waits forever"
  if (!isTagged) return "rests without the tag resting"
  const deaf = rest.until.find((event) => !isLeftBy(node, event))
  if (deaf !== undefined) return `is not left by ${deaf}`
  return rest.until.length === 0 && !node.tags.includes("stopped") ? "is left by no event" : undefined
}

/** No state waits without a deadline, save those that rest by design: those say for which event, and carry a tag. */
export const waitsForEver = (machine: AnyStateMachine, rests: Rests = {}): ReadonlyArray<string> => {
  const waiting = waitingStates(machine).filter((node) => !crashesOnEntry(machine, node))
  const names = new Set(waiting.map(nameOf))
  return [
    ...waiting.flatMap((node) => {
      const fault = faultOfRest(node, rests[nameOf(node)])
      return fault === undefined ? [] : [`${nameOf(node)} ${fault}`]
    }),
    ...Object.keys(rests).flatMap((name) => (names.has(name) ? [] : [`${name} is no waiting state`]))
  ]
}

/** Whether a key with a wildcard takes some of the events in which XState tells of the failure of an effect. */
const takesErrors = (key: string): boolean => {
  if (key === "*") return true
  if (!key.endsWith(".*")) return false
  const prefix = key.slice(0, -1)
  return "xstate.error.".startsWith(prefix) || prefix.startsWith("xstate.error.")
}
/** No wildcard takes the failure of an effect: it would vanish there, whoever wrote it for other events. */
export const swallowsErrors = (machine: AnyStateMachine): ReadonlyArray<string> =>
  walk(machine.root).flatMap((node) =>
    [...node.transitions.keys()].filter(takesErrors).map((key) => `${nameOf(node)} takes ${key}`)
  )

/** Every effect's failure is handled, save those of the slots that end the component on purpose. */
export const crashesBySurprise = (
  machine: AnyStateMachine,
  onPurpose: ReadonlyArray<string> = []
): ReadonlyArray<string> =>
  effectsOf(machine).flatMap(({ failure, slot, state }) =>
    failure === "crashes" && !onPurpose.includes(slot) ? [`${slot} in ${state}`] : []
  )

/** Every state says what it means. */
export const unexplained = (machine: AnyStateMachine): ReadonlyArray<string> =>
  statesOf(machine)
    .filter((node) => (node.description ?? "").length <= 15)
    .map(nameOf)

/** Every event the machine names is taken in some state it can be found in. */
export const neverTaken = (machine: AnyStateMachine): ReadonlyArray<string> =>
  eventsOf(machine).filter((event) =>
    waitingStates(machine).every((node) => answerOf(node, event) === "fault")
  )

/** No state is ready and failing at once. */
export const contradictory = (machine: AnyStateMachine): ReadonlyArray<string> =>
  statesOf(machine)
    .filter(({ tags }) => tags.includes("ready") && (tags.includes("backingOff") || tags.includes("failed")))
    .map(nameOf)
