/**
 * Account changes: the port through which a reload changes which accounts there are.
 *
 * Whether an account may go is known by its rows, and a decision under way may be about to change them. So the question and
 * the change are one transaction, behind the lock under which orders are decided.
 *
 * Promises: all or nothing: a refused change leaves no trace; an account that was removed, or that moves, gets no order that was planned
 * under the settings before (its decision is deferred, and made again under those after).
 * Never: removes a row; touches an account that another living process executes, beyond refusing.
 */
import { Context, type Effect } from "effect"
import type { CashFlow } from "../../domain/database/installation.ts"
import type { SettingsProblem } from "../../domain/kernel/settings.ts"
import type { AccountDefinition } from "../accounts/accounts-store.port.ts"
import type { DatabaseUnavailable } from "../database/database.port.ts"

export interface AccountsDefined {
  /** Accounts that are added, or whose broker, starting cash or `enabled` changes. */
  readonly defined: ReadonlyArray<AccountDefinition>
  readonly removed: ReadonlyArray<string>
  /** They stay, and what they have at their venue could not be found there any more. */
  readonly moved: ReadonlyArray<string>
  /** This process; null while it is not known. */
  readonly life: string | null
}

export type AccountsOutcome =
  | { readonly _tag: "Changed"; readonly flows: ReadonlyArray<CashFlow> }
  /** Nothing was changed. A problem for each account that stands against it. */
  | { readonly _tag: "Refused"; readonly problems: ReadonlyArray<SettingsProblem> }

export class AccountChanges extends Context.Service<
  AccountChanges,
  { readonly apply: (change: AccountsDefined) => Effect.Effect<AccountsOutcome, DatabaseUnavailable> }
>()("holdfast/layers/AccountChanges") {}
