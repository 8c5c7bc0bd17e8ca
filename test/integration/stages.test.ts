import { assert, layer } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { lookAtStages } from "../../src/actors/execution/stage-look.ts"
import { decide, planSignal } from "../../src/domain/decision/decision.ts"
import type { Facts } from "../../src/domain/decision/facts.ts"
import { AccountLeases, makeLeaseGuard } from "../../src/layers/accounts/accounts-lease.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { experimentsOf } from "../../src/layers/health/read-experiments.pg.ts"
import { strategiesOf } from "../../src/layers/health/read-strategies.pg.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { StageStore } from "../../src/layers/orders/stage-store.port.ts"
import { stageStorePg } from "../../src/layers/orders/stage-store.pg.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { instantOf, makeLeaseDeadline } from "../../src/layers/platform/lease-deadline.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { insertSignals, planSettings, rows, storeOn } from "../support/decisions.ts"
import { layerEntropy } from "../support/entropy.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { intend, own, permitOf, sql, testSettings, world } from "./execution-world.ts"

const demotion = { lossMax: "100", lossCloses: 3, lossStreakMax: 5, back: { closes: 2, profitMin: "5" } }
const settings = testSettings({
  strategies: {
    default: { sources: ["default"], accounts: ["paper-1"], stopLossPct: "10", demotion },
    fixed: { sources: ["wave"], accounts: ["paper-1"], stage: "shadow" }
  },
  brokers: { practice: { kind: "paper", fees: { equity: { perUnit: "0.5" } } } }
})

/** A market, and looks of a process that executes the account. */
const desk = Effect.gen(function* () {
  yield* sql((client) =>
    Effect.all([
      client`DELETE FROM strategy_stages`,
      client`DELETE FROM paper_positions`,
      client`DELETE FROM paper_trades`,
      client`DELETE FROM paper_orders`,
      client`DELETE FROM closes`,
      client`DELETE FROM alerts`,
      client`DELETE FROM audit`
    ])
  )
  const market = yield* makeMemoryMarket
  const context = yield* Layer.build(
    Layer.mergeAll(
      AccountLeases.layer,
      Layer.succeed(Market, market.service),
      layerEntropy,
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
  )
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, context)
  const grant = yield* own()
  const clock = yield* Clock.Clock
  const guard = makeLeaseGuard(
    grant,
    makeLeaseDeadline(clock, { leaseMs: 3_600_000, marginMs: 1_000 }, instantOf(clock))
  )
  yield* within(Effect.map(AccountLeases, (leases) => leases.hold(guard)))
  return {
    grant,
    price: market.setPrice,
    quote: market.service.quote,
    look: within(Effect.flatMap(Clock.currentTimeMillis, (nowMs) => lookAtStages("root/trading/risk", nowMs)))
  }
})

/** What a signal says beside its defaults, in the columns of its row. */
interface Given {
  readonly quantity?: string
  readonly type?: "limit" | "stop" | "stop_limit"
  readonly limit?: string
  readonly stop?: string
  readonly time?: "day" | "gtc"
}

/** Decides new signals as a pipeline does. Returns their ids. */
const decidedOn = (quote: Effect.Success<typeof desk>["quote"], ...given: ReadonlyArray<Given>) =>
  Effect.gen(function* () {
    const database = yield* Database
    const signals = yield* storeOn(database, settings)
    // One that an earlier test left undecided would be claimed alone, and first.
    yield* sql(
      (
        client
      ) => client`UPDATE signals SET status = 'rejected', reason = 'too_old', decided_at = hf_clock(), claim = NULL,
        lease_until = NULL WHERE status IN ('received', 'processing')`
    )
    const ids = yield* insertSignals(
      database,
      given.map(({ quantity = null }) => ({ quantity }))
    )
    for (const [n, { limit = null, stop = null, time = null, type = null }] of given.entries())
      yield* sql(
        (client) => client`UPDATE signals SET order_type = ${type}, limit_price = ${limit}::numeric,
          stop_price = ${stop}::numeric, time_in_force = ${time}, experiment_id = 'default', variant = 'A'
          WHERE id = ${ids[n] ?? ""}::uuid`
      )
    const claim = yield* signals.claim(10)
    assert.includeMembers(
      claim.signals.map(({ id }) => id),
      ids
    )
    yield* signals.decide(claim.token, claim.signals, ["paper-1"], (signal, context) =>
      planSignal({
        signal,
        context,
        settings: planSettings(settings),
        quoteOf: (symbol) => {
          const found = quote(symbol)
          return found === null ? null : { ...found, atMs: found.at.getTime() }
        },
        figuresOf: () => null,
        votes: null,
        voters: null,
        chain: null,
        mayDefer: false
      })
    )
    const reasons = yield* sql(
      (client) => client`SELECT reason FROM decisions WHERE signal_id = ANY (${ids}::uuid[])`
    )
    assert.deepStrictEqual(
      reasons,
      ids.map(() => ({ reason: "strategy_shadow" }))
    )
    return ids
  })

