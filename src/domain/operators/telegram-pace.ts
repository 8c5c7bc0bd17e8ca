/**
 * telegram-pace: when the bot may send what, so that Telegram never has to refuse.
 *
 * Promises: messages to one chat keep their order and their distance; a group is slower; all chats together stay below what one
 * bot may send; what Telegram refused for now, or did not answer, is not tried before its time, and holds up no other lane for longer
 * than a second.
 * Never: reads a clock.
 */
import { telegramLimits } from "./telegram-limits.ts"

/** What a pace knows of a call. */
interface Paced {
  readonly seq: bigint
  readonly chat: number
  readonly method: string
}

/** Ends the wait of a button: nobody reads it late, and it counts in none of the limits of messages. */
export const PRESS_ANSWER = "answerCallbackQuery"
export const isPressAnswer = ({ method }: Pick<Paced, "method">): boolean => method === PRESS_ANSWER

/** What is sent one after the other: the messages of a chat. An answer to a press waits for nobody. */
export const laneOf = (call: Paced): string =>
  isPressAnswer(call) ? `press ${call.seq}` : `chat ${call.chat}`

export class TelegramPace {
  /** Epoch milliseconds from which a lane may send; bounded by the chats of the settings, a few strangers, and presses that wait. */
  readonly #lanes = new Map<string, number>()
  /** Failures in a row, by lane. */
  readonly #failures = new Map<string, number>()
  #sent: ReadonlyArray<number> = []
  /** Epoch milliseconds from which messages, and from which any call, may be sent. */
  #untilMs = 0
  #pausedMs = 0

  /** Epoch milliseconds from which this call may be made. */
  freeAt(call: Paced, nowMs: number): number {
    const own = Math.max(this.#pausedMs, this.#lanes.get(laneOf(call)) ?? 0)
    if (isPressAnswer(call)) return own
    const sent = this.#sent.filter((at) => nowMs - at < 1_000)
    const [oldest = nowMs] = sent
    const all = sent.length < telegramLimits.botPerSecond ? 0 : oldest + 1_000
    return Math.max(own, this.#untilMs, all)
  }
  /** The call is made now. */
  note(call: Paced, nowMs: number): void {
    if (isPressAnswer(call)) return
    this.#sent = [...this.#sent.filter((at) => nowMs - at < 1_000), nowMs]
    const everyMs = call.chat < 0 ? telegramLimits.groupEveryMs : telegramLimits.chatEveryMs
    this.#notBefore(laneOf(call), nowMs + everyMs, nowMs)
  }
  /** Telegram took the call, or it was given up. */
  over(call: Paced): void {
    this.#failures.delete(laneOf(call))
    if (isPressAnswer(call)) this.#lanes.delete(laneOf(call))
  }
  /** Telegram refused it for so long. */
  refused(call: Paced, retryAfterMs: number, nowMs: number): void {
    this.#notBefore(laneOf(call), nowMs + Math.max(retryAfterMs, telegramLimits.retryFirstMs), nowMs)
    // Nothing tells which limit of messages it was: that of the chat, or that of the bot, which would refuse the others in turn.
    if (!isPressAnswer(call))
      this.#untilMs = Math.max(this.#untilMs, nowMs + Math.min(retryAfterMs, telegramLimits.retryFirstMs))
  }
  /** Telegram did not answer it: later, each time more. */
  failed(call: Paced, nowMs: number): void {
    const lane = laneOf(call)
    const failures = this.#failures.get(lane) ?? 0
    this.#failures.set(lane, failures + 1)
    const doubled = telegramLimits.retryFirstMs * 2 ** Math.min(failures, 20)
    const pauseMs = Math.min(telegramLimits.sendRetryMsMax, doubled)
    this.#notBefore(lane, nowMs + pauseMs, nowMs)
  }
  /** Nothing at all is taken before. */
  pause(untilMs: number): void {
    this.#pausedMs = Math.max(this.#pausedMs, untilMs)
  }
  #notBefore(lane: string, atMs: number, nowMs: number): void {
    if (this.#lanes.size >= telegramLimits.strangersMax)
      for (const [one, at] of this.#lanes) if (at <= nowMs) this.#lanes.delete(one)
    this.#lanes.set(lane, Math.max(this.#lanes.get(lane) ?? 0, atMs))
  }
}
