/**
 * Random worlds for decisions: settings with every limit, accounts with books, quotes, figures, breakers, signals of every kind.
 *
 * Promises: everything follows from the numbers `choose` gives; most worlds deny something and most order something.
 * Never: reads a clock or a random source.
 */
import { plainFlags } from "../../src/domain/kernel/flags.ts"
import { instrumentsOf } from "../../src/domain/kernel/instruments.ts"
import type { DecisionSignal, PlanInput } from "../../src/domain/decision/plan-input.ts"
import type { PlanAccount, PlanQuote, PlanSettings } from "../../src/domain/orders/plan-context.ts"
import type { ScopeFigures } from "../../src/domain/orders/risk-scope.ts"
import type { SignalTerms } from "../../src/domain/signals/order-type.ts"
import { plainPanel } from "./panel.ts"
import type { ScopeLimits, StrategySettings } from "../../src/domain/kernel/settings.ts"

export const worldMs = Date.parse("2026-11-23T15:00:00Z")

/** Numbers that follow from a seed (mulberry32). */
export const numbersFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const symbols = ["SPY", "NASDAQ:AAPL", "ES1!", "BTC-USDT", "QQQ"]
const held = ["SPY", "AAPL", "BTC-USDT", "SPY 2026-12-18 C 450", "SPY 2027-01-15 P 400"]

/** Of limits and stops: prices that the market may have, and some that no tick has. */
const terms = [
  { orderType: "limit", limitPrice: "100.37" },
  { orderType: "limit", limitPrice: "450", timeInForce: "ioc" },
  { orderType: "stop", stopPrice: "99.99", timeInForce: "day" },
  { orderType: "stop_limit", stopPrice: "300", limitPrice: "300.005" },
  { timeInForce: "day" }
] as const satisfies ReadonlyArray<Partial<SignalTerms>>

