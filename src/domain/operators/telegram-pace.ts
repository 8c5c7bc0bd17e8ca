/**
 * telegram-pace: when the bot may send what, so that Telegram never has to refuse.
 *
 * Promises: messages to one chat keep their order and their distance; a group is slower; all chats together stay below what one
 * bot may send; after a 429 nothing is sent before Telegram takes it again.
 * Never: reads a clock.
 */
import { telegramLimits } from "./telegram-limits.ts"

export class TelegramPace {
  /** Epoch milliseconds from which a chat may be written to; bounded by the chats of the settings and a few strangers. */
  readonly #chats = new Map<number, number>()
  #sent: ReadonlyArray<number> = []
  #untilMs = 0

  /** Epoch milliseconds from which this chat may be written to. */
  freeAt(chat: number, nowMs: number): number {
    const sent = this.#sent.filter((at) => nowMs - at < 1_000)
    const [oldest = nowMs] = sent
    const all = sent.length < telegramLimits.botPerSecond ? 0 : oldest + 1_000
    return Math.max(this.#untilMs, all, this.#chats.get(chat) ?? 0)
  }
  /** A message to the chat leaves now. */
  note(chat: number, nowMs: number): void {
    if (this.#chats.size >= telegramLimits.strangersMax)
      for (const [id, at] of this.#chats) if (at <= nowMs) this.#chats.delete(id)
    this.#sent = [...this.#sent.filter((at) => nowMs - at < 1_000), nowMs]
    this.#chats.set(chat, nowMs + (chat < 0 ? telegramLimits.groupEveryMs : telegramLimits.chatEveryMs))
  }
  /** Telegram refused a message to the chat for so long; others may go on, which one bot's limit would refuse in turn. */
  refused(chat: number, retryAfterMs: number, nowMs: number): void {
    this.#chats.set(chat, Math.max(this.#chats.get(chat) ?? 0, nowMs + retryAfterMs))
    // Nothing tells which limit it was.
    this.#untilMs = Math.max(this.#untilMs, nowMs + Math.min(retryAfterMs, 1_000))
  }
}
