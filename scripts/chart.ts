/**
 * Chart page: a statechart as a mermaid diagram and as text, from its chart (src/machines/chart.ts).
 *
 * A diagram drawn by hand is true for a week. This one is generated from the same object that runs, carries
 * the guarantee of each state (its `description`) and is compared with the committed file by the checks.
 *
 * Promises: the same machine always gives the same text; every state, transition, guard and deadline is in it.
 * Never: reads or writes a file (see draw.ts).
 */
import type { AnyStateMachine } from "xstate"
import { type Chart, type ChartState, type ChartTransition, chartOf } from "../src/machines/chart.ts"

/** Mermaid takes no points in names. */
const name = (id: string): string => id.replaceAll(".", "_")

const childrenOf = (chart: Chart, parent: string): ReadonlyArray<ChartState> =>
  chart.states.filter((state) => state.parent === parent)

const edgesOf = (chart: Chart, id: string): ReadonlyArray<ChartTransition> =>
  chart.transitions.filter(({ from }) => from === id)

const declare = (chart: Chart, state: ChartState, indent: string): ReadonlyArray<string> => {
  const kids = childrenOf(chart, state.id)
  if (kids.length === 0) return [`${indent}state "${state.key}" as ${name(state.id)}`]
  return [
    `${indent}state "${state.key}" as ${name(state.id)} {`,
    ...(state.type === "parallel"
      ? kids.flatMap((kid, index) => [
          ...(index === 0 ? [] : [`${indent}  --`]),
          ...declare(chart, kid, `${indent}  `)
        ])
      : [
          ...(state.initial === null ? [] : [`${indent}  [*] --> ${name(state.initial)}`]),
          ...kids.flatMap((kid) => declare(chart, kid, `${indent}  `))
        ]),
    `${indent}}`
  ]
}

const mermaidOf = (chart: Chart): ReadonlyArray<string> => {
  // Edges with the same ends become one arrow with several lines: a diagram with parallel arrows is unreadable.
  const merged = new Map<string, Array<string>>()
  for (const { from, label, to } of chart.transitions) {
    if (from === "" || to === null || to === "") continue
    const key = `${name(from)} --> ${name(to)}`
    merged.set(key, [...(merged.get(key) ?? []), label])
  }
  return [
    "stateDiagram-v2",
    "  direction TB",
    ...childrenOf(chart, "").flatMap((state) => declare(chart, state, "  ")),
    ...(chart.initial === null ? [] : [`  [*] --> ${name(chart.initial)}`]),
    ...[...merged].map(([ends, labels]) => `  ${ends}: ${[...new Set(labels)].join("<br/>")}`),
    ...chart.states.filter(({ type }) => type === "final").map(({ id }) => `  ${name(id)} --> [*]`)
  ]
}

const line = ({ label, to }: ChartTransition): string =>
  `  - \`${label}\`${to === null ? " stays, handled" : ` to **${to || "the start"}**`}`

const textOf = (chart: Chart, state: ChartState): ReadonlyArray<string> => {
  const edges = edgesOf(chart, state.id)
  const tags = state.tags.length === 0 ? "" : ` (${state.tags.join(", ")})`
  return [
    `### ${state.id}${tags}`,
    "",
    ...(state.description === null ? [] : [state.description, ""]),
    ...(state.runs.length === 0 ? [] : [`Runs: ${state.runs.map((slot) => `\`${slot}\``).join(", ")}.`, ""]),
    ...edges.map(line),
    ...(edges.length === 0 ? [] : [""])
  ]
}

/** The whole page of one machine, Markdown with one mermaid diagram. */
export const pageOf = (title: string, source: string, machine: AnyStateMachine): string => {
  const chart = chartOf(machine)
  const everywhere = edgesOf(chart, "")
  return [
    `# ${title}`,
    "",
    `Generated from \`${source}\` by \`npm run draw\`; the checks fail when it differs.`,
    "",
    "```mermaid",
    ...mermaidOf(chart),
    "```",
    "",
    ...(everywhere.length === 0 ? [] : ["## In every state", "", ...everywhere.map(line), ""]),
    "## States",
    "",
    ...chart.states.filter(({ id }) => id !== "").flatMap((state) => textOf(chart, state))
  ]
    .join("\n")
    .trimEnd()
    .concat("\n")
}
