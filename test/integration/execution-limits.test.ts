import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import type { ScopeFigures } from "../../src/domain/orders/risk-scope.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { OrdersStore, type Submitted } from "../../src/layers/orders/orders-store.port.ts"
import { type BrokerConnection, BrokerUnavailable } from "../../src/layers/venues/broker.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import {
  freshSymbol,
  makeVenue,
  scenario,
  startNode,
  statusOf,
  until,
  untilStatus
} from "./execution-desk.ts"
import { intend, own, permitOf, sql, testSettings, world } from "./execution-world.ts"

/** What the last step of an order says about why. */
const lastNumbers = (orderId: string) =>
  sql((client) =>
    Effect.map(
      client<{ readonly event: string; readonly detail: Readonly<Record<string, unknown>> }>`
        SELECT event, detail FROM order_events WHERE order_id = ${orderId} ORDER BY seq DESC LIMIT 1`,
      ([row]) => row
    )
  )

const strategies = {
  default: { sources: ["default"], accounts: ["paper-1"] },
  plain: { sources: ["default"], accounts: ["paper-1"] }
}
const guarded = testSettings({
  strategies,
  risk: {
    scopes: {
      "strategy:default": { dailyLossMax: "100" },
      "strategy:plain": { priceCollarReducePct: "5", ordersPerMinuteMax: 2 }
    }
  }
})

layer(world(guarded), { excludeTestServices: true })("an executor and the limits of scopes", (it) => {
  const figures = (given: Partial<ScopeFigures>): ScopeFigures => ({
    atMs: Date.now(),
    day: "2026-11-23",
    dayLoss: "0",
    drawdown: "0",
    losses: 0,
    lastLossAtMs: null,
    crashedAtMs: null,
    sinceMs: 0,
    tripped: null,
    ...given
  })
  const scope = "strategy:default"

  it.effect(
    "[F2] an entry waits while its losses are unknown, and is denied with the numbers once they are too large",
    () =>
      scenario(
        Effect.gen(function* () {
          yield* own()
          const node = yield* startNode(makeVenue())
          const [first, second] = [yield* intend({ symbol: "SPY" }), yield* intend({ symbol: "QQQ" })]
          yield* node.ring("orders:paper-1")
          yield* until(
            "the executor has looked",
            Effect.sync(
              () => node.state("paper-1") === "Ready.Idle" || node.state("paper-1") === "Owning.Idle"
            )
          )
          yield* Effect.sleep(100)
          assert.strictEqual(yield* statusOf(first), "intended")
          // Old figures are none.
          node.figures.publish(new Map([[scope, figures({ atMs: Date.now() - 60_000 })]]))
          yield* node.ring("orders:paper-1")
          yield* Effect.sleep(100)
          assert.strictEqual(yield* statusOf(first), "intended")
          // Known for as long as the two of them take.
          node.figures.publish(new Map([[scope, figures({ dayLoss: "100", atMs: Date.now() + 60_000 })]]))
          yield* node.ring("orders:paper-1")
          yield* untilStatus(first, "denied")
          yield* untilStatus(second, "denied")
          const told = yield* lastNumbers(first.id)
          assert.deepInclude(told?.detail, { scope, limit: "100", loss: "100", day: "2026-11-23" })
          node.figures.publish(new Map([[scope, figures({ dayLoss: "99", atMs: Date.now() + 60_000 })]]))
          const third = yield* intend({ symbol: "SPY" })
          yield* node.ring("orders:paper-1")
          yield* untilStatus(third, "filled")
        })
      )
  )

  it.effect("[F2] what was decided together leaves no faster than its limit, and its exits do", () =>
    scenario(
      Effect.gen(function* () {
        yield* own()
        const venue = makeVenue()
        const node = yield* startNode(venue)
        const symbol = freshSymbol()
        venue.setPrice(symbol, "100")
        const entries = [
          yield* intend({ symbol, strategy: "plain" }),
          yield* intend({ symbol, strategy: "plain" }),
          yield* intend({ symbol, strategy: "plain" })
        ] as const
        yield* node.ring("orders:paper-1")
        yield* untilStatus(entries[1], "filled")
        yield* Effect.sleep(100)
        assert.strictEqual(yield* statusOf(entries[2]), "intended")
        const close = yield* intend({ symbol, strategy: "plain", side: "sell", closes: "1" })
        yield* node.ring("orders:paper-1")
        yield* untilStatus(close, "filled")
        assert.strictEqual(yield* statusOf(entries[2]), "intended")
        // A minute later by the rows.
        yield* sql(
          (client) =>
            client`UPDATE orders SET sent_at = sent_at - interval '1 minute' WHERE symbol = ${symbol}`
        )
        yield* node.ring("orders:paper-1")
        yield* untilStatus(entries[2], "filled")
      })
    )
  )

  it.effect("[T6] a close beyond its collar waits, with an alert, and goes when the price is back", () =>
    scenario(
      Effect.gen(function* () {
        yield* own()
        const venue = makeVenue()
        const symbol = freshSymbol()
        venue.setPrice(symbol, "100")
        const market = yield* makeMemoryMarket
        let bid = "100"
        const quote = () => ({ symbol, bid, ask: "100", last: "100", at: new Date() })
        const node = yield* startNode(venue, { market: { ...market.service, quote } })
        yield* sql((client) => client`UPDATE orders SET sent_at = sent_at - interval '1 minute'`)
        const entry = yield* intend({ symbol, strategy: "plain" })
        yield* node.ring("orders:paper-1")
        yield* untilStatus(entry, "filled")
        bid = "94.9"
        const close = yield* intend({ symbol, strategy: "plain", side: "sell", closes: null })
        yield* node.ring("orders:paper-1")
        const told: Array<string> = []
        yield* until(
          "somebody is told",
          Effect.map(node.alerts, (kinds) => (told.push(...kinds), told.includes("exit.collared")))
        )
        assert.strictEqual(yield* statusOf(close), "intended")
        bid = "95"
        yield* node.ring("orders:paper-1")
        yield* untilStatus(close, "filled")
      })
    )
  )
})

