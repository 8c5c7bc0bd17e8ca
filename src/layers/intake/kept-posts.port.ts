/**
 * KeptPosts: the bounded room in memory between a post that was refused and its row (T12).
 *
 * A flood of refused posts must not slow accepted ones. So a refused post is handed over in memory, with bounds on number,
 * bytes and rate, and stored in batches by a separate component; what does not fit is dropped, counted and shown, and its
 * sender is answered at once, without the id of a row.
 *
 * Promises: `keep` is synchronous; each callback runs once, when the row is stored or will not be; what waits while the
 * database is away is stored when it is back.
 * Never: delays a response: the caller that waits for the row has its own deadline.
 */
import { Context } from "effect"
import type { JsonValue } from "../../domain/kernel/canonical-json.ts"
import type { RefusedPost } from "../../domain/intake/refused-post.ts"

/** A refused post as its handler has it. */
export interface PostToKeep extends Omit<RefusedPost, "id" | "text" | "receivedAtMs"> {
  readonly bytes: Uint8Array
  /** What the body was read as; undefined when it is no JSON. */
  readonly json: JsonValue | undefined
}

/** Why a post was not kept. `rate`: its source has had its share of this minute; `room`: too much waits; `fault`: the database refused the row. */
export type KeepDrop = "rate" | "room" | "fault"

export interface KeptPostsService {
  /** `answer` gets the id of the row when it is stored, null when there will be none. */
  readonly keep: (post: PostToKeep, answer: (id: string | null) => void) => void
  /** Takes the next batch out of the room; its bytes count until it is settled or put back. */
  readonly take: () => ReadonlyArray<RefusedPost>
  readonly putBack: (batch: ReadonlyArray<RefusedPost>) => void
  /** The batch is stored, or was given up. */
  readonly settle: (batch: ReadonlyArray<RefusedPost>, stored: boolean) => void
  readonly counts: () => {
    readonly waiting: number
    readonly waitingBytes: number
    readonly stored: number
    readonly dropped: Readonly<Record<KeepDrop, number>>
  }
}

export class KeptPosts extends Context.Service<KeptPosts, KeptPostsService>()("holdfast/layers/KeptPosts") {}
