/**
 * Chats of the stand-in: who is in them, and every message.
 *
 * Promises: numbers of messages grow by one in each chat; a chat that never wrote to the bot does not exist for it, as for any
 * bot; the oldest messages of a chat are dropped beyond a bound.
 * Never: sends an update.
 */
import { ApiRefusal, badRequest } from "./refusal.ts"
import type { Keyboard } from "./wire.ts"

/** More than a test reads, less than anyone notices. */
const messagesMax = 10_000

export interface Message {
  readonly message_id: number
  readonly chat: number
  /** Null: the bot. */
  readonly user: number | null
  /** Seconds, as Telegram has them. */
  readonly date: number
  /** Without its tags. */
  readonly text: string
  /** As the bot wrote it. */
  readonly written: string
  readonly keyboard: Keyboard
  readonly silent: boolean
  readonly edits: number
}

export interface Chat {
  readonly id: number
  readonly title: string
  readonly blocked: boolean
}

export const chatObject = ({ id, title }: Chat): object =>
  id < 0 ? { id, type: "group", title } : { id, type: "private", first_name: title }

export const userObject = (id: number): object => ({ id, is_bot: false, first_name: `User ${id}` })

export class Chats {
  readonly #chats = new Map<number, Chat>()
  readonly #messages = new Map<number, Array<Message>>()

  /** The chat, made when it is new. */
  open(id: number): Chat {
    const known = this.#chats.get(id)
    if (known !== undefined) return known
    const chat: Chat = { id, title: id < 0 ? `Group ${-id}` : `User ${id}`, blocked: false }
    this.#chats.set(id, chat)
    this.#messages.set(id, [])
    return chat
  }
  setBlocked(id: number, blocked: boolean): void {
    this.#chats.set(id, { ...this.open(id), blocked })
  }
  /** The chat as the bot may write to it. Throws an `ApiRefusal`. */
  writable(id: number | undefined): Chat {
    if (id === undefined) throw badRequest("chat_id is empty")
    const chat = this.#chats.get(id)
    if (chat === undefined) throw badRequest("chat not found")
    if (chat.blocked)
      throw new ApiRefusal({ code: 403, description: "Forbidden: bot was blocked by the user" })
    return chat
  }
  add(message: Omit<Message, "message_id" | "edits">): Message {
    const messages = this.#messages.get(message.chat) ?? []
    const added = { ...message, message_id: (messages.at(-1)?.message_id ?? 0) + 1, edits: 0 }
    messages.push(added)
    if (messages.length > messagesMax) messages.shift()
    this.#messages.set(message.chat, messages)
    return added
  }
  find(chat: number, id: number | undefined): Message | undefined {
    return this.#messages.get(chat)?.find((message) => message.message_id === id)
  }
  replace(message: Message): void {
    const messages = this.#messages.get(message.chat) ?? []
    const at = messages.findIndex((one) => one.message_id === message.message_id)
    if (at >= 0) messages[at] = message
  }
  messages(chat: number | null): ReadonlyArray<Message> {
    return chat === null ? [...this.#messages.values()].flat() : (this.#messages.get(chat) ?? [])
  }
}
