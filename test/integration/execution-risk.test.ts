import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { lookAtRisk, makeRiskWatch } from "../../src/actors/execution/risk-look.ts"
import { AccountLeases, makeLeaseGuard } from "../../src/layers/accounts/accounts-lease.port.ts"
import { NodeStore } from "../../src/layers/accounts/node-store.port.ts"
import { alertsStorePg } from "../../src/layers/alerts/alerts-store.pg.ts"
import { AlertsStore } from "../../src/layers/alerts/alerts-store.port.ts"
import { Alerts, outbreakOf, type PendingAlert } from "../../src/layers/alerts/alerts.port.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { RiskStore, type Trip } from "../../src/layers/orders/risk-store.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { makeLeaseDeadline, instantOf } from "../../src/layers/platform/lease-deadline.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { rungOf } from "../support/bells.ts"
import { layerEntropy } from "../support/entropy.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { Clock } from "effect"
import {
  fillOf,
  intend,
  lifeOf,
  openNode,
  own,
  permitOf,
  sql,
  testSettings,
  world
} from "./execution-world.ts"

const settings = testSettings({
  strategies: {
    default: { sources: ["default"], accounts: ["paper-1"] },
    plain: { sources: ["default"], accounts: ["paper-1"] }
  },
  risk: {
    zone: "America/New_York",
    scopes: {
      global: { drawdownMax: "1000" },
      "account:paper-1": { dailyLossMax: "100", onBreach: "HALTED" },
      "strategy:default": { lossStreakMax: 2, cooldownAfterLossMs: 60_000 }
    }
  }
})

const alertOf = (trip: Trip) => (): PendingAlert =>
  outbreakOf(
    {
      severity: "HIGH",
      kind: "trading_state.changed",
      dedupKey: `trading_state.changed:${trip.scope}`,
      message: trip.reason,
      standing: true
    },
    randomUUID(),
    Date.now()
  )

/** A clean slate: nothing held, nothing remembered, everything active. */
const cleared = sql((client) =>
  Effect.all([
    client`DELETE FROM closes`,
    client`DELETE FROM alerts`,
    client`DELETE FROM equity`,
    client`DELETE FROM risk_marks`,
    client`DELETE FROM position_shares`,
    client`UPDATE positions SET quantity = 0, realised_pnl = 0, fees = 0`,
    client`DELETE FROM trading_state WHERE scope <> 'global'`,
    client`UPDATE trading_state SET state = 'ACTIVE', changed_by = 'test'`
  ])
)

/** A look of a process that has just started, with a market of its own. */
const desk = Effect.gen(function* () {
  yield* cleared
  const market = yield* makeMemoryMarket
  const context = yield* Layer.build(
    Layer.mergeAll(
      AccountLeases.layer,
      RiskFigures.layer,
      Layer.succeed(Market, market.service),
      layerEntropy,
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
  )
  const started = () => makeRiskWatch("root/trading/risk")
  let watch = started()
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, context)
  return {
    price: market.setPrice,
    look: within(Effect.flatMap(Clock.currentTimeMillis, (nowMs) => lookAtRisk(watch, nowMs))),
    restart: () => void (watch = started()),
    hold: within(
      Effect.gen(function* () {
        const grant = yield* own()
        const leases = yield* AccountLeases
        const clock = yield* Clock.Clock
        const terms = { leaseMs: 60_000, marginMs: 1_000 }
        leases.hold(makeLeaseGuard(grant, makeLeaseDeadline(clock, terms, instantOf(clock))))
      })
    ),
    figures: (scope: string) => within(RiskFigures.use((figures) => Effect.sync(() => figures.of(scope)))),
    raise: (alert: Parameters<Alerts["Service"]["raise"]>[0]) =>
      within(Alerts.use((alerts) => alerts.raise(alert))),
    rung: within(rungOf(["trading-state"])),
    store: within(
      Effect.gen(function* () {
        const [alerts, store] = [yield* Alerts, yield* AlertsStore]
        return yield* store.store(alerts.takePending())
      })
    ),
    alerts: within(
      Alerts.use((alerts) =>
        Effect.sync(() =>
          alerts.takePending().flatMap((entry) => (entry._tag === "Outbreak" ? [entry.dedupKey] : []))
        )
      )
    )
  }
})

let symbols = 0
const freshSymbol = () => `R${(symbols += 1)}`

