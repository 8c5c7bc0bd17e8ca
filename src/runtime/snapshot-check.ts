/**
 * Whether a machine can go on from a kept state: a new version of a program meets what an older one has saved.
 *
 * XState drops what it does not know of a snapshot in silence (an effect, a deadline) or waits in half a state, and a
 * machine restored that way waits for ever. Every part of the kept state that the machine lacks is found here first.
 * Promises: nothing of the state or the machine runs; a reason names the part in one line.
 * Never: finds what only the program knows (a context of another shape), or an effect or a deadline that a new version
 * adds to a state: they begin when the state is entered next.
 */
import { Data } from "effect"
import type { AnyStateMachine, AnyStateNode } from "xstate"
import { describeError } from "./exit-reason.ts"

/** A machine child was started with a kept state its machine cannot go on from. `reason` is one line. */
export class StateIncompatible extends Data.TaggedError("StateIncompatible")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path} cannot go on from its kept state: ${this.reason} (onIncompatible: "fresh" starts without it)`
  }
}

type Fields = Readonly<Record<string, unknown>>
const isRecord = (value: unknown): value is Fields => typeof value === "object" && value !== null

interface KeptDeadline {
  readonly source: ReadonlyArray<string>
  readonly event: { readonly type: string }
}
const isDeadline = (value: unknown): value is KeptDeadline =>
  isRecord(value) &&
  Array.isArray(value["source"]) &&
  Array.isArray(value["target"]) &&
  typeof value["id"] === "string" &&
  typeof value["at"] === "number" &&
  isRecord(value["event"]) &&
  typeof value["event"]["type"] === "string"

const walk = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  node,
  ...Object.values(node.states).flatMap(walk)
]

/** The leaves of a state value, `A.B`. */
const leavesOf = (value: unknown, above = ""): ReadonlyArray<string> => {
  const at = above === "" ? "" : `${above}.`
  if (typeof value === "string") return [`${at}${value}`]
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, below]) => {
    const leaves = leavesOf(below, `${at}${key}`)
    return leaves.length === 0 ? [`${at}${key}`] : leaves
  })
}

const faultOfValue = (machine: AnyStateMachine, value: unknown): string | undefined => {
  try {
    const resolved = machine.resolveState({ value: value as never, context: {} }).value
    const [was, is] = [leavesOf(value), leavesOf(resolved)]
    // XState would fill the rest in, without its entry actions, its effects and its deadlines.
    return was.toSorted().join("+") === is.toSorted().join("+")
      ? undefined
      : `its state ${was.join("+")} is ${is.join("+")} in this machine`
  } catch (error) {
    return error instanceof Error ? error.message : describeError(error)
  }
}

const faultOfEffects = (machine: AnyStateMachine, children: Fields): string | undefined => {
  const actors: Fields = machine.implementations.actors
  for (const [id, child] of Object.entries(children)) {
    const src = isRecord(child) ? child["src"] : undefined
    // An effect without a name of its own is called after its place in the state, which is checked already.
    if (typeof src !== "string" || src.startsWith("xstate.invoke.")) continue
    const logic = actors[src]
    if (logic === undefined) return `this machine has no effect ${src}`
    const below = isMachine(logic) && isRecord(child) ? faultOfSnapshot(logic, child["snapshot"]) : undefined
    if (below !== undefined) return `${id}: ${below}`
  }
  return undefined
}
const isMachine = (logic: unknown): logic is AnyStateMachine => isRecord(logic) && "__xstatenode" in logic

const faultOfSnapshot = (machine: AnyStateMachine, snapshot: unknown): string | undefined => {
  if (!isRecord(snapshot)) return "it is no snapshot of a machine"
  if (snapshot["status"] === "done") return undefined
  const { children, status, value } = snapshot
  if (status !== "active" || value === undefined || !isRecord(children))
    return "it is no snapshot of a machine"
  return faultOfValue(machine, value) ?? faultOfEffects(machine, children)
}

const faultOfDeadlines = (
  machine: AnyStateMachine,
  deadlines: ReadonlyArray<KeptDeadline>
): string | undefined => {
  const nodes = walk(machine.root)
  const gone = deadlines.find(
    ({ event, source }) =>
      source.length === 0 &&
      event.type.startsWith("xstate.after.") &&
      !nodes.some((node) => node.transitions.has(event.type))
  )
  return gone === undefined ? undefined : `no state of this machine has its deadline ${gone.event.type}`
}

/** What of a kept state the machine lacks, in one line; nothing when it can go on from it, or when it has ended. */
export const misfitOf = (machine: AnyStateMachine, kept: unknown): string | undefined => {
  const snapshot = isRecord(kept) ? kept["snapshot"] : undefined
  const fault = faultOfSnapshot(machine, snapshot)
  if (fault !== undefined || !isRecord(kept) || (snapshot as Fields)["status"] === "done") return fault
  const deadlines: unknown = kept["deadlines"]
  if (!Array.isArray(deadlines) || !deadlines.every(isDeadline)) return "it has no list of deadlines"
  return faultOfDeadlines(machine, deadlines)
}
