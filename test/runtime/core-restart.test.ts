/** Restart policies: types, strategies, backoff, budgets, parking, escalation, failure classes. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect } from "effect"
import { TestClock } from "effect/testing"
import { supervisor } from "../../src/runtime/child-spec.ts"
import { shutdown } from "../../src/runtime/exit-reason.ts"
import { Probes } from "./probe-children.ts"
import { endOf, every, node, phases, start, startError, unlimited } from "./probe-tree.ts"

class Bad extends Data.TaggedError("Bad")<{
  readonly failureClass: "configuration" | "fatal" | "credentials"
}> {}

describe("restart types", () => {
  for (const [restart, end, expected] of [
    ["permanent", "normal", "running"],
    ["permanent", "shutdown", "running"],
    ["permanent", "crash", "running"],
    ["transient", "normal", "stopped"],
    ["transient", "shutdown", "stopped"],
    ["transient", "crash", "running"],
    ["temporary", "normal", "gone"],
    ["temporary", "shutdown", "gone"],
    ["temporary", "crash", "gone"]
  ] as const) {
    it.effect(`a ${restart} child that ends by ${end} is ${expected}`, () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start([probes.worker("a", { restart }), probes.worker("b")])
        yield* end === "crash"
          ? probes.crash("a")
          : probes.finish("a", end === "shutdown" ? shutdown("because") : undefined)
        const found = tree.snapshot().children.find((one) => one.id === "a")
        assert.strictEqual(found?.phase ?? "gone", expected)
        assert.strictEqual(probes.incarnation("a"), expected === "running" ? 2 : 1)
        assert.strictEqual(probes.incarnation("b"), 1)
      })
    )
  }
})

describe("strategies", () => {
  it.effect("one_for_all stops the others in reverse and starts all in order", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      yield* start([probes.worker("a"), probes.worker("b"), probes.worker("c")], { strategy: "one_for_all" })
      probes.take()
      yield* probes.crash("b")
      assert.deepStrictEqual(probes.take(), [
        "stop b#1",
        "stop c#1",
        "stop a#1",
        "start a#2",
        "start b#2",
        "start c#2"
      ])
    })
  )
  it.effect("rest_for_one replaces the crashed child and the later ones", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      yield* start([probes.worker("a"), probes.worker("b"), probes.worker("c")], { strategy: "rest_for_one" })
      probes.take()
      yield* probes.crash("b")
      assert.deepStrictEqual(probes.take(), ["stop b#1", "stop c#1", "start b#2", "start c#2"])
    })
  )
  it.effect("rest_for_one keeps the later ones down while the failed one backs off", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [probes.worker("a"), probes.worker("b", { backoff: every(1_000) }), probes.worker("c")],
        { strategy: "rest_for_one" }
      )
      probes.take()
      yield* probes.crash("b")
      assert.deepStrictEqual(probes.take(), ["stop b#1", "stop c#1"])
      assert.strictEqual(phases(tree), "a:running b:backingOff c:waiting")
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(probes.take(), ["start b#2", "start c#2"])
    })
  )
  it.effect("a second crash during a group restart only moves its beginning", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const slow = { onStart: (incarnation: number) => (incarnation === 2 ? Effect.sleep(100) : Effect.void) }
      const tree = yield* start([probes.worker("a"), probes.worker("b"), probes.worker("c", slow)], {
        strategy: "rest_for_one"
      })
      probes.take()
      yield* probes.crash("b")
      assert.strictEqual(phases(tree), "a:running b:running c:starting")
      yield* probes.crash("a")
      assert.strictEqual(phases(tree), "a:running b:running c:running")
      assert.deepStrictEqual(probes.take(), [
        "stop b#1",
        "stop c#1",
        "start b#2",
        "stop a#1",
        "stop b#2",
        "start a#2",
        "start b#3",
        "start c#3"
      ])
    })
  )
})

describe("backoff", () => {
  it.effect("spaces restarts exponentially up to the cap, visibly", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [probes.worker("a", { backoff: { firstMs: 100, factor: 2, maxMs: 300, jitter: "none" } })],
        { intensity: unlimited }
      )
      const delays: Array<number> = []
      for (let round = 1; round <= 4; round++) {
        yield* probes.crash("a", new Error(`crash ${round}`))
        const seen = node(tree, "a")
        assert.strictEqual(seen.phase, "backingOff")
        assert.strictEqual(seen.attempt, round)
        assert.strictEqual(seen.lastError, `Error: crash ${round}`)
        delays.push((seen.nextAt ?? 0) - (yield* Effect.clockWith((clock) => clock.currentTimeMillis)))
        yield* TestClock.adjust((delays.at(-1) ?? 0) - 1)
        assert.strictEqual(node(tree, "a").phase, "backingOff")
        yield* TestClock.adjust(1)
        assert.strictEqual(node(tree, "a").phase, "running")
      }
      assert.deepStrictEqual(delays, [100, 200, 300, 300])
    })
  )
  it.effect("full jitter comes from the seed", () =>
    Effect.gen(function* () {
      const draw = (seed: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const probes = new Probes()
            yield* start(
              [probes.worker("a", { backoff: { firstMs: 10_000 } })],
              {},
              { seed, observers: [probes.observe] }
            )
            yield* probes.crash("a")
            return probes.reports.flatMap((one) => (one._tag === "BackingOff" ? [one.delayMs] : []))
          })
        )
      const [first, again, other] = [yield* draw(1), yield* draw(1), yield* draw(2)]
      assert.deepStrictEqual(first, again)
      assert.notDeepEqual(first, other)
      assert.isTrue((first[0] ?? -1) >= 0 && (first[0] ?? -1) < 10_000)
    })
  )
  it.effect("the attempt count returns to zero only after the child was ready for resetAfterMs", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [probes.worker("a", { backoff: { ...every(100), factor: 2, resetAfterMs: 5_000 } })],
        { intensity: unlimited }
      )
      yield* probes.crash("a")
      yield* TestClock.adjust(100)
      yield* TestClock.adjust(4_999)
      yield* probes.crash("a")
      assert.strictEqual(node(tree, "a").attempt, 2)
      yield* TestClock.adjust(200)
      yield* TestClock.adjust(5_000)
      assert.strictEqual(node(tree, "a").attempt, 0)
      yield* probes.crash("a")
      assert.strictEqual(node(tree, "a").attempt, 1)
    })
  )
  it.effect("a child that runs but is not ready does not reset its count", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const unready = { onStart: () => Effect.succeed({}) }
      const tree = yield* start(
        [
          probes.worker("a", { ...unready, backoff: { ...every(100), resetAfterMs: 1_000 } }),
          supervisor({ id: "in", children: [] })
        ],
        { intensity: unlimited }
      )
      yield* probes.crash("a")
      yield* TestClock.adjust(100)
      yield* TestClock.adjust(999)
      yield* probes.crash("a")
      assert.strictEqual(node(tree, "a").attempt, 2)
    })
  )
})

describe("budgets", () => {
  it.effect("the group's intensity is a sliding window; one restart too many ends the supervisor", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([probes.worker("a"), probes.worker("b")], {
        intensity: { max: 2, withinMs: 1_000 }
      })
      yield* probes.crash("a")
      yield* TestClock.adjust(900)
      yield* probes.crash("b")
      yield* TestClock.adjust(101)
      yield* probes.crash("a")
      assert.strictEqual(phases(tree), "a:running b:running")
      yield* probes.crash("a")
      const end = yield* endOf(tree)
      assert.strictEqual(
        end._tag === "GaveUp" ? `${end.error.path} ${end.error.child} ${end.error.why}` : end._tag,
        "root root/a group_budget"
      )
      assert.strictEqual(phases(tree), "a:stopped b:stopped")
    })
  )
  it.effect("one child's budget does not burn its sibling's", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const budget = { max: 2, withinMs: 10_000 }
      const tree = yield* start([probes.worker("a", { budget }), probes.worker("b", { budget })], {
        intensity: unlimited
      })
      for (const id of ["a", "b", "a", "b"]) yield* probes.crash(id)
      assert.strictEqual(phases(tree), "a:running b:running")
      assert.deepStrictEqual(node(tree, "a").budget, { used: 2, ...budget })
      yield* probes.crash("b")
      const end = yield* endOf(tree)
      assert.strictEqual(
        end._tag === "GaveUp" ? `${end.error.child} ${end.error.why}` : end._tag,
        "root/b child_budget"
      )
    })
  )
  it.effect(
    "an exhausted child that parks is failed, visible, slowly retried, and burns nothing of the group's",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const whenExhausted = { action: "park", retryEveryMs: 60_000 } as const
        const tree = yield* start(
          [
            probes.worker("a", {
              budget: { max: 2, withinMs: 10_000 },
              whenExhausted,
              backoff: { firstMs: 0, resetAfterMs: 30_000 }
            }),
            probes.worker("b")
          ],
          { intensity: { max: 0, withinMs: 1_000 } },
          { observers: [probes.observe] }
        )
        for (let round = 0; round < 3; round++) yield* probes.crash("a")
        assert.strictEqual(phases(tree), "a:failed b:running")
        assert.isFalse(tree.ready())
        assert.include(probes.tags("a"), "Parked")
        yield* TestClock.adjust(60_000)
        assert.strictEqual(phases(tree), "a:running b:running")
        yield* probes.crash("a")
        assert.strictEqual(phases(tree), "a:failed b:running")
        yield* TestClock.adjust(60_000)
        // A stable run ends the parking: the next crash is an ordinary one again.
        yield* TestClock.adjust(30_000)
        yield* probes.crash("a")
        assert.strictEqual(phases(tree), "a:running b:running")
      })
  )
  it.effect(
    "a nested supervisor that gives up is restarted by its parent, whose own budget decides next",
    () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const tree = yield* start(
          [
            probes.worker("a"),
            supervisor({
              id: "in",
              intensity: { max: 1, withinMs: 1_000 },
              children: [probes.worker("b"), probes.worker("c")]
            })
          ],
          { intensity: { max: 1, withinMs: 60_000 } }
        )
        probes.take()
        yield* probes.crash("b")
        yield* probes.crash("b")
        assert.deepStrictEqual(probes.take(), [
          "stop b#1",
          "start b#2",
          "stop b#2",
          "stop c#1",
          "start b#1",
          "start c#1"
        ])
        assert.strictEqual(node(tree, "in").incarnation, 2)
        yield* probes.crash("c")
        yield* probes.crash("c")
        const end = yield* endOf(tree)
        assert.strictEqual(end._tag === "GaveUp" ? end.error.child : end._tag, "root/in")
        assert.deepStrictEqual(probes.take().slice(-2), ["stop b#1", "stop a#1"])
      })
  )
})

describe("failure classes", () => {
  it.effect("a configuration error in a start is not retried and keeps its class to the top", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const error = yield* startError(
        start([
          supervisor({
            id: "in",
            children: [
              probes.worker("a", {
                initialStart: "retry",
                onStart: () => Effect.fail(new Bad({ failureClass: "configuration" }))
              })
            ]
          })
        ])
      )
      assert.strictEqual(error.path, "root/in/a")
      assert.strictEqual(error.failureClass, "configuration")
    })
  )
  for (const failureClass of ["configuration", "fatal"] as const) {
    it.effect(`a ${failureClass} error at a restart ends the whole tree with that cause`, () =>
      Effect.gen(function* () {
        const probes = new Probes()
        const onStart = (incarnation: number) =>
          incarnation > 1 ? Effect.fail(new Bad({ failureClass })) : Effect.void
        const tree = yield* start(
          [
            probes.worker("z"),
            supervisor({
              id: "in",
              restart: "transient",
              intensity: unlimited,
              children: [probes.worker("a", { onStart })]
            })
          ],
          { intensity: unlimited }
        )
        yield* probes.crash("a")
        const end = yield* endOf(tree)
        assert.strictEqual(
          end._tag === "GaveUp" ? `${end.error.why} ${end.error.failureClass}` : end._tag,
          `not_retryable ${failureClass}`
        )
      })
    )
  }
  it.effect("a credentials error retries slowly and burns no budget", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      let open = false
      const tree = yield* start(
        [
          probes.worker("a", {
            initialStart: "retry",
            budget: { max: 0, withinMs: 1_000 },
            credentialsRetryMs: 60_000,
            onStart: () => (open ? Effect.void : Effect.fail(new Bad({ failureClass: "credentials" })))
          })
        ],
        { intensity: { max: 0, withinMs: 1_000 } }
      )
      assert.strictEqual(phases(tree), "a:failed")
      yield* TestClock.adjust(600_000)
      assert.strictEqual(phases(tree), "a:failed")
      open = true
      yield* TestClock.adjust(60_000)
      assert.strictEqual(phases(tree), "a:running")
    })
  )
})

describe("initial start", () => {
  it.effect("with retry a failing first start goes into backoff and the others start", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start([
        probes.worker("a", {
          initialStart: "retry",
          backoff: every(500),
          onStart: (incarnation) => (incarnation < 3 ? Effect.fail("away") : Effect.void)
        }),
        probes.worker("b")
      ])
      assert.strictEqual(phases(tree), "a:backingOff b:running")
      assert.isFalse(tree.ready())
      yield* TestClock.adjust(1_000)
      assert.strictEqual(phases(tree), "a:running b:running")
      assert.isTrue(tree.ready())
    })
  )
  it.effect("with retry under a group strategy the parent starts while the siblings wait", () =>
    Effect.gen(function* () {
      const probes = new Probes()
      const tree = yield* start(
        [
          probes.worker("z"),
          probes.worker("a", {
            initialStart: "retry",
            backoff: every(500),
            onStart: (incarnation) => (incarnation < 2 ? Effect.fail("away") : Effect.void)
          }),
          probes.worker("b")
        ],
        { strategy: "rest_for_one" }
      )
      assert.strictEqual(phases(tree), "z:running a:backingOff b:waiting")
      yield* TestClock.adjust(500)
      assert.strictEqual(phases(tree), "z:running a:running b:running")
    })
  )
})
