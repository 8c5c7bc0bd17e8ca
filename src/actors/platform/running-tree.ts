/**
 * Running tree: where the tree of this process can be found once it is up.
 *
 * The listener is a child of the tree and must answer for all of it, even while the rest is still starting; so the
 * tree is handed in afterwards.
 *
 * Promises: null before the tree is up, the same tree ever after.
 * Never: starts or stops it.
 */
import { Context, Layer } from "effect"
import type { Family } from "../../layers/platform/figures.port.ts"
import type { Tree, TreeNode } from "../../runtime/tree.ts"

export interface RunningTreeService {
  readonly tree: () => Tree | null
  readonly attach: (tree: Tree) => void
  /** A component is gone for good: what is remembered of it goes as well. */
  readonly forget: (path: string) => void
  /** The current tree, null before it is up. `since` of a component is when its visible state began. */
  readonly snapshot: () => TreeNode | null
}

interface Dated extends Omit<TreeNode, "children" | "since"> {
  since: number
  readonly children: ReadonlyArray<Dated>
}

interface Shown {
  readonly state: string
  readonly incarnation: number
  readonly since: number
}

/**
 * Since when each component shows the state it shows. The supervisor knows when a life began, the transitions show when
 * it last moved; only a move that changes what an operator sees counts (a routine probe inside `Available` does not).
 */
const makeStateClock = () => {
  // Both are bounded by the components of the tree: a path that is gone for good is forgotten.
  const shown = new Map<string, Shown>()
  const movedAt = new Map<string, number>()
  /** Dates the nodes of one snapshot in place: the snapshot is ours, and there may be ten thousand nodes. */
  const date = (node: Dated): void => {
    const before = shown.get(node.path)
    if (before?.state === node.state && before.incarnation === node.incarnation) node.since = before.since
    else {
      node.since = Math.max(node.since, movedAt.get(node.path) ?? 0)
      shown.set(node.path, { state: node.state, incarnation: node.incarnation, since: node.since })
    }
    for (const child of node.children) date(child)
  }
  const forget = (path: string): void => {
    shown.delete(path)
    movedAt.delete(path)
  }
  return { date, forget, moved: (path: string, at: number): void => void movedAt.set(path, at) }
}

/** What the runtime counts about itself, shown with the root: an undelivered event must be visible somewhere. */
const figuresOf = (tree: Tree): Record<string, unknown> => {
  const { abandoned, deadLetters, observerFaults, restarts } = tree.figures()
  return { restarts, dead_letters: deadLetters, observer_faults: observerFaults, abandoned }
}

/** The same for a scraper. */
export const treeFigures = (tree: Tree): ReadonlyArray<Family> => [
  {
    name: "holdfast_dead_letters_total",
    help: "Events that reached no component, or none that handles them.",
    type: "counter",
    samples: [{ labels: {}, value: tree.figures().deadLetters }]
  }
]

const makeRunningTree = (): RunningTreeService => {
  let running: Tree | null = null
  const clock = makeStateClock()
  return {
    tree: () => running,
    forget: clock.forget,
    attach: (tree) => {
      running = tree
      tree.inspection.subscribe(({ at, path }) => clock.moved(path, at))
    },
    snapshot: () => {
      if (running === null) return null
      const root = running.snapshot()
      clock.date(root)
      return { ...root, detail: figuresOf(running) }
    }
  }
}

export class RunningTree extends Context.Service<RunningTree, RunningTreeService>()(
  "holdfast/actors/RunningTree"
) {
  static readonly layer: Layer.Layer<RunningTree> = Layer.sync(RunningTree, makeRunningTree)
}