/** Draws one decision: what is known, and the signal. */
export const drawInput = (choose: () => number): PlanInput => {
  const pick = <A>(from: ReadonlyArray<A>): A => {
    const one = from[Math.floor(choose() * from.length)]
    if (one === undefined) throw new Error("nothing to pick from")
    return one
  }
  const maybe = <A>(value: A, chance = 0.5): A | null => (choose() < chance ? value : null)
  const amount = (): string => String(Math.floor(choose() * 900) / 100 + 0.01)
  const strategyOf = (): StrategySettings => ({
    sources: ["default"],
    accounts: pick([["paper-1"], ["paper-1", "paper-2"], ["paper-2", "paper-3"]]),
    engine: "A",
    shadow: null,
    voter: null,
    split: null,
    sidePolicy: pick(["both", "both", "long_only", "short_only"]),
    symbols: maybe(["SPY", "AAPL"], 0.2),
    quantity: amount(),
    stopLossPct: null,
    profitTargetPct: null,
    onPartialFill: "keep",
    partialFillMsMax: null,
    timeInForce: null,
    approval: null,
    stage: pick(["live", "live", "live", "shadow"]),
    demotion: null,
    options: null,
    sizing: null,
    exits: null
  })
  const limitsOf = (): ScopeLimits => ({
    ordersPerMinuteMax: maybe(2, 0.3),
    priceCollarPct: maybe("5", 0.3),
    priceCollarReducePct: maybe("20", 0.3),
    cooldownAfterLossMs: maybe(60_000, 0.3),
    cooldownAfterCrashMs: maybe(60_000, 0.2),
    dailyLossMax: maybe("500", 0.3),
    drawdownMax: maybe("900", 0.3),
    lossStreakMax: maybe(3, 0.3),
    onBreach: "REDUCING"
  })
  const settings: PlanSettings = {
    mode: pick(["PRACTICE", "PAPER"]),
    symbols: { "BINANCE:BTCUSDT": "BTC-USDT" },
    version: "0123456789abcdef",
    instruments: instrumentsOf({ instruments: {} }),
    panel: plainPanel,
    voters: {},
    flags: plainFlags,
    brokers: {},
    sources: { default: { ageMaxMs: 300_000 } },
    strategies: { first: strategyOf(), second: strategyOf() },
    accounts: {
      "paper-1": { broker: "practice", calendar: "24x7" },
      "paper-2": { broker: "other", calendar: "XNYS" },
      "paper-3": { broker: "practice", calendar: "24x7" }
    },
    limits: {
      openPositionsMax: maybe(4, 0.3),
      openPositionsPerSymbolMax: maybe(3, 0.3),
      quantityMax: maybe("6", 0.3),
      notionalMax: maybe("4000", 0.3),
      exposureMax: maybe("9000", 0.3),
      buyingPowerMultiple: maybe("1", 0.3)
    },
    scopes: choose() < 0.6 ? { global: limitsOf(), "strategy:second": limitsOf() } : {}
  }
  const sideOf = (): "buy" | "sell" => pick(["buy", "sell"])
  const accountOf = (id: string): PlanAccount => ({
    id,
    venue: "practice",
    enabled: choose() < 0.95,
    reconciledAtMs: maybe(worldMs - 60_000, 0.9),
    calendar: settings.accounts[id]?.calendar ?? "24x7",
    startingCash: "10000",
    realisedPnl: pick(["0", "-120.5", "33"]),
    balance: maybe({ buyingPower: "5000", atMs: worldMs - 1_000, book: { SPY: "1" } }, 0.4),
    positions: held
      .filter(() => choose() < 0.4)
      .map((symbol) => {
        const quantity = `${pick(["", "-"])}${amount()}`
        return {
          symbol,
          quantity,
          averagePrice: amount(),
          confirmed: pick([quantity, quantity, "1", null]),
          disputed: choose() < 0.1,
          shares: [{ strategy: pick(["first", "second"]), quantity }]
        }
      }),
    orders: held
      .filter(() => choose() < 0.3)
      .map((symbol) => ({
        symbol,
        strategy: pick(["first", "second"]),
        side: sideOf(),
        intent: pick(["entry", "reduce"] as const),
        status: pick(["intended", "acked", "unknown", "held"] as const),
        count: 1 + Math.floor(choose() * 3),
        quantity: "3",
        filledQuantity: "0",
        price: maybe("100")
      }))
      .map((order) =>
        order.status === "acked" && order.price !== null ? { ...order, rests: true as const } : order
      )
  })
  const quotes = new Map<string, PlanQuote | null>()
  const quoteOf = (symbol: string): PlanQuote | null => {
    const known = quotes.get(symbol)
    if (known !== undefined) return known
    const last = 20 + Math.floor(choose() * 500)
    const quote = maybe(
      { symbol, bid: String(last - 0.5), ask: String(last + 0.5), last: String(last), atMs: worldMs - 50 },
      0.8
    )
    quotes.set(symbol, quote)
    return quote
  }
  const figures: ScopeFigures = {
    atMs: worldMs - 1_000,
    day: "2026-11-23",
    dayLoss: pick(["0", "400", "600"]),
    drawdown: pick(["100", "950", null]),
    losses: pick([0, 2, 3]),
    lastLossAtMs: maybe(worldMs - 30_000),
    crashedAtMs: null,
    sinceMs: worldMs - 3_600_000,
    tripped: maybe("daily_loss", 0.1)
  }
  const direction = pick(["LONG", "SHORT", "CALL", "PUT", null] as const)
  const signal: DecisionSignal = {
    id: "11111111-1111-8111-8111-111111111111",
    source: "default",
    symbol: pick(symbols),
    action: direction === null ? pick(["BUY", "SELL"] as const) : maybe(pick(["BUY", "SELL"] as const)),
    direction,
    quantity: maybe(amount()),
    price: maybe("450"),
    strike: maybe("450", 0.2),
    expiration: maybe("2026-12-18", 0.2),
    intent: maybe(pick(["open", "close", "reverse"] as const), 0.3),
    positionSize: null,
    marketPosition: null,
    prevMarketPosition: maybe("long", 0.2),
    marketPositionSize: null,
    orderType: null,
    limitPrice: null,
    stopPrice: null,
    timeInForce: null,
    strategy: maybe(pick(["first", "second", "third"]), 0.3),
    experimentId: null,
    variant: null,
    expiresFromMs: worldMs - pick([1_000, 1_000, 1_000, 400_000])
  }
  const withTerms = choose() < 0.3 ? { ...signal, ...pick(terms) } : signal
  return {
    signal: withTerms,
    settings,
    context: {
      nowMs: worldMs + 0.125,
      trading: new Map([
        ["global", pick(["ACTIVE", "ACTIVE", "ACTIVE", "REDUCING"] as const)],
        ["strategy:second", pick(["ACTIVE", "ACTIVE", "HALTED"] as const)],
        ["strategy:unconcerned", "HALTED" as const]
      ]),
      accounts: new Map(
        ["paper-1", "paper-2", "unconcerned"].map((id): [string, PlanAccount] => [id, accountOf(id)])
      ),
      orderIds: new Set(),
      rates: [{ account: "paper-1", strategy: "second", sent: 1, waiting: 1 }],
      breakers:
        choose() < 0.1
          ? new Map([
              [
                "broker:other",
                {
                  id: "broker:other",
                  state: "OPEN" as const,
                  by: "rule",
                  reason: null,
                  untilMs: null,
                  numbers: {}
                }
              ]
            ])
          : new Map(),
      stages: new Map(
        choose() < 0.3
          ? [
              [
                "first",
                {
                  by: maybe("rule:loss", 0.8),
                  reason: "it lost",
                  book: {
                    "paper-1": [{ symbol: pick(held), quantity: pick(["2", "-1.5"]), averagePrice: "100" }],
                    unconcerned: [{ symbol: "SPY", quantity: "1", averagePrice: "1" }]
                  }
                }
              ]
            ]
          : []
      )
    },
    quoteOf,
    figuresOf: (scope) => (scope === "account:paper-1" ? null : figures),
    votes: null,
    voters: null,
    chain: null,
    mayDefer: choose() < 0.3
  }
}
