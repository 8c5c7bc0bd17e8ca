import { assert, describe, it } from "vitest"
import { TelegramLanes } from "../../../src/domain/operators/telegram-lanes.ts"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"

const lanesWith = (...updates: ReadonlyArray<readonly [string, number]>) => {
  const lanes = new TelegramLanes<{ readonly updateId: number }>()
  for (const [chat, updateId] of updates) lanes.add(chat, { updateId })
  return lanes
}
const sorted = (ids: ReadonlyArray<number>) => ids.toSorted((a, b) => a - b)

describe("lanes", () => {
  it("keep the order of a chat, and each runs once", () => {
    const lanes = lanesWith(["a", 1], ["b", 2], ["a", 3])
    assert.deepStrictEqual(lanes.start(), ["a", "b"])
    assert.deepStrictEqual(lanes.start(), [])
    assert.strictEqual(lanes.front("a")?.updateId, 1)
    lanes.shift("a")
    assert.strictEqual(lanes.front("a")?.updateId, 3)
    assert.deepStrictEqual(sorted(lanes.except(0)), [2, 3])
    lanes.shift("a")
    assert.isFalse(lanes.end("a"))
    assert.deepStrictEqual(lanes.except(0), [2])
  })

  it("what comes while a lane ends runs it again", () => {
    const lanes = lanesWith(["a", 1])
    lanes.start()
    lanes.shift("a")
    lanes.add("a", { updateId: 2 })
    assert.isTrue(lanes.end("a"))
    assert.deepStrictEqual(lanes.start(), ["a"])
  })

  it("at most so many run at once, and those that wait begin when one ends", () => {
    const chats = Array.from({ length: telegramLimits.lanesMax + 2 }, (_, n) => [`c${n}`, n] as const)
    const lanes = lanesWith(...chats)
    assert.lengthOf(lanes.start(), telegramLimits.lanesMax)
    assert.lengthOf(lanes.start(), 0)
    lanes.shift("c0")
    assert.isTrue(lanes.end("c0"))
    assert.deepStrictEqual(lanes.start(), [`c${telegramLimits.lanesMax}`])
  })

  it("a chat that writes more than its lane holds takes no room from others, and none of its updates overtakes another", () => {
    const max = telegramLimits.laneUpdatesMax
    const lanes = lanesWith(...Array.from({ length: max + 5 }, (_, n) => ["a", n] as const), ["b", 100])
    assert.deepStrictEqual(lanes.start(), ["a", "b"])
    lanes.shift("a")
    lanes.add("a", { updateId: 50 })
    assert.lengthOf(lanes.except(0), max + 6, "none is read again while the lane runs")
    for (let n = 1; n < max; n += 1) lanes.shift("a")
    assert.isUndefined(lanes.front("a"))
    assert.isTrue(lanes.end("a"), "those that were skipped are read again")
    assert.deepStrictEqual(lanes.except(0), [100])
  })

  it("what was put aside is read again at its time", () => {
    const lanes = lanesWith()
    lanes.putAside(1, 1_000)
    assert.deepStrictEqual(lanes.except(999), [1])
    assert.deepStrictEqual(lanes.except(1_000), [])
  })

  it("what waits for the name of the bot is read again when that is known", () => {
    const lanes = lanesWith()
    lanes.awaitName("a", 1)
    assert.deepStrictEqual(
      [lanes.awaitsName("a"), lanes.awaitsName("b"), lanes.except(0)],
      [true, false, [1]]
    )
    lanes.nameKnown()
    assert.deepStrictEqual(lanes.except(0), [])
  })

  it("no more are read than memory is meant to hold", () => {
    const lanes = lanesWith()
    for (let id = 0; id < telegramLimits.heldMax; id += 1) lanes.putAside(id, 1)
    assert.deepStrictEqual([lanes.isFull(0), lanes.isFull(1)], [true, false])
  })
})
