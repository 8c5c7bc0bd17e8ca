/**
 * IntakeStore: the port through which received posts become durable.
 *
 * What was received is stored before it is acknowledged, with the response itself, so that the same post tomorrow gets the
 * same response. A batch is one call because one commit for many posts is what makes the intake fast.
 *
 * Promises: an outcome of `store` means that its row is committed; the outcomes are in the order of the
 * rows; equal identities in one batch, in two batches at once, or from two processes are stored once.
 * Never: changes a stored row, and never decides what is valid.
 */
import { Context, type Effect } from "effect"
import type { SignalTerms } from "../../domain/signals/order-type.ts"
import type { SignalTarget } from "../../domain/signals/signal.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** The body of the 201, stored with its row and repeated to duplicates; the time each took is not part of it. */
export interface IntakeAnswer {
  readonly status: "ACCEPTED"
  readonly signal_id: string
  readonly experiment_id: string | null
  readonly variant: string | null
  readonly request_id: string
}

/** One row of `signals`, as the intake writes it. Decimals are strings, times epoch milliseconds. */
export interface IntakeRow extends SignalTarget, SignalTerms {
  readonly id: string
  readonly kind: "signal" | "metadata"
  readonly source: string
  readonly identity: string
  readonly identityKind: "explicit" | "hash" | "bucket"
  /**
   * The identities the same payload would have had one time bucket earlier and later; empty unless `identityKind` is
   * bucket. Later too, because of two processes the one whose clock is behind may commit last.
   */
  readonly neighbourIdentities: ReadonlyArray<string>
  /** When the post of a bucket came, epoch milliseconds: one beside it is the same only when it is near. Absent: not known. */
  readonly bucketAtMs?: number | undefined
  /** sha256 of the canonical body. */
  readonly bodyHash: string
  /** JSON text of the body, without the secret. */
  readonly body: string
  /** JSON text of what its fields were made of; null where its source maps none. */
  readonly mapped: string | null
  readonly symbol: string | null
  readonly action: "BUY" | "SELL" | null
  readonly direction: "LONG" | "SHORT" | "CALL" | "PUT" | null
  readonly timeframe: string | null
  readonly firedAtMs: number | null
  /** The moment the age limit counts from. */
  readonly expiresFromMs: number | null
  readonly quantity: string | null
  readonly price: string | null
  readonly strategy: string | null
  readonly strike: string | null
  /** Calendar date, YYYY-MM-DD. */
  readonly expiration: string | null
  readonly requestId: string
  readonly experimentId: string | null
  readonly variant: string | null
  readonly answer: IntakeAnswer
  /** `rejected` with a reason for what is stored but never traded (too old). */
  readonly status: "received" | "rejected"
  readonly reason: string | null
  /** When it was received, epoch milliseconds; left out when that is now. */
  readonly receivedAtMs?: number
}

/**
 * What became of a row. `Stored`: it is new. `Duplicate`: its identity and body were stored before, by `answer`; `tooOld`: and
 * ended for its age.
 * `Conflict`: its identity was given explicitly before with another body; nothing was stored.
 */
export type IntakeOutcome =
  | { readonly _tag: "Stored" }
  | { readonly _tag: "Duplicate"; readonly answer: IntakeAnswer; readonly tooOld: boolean }
  | { readonly _tag: "Conflict"; readonly signalId: string }

export interface IntakeStoreService {
  /** Stores the rows in the order given, in one commit. At most `intakeLimits.batchRowsMax` rows. */
  readonly store: (
    rows: ReadonlyArray<IntakeRow>
  ) => Effect.Effect<ReadonlyArray<IntakeOutcome>, DatabaseError>
  /** Whether a post may be expected to become durable now. False answers a post at once instead of after a deadline. */
  readonly available: () => boolean
}

export class IntakeStore extends Context.Service<IntakeStore, IntakeStoreService>()(
  "holdfast/layers/IntakeStore"
) {}
