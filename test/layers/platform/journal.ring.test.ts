/** The ring of the journal: numbers, what is kept, what waits to be stored, and what is lost, counted once. */
import { assert, describe, it } from "vitest"
import { journalBase, journalFact } from "../../../src/domain/platform/journal.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import { SeededRandom } from "../../../src/runtime/backoff.ts"

const boot = "c0000000-0000-4000-8000-000000000000"
const fact = journalFact({ type: "alert", at: 1, path: "root", event: "x" })

const open = (capacity = 8, base = 100) => {
  const journal = makeJournal(boot, base, capacity)
  const record = (count: number): void => {
    for (let index = 0; index < count; index += 1) journal.record(fact)
  }
  const seqs = (after: number, max = 1_000): ReadonlyArray<number> =>
    journal.read(after, max).map(({ seq }) => seq)
  return { journal, record, seqs }
}

describe("the journal in memory", () => {
  it("numbers from its base without a gap, and keeps the last", () => {
    const { journal, record, seqs } = open()
    assert.deepStrictEqual([journal.head(), journal.first(), seqs(0)], [100, 101, []])
    record(3)
    assert.deepStrictEqual([journal.head(), journal.first(), seqs(0)], [103, 101, [101, 102, 103]])
    record(20)
    assert.deepStrictEqual([journal.first(), seqs(0, 2), seqs(121)], [116, [116, 117], [122, 123]])
    assert.deepStrictEqual(seqs(123), [])
  })

  it("begins later processes above earlier ones, below what a double holds exactly", () => {
    const now = Date.UTC(2026, 10, 30)
    assert.isAbove(journalBase(now + 1), journalBase(now) + 999)
    assert.isTrue(Number.isSafeInteger(journalBase(Date.UTC(2254, 0, 1)) + 1_000_000_000))
  })

  it("hands out what waits in order, again when it could not be stored, and not when it was", () => {
    const { journal, record } = open()
    record(5)
    assert.deepStrictEqual(
      journal.take(3).map(({ seq }) => seq),
      [101, 102, 103]
    )
    journal.release()
    const batch = journal.take(3)
    journal.settle(batch.at(-1)?.seq ?? 0)
    assert.deepStrictEqual(journal.counts(), { recorded: 5, stored: 3, waiting: 2, lost: 0 })
    assert.deepStrictEqual(
      journal.take(3).map(({ seq }) => seq),
      [104, 105]
    )
  })

  it("counts what made room unstored as lost, once, and not what is in the hands of the store", () => {
    const { journal, record } = open(4)
    record(4)
    const batch = journal.take(4)
    record(4)
    assert.strictEqual(journal.counts().lost, 0, "101 to 104 are being stored")
    assert.strictEqual(journal.settled(), 100)
    journal.settle(batch.at(-1)?.seq ?? 0)
    assert.strictEqual(journal.settled(), 104)
    record(3)
    assert.deepStrictEqual(journal.counts(), { recorded: 11, stored: 4, waiting: 4, lost: 3 })
    assert.strictEqual(journal.settled(), 107)
    journal.take(10)
    journal.release()
    assert.strictEqual(journal.counts().lost, 3)
    // Taken, overwritten, and then not stored after all.
    journal.take(4)
    record(2)
    journal.release()
    assert.strictEqual(journal.counts().lost, 5)
  })

  it("counts an entry that the database refuses as lost and goes on behind it", () => {
    const { journal, record } = open()
    record(3)
    journal.take(3)
    journal.settle(101)
    journal.giveUp(102)
    journal.settle(103)
    assert.deepStrictEqual(journal.counts(), { recorded: 3, stored: 2, waiting: 0, lost: 1 })
  })

  it("keeps its books over a random life: recorded = stored + waiting + lost", () => {
    const seed = 11
    const random = new SeededRandom(seed)
    const { journal, record } = open(16)
    const stored = new Set<number>()
    for (let step = 0; step < 2_000; step += 1) {
      record(random.below(12))
      const batch = journal.take(1 + random.below(8))
      record(random.below(4))
      const last = batch.at(-1)
      if (last === undefined || random.below(4) === 0) journal.release()
      else {
        for (const { seq } of batch) {
          assert.isFalse(stored.has(seq), `seed ${seed}: ${seq} twice`)
          stored.add(seq)
        }
        journal.settle(last.seq)
      }
      const { lost, recorded, stored: count, waiting } = journal.counts()
      assert.strictEqual(recorded, count + waiting + lost, `seed ${seed}, step ${step}`)
      assert.strictEqual(count, stored.size, `seed ${seed}, step ${step}`)
    }
    assert.isAbove(journal.counts().lost, 0)
  })

  it("survives a listener that throws, and calls the others", () => {
    const { journal, record } = open()
    let heard = 0
    journal.listen(() => {
      throw new Error("broken viewer")
    })
    const end = journal.listen(() => {
      heard += 1
    })
    record(2)
    end()
    record(1)
    assert.deepStrictEqual([heard, journal.head()], [2, 103])
  })

  it("is watched while somebody watches, and says so once each way", () => {
    const { journal } = open()
    const seen: Array<boolean> = []
    journal.onWatched((watched) => seen.push(watched))
    const [one, other] = [journal.watch(), journal.watch()]
    one()
    one()
    assert.deepStrictEqual(seen, [false, true])
    other()
    assert.deepStrictEqual(seen, [false, true, false])
  })
})
