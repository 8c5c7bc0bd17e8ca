/**
 * A stored update, decoded by the shapes of the wire.
 *
 * Promises: every text gives a content; one that is no update is `Unreadable`.
 * Never: throws.
 * Failure: a text that cannot be read is `Unreadable`, which its caller makes a dead letter.
 */
import type { TelegramContent } from "../../domain/operators/telegram-update.ts"
import { telegramUpdate } from "../../wire/telegram.ts"

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    // No JSON is no update either.
    return undefined
  }
}

/** What the update is about. */
export const contentOf = (body: string): TelegramContent => {
  const read = telegramUpdate.safeParse(parsed(body))
  if (!read.success) return { _tag: "Unreadable" }
  const { callback_query: press, message } = read.data
  if (message !== undefined) {
    const { chat, date, from, text = "" } = message
    const kind = chat.type === "supergroup" ? "group" : chat.type
    const user = from === undefined || from.is_bot === true ? null : from.id
    return { _tag: "Message", message: { chat: chat.id, kind, user, writtenMs: date * 1_000, text } }
  }
  if (press?.message === undefined) return { _tag: "Other" }
  const { data = "", from, id, message: shown } = press
  return {
    _tag: "Press",
    press: { queryId: id, chat: shown.chat.id, messageId: shown.message_id, user: from.id, data }
  }
}
