import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { SourceRate } from "../../../src/domain/kernel/settings-source.ts"
import { makeRateLimiter } from "../../../src/layers/api/http.rate-limit.ts"

const rate = (more: Partial<SourceRate> = {}): SourceRate => ({
  requests: 2,
  perMs: 1_000,
  policy: "reject",
  waitMsMax: 1_500,
  ...more
})

describe("E3 the window of a rate", () => {
  it("slides: a turn is free when the oldest of the last posts has left it", () => {
    const { take } = makeRateLimiter()
    const at = (ms: number) => take("s", "a", rate(), ms)
    assert.deepStrictEqual([at(0), at(600)], [{ waitMs: 0 }, { waitMs: 0 }])
    assert.deepStrictEqual(at(999), { retryMs: 1 })
    assert.deepStrictEqual(at(1_000), { waitMs: 0 })
    assert.deepStrictEqual(at(1_001), { retryMs: 599 })
    assert.deepStrictEqual(take("s", "b", rate(), 1_001), { waitMs: 0 }, "another sender")
    assert.deepStrictEqual(take("t", "a", rate(), 1_001), { waitMs: 0 }, "another source")
  })

  it("gives turns to posts that wait, and none beyond their deadline", () => {
    const { take } = makeRateLimiter()
    const at = (ms: number) => take("s", "a", rate({ policy: "queue" }), ms)
    const turns = [0, 0, 0, 0, 0].map(at)
    assert.deepStrictEqual(turns, [
      { waitMs: 0 },
      { waitMs: 0 },
      { waitMs: 1_000 },
      { waitMs: 1_000 },
      { retryMs: 500 }
    ])
    assert.deepStrictEqual(at(500), { waitMs: 1_500 })
  })

  it.prop(
    "never lets more pass within it, whatever comes when",
    [
      Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 }))),
      Schema.Literals(["reject", "queue"])
    ],
    ([gaps, policy]) => {
      const limit = rate({ requests: 3, perMs: 1_000, policy })
      const { take } = makeRateLimiter()
      let now = 0
      const passed: Array<number> = []
      for (const gap of gaps) {
        now += gap
        const turn = take("s", "a", limit, now)
        if ("waitMs" in turn) passed.push(now + turn.waitMs)
      }
      assert.deepStrictEqual(
        passed,
        passed.toSorted((a, b) => a - b)
      )
      for (const [index, at] of passed.entries()) {
        const third = passed[index + 3]
        if (third !== undefined) assert.isAtLeast(third - at, 1_000)
      }
    },
    { arbitrary: { runs: 500, seed: 7 } }
  )
})
