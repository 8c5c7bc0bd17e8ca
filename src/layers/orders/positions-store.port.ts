/**
 * Positions store: the port to what we hold by our own fills, and to what the broker reports we hold.
 *
 * Both numbers are side by side in one row. Ours follows from fills and is never corrected by hand; the broker's
 * is a confirmation with a time. Only where they agree may something be closed, and a difference is an alert and
 * never a repair (W11: what is filled is filled).
 *
 * Promises: a confirmation is written under the fence of the account's owner, so an old answer of a frozen owner
 * never replaces a newer one.
 * Never: changes a quantity; fills do, in fills-store.port.ts. What is armed is a share, and only with prices it is given.
 */
import { Context, type Effect } from "effect"
import type { OrderStatus } from "../../domain/orders/order.ts"
import type { StopBy } from "../../domain/orders/trailing.ts"
import type { AccountGrant } from "../accounts/accounts-store.port.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

/** The last close or exit of a share, when the venue refused it. */
export interface RefusedReduce {
  /**
   * True for a close that its strategy or an operator asked for, which is wanted whatever the price does. Not for one of a partly
   * filled entry: the rest of it is closed as such, of its own opening alone (order-partial.pg.ts).
   */
  readonly isClose: boolean
  readonly byOperator: boolean
  /** How much of the share it was to close, null for all. */
  readonly wanted: string | null
  readonly reason: string | null
}

/**
 * One strategy's share of one open position. Quantities are signed decimal strings, below zero is short. Percentages are
 * those it is armed with.
 */
export interface OpenShare {
  readonly positionId: string
  readonly account: string
  readonly symbol: string
  readonly epoch: number
  readonly strategy: string
  /** Distinguishes this opening of the share from earlier ones. */
  readonly opening: string
  readonly quantity: string
  readonly averagePrice: string
  readonly stopPct: string | null
  readonly targetPct: string | null
  readonly stopPrice: string | null
  readonly targetPrice: string | null
  readonly moving: MovingState
  /** Status of the position's exit that is alive, null when there is none. */
  readonly exitStatus: OrderStatus | null
  readonly refused: RefusedReduce | null
  /**
   * The worst an unresolved order does to an exit of this position, because it may be the first half of a double sale:
   * `operator` until a human resolves it, `unresolved` while the look-up takes longer than a round trip.
   */
  readonly blockedBy: "operator" | "unresolved" | null
  /** The broker's report of it cannot be used (broker.gate.ts), so a close has nothing to be bounded by. */
  readonly isUnconfirmed: boolean
  /** True when a life other than `life` owns the account and is alive. */
  readonly ownedElsewhere: boolean
}

/** What a share has reached of what moves, and since when it is open. */
export interface MovingState {
  /** The terms its stop was made under, as one text (domain/orders/trailing.ts); null when none of them moves. */
  readonly terms: string | null
  /** The best price at which it could have been closed since it opened. */
  readonly best: string | null
  /** What set its stop; null when it has none, or was armed before stops moved. */
  readonly stopBy: StopBy | null
  /** How long it has been open, by the clock of the database. */
  readonly heldMs: number
}

/** A stop that has moved. It is stored only where it is better than the stored one. */
export interface Moved {
  readonly positionId: string
  readonly strategy: string
  readonly opening: string
  readonly best: string
  readonly stopPrice: string | null
  readonly stopBy: StopBy | null
}

/** Exit prices of a share, and the terms they are made of. */
export interface Arming {
  readonly terms: string | null
  readonly best: string | null
  readonly stopBy: StopBy | null
  readonly positionId: string
  readonly strategy: string
  readonly epoch: number
  /** That of the share the prices are for. */
  readonly opening: string
  readonly stopPct: string | null
  readonly targetPct: string | null
  readonly stopPrice: string | null
  readonly targetPrice: string | null
}

/** One row of the broker's answer. Quantity is null when what it reports is none. */
export interface ReportedPosition {
  readonly symbol: string
  readonly quantity: string | null
  readonly problem?: string
}

/** A symbol on which we and the broker differ. */
export interface PositionMismatch {
  readonly symbol: string
  readonly ours: string
  readonly brokers: string
}

export type ConfirmOutcome =
  | { readonly _tag: "Confirmed"; readonly mismatches: ReadonlyArray<PositionMismatch> }
  | { readonly _tag: "StaleFence" }

export interface AbandonedAccount {
  readonly account: string
  /** Of its open positions. */
  readonly symbols: ReadonlyArray<string>
  /** What it holds, as a phrase. */
  readonly holds: string
}

export interface PositionsStoreService {
  /** Every share of the given accounts that is not flat. `life` is this process, null while it is not known. */
  readonly open: (
    accounts: ReadonlyArray<string>,
    life: string | null
  ) => Effect.Effect<ReadonlyArray<OpenShare>, DatabaseUnavailable>
  /**
   * The accounts that no living process executes, that are none of `configured`, and that hold something all the same. One that was
   * removed by a reload is none of them: it held nothing.
   */
  readonly abandoned: (
    configured: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<AbandonedAccount>, DatabaseUnavailable>
  /** Re-arms a share with new exit prices. False: it was closed meanwhile. */
  readonly arm: (arming: Arming) => Effect.Effect<boolean, DatabaseUnavailable>
  /** Stores how far a stop has moved, in one statement for all of them. What is of an opening that is over changes nothing. */
  readonly move: (moved: ReadonlyArray<Moved>) => Effect.Effect<void, DatabaseUnavailable>
  /**
   * Stores the broker's answer for the whole account: a symbol it does not name is flat there. `dispute`: all fills were
   * fetched before, so what still differs is disputed and takes no new exposure; what agrees is free again either way. A row
   * with a `problem` is disputed at once, and without a quantity it confirms nothing: closes of its symbol wait. `askedMsAgo`: the
   * milliseconds since the request was sent, which dates the answer: a fill that was stored since may not be in it.
   */
  readonly confirm: (
    grant: AccountGrant,
    reported: ReadonlyArray<ReportedPosition>,
    dispute?: boolean,
    askedMsAgo?: () => number
  ) => Effect.Effect<ConfirmOutcome, DatabaseUnavailable>
}

export class PositionsStore extends Context.Service<PositionsStore, PositionsStoreService>()(
  "holdfast/layers/PositionsStore"
) {}
