/**
 * The long poll of the bot: one at a time.
 *
 * Promises: an answer as soon as something waits; the poll that was there first ends with 409 when another one comes, as the
 * real API does it.
 * Never: confirms what it hands out; the next offset does.
 */
import { type ApiRefusal, conflict } from "./refusal.ts"
import type { Updates } from "./updates.ts"

interface Waiter {
  readonly limit: number
  readonly timer: NodeJS.Timeout
  readonly answer: (updates: ReadonlyArray<object>) => void
  readonly fail: (refusal: ApiRefusal) => void
}

export class Poll {
  readonly #updates: Updates
  #waiter: Waiter | null = null

  constructor(updates: Updates) {
    this.#updates = updates
  }
  /** Rejects with an `ApiRefusal`. */
  wait(offset: number, limit: number, timeoutMs: number): Promise<ReadonlyArray<object>> {
    this.end(
      conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
    )
    if (offset !== 0) this.#updates.confirm(offset)
    return new Promise((answer, fail) => {
      const timer = setTimeout(() => {
        this.#waiter = null
        answer([])
      }, timeoutMs)
      this.#waiter = { limit, timer, answer, fail }
      this.look()
    })
  }
  /** Answers whoever waits, if there is something. */
  look(): void {
    const waiter = this.#waiter
    const updates = this.#updates.waiting()
    if (waiter === null || updates.length === 0) return
    this.#done(waiter)
    waiter.answer(updates.slice(0, waiter.limit).map(({ update }) => update))
  }
  end(refusal: ApiRefusal): void {
    const waiter = this.#waiter
    if (waiter === null) return
    this.#done(waiter)
    waiter.fail(refusal)
  }
  /** The bot hung up: what comes next is for its next poll. */
  gone(): void {
    if (this.#waiter !== null) this.#done(this.#waiter)
  }
  #done(waiter: Waiter): void {
    clearTimeout(waiter.timer)
    this.#waiter = null
  }
}