/** An order of a strategy that fills, in as many trades as it has prices. */
const trade = (
  strategy: string,
  symbol: string,
  side: "buy" | "sell",
  prices: ReadonlyArray<string>,
  fee = "0"
) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const fills = yield* FillsStore
    const grant = yield* own()
    const order = yield* intend({ strategy, symbol, side, quantity: String(prices.length) })
    const submitted = yield* orders.submit(grant, order, permitOf(testSettings()))
    assert.strictEqual(submitted._tag, "Submitting")
    for (const price of prices) yield* fills.record("practice", fillOf(order, { price, fee }))
  })

const states = sql((client) =>
  Effect.map(
    client<{ readonly line: string }>`
      SELECT concat_ws(' ', scope, state, changed_by) AS line FROM trading_state WHERE state <> 'ACTIVE' ORDER BY 1`,
    (rows) => rows.map(({ line }) => line)
  )
)
const resume = (scope: string) =>
  sql(
    (client) =>
      client`UPDATE trading_state SET state = 'ACTIVE', changed_by = 'operator' WHERE scope = ${scope}`
  )

layer(Layer.provideMerge(alertsStorePg, world(settings)), { excludeTestServices: true })(
  "what scopes gain and lose",
  (it) => {
    it.effect(
      "follows the fills: each strategy by its own share, an order that closes in parts is one close",
      () =>
        Effect.gen(function* () {
          const { figures, look, price } = yield* desk
          const symbol = freshSymbol()
          yield* trade("default", symbol, "buy", ["100", "100"], "1")
          yield* trade("plain", symbol, "buy", ["120", "120"])
          yield* price(symbol, "110")
          yield* look
          yield* trade("default", symbol, "sell", ["105", "99"], "0.5")
          const rows = yield* sql(
            (client) => client`SELECT strategy, trim_scale(profit) AS profit FROM closes ORDER BY 1`
          )
          // 5 and -1, less the fees of both trades.
          assert.deepStrictEqual(rows, [{ strategy: "default", profit: "3" }])
          const store = yield* RiskStore
          const reading = yield* store.read(["paper-1"], settings.risk.scopes)
          assert.deepStrictEqual(
            reading.strategies.map(({ fees, open, realised, strategy }) => [
              strategy,
              realised,
              fees,
              open.length
            ]),
            [
              ["default", "4", "3.0", 0],
              ["plain", "0", "0", 1]
            ]
          )
          // The account closed at its own average; what is left of it makes up for that.
          yield* price(symbol, "120")
          yield* look
          const account = yield* figures("account:paper-1")
          // Begun at +10 +10 -10 -10 less 2 of fees; now 4 less 3, and nothing on what is left.
          assert.strictEqual(account?.dayLoss, "-3")
          assert.strictEqual((yield* figures("strategy:default"))?.losses, 0)
        })
    )

    it.effect("[F2] a drawdown stops its scope once, survives a restart, and a resume resets it", () =>
      Effect.gen(function* () {
        const { alerts, figures, look, price, restart } = yield* desk
        const symbol = freshSymbol()
        yield* trade("plain", symbol, "buy", ["10000"])
        yield* price(symbol, "10000")
        yield* look
        yield* price(symbol, "10500")
        yield* look
        yield* price(symbol, "9500.01")
        // The day's loss is of another scope, and HALTED by it.
        yield* look
        assert.deepStrictEqual(yield* states, ["account:paper-1 HALTED rule:daily_loss"])
        yield* price(symbol, "9500")
        assert.strictEqual((yield* look).stopped, 1)
        const stopped = ["account:paper-1 HALTED rule:daily_loss", "global REDUCING rule:drawdown"]
        assert.deepStrictEqual(yield* states, stopped)
        assert.strictEqual((yield* figures("global"))?.drawdown, "1000")
        assert.deepStrictEqual(yield* alerts, [
          "trading_state.changed:account:paper-1",
          "trading_state.changed:global"
        ])
        yield* price(symbol, "9000")
        assert.strictEqual((yield* look).stopped, 0)
        restart()
        assert.deepStrictEqual((yield* look).tripped.toSorted(), ["account:paper-1", "global"])
        assert.deepStrictEqual(yield* states, stopped)
        yield* resume("global")
        assert.deepStrictEqual((yield* look).tripped, ["account:paper-1"])
        assert.strictEqual((yield* figures("global"))?.drawdown, "0")
        yield* price(symbol, "8000.01")
        assert.strictEqual((yield* look).stopped, 0)
        yield* price(symbol, "8000")
        assert.strictEqual((yield* look).stopped, 1)
        assert.deepStrictEqual(yield* states, stopped)
      })
    )

    it.effect(
      "[T11] the alert of a stop is of its commit: a process that ends right after it has alerted",
      () =>
        Effect.gen(function* () {
          const { look, price, raise, restart, rung, store } = yield* desk
          const symbol = freshSymbol()
          const rows = sql(
            (
              client
            ) => client`SELECT message, severity, standing, occurrences, resolved_by, detail->>'changed_by' AS by
          FROM alerts ORDER BY seq`
          )
          const byOperator = {
            message: "trading of account:paper-1 is REDUCING: drill",
            severity: "LOW"
          } as const
          yield* raise({
            ...byOperator,
            kind: "trading_state.changed",
            dedupKey: "trading_state.changed:account:paper-1",
            standing: true
          })
          yield* store
          yield* trade("plain", symbol, "buy", Array<string>(10).fill("1000"))
          yield* price(symbol, "1000")
          yield* look
          yield* price(symbol, "990")
          const stores = yield* RiskStore
          const committed = yield* Deferred.make<void>()
          const dying = RiskStore.of({
            ...stores,
            trip: (...given) =>
              Effect.andThen(
                stores.trip(...given),
                Effect.andThen(Deferred.succeed(committed, undefined), Effect.never)
              )
          })
          const process = yield* Effect.forkChild(Effect.provideService(look, RiskStore, dying))
          yield* Deferred.await(committed)
          yield* Fiber.interrupt(process)
          const message = /^trading of account:paper-1 is HALTED by rule: daily_loss 100 of 100 on /
          const isAlerted = Effect.map(rows, ([first, second, ...more]) => {
            assert.deepInclude(first, byOperator)
            assert.match(String(first?.["resolved_by"]), message)
            assert.match(String(second?.["message"]), message)
            const stopped = { severity: "HIGH", standing: true, occurrences: 1, resolved_by: null }
            assert.deepInclude(second, { ...stopped, by: "rule:daily_loss" })
            assert.deepStrictEqual(more, [])
          })
          yield* isAlerted
          // The next life finds the scope stopped, and nothing to add.
          restart()
          assert.strictEqual((yield* look).stopped, 0)
          yield* store
          yield* isAlerted
          // One that lives raises it as well, which adds no row and no occurrence.
          yield* price(symbol, "900")
          assert.strictEqual((yield* look).stopped, 1)
          assert.deepStrictEqual(yield* rung, ["trading-state"])
          yield* store
          const added = (yield* rows).slice(2)
          assert.lengthOf(added, 1)
          assert.deepInclude(added[0], { by: "rule:drawdown", occurrences: 1, resolved_by: null })
        })
    )

    it.effect("the high-water mark of a day before it was stopped is in the rows", () =>
      Effect.gen(function* () {
        const { figures, look, price, restart } = yield* desk
        const symbol = freshSymbol()
        yield* trade("plain", symbol, "buy", ["100"])
        yield* price(symbol, "100")
        yield* look
        // As a process left them that ended yesterday.
        yield* sql(
          (client) => client`UPDATE risk_marks SET day = day - 1, high_water = 40, pnl = 25, day_base = -7`
        )
        restart()
        yield* price(symbol, "90")
        yield* look
        const found = yield* figures("account:paper-1")
        // 25 was the last figure before midnight, and -10 is what it is now.
        assert.deepStrictEqual([found?.dayLoss, found?.drawdown], ["35", "50"])
      })
    )

    it.effect("marks only rise, whoever writes them, and what was seen before a resume is over", () =>
      Effect.gen(function* () {
        yield* cleared
        const store = yield* RiskStore
        const marks = {
          day: "2026-11-23",
          dayBase: "1",
          highWater: "50",
          pnl: "40",
          sinceMs: 1_000,
          tripped: null
        }
        const save = (given: Partial<typeof marks>, resumed = false) =>
          store.saveMarks([{ scope: "global", marks: { ...marks, ...given }, resumed }])
        const stored = sql(
          (
            client
          ) => client`SELECT concat_ws(' ', day, day_base, high_water, pnl, coalesce(tripped, '-')) AS line
          FROM risk_marks`
        )
        yield* save({})
        yield* save({ highWater: "45", pnl: "30", dayBase: "9" })
        assert.deepStrictEqual(yield* stored, [{ line: "2026-11-23 1 50 30 -" }])
        yield* save({ day: "2026-11-24", dayBase: "30" })
        yield* save({ day: "2026-11-23", dayBase: "9", pnl: "8" })
        assert.deepStrictEqual(yield* stored, [{ line: "2026-11-24 30 50 40 -" }])
        // Nobody had stopped it, so there is nothing to resume.
        yield* save({ highWater: "1", sinceMs: 2_000 }, true)
        assert.deepStrictEqual(yield* stored, [{ line: "2026-11-24 30 50 40 -" }])
        const trip = {
          scope: "global",
          rule: "drawdown",
          state: "REDUCING",
          reason: "-",
          numbers: {}
        } as const
        const before = yield* store.trip(trip, alertOf(trip))
        assert.deepStrictEqual(before, { _tag: "Tripped", moved: true, ended: [] })
        const audited = yield* sql(
          (client) => client`SELECT command, means, by, result FROM audit WHERE scope = ${trip.scope}
          ORDER BY seq DESC LIMIT 1`
        )
        assert.deepStrictEqual(audited, [
          { command: "trading_state.set", means: "rule", by: `rule:${trip.rule}`, result: "accepted" }
        ])
        yield* save({ highWater: "1", pnl: "1", sinceMs: 2_000 }, true)
        yield* save({ highWater: "90", pnl: "90" })
        assert.deepStrictEqual(yield* stored, [{ line: "2026-11-23 1 1 1 -" }])
      })
    )

    it.effect("what nobody quotes makes its scopes unknown, and moves no mark", () =>
      Effect.gen(function* () {
        const { figures, look, price } = yield* desk
        const [quoted, unquoted] = [freshSymbol(), freshSymbol()]
        yield* trade("plain", quoted, "buy", ["100"])
        yield* price(quoted, "100")
        yield* look
        const marks = sql(
          (client) => client`SELECT scope, day_base, high_water, pnl FROM risk_marks ORDER BY scope`
        )
        const before = yield* marks
        yield* trade("plain", unquoted, "buy", ["100"])
        const found = yield* look
        assert.deepStrictEqual(found.unknown.toSorted(), ["account:paper-1", "global"])
        assert.isNull((yield* figures("account:paper-1"))?.dayLoss)
        assert.isNull((yield* figures("global"))?.drawdown)
        assert.strictEqual((yield* figures("strategy:default"))?.dayLoss, "0")
        assert.deepStrictEqual(yield* marks, before)
        assert.deepStrictEqual(yield* states, [])
      })
    )

    it.effect("[F2] a row of losses stops a strategy; a gain, and a resume, reset it", () =>
      Effect.gen(function* () {
        const { figures, look, price } = yield* desk
        const symbol = freshSymbol()
        yield* price(symbol, "100")
        yield* look
        const round = (out: string) =>
          Effect.andThen(
            trade("default", symbol, "buy", ["100"]),
            Effect.andThen(trade("default", symbol, "sell", [out]), look)
          )
        yield* round("99")
        yield* round("101")
        yield* round("99")
        assert.strictEqual((yield* figures("strategy:default"))?.losses, 1)
        assert.isNotNull((yield* figures("strategy:default"))?.lastLossAtMs)
        // Losses of another strategy are its own.
        yield* trade("plain", symbol, "buy", ["100"])
        yield* trade("plain", symbol, "sell", ["99"])
        yield* look
        assert.deepStrictEqual(yield* states, [])
        yield* round("99")
        assert.deepStrictEqual(yield* states, ["strategy:default REDUCING rule:loss_streak"])
        yield* resume("strategy:default")
        yield* look
        assert.strictEqual((yield* figures("strategy:default"))?.losses, 0)
        yield* look
        assert.strictEqual((yield* figures("strategy:default"))?.losses, 0)
        assert.deepStrictEqual(yield* states, [])
        yield* round("99")
        yield* round("99")
        assert.deepStrictEqual(yield* states, ["strategy:default REDUCING rule:loss_streak"])
      })
    )

    it.effect("[G11] limits of a reload hold from the next look on, and count from then", () =>
      Effect.gen(function* () {
        const { figures, look, price } = yield* desk
        const symbol = freshSymbol()
        yield* trade("plain", symbol, "buy", ["100"])
        yield* price(symbol, "100")
        const { lookMs } = yield* look
        const scopes = { "strategy:plain": settings.risk.scopes["global"] ?? assert.fail("it is configured") }
        const under = (next: typeof settings.risk.scopes) =>
          Effect.provideService(look, Config, { ...settings, risk: { ...settings.risk, scopes: next } })
        yield* price(symbol, "90")
        yield* under(scopes)
        assert.isNull(yield* figures("global"))
        assert.strictEqual((yield* figures("strategy:plain"))?.drawdown, "0")
        yield* price(symbol, "89")
        yield* under(scopes)
        assert.strictEqual((yield* figures("strategy:plain"))?.drawdown, "1")
        assert.isAbove((yield* under({})).lookMs, lookMs)
        assert.isNull(yield* figures("strategy:plain"))
      })
    )

    it.effect("what an operator has made stricter stays, and two processes stop a scope once", () =>
      Effect.gen(function* () {
        const { alerts, look, price, restart } = yield* desk
        const symbol = freshSymbol()
        yield* trade("plain", symbol, "buy", ["10000"])
        yield* price(symbol, "10000")
        yield* look
        yield* sql(
          (client) =>
            client`UPDATE trading_state SET state = 'HALTED', changed_by = 'operator' WHERE scope = 'global'`
        )
        yield* price(symbol, "9000")
        yield* look
        assert.deepStrictEqual(yield* states, [
          "account:paper-1 HALTED rule:daily_loss",
          "global HALTED operator"
        ])
        yield* alerts
        // Another process, that has not seen the marks move, comes second.
        yield* sql((client) => client`UPDATE risk_marks SET tripped = NULL WHERE scope = 'account:paper-1'`)
        const store = yield* RiskStore
        const trip = {
          scope: "account:paper-1",
          rule: "daily_loss",
          state: "HALTED",
          reason: "again",
          numbers: {}
        } as const
        const second = yield* store.trip(trip, alertOf(trip))
        assert.deepInclude(second, { _tag: "Tripped", moved: false })
        assert.deepStrictEqual(yield* store.trip(trip, alertOf(trip)), { _tag: "Known" })
        restart()
        assert.strictEqual((yield* look).stopped, 0)
        assert.deepStrictEqual(yield* alerts, [])
      })
    )

    it.effect(
      "equity is a row per minute of an account that this process executes, while something is open",
      () =>
        Effect.gen(function* () {
          const { hold, look, price } = yield* desk
          const symbol = freshSymbol()
          yield* trade("plain", symbol, "buy", ["100"], "2")
          yield* price(symbol, "110")
          const rows = sql(
            (client) => client`SELECT account, trim_scale(realised_pnl) AS realised, trim_scale(fees) AS fees,
          trim_scale(unrealised_pnl) AS unrealised, trim_scale(equity) AS equity, trim_scale(day_pnl) AS day,
          extract(second FROM at)::int AS second FROM equity`
          )
          yield* look
          assert.deepStrictEqual(yield* rows, [])
          yield* hold
          yield* look
          yield* look
          assert.deepStrictEqual(yield* rows, [
            {
              account: "paper-1",
              realised: "0",
              fees: "2",
              unrealised: "10",
              equity: "100008",
              day: "0",
              second: 0
            }
          ])
        })
    )

    it.effect(
      "a venue's balance is stored with the book of that time, and discarded when a request fails",
      () =>
        Effect.gen(function* () {
          yield* desk
          const store = yield* RiskStore
          const symbol = freshSymbol()
          yield* trade("plain", symbol, "buy", ["100"])
          const grant = yield* own()
          const said = sql(
            (
              client
            ) => client`SELECT trim_scale(venue_cash) AS cash, trim_scale(buying_power) AS usable, balance_book AS book,
          balance_at IS NOT NULL AS known FROM accounts WHERE id = 'paper-1'`
          )
          const book = yield* store.book("paper-1")
          yield* store.noteBalance(grant, { cash: "7", buyingPower: "5", book })
          assert.deepStrictEqual(yield* said, [
            { cash: "7", usable: "5", book: { [symbol]: "1" }, known: true }
          ])
          yield* store.noteBalance(grant, null)
          assert.deepStrictEqual(yield* said, [{ cash: "7", usable: null, book: null, known: false }])
          yield* store.noteBalance(
            { ...grant, fence: grant.fence - 1n },
            { cash: "7", buyingPower: "5", book }
          )
          assert.deepStrictEqual(yield* said, [{ cash: "7", usable: null, book: null, known: false }])
        })
    )

    it.effect("[F2] a life that gave its lease back is no crash, one that did not is", () =>
      Effect.gen(function* () {
        const store = yield* RiskStore
        const nodes = yield* NodeStore
        const crashed = Effect.map(store.read([], {}), ({ crashedAtMs }) => crashedAtMs !== null)
        const node = "node-of-crashes"
        yield* openNode(`${node}/1`)
        yield* nodes.release(lifeOf(`${node}/1`))
        yield* openNode(`${node}/2`)
        assert.isFalse(yield* crashed)
        // The same life, again: its database was away.
        yield* openNode(`${node}/2`)
        assert.isFalse(yield* crashed)
        yield* sql((client) => client`UPDATE nodes SET lease_until = hf_now() WHERE node_id = ${node}`)
        yield* openNode(`${node}/3`)
        assert.isTrue(yield* crashed)
      })
    )
  }
)
