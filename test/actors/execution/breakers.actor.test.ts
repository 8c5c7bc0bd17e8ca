/** The keeper of circuit breakers on the virtual clock: looks, cooldowns, probes, and a database that goes away. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { breakersActor } from "../../../src/actors/execution/breakers.actor.ts"
import { questionsOf } from "../../../src/actors/execution/breakers-probe.ts"
import { type Breaker, type BreakerChange, isNews } from "../../../src/domain/orders/breaker.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database, DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { BreakerStore, type CountedCalls } from "../../../src/layers/orders/breaker-store.port.ts"
import { Breakers } from "../../../src/layers/orders/breakers.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { counted } from "../../../src/layers/venues/broker.counted.ts"
import { Brokers } from "../../../src/layers/venues/broker.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { layerBreakers } from "../../support/breakers.ts"
import { makeMemoryBroker } from "../../support/broker.memory.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom({
  risk: {
    breakers: {
      broker: {
        failuresMax: 3,
        windowMs: 10_000,
        cooldownMs: 10_000,
        cooldownMsMax: 15_000,
        probesMin: 2,
        probeEveryMs: 1_000
      }
    }
  }
})
const away = new DatabaseUnavailable({
  operation: "breakers.look",
  reason: "connection",
  outcome: "not_applied",
  cause: "test"
})

/** The commit happened, and its answer never came. */
const lost = new DatabaseUnavailable({
  operation: "breakers.move",
  reason: "connection",
  outcome: "unknown",
  cause: "test"
})

/** The rows in memory, by the virtual clock. */
const makeStore = () => {
  const rows = new Map<string, Breaker>()
  const calls: Array<CountedCalls & { readonly atMs: number }> = []
  const probeAt = new Map<string, number>()
  const state = { available: true, looks: 0, movesLost: 0, stored: new Set<string>() }
  const apply = (breaker: Breaker, change: BreakerChange, nowMs: number): Breaker | null => {
    const row = rows.get(breaker.id)
    if (row?.version !== breaker.version) return null
    const changedAtMs = isNews(change) ? nowMs : row.changedAtMs
    const next = { ...change.next, version: row.version + 1, changedAtMs }
    rows.set(next.id, next)
    return next
  }
  const guarded = <A>(effect: Effect.Effect<A>) =>
    Effect.suspend((): Effect.Effect<A, DatabaseUnavailable> =>
      state.available ? effect : Effect.fail(away)
    )
  const service: BreakerStore["Service"] = {
    look: (watched, given) =>
      guarded(
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          state.looks += 1
          for (const one of given) {
            if (state.stored.has(one.id)) continue
            state.stored.add(one.id)
            calls.push({ ...one, atMs: nowMs - one.ageMs })
          }
          return {
            nowMs,
            breakers: watched.map(({ id, windowMs }) => {
              const breaker: Breaker = rows.get(id) ?? {
                id,
                state: "CLOSED",
                manual: false,
                reason: null,
                changedBy: "system",
                changedAtMs: nowMs - 1,
                openedAtMs: null,
                openings: 0,
                cooldownUntilMs: null,
                probes: 0,
                numbers: {},
                version: 1
              }
              rows.set(id, breaker)
              const inWindow = calls.filter(
                (call) =>
                  call.breaker === id &&
                  call.atMs > nowMs - windowMs &&
                  (breaker.state === "OPEN" || call.atMs > breaker.changedAtMs)
              )
              const sum = (kind: string, of: "calls" | "failures") =>
                inWindow.filter((call) => call.kind === kind).reduce((total, call) => total + call[of], 0)
              const counts = {
                orders: sum("orders", "calls"),
                orderFailures: sum("orders", "failures"),
                reads: sum("reads", "calls"),
                readFailures: sum("reads", "failures")
              }
              return { breaker, counts }
            })
          }
        })
      ),
    move: (breaker, change) =>
      guarded(Effect.map(Clock.currentTimeMillis, (nowMs) => apply(breaker, change, nowMs))).pipe(
        Effect.flatMap((moved) => {
          if (state.movesLost === 0) return Effect.succeed(moved)
          state.movesLost -= 1
          return Effect.fail(lost)
        })
      ),
    claimProbe: ({ id, version }, everyMs) =>
      guarded(
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          const row = rows.get(id)
          if (row?.version !== version || row.state !== "HALF_OPEN") return null
          if ((probeAt.get(id) ?? 0) > nowMs) return null
          probeAt.set(id, nowMs + everyMs)
          return nowMs
        })
      ),
    operate: () => Effect.die("not part of this test")
  }
  return { rows, service, state }
}

