/** What is too little (E9): limits, and how far inside of them a figure must come back. */
import { assert, describe, it } from "@effect/vitest"
import {
  judgeResources,
  noPressure,
  type ResourceLimits,
  type ResourceReading,
  SHED_ORDER,
  shedOf,
  worstOf
} from "../../../src/domain/platform/resources.ts"

const none = { high: null, critical: null }
const limits: ResourceLimits = {
  rss: { high: 100, critical: 200 },
  heap: { high: 80, critical: 90 },
  loop: none,
  disk: { high: 5, critical: 2 },
  pool: { high: 50, critical: null },
  queue: none
}
const well: ResourceReading = {
  rssBytes: 10,
  heapUsedBytes: 1,
  heapLimitBytes: 10,
  loopMs: 9_999,
  diskFreePct: 50,
  poolWaiting: 0,
  queueMs: 9_999
}
const judged = (change: Partial<ResourceReading>, before = noPressure) =>
  judgeResources({ ...well, ...change }, limits, before)

describe("[E9] the level of a figure", () => {
  it("without a limit, or that cannot be read, is normal whatever it is", () => {
    assert.deepStrictEqual(judged({ diskFreePct: null }), noPressure)
  })
  it.each([
    ["memory", { rssBytes: 99 }, "normal"],
    ["memory", { rssBytes: 100 }, "high"],
    ["memory", { rssBytes: 200 }, "critical"],
    ["the heap", { heapUsedBytes: 8 }, "high"],
    ["the heap", { heapUsedBytes: 9 }, "critical"],
    ["the disk", { diskFreePct: 5 }, "normal"],
    ["the disk", { diskFreePct: 4.9 }, "high"],
    ["the disk", { diskFreePct: 1.9 }, "critical"],
    ["the pool", { poolWaiting: 5_000 }, "high"]
  ] as const)("of %s at %j is %s", (_, change, expected) => {
    assert.strictEqual(worstOf(judged(change)), expected)
  })
  it.each([
    [{ rssBytes: 91 }, { rss: "high" }, "high"],
    [{ rssBytes: 89 }, { rss: "high" }, "normal"],
    [{ rssBytes: 181 }, { rss: "critical" }, "critical"],
    [{ rssBytes: 179 }, { rss: "critical" }, "high"],
    [{ diskFreePct: 5.4 }, { disk: "high" }, "high"],
    [{ diskFreePct: 5.6 }, { disk: "high" }, "normal"]
  ] as const)("is left a tenth inside of the limit [%j after %j: %s]", (change, before, expected) => {
    assert.strictEqual(worstOf(judged(change, { ...noPressure, ...before })), expected)
  })
})

it("[E9] the console goes last and comes back first; what trades is in no list", () => {
  assert.deepStrictEqual(SHED_ORDER, ["practice", "decoration", "capture", "replay", "shadow", "console"])
  assert.deepStrictEqual(shedOf(2), ["practice", "decoration"])
})
