import { assert, describe, it } from "@effect/vitest"
import { switchedOff } from "../../../src/domain/health/switched-off.ts"
import { FLAG_NAMES, flagLines, FLAGS, isOn, plainFlags } from "../../../src/domain/kernel/flags.ts"
import { SHED_ORDER } from "../../../src/domain/platform/resources.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const flags = {
  features: { replay: false, paper: true },
  accounts: { "paper-1": { paper: false } },
  strategies: { s1: { shadow: false } }
} as const

describe("flags", () => {
  it("a feature is on unless it is switched off somewhere that concerns it", () => {
    assert.deepStrictEqual(
      FLAG_NAMES.filter((name) => !isOn(flags, name)),
      ["replay"]
    )
    assert.isFalse(isOn(flags, "paper", { account: "paper-1" }))
    assert.isTrue(isOn(flags, "paper", { account: "paper-2", strategy: "s1" }))
    assert.isFalse(isOn(flags, "shadow", { strategy: "s1" }))
    assert.isTrue(isOn(flags, "shadow", { strategy: "toString" }))
    const off = { ...flags, features: { paper: false } }
    assert.isFalse(isOn(off, "paper", { account: "paper-2" }))
  })

  it("are listed with what is set, for everything and for less", () => {
    const lines = flagLines(flags).map(({ isSet, name, on, path, scope }) => [
      scope,
      name,
      on,
      isSet,
      path.join(".")
    ])
    assert.lengthOf(lines, FLAG_NAMES.length + 2)
    assert.deepInclude(lines, ["global", "replay", false, true, "features.replay"])
    assert.deepInclude(lines, ["global", "canary", true, false, "features.canary"])
    assert.deepInclude(lines, ["account:paper-1", "paper", false, true, "accounts.paper-1.paper"])
    assert.deepInclude(lines, ["strategy:s1", "shadow", false, true, "strategies.s1.shadow"])
    assert.isTrue(flagLines(plainFlags).every(({ isSet, on }) => on && !isSet))
  })

  it("name every feature that the process gives up by itself", () => {
    assert.includeMembers([...FLAG_NAMES], [...SHED_ORDER])
    assert.sameMembers([...FLAG_NAMES], Object.keys(FLAGS))
  })

  it("are reported by health where somebody would miss the feature", () => {
    const off = { flags: { features: { canary: false, replay: false, telegram_self_test: false } } }
    assert.deepStrictEqual(switchedOff(settingsFrom(off)), [FLAGS.canary.missed])
    assert.deepStrictEqual(switchedOff(settingsFrom({ ...off, canary: { everyMs: null } })), [])
    assert.deepStrictEqual(switchedOff(settingsFrom({})), [])
  })

  it.each([
    [{ features: { orders: false } }, "flags.features.orders"],
    [{ accounts: { "paper-1": { canary: false } } }, "flags.accounts.paper-1.canary"],
    [{ accounts: { nobody: { paper: false } } }, "flags.accounts.nobody"],
    [{ strategies: { nobody: { paper: false } } }, "flags.strategies.nobody"]
  ])("%j is refused by its name", (wrong, path) => {
    assert.throws(() => settingsFrom({ flags: wrong }), path)
  })
})
