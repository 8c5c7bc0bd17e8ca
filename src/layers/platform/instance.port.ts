/**
 * Instance: which node this is, which of its lives, and whether that life acts for the node.
 *
 * The identity comes with the lock on DATA_DIR. A lock is valid on one host only and a copied directory has one of its own, so the
 * right to act for the node is a lease in the database (T16): the node component takes it, renews it, and publishes here how
 * it stands. Whoever takes anything in the node's name checks here first.
 *
 * Promises: `nodeId` is a random UUID kept in DATA_DIR, the same for every life that holds its lock; `life` is the owner
 * that leases, waves and claims name; `standing` is `Held` only while the lease of the node is this life's.
 * Never: is derived from a host name or an address, which two machines can share.
 */
import { Context, Data, Effect } from "effect"
import { lifeName } from "../../domain/platform/node-life.ts"
import type { LeaseDeadline } from "./lease-deadline.ts"

/** DATA_DIR is not held yet, so nobody knows which node this is. It is held before there is a database. */
export class NodeUnknown extends Data.TaggedError("NodeUnknown") {
  override readonly message = "this process has no node identity yet: it does not hold its data directory"
}

export interface InstanceIdentity {
  readonly nodeId: string
  readonly bootId: string
  /** Both: the owner recorded wherever something is owned. */
  readonly life: string
}

export type Standing =
  /** Not known yet, or no longer: nothing may be taken in the node's name. */
  | { readonly _tag: "Unknown" }
  /** The lease of the node is ours until `deadline`, by our own clocks. */
  | { readonly _tag: "Held"; readonly deadline: LeaseDeadline }
  /** Another living process has this node's id: a copy of DATA_DIR. */
  | { readonly _tag: "Cloned"; readonly by: string }

export interface InstanceService {
  /** Known once the `database` component holds DATA_DIR; `null` before. */
  readonly current: () => InstanceIdentity | null
  readonly assign: (identity: Omit<InstanceIdentity, "life">) => void
  readonly standing: () => Standing
  readonly stand: (next: Standing) => void
  /** The standing, as soon as it is known. Callers that wait need a deadline of their own. */
  readonly settled: Effect.Effect<Exclude<Standing, { readonly _tag: "Unknown" }>>
}

export class Instance extends Context.Service<Instance, InstanceService>()("holdfast/layers/Instance") {}

/** An instance that gets its identity once the lock on DATA_DIR is held, and its standing from the node component. */
export const makeInstance = (): InstanceService => {
  let identity: InstanceIdentity | null = null
  let standing: Standing = { _tag: "Unknown" }
  // Bounded by the fibers that wait, each with a deadline of its own.
  const waiters = new Set<() => void>()
  return {
    current: () => identity,
    assign: ({ bootId, nodeId }) => {
      identity = { nodeId, bootId, life: lifeName(nodeId, bootId) }
    },
    standing: () => standing,
    stand: (next) => {
      standing = next
      if (next._tag === "Unknown") return
      const waiting = [...waiters]
      waiters.clear()
      for (const look of waiting) look()
    },
    settled: Effect.callback((resume) => {
      const look = (): void => {
        if (standing._tag === "Unknown") waiters.add(look)
        else resume(Effect.succeed(standing))
      }
      look()
      return Effect.sync(() => waiters.delete(look))
    })
  }
}
