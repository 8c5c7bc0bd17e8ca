/**
 * The moment that the console shows: now, or one of the past.
 *
 * Promises: while `at` is a number, pages that travel show what was then, the badge names it as a replay, and controls are off.
 * Never: changes anything in the service.
 */
import { clock, instant } from "./format.ts"
import { placeOf } from "./journal-search.ts"
import { journal, type Entry } from "./live.svelte.ts"
import { past } from "./past.svelte.ts"

class Timeline {
  /** Number of the last entry that counts; null: live. */
  at = $state<number | null>(null)

  get label(): string {
    if (this.at === null) return "live"
    const entry = journal.entry(this.at)
    if (entry !== undefined) return `${clock(entry.at)} UTC, entry ${entry.seq}`
    return past.shown?.seq === this.at
      ? `${instant(past.shown.at)} UTC, entry ${this.at}`
      : `entry ${this.at}`
  }

  /** Goes to an entry; the newest one is the past as well until `live` is called. */
  goto(seq: number): void {
    this.at = seq
    journal.pinned = seq
    past.want(seq)
  }

  /** To the entry before or after the one shown; before the first that is held, those before it are fetched. */
  async step(by: -1 | 1): Promise<void> {
    if (journal.entries.length === 0) return
    const index = (): number =>
      this.at === null ? journal.entries.length : Math.max(0, placeOf(journal.entries, this.at))
    if (by < 0 && index() === 0) await journal.earlier()
    const next = journal.entries[Math.min(journal.entries.length - 1, Math.max(0, index() + by))]
    if (next !== undefined) this.goto(next.seq)
  }

  live(): void {
    this.at = null
    journal.pinned = null
    past.want(null)
  }
}

export const timeline = new Timeline()

/** The last transition of a component that counts at `at`. */
export const lastOf = (entries: ReadonlyArray<Entry>, path: string, at: number | null): Entry | undefined =>
  entries.findLast(
    (entry) =>
      entry.path === path &&
      entry.type === "transition" &&
      entry.to !== null &&
      (at === null || entry.seq <= at)
  )
