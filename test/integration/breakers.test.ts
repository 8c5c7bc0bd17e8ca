/**
 * Circuit breakers on a real database: windows that several processes share, changes that one of them makes, probes that one of
 * them sends, what an operator does in between, and what decisions and permits read.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { lookAtBreakers } from "../../src/actors/execution/breakers-look.ts"
import { probeOnce } from "../../src/actors/execution/breakers-probe.ts"
import { type Breaker, byOperator, nextOf, policyOf } from "../../src/domain/orders/breaker.ts"
import { planSettingsOf } from "../../src/actors/execution/plan-input.ts"
import { type Permit, permitToSend } from "../../src/domain/orders/permit.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { BreakerStore, type CountedCalls } from "../../src/layers/orders/breaker-store.port.ts"
import { Breakers } from "../../src/layers/orders/breakers.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { Brokers } from "../../src/layers/venues/broker.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { layerBreakers } from "../support/breakers.ts"
import { freshSymbol, makeVenue } from "./execution-desk.ts"
import { intend, own, sql, testSettings, world } from "./execution-world.ts"

const limits = { failuresMax: 3, windowMs: 60_000, cooldownMs: 30_000, probesMin: 2, probeEveryMs: 60_000 }
const settings = testSettings({ risk: { breakers: { broker: limits, strategy: limits } } })
const policy = policyOf(settings, "broker:practice") ?? assert.fail("it has limits")
const watched = [
  { id: "broker:practice", windowMs: 60_000 },
  { id: "strategy:default", windowMs: 60_000 }
]

const cleared = sql((client) =>
  Effect.all([
    client`DELETE FROM breaker_calls`,
    client`DELETE FROM circuit_breakers`,
    client`DELETE FROM audit`,
    client`DELETE FROM actor_events`
  ])
)
const failed = (count: number, ageMs = 0, given: Partial<CountedCalls> = {}): CountedCalls => ({
  id: randomUUID(),
  breaker: "broker:practice",
  kind: "orders",
  calls: count,
  failures: count,
  ageMs,
  ...given
})
const seen = (counted: ReadonlyArray<CountedCalls> = []) =>
  Effect.gen(function* () {
    const store = yield* BreakerStore
    const { breakers, nowMs } = yield* store.look(watched, counted)
    const [first] = breakers
    return { ...(first ?? assert.fail("it was created")), nowMs }
  })

/** A process: its own view and counts, alerts and bells; the database and the venue are shared. */
const process = (twin = makeVenue()) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      Layer.mergeAll(alertsQueue, layerBreakers).pipe(
        Layer.provideMerge(Wake.layer),
        Layer.provideMerge(Layer.succeed(Brokers, { get: () => twin.connection, release: Effect.void }))
      )
    )
    const watch = { path: "root/trading/breakers", compared: null }
    const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, context)
    const view = yield* within(Breakers)
    return {
      twin,
      view,
      fail: (id: string, count: number) => {
        for (let one = 0; one < count; one += 1) view.count(id, "orders", true)
      },
      look: within(lookAtBreakers(watch)),
      probe: within(
        Effect.suspend(() => {
          const one = view.current()?.get("broker:practice") ?? assert.fail("it was seen")
          return probeOnce(watch, one.breaker)
        })
      ),
      alerts: within(
        Alerts.use((alerts) =>
          Effect.sync(() =>
            alerts
              .takePending()
              .flatMap((entry) =>
                entry._tag === "Outbreak" && entry.resolved === null
                  ? [`${entry.severity} ${entry.dedupKey}`]
                  : []
              )
          )
        )
      )
    }
  })

const audited = sql((client) =>
  Effect.map(
    client<{ readonly line: string }>`
      SELECT concat_ws(' ', command, scope, by, means, arguments->>'from', arguments->>'state') AS line FROM audit
      ORDER BY seq`,
    (rows) => rows.map(({ line }) => line)
  )
)
const journal = sql((client) =>
  Effect.map(
    client<{
      readonly n: number
    }>`SELECT count(*)::int AS n FROM actor_events WHERE event = 'breaker.changed'`,
    ([row]) => row?.n
  )
)
const coolDown = sql(
  (client) => client`UPDATE circuit_breakers SET cooldown_until = hf_clock() - interval '1 second'`
)
const dueAgain = sql((client) => client`UPDATE circuit_breakers SET probe_at = NULL`)

