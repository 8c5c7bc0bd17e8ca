/**
 * telegram-access: who may do what through the bot (T14). Deny by default.
 *
 * A chat may do what the settings name it for. In a group whoever is in it reads what the bot answers there, so reading is the
 * group's; a control is a person's: it takes a group of operators and a user who is an operator, by an entry of the group or by a
 * chat of their own.
 *
 * Promises: null for every chat and user that the settings do not name.
 * Never: believes a name; Telegram's numbers alone count.
 */
import { getsAlerts, type TelegramRole, type TelegramSettings } from "../kernel/settings.ts"

/** What `user` may do in `chat`; null: nothing, a stranger. */
export const roleIn = (
  { chats }: Pick<TelegramSettings, "chats">,
  chat: number,
  user: number
): TelegramRole | null => {
  const named = Object.hasOwn(chats, String(chat)) ? chats[String(chat)] : undefined
  if (named === undefined) return null
  if (chat > 0) return chat === user ? named.role : null
  const own = Object.hasOwn(named.users, String(user)) ? named.users[String(user)] : undefined
  if (own !== undefined) return own
  const alone = Object.hasOwn(chats, String(user)) ? chats[String(user)]?.role : undefined
  return named.role === "operator" && alone === "operator" ? "operator" : "viewer"
}

/** Chats that alerts are sent to. */
export const alertChats = ({ chats }: Pick<TelegramSettings, "chats">): ReadonlyArray<number> =>
  Object.entries(chats).flatMap(([id, chat]) => (getsAlerts(chat) ? [Number(id)] : []))

/** Chats that are asked about entries: those of operators that alerts are sent to. */
export const approvalChats = ({ chats }: Pick<TelegramSettings, "chats">): ReadonlyArray<number> =>
  Object.entries(chats).flatMap(([id, chat]) =>
    getsAlerts(chat) && chat.role === "operator" ? [Number(id)] : []
  )