const openWorld = Effect.gen(function* () {
  const { rows, service, state } = makeStore()
  const availability = makeAvailability()
  const alerts: Array<string> = []
  const nothing = Effect.die("not part of this test")
  let { strategies } = settings
  const inForce = {
    ...settings,
    get strategies() {
      return strategies
    }
  }
  const configure = (next: typeof strategies) => {
    strategies = next
  }
  const twin = makeMemoryBroker({ name: "practice" })
  const raise = ({ dedupKey, message, severity }: Alert) =>
    Effect.sync(() => void alerts.push(`${severity} ${dedupKey}: ${message}`))
  const ground = yield* Layer.build(
    Layer.mergeAll(
      Figures.layer,
      layerBreakers.pipe(Layer.provideMerge(Wake.layer)),
      Layer.succeed(Config, inForce),
      Layer.succeed(BreakerStore, service),
      Layer.succeed(Database, {
        run: () => nothing,
        transact: () => nothing,
        probe: nothing,
        availability,
        stats: () => assert.fail("not part of this test")
      }),
      Layer.succeed(Alerts, {
        raise,
        resolve: (key) => Effect.sync(() => void alerts.push(`resolved ${String(key)}`)),
        resolveAllBut: (_prefix, keys) => Effect.sync(() => void alerts.push(`all but ${keys.join()}`)),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => ({ raised: 0, pending: 0, dropped: 0 })
      })
    )
  )
  const view = yield* Effect.provide(Breakers, ground)
  const figures = yield* Effect.provide(Figures, ground)
  const broker = counted(twin.connection, view)
  const local = { backoff: { firstMs: 1, factor: 1, maxMs: 1, jitter: "none", resetAfterMs: 1 } } as const
  const tree = yield* startTree(
    supervisor({
      id: "root",
      strategy: "one_for_one",
      children: [worker({ ...local, id: "breakers", start: breakersActor(), stopBudgetMs: 1_000 })]
    }),
    { stopDeadlineMs: 1_000 }
  ).pipe(Effect.provide(ground), Effect.provideService(Brokers, { get: () => broker, release: Effect.void }))
  const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
  const row = () => rows.get("broker:practice") ?? assert.fail("the row is there")
  const fail = (count: number) =>
    Effect.sync(() => {
      for (let one = 0; one < count; one += 1) view.count("broker:practice", "orders", true)
    })
  return { alerts, availability, configure, fail, figures, node, row, rows, state, tree, twin, view }
})

/** Advances the clock until something holds; returns for how long, in milliseconds. */
const steps = (holds: () => boolean) =>
  Effect.gen(function* () {
    for (let passed = 0; passed < 60_000; passed += 50) {
      if (holds()) return passed
      yield* TestClock.adjust(50)
    }
    return assert.fail("it never holds")
  })

const start = Effect.gen(function* () {
  const world = yield* openWorld
  world.availability.mark("available")
  yield* TestClock.adjust(1_000)
  return world
})

