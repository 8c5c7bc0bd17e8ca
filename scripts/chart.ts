/**
 * Chart: a statechart as a mermaid diagram and as text, from the machine itself.
 *
 * A diagram drawn by hand is true for a week. This one is generated from the same object that runs, carries
 * the guarantee of each state (its `description`) and is compared with the committed file by the checks.
 *
 * Promises: the same machine always gives the same text; every state, transition, guard and deadline is in it.
 * Never: reads or writes a file (see draw.ts).
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"

const idOf = (node: AnyStateNode): string => node.path.join("_")
const nameOf = (node: AnyStateNode): string => node.path.join(".")

const children = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  Object.values(node.states).toSorted((a, b) => a.order - b.order)

const eventLabel = (type: string): string => {
  const after = /^xstate\.after\.([^.]+)\./.exec(type)
  if (after !== null) return /^\d+$/.test(after[1] ?? "") ? `after ${after[1]} ms` : `after ${after[1]}`
  const done = /^xstate\.done\.actor\./.exec(type)
  if (done !== null) return "done"
  if (type.startsWith("xstate.error.actor.")) return "error"
  if (type.startsWith("xstate.done.state.")) return "finished"
  return type
}

const guardLabel = (transition: AnyTransitionDefinition): string => {
  const { guard } = transition
  if (guard === undefined) return ""
  if (typeof guard === "string") return ` [${guard}]`
  if (typeof guard === "function") return ` [${guard.name || "guard"}]`
  return ` [${"type" in guard ? guard.type : "guard"}]`
}

/** Where an error or result comes from: the slot of the invoke, so that two `done` edges can be distinguished. */
const sourceLabel = (node: AnyStateNode, type: string): string => {
  const match = /^xstate\.(?:done|error)\.actor\.(.+)$/.exec(type)
  if (match === null) return ""
  const invoke = node.invoke.find((definition) => definition.id === match[1])
  return invoke === undefined ? "" : ` ${typeof invoke.src === "string" ? invoke.src : "work"}`
}

interface Edge {
  readonly from: AnyStateNode
  readonly to: AnyStateNode | null
  readonly label: string
}

const edgesOf = (node: AnyStateNode): ReadonlyArray<Edge> => {
  const edges: Array<Edge> = []
  const add = (type: string, transition: AnyTransitionDefinition): void => {
    const label =
      type === ""
        ? `always${guardLabel(transition)}`
        : `${eventLabel(type)}${sourceLabel(node, type)}${guardLabel(transition)}`
    const targets = transition.target ?? []
    if (targets.length === 0) edges.push({ from: node, to: null, label })
    for (const target of targets) edges.push({ from: node, to: target, label })
  }
  for (const [type, transitions] of node.transitions)
    for (const transition of transitions) add(type, transition)
  for (const transition of node.always ?? []) add("", transition)
  return edges
}

const walk = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [node, ...children(node).flatMap(walk)]

const declare = (node: AnyStateNode, indent: string): ReadonlyArray<string> => {
  const kids = children(node)
  if (kids.length === 0) return [`${indent}state "${node.key}" as ${idOf(node)}`]
  const initial = node.initial?.target[0]
  return [
    `${indent}state "${node.key}" as ${idOf(node)} {`,
    ...(node.type === "parallel"
      ? kids.flatMap((kid, index) => [
          ...(index === 0 ? [] : [`${indent}  --`]),
          ...declare(kid, `${indent}  `)
        ])
      : [
          ...(initial === undefined ? [] : [`${indent}  [*] --> ${idOf(initial)}`]),
          ...kids.flatMap((kid) => declare(kid, `${indent}  `))
        ]),
    `${indent}}`
  ]
}

const mermaidOf = (machine: AnyStateMachine): ReadonlyArray<string> => {
  const root = machine.root
  const initial = root.initial?.target[0]
  // Edges with the same ends become one arrow with several lines: a diagram with parallel arrows is unreadable.
  const merged = new Map<string, Array<string>>()
  for (const node of walk(root)) {
    if (node === root) continue
    for (const edge of edgesOf(node)) {
      if (edge.to === null || edge.to === root) continue
      const key = `${idOf(edge.from)} --> ${idOf(edge.to)}`
      merged.set(key, [...(merged.get(key) ?? []), edge.label])
    }
  }
  return [
    "stateDiagram-v2",
    "  direction TB",
    ...children(root).flatMap((node) => declare(node, "  ")),
    ...(initial === undefined ? [] : [`  [*] --> ${idOf(initial)}`]),
    ...[...merged].map(([ends, labels]) => `  ${ends}: ${[...new Set(labels)].join("<br/>")}`),
    ...walk(root)
      .filter((node) => node.type === "final")
      .map((node) => `  ${idOf(node)} --> [*]`)
  ]
}

const line = (edge: Edge): string =>
  `  - \`${edge.label}\`${edge.to === null ? " stays, handled" : ` to **${nameOf(edge.to) || "the start"}**`}`

const textOf = (node: AnyStateNode): ReadonlyArray<string> => {
  const tags = node.tags.length === 0 ? "" : ` (${[...node.tags].toSorted().join(", ")})`
  const invokes = node.invoke.map((invoke) => (typeof invoke.src === "string" ? invoke.src : "work"))
  return [
    `### ${nameOf(node) || node.machine.id}${tags}`,
    "",
    ...(node.description === undefined ? [] : [node.description, ""]),
    ...(invokes.length === 0 ? [] : [`Runs: ${invokes.map((name) => `\`${name}\``).join(", ")}.`, ""]),
    ...edgesOf(node).map(line),
    ...(edgesOf(node).length === 0 ? [] : [""])
  ]
}

/** The whole page of one machine, Markdown with one mermaid diagram. */
export const pageOf = (name: string, source: string, machine: AnyStateMachine): string => {
  const [root, ...states] = walk(machine.root)
  const everywhere = root === undefined ? [] : edgesOf(root)
  return [
    `# ${name}`,
    "",
    `Generated from \`${source}\` by \`npm run draw\`; the checks fail when it differs.`,
    "",
    "```mermaid",
    ...mermaidOf(machine),
    "```",
    "",
    ...(everywhere.length === 0 ? [] : ["## In every state", "", ...everywhere.map(line), ""]),
    "## States",
    "",
    ...states.flatMap(textOf)
  ]
    .join("\n")
    .trimEnd()
    .concat("\n")
}
