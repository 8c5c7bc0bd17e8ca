/**
 * Accounts store: the port to the account rows, where ownership of an account is decided.
 *
 * One process at a time may place orders for an account. Ownership has two halves (T4): a lease on the database's
 * clock decides who may act now, and a fencing token that rises with every activation lets the database refuse the
 * writes of every earlier owner. A lease alone would let a process frozen past its end keep writing. The lease is that
 * of the owner's node (node-store.port.ts): an account has an owner and a fence, and nothing that must be renewed.
 *
 * Promises: `take` raises the fence exactly when it returns `Taken`; an account of a life that has ended is taken at once, one
 * of a life that is alive never is, and one that was unlocked from a life only when that life can no longer send. Calls that come together are one statement, so thousands of accounts start as one.
 * Never: compares times of two machines; every time in here is the database's own.
 */
import { Context, type Effect } from "effect"
import type { DatabaseUnavailable } from "../database/database.port.ts"

/** A lease as it was granted. Writes on the order path carry `fence`; an older one changes no row. */
export interface AccountGrant {
  readonly account: string
  /** The life that holds it. */
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
  /** The owner is alive. */
  readonly leased: boolean
  /** Null until the account was compared with the broker under the current fence. */
  readonly reconciledAt: Date | null
  /** A position of it is in dispute with the broker (T10). */
  readonly disputed: boolean
}

/** What is configured for an account. `startingCash` is a decimal string. */
export interface AccountDefinition {
  readonly id: string
  readonly venue: string
  readonly startingCash: string
  readonly enabled: boolean
}

export type TakeOutcome =
  | { readonly _tag: "Taken"; readonly grant: AccountGrant }
  /** Another life owns it and is leased for about `remainingMs` more. */
  | { readonly _tag: "HeldByOther"; readonly owner: string; readonly remainingMs: number }
  /** There is no such row; `ensure` was not called. */
  | { readonly _tag: "Missing" }
  /** The requesting life has no lease of its own to hold anything under. */
  | { readonly _tag: "NoLease" }

/** A row whose venue is not the configured one. Its positions live at the stored venue, so nothing is changed. */
export interface VenueMismatch {
  readonly id: string
  readonly stored: string
  readonly configured: string
}

/** The owner of an account that was unlocked while its former owner may still send; no life, so the row's own lease decides. */
export const UNLOCKED = "unlocked"

export interface AccountsStoreService {
  /** Inserts the rows that do not exist. Existing rows keep their values; conflicts are returned. */
  readonly ensure: (
    accounts: ReadonlyArray<AccountDefinition>
  ) => Effect.Effect<ReadonlyArray<VenueMismatch>, DatabaseUnavailable>
  /** Makes the life `owner` the owner, raises the fence and forgets `reconciledAt`. */
  readonly take: (account: string, owner: string) => Effect.Effect<TakeOutcome, DatabaseUnavailable>
  /** Takes many at once; what `take` would return for each. */
  readonly takeMany: (
    accounts: ReadonlyArray<string>,
    owner: string
  ) => Effect.Effect<ReadonlyMap<string, TakeOutcome>, DatabaseUnavailable>
  /** Which of these accounts may be taken now, and in how many milliseconds the next one may be, null when that is not known. */
  readonly free: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<
    { readonly free: ReadonlyArray<string>; readonly nextMs: number | null },
    DatabaseUnavailable
  >
  /** Releases accounts so that a successor need not wait. A void grant changes nothing. */
  readonly release: (grants: ReadonlyArray<AccountGrant>) => Effect.Effect<void, DatabaseUnavailable>
  /**
   * Takes an account from whoever executes it. The fence rises at once, so that nothing they still write changes a row. `life`,
   * that of the caller, keeps it and takes it again under the higher fence; from another life anybody may take it when that one
   * can certainly not send any more: after `freeInMs`. Null: there is no such account.
   */
  readonly unlock: (
    account: string,
    life: string | null
  ) => Effect.Effect<
    { readonly owner: string | null; readonly fence: bigint; readonly freeInMs: number } | null,
    DatabaseUnavailable
  >
  /** Everything the life `owner` owns, by the rows. */
  readonly owned: (owner: string) => Effect.Effect<ReadonlyArray<AccountGrant>, DatabaseUnavailable>
  /** Records that the account agrees with the broker as far as can be determined. False: the grant is void. */
  readonly markReconciled: (grant: AccountGrant) => Effect.Effect<boolean, DatabaseUnavailable>
  /** Marks many at once: those of `grants` that are not void. */
  readonly markManyReconciled: (
    grants: ReadonlyArray<AccountGrant>
  ) => Effect.Effect<ReadonlySet<AccountGrant>, DatabaseUnavailable>
  /** The rows of these accounts, in no order; those that do not exist are left out. */
  readonly read: (
    accounts: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<AccountRow>, DatabaseUnavailable>
}

export class AccountsStore extends Context.Service<AccountsStore, AccountsStoreService>()(
  "holdfast/layers/AccountsStore"
) {}
