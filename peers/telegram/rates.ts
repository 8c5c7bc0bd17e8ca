/**
 * How fast a bot may send: to one chat, to one group, in all.
 *
 * Telegram forgives bursts and does not document how many; a bot that is paced for the documented rates never needs them.
 *
 * Promises: a message beyond a rate is refused with the seconds after which it would be taken.
 * Never: counts what it refused.
 */
import { apiLimits } from "./options.ts"
import { tooMany } from "./refusal.ts"

interface Window {
  readonly count: number
  readonly ms: number
}
const perChat: Window = { count: apiLimits.chatPerSecond, ms: 1_000 }
const perGroup: Window = { count: apiLimits.groupPerMinute, ms: 60_000 }
const perBot: Window = { count: apiLimits.botPerSecond, ms: 1_000 }

export class Rates {
  readonly #sent = new Map<string, Array<number>>()

  /** Counts a message to `chat`, or throws an `ApiRefusal`. */
  take(chat: number, nowMs: number): void {
    const windows: ReadonlyArray<readonly [string, Window]> = [
      ["bot", perBot],
      [`chat ${chat}`, chat < 0 ? perGroup : perChat]
    ]
    const waits = windows.map(([name, { count, ms }]) => {
      const recent = (this.#sent.get(name) ?? []).filter((at) => nowMs - at < ms)
      this.#sent.set(name, recent)
      return recent.length < count ? 0 : (recent[0] ?? nowMs) + ms - nowMs
    })
    const waitMs = Math.max(...waits)
    if (waitMs > 0) throw tooMany(Math.ceil(waitMs / 1_000))
    for (const [name] of windows) this.#sent.get(name)?.push(nowMs)
  }
}
