/** Delays: bounded for every attempt, replayable by seed. */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { backoffDelayMs, SeededRandom, seedFor } from "../../src/runtime/backoff.ts"

const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))
const backoff = (firstMs: number, maxMs: number, jitter: "full" | "none") => ({
  firstMs,
  factor: 2,
  maxMs,
  jitter,
  resetAfterMs: 0
})

it.prop(
  "every delay lies between zero and the cap, for any attempt [seed, first, extra, attempt]",
  [Small, Small, Small, Small],
  ([seed, first, extra, attempt]) => {
    const delay = backoffDelayMs(backoff(first, first + extra, "full"), attempt + 1, new SeededRandom(seed))
    assert.isTrue(Number.isFinite(delay) && delay >= 0 && delay <= first + extra)
  },
  { arbitrary: { runs: 300, seed: 11 } }
)

it("without jitter the delay doubles up to the cap", () => {
  const random = new SeededRandom(1)
  assert.deepStrictEqual(
    [1, 2, 3, 4, 5, 2_000].map((attempt) => backoffDelayMs(backoff(100, 1_000, "none"), attempt, random)),
    [100, 200, 400, 800, 1_000, 1_000]
  )
})

it("full jitter covers the range evenly", () => {
  const random = new SeededRandom(5)
  const delays = Array.from({ length: 10_000 }, () =>
    backoffDelayMs(backoff(1_000, 1_000, "full"), 1, random)
  )
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length
  assert.isTrue(Math.abs(mean - 500) < 15)
  assert.isTrue(Math.min(...delays) < 5 && Math.max(...delays) > 995)
})

it("the same seed gives the same draws, other paths give others", () => {
  const draw = (seed: number) => {
    const random = new SeededRandom(seed)
    return [random.next(), random.next(), random.below(10)]
  }
  assert.deepStrictEqual(draw(seedFor(1, "root/a")), draw(seedFor(1, "root/a")))
  assert.notDeepEqual(draw(seedFor(1, "root/a")), draw(seedFor(1, "root/b")))
  assert.notDeepEqual(draw(seedFor(1, "root/a")), draw(seedFor(2, "root/a")))
})
