/**
 * Positions store: the port to what we hold by our own fills, and to what the broker says we hold.
 *
 * Both numbers stand side by side in one row. Ours follows from fills and is never corrected by hand; the broker's
 * is a confirmation with a time. Only where they agree may something be closed, and a difference is an alert and
 * never a repair (W11: what is filled is filled).
 *
 * Promises: a confirmation is written under the fence of the account's owner, so an old answer of a frozen owner
 * never replaces a newer one.
 * Never: changes a quantity; fills do, in fills-store.ts.
 */
import { Context, type Effect } from "effect"
import type { OrderStatus } from "../../domain/order.ts"
import type { AccountGrant } from "./accounts-store.ts"
import type { DatabaseUnavailable } from "../database/database.ts"

/** One position that is not flat. Quantities are signed decimal strings, below zero is short. */
export interface OpenPosition {
  readonly id: string
  readonly account: string
  readonly symbol: string
  readonly epoch: number
  readonly quantity: string
  readonly averagePrice: string
  readonly stopPrice: string | null
  readonly targetPrice: string | null
  /** What the broker said last, null when it was never asked. */
  readonly confirmedQuantity: string | null
  /** Status of the exit that is alive, null when there is none. */
  readonly exitStatus: OrderStatus | null
  /**
   * The worst an unresolved order does to an exit of this position, because it may be the first half of a double sale:
   * `operator` until a human resolves it, `unresolved` while the venue is asked for longer than a round trip.
   */
  readonly blockedBy: "operator" | "unresolved" | null
  /** True when a node other than `nodeId` holds a live lease of the account. */
  readonly ownedElsewhere: boolean
}

/** A symbol about which we and the broker differ. */
export interface PositionMismatch {
  readonly symbol: string
  readonly ours: string
  readonly brokers: string
}

export type ConfirmOutcome =
  | { readonly _tag: "Confirmed"; readonly mismatches: ReadonlyArray<PositionMismatch> }
  | { readonly _tag: "StaleFence" }

export interface PositionsStoreService {
  /** Every position of the given accounts that is not flat. `nodeId` is this node, null while it is not known. */
  readonly open: (
    accounts: ReadonlyArray<string>,
    nodeId: string | null
  ) => Effect.Effect<ReadonlyArray<OpenPosition>, DatabaseUnavailable>
  /** Stores the broker's answer for the whole account: a symbol it does not name is flat there. */
  readonly confirm: (
    grant: AccountGrant,
    said: ReadonlyArray<{ readonly symbol: string; readonly quantity: string }>
  ) => Effect.Effect<ConfirmOutcome, DatabaseUnavailable>
}

export class PositionsStore extends Context.Service<PositionsStore, PositionsStoreService>()(
  "holdfast/layers/PositionsStore"
) {}
