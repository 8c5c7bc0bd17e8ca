/** What an installation without settings trades with, and when it sends signals of its own: by being told, and only in practice. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { CANARY, canaryStrategy } from "../../../src/domain/kernel/canary.ts"
import { plainStrategy } from "../../../src/domain/kernel/practice-defaults.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"

const resolve = (environment: Record<string, string>, file?: unknown) =>
  resolveSettings({
    environment,
    file,
    cwd: "/srv",
    stdoutIsTerminal: false,
    resolvePath: (from, to) => `${from}/${to}`,
    readSecret: () => Result.fail("there are no files here")
  })
const settingsOf = (environment: Record<string, string>, file?: unknown) => {
  const result = resolve(environment, file)
  return Result.isSuccess(result) ? result.success : assert.fail(JSON.stringify(result.failure))
}
const problemsOf = (environment: Record<string, string>, file?: unknown) => {
  const result = resolve(environment, file)
  if (Result.isSuccess(result)) return assert.fail("the configuration was accepted")
  return result.failure.map((problem) => `${problem.path}: ${problem.message}`)
}
const route = { sources: ["default"], accounts: ["paper-1"] }
const asked = { PRACTICE_SIGNAL_MS: "60000" }
const secrets = {
  APP_MODE: "PAPER",
  HMAC_SECRET: "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo",
  ADMIN_TOKEN: "pR5t8WqZ2xVn6KmCb9LdGh3FsJyT7aUe"
}

describe("the strategy that every other one begins from", () => {
  it("has the defaults of the configuration file", () => {
    const { strategies } = settingsOf({}, { strategies: { own: route } })
    assert.deepStrictEqual(strategies["own"], { ...plainStrategy, ...route })
  })
  it("is the canary's, but for where it trades", () => {
    assert.deepStrictEqual(canaryStrategy, { ...plainStrategy, sources: [CANARY], accounts: [CANARY] })
  })
  it("is that of practice mode, where an alert is one order and nothing follows it", () => {
    const { strategies } = settingsOf({})
    assert.deepStrictEqual(strategies, {
      default: { ...plainStrategy, shadow: "B", sources: ["default", "wave"], accounts: ["paper-1"] }
    })
  })
})

describe("practice signals", () => {
  it("are none, from no source and for no strategy, unless they are asked for", () => {
    for (const given of [{}, { PRACTICE_SIGNAL_MS: "" }, { PRACTICE_SIGNAL_MS: "0" }]) {
      const { practice, sources, strategies } = settingsOf(given)
      assert.deepStrictEqual(practice, { signalEveryMs: 0 })
      assert.deepStrictEqual(Object.keys(sources), ["default", "wave"])
      assert.deepStrictEqual(strategies["default"]?.sources, ["default", "wave"])
    }
  })
  it("that are asked for come from a source of their own, to the strategy of practice, with a stop and a target", () => {
    for (const { practice, sources, strategies } of [
      settingsOf(asked),
      settingsOf({}, { practice: { signalEveryMs: 60_000 } })
    ]) {
      assert.strictEqual(practice.signalEveryMs, 60_000)
      assert.deepStrictEqual(Object.keys(sources), ["default", "wave", "practice"])
      const { profitTargetPct, stopLossPct, ...rest } = strategies["default"] ?? assert.fail("there is one")
      const { profitTargetPct: _, stopLossPct: __, ...plain } = plainStrategy
      const taken = ["default", "wave", "practice"]
      assert.deepStrictEqual(rest, { ...plain, shadow: "B", sources: taken, accounts: ["paper-1"] })
      assert.isAbove(Number(stopLossPct), 0)
      assert.isAbove(Number(profitTargetPct), 0)
    }
  })
  it("are refused where strategies are configured and none takes them", () => {
    assert.deepStrictEqual(problemsOf(asked, { strategies: { own: route } }), [
      'PRACTICE_SIGNAL_MS: no strategy takes the source "practice"'
    ])
    const takes = { ...route, sources: ["practice"] }
    const { strategies } = settingsOf(asked, { strategies: { own: takes } })
    assert.deepStrictEqual(strategies["own"]?.sources, ["practice"])
    // Without them there is no such source.
    assert.deepStrictEqual(problemsOf({}, { strategies: { own: takes } }), [
      'strategies.own.sources: there is no source "practice"'
    ])
  })
  it("are refused in any other mode, whatever the settings take", () => {
    const file = {
      sources: { practice: {} },
      accounts: { a: { broker: "b", startingCash: "1" } },
      brokers: { b: { kind: "paper" } },
      feeds: {},
      strategies: { own: { sources: ["practice"], accounts: ["a"] } }
    }
    assert.deepStrictEqual(problemsOf({ ...secrets, ...asked }, file), [
      "PRACTICE_SIGNAL_MS: PAPER has no signals of its own: leave it out"
    ])
    assert.strictEqual(settingsOf(secrets, file).practice.signalEveryMs, 0)
  })
  it.each([
    ["999", "must be 0 or at least 1000"],
    ["-1", "must be a whole number from 0 to 3600000"],
    ["3600001", "must be a whole number from 0 to 3600000"],
    ["60s", "must be a whole number from 0 to 3600000"]
  ])("are refused at a period that is none [%s]", (every, message) => {
    assert.deepStrictEqual(problemsOf({ PRACTICE_SIGNAL_MS: every }), [`PRACTICE_SIGNAL_MS: ${message}`])
  })
})
