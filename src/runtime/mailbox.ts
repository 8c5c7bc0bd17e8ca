/**
 * A bounded mailbox with a declared overflow policy.
 *
 * An unbounded queue turns a slow component into a process without memory; a bounded one must define what it does
 * when it is full, and count it. Use `self.mailbox({...})` in a child's start, which wires the losses to the
 * tree's dead letters.
 * Promises: at most `capacity` letters wait; order is kept; every letter lost is reported once to `onLost`.
 * Never: blocks the sender.
 */
import { Effect } from "effect"
import type { Delivery } from "./dead-letters.ts"
import * as Check from "./spec-validation.ts"

/** `drop_oldest`: the longest waiting letter is dropped; `drop_newest`: the new one is lost; `reject`: the sender is notified. */
export type Overflow = "drop_oldest" | "drop_newest" | "reject"
/** `capacity`: letters that may wait, a whole number of at least 1. */
export interface MailboxOptions {
  readonly capacity: number
  readonly overflow: Overflow
}
/** Why a mailbox lost a letter. */
export type MailboxLoss = "dropped_oldest" | "dropped_newest" | "mailbox_full" | "not_running"

/** How full a mailbox is and what it has lost since it was made. */
export interface MailboxDepth {
  readonly depth: number
  readonly capacity: number
  readonly dropped: number
}

/** Checks the options: with a capacity that is not a number, a mailbox would silently have no bound. */
export const checkMailbox = Check.record({
  capacity: Check.wholeFrom(1),
  overflow: Check.oneOf("drop_oldest", "drop_newest", "reject")
})

export class Mailbox<A> {
  readonly options: MailboxOptions
  readonly #onLost: ((letter: A, reason: MailboxLoss) => void) | undefined
  #letters: Array<A> = []
  #head = 0
  #dropped = 0
  #closed = false
  #taker: ((effect: Effect.Effect<A>) => void) | undefined
  /** Throws `SpecInvalid` for a faulty option: in a child's start, a configuration error of that child. */
  constructor(options: MailboxOptions, onLost?: (letter: A, reason: MailboxLoss) => void) {
    checkMailbox("mailbox", options)
    this.options = options
    this.#onLost = onLost
  }
  /** Letters waiting. */
  get size(): number {
    return this.#letters.length - this.#head
  }
  /** Puts a letter in. Anything but `queued` means that this letter was not taken. */
  offer(letter: A): Delivery {
    if (this.#closed) return this.#lose(letter, "not_running")
    if (this.size >= this.options.capacity) {
      this.#dropped++
      if (this.options.overflow === "reject") return this.#lose(letter, "mailbox_full")
      if (this.options.overflow === "drop_newest") return this.#lose(letter, "dropped_newest")
      const oldest = this.poll()
      if (oldest !== undefined) this.#lose(oldest, "dropped_oldest")
    }
    this.#letters.push(letter)
    const taker = this.#taker
    if (taker !== undefined) {
      this.#taker = undefined
      // Not in the sender's stack: a letter that is passed on by a thousand receivers would be a thousand frames deep.
      queueMicrotask(() => taker(this.take))
    }
    return "queued"
  }
  /** The next letter, if one waits. */
  poll(): A | undefined {
    if (this.#head === this.#letters.length) return undefined
    const letter = this.#letters[this.#head]
    // The slot is cleared so that a long-lived array does not keep what was taken.
    this.#letters[this.#head++] = undefined as A
    if (this.#head === this.#letters.length) {
      this.#letters = []
      this.#head = 0
    } else if (this.#head > 1_024 && this.#head * 2 > this.#letters.length) {
      this.#letters = this.#letters.slice(this.#head)
      this.#head = 0
    }
    return letter
  }
  /** Waits for the next letter. One taker at a time. */
  readonly take: Effect.Effect<A> = Effect.suspend(() => {
    const letter = this.poll()
    return letter === undefined ? this.#waiting : Effect.succeed(letter)
  })
  readonly #waiting: Effect.Effect<A> = Effect.callback<A>((resume) => {
    this.#taker = resume
    return Effect.sync(() => {
      if (this.#taker === resume) this.#taker = undefined
    })
  })
  /** Nobody will take from it any longer: what waits is lost, and so is what is still offered. */
  close(): void {
    this.#closed = true
    for (let letter = this.poll(); letter !== undefined; letter = this.poll())
      this.#lose(letter, "not_running")
  }
  /** How full it is, for the tree snapshot. */
  depth(): MailboxDepth {
    return { depth: this.size, capacity: this.options.capacity, dropped: this.#dropped }
  }
  #lose(letter: A, reason: MailboxLoss): MailboxLoss {
    this.#onLost?.(letter, reason)
    return reason
  }
}
