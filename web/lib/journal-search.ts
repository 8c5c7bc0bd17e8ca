/**
 * Finds entries among those that the page holds, which may be a hundred thousand, at every frame.
 *
 * Promises: entries are in the order of their numbers, so a place is found by halving; a filter that stays the same looks only at
 * what came since.
 * Never: changes the entries it is given.
 */

interface Numbered {
  readonly seq: number
}

/** The place of the last entry with a number of at most `seq`; -1 where there is none. */
export const placeOf = (entries: ReadonlyArray<Numbered>, seq: number): number => {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((entries[middle]?.seq ?? 0) <= seq) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The entries up to a number; all of them for null. */
export const upTo = <Entry extends Numbered>(
  entries: ReadonlyArray<Entry>,
  seq: number | null
): ReadonlyArray<Entry> => (seq === null ? entries : entries.slice(0, placeOf(entries, seq) + 1))

/** Entries that pass a test, of a list that grows at its end and may lose its beginning. */
export class EntryFilter<Entry extends Numbered> {
  #passes: ((entry: Entry) => boolean) | null = null
  #entries: ReadonlyArray<Entry> = []
  #found: ReadonlyArray<Entry> = []

  /** The same function means the same test. */
  of(entries: ReadonlyArray<Entry>, passes: (entry: Entry) => boolean): ReadonlyArray<Entry> {
    const known = this.#grownFrom(entries, passes)
    const fresh = entries.slice(known).filter(passes)
    const first = entries[0]?.seq ?? 0
    const kept = known === 0 ? [] : this.#found.slice(placeOf(this.#found, first - 1) + 1)
    this.#found =
      known > 0 && fresh.length === 0 && kept.length === this.#found.length ? this.#found : kept.concat(fresh)
    this.#passes = passes
    this.#entries = entries
    return this.#found
  }

  /** How many of the entries were looked at before; 0 where the answer of before is of no use. */
  #grownFrom(entries: ReadonlyArray<Entry>, passes: (entry: Entry) => boolean): number {
    const last = this.#entries.at(-1)
    const first = this.#entries[0]
    if (passes !== this.#passes || last === undefined || first === undefined) return 0
    // Older ones were put in front, or the numbers began again.
    if ((entries[0]?.seq ?? 0) < first.seq) return 0
    const place = placeOf(entries, last.seq)
    return entries[place] === last ? place + 1 : 0
  }
}
