/**
 * Fills store: the port that turns a trade of the venue into a fact of ours, once.
 *
 * A fill comes by the stream, by a catch-up, or by both at once, before the ack of its order or after its cancel. It is
 * stored by the venue's own key, and in the same transaction it moves the order, the position and the strategy link,
 * so that no reader ever sees one of them without the others (T4).
 *
 * Promises: recording is idempotent, whoever delivers and in whatever order; it is never refused for a stale fence,
 * for an illegal order state or because the order is not ours (then its source is `external`, A3).
 * Never: guesses the origin of a trade from its transport; only the client order id identifies it.
 */
import { Context, type Effect } from "effect"
import type { OrderEvent, OrderStatus, Surprise } from "../../domain/orders/order.ts"
import type { PositionChange } from "../../domain/orders/position.ts"
import type { VenueFill } from "../../domain/orders/fill.ts"
import type { PendingAlert } from "../alerts/alerts.port.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"
import type { StoredOrder } from "./orders-store.port.ts"

/** How the trade found its order. `none`: it is not ours. */
export type LinkedBy = "client_order_id" | "order_id" | "none"

/** A position after a trade, in decimal strings. */
export interface PositionAfter {
  readonly quantity: string
  readonly averagePrice: string
  readonly realisedPnl: string
}

export interface RecordedFill {
  readonly _tag: "Recorded"
  readonly tradeRecordId: string
  readonly positionId: string
  readonly position: PositionAfter
  readonly change: PositionChange
  /** The order after the fill; null for an external trade. */
  readonly order: StoredOrder | null
  /** Its status before the fill; null for an external trade. */
  readonly from: OrderStatus | null
  readonly source: string
  readonly linkedBy: LinkedBy
  /** Whether a producer's metadata was there to be linked (A1, A2); it may also come later. */
  readonly metadata:
    | { readonly _tag: "Linked"; readonly snapshotId: string }
    | { readonly _tag: "NoMetadata"; readonly why: string }
  /** Set when the order's status has no row for this fill: the trade is stored all the same, and alerted. */
  readonly illegal: { readonly status: OrderStatus; readonly event: OrderEvent } | null
  readonly surprise: Surprise | null
  readonly settled: boolean
}

/** What is stored of a trade, in decimal strings. */
export interface StoredTrade {
  readonly side: "buy" | "sell"
  readonly quantity: string
  readonly price: string
  readonly clientOrderId: string | null
}

/** Another trade is stored under the venue's key of this one. Nothing was changed. */
export interface ContradictingFill {
  readonly _tag: "Contradicts"
  readonly tradeRecordId: string
  readonly stored: StoredTrade
}

/** A trade that no order of ours caused. */
export interface ExternalFill extends RecordedFill {
  readonly order: null
}

export type FillOutcome =
  | RecordedFill
  | { readonly _tag: "AlreadyKnown"; readonly tradeRecordId: string }
  | ContradictingFill

export type Adopted =
  | {
      readonly _tag: "Adopted"
      readonly account: string
      readonly symbol: string
      readonly before: string
      readonly quantity: string
      readonly price: string
      readonly tradeRecordId: string
      /** Null where this try stored no trade. */
      readonly position: PositionAfter | null
      /** An earlier try with this reference stored it. */
      readonly again: boolean
    }
  | { readonly _tag: "Missing" }
  /** Both agree, or the venue was not asked yet, or its fills may still explain the difference. */
  | { readonly _tag: "NotDisputed"; readonly ours: string; readonly venues: string | null }
  /** A fill was stored since the venue was asked: what it said may be from before that fill, and is asked for again. */
  | { readonly _tag: "Outdated"; readonly account: string }
  /** There is no price of our own to book it at. */
  | { readonly _tag: "PriceMissing" }

export interface FillsStoreService {
  /**
   * Takes over the venue's quantity of a disputed position, as one external trade. `reference` makes
   * it the same trade when it is asked for again.
   */
  readonly adopt: (given: {
    readonly positionId: string
    readonly price: string | null
    readonly reference: string
  }) => Effect.Effect<Adopted, DatabaseUnavailable>
  /**
   * Stores the trade and everything that follows from it. `venue` is the name of the venue, part of the trade's key; `alertOf`
   * makes the alert about a trade that is not ours or that contradicts, which is stored in the same transaction.
   */
  readonly record: (
    venue: string,
    fill: VenueFill,
    alertOf?: (outcome: ExternalFill | ContradictingFill) => PendingAlert
  ) => Effect.Effect<FillOutcome, DatabaseUnavailable>
  /** Those of `fills` that are not stored as reported, in their order: what a catch-up has to record. One statement. */
  readonly missing: (
    venue: string,
    fills: ReadonlyArray<VenueFill>
  ) => Effect.Effect<ReadonlyArray<VenueFill>, DatabaseUnavailable>
  /**
   * The venue's position up to which every fill of the account is stored, as its adapter wrote it; null before the first
   * catch-up. The stream does not move it: it may deliver fill 10 while 9 was lost with the last connection.
   */
  readonly cursor: (account: string) => Effect.Effect<string | null, DatabaseUnavailable>
  /** Moves the cursor, when everything up to there is stored. Moving one back only costs a few more fills. */
  readonly advance: (account: string, cursor: string | null) => Effect.Effect<void, DatabaseUnavailable>
}

/** Whether a trade is one that operators are told about, whatever order it belongs to. */
export const isAlerted = (outcome: FillOutcome): outcome is ExternalFill | ContradictingFill =>
  outcome._tag === "Contradicts" || (outcome._tag === "Recorded" && outcome.order === null)

export class FillsStore extends Context.Service<FillsStore, FillsStoreService>()(
  "holdfast/layers/FillsStore"
) {}
