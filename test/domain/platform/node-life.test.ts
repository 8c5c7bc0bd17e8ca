import { assert, describe, it } from "vitest"
import {
  claimToken,
  isProvenDead,
  lifeName,
  type ProcessMark
} from "../../../src/domain/platform/node-life.ts"

const here: ProcessMark = { host: "boot ns", pid: 7, startedAt: "100" }
const former = (over: Partial<ProcessMark> = {}): ProcessMark => ({
  ...here,
  pid: 6,
  startedAt: "50",
  ...over
})

describe("[T16] a former life", () => {
  it("is dead when its host shows no process, or another one, under its id", () => {
    assert.isTrue(isProvenDead(former(), here, null))
    assert.isTrue(isProvenDead(former(), here, { startedAt: "51" }))
  })
  it("is not proven dead while its process is there, on another host, in another boot, or on a nameless host", () => {
    assert.isFalse(isProvenDead(former(), here, { startedAt: "50" }))
    assert.isFalse(isProvenDead(former({ host: "other ns" }), here, null))
    assert.isFalse(isProvenDead(former({ host: "boot container" }), here, null))
    assert.isFalse(isProvenDead(former({ host: null }), { ...here, host: null }, null))
  })
  it("has a name that begins with its node, and claims that show both", () => {
    assert.strictEqual(lifeName("n", "b"), "n/b")
    const token = claimToken("a".repeat(64), "b".repeat(64), "0".repeat(32))
    assert.strictEqual(token, `${"a".repeat(8)}${"0".repeat(12)}${"b".repeat(12)}`)
  })
})
