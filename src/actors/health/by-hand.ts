/**
 * Events by hand: what may be sent to a component in practice mode, and the sending.
 *
 * Somebody who debugs wants to see what a machine does when it hears that the database is gone, without taking the database away. It
 * hears of what did not happen, so this is for practice mode alone.
 *
 * Promises: nothing is sent in PAPER or LIVE; what a machine would ignore is refused with the state it is in; what is sent is what the
 * machine takes from its own sources, so the journal shows it as every other event.
 * Never: sends an event with data (machines/hand-events.ts); asks who gives the command.
 */
import { Effect } from "effect"
import { ControlRefused } from "../../domain/control/control.ts"
import { machineOf } from "../../domain/health/past.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { HealthSourceService } from "../../layers/health/health-source.port.ts"
import { handEventsOf } from "../../machines/hand-events.ts"
import { isAccepted } from "../../runtime/dead-letters.ts"
import type { Tree, TreeNode } from "../../runtime/tree.ts"

interface Parts {
  readonly settings: Pick<Settings, "mode">
  readonly tree: () => Tree | null
}

const nodeAt = (node: TreeNode, path: string): TreeNode | undefined => {
  if (node.path === path) return node
  for (const child of node.children) {
    const found = nodeAt(child, path)
    if (found !== undefined) return found
  }
  return undefined
}

const eventsOf = ({ path, type }: TreeNode): ReadonlyArray<string> => handEventsOf(machineOf(path, type))

/** Why an event is not sent to a component; null where it may be. */
const refusal = (parts: Parts, tree: Tree | null, path: string, event: string): ControlRefused | null => {
  const refused = (reason: string, message: string) => new ControlRefused({ path, reason, message })
  if (parts.settings.mode !== "PRACTICE")
    return refused(
      "practice_only",
      `events are sent by hand in practice mode only: in ${parts.settings.mode} they would tell ${path} of what did not happen`
    )
  if (tree === null) return refused("starting", "the tree is still starting")
  const node = nodeAt(tree.snapshot(), path)
  if (node === undefined) return new ControlRefused({ path, reason: "not_found" })
  const events = eventsOf(node)
  if (!events.includes(event))
    return refused(
      "event_unknown",
      `${path} takes by hand ${events.length === 0 ? "no event" : `only ${events.join(", ")}`}`
    )
  return tree.takes(path, { type: event })
    ? null
    : refused(
        "event_ignored",
        `${path} is ${node.state === "" ? node.phase : node.state}: nothing there takes ${event}`
      )
}

/** The parts of the source of health that are about events by hand. */
export const byHand = (parts: Parts): Pick<HealthSourceService, "handEvents" | "send"> => ({
  handEvents: (path) => {
    const tree = parts.tree()
    if (tree === null || parts.settings.mode !== "PRACTICE") return []
    const node = nodeAt(tree.snapshot(), path)
    return node === undefined ? [] : eventsOf(node).filter((event) => tree.takes(path, { type: event }))
  },
  send: (path, event) =>
    Effect.suspend(() => {
      const tree = parts.tree()
      const why = refusal(parts, tree, path, event)
      if (why !== null || tree === null) return why === null ? Effect.void : Effect.fail(why)
      return isAccepted(tree.send(path, { type: event }))
        ? Effect.void
        : Effect.fail(
            new ControlRefused({ path, reason: "not_delivered", message: `${path} did not take ${event}` })
          )
    })
})
