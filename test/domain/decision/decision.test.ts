import { assert, describe, it } from "@effect/vitest"
import type { StrategySettings } from "../../../src/domain/kernel/settings.ts"
import { clientOrderId, orderId } from "../../../src/domain/kernel/ids.ts"
import { instrumentsOf } from "../../../src/domain/kernel/instruments.ts"
import type { BookOrder } from "../../../src/domain/orders/risk-book.ts"
import { ageLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { decide } from "../../../src/domain/decision/decision.ts"
import { originOf } from "../../../src/domain/decision/planned-order.ts"
import type { DecisionSignal, PlanInput } from "../../../src/domain/decision/plan-input.ts"
import { type PlanSettings } from "../../../src/domain/orders/plan-context.ts"

import { nowMs, signal, settings, account, contextOf, plan, decided, with2 } from "./decision-world.ts"

describe("the symbol of a sender", () => {
  const symbolOf = (symbol: string, given: Partial<PlanSettings> = {}) => {
    const { decision } = decided({ signal: { ...signal, symbol }, settings: { ...settings, ...given } })
    const checks = decision.checks.filter(({ check }) => check === "symbol")
    return {
      ordered: decision.orders.map((order) => order.symbol),
      outcome: decision.outcome,
      reason: decision.reason,
      numbers: checks.map(({ numbers }) => numbers)
    }
  }

  it("loses a prefix that nobody mapped, and the trace says so", () => {
    assert.deepStrictEqual(symbolOf("NASDAQ:AAPL"), {
      ordered: ["AAPL"],
      outcome: "ordered",
      reason: null,
      numbers: [{ given: "NASDAQ:AAPL", symbol: "AAPL", how: "prefix_dropped", price_invented: false }]
    })
  })

  it("is what the settings map it to, with a prefix or without", () => {
    const symbols = { "ES1!": "ESZ26", "BINANCE:BTCUSDT.P": "BTC-USDT" }
    assert.deepStrictEqual(symbolOf("CME_MINI:ES1!", { symbols }).ordered, ["ESZ26"])
    assert.deepStrictEqual(symbolOf("BINANCE:BTCUSDT.P", { symbols }).ordered, ["BTC-USDT"])
    assert.strictEqual(symbolOf("ES1!", { symbols }).numbers[0]?.["how"], "mapped")
  })

  it("that is a continuous contract is refused with a hint where money counts", () => {
    const refused = symbolOf("ES1!")
    assert.deepInclude(refused, { ordered: [], outcome: "denied", reason: "symbol_continuous" })
    assert.include(String(refused.numbers[0]?.["hint"]), '"symbols": { "ES1!"')
  })

  it("trades in practice whatever it is, at a price that is marked as invented", () => {
    assert.deepStrictEqual(symbolOf("ES1!", { mode: "PRACTICE" }), {
      ordered: ["ES1!"],
      outcome: "ordered",
      reason: null,
      numbers: [{ given: "ES1!", symbol: "ES1!", how: "continuous_as_given", price_invented: true }]
    })
    assert.strictEqual(symbolOf("SPY", { mode: "PRACTICE" }).numbers[0]?.["price_invented"], true)
  })

  it("that means itself needs no line, and what it is worth is in the trace with who says so", () => {
    assert.deepStrictEqual(symbolOf("SPY").numbers, [])
    const instrument = (symbol: string) =>
      decided({ signal: { ...signal, symbol } }).decision.checks.find(({ check }) => check === "instrument")
        ?.numbers
    assert.deepInclude(instrument("SPY"), { multiplier: "1", assumed: true, basis: "spelling" })
    assert.deepInclude(instrument("MESZ26"), { multiplier: "5", assumed: false, basis: "table" })
  })
})

describe("[D7] the size of an entry that its sender does not name", () => {
  const quoteOf = (symbol: string) => ({ symbol, bid: "99", ask: "100", last: "99.5", atMs: nowMs })
  const by = (
    rule: "notional" | "equityPct" | "riskPct",
    amount: string,
    more: Partial<StrategySettings> = {}
  ) => with2({ sizing: { by: rule, amount }, ...more })

  it("follows from money, and the trace shows what it was computed from", () => {
    const { decision } = decided({ settings: by("notional", "2550"), quoteOf })
    assert.deepStrictEqual(
      decision.orders.map(({ quantity }) => quantity),
      ["25"]
    )
    assert.deepStrictEqual(decision.checks.find(({ check }) => check === "sizing")?.numbers, {
      by: "notional",
      amount: "2550",
      price: "100",
      lot: "1",
      quantity: "25"
    })
  })

  it("follows from what the account is worth, with what it holds at the market's price", () => {
    const held = {
      positions: [
        {
          symbol: "QQQ",
          quantity: "100",
          averagePrice: "89.5",
          confirmed: "100",
          disputed: false,
          shares: []
        }
      ]
    }
    const context = contextOf({}, account("paper-1", held))
    // 100,000 and 100 x (99.5 - 89.5): one percent of 101,000 at 100.
    const { decision } = decided({ settings: by("equityPct", "1"), quoteOf, context })
    assert.strictEqual(decision.orders[0]?.quantity, "10")
    const blind = plan({
      settings: by("equityPct", "1"),
      context,
      quoteOf: (symbol) => (symbol === "QQQ" ? null : quoteOf(symbol))
    })
    assert.deepStrictEqual(blind, { _tag: "Deferred", codes: ["paper-1:size_equity_missing"] })
  })

  it("waits for a price, and is denied when none came or it is less than one lot", () => {
    const settings = by("riskPct", "1", { stopLossPct: "2" })
    assert.deepStrictEqual(plan({ settings }), { _tag: "Deferred", codes: ["paper-1:size_price_missing"] })
    const reason = (given: Partial<PlanInput>) => decided(given).decision.reason
    assert.strictEqual(reason({ settings, mayDefer: false }), "size_price_missing")
    assert.strictEqual(reason({ settings: by("notional", "99"), quoteOf }), "size_too_small")
    assert.strictEqual(decided({ settings, quoteOf }).decision.orders[0]?.quantity, "500")
  })

  describe("[T6 size] is asked of no close", () => {
    const held = {
      symbol: "SPY",
      quantity: "10",
      averagePrice: "90",
      confirmed: "10",
      disputed: false,
      shares: [{ strategy: "s1", quantity: "10" }]
    }
    const sells = (given: Partial<DecisionSignal>, more: Partial<PlanInput> = {}) =>
      decided({
        signal: { ...signal, action: "SELL", direction: null, ...given },
        settings: by("notional", "300", { sidePolicy: "long_only" }),
        context: contextOf({}, account("paper-1", { positions: [held] })),
        quoteOf,
        mayDefer: false,
        ...more
      }).decision.orders.map(({ intent, quantity, sizing }) => [intent, sizing, quantity])
    const all = [["reduce", "share", "10"]]

    it("that a one-sided policy makes of an entry on the other side", () => {
      assert.deepStrictEqual(sells({ direction: "SHORT" }), all)
      assert.deepStrictEqual(sells({ direction: "SHORT" }, { quoteOf: () => null }), all, "without a price")
      const poor = { settings: by("notional", "99", { sidePolicy: "long_only" }) }
      assert.deepStrictEqual(sells({ direction: "SHORT" }, poor), all, "less than one lot")
    })

    it("that a plain order on the other side is, which closes all where no size can be computed", () => {
      assert.deepStrictEqual(sells({}), [["reduce", "fixed", "3"]])
      assert.deepStrictEqual(sells({}, { quoteOf: () => null }), all)
      assert.deepStrictEqual(sells({}, { settings: by("notional", "50", { sidePolicy: "long_only" }) }), all)
      const context = contextOf(
        { trading: new Map([["global", "REDUCING"]]) },
        account("paper-1", { positions: [held] })
      )
      assert.deepStrictEqual(sells({}, { context, settings: by("equityPct", "1"), quoteOf: () => null }), all)
    })

    it("whose sender names less than a lot", () => {
      const instruments = instrumentsOf({ instruments: { SPY: { lot: "1" } } })
      const settings = { ...by("notional", "300", { sidePolicy: "long_only" }), instruments }
      assert.deepStrictEqual(sells({ quantity: "0.5" }, { settings }), [["reduce", "fixed", "0.5"]])
    })
  })

  it("is the sender's where it names one", () => {
    const named = { settings: by("notional", "2550"), quoteOf, signal: { ...signal, quantity: "2.5" } }
    assert.strictEqual(decided(named).decision.orders[0]?.quantity, "2.5")
  })
})

describe("one alert in practice", () => {
  it("is one complete order of quantity 1, before any broker hears of it (E2)", () => {
    const { decision } = decided()
    const key = { signalId: signal.id, account: "paper-1", strategy: "default", leg: 0 }
    assert.strictEqual(decision.outcome, "ordered")
    assert.strictEqual(decision.signalStatus, "done")
    assert.deepStrictEqual(decision.orders, [
      {
        ...key,
        id: orderId(key),
        clientOrderId: clientOrderId(key, 1),
        intent: "entry",
        sizing: "open",
        wanted: "1",
        symbol: "SPY",
        side: "buy",
        type: "market",
        quantity: "1",
        limitPrice: null,
        stopPrice: null,
        timeInForce: "gtc",
        status: "intended",
        source: "webhook",
        venue: "practice",
        reason: null,
        validUntilMs: nowMs + ageLimits.orderUnsentMsMax,
        approval: null
      }
    ])
    assert.deepStrictEqual(decision.checks[0], {
      strategy: "default",
      account: "paper-1",
      leg: 0,
      check: "engine",
      ok: true,
      code: null,
      numbers: { symbol: "SPY", side: "buy", quantity: "1", intent: "open", chosen: null }
    })
    assert.isTrue(decision.checks.every(({ ok }) => ok))
  })

  const limit = { ...signal, orderType: "limit", limitPrice: "100.37" } as const
  it("with a limit is an order at that price, in ticks, whose time the strategy defaults to", () => {
    const settings = {
      ...with2({ timeInForce: "day" }),
      instruments: instrumentsOf({ instruments: { SPY: { tick: "0.25" } } })
    }
    const { context, decision, facts } = decided({ settings, signal: limit })
    assert.deepInclude(decision.orders[0], {
      type: "limit",
      limitPrice: "100.25",
      stopPrice: null,
      timeInForce: "day",
      status: "intended"
    })
    assert.deepStrictEqual(decision.checks[1], {
      strategy: "s1",
      account: "paper-1",
      leg: 0,
      check: "order_type",
      ok: true,
      code: null,
      numbers: {
        type: "limit",
        limit_price: "100.25",
        stop_price: null,
        asked_limit: "100.37",
        asked_stop: null,
        tick: "0.25",
        time_in_force: "day"
      }
    })
    // The next decision of the batch sees that it rests, and at which price.
    assert.deepInclude(context.accounts.get("paper-1")?.orders[0], { price: "100.25", rests: true })
    const { decided: again, missing } = decide(JSON.parse(JSON.stringify(facts)), settings)
    assert.deepStrictEqual(missing, [])
    assert.deepStrictEqual(again._tag === "Decided" && again.decision, decision)
  })

  it("with a limit is denied where it would turn a position around, or its price is less than a tick", () => {
    const short = [
      {
        symbol: "SPY",
        quantity: "-2",
        averagePrice: "100",
        confirmed: "-2",
        disputed: false,
        shares: [{ strategy: "default", quantity: "-2" }]
      }
    ]
    const turned = decided({
      signal: limit,
      context: contextOf({}, account("paper-1", { positions: short }))
    }).decision
    assert.deepStrictEqual([turned.reason, turned.orders[0]?.status], ["rests_across_zero", "denied"])
    const instruments = instrumentsOf({ instruments: { SPY: { tick: "1000" } } })
    const { decision } = decided({ signal: limit, settings: { ...settings, instruments } })
    assert.deepStrictEqual([decision.outcome, decision.reason], ["denied", "price_rounds_away"])
    assert.strictEqual(decision.orders[0]?.limitPrice, "100.37", "a row has no price of zero")
  })

  it("[T10 drift] says when the sender believes to hold what we do not, and decides all the same", () => {
    const long = account("paper-1", {
      positions: [
        {
          symbol: "SPY",
          quantity: "2",
          averagePrice: "100",
          confirmed: "2",
          disputed: false,
          shares: [{ strategy: "default", quantity: "2" }]
        }
      ]
    })
    const drift = (prevMarketPosition: "long" | "short" | "flat" | null) => {
      const { decision } = decided({
        context: contextOf({}, long),
        signal: { ...signal, prevMarketPosition }
      })
      assert.strictEqual(decision.outcome, "ordered")
      return decision.checks
        .filter(({ check }) => check === "drift")
        .map(({ code, numbers }) => [code, numbers])
    }
    assert.deepStrictEqual(drift("flat"), [
      ["position_drift", { reported: "flat", held: "long", share: "2" }]
    ])
    assert.deepStrictEqual(drift("short"), [
      ["position_drift", { reported: "short", held: "long", share: "2" }]
    ])
    assert.deepStrictEqual(drift("long"), [])
    assert.deepStrictEqual(drift(null), [])
  })

  it("[T10 drift] is none that an order under way explains, and none of options", () => {
    const live = (side: "buy" | "sell"): BookOrder => ({
      symbol: "SPY",
      strategy: "default",
      side,
      intent: "entry",
      status: "acked",
      count: 1,
      quantity: "1",
      filledQuantity: "0",
      price: null
    })
    const drifts = (
      orders: ReadonlyArray<BookOrder>,
      prevMarketPosition: "long" | "short" | "flat",
      more: Partial<typeof signal> = {}
    ) =>
      decided({
        context: contextOf({}, account("paper-1", { orders })),
        signal: { ...signal, ...more, prevMarketPosition }
      }).decision.checks.filter(({ check }) => check === "drift").length
    assert.strictEqual(drifts([], "long"), 1)
    assert.strictEqual(drifts([live("buy")], "long"), 0, "it may be filled by now")
    assert.strictEqual(drifts([live("buy")], "flat"), 0, "or not yet")
    assert.strictEqual(drifts([live("buy")], "short"), 1)
    assert.strictEqual(drifts([live("sell")], "short"), 0)
    assert.strictEqual(
      drifts([{ ...live("buy"), strategy: "other" }], "long"),
      1,
      "another strategy's is not its own"
    )
    assert.strictEqual(drifts([], "long", { direction: "CALL" }), 0)
  })

  it("is decided the same way twice, ids included", () => {
    assert.deepStrictEqual(decided().decision, decided().decision)
  })

  it("may be sent only as long as the signal is young", () => {
    const late = { ...signal, expiresFromMs: nowMs - 299_000 }
    assert.strictEqual(decided({ signal: late }).decision.orders[0]?.validUntilMs, nowMs + 1_000)
  })
})

describe("a signal that becomes no order", () => {
  it("is rejected as too old, without asking any engine", () => {
    const { decision } = decided({ signal: { ...signal, expiresFromMs: nowMs - 300_001 } })
    assert.deepStrictEqual(
      [decision.outcome, decision.signalStatus, decision.reason, decision.orders.length],
      ["denied", "rejected", "too_old", 0]
    )
    assert.deepStrictEqual(decision.checks, [
      {
        strategy: null,
        account: null,
        leg: null,
        check: "age",
        ok: false,
        code: "too_old",
        numbers: { age_ms: 300_001, limit_ms: 300_000 }
      }
    ])
  })
  it("is ignored when no strategy is subscribed to its source", () => {
    const { decision } = decided({ signal: { ...signal, source: "elsewhere" } })
    assert.deepStrictEqual(
      [decision.outcome, decision.signalStatus, decision.reason],
      ["ignored", "done", "no_strategy"]
    )
  })
  it("is ignored when it closes what nobody holds", () => {
    const { decision } = decided({ signal: { ...signal, action: "SELL" } })
    assert.deepStrictEqual(
      [decision.outcome, decision.reason, decision.orders.length],
      ["ignored", "nothing_to_close", 0]
    )
  })
  it("is denied with a denied order row when a check refuses it", () => {
    const { decision } = decided({
      settings: { ...settings, limits: { ...settings.limits, quantityMax: "0.5" } }
    })
    assert.deepStrictEqual(
      [decision.outcome, decision.signalStatus, decision.reason],
      ["denied", "rejected", "quantity"]
    )
    assert.deepStrictEqual(
      decision.orders.map(({ status, reason }) => [status, reason]),
      [["denied", "quantity"]]
    )
  })
  it("is a duplicate when its order exists already, and no second row is planned", () => {
    const key = { signalId: signal.id, account: "paper-1", strategy: "default", leg: 0 }
    const { decision } = decided({ context: contextOf({ orderIds: new Set([orderId(key)]) }) })
    assert.deepStrictEqual(
      [decision.outcome, decision.reason, decision.orders.length],
      ["denied", "duplicate", 0]
    )
  })
  it("is denied when an option cannot be chosen", () => {
    const { decision } = decided({ signal: { ...signal, direction: "CALL" } })
    assert.deepStrictEqual(
      [decision.outcome, decision.reason, decision.orders.length],
      ["denied", "option_price_missing", 0]
    )
  })
})

describe("trading state", () => {
  for (const scope of ["global", "account:paper-1", "strategy:default"]) {
    it(`holds the order while [${scope}] is halted`, () => {
      const { decision } = decided({ context: contextOf({ trading: new Map([[scope, "HALTED"]]) }) })
      assert.deepStrictEqual(
        [decision.outcome, decision.signalStatus, decision.orders[0]?.status],
        ["held", "done", "held"]
      )
    })
  }
  it("takes the most restrictive of all scopes and ignores other accounts'", () => {
    const mixed = contextOf({
      trading: new Map([
        ["global", "REDUCING"],
        ["account:paper-1", "HALTED"]
      ])
    })
    assert.strictEqual(decided({ context: mixed }).decision.reason, "trading_halted")
    assert.strictEqual(
      decided({ context: contextOf({ trading: new Map([["account:paper-2", "HALTED"]]) }) }).decision.outcome,
      "ordered"
    )
  })
})

describe("fan-out", () => {
  const two = contextOf({}, account("paper-1"), account("paper-2", { enabled: false }))
  it("gives each strategy and account its own order and its own denial (E4)", () => {
    const { decision } = decided({ settings: with2({ accounts: ["paper-1", "paper-2"] }, {}), context: two })
    assert.strictEqual(decision.outcome, "ordered")
    assert.deepStrictEqual(
      decision.orders.map(({ strategy, account, status }) => `${strategy} ${account} ${status}`),
      ["s1 paper-1 intended", "s1 paper-2 denied", "s2 paper-1 intended"]
    )
    assert.strictEqual(new Set(decision.orders.map(({ clientOrderId }) => clientOrderId)).size, 3)
  })
  it("counts an order just planned in the checks of the next one", () => {
    const limited = { ...with2({}, {}), limits: { ...settings.limits, openPositionsPerSymbolMax: 1 } }
    assert.deepStrictEqual(
      decided({ settings: limited }).decision.orders.map(({ status, reason }) => [status, reason]),
      [
        ["intended", null],
        ["denied", "per_symbol"]
      ]
    )
  })
  it("counts an order that is held in the checks of the next one: it will be sent when it is released", () => {
    const limited = { ...with2({}, {}), limits: { ...settings.limits, openPositionsPerSymbolMax: 1 } }
    const context = contextOf({ trading: new Map([["strategy:s1", "HALTED"]]) })
    assert.deepStrictEqual(
      decided({ settings: limited, context }).decision.orders.map(({ status, reason }) => [status, reason]),
      [
        ["held", "trading_halted"],
        ["denied", "per_symbol"]
      ]
    )
  })
  it("is held when one account holds it and the other denies it, whichever comes first", () => {
    for (const halted of ["paper-1", "paper-2"]) {
      const accounts = ["paper-1", "paper-2"].map((id) => account(id, { enabled: id === halted }))
      const context = contextOf({ trading: new Map([[`account:${halted}`, "HALTED"]]) }, ...accounts)
      const { decision } = decided({ settings: with2({ accounts: ["paper-1", "paper-2"] }), context })
      assert.deepStrictEqual(
        [decision.outcome, decision.reason, decision.signalStatus],
        ["held", "trading_halted", "done"]
      )
    }
  })
  it("hands the planned orders on to the next signal of the batch", () => {
    const limited = { ...settings, limits: { ...settings.limits, openPositionsPerSymbolMax: 1 } }
    const first = decided({ settings: limited })
    const next = decided({
      settings: limited,
      signal: { ...signal, id: "22222222-2222-8222-8222-222222222222" },
      context: first.context
    })
    assert.strictEqual(next.decision.reason, "per_symbol")
  })
  it("goes only to the strategy a signal names", () => {
    const { decision } = decided({ settings: with2({}, {}), signal: { ...signal, strategy: "s2" } })
    assert.deepStrictEqual(
      decision.orders.map(({ strategy }) => strategy),
      ["s2"]
    )
  })
  it("[T10 strategy named] is denied when nobody subscribes under the name, however few subscribe", () => {
    for (const given of [settings, with2({}), with2({}, {})]) {
      const { decision } = decided({ settings: given, signal: { ...signal, strategy: "momentun" } })
      assert.deepStrictEqual(
        [decision.outcome, decision.reason, decision.signalStatus, decision.orders.length],
        ["denied", "strategy_unknown", "rejected", 0]
      )
    }
    assert.strictEqual(decided({ signal: { ...signal, strategy: "default" } }).decision.outcome, "ordered")
  })
})

describe("putting a decision off", () => {
  const waiting = contextOf({}, account("paper-1", { reconciledAtMs: null }))
  it("defers while an account is not reconciled, also for a signal that closes", () => {
    assert.deepStrictEqual(plan({ context: waiting }), {
      _tag: "Deferred",
      codes: ["paper-1:account_not_reconciled"]
    })
    assert.strictEqual(plan({ context: waiting, signal: { ...signal, action: "SELL" } })._tag, "Deferred")
  })
  it("denies with the same code when it was put off long enough", () => {
    const { decision } = decided({ context: waiting, mayDefer: false })
    assert.deepStrictEqual(
      [decision.outcome, decision.reason, decision.orders[0]?.status],
      ["denied", "account_not_reconciled", "denied"]
    )
  })
  it("plans no row for an account that has none yet", () => {
    assert.strictEqual(plan({ context: contextOf({ accounts: new Map() }) })._tag, "Deferred")
    const { decision } = decided({ context: contextOf({ accounts: new Map() }), mayDefer: false })
    assert.deepStrictEqual(
      [decision.outcome, decision.reason, decision.orders.length],
      ["denied", "account_not_reconciled", 0]
    )
  })
  it("defers the whole signal when one of its accounts waits, because there is only one decision", () => {
    const context = contextOf({}, account("paper-1"), account("paper-2", { reconciledAtMs: null }))
    const both = with2({ accounts: ["paper-1", "paper-2"] })
    assert.deepStrictEqual(plan({ settings: both, context }), {
      _tag: "Deferred",
      codes: ["paper-2:account_not_reconciled"]
    })
    assert.strictEqual(decided({ settings: both, context, mayDefer: false }).decision.outcome, "ordered")
  })
})

describe("origin", () => {
  it("is a channel of its own for the wave feed and an operator's, else a webhook (A3)", () => {
    assert.deepStrictEqual(["default", "tv-main", "wave", "telegram", "console"].map(originOf), [
      "webhook",
      "webhook",
      "wave",
      "telegram",
      "console"
    ])
  })
})
