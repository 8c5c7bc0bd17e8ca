import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { RunningTree } from "../../../src/actors/platform/running-tree.ts"
import { reshapeBy } from "../../../src/actors/service/reshape.ts"
import { treeChange } from "../../../src/domain/control/tree-change.ts"
import type { Settings } from "../../../src/domain/kernel/settings.ts"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Protection } from "../../../src/layers/orders/protection.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Brokers } from "../../../src/layers/venues/broker.port.ts"
import { type ChildSelf, dynamic, supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import type { TreeNode } from "../../../src/runtime/tree.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const cash = "100"
const one = {
  brokers: { first: { kind: "paper" } },
  accounts: { a: { broker: "first", startingCash: cash } },
  strategies: { default: { sources: ["default"], accounts: ["a"] } },
  feeds: { here: {} }
}
const two = {
  ...one,
  brokers: { ...one.brokers, second: { kind: "paper" } },
  accounts: { ...one.accounts, b: { broker: "second", startingCash: cash } },
  feeds: { ...one.feeds, extra: {} }
}

/** A tree of the service's shape whose children write down what happens to them. */
const world = (first: Settings) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const crashes = new Map<string, () => void>()
    const refuses = new Set<string>()
    const start = (note: string) => (self: ChildSelf) =>
      Effect.gen(function* () {
        if (refuses.has(self.path)) return yield* Effect.fail(new Error("not today"))
        log.push(`+${self.path}${note}`)
        crashes.set(self.path, () => self.crash(new Error("crash")))
        yield* Effect.addFinalizer(() => Effect.sync(() => void log.push(`-${self.path}`)))
        self.setStatus({ ready: true })
        return {}
      })
    const group = { intensity: { max: 0, withinMs: 1_000 } } as const
    const child = { readiness: "optional", backoff: { firstMs: 100, jitter: "none" } } as const
    const names = (record: object) => Object.keys(record).map((name) => ({ id: name, args: name }))
    const build = ({ accounts, brokers, feeds }: Settings) =>
      supervisor({
        id: "root",
        children: [
          supervisor({
            id: "feeds",
            ...group,
            children: Object.entries(feeds).flatMap(([name, { pingEveryMs }]) => [
              worker({ ...child, id: `signal-server:${name}`, start: start("") }),
              worker({ ...child, id: `feed:${name}`, start: start(` ${pingEveryMs}`) }),
              worker({ ...child, id: `waves:${name}`, start: start("") })
            ])
          }),
          supervisor({
            id: "trading",
            ...group,
            children: [
              worker({ ...child, id: "market", start: start("") }),
              ...Object.keys(brokers).map((name) =>
                worker({ ...child, id: `paper-venue:${name}`, start: start("") })
              ),
              dynamic({
                id: "brokers",
                ...group,
                template: { ...child, start: () => start("") },
                instances: names(brokers)
              }),
              dynamic({
                id: "accounts",
                ...group,
                template: { ...child, start: () => start("") },
                instances: names(accounts)
              })
            ]
          })
        ]
      })
    const closed: Array<string> = []
    const forgotten: Array<string> = []
    const services = yield* Layer.build(
      Layer.mergeAll(
        RunningTree.layer,
        Protection.layer,
        Layer.succeed(Figures, {
          show: () => () => undefined,
          forget: (path) => void forgotten.push(path),
          read: () => []
        }),
        Layer.succeed(Alerts, {
          raise: () => Effect.void,
          resolveAllBut: () => Effect.void,
          draft: Effect.die("nothing is committed with its alert"),
          takePending: () => [],
          putBack: () => undefined,
          counts: () => ({ raised: 0, pending: 0, dropped: 0 }),
          resolve: (keys) =>
            Effect.sync(() => void closed.push(...(typeof keys === "string" ? [keys] : keys)))
        }),
        Layer.succeed(Brokers, {
          get: () => assert.fail("no connection is asked for"),
          release: Effect.sync(() => void log.push("released"))
        })
      )
    )
    const tree = yield* startTree(build(first), { stopDeadlineMs: 10_000, seed: 1 })
    let inForce = first
    const apply = (next: Settings) =>
      Effect.suspend(() => {
        log.length = 0
        const change = treeChange(inForce, next)
        inForce = next
        return Effect.provide(reshapeBy(build)(tree, next, change), services)
      })
    const leaves = (node: TreeNode): ReadonlyArray<string> =>
      node.type === "worker"
        ? [`${node.path.replace(/^root\//, "")} ${node.phase}`]
        : node.children.flatMap(leaves)
    return {
      apply,
      closed,
      crash: (path: string) =>
        Effect.andThen(
          Effect.sync(() => crashes.get(path)?.()),
          TestClock.adjust(1_000)
        ),
      forgotten,
      log,
      refuses,
      shape: () => leaves(tree.snapshot()),
      tree
    }
  })

const COME = [
  "root/feeds/signal-server:extra",
  "root/feeds/feed:extra",
  "root/feeds/waves:extra",
  "root/trading/paper-venue:second",
  "root/trading/brokers/second",
  "root/trading/accounts/b"
]

