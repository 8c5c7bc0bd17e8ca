/**
 * Journal in memory: a ring that serves the store, the viewers and the lists alike.
 *
 * One ring and not a queue for each reader: what waits for the database and what a viewer resumes from are the same
 * entries, and a reader that is away costs nothing.
 *
 * Promises: as the port; memory grows with what is recorded, up to the capacity.
 * Never: copies an entry.
 * Failure: an observer that throws loses its call; entries and other observers are not affected.
 */
import { Clock, Effect, Layer } from "effect"
import { journalLimits } from "../../domain/kernel/limits-kept.ts"
import { type JournalEntry, type JournalFact, journalBase } from "../../domain/platform/journal.ts"
import { Entropy } from "./entropy.port.ts"
import { Journal, type JournalCounts, type JournalService } from "./journal.port.ts"

/** Observers by identity; one that throws is skipped for that call. */
class Observers<A> {
  readonly #observers = new Set<(value: A) => void>()
  add(observer: (value: A) => void): () => void {
    // Two equal functions are two observers.
    const own = (value: A): void => observer(value)
    this.#observers.add(own)
    return () => void this.#observers.delete(own)
  }
  call(value: A): void {
    for (const observer of this.#observers) {
      try {
        observer(value)
      } catch {
        // A broken viewer must not reach whoever recorded: that may be an order.
      }
    }
  }
}

class JournalRing implements JournalService {
  readonly boot: string
  readonly base: number
  readonly #capacity: number
  readonly #ring: Array<JournalEntry> = []
  readonly #listeners = new Observers<void>()
  readonly #watchers = new Observers<boolean>()
  #head: number
  #watching = 0
  /** Everything up to here is stored, or lost. */
  #settled: number
  /** The last number of the batch that is being stored. */
  #taken: number
  #stored = 0
  #lost = 0
  constructor(boot: string, base: number, capacity: number) {
    this.boot = boot
    this.base = base
    this.#capacity = capacity
    this.#head = this.#settled = this.#taken = base
  }

  record = (fact: JournalFact): void => {
    this.#head += 1
    // Written out, because a spread of fourteen fields is most of what recording costs.
    this.#ring[(this.#head - this.base - 1) % this.#capacity] = {
      seq: this.#head,
      type: fact.type,
      at: fact.at,
      path: fact.path,
      incarnation: fact.incarnation,
      event: fact.event,
      from: fact.from,
      to: fact.to,
      since: fact.since,
      cause: fact.cause,
      correlationId: fact.correlationId,
      guard: fact.guard,
      actions: fact.actions,
      context: fact.context,
      detail: fact.detail
    }
    this.#listeners.call()
  }
  head = (): number => this.#head
  first = (): number => Math.max(this.base + 1, this.#head - this.#capacity + 1)
  read = (after: number, max: number): ReadonlyArray<JournalEntry> => {
    const from = Math.max(after, this.first() - 1)
    return this.#between(from, Math.min(this.#head, from + max))
  }
  listen = (recorded: () => void): (() => void) => this.#listeners.add(recorded)

  watch = (): (() => void) => {
    let held = true
    this.#watching += 1
    if (this.#watching === 1) this.#watchers.call(true)
    return () => {
      if (!held) return
      held = false
      this.#watching -= 1
      if (this.#watching === 0) this.#watchers.call(false)
    }
  }
  onWatched = (changed: (watched: boolean) => void): (() => void) => {
    changed(this.#watching > 0)
    return this.#watchers.add(changed)
  }

  counts = (): JournalCounts => ({
    recorded: this.#head - this.base,
    stored: this.#stored,
    waiting: this.#head - Math.max(this.#settled, this.first() - 1),
    lost: this.#lost + this.#overwritten()
  })
  take = (max: number): ReadonlyArray<JournalEntry> => {
    this.release()
    this.#lost += this.#overwritten()
    this.#settled = Math.max(this.#settled, this.first() - 1)
    const batch = this.#between(this.#settled, Math.min(this.#head, this.#settled + max))
    this.#taken = batch.at(-1)?.seq ?? this.base
    return batch
  }
  settle = (seq: number): void => {
    this.#stored += Math.max(0, seq - this.#settled)
    this.#settled = Math.max(this.#settled, seq)
    this.release()
  }
  giveUp = (seq: number): void => {
    this.#lost += Math.max(0, seq - this.#settled)
    this.#settled = Math.max(this.#settled, seq)
    this.release()
  }
  release = (): void => {
    this.#taken = this.base
  }
  // What is being stored is in neither place for a moment, and will be in one.
  settled = (): number =>
    this.#taken > this.#settled ? this.#settled : Math.max(this.#settled, this.first() - 1)

  /** Entries that made room unstored, and are not in the hands of the store. */
  #overwritten(): number {
    return Math.max(0, this.first() - 1 - Math.max(this.#settled, this.#taken))
  }
  #between(after: number, to: number): ReadonlyArray<JournalEntry> {
    const entries: Array<JournalEntry> = []
    for (let seq = after + 1; seq <= to; seq += 1) {
      const entry = this.#ring[(seq - this.base - 1) % this.#capacity]
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }
}

/** A journal that begins after `base`. */
export const makeJournal = (
  boot: string,
  base: number,
  capacity: number = journalLimits.entriesMax
): JournalService => new JournalRing(boot, base, capacity)

export const journalRing: Layer.Layer<Journal, never, Entropy> = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const { uuid } = yield* Entropy
    return Journal.of(makeJournal(uuid(), journalBase(yield* Clock.currentTimeMillis)))
  })
)
