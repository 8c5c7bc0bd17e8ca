/**
 * RefusedStore: the port to the rows of posts that were refused (T12).
 *
 * Promises: a batch is stored whole or not at all; storing it again changes nothing; what is stored as `durable` survives a crash of
 * the server from then on.
 * Never: reads a body; listing and replaying are the API's (read-store.port.ts, replay.port.ts).
 */
import { Context, type Effect } from "effect"
import type { RefusedPost } from "../../domain/intake/refused-post.ts"
import type { DatabaseError } from "../database/database.port.ts"

export interface RefusedStoreService {
  /** `durable`: nobody else has these posts, so it waits for the server's disk. */
  readonly store: (posts: ReadonlyArray<RefusedPost>, how?: "durable") => Effect.Effect<void, DatabaseError>
  /** Posts that nobody has replayed; counted up to `refusedLimits.countMax`. */
  readonly open: Effect.Effect<number, DatabaseError>
}

export class RefusedStore extends Context.Service<RefusedStore, RefusedStoreService>()(
  "holdfast/layers/RefusedStore"
) {}
