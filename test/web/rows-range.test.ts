/** Which rows of a long list are drawn: what is in view, and the rest as space of the same height. */
import { assert, describe, it } from "vitest"
import { CHUNK_ROWS, rowsIn, rowsRange } from "../../web/lib/rows-range.ts"
import { randomFrom } from "../outside/random.ts"

const heightOf = (count: number, rowHeight: (chunk: number) => number): number =>
  Array.from(
    { length: Math.ceil(count / CHUNK_ROWS) },
    (_, chunk) => rowHeight(chunk) * rowsIn(chunk, count)
  ).reduce((sum, height) => sum + height, 0)

describe("the rows that are drawn", () => {
  it("are those in view, and all of their places together are as high as all rows", () => {
    const random = randomFrom(7)
    for (let round = 0; round < 300; round += 1) {
      const count = Math.floor(random.between(1, 5_000))
      const heights = Array.from({ length: 200 }, () => random.between(20, 90))
      const rowHeight = (chunk: number): number => heights[chunk] ?? 30
      const whole = heightOf(count, rowHeight)
      const top = random.between(-2_000, whole + 2_000)
      const bottom = top + random.between(1, 3_000)
      const { above, below, end, first } = rowsRange(count, rowHeight, top, bottom)
      let drawn = 0
      for (let chunk = first / CHUNK_ROWS; chunk < end / CHUNK_ROWS; chunk += 1)
        drawn += rowHeight(chunk) * rowsIn(chunk, count)
      assert.approximately(above + drawn + below, whole, 0.01)
      assert.isTrue(first < end && first < count, "something is drawn")
      if (top < whole) assert.isAtMost(above, Math.max(0, top), "nothing in view is left out before")
      assert.isTrue(end >= count || above + drawn >= bottom, "nor after")
      assert.isAtMost(drawn, bottom - top + 2 * 90 * CHUNK_ROWS, "and little more than what is in view")
    }
  })

  it("of a hundred thousand are a few chunks, at the end as well", () => {
    const { below, end, first } = rowsRange(100_000, () => 26, 2_599_000, 2_601_500)
    assert.isAtMost(end - first, 4 * CHUNK_ROWS)
    assert.strictEqual(below, 0)
    assert.isAtLeast(end, 100_000)
  })

  it("are none of an empty list", () => {
    assert.deepStrictEqual(
      rowsRange(0, () => 26, 0, 1_000),
      { first: 0, end: 0, above: 0, below: 0 }
    )
  })
})
