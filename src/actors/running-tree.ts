/**
 * Running tree: where the tree of this process can be found once it stands.
 *
 * The listener is a child of the tree and must answer for the whole of it, also while the rest still starts; so the
 * tree is handed in afterwards.
 *
 * Promises: null before the tree stands, the same tree ever after.
 * Never: starts or stops it.
 */
import { Context, Layer } from "effect"
import type { Tree } from "../runtime/tree.ts"

export interface RunningTreeService {
  readonly tree: () => Tree | null
  readonly attach: (tree: Tree) => void
}

export class RunningTree extends Context.Service<RunningTree, RunningTreeService>()(
  "holdfast/actors/RunningTree"
) {
  static readonly layer: Layer.Layer<RunningTree> = Layer.sync(RunningTree, () => {
    let running: Tree | null = null
    return RunningTree.of({
      tree: () => running,
      attach: (tree) => {
        running = tree
      }
    })
  })
}
