/**
 * TelegramStore: the port to what the bot was sent, what it is to send, and what somebody is about to confirm.
 *
 * Promises: an update is stored once however often it comes; it is settled together with everything that it makes the bot write;
 * a confirmation is used by one update, before it expires, and not long after it came; messages are kept in the order in which they
 * were made; an alert is made into messages once for each chat.
 * Never: decides what an update asks for.
 */
import { Context, type Effect } from "effect"
import type { CommandName } from "../../domain/control/commands.ts"
import type { SentAlert } from "../../domain/operators/telegram-alerts.ts"
import type { QuietNow } from "../../domain/operators/telegram-quiet.ts"
import type { AskedEntry } from "../../domain/operators/telegram-asked.ts"
import type { SelfTest } from "../../domain/operators/telegram-self-test.ts"
import type { TelegramContent } from "../../domain/operators/telegram-update.ts"
import type { DatabaseError } from "../database/database.port.ts"

export interface WaitingUpdate {
  readonly updateId: number
  readonly content: TelegramContent
  /** Epoch milliseconds on the database's clock. */
  readonly receivedMs: number
}

/** A call of the Bot API that waits to be made. */
export interface OutgoingCall {
  readonly chat: number
  readonly method: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface WaitingCall extends OutgoingCall {
  readonly seq: bigint
  readonly createdMs: number
  readonly isReply: boolean
}

export interface Confirmation {
  readonly id: string
  readonly chat: number
  readonly askedBy: number
  readonly command: CommandName
  readonly target: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly reason: string | null
}

/**
 * `Expired`, `Used` and `Overdue` are for whoever asked; to everybody else a confirmation is `Missing`. `Overdue`: this update began with
 * it so long ago that it is not gone on with.
 */
export type Taken =
  | { readonly _tag: "Taken"; readonly confirmation: Confirmation }
  | { readonly _tag: "Expired" }
  | { readonly _tag: "Overdue" }
  | { readonly _tag: "Used" }
  | { readonly _tag: "Missing" }
  | { readonly _tag: "NotYours" }

/** The last message of a chat of the settings, where it was dropped. */
export interface DroppedMessage {
  readonly chat: number
  readonly reason: string
  readonly atMs: number
}

/** What health shows of the path of a command. Times are epoch milliseconds. */
export interface TelegramFigures {
  readonly received: number
  readonly processed: number
  readonly dead: number
  readonly waiting: number
  readonly oldestWaitingMs: number | null
  readonly unsent: number
  /** Of replies. */
  readonly oldestUnsentMs: number | null
  /** Of alerts. */
  readonly oldestAlertMs: number | null
  readonly dropped: ReadonlyArray<DroppedMessage>
  /** The last self-test of each chat of the settings. */
  readonly tests: ReadonlyArray<SelfTest>
  readonly lastReceivedMs: number | null
  /** The last one that came by the webhook. */
  readonly lastWebhookMs: number | null
  readonly lastReplyMs: number | null
  readonly nowMs: number
}

type Done<A> = Effect.Effect<A, DatabaseError>

export interface TelegramStoreService {
  /**
   * What the next poll confirms: the number after the last one that a poll brought. Not one of the webhook, whose updates may be
   * confirmed while an older one still waits. Null after days without any: Telegram may have begun to number again.
   */
  readonly nextOffset: Done<number | null>
  /** The oldest updates that wait, without those of `except`. */
  readonly waiting: (limit: number, except: ReadonlyArray<number>) => Done<ReadonlyArray<WaitingUpdate>>
  /** Counts an attempt of the update. Returns how many it were, this one included; null: it waits no more. */
  readonly begin: (updateId: number) => Done<number | null>
  /** The attempt was none of the update's: it does not count. */
  readonly release: (updateId: number) => Done<void>
  /** The update is handled: it and what the bot answers are one commit. Returns how many replies a full chat did not get. */
  readonly settle: (updateId: number, calls: ReadonlyArray<OutgoingCall>) => Done<number>
  /** The update cannot be handled: it is a dead letter. */
  readonly bury: (updateId: number, reason: string, calls: ReadonlyArray<OutgoingCall>) => Done<void>
  readonly askConfirmation: (confirmation: Confirmation) => Done<void>
  /** Uses the confirmation for this update, if it may; the same update may use it again. */
  readonly takeConfirmation: (given: {
    readonly id: string
    readonly chat: number
    readonly user: number
    readonly updateId: number
  }) => Done<Taken>
  /** The oldest message that waits of each chat, so that none starves another, and every answer to a press; oldest first. */
  readonly unsent: (limit: number) => Done<ReadonlyArray<WaitingCall>>
  /** `messageId`: as Telegram's answer names the message; null: it names none. */
  readonly sent: (seq: bigint, messageId: number | null) => Done<void>
  readonly drop: (seq: bigint, reason: string) => Done<void>
  readonly figures: Done<TelegramFigures>
  /**
   * Makes the messages of these chats about alerts that they were not told of, and leaves out chats for which enough wait, whose
   * alerts wait with them; while it is quiet all that are not CRITICAL wait, and what is older than said is history. Returns how many alerts it were.
   */
  readonly notifyAlerts: (
    chats: ReadonlyArray<number>,
    now: QuietNow,
    callsOf: (chat: number, alerts: ReadonlyArray<SentAlert>) => ReadonlyArray<OutgoingCall>
  ) => Done<number>
  /**
   * Makes a test message for each of these chats of which no test waits and, unless `everyMs` is null, none was made in that time.
   * Returns how many it were.
   */
  readonly testSelf: (
    chats: ReadonlyArray<number>,
    by: string,
    everyMs: number | null,
    callOf: (chat: number) => OutgoingCall
  ) => Done<number>
  /** Makes the messages that ask these chats about entries which wait for a human, once for each chat. Returns how many it were. */
  readonly askApprovals: (
    chats: ReadonlyArray<number>,
    callOf: (chat: number, asked: AskedEntry) => OutgoingCall
  ) => Done<number>
}

export class TelegramStore extends Context.Service<TelegramStore, TelegramStoreService>()(
  "holdfast/layers/TelegramStore"
) {}