layer(world(testSettings({ strategies, risk: { buyingPowerMultiple: "10" } })), {
  excludeTestServices: true
})("an executor and the money of its venue", (it) => {
  /** A venue whose answer about money is what a test says. */
  const telling = () => {
    let buyingPower: string | null = null
    let asked = 0
    const wrap = (connection: BrokerConnection): BrokerConnection => ({
      ...connection,
      balance: (account) =>
        Effect.suspend(() => {
          asked += 1
          const power = buyingPower
          if (power === null)
            return Effect.fail(
              new BrokerUnavailable({ broker: "practice", operation: "balance", reason: "?" })
            )
          // As a venue does, less what it holds by then: it may be asked before or after a fill.
          return Effect.map(connection.positions(account), (held) => {
            const spent = held.reduce((sum, { quantity }) => sum + Number(quantity) * 100, 0)
            return { account, cash: "1", buyingPower: String(Number(power) - spent) }
          })
        })
    })
    return { wrap, asked: () => asked, say: (next: string | null) => void (buyingPower = next) }
  }

  it.effect("an entry waits until the venue has told it, and is denied when it is too little", () =>
    scenario(
      Effect.gen(function* () {
        yield* own()
        const venue = makeVenue()
        const market = yield* makeMemoryMarket
        const money = telling()
        const node = yield* startNode(venue, { wrap: money.wrap, market: market.service })
        const symbol = freshSymbol()
        venue.setPrice(symbol, "100")
        yield* market.setPrice(symbol, "100")
        yield* until(
          "the venue was asked",
          Effect.sync(() => money.asked() > 0)
        )
        // It did not tell, which does not keep the account from being reconciled.
        yield* until(
          "it is ready",
          Effect.sync(() => node.state("paper-1") === "Owning.Idle")
        )
        const first = yield* intend({ symbol })
        yield* node.ring("orders:paper-1")
        yield* Effect.sleep(150)
        assert.strictEqual(yield* statusOf(first), "intended")
        money.say("150")
        yield* node.ring("reconcile:paper-1")
        yield* node.ring("orders:paper-1")
        yield* untilStatus(first, "filled")
        const second = yield* intend({ symbol })
        yield* node.ring("orders:paper-1")
        yield* untilStatus(second, "denied")
        // 150 for an empty book, of which 100 is held now; or 50, when it was asked again since.
        const { venue_needed, venue_usable } = (yield* lastNumbers(second.id))?.detail ?? {}
        assert.include(["150 200", "50 100"], `${String(venue_usable)} ${String(venue_needed)}`)
        const close = yield* intend({ symbol, side: "sell", closes: null })
        // What was known does not outlive a question in vain; a close needs no money.
        money.say(null)
        yield* node.ring("reconcile:paper-1")
        yield* until(
          "nothing is known any more",
          sql((client) =>
            Effect.map(
              client`SELECT FROM accounts WHERE id = 'paper-1' AND balance_at IS NULL`,
              ({ length }) => length === 1
            )
          )
        )
        yield* node.ring("orders:paper-1")
        yield* untilStatus(close, "filled")
        const third = yield* intend({ symbol, quantity: "0.1" })
        yield* node.ring("orders:paper-1")
        yield* Effect.sleep(150)
        assert.strictEqual(yield* statusOf(third), "intended")
      })
    )
  )
})

