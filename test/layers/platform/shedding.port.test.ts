import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makeLiveSettings } from "../../../src/layers/platform/config.live.ts"
import { SettingsInForce } from "../../../src/layers/platform/config.port.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

describe("what may not work now", () => {
  it.effect("is what the process gives up and what a flag switches off; a reload is heard at once", () => {
    const live = makeLiveSettings(settingsFrom({}))
    const switched = (features: Readonly<Record<string, boolean>>) =>
      live.assign(settingsFrom({ flags: { features } }))
    return Effect.gen(function* () {
      const shedding = yield* Shedding
      const heard: Array<string> = []
      const end = shedding.onChange((gone) => heard.push(gone.join(",")))
      assert.isTrue(shedding.may("replay"))
      switched({ replay: false })
      assert.deepStrictEqual([shedding.may("replay"), shedding.isOff("replay")], [false, true])
      shedding.assign(["practice"])
      assert.deepStrictEqual([shedding.may("practice"), shedding.isOff("practice")], [false, false])
      // A reload that changes no flag is no news.
      live.assign(settingsFrom({ flags: { features: { replay: false } }, linkage: { rateMin: 0.5 } }))
      switched({})
      assert.isTrue(shedding.may("replay"))
      end()
      shedding.assign([])
      assert.deepStrictEqual(heard, ["", "replay", "practice,replay", "practice"])
      // What is switched off is not refused for lack of memory.
      assert.strictEqual(shedding.refused().get("replay"), 0)
      assert.strictEqual(shedding.refused().get("practice"), 1)
    }).pipe(Effect.provide(Shedding.flaggedLayer.pipe(Layer.provide(Layer.succeed(SettingsInForce, live)))))
  })
})
