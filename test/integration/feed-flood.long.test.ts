import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { flood } from "./feed-flood.ts"

it.live(
  "1,000,000 single signals: each stored once, memory flat",
  () =>
    Effect.gen(function* () {
      const { child, grown, rows } = yield* flood(1_000_000, 1_200_000)
      assert.deepStrictEqual(rows, { n: 1_000_000, ids: 1_000_000 })
      // Half a million signals are 100 MB when they are kept.
      assert.isBelow(grown.held, 10 * 1_024 * 1_024)
      assert.isBelow(grown.rss, 64 * 1_024 * 1_024)
      assert.deepStrictEqual([child.detail["connects"], child.restarts], [1, 0])
    }),
  1_500_000
)