describe("G11 a tree follows its settings", () => {
  const before = settingsFrom(one)
  const after = settingsFrom(two)

  it.effect(
    "what comes starts in the order of the tree, what goes stops from last to first, and nobody else moves",
    () =>
      Effect.gen(function* () {
        const { apply, closed, forgotten, log, shape } = yield* world(before)
        const first = shape()
        const come = yield* apply(after)
        assert.deepStrictEqual(come, { added: COME, removed: [], restarted: [], failed: [] })
        assert.deepStrictEqual(
          log.map((line) => line.split(" ")[0]),
          [...COME.map((path) => `+${path}`), "released"]
        )
        const gone = yield* apply(before)
        assert.deepStrictEqual(gone, { added: [], removed: COME.toReversed(), restarted: [], failed: [] })
        assert.deepStrictEqual(log, [...COME.toReversed().map((path) => `-${path}`), "released"])
        assert.deepStrictEqual(shape(), first, "no specification is left behind")
        assert.sameMembers(forgotten, COME)
        assert.includeMembers(closed, [
          "account.unreconciled:b",
          "broker.not_recovered:second",
          "feed.not_recovered/extra",
          "wave.missed:extra",
          "component.parked:root/trading/accounts/b"
        ])
      })
  )

  it.effect("a group that crashes afterwards comes up as the settings in force say", () =>
    Effect.gen(function* () {
      const { apply, crash, shape } = yield* world(before)
      yield* apply(after)
      const grown = shape()
      yield* crash("root/trading/market")
      assert.sameMembers([...shape()], [...grown], "with what came")
      yield* crash("root/trading/accounts/a")
      assert.sameMembers([...shape()], [...grown], "also where the group of accounts alone crashed")
      yield* apply(before)
      const small = shape()
      yield* crash("root/trading/market")
      yield* crash("root/feeds/feed:here")
      assert.sameMembers([...shape()], [...small], "without what went")
    })
  )

  it.effect("what changed is stopped before any of it starts again, and starts from its new settings", () =>
    Effect.gen(function* () {
      const { apply, log } = yield* world(after)
      const moved = settingsFrom({
        ...two,
        brokers: { ...two.brokers, second: { kind: "paper", rule: "N" } },
        feeds: { here: { pingEveryMs: 7_000 }, extra: {} }
      })
      const { failed, restarted } = yield* apply(moved)
      assert.deepStrictEqual(failed, [])
      const second = [
        "root/trading/paper-venue:second",
        "root/trading/brokers/second",
        "root/trading/accounts/b"
      ]
      assert.deepStrictEqual(restarted, ["root/feeds/feed:here", ...second])
      assert.deepStrictEqual(log, [
        ...second.toReversed().map((path) => `-${path}`),
        "-root/feeds/feed:here",
        "+root/feeds/feed:here 7000",
        ...second.map((path) => `+${path}`),
        "released"
      ])
    })
  )

  it.effect("what an operator paused stays paused, and resumes under the new settings", () =>
    Effect.gen(function* () {
      const { apply, log, shape, tree } = yield* world(before)
      yield* tree.pause("root/feeds/feed:here")
      const outcome = yield* apply(settingsFrom({ ...one, feeds: { here: { pingEveryMs: 7_000 } } }))
      assert.deepStrictEqual(outcome.restarted, [])
      assert.include(shape(), "feeds/feed:here paused")
      yield* tree.resume("root/feeds/feed:here")
      assert.include(log, "+root/feeds/feed:here 7000")
    })
  )

  it.effect("a paused group takes what comes and goes when it resumes", () =>
    Effect.gen(function* () {
      const { apply, shape, tree } = yield* world(before)
      yield* tree.pause("root/trading")
      const outcome = yield* apply(after)
      assert.deepStrictEqual(
        outcome.failed.map(({ path, reason }) => `${path} ${reason}`),
        COME.slice(3).map((path) => `${path} not_running`)
      )
      yield* tree.resume("root/trading")
      assert.includeMembers([...shape()], ["trading/accounts/b running", "trading/brokers/second running"])
    })
  )

  it.effect("thousands come and go, more than a supervisor takes requests at a time", () =>
    Effect.gen(function* () {
      const { apply, shape } = yield* world(before)
      const first = shape()
      const many = Object.fromEntries(
        Array.from({ length: 2_000 }, (_, n) => [`m-${n}`, { broker: "first", startingCash: cash }])
      )
      const come = yield* apply(settingsFrom({ ...one, accounts: { ...one.accounts, ...many } }))
      assert.deepStrictEqual([come.added.length, come.failed], [2_000, []])
      const gone = yield* apply(before)
      assert.deepStrictEqual([gone.removed.length, gone.failed], [2_000, []])
      assert.deepStrictEqual(shape(), first)
    })
  )

  it.effect("one that does not start is named, and the others start", () =>
    Effect.gen(function* () {
      const { apply, refuses, shape } = yield* world(before)
      refuses.add("root/trading/brokers/second")
      const { failed } = yield* apply(after)
      assert.deepStrictEqual(
        failed.map(({ path }) => path),
        ["root/trading/brokers/second"]
      )
      assert.include(failed[0]?.reason, "start_failed")
      assert.include(shape(), "trading/accounts/b running")
    })
  )
})
