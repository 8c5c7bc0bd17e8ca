/**
 * Audit store: the port to the record of who did what, from where, why and with what result (T14).
 *
 * Promises: `begin` is durable when it answers, before the command takes effect; an idempotency key stands for one attempt
 * at a time, and for good once that one was answered; an end that comes late is still written over `interrupted`.
 * Never: removes a row; decides what a repetition is answered.
 */
import { Context, type Effect } from "effect"
import type {
  CommandBody,
  CommandName,
  CommandResult,
  Means,
  RefusalKind
} from "../../domain/control/commands.ts"
import type { FieldError } from "../../domain/kernel/field-error.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** An attempt to give a command. `arguments` and `reason` hold no secret any more. */
export interface AuditEntry {
  readonly id: string
  readonly command: CommandName
  readonly scope: string
  readonly arguments: CommandBody
  readonly reason: string | null
  readonly by: string
  readonly means: Means
  readonly address: string | null
  readonly requestId: string
  readonly key: string | null
  /** Of the command, its target and its body. */
  readonly fingerprint: string
  /** What the orders that it makes are marked with: the same for each repetition of a key. */
  readonly commandId: string
  /** The life that carries it out. */
  readonly life: string
}

/** The words of a refusal, stored for whoever repeats the command. */
export interface StoredRefusal {
  readonly kind: RefusalKind
  readonly reason: string
  readonly message?: string
  readonly errors?: ReadonlyArray<FieldError>
  readonly more?: CommandBody
}

/** How an attempt ended. `answer` is what an accepted one was answered, or the words of a refusal. */
export interface AuditEnd {
  readonly result: Exclude<CommandResult, "begun">
  readonly reason: string | null
  readonly answer: CommandBody | null
}

export type BeginOutcome =
  | { readonly _tag: "Begun" }
  /** The key stands for another attempt; `end` is null while that one goes on. */
  | { readonly _tag: "Known"; readonly fingerprint: string; readonly end: AuditEnd | null }

/** An attempt whose process ended, as it is reported. */
export interface InterruptedEntry {
  readonly id: string
  readonly command: string
  readonly scope: string
  readonly by: string
}

export interface AuditStoreService {
  readonly begin: (entry: AuditEntry) => Effect.Effect<BeginOutcome, DatabaseError>
  /**
   * Writes how the attempt ended, and the attempt itself where it could not be written before. Without a key the attempt
   * releases the one that it began with.
   */
  readonly end: (entry: AuditEntry, end: AuditEnd) => Effect.Effect<void, DatabaseError>
  /**
   * Ends as `interrupted` what nobody carries out any more: attempts of earlier lives of the node of `life`, of which none
   * holds the lease of the node, and whatever has been under way for longer than any command may take.
   */
  readonly interrupt: (life: string) => Effect.Effect<ReadonlyArray<InterruptedEntry>, DatabaseError>
}

export class AuditStore extends Context.Service<AuditStore, AuditStoreService>()(
  "holdfast/layers/AuditStore"
) {}
