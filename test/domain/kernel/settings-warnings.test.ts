/** What is allowed and hardly intended gets a warning. */
import { assert, describe, it } from "vitest"
import { settingsWarnings } from "../../../src/domain/kernel/settings-warnings.ts"
import { settingsFor } from "../../layers/api/http-world.ts"

const strong = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const paper = { APP_MODE: "PAPER", HMAC_SECRET: strong, ADMIN_TOKEN: strong }
const trader = { accounts: { a: { broker: "b", startingCash: "1" } }, brokers: { b: { kind: "paper" } } }
const paths = (environment: Record<string, string>, file?: Record<string, unknown>) =>
  settingsWarnings(settingsFor(environment, file)).map(({ path }) => path)

describe("a warning", () => {
  it("is none in practice with nothing configured", () => {
    assert.deepStrictEqual(paths({}), [])
  })
  it("says loudly that PAPER trades on prices nobody quoted", () => {
    const [warning] = settingsWarnings(
      settingsFor(paper, { ...trader, strategies: { s: { sources: ["default"], accounts: ["a"] } } })
    )
    assert.strictEqual(warning?.path, "market.kind")
    assert.match(warning?.message ?? "", /^PAPER runs on the seeded practice market: EVERY PRICE IS INVENTED/)
  })
  it("says that a bot tells nobody, where no chat gets alerts", () => {
    const telegram = (chats: Record<string, unknown>) =>
      paths({}, { telegram: { token: `42:${"x".repeat(35)}`, chats } })
    assert.deepStrictEqual(telegram({ "7": { role: "viewer" } }), ["telegram.chats"])
    assert.deepStrictEqual(telegram({ "7": { role: "operator", alerts: false } }), ["telegram.chats"])
    assert.deepStrictEqual(telegram({ "7": { role: "operator" } }), [])
    assert.deepStrictEqual(telegram({ "7": { role: "viewer", alerts: true } }), [])
  })
  it("says that quiet hours are never over", () => {
    const quiet = (given: Record<string, unknown>) => paths({}, { telegram: { quiet: given } })
    assert.deepStrictEqual(quiet({ from: "08:00", to: "08:00" }), ["telegram.quiet"])
    assert.deepStrictEqual(quiet({ from: "08:00", to: "08:00", days: ["sun"] }), [])
    assert.deepStrictEqual(quiet({ from: "22:00", to: "07:00" }), [])
  })
  it("names every source that no strategy takes, the wave source where a feed brings it", () => {
    const file = {
      ...trader,
      sources: { tv: {}, spare: {} },
      strategies: { s: { sources: ["tv"], accounts: ["a"] } }
    }
    assert.deepStrictEqual(paths(paper, file), ["market.kind", "sources.default", "sources.spare"])
    assert.deepStrictEqual(paths({ ...paper, SIGNAL_WS_URL: "ws://127.0.0.1:1" }, file), [
      "market.kind",
      "sources.default",
      "sources.wave",
      "sources.spare"
    ])
  })
  it("says which limit of a scope stops nothing, or everything", () => {
    const scopes = (given: Record<string, unknown>) =>
      paths({}, { risk: { scopes: given } }).map((path) => path.replace("risk.scopes.", ""))
    assert.deepStrictEqual(
      scopes({
        // Practice has two accounts of 100000.
        global: { dailyLossMax: "200000", drawdownMax: "200000.01", ordersPerMinuteMax: 1_000 },
        "account:paper-1": { dailyLossMax: "100000.01", priceCollarPct: "50" },
        "strategy:default": { drawdownMax: "100001", cooldownAfterLossMs: 86_400_001 },
        "account:paper-2": {}
      }),
      [
        "global.drawdownMax",
        "account:paper-1.dailyLossMax",
        "strategy:default.drawdownMax",
        "strategy:default.cooldownAfterLossMs",
        "account:paper-2.onBreach"
      ]
    )
  })
})