layer(world(settings), { excludeTestServices: true })("circuit breakers", (it) => {
  it.effect("the window is of all processes, holds what is young enough, and counts a count once", () =>
    Effect.gen(function* () {
      yield* cleared
      const fresh = yield* seen()
      assert.deepInclude(fresh.breaker, { state: "CLOSED", changedBy: "system", version: 1 })
      assert.deepStrictEqual(fresh.counts, { orders: 0, orderFailures: 0, reads: 0, readFailures: 0 })
      // As if it had been closed for an hour.
      yield* sql((client) => client`UPDATE circuit_breakers SET changed_at = hf_clock() - interval '1 hour'`)
      const twice = failed(2, 1_000)
      yield* seen([twice, failed(7, 60_500)])
      const { counts } = yield* seen([
        twice,
        failed(1, 59_000, { calls: 4 }),
        failed(5, 0, { kind: "reads" })
      ])
      assert.deepStrictEqual(counts, { orders: 6, orderFailures: 3, reads: 5, readFailures: 5 })
      const store = yield* BreakerStore
      yield* store.look(watched, [failed(1, 3_601_000)])
      const [kept] = yield* sql(
        (client) => client<{ readonly n: number }>`SELECT count(*)::int AS n FROM breaker_calls`
      )
      assert.strictEqual(kept?.n, 4, "what no window can hold any more is removed with the next counts")
    })
  )

  it.effect("what failed before it was closed does not open it again", () =>
    Effect.gen(function* () {
      yield* cleared
      yield* seen()
      yield* sql(
        (client) => client`UPDATE circuit_breakers SET changed_at = hf_clock() - interval '5 seconds'`
      )
      const { counts } = yield* seen([failed(3, 6_000), failed(1, 4_000)])
      assert.strictEqual(counts.orderFailures, 1)
    })
  )

  it.effect("one of two processes makes a change, which is in the audit and the journal once", () =>
    Effect.gen(function* () {
      yield* cleared
      const [a, b] = [yield* process(), yield* process()]
      yield* a.look
      yield* b.look
      // Neither has seen enough by itself.
      a.fail("broker:practice", 2)
      yield* Effect.sleep(5)
      b.fail("broker:practice", 1)
      const [one, two] = yield* Effect.all([a.look, b.look], { concurrency: 2 })
      yield* Effect.all([a.look, b.look], { concurrency: 2 })
      assert.isAtMost(one.changes + two.changes, 1)
      const { breaker } = yield* seen()
      assert.deepInclude(breaker, {
        state: "OPEN",
        openings: 1,
        changedBy: "rule:breaker_failures",
        version: 2
      })
      assert.deepInclude(breaker.numbers, { failures: 3, calls: 3, limit: 3 })
      assert.deepStrictEqual(yield* audited, [
        "breaker.open breaker:broker:practice rule:breaker_failures rule CLOSED OPEN"
      ])
      assert.strictEqual(yield* journal, 1)
      const raised = [...(yield* a.alerts), ...(yield* b.alerts)]
      assert.deepStrictEqual(raised, ["HIGH breaker.open:broker:practice"])
      for (const { view } of [a, b])
        assert.strictEqual(view.current()?.get("broker:practice")?.breaker.state, "OPEN")
    })
  )

  it.effect(
    "a restart changes nothing: it cools down, is probed by one process, opens for longer, and closes",
    () =>
      Effect.gen(function* () {
        yield* cleared
        const twin = makeVenue()
        const before = yield* process(twin)
        yield* before.look
        before.fail("broker:practice", 3)
        yield* before.look
        const [a, b] = [yield* process(twin), yield* process(twin)]
        assert.deepStrictEqual((yield* a.look).stopped, { "broker:practice": "OPEN" })
        assert.deepStrictEqual(yield* a.alerts, ["HIGH breaker.open:broker:practice"])
        yield* coolDown
        yield* a.look
        yield* b.look
        assert.strictEqual((yield* seen()).breaker.state, "HALF_OPEN")
        twin.setReadable(false)
        // Both may; one does.
        yield* Effect.all([a.probe, b.probe], { concurrency: 2 })
        const again = (yield* seen()).breaker
        assert.deepInclude(again, { state: "OPEN", openings: 2, changedBy: "rule:breaker_probe" })
        assert.match(again.reason ?? "", /^a probe failed: openOrders at practice: /)
        assert.closeTo((again.cooldownUntilMs ?? 0) - again.changedAtMs, 60_000, 5_000)
        yield* coolDown
        twin.setReadable(true)
        yield* a.look
        yield* b.look
        yield* Effect.all([a.probe, b.probe], { concurrency: 2 })
        assert.deepInclude((yield* seen()).breaker, { state: "HALF_OPEN", probes: 1 })
        yield* a.look
        yield* a.probe
        assert.strictEqual((yield* seen()).breaker.probes, 1, "the next probe is not due")
        yield* dueAgain
        yield* a.probe
        const closed = (yield* seen()).breaker
        assert.deepInclude(closed, { state: "CLOSED", openedAtMs: null, reason: "2 probes passed" })
        assert.strictEqual(twin.creates("any").requests, 0)
        assert.deepStrictEqual(
          (yield* audited).map((line) => line.split(" ").slice(-2).join(" ")),
          ["CLOSED OPEN", "OPEN HALF_OPEN", "HALF_OPEN OPEN", "OPEN HALF_OPEN", "HALF_OPEN CLOSED"]
        )
      })
  )

  it.effect("an operator's word holds against a look that was made before it", () =>
    Effect.gen(function* () {
      yield* cleared
      const store = yield* BreakerStore
      const { breaker, nowMs } = yield* seen([failed(3)])
      const trip = nextOf(breaker, policy, { orders: 3, orderFailures: 3, reads: 0, readFailures: 0 }, nowMs)
      assert.isNotNull(trip)
      const operate = (command: "open" | "close", reason: string) =>
        store.operate("broker:practice", (row, at) =>
          byOperator(row, command, { by: "me", nowMs: at, reason })
        )
      const manual = yield* operate("open", "drill")
      assert.deepInclude(manual, { state: "OPEN", manual: true, changedBy: "me", version: 2 })
      if (trip !== null) assert.isNull(yield* store.move(breaker, trip))
      yield* coolDown
      const keeper = yield* process()
      yield* keeper.look
      assert.deepInclude((yield* seen()).breaker, { state: "OPEN", manual: true })
      assert.deepStrictEqual(yield* keeper.alerts, ["LOW breaker.open:broker:practice"])
      assert.deepInclude(yield* operate("close", "done"), { state: "CLOSED", openings: 0, version: 3 })
      yield* keeper.look
      assert.strictEqual((yield* seen()).breaker.state, "CLOSED", "what failed before is forgotten")
      assert.isEmpty(yield* audited, "an operator's audit is that of the command")
      assert.strictEqual(yield* journal, 2)
    })
  )

  it.effect("an operator who opens what a rule has opened keeps it open, against a look made before", () =>
    Effect.gen(function* () {
      yield* cleared
      const store = yield* BreakerStore
      yield* seen()
      const found = yield* seen([failed(3)])
      const trip = nextOf(found.breaker, policy, found.counts, found.nowMs)
      if (trip === null) return assert.fail("it is to open")
      yield* store.move(found.breaker, trip)
      yield* coolDown
      const { breaker, counts, nowMs } = yield* seen()
      const half = nextOf(breaker, policy, counts, nowMs)
      if (half === null) return assert.fail("it is to be probed")
      yield* store.operate("broker:practice", (row, at) =>
        byOperator(row, "open", { by: "me", nowMs: at, reason: "it stays" })
      )
      assert.isNull(yield* store.move(breaker, half))
      assert.deepInclude((yield* seen()).breaker, { state: "OPEN", manual: true, changedBy: "me" })
    })
  )

  it.effect("a permit waits for an entry and passes a close; the row counts, not the view", () =>
    Effect.gen(function* () {
      yield* cleared
      const orders = yield* OrdersStore
      const store = yield* BreakerStore
      const grant = yield* own()
      const judge = (order: StoredOrder) =>
        Effect.gen(function* () {
          let given: Permit | null = null
          yield* orders.submit(grant, order, (row, context) => {
            given = permitToSend({
              order: row,
              context,
              settings: planSettingsOf(settings),
              quoteOf: () => null,
              figuresOf: () => null
            })
            // Nothing is to leave.
            return given._tag === "Send" ? { _tag: "Hold", code: "test", numbers: {} } : given
          })
          const permit = given as Permit | null
          return permit === null ? "none" : permit._tag === "Send" ? "Send" : `${permit._tag} ${permit.code}`
        })
      const entry = yield* intend({ symbol: freshSymbol() })
      const set = (id: string, change: (breaker: Breaker, nowMs: number) => ReturnType<typeof byOperator>) =>
        store.operate(id, change)
      const open = (id: string) =>
        set(id, (row, nowMs) => byOperator(row, "open", { by: "me", nowMs, reason: "drill" }))
      const close = (id: string) =>
        set(id, (row, nowMs) => byOperator(row, "close", { by: "me", nowMs, reason: "drill" }))
      assert.strictEqual(yield* judge(entry), "Send")
      yield* open("strategy:plain")
      assert.strictEqual(yield* judge(entry), "Send", "that of another strategy")
      yield* open("strategy:default")
      assert.strictEqual(yield* judge(entry), "Wait breaker_open")
      yield* close("strategy:default")
      yield* open("broker:practice")
      assert.strictEqual(yield* judge(entry), "Wait breaker_open")
      const symbol = freshSymbol()
      yield* sql((client) =>
        Effect.all([
          client`INSERT INTO positions (id, account, symbol, quantity, average_price, confirmed_quantity, confirmed_at, opened_at)
            VALUES (${randomUUID()}, 'paper-1', ${symbol}, 1, 100, 1, hf_now(), hf_now())`,
          client`INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq)
            SELECT id, 'default', 1, 100, 1 FROM positions WHERE symbol = ${symbol}`
        ])
      )
      const exit = yield* intend({ symbol, side: "sell", closes: null })
      assert.strictEqual(yield* judge(exit), "Send")
      yield* sql((client) => client`UPDATE circuit_breakers SET state = 'HALF_OPEN', manual = false`)
      assert.strictEqual(yield* judge(entry), "Wait breaker_half_open")
      yield* close("broker:practice")
      yield* close("strategy:default")
      assert.strictEqual(yield* judge(entry), "Send")
    })
  )
})
