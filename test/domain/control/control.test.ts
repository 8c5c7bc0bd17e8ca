/** T14: what cannot be undone is refused, and what leaves positions unprotected names whose. */
import { assert, describe, it } from "vitest"
import { irrevocable, unwatchedBy } from "../../../src/domain/control/control.ts"

describe("a command that nobody could take back", () => {
  it.each([
    ["pause", "root/http"],
    ["pause", "root/database"],
    ["pause", "root"],
    ["restart", "root"],
    ["resume", "root"]
  ] as const)("is refused with its reason [%s %s]", (command, path) => {
    assert.isNotEmpty(irrevocable(command, path) ?? "")
  })

  it.each([
    ["restart", "root/http"],
    ["restart", "root/database"],
    ["resume", "root/http"],
    ["pause", "root/operators"],
    ["pause", "root/operators/trading-state"],
    ["pause", "root/feeds/feed:default"],
    ["pause", "root/trading"],
    ["pause", "root/https"]
  ] as const)("is not this one [%s %s]", (command, path) => {
    assert.isNull(irrevocable(command, path))
  })
})

describe("a pause that leaves positions alone", () => {
  const accounts = {
    "paper-1": { broker: "practice" },
    "paper-2": { broker: "practice" },
    alpha: { broker: "venue" },
    beta: { broker: "venue" }
  }
  const all = Object.keys(accounts)
  it.each([
    ["root/trading", all],
    ["root/trading/market", all],
    ["root/trading/exits", all],
    ["root/trading/reconciler", all],
    ["root/trading/brokers", all],
    ["root/trading/accounts", all],
    ["root/trading/accounts/alpha", ["alpha"]],
    ["root/trading/brokers/venue", ["alpha", "beta"]],
    ["root/trading/paper-venue:practice", ["paper-1", "paper-2"]],
    ["root/trading/anything-new", all],
    ["root/trading/pipeline", []],
    ["root/trading/agents", []],
    ["root/trading/agents/trend", []],
    ["root/trading/voter:mine", []],
    ["root/trading/accounts/gone", []],
    ["root/feeds", []],
    ["root/operators/alerts", []],
    ["root/tradings", []]
  ])("names the accounts of %s", (path, expected) => {
    assert.deepStrictEqual(unwatchedBy(path, accounts), expected)
  })
})
