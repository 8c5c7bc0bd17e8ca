/**
 * telegram-update: what an update of the bot is about, as far as the bot cares.
 *
 * Promises: ids are Telegram's numbers, times epoch milliseconds.
 * Never: holds what nobody here reads.
 */

export interface TelegramMessage {
  readonly chat: number
  readonly kind: "private" | "group" | "channel"
  /** Who wrote it; null: no person, such as another bot. */
  readonly user: number | null
  readonly writtenMs: number
  readonly text: string
}

/** A button was pressed. */
export interface TelegramPress {
  readonly queryId: string
  readonly chat: number
  /** The message with the button. */
  readonly messageId: number
  readonly user: number
  readonly data: string
}

/** `Other`: a kind that is not handled; `Unreadable`: it has a form that Telegram does not describe. */
export type TelegramContent =
  | { readonly _tag: "Message"; readonly message: TelegramMessage }
  | { readonly _tag: "Press"; readonly press: TelegramPress }
  | { readonly _tag: "Other" }
  | { readonly _tag: "Unreadable" }