describe("the keeper of circuit breakers", () => {
  it.effect("opens soon after the failure that is one too many, and not before", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, fail, node, row } = yield* start
        assert.deepStrictEqual(alerts, ["all but "])
        yield* fail(2)
        yield* TestClock.adjust(1_000)
        assert.strictEqual(row().state, "CLOSED")
        yield* fail(1)
        yield* TestClock.adjust(200)
        assert.strictEqual(row().state, "OPEN")
        assert.deepInclude(node().detail, { stopped: { "broker:practice": "OPEN" }, changes: 1, watched: 2 })
        assert.match(alerts.at(-1) ?? "", /^HIGH breaker.open:broker:practice: .*3 of 3 orders failed/)
      })
    )
  )

  it.effect("forgets what left the window", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { fail, row } = yield* start
        for (let round = 0; round < 5; round += 1) {
          yield* fail(1)
          yield* TestClock.adjust(6_000)
        }
        assert.strictEqual(row().state, "CLOSED")
      })
    )
  )

  it.effect(
    "half opens after its cooldown, opens for longer by a probe that fails, and closes by two that pass",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { alerts, fail, figures, row, twin } = yield* start
          const creates = () => [...twin.book.orders("paper-1")].length
          twin.setReadable(false)
          yield* fail(3)
          assert.isBelow(yield* steps(() => row().state === "OPEN"), 500)
          const cooled = yield* steps(() => row().state !== "OPEN" || row().openings === 2)
          assert.isTrue(cooled > 9_900 && cooled < 10_700, `${cooled} ms of 10 s`)
          yield* steps(() => row().openings === 2)
          assert.deepInclude(row(), { state: "OPEN", changedBy: "rule:breaker_probe" })
          twin.setReadable(true)
          const longer = yield* steps(() => row().state === "HALF_OPEN")
          assert.isTrue(longer > 14_900 && longer < 15_700, `${longer} ms of 15 s, which is the bound`)
          yield* steps(() => row().probes === 1)
          assert.strictEqual(row().state, "HALF_OPEN")
          const between = yield* steps(() => row().state === "CLOSED")
          assert.isTrue(between > 900 && between < 1_400, `${between} ms of 1 s`)
          assert.deepInclude(row(), { state: "CLOSED", changedBy: "rule:breaker_probe", openings: 2 })
          assert.strictEqual(alerts.at(-1), "resolved breaker.open:broker:practice")
          assert.strictEqual(creates(), 0, "no probe is an order")
          const states = figures.read(0).find(({ name }) => name === "holdfast_breaker_state")
          assert.deepStrictEqual(
            states?.samples.filter(
              ({ labels, value }) => labels["breaker"] === "broker:practice" && value === 1
            ),
            [{ labels: { breaker: "broker:practice", state: "CLOSED" }, value: 1 }]
          )
        })
      )
  )

  it.effect("opens again when an order fails while it is half open", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { fail, row } = yield* start
        yield* fail(3)
        yield* TestClock.adjust(11_000)
        assert.strictEqual(row().state, "HALF_OPEN")
        yield* fail(1)
        yield* TestClock.adjust(300)
        assert.deepInclude(row(), { state: "OPEN", openings: 2, changedBy: "rule:breaker_failures" })
      })
    )
  )

  it.effect("never touches what an operator opened, and shows it within an idle look", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { row, rows, view } = yield* start
        rows.set("broker:practice", { ...row(), state: "OPEN", manual: true, version: 2 })
        yield* TestClock.adjust(6_000)
        assert.strictEqual(view.current()?.get("broker:practice")?.breaker.state, "OPEN")
        yield* TestClock.adjust("10 minutes")
        assert.deepInclude(row(), { state: "OPEN", manual: true, version: 2 })
      })
    )
  )

  it.effect(
    "keeps counts while the database is away, knows nothing meanwhile, and opens when it is back",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { availability, fail, node, row, state, view } = yield* start
          state.available = false
          availability.mark("unavailable")
          yield* fail(3)
          yield* TestClock.adjust(5_000)
          assert.isNull(view.current())
          assert.strictEqual(node().state, "WaitingForDatabase")
          state.available = true
          availability.mark("available")
          yield* TestClock.adjust(500)
          assert.strictEqual(row().state, "OPEN")
          assert.strictEqual(node().restarts, 0)
        })
      )
  )

  it.effect("stores a count once, whatever failed after it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { fail, node, row, state } = yield* start
        state.available = false
        yield* fail(2)
        yield* TestClock.adjust(300)
        assert.strictEqual(node().state, "BackingOff")
        state.available = true
        yield* TestClock.adjust(3_000)
        assert.strictEqual(row().state, "CLOSED", "two failures are two, however often they were tried")
        assert.strictEqual(node().state, "Watching")
        yield* fail(1)
        yield* TestClock.adjust(300)
        assert.strictEqual(row().state, "OPEN", "and none of them was lost")
      })
    )
  )

  it.effect("raises again what an earlier life left open", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const world = yield* openWorld
        world.rows.set("strategy:default", {
          id: "strategy:default",
          state: "OPEN",
          manual: false,
          reason: "6 of 6 orders failed",
          changedBy: "rule:breaker_failures",
          changedAtMs: 0,
          openedAtMs: 0,
          openings: 1,
          cooldownUntilMs: 1e9,
          probes: 0,
          numbers: {},
          version: 7
        })
        world.availability.mark("available")
        yield* TestClock.adjust(100)
        assert.lengthOf(world.alerts, 2)
        assert.match(world.alerts[0] ?? "", /^HIGH breaker.open:strategy:default/)
        assert.strictEqual(world.alerts[1], "all but breaker.open:strategy:default")
      })
    )
  )

  it.effect("has the alert of a change whose answer was lost, at the opening and at the closing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, fail, row, state } = yield* start
        state.movesLost = 1
        yield* fail(3)
        yield* steps(() => row().state === "OPEN")
        assert.deepStrictEqual(alerts, ["all but "], "its opening is not known yet")
        yield* TestClock.adjust(3_000)
        assert.match(alerts[1] ?? "", /^HIGH breaker.open:broker:practice: .*3 of 3 orders failed/)
        assert.strictEqual(alerts.at(-1), "all but breaker.open:broker:practice")
        yield* steps(() => row().probes === 1)
        state.movesLost = 1
        yield* steps(() => row().state === "CLOSED")
        yield* TestClock.adjust(6_000)
        assert.strictEqual(state.movesLost, 0)
        assert.strictEqual(alerts.at(-1), "all but ", "the standing alert ends")
        const { length } = alerts
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(alerts, length, "what fits is not compared again")
      })
    )
  )

  it.effect("ends the alert of a breaker that leaves the settings, and raises it when it comes back", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { alerts, configure, row, rows } = yield* start
        const id = "strategy:default"
        const known = rows.get(id) ?? row()
        rows.set(id, { ...known, state: "OPEN", cooldownUntilMs: 1e9, openings: 1, version: 2 })
        const { default: gone, ...strategies } = settings.strategies
        assert.isDefined(gone)
        configure(strategies)
        yield* TestClock.adjust(6_000)
        assert.deepStrictEqual(alerts.slice(1), ["all but "])
        configure(settings.strategies)
        yield* TestClock.adjust(6_000)
        assert.match(alerts[2] ?? "", /^HIGH breaker.open:strategy:default/)
        assert.deepStrictEqual(alerts.slice(3), ["all but breaker.open:strategy:default"])
      })
    )
  )

  it.effect("stops when it is asked to", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { node, tree } = yield* start
        yield* tree.terminateChild("root/breakers")
        assert.strictEqual(node().phase, "stopped")
      })
    )
  )
})

describe("what a probe asks", () => {
  const accounts = {
    a: { broker: "one", startingCash: "1", calendar: "24x7", enabled: true },
    b: { broker: "one", startingCash: "1", calendar: "24x7", enabled: true },
    c: { broker: "two", startingCash: "1", calendar: "24x7", enabled: true }
  } as const
  const base = settings.strategies["default"] ?? assert.fail("there is one")
  const given = { accounts, strategies: { s: { ...base, accounts: ["a", "c"] } } }
  const asked = (id: string, probes = 0) =>
    questionsOf(given, { id, probes }).map(({ account, broker }) => `${broker} ${account ?? "-"}`)
  it("is one account of the broker, another with each probe", () => {
    assert.deepStrictEqual(asked("broker:one"), ["one a"])
    assert.deepStrictEqual(asked("broker:one", 1), ["one b"])
    assert.deepStrictEqual(asked("broker:one", 2), ["one a"])
  })
  it("is the whole venue where no account is, and one account at each broker of a strategy", () => {
    assert.deepStrictEqual(asked("broker:three"), ["three -"])
    assert.deepStrictEqual(asked("strategy:s"), ["one a", "two c"])
    assert.deepStrictEqual(asked("strategy:gone"), [])
  })
})
