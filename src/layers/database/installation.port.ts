/**
 * Installation: the port to what the database remembers of its settings.
 *
 * Promises: `adopt` changes nothing when it refuses; run by several processes at once, each change is made once;
 * `reset` removes practice data only, and only while nobody uses it.
 * Never: runs before the schema is ours.
 */
import { Context, Data, type Effect } from "effect"
import type { AccountVenueChanged, CashFlow, DataOfAnotherMode } from "../../domain/database/installation.ts"
import type { DatabaseUnavailable } from "./database.port.ts"

/** A scope that is not ACTIVE. */
export interface RestrictedScope {
  readonly scope: string
  readonly state: string
  readonly reason: string
}

export interface Adoption {
  /** Starting cash that the settings changed since the last start. */
  readonly flows: ReadonlyArray<CashFlow>
  /** Where trading is restricted, as an operator left it. */
  readonly restricted: ReadonlyArray<RestrictedScope>
}

/** The data is not practice data, or a process uses it. Nothing was removed. */
export class ResetRefused extends Data.TaggedError("ResetRefused")<{
  readonly reason: string
  readonly hint: string
}> {
  readonly failureClass = "configuration"
  override get message(): string {
    return this.reason
  }
}

export interface InstallationService {
  /** Compares the settings with what is stored, and records what they change. */
  readonly adopt: Effect.Effect<Adoption, DatabaseUnavailable | DataOfAnotherMode | AccountVenueChanged>
  /** What was not ACTIVE at the last adoption, for the `ready` line. */
  readonly restricted: () => ReadonlyArray<RestrictedScope>
  /** Removes every table of ours and every book of a practice venue. `node` is the caller: its own lease is no obstacle. */
  readonly reset: (node: string) => Effect.Effect<void, DatabaseUnavailable | ResetRefused>
}

export class Installation extends Context.Service<Installation, InstallationService>()(
  "holdfast/layers/Installation"
) {}
