/**
 * Telegram replies: what the bot says, as calls of the Bot API.
 *
 * Promises: text is HTML that Telegram takes; a reply knows when it was asked for, so that a late one can say so when it leaves.
 * Never: sends.
 */
import { PRESS_ANSWER } from "../../domain/operators/telegram-pace.ts"
import type { Key } from "../../domain/operators/telegram-words.ts"
import type { TelegramRole } from "../../domain/kernel/settings.ts"
import type { OutgoingCall } from "../../layers/operators/telegram-store.port.ts"

/** Who asked, where, and when. */
export interface Asked {
  readonly chat: number
  readonly user: number
  readonly role: TelegramRole
  readonly updateId: number
  /** The component of the bot, inside which it is answered. */
  readonly self: string
  /** Epoch milliseconds of the message, as Telegram has them. */
  readonly askedMs: number
}

export interface Reply {
  readonly html: string
  /** Rows of buttons. */
  readonly keys?: ReadonlyArray<ReadonlyArray<Key>>
}

/** Leaves the call before it is made: when the message that it answers was written. */
export const ASKED = "asked_ms"

const markup = (keys: Reply["keys"]) =>
  keys === undefined || keys.length === 0 ? {} : { reply_markup: { inline_keyboard: keys } }

/** A message. `askedMs` null: nobody asked for it. */
export const messageCall = (
  chat: number,
  { html, keys }: Reply,
  askedMs: number | null,
  isSilent = false
): OutgoingCall => ({
  chat,
  method: "sendMessage",
  parameters: {
    chat_id: chat,
    text: html,
    parse_mode: "HTML",
    link_preview_options: { is_disabled: true },
    ...(isSilent ? { disable_notification: true } : {}),
    ...markup(keys),
    ...(askedMs === null ? {} : { [ASKED]: askedMs })
  }
})

/** Other text in a message of ours; its former buttons are gone. */
export const editCall = (
  chat: number,
  messageId: number,
  html: string,
  keys: Reply["keys"] = []
): OutgoingCall => ({
  chat,
  method: "editMessageText",
  parameters: { chat_id: chat, message_id: messageId, text: html, parse_mode: "HTML", ...markup(keys) }
})

/** Ends the wait of a button that was pressed. */
export const pressedCall = (chat: number, queryId: string, text: string): OutgoingCall => ({
  chat,
  method: PRESS_ANSWER,
  parameters: { callback_query_id: queryId, ...(text === "" ? {} : { text: text.slice(0, 190) }) }
})

/** Buttons, two in a row. */
export const inRows = (keys: ReadonlyArray<Key>): ReadonlyArray<ReadonlyArray<Key>> =>
  keys.flatMap((_, at) => (at % 2 === 0 ? [keys.slice(at, at + 2)] : []))
