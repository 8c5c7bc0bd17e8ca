/**
 * Pictures: the port to what this node was at numbers of its journal, from which any moment between them is shown (G6).
 *
 * Promises: a picture that was kept is found again, also while the database is away, for as long as memory holds it; `before` is the
 * newest that is whole at a number.
 * Never: folds an entry; shows pictures of another node.
 */
import { Context, type Effect } from "effect"
import type { PastOrder, PastPosition, Picture } from "../../domain/health/past.ts"
import type { DatabaseError } from "../database/database.port.ts"

/**
 * A picture and what it is whole with: entries after `after` are to be folded over it, and it shows no moment before `number`,
 * because its rows were read meanwhile.
 */
export interface KeptPicture {
  readonly picture: Picture
  readonly after: number
  readonly number: number
}

/** What the tables say of open orders and positions. */
export interface PresentRows {
  readonly orders: ReadonlyArray<PastOrder>
  readonly positions: ReadonlyArray<PastPosition>
  readonly isPart: boolean
}

export interface PicturesService {
  readonly present: Effect.Effect<PresentRows, DatabaseError>
  readonly keep: (kept: KeptPicture) => Effect.Effect<void, DatabaseError>
  /** The newest whose `number` is not above this one; null when there is none. */
  readonly before: (number: number) => Effect.Effect<KeptPicture | null, DatabaseError>
}

export class Pictures extends Context.Service<Pictures, PicturesService>()("holdfast/layers/Pictures") {}
