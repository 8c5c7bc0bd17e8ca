/**
 * Matrix: what every state of every machine does with every event of its machine, and with every failed effect.
 *
 * A statechart shows what is handled; what is not is easy to overlook in it. Here each pair has an entry, so a change
 * of the machines shows in the diff of one page which events are now lost, and which errors now crash.
 * Promises: the same machines always give the same text; every waiting state and every event is in it.
 * Never: reads or writes a file (see draw.ts).
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"

/** `elsewhere`: another region of the same parallel state takes it. `fault`: nothing does; a counted dead letter. */
export type Answer = "handled" | "guarded" | "ignored" | "postponed" | "elsewhere" | "fault"

const walk = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  node,
  ...Object.values(node.states)
    .toSorted((a, b) => a.order - b.order)
    .flatMap(walk)
]
const nameOf = (node: AnyStateNode): string => node.path.join(".") || "everywhere"

/** Transitions of one node for an event, wildcards included. */
const transitionsFor = (node: AnyStateNode, event: string): ReadonlyArray<AnyTransitionDefinition> =>
  [...node.transitions]
    .filter(
      ([type]) =>
        type === event || type === "*" || (type.endsWith(".*") && event.startsWith(type.slice(0, -1)))
    )
    .flatMap(([, transitions]) => transitions)

const isPostponed = (node: AnyStateNode, event: string): boolean => {
  const meta: unknown = node.meta
  if (typeof meta !== "object" || meta === null || !("postpone" in meta)) return false
  return Array.isArray(meta.postpone) && meta.postpone.includes(event)
}

const isTakenBeside = (node: AnyStateNode, event: string): boolean => {
  const { parent } = node
  if (parent === undefined) return false
  const siblings =
    parent.type === "parallel" ? Object.values(parent.states).filter((one) => one !== node) : []
  return (
    siblings.some((region) => walk(region).some((one) => transitionsFor(one, event).length > 0)) ||
    isTakenBeside(parent, event)
  )
}

/** What a state does with an event, its ancestors included. */
export const answerOf = (leaf: AnyStateNode, event: string): Answer => {
  let isGuarded = false
  let isPutOff = false
  for (let node: AnyStateNode | undefined = leaf; node !== undefined; node = node.parent) {
    const transitions = transitionsFor(node, event)
    const sure = transitions.find((transition) => transition.guard === undefined)
    isPutOff ||= isPostponed(node, event)
    isGuarded ||= transitions.some((transition) => transition.guard !== undefined)
    if (sure === undefined) continue
    if (isGuarded) return "guarded"
    return (sure.target ?? []).length > 0 || sure.actions.length > 0 ? "handled" : "ignored"
  }
  if (isGuarded) return "guarded"
  if (isPutOff) return "postponed"
  return isTakenBeside(leaf, event) ? "elsewhere" : "fault"
}

/** States a machine can be found in: leaves that are not final. */
export const waitingStates = (machine: AnyStateMachine): ReadonlyArray<AnyStateNode> =>
  walk(machine.root).filter((node) => Object.keys(node.states).length === 0 && node.type !== "final")

/** Every event a machine names anywhere, in alphabetical order; XState's own are not among them. */
export const eventsOf = (machine: AnyStateMachine): ReadonlyArray<string> =>
  [...new Set(walk(machine.root).flatMap((node) => [...node.transitions.keys()]))]
    .filter((type) => !type.startsWith("xstate.") && !type.endsWith("*"))
    .toSorted()

/** An invoked effect and what its failure does. */
export interface InvokedEffect {
  readonly state: string
  readonly slot: string
  /** `crashes`: no state handles it, so it ends the component and the supervisor decides. */
  readonly failure: "handled" | "guarded" | "crashes"
}
export const effectsOf = (machine: AnyStateMachine): ReadonlyArray<InvokedEffect> =>
  walk(machine.root).flatMap((node) =>
    node.invoke.map(({ id, src }) => {
      // A wildcard is not consulted: it would swallow the error, which a test forbids.
      const answer = answerOf(node, `xstate.error.actor.${id}`)
      return {
        state: nameOf(node),
        slot: typeof src === "string" ? src : "work",
        failure: answer === "guarded" ? answer : answer === "fault" ? "crashes" : "handled"
      }
    })
  )

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>) => [
  `| ${head.join(" | ")} |`,
  `|${head.map(() => "--").join("|")}|`,
  ...rows.map((row) => `| ${row.join(" | ")} |`)
]

const sectionOf = (name: string, machine: AnyStateMachine): ReadonlyArray<string> => {
  const events = eventsOf(machine)
  const effects = effectsOf(machine)
  return [
    "",
    `## ${name}`,
    "",
    ...table(
      ["state", ...events.map((event) => `\`${event}\``)],
      waitingStates(machine).map((node) => [nameOf(node), ...events.map((event) => answerOf(node, event))])
    ),
    ...(effects.length === 0 ? [] : [""]),
    ...(effects.length === 0
      ? []
      : table(
          ["effect", "runs in", "its failure"],
          effects.map(({ failure, slot, state }) => [`\`${slot}\``, state, failure])
        ))
  ]
}

/** The page of all machines, Markdown. */
export const matrixOf = (
  catalog: ReadonlyArray<{ readonly name: string; readonly machine: AnyStateMachine }>
): string =>
  [
    "# Every state and every event",
    "",
    "Generated by `npm run draw`; the checks fail when it differs from the machines. `handled`: changes something.",
    "`guarded`: depends on a condition. `ignored`: taken and without effect, on purpose. `postponed`: delivered again",
    "after the state has changed. `elsewhere`: another region takes it. `fault`: nothing takes it, it is counted and",
    "logged as a dead letter. The failure of an effect that `crashes` ends the component; its supervisor decides.",
    ...catalog.flatMap(({ machine, name }) => sectionOf(name, machine)),
    ""
  ].join("\n")
