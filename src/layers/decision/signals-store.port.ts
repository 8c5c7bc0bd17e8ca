/**
 * SignalsStore: the port through which stored signals become decisions.
 *
 * The rows are the queue. A claim gives a batch to one decider for the length of a lease; every later write names the
 * claim's token, so a decider that was frozen, replaced or left over from a former life changes nothing (T4).
 *
 * Promises: a signal is decided at most once, for good, whatever number of processes decide; decision, orders, quote
 * and the signal's status are committed together; what one signal does to its decider never reaches its neighbours;
 * decisions of one account are made one after the other, each with the orders of the last one in its book.
 * Never: decides, sends an order, or reads a quote.
 */
import { Context, Data, type Effect } from "effect"
import type { Decision, Plan } from "../../domain/decision/decision.ts"
import type { Metadata } from "../../domain/signals/metadata.ts"
import type { DecisionSignal } from "../../domain/decision/plan-input.ts"
import type { PlanContext } from "../../domain/orders/plan-context.ts"
import type { DatabaseFault, DatabaseUnavailable } from "../database/database.port.ts"

interface ClaimedRow {
  readonly id: string
  readonly source: string
  /** How often it was claimed, this time included, not counting deliberate deferrals. */
  readonly attempts: number
  readonly receivedAtMs: number
}

/** A claimed row. `unreadable` is a row whose body no longer parses; it can only fail. */
export type ClaimedSignal =
  | (ClaimedRow & { readonly kind: "signal"; readonly signal: DecisionSignal })
  | (ClaimedRow & { readonly kind: "metadata"; readonly metadata: Metadata; readonly atMs: number })
  | (ClaimedRow & { readonly kind: "unreadable"; readonly problem: string })

/** A batch under one token, oldest first: rows that were never tried, or one that was. */
export interface Claim {
  readonly token: string
  readonly signals: ReadonlyArray<ClaimedSignal>
  /** Others may be waiting: claim again at once. */
  readonly more: boolean
}

/** Decides one signal; may throw. Called synchronously inside the transaction, once per signal, oldest first. */
export type Planner = (signal: DecisionSignal, context: PlanContext) => Plan

/** What became of one signal of a claim. */
export type SignalOutcome =
  | { readonly _tag: "Decided"; readonly id: string; readonly decision: Decision }
  /** Deferred for `claimLimits.deferMs`; it keeps its attempts. */
  | { readonly _tag: "Deferred"; readonly id: string; readonly codes: ReadonlyArray<string> }
  /** The decision threw; it is retried after `claimLimits.retryMs`. */
  | { readonly _tag: "Failed"; readonly id: string; readonly error: string; readonly attempts: number }
  /** It failed too often: status `dead`, and a dead letter with the reason. */
  | { readonly _tag: "Buried"; readonly id: string; readonly reason: string }
  /** Another decider claimed it meanwhile. Nothing was written. */
  | { readonly _tag: "ClaimLost"; readonly id: string }

export interface RecordedMetadata {
  readonly snapshotId: string
  readonly pair: string
  /** Trades it was linked to at once; empty while it waits for its fill. */
  readonly linked: ReadonlyArray<{
    readonly tradeRecordId: string
    readonly orderId: string | null
    readonly by: "order_id" | "window"
  }>
  /** The snapshot was stored before, under another signal: the signal is rejected, nothing else changes. */
  readonly known: boolean
  /** It names an order whose trades belong to another snapshot: it is stored, and linked to nothing. */
  readonly taken: boolean
}

/** The claim is no longer ours; the transaction was rolled back. */
export class ClaimLost extends Data.TaggedError("ClaimLost")<{ readonly id: string }> {}

export interface Backlog {
  /** Signals and metadata that are not decided; counted up to `claimLimits.backlogCountMax` per source. */
  readonly open: number
  /** How long the oldest of them has waited, in milliseconds; zero when there is none. */
  readonly oldestMs: number
  /** How many of them are too old to trade; counted up to `claimLimits.expireMax` per source. */
  readonly expired: number
  /** Dead letters that nobody has replayed; counted up to `claimLimits.backlogCountMax`. */
  readonly dead: number
  /** Something is not decided, canaries included, which are in none of the figures (T9). */
  readonly waiting: boolean
}

/** What one source lost to its age limit. */
export interface ExpiredSignals {
  readonly source: string
  readonly count: number
  /** Age of the oldest of them, in milliseconds. */
  readonly oldestMs: number
  readonly oldestId: string
}

export interface SignalsStoreService {
  /**
   * Releases what former lives of this node had claimed; the lock on its DATA_DIR proves that they are dead. Only
   * to be called while nothing of this life is being decided. Returns how many there were.
   * After an `outage` what this life has claimed itself gets the attempt back: it was the database that kept it from being decided,
   * also where the answer to the claim was lost. After a `crash` it does not, because a signal may have caused it.
   */
  readonly releaseOwn: (after: "crash" | "outage") => Effect.Effect<number, DatabaseUnavailable>
  /**
   * Claims up to `limit` rows, oldest first: received ones, and those whose lease has expired. A row that was claimed
   * before comes alone. Signals that are too old are left to `expire`.
   */
  readonly claim: (limit: number) => Effect.Effect<Claim, DatabaseUnavailable>
  /**
   * Decides signals of one claim in one transaction. `accounts` are all accounts that any of them may go to. A fault
   * (a row the database refuses) fails all of them, and none is written.
   */
  readonly decide: (
    token: string,
    signals: ReadonlyArray<ClaimedSignal>,
    accounts: ReadonlyArray<string>,
    plan: Planner
  ) => Effect.Effect<ReadonlyArray<SignalOutcome>, DatabaseUnavailable | DatabaseFault>
  /** Stores the metadata of a claimed row and links it to trades that are there already. */
  readonly recordMetadata: (
    token: string,
    id: string,
    metadata: Metadata,
    atMs: number
  ) => Effect.Effect<RecordedMetadata, ClaimLost | DatabaseUnavailable | DatabaseFault>
  /** Records that a claimed row could not be handled: retried later, dead-lettered after `claimLimits.attemptsMax`. */
  readonly fail: (
    token: string,
    signal: ClaimedSignal,
    error: string
  ) => Effect.Effect<SignalOutcome, DatabaseUnavailable>
  /**
   * Rejects up to `limit` signals that are too old, oldest first, each with its decision. `limit` of them ended: others
   * may be left.
   */
  readonly expire: (limit: number) => Effect.Effect<ReadonlyArray<ExpiredSignals>, DatabaseUnavailable>
  readonly backlog: Effect.Effect<Backlog, DatabaseUnavailable>
}

export class SignalsStore extends Context.Service<SignalsStore, SignalsStoreService>()(
  "holdfast/layers/SignalsStore"
) {}
