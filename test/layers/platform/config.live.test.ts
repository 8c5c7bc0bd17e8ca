import { assert, describe, it } from "vitest"
import { Redacted } from "effect"
import { versionOf } from "../../../src/domain/kernel/settings-change.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { makeLiveSettings } from "../../../src/layers/platform/config.live.ts"
import { settingsMask } from "../../../src/layers/platform/config-mask.ts"
import { snapshotOf } from "../../../src/layers/platform/config.port.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const before = settingsFrom()
const after = settingsFrom({ risk: { quantityMax: "1" } })

describe("live settings", () => {
  it("are one object whose values change, and a snapshot that never does", () => {
    const { assign, view } = makeLiveSettings(before)
    const snapshot = snapshotOf(view)
    assert.strictEqual(snapshotOf(view), snapshot, "the same until a reload, so that it can be cached by")
    assign(after)
    assert.strictEqual(view.risk.quantityMax, "1")
    assert.notStrictEqual(snapshot.risk.quantityMax, "1")
    assert.strictEqual(snapshotOf(view), after)
    assert.strictEqual(versionOf(snapshotOf(view)), versionOf(after))
    assert.notStrictEqual(versionOf(snapshot), versionOf(after))
  })

  it("that are plain, or a copy of a view, are their own snapshot", () => {
    const { assign, view } = makeLiveSettings(before)
    const copy = { ...view }
    assign(after)
    assert.strictEqual(snapshotOf(copy), copy)
    assert.strictEqual(snapshotOf(before), before)
  })
})

describe("the mask of live settings", () => {
  const withToken = (token: string): Settings => {
    const { default: feed } = before.feeds
    if (feed === undefined) throw new Error("practice has a feed")
    return { ...before, feeds: { default: { ...feed, token: Redacted.make(token) } } }
  }

  it("hides what a reload brings, and what it replaced as well", () => {
    const { assign, view } = makeLiveSettings(withToken("first-token-of-the-feed"))
    const mask = settingsMask(view)
    const line = "first-token-of-the-feed second-token-of-the-feed"
    assert.include(mask(line), "second-token")
    assert.notInclude(mask(line), "first-token")
    assign(withToken("second-token-of-the-feed"))
    assert.notMatch(mask(line), /first-token|second-token/)
    assign(before)
    assert.notMatch(mask(line), /first-token|second-token/)
  })

  it("forgets the oldest of many", () => {
    const { assign, view } = makeLiveSettings(withToken("token-number-0-of-the-feed"))
    const mask = settingsMask(view)
    for (let n = 1; n <= 150; n += 1) {
      assign(withToken(`token-number-${n}-of-the-feed`))
      mask("")
    }
    assert.notInclude(mask("token-number-149-of-the-feed"), "149")
    assert.include(mask("token-number-3-of-the-feed"), "number-3")
  })
})