/** Real closes of a strategy. */
const closed = (...profits: ReadonlyArray<string>) =>
  Effect.forEach(profits, (profit) =>
    sql(
      (client) =>
        client`INSERT INTO closes (cause, strategy, account, symbol, profit)
          VALUES (${randomUUID()}, 'default', 'paper-1', 'SPY', ${profit}::numeric)`
    )
  )

const stored = sql((client) =>
  Effect.map(
    client<{ readonly line: string }>`
      SELECT concat_ws(' ', strategy, stage, changed_by, version) AS line FROM strategy_stages ORDER BY 1`,
    (found) => found.map(({ line }) => line)
  )
)
const shown = Effect.gen(function* () {
  const listed = yield* strategiesOf(yield* Database)(settings.strategies)
  return Object.fromEntries(listed.map((row) => [String(row["strategy"]), row]))
})

layer(Layer.provideMerge(stageStorePg, world(settings)), { excludeTestServices: true })(
  "the stages of strategies (G5)",
  (it) => {
    it.effect(
      "a rule demotes by what was closed since it looks, once, with audit and alert in its commit",
      () =>
        Effect.gen(function* () {
          const { look } = yield* desk
          yield* closed("-900")
          assert.deepStrictEqual((yield* look).shadowed, ["fixed"])
          assert.deepStrictEqual(yield* stored, ["default live system 1"])
          yield* closed("-40", "60", "-50")
          yield* look
          assert.deepStrictEqual(yield* stored, ["default live system 1"])
          // The first one is out of the three that count.
          yield* closed("-109.99")
          yield* look
          assert.deepStrictEqual(yield* stored, ["default live system 1"])
          yield* closed("-0.01")
          assert.deepStrictEqual((yield* look).shadowed, ["default", "fixed"])
          yield* look
          assert.deepStrictEqual(yield* stored, ["default shadow rule:loss 2"])
          const audit = yield* sql(
            (client) => client`SELECT command, scope, by, means, result, reason FROM audit`
          )
          assert.deepStrictEqual(audit, [
            {
              command: "strategy.demote",
              scope: "strategy:default",
              by: "rule:loss",
              means: "rule",
              result: "accepted",
              reason: "its last 3 closes made -160.00, limit -100"
            }
          ])
          const alerts = yield* sql(
            (client) => client`SELECT kind, severity, standing, resolved_at IS NULL AS open FROM alerts`
          )
          assert.deepStrictEqual(alerts, [
            { kind: "strategy.demoted", severity: "HIGH", standing: true, open: true }
          ])
        })
    )

    it.effect("it earns its way back by its closes on paper, and counts from then on", () =>
      Effect.gen(function* () {
        const { look } = yield* desk
        yield* look
        yield* closed("-200")
        yield* look
        const paper = (profit: string) =>
          sql(
            (client) =>
              client`INSERT INTO paper_trades (exit_kind, strategy, account, leg, symbol, side, quantity, price, profit)
                VALUES ('stop_loss', 'default', 'paper-1', 0, 'SPY', 'sell', 1, 1, ${profit}::numeric)`
          )
        yield* paper("50")
        yield* look
        yield* paper("-46")
        yield* look
        assert.deepStrictEqual(yield* stored, ["default shadow rule:loss 2"])
        yield* paper("51")
        assert.deepStrictEqual((yield* look).shadowed, ["fixed"])
        assert.deepStrictEqual(yield* stored, ["default live rule:recovered 3"])
        yield* look
        assert.deepStrictEqual(yield* stored, ["default live rule:recovered 3"])
        const alerts = yield* sql(
          (client) => client`SELECT kind, resolved_at IS NULL AS open FROM alerts ORDER BY first_at, kind`
        )
        assert.deepStrictEqual(alerts, [
          { kind: "strategy.demoted", open: false },
          { kind: "strategy.promoted", open: true }
        ])
      })
    )

    it.effect("an operator's is repeated without a change, and no rule takes it back", () =>
      Effect.gen(function* () {
        const { look } = yield* desk
        const store = yield* StageStore
        const change = { strategy: "default", by: "console:1", reason: "too wild" } as const
        const first = yield* store.operate({ ...change, to: "shadow" })
        assert.deepInclude(first, { stage: "shadow", changedBy: "console:1", changed: true })
        yield* sql(
          (client) =>
            client`INSERT INTO paper_trades (exit_kind, strategy, account, leg, symbol, side, quantity, price, profit)
              SELECT 'stop_loss', 'default', 'paper-1', 0, 'SPY', 'sell', 1, 1, 100 FROM generate_series(1, 9)`
        )
        yield* look
        assert.deepInclude((yield* shown)["default"], {
          stage: "shadow",
          changed_by: "console:1",
          reason: "too wild",
          paper_closes: 9,
          paper_pnl: "900"
        })
        assert.deepInclude((yield* shown)["fixed"], { stage: "shadow", changed_by: "settings", since: null })
        const back = yield* store.operate({ ...change, to: "live" })
        assert.deepInclude(back, { stage: "live", changed: true })
        assert.isFalse((yield* store.operate({ ...change, to: "live" })).changed)
      })
    )

    it.effect(
      "a signal is decided on paper with its facts, its stop closes it there, and nothing is sent",
      () =>
        Effect.gen(function* () {
          const { grant, look, price, quote } = yield* desk
          const orders = yield* OrdersStore
          const database = yield* Database
          const waiting = yield* intend({ symbol: "SPY", quantity: "1" })
          yield* look
          yield* closed("-100")
          yield* look
          // It was decided while its strategy traded.
          const submitted = yield* orders.submit(grant, waiting, permitOf(settings))
          assert.notStrictEqual(submitted._tag, "Submitting")
          yield* price("SPY", "100")
          yield* decidedOn(quote, { quantity: "3" }, { quantity: "1" })
          const kept = yield* rows<{
            readonly checks: unknown
            readonly facts: Facts
            readonly reason: string
          }>(database, "SELECT checks, facts, reason FROM decisions")
          assert.deepStrictEqual(
            kept.map(({ reason }) => reason),
            ["strategy_shadow", "strategy_shadow"]
          )
          for (const { checks, facts } of kept) {
            const again = decide(facts, planSettings(settings))
            assert.deepStrictEqual(again.missing, [])
            assert.deepStrictEqual(
              again.decided._tag === "Decided" ? again.decided.decision.checks : [],
              checks as never
            )
          }
          const held = sql((client) => client`SELECT symbol, quantity::text AS quantity FROM paper_positions`)
          assert.deepStrictEqual(yield* held, [{ symbol: "SPY", quantity: "4" }])
          yield* look
          assert.deepStrictEqual(yield* held, [{ symbol: "SPY", quantity: "4" }])
          yield* price("SPY", "80")
          yield* look
          assert.deepStrictEqual(yield* held, [])
          const [exit] = yield* rows<Record<string, unknown>>(
            database,
            "SELECT exit_kind, side, quantity::text AS quantity, profit < -70 AS lost FROM paper_trades WHERE signal_id IS NULL"
          )
          assert.deepStrictEqual(exit, { exit_kind: "stop_loss", side: "sell", quantity: "4", lost: true })
          const sent = yield* rows(
            database,
            "SELECT 1 FROM orders WHERE strategy = 'default' AND status NOT IN ('denied', 'withdrawn', 'expired_unsent')"
          )
          assert.deepStrictEqual(sent, [])
        })
    )

    const demoted = Effect.gen(function* () {
      const given = yield* desk
      yield* given.look
      yield* closed("-100")
      yield* given.look
      yield* given.price("SPY", "100")
      return given
    })
    const resting = sql((client) =>
      Effect.map(
        client<{ readonly line: string }>`
          SELECT concat_ws(' ', side, quantity, limit_price, stop_price, CASE WHEN triggered THEN 'triggered' END) AS line
          FROM paper_orders ORDER BY seq`,
        (found) => found.map(({ line }) => line)
      )
    )
    const holding = sql(
      (client) =>
        client`SELECT quantity::text AS quantity, average_price::text AS price, fees::text AS fees FROM paper_positions`
    )

    it.effect("what rests on paper is filled when a quote crosses it, and pays the fees of its broker", () =>
      Effect.gen(function* () {
        const { look, price, quote } = yield* demoted
        const [signal] = yield* decidedOn(
          quote,
          { quantity: "2", type: "limit", limit: "95" },
          { type: "stop_limit", stop: "105", limit: "103", time: "gtc" }
        )
        const both = ["buy 2 95", "buy 1 103 105"]
        assert.deepStrictEqual(yield* resting, both)
        const { paper_resting: [first] = [] } = (yield* shown)["default"] as {
          readonly paper_resting?: ReadonlyArray<Record<string, unknown>>
        }
        assert.deepInclude(first, { signal_id: signal, side: "buy", limit_price: "95", stop_price: null })
        yield* price("SPY", "96")
        yield* look
        assert.deepStrictEqual(yield* resting, both)
        yield* price("SPY", "106")
        yield* look
        assert.deepStrictEqual(yield* resting, ["buy 2 95", "buy 1 103 105 triggered"])
        assert.deepStrictEqual(yield* holding, [])
        yield* price("SPY", "94")
        yield* look
        // One trade of a holding in each look: the next is judged by what is held then.
        assert.deepStrictEqual(yield* holding, [{ quantity: "2", price: "94", fees: "1" }])
        yield* look
        assert.deepStrictEqual(yield* resting, [])
        assert.deepStrictEqual(yield* holding, [{ quantity: "3", price: "94", fees: "1.5" }])
        yield* price("SPY", "80")
        yield* look
        assert.deepStrictEqual(yield* holding, [])
        // Three at a loss of 14 each, 1.5 to open and 1.5 to close them.
        const figures = { paper_closes: 1, paper_pnl: "-45", paper_fees: "3" }
        assert.deepInclude((yield* shown)["default"], { ...figures, paper_resting: [] })
        const compared = yield* experimentsOf(yield* Database)({ from: null, to: null, strategy: "default" })
        assert.deepInclude(compared[0], { ...figures, closes: 0, pnl: "0" })
      })
    )

    it.effect("what rests on paper is over with its session, a stop of trading, and the stage", () =>
      Effect.gen(function* () {
        const { look, price, quote } = yield* demoted
        const wait: Given = { type: "limit", limit: "95" }
        yield* decidedOn(quote, wait)
        yield* sql((client) => client`UPDATE paper_orders SET expires_at = hf_clock()`)
        yield* price("SPY", "94")
        yield* look
        assert.deepStrictEqual([yield* resting, yield* holding], [[], []])
        yield* price("SPY", "100")
        yield* decidedOn(quote, wait)
        yield* sql(
          (client) => client`INSERT INTO trading_state (scope, state, reason, changed_by)
            VALUES ('strategy:default', 'REDUCING', 'r', 't')`
        )
        yield* look
        assert.deepStrictEqual(yield* resting, [])
        yield* sql((client) => client`DELETE FROM trading_state WHERE scope = 'strategy:default'`)
        yield* decidedOn(quote, wait)
        assert.lengthOf(yield* resting, 1)
        const store = yield* StageStore
        yield* store.operate({ strategy: "default", to: "live", by: "console:1", reason: null })
        assert.deepStrictEqual(yield* resting, [])
      })
    )
  }
)
