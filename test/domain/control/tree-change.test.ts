import { assert, describe, it } from "@effect/vitest"
import { treeChange } from "../../../src/domain/control/tree-change.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { testSettings } from "../../integration/execution-world.ts"

const cash = "100"
const base = {
  brokers: { inside: { kind: "paper" }, outside: { kind: "paper", url: "http://127.0.0.1:1/" } },
  accounts: {
    a: { broker: "inside", startingCash: cash },
    b: { broker: "outside", startingCash: cash },
    c: { broker: "outside", startingCash: cash }
  },
  strategies: { default: { sources: ["default"], accounts: ["a"] } },
  feeds: { here: {}, there: { url: "ws://127.0.0.1:1/" } }
}
const settings = (file: object = {}): Settings => testSettings({ ...base, ...file })

/** Paths by what happens to them, without the part that all of them have. */
const planned = (before: Settings, next: Settings) => {
  const { added, removed, restarted } = treeChange(before, next)
  const paths = (list: typeof added) => list.map(({ path }) => path.replace(/^root\//, ""))
  return { added: paths(added), removed: paths(removed), restarted: paths(restarted) }
}
const changes = (file: object) => planned(settings(), settings(file))
const nothing = { added: [], removed: [], restarted: [] }
const moved = (file: object) => treeChange(settings(), settings(file)).accounts.moved

describe("G11 the plan of a change", () => {
  it("is empty for equal settings, whatever the order of their entries", () => {
    const { a, b, c } = base.accounts
    assert.deepStrictEqual(changes({ accounts: { c, b, a } }), nothing)
    assert.deepStrictEqual(changes({ risk: { quantityMax: "1" } }), nothing, "a limit is no component")
  })

  it("adds in the order of the tree, and removes what it added in the same one", () => {
    const more = {
      brokers: { ...base.brokers, own: { kind: "paper" } },
      accounts: { ...base.accounts, d: { broker: "own", startingCash: cash } },
      feeds: { ...base.feeds, extra: {} }
    }
    const come = [
      "feeds/signal-server:extra",
      "feeds/feed:extra",
      "feeds/waves:extra",
      "trading/paper-venue:own",
      "trading/brokers/own",
      "trading/accounts/d"
    ]
    assert.deepStrictEqual(changes(more), { ...nothing, added: come })
    assert.deepStrictEqual(planned(settings(more), settings()), { ...nothing, removed: come })
    const { accounts } = treeChange(settings(more), settings())
    assert.deepStrictEqual(accounts, { added: [], changed: [], removed: ["d"], moved: [] })
  })

  it("disables an account without touching its executor", () => {
    const a = { ...base.accounts.a, enabled: false }
    assert.deepStrictEqual(changes({ accounts: { ...base.accounts, a } }), nothing)
    const { accounts } = treeChange(settings(), settings({ accounts: { ...base.accounts, a } }))
    assert.deepStrictEqual(accounts, { added: [], changed: ["a"], removed: [], moved: [] })
    const both = { ...a, calendar: "XNYS" }
    assert.deepStrictEqual(changes({ accounts: { ...base.accounts, a: both } }).restarted, [
      "trading/accounts/a"
    ])
  })

  it("adds, removes and restarts sinks and the heartbeat, in every process", () => {
    const of = (names: ReadonlyArray<string>, severityMin: string, everyMs: number | null) => ({
      alerts: {
        sinks: Object.fromEntries(names.map((name) => [name, { kind: "file", path: "/x", severityMin }])),
        heartbeat: everyMs === null ? null : { url: "http://127.0.0.1:1/", everyMs }
      }
    })
    const before = settings(of(["one", "two"], "LOW", 1_000))
    assert.deepStrictEqual(planned(settings(), before), {
      ...nothing,
      added: ["operators/sink:one", "operators/sink:two", "operators/heartbeat"]
    })
    assert.deepStrictEqual(planned(before, settings(of(["two", "three"], "HIGH", 2_000))), {
      added: ["operators/sink:three"],
      removed: ["operators/sink:one"],
      restarted: ["operators/sink:two", "operators/heartbeat"]
    })
    assert.deepStrictEqual(planned(before, settings(of(["one", "two"], "LOW", null))), {
      ...nothing,
      removed: ["operators/heartbeat"]
    })
  })

  it("adds, removes and restarts the endpoints of engine C", () => {
    const of = (names: ReadonlyArray<string>, secret: string) =>
      settings({
        voters: Object.fromEntries(names.map((name) => [name, { url: "http://127.0.0.1:1/", secret }]))
      })
    assert.deepStrictEqual(planned(of(["one", "two"], "old"), of(["two", "three"], "new")), {
      added: ["trading/voter:three"],
      removed: ["trading/voter:one"],
      restarted: ["trading/voter:two"]
    })
  })

  it("restarts a broker with the accounts that hold its connection, and no other", () => {
    const { inside, outside } = base.brokers
    assert.deepStrictEqual(changes({ brokers: { inside, outside: { ...outside, propagationMs: 9 } } }), {
      ...nothing,
      restarted: ["trading/brokers/outside", "trading/accounts/b", "trading/accounts/c"]
    })
    assert.deepStrictEqual(changes({ brokers: { inside: { ...inside, rule: "N" }, outside } }), {
      ...nothing,
      restarted: ["trading/paper-venue:inside", "trading/brokers/inside", "trading/accounts/a"]
    })
  })

  it("names the accounts that move: another address or rule may not find what was sent before", () => {
    const { inside, outside } = base.brokers
    assert.deepStrictEqual(moved({ brokers: { inside, outside: { ...outside, propagationMs: 9 } } }), [])
    assert.deepStrictEqual(moved({ brokers: { inside, outside: { ...outside, rule: "N" } } }), ["b", "c"])
    const elsewhere = { ...outside, url: "http://127.0.0.1:2/" }
    assert.deepStrictEqual(moved({ brokers: { inside, outside: elsewhere } }), ["b", "c"])
    const { a, b } = base.accounts
    assert.deepStrictEqual(
      moved({ brokers: { inside, outside: elsewhere }, accounts: { a, b } }),
      ["b"],
      "one that goes does not move"
    )
  })

  it("gives a venue to a broker that loses its address, and takes it from one that gets one", () => {
    const { inside, outside } = base.brokers
    const swapped = { inside: outside, outside: inside }
    const plan = changes({ brokers: swapped })
    assert.deepStrictEqual(plan.added, ["trading/paper-venue:outside"])
    assert.deepStrictEqual(plan.removed, ["trading/paper-venue:inside"])
    assert.lengthOf(plan.restarted, 5)
  })

  it("starts the venue that books a deposit again, and leaves one outside alone", () => {
    const { a, b, c } = base.accounts
    const rich = (account: typeof a) => ({ ...account, startingCash: "200" })
    assert.deepStrictEqual(changes({ accounts: { a: rich(a), b, c } }).restarted, [
      "trading/paper-venue:inside",
      "trading/accounts/a"
    ])
    assert.deepStrictEqual(changes({ accounts: { a, b: rich(b), c } }).restarted, ["trading/accounts/b"])
    const closed = { ...a, calendar: "XNYS" }
    assert.deepStrictEqual(changes({ accounts: { a: closed, b, c } }).restarted, ["trading/accounts/a"])
  })

  it("restarts a feed and its signal server, and never the schedule of its waves", () => {
    const { there } = base.feeds
    assert.deepStrictEqual(changes({ feeds: { here: { practiceSignals: 9 }, there } }).restarted, [
      "feeds/signal-server:here",
      "feeds/feed:here"
    ])
    assert.deepStrictEqual(changes({ feeds: { here: { pingEveryMs: 9_000 }, there } }).restarted, [
      "feeds/feed:here"
    ])
    const token = (text: string) => settings({ feeds: { here: {}, there: { ...there, token: text } } })
    assert.deepStrictEqual(planned(token("a-token-that-was"), token("a-token-that-is")).restarted, [
      "feeds/feed:there"
    ])
    assert.deepStrictEqual(changes({ feeds: { there } }).removed, [
      "feeds/signal-server:here",
      "feeds/feed:here",
      "feeds/waves:here"
    ])
  })

  it("has only the components of the roles", () => {
    const of = (roles: ReadonlyArray<string>) =>
      planned(
        settings({ roles }),
        settings({ roles, accounts: { a: base.accounts.a }, feeds: { here: base.feeds.here } })
      ).removed
    assert.deepStrictEqual(of(["http"]), [])
    assert.deepStrictEqual(of(["http", "waves"]), ["feeds/waves:there"])
    assert.deepStrictEqual(of(["http", "feeds"]), ["feeds/feed:there"])
    assert.deepStrictEqual(of(["http", "accounts"]), ["trading/accounts/b", "trading/accounts/c"])
  })
})
