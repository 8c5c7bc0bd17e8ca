/** Searching the entries that a page holds: the same answers as looking at all of them, without doing so. */
import { assert, describe, it } from "vitest"
import { EntryFilter, placeOf, upTo } from "../../web/lib/journal-search.ts"
import { randomFrom } from "../outside/random.ts"

const entriesOf = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => ({ seq: from + index }))

describe("a search among entries", () => {
  it("finds the place of a number, or of the one before it", () => {
    const entries = [{ seq: 3 }, { seq: 4 }, { seq: 9 }]
    assert.deepStrictEqual(
      [1, 3, 4, 7, 9, 10].map((seq) => placeOf(entries, seq)),
      [-1, 0, 1, 1, 2, 2]
    )
    assert.deepStrictEqual(upTo(entries, 8), [{ seq: 3 }, { seq: 4 }])
    assert.strictEqual(upTo(entries, null), entries)
    assert.strictEqual(placeOf([], 1), -1)
  })

  it("gives what passes, however the list grew, lost its beginning, or began again", () => {
    const random = randomFrom(11)
    const filter = new EntryFilter<{ readonly seq: number }>()
    const tests = [(one: { seq: number }) => one.seq % 3 === 0, (one: { seq: number }) => one.seq % 7 === 1]
    let entries: ReadonlyArray<{ readonly seq: number }> = entriesOf(1_000, 1_010)
    let passes = tests[0]!
    for (let round = 0; round < 500; round += 1) {
      const [first, last] = [entries[0]?.seq ?? 1_000, entries.at(-1)?.seq ?? 999]
      const step = random.next()
      if (step < 0.5)
        entries = [...entries, ...entriesOf(last + 1, last + 1 + Math.floor(random.between(0, 9)))]
      else if (step < 0.7) entries = entries.slice(Math.floor(random.between(0, 12)))
      else if (step < 0.8) entries = [...entriesOf(first - 5, first), ...entries]
      else if (step < 0.9) passes = random.pick(tests)
      else entries = entriesOf(first + 100, first + 130)
      assert.deepStrictEqual(filter.of(entries, passes), entries.filter(passes), `round ${round}`)
    }
  })

  it("looks only at what is new", () => {
    let looks = 0
    const passes = (): boolean => {
      looks += 1
      return true
    }
    const filter = new EntryFilter<{ readonly seq: number }>()
    const entries = entriesOf(0, 1_000)
    filter.of(entries, passes)
    assert.lengthOf(filter.of([...entries, { seq: 1_000 }], passes), 1_001)
    assert.strictEqual(looks, 1_001)
  })
})
