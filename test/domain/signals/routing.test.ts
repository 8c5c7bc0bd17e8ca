import { assert, describe, it } from "vitest"
import { strategyUnknown, takersOf } from "../../../src/domain/signals/routing.ts"

const strategies = {
  momentum: { sources: ["webhook", "feed"] },
  reversal: { sources: ["webhook"] },
  idle: { sources: [] }
}
const names = (source: string, named: string | null) =>
  takersOf(strategies, source, named).map(([name]) => name)

describe("a signal is taken", () => {
  it.each([
    [
      "by everybody who is subscribed, in the order of the settings",
      "webhook",
      null,
      ["momentum", "reversal"]
    ],
    ["by the strategy it names", "webhook", "reversal", ["reversal"]],
    ["by nobody when nobody has that name, even by the only subscriber", "feed", "momentun", []],
    ["by nobody when the named one is not subscribed", "feed", "reversal", []],
    ["by nobody when nobody is subscribed", "other", null, []]
  ] as const)("%s", (_, source, named, expected) => {
    assert.deepStrictEqual(names(source, named), [...expected])
  })
})

describe("a strategy that does not take the source of its signal", () => {
  it("is an error of the field that names it", () =>
    assert.deepStrictEqual(strategyUnknown, {
      path: "strategy",
      message: "does not take signals of this source"
    }))
})
