/**
 * Dead letters: undelivered events, counted and kept visible.
 *
 * XState silently drops unknown events and events to stopped actors; an order event lost that way is money.
 * Everything sent through the runtime that is not delivered lands here instead.
 * Promises: constant memory (counts per reason, the last few letters); the newest letters are readable.
 * Never: retries or stores payloads; it keeps the event's type and target only.
 */

/** Why a letter is dead. */
export type DeadLetterReason =
  | "no_such_child"
  | "not_running"
  | "no_mailbox"
  | "mailbox_full"
  | "dropped_oldest"
  | "dropped_newest"
  | "unhandled"

/** What became of a sent event. `delivered`: handled; `queued`: accepted, handled later; else it is dead. */
export type Delivery = "delivered" | "queued" | DeadLetterReason

/** True when the event was accepted. */
export const isAccepted = (delivery: Delivery): boolean => delivery === "delivered" || delivery === "queued"

/** One dead letter; `at` is epoch milliseconds. */
export interface DeadLetter {
  readonly at: number
  readonly path: string
  readonly eventType: string
  readonly reason: DeadLetterReason
}

const kept = 100

/**
 * Collects dead letters of one tree. Observers that throw are isolated; a letter that dies while they are notified of
 * another is counted and kept, but not reported: an observer that sends would otherwise be notified forever.
 */
export class DeadLetters {
  #counts = new Map<DeadLetterReason, number>()
  #latest: Array<DeadLetter> = []
  #next = 0
  #total = 0
  #telling = false
  readonly #observe: (letter: DeadLetter) => void
  constructor(observe: (letter: DeadLetter) => void) {
    this.#observe = observe
  }
  /** Counts one letter and shows it to the observers. */
  add(letter: DeadLetter): void {
    this.#total++
    this.#counts.set(letter.reason, (this.#counts.get(letter.reason) ?? 0) + 1)
    if (this.#latest.length < kept) this.#latest.push(letter)
    else this.#latest[this.#next] = letter
    this.#next = (this.#next + 1) % kept
    if (this.#telling) return
    this.#telling = true
    try {
      this.#observe(letter)
    } finally {
      this.#telling = false
    }
  }
  /** Letters since the tree was started. */
  get total(): number {
    return this.#total
  }
  /** Letters by reason. */
  counts(): Readonly<Partial<Record<DeadLetterReason, number>>> {
    return Object.fromEntries(this.#counts)
  }
  /** The last letters, oldest first, at most 100. */
  latest(): ReadonlyArray<DeadLetter> {
    return this.#latest.length < kept
      ? [...this.#latest]
      : [...this.#latest.slice(this.#next), ...this.#latest.slice(0, this.#next)]
  }
}
