/**
 * TelegramInbox: the port through which updates of the bot are stored, however they come.
 *
 * Promises: an update is stored once however often it comes, and it is durable when this returns.
 * Never: reads what an update says.
 */
import { Context, type Effect } from "effect"
import type { DatabaseError } from "../database/database.port.ts"

export interface ReceivedUpdate {
  readonly updateId: number
  /** JSON as it came. */
  readonly body: string
}

export interface TelegramInboxService {
  /** Stores updates that are not there yet; returns how many were new. */
  readonly receive: (
    via: "poll" | "webhook",
    updates: ReadonlyArray<ReceivedUpdate>
  ) => Effect.Effect<number, DatabaseError>
}

export class TelegramInbox extends Context.Service<TelegramInbox, TelegramInboxService>()(
  "holdfast/layers/TelegramInbox"
) {}
