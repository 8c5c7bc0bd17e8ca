/**
 * Live tree: where the reloader finds who changes the components of this process, once there are any.
 *
 * The reloader is older than the tree: the listener, a child of the tree, must be able to give its commands. So the tree is
 * handed in afterwards, by whoever builds it (actors/service/reshape.ts).
 *
 * Promises: null before the tree is up.
 * Never: changes a component itself.
 */
import { Context, type Effect, Layer } from "effect"
import type { TreeChange } from "../../domain/control/tree-change.ts"
import type { Settings } from "../../domain/kernel/settings.ts"

/** What became of a change: paths of components, in the order in which they were dealt with. */
export interface ComponentsOutcome {
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  readonly restarted: ReadonlyArray<string>
  /** Their supervisor proceeds with them by its policy. */
  readonly failed: ReadonlyArray<{ readonly path: string; readonly reason: string }>
}

/** Brings the tree to the settings `next`. Never fails: what does not start is named. */
export type Reshape = (next: Settings, change: TreeChange) => Effect.Effect<ComponentsOutcome>

export interface LiveTreeService {
  readonly reshape: () => Reshape | null
  readonly attach: (reshape: Reshape) => void
}

export class LiveTree extends Context.Service<LiveTree, LiveTreeService>()("holdfast/actors/LiveTree") {
  static readonly layer: Layer.Layer<LiveTree> = Layer.sync(LiveTree, () => {
    let attached: Reshape | null = null
    return {
      reshape: () => attached,
      attach: (reshape) => {
        attached = reshape
      }
    }
  })
}
