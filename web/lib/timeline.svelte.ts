/**
 * The moment that the console shows: now, or one of the past.
 *
 * Promises: while `at` is a number, pages that follow the journal show what was then, the badge names it as a replay, and
 * controls are off.
 * Never: changes anything in the service.
 */
import { clock } from "./format.ts"
import { journal, type Entry } from "./live.svelte.ts"

class Timeline {
  /** Number of the last entry that counts; null: live. */
  at = $state<number | null>(null)

  get label(): string {
    const entry = this.at === null ? undefined : journal.entry(this.at)
    return entry === undefined ? "no longer held" : `${clock(entry.at)} UTC, entry ${entry.seq}`
  }

  /** Goes to an entry; the newest one is the past as well until `live` is called. */
  goto(seq: number): void {
    this.at = seq
    journal.pinned = seq
  }

  /** To the entry before or after the one shown. */
  step(by: -1 | 1): void {
    const { entries } = journal
    if (entries.length === 0) return
    const held = entries.findIndex(({ seq }) => seq === this.at)
    const index = this.at === null ? entries.length : held < 0 ? 0 : held
    const next = entries[Math.min(entries.length - 1, Math.max(0, index + by))]
    if (next !== undefined) this.goto(next.seq)
  }

  live(): void {
    this.at = null
    journal.pinned = null
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

/**
 * The state of a component at an entry of the journal. Before its first known transition it was where that one came from;
 * null where the entries held do not tell.
 */
export const stateAt = (
  entries: ReadonlyArray<Entry>,
  path: string,
  at: number | null,
  now: string
): string | null => {
  if (at === null) return now
  const last = lastOf(entries, path, at)
  if (last !== undefined && last.to !== null) return last.to
  const next = entries.find((entry) => entry.path === path && entry.type === "transition" && entry.seq > at)
  return next?.from || null
}
