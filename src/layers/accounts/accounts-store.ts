/**
 * Accounts store: the port to the account rows, where ownership of an account is decided.
 *
 * One process at a time may place orders for an account. Ownership has two halves (T4): a lease on the database's
 * clock says who may act now, and a fencing number that rises with every activation lets the database refuse the
 * writes of everybody who acted before. A lease alone would let a process frozen past its end write on.
 *
 * Promises: `take` raises the fence exactly when it says `Taken`; the lease of the same node is taken over at once
 * (the lock on DATA_DIR proves that its former life is dead), the live lease of another node never is.
 * Never: compares times of two machines; every time in here is the database's own.
 */
import { Context, type Effect } from "effect"
import type { DatabaseUnavailable } from "../database/database.ts"

/** A lease as it was granted. Writes on the order path carry `fence`; an older one changes no row. */
export interface AccountGrant {
  readonly account: string
  /** `nodeId` of the holder. */
  readonly owner: string
  readonly fence: bigint
}

export interface AccountRow {
  readonly id: string
  readonly venue: string
  readonly startingCash: string
  readonly enabled: boolean
  readonly fence: bigint
  readonly owner: string | null
  readonly leaseUntil: Date | null
  /** Null until the account was compared with the broker under the present fence. */
  readonly reconciledAt: Date | null
}

/** What is configured for an account. `startingCash` is a decimal string. */
export interface AccountDefinition {
  readonly id: string
  readonly venue: string
  readonly startingCash: string
}

export type TakeOutcome =
  | { readonly _tag: "Taken"; readonly grant: AccountGrant }
  /** Another node's lease is live for about `remainingMs` more. */
  | { readonly _tag: "HeldByOther"; readonly owner: string; readonly remainingMs: number }
  /** There is no such row; `ensure` was not called. */
  | { readonly _tag: "Missing" }

/** A row whose venue is not the configured one. Its positions live at the stored venue, so nothing is changed. */
export interface VenueMismatch {
  readonly id: string
  readonly stored: string
  readonly configured: string
}

export interface AccountsStoreService {
  /** Inserts the rows that do not exist. Existing rows keep their values; contradictions are returned. */
  readonly ensure: (
    accounts: ReadonlyArray<AccountDefinition>
  ) => Effect.Effect<ReadonlyArray<VenueMismatch>, DatabaseUnavailable>
  /** Takes the lease for `leaseMs` milliseconds, raises the fence and forgets `reconciledAt`. */
  readonly take: (
    account: string,
    owner: string,
    leaseMs: number
  ) => Effect.Effect<TakeOutcome, DatabaseUnavailable>
  /** Extends the lease to `leaseMs` from now. False: the fence was raised by somebody else, the grant is void. */
  readonly renew: (grant: AccountGrant, leaseMs: number) => Effect.Effect<boolean, DatabaseUnavailable>
  /** Gives the lease back so that a successor need not wait. A void grant changes nothing. */
  readonly release: (grant: AccountGrant) => Effect.Effect<void, DatabaseUnavailable>
  /** Says that the account agrees with the broker as far as can be told. False: the grant is void. */
  readonly markReconciled: (grant: AccountGrant) => Effect.Effect<boolean, DatabaseUnavailable>
  readonly read: (account: string) => Effect.Effect<AccountRow | null, DatabaseUnavailable>
}

export class AccountsStore extends Context.Service<AccountsStore, AccountsStoreService>()(
  "holdfast/layers/AccountsStore"
) {}