const shared = testSettings({
  strategies: {
    default: { sources: ["default"], accounts: ["paper-1", "paper-2"] },
    plain: { sources: ["default"], accounts: ["paper-1", "paper-2"] }
  },
  risk: { scopes: { global: { ordersPerMinuteMax: 3 }, "strategy:plain": { ordersPerMinuteMax: 1 } } }
})

layer(world(shared), { excludeTestServices: true })("accounts that share a limit per minute", (it) => {
  /** An entry of each account, about to be submitted. */
  const submits = (strategy: string) =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      return yield* Effect.forEach(["paper-1", "paper-2"], (account) =>
        Effect.gen(function* () {
          const grant = yield* own(account)
          const order = yield* intend({ account, strategy, symbol: freshSymbol() })
          return orders.submit(grant, order, permitOf(shared))
        })
      )
    })
  const outcome = (one: Submitted): string =>
    one._tag === "NotPermitted" && one.permit._tag === "Wait" ? one.permit.code : one._tag
  /** Submits that wait for a row. */
  const waitForRow = (count: number) =>
    until(
      `${count} submits wait for a row`,
      sql((client) =>
        Effect.map(
          client<{ readonly n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          ([row]) => row?.n === count
        )
      )
    )
  /** Submits from both accounts; the one that may send first stops before its commit, as a process that freezes would. */
  const both = (strategy: string) =>
    Effect.gen(function* () {
      const database = yield* Database
      const gate = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const [first, second] = yield* submits(strategy)
      if (first === undefined || second === undefined) return assert.fail("there are two")
      // The row of the account is taken last: whoever comes so far waits there.
      const holder = yield* database
        .transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`SELECT id FROM accounts FOR UPDATE`
            yield* Deferred.succeed(closed, undefined)
            yield* Deferred.await(gate)
          })
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(closed)
      const frozen = yield* Effect.forkChild(first)
      yield* waitForRow(1)
      const meanwhile = outcome(yield* second)
      yield* waitForRow(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      return [outcome(yield* Fiber.join(frozen)), meanwhile, outcome(yield* second)]
    })

  it.effect("[F2] two that submit at the same moment send no more than it allows, and neither waits", () =>
    Effect.gen(function* () {
      const busy = "orders_per_minute_busy"
      // One of two, by the limit of the strategy.
      assert.deepStrictEqual(yield* both("plain"), ["Submitting", busy, "orders_per_minute"])
      const late = yield* Effect.all(yield* submits("plain"), { concurrency: "unbounded" })
      assert.deepStrictEqual(late.map(outcome), ["orders_per_minute", "orders_per_minute"])
      // Judged before the other committed, with the turn after it: what counts is judged under the turn.
      const orders = yield* OrdersStore
      const order = yield* intend({ account: "paper-1", strategy: "plain", symbol: freshSymbol() })
      let looks = 0
      const raced = yield* orders.submit(yield* own("paper-1"), order, (row, context) => {
        looks += 1
        return looks === 1
          ? { _tag: "Send", quantity: row.quantity, expiresAtMs: null, numbers: {} }
          : permitOf(shared)(row, context)
      })
      assert.strictEqual(outcome(raced), "orders_per_minute")
      // Two of three are left.
      assert.deepStrictEqual(yield* both("default"), ["Submitting", busy, "Submitting"])
      const over = yield* Effect.all(yield* submits("default"), { concurrency: "unbounded" })
      assert.deepStrictEqual(over.map(outcome), ["orders_per_minute", "orders_per_minute"])
    })
  )
})
