/**
 * Node store: the port to the lease of this node, one row however many accounts the node holds.
 *
 * Promises: of two lives of one node at most one has the lease; a live one is never taken from another life unless the
 * caller proves that life dead. A renewal reports when the lease had expired in between: another life may then have taken
 * what was ours, though not necessarily.
 * Never: compares times of two machines; every time in here is the database's own.
 */
import { Context, type Effect } from "effect"
import type { ProcessMark } from "../../domain/platform/node-life.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

export interface NodeLife {
  readonly nodeId: string
  readonly life: string
  readonly mark: ProcessMark
}

export type Opening =
  | { readonly _tag: "Held" }
  /** Another life of the node is leased for about `remainingMs` more. */
  | {
      readonly _tag: "Leased"
      readonly life: string
      readonly mark: ProcessMark
      readonly remainingMs: number
    }

export interface Renewal {
  /** False: another life has the node. */
  readonly held: boolean
  /** The lease had expired when it was renewed. */
  readonly lapsed: boolean
  /** Accounts this life owns, by the rows. */
  readonly accounts: number
}

export interface NodeStoreService {
  /** Takes the node's lease if it is free, expired, ours already, or that of `provenDead`. */
  readonly open: (
    me: NodeLife,
    leaseMs: number,
    provenDead: string | null
  ) => Effect.Effect<Opening, DatabaseUnavailable>
  /** Extends the lease to `leaseMs` from now. */
  readonly renew: (life: string, leaseMs: number) => Effect.Effect<Renewal, DatabaseUnavailable>
  /** Ends the lease, so that a successor need not wait. */
  readonly release: (life: string) => Effect.Effect<void, DatabaseUnavailable>
}

export class NodeStore extends Context.Service<NodeStore, NodeStoreService>()("holdfast/layers/NodeStore") {}
