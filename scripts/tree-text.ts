/**
 * Tree text: the supervision tree as lines for a terminal, and as what Graphviz draws.
 *
 * Promises: a line for each component, indented below its supervisor; states are told apart without colours.
 * Never: asks a service.
 */
import type { z } from "zod"
import type { actor } from "../src/wire/operations.ts"

export type Component = z.infer<typeof actor>

const depthOf = ({ path }: Component): number => path.split("/").length - 1
const nameOf = ({ path }: Component): string => path.slice(path.lastIndexOf("/") + 1)
/** Told apart without colours, which a log or a pipe does not have. */
const markOf = ({ phase, ready }: Component): string => (phase === "failed" ? "x" : ready ? "+" : "-")

const lineOf = (component: Component): string => {
  const { last_error, mailbox, phase, restarts, since, state } = component
  const facts = [
    phase === "running" ? state : `${phase} ${state}`,
    `since ${since}`,
    ...(restarts === 0 ? [] : [`${restarts} restarts`]),
    ...(mailbox === null || mailbox.depth === 0 ? [] : [`${mailbox.depth} waiting`]),
    ...(last_error === null ? [] : [`last error: ${last_error}`])
  ]
  return `${"  ".repeat(depthOf(component))}${markOf(component)} ${nameOf(component)}  ${facts.join(", ")}`
}

export const textOf = (components: ReadonlyArray<Component>): string => components.map(lineOf).join("\n")

export const dotOf = (components: ReadonlyArray<Component>): string =>
  [
    "digraph tree {",
    "  rankdir=LR; node [shape=box];",
    ...components.map(
      (component) =>
        `  ${JSON.stringify(component.path)} [label=${JSON.stringify(`${nameOf(component)}\n${component.state}`)}${component.ready ? "" : ", style=dashed"}];`
    ),
    ...components.flatMap(({ path }) =>
      path.includes("/")
        ? [`  ${JSON.stringify(path.slice(0, path.lastIndexOf("/")))} -> ${JSON.stringify(path)};`]
        : []
    ),
    "}"
  ].join("\n")
