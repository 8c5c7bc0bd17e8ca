/**
 * CanaryPath: the port through which a canary enters the path of every signal, and through which its way is followed (T9).
 *
 * Promises: `enter` takes the way of a post from its row on, so it waits in the same queue and shares its commits; it is never
 * spooled; `remove` takes everything of a canary away, so that nothing of it is kept.
 * Never: retries.
 */
import { Context, type Effect } from "effect"
import type { CanaryTrace } from "../../domain/health/canary.ts"
import type { DatabaseError } from "../database/database.port.ts"

export interface CanaryEntry {
  /** The id of its signal. */
  readonly id: string
  /** Null: stored. Else why it was not. */
  readonly refused: string | null
}

export interface CanaryPathService {
  /** Enters a canary under this unique name; ends when it is stored or refused. */
  readonly enter: (name: string) => Effect.Effect<CanaryEntry>
  /** What its rows show; null when there is none. */
  readonly trace: (id: string) => Effect.Effect<CanaryTrace | null, DatabaseError>
  /** Removes these canaries, and those that are older than `olderMs`, whoever entered them. */
  readonly remove: (ids: ReadonlyArray<string>, olderMs: number) => Effect.Effect<void, DatabaseError>
}

export class CanaryPath extends Context.Service<CanaryPath, CanaryPathService>()(
  "holdfast/layers/CanaryPath"
) {}
