import { plainFlags } from "../../../src/domain/kernel/flags.ts"
import { assert, describe, it } from "@effect/vitest"
import { instrumentsOf, plainInstruments } from "../../../src/domain/kernel/instruments.ts"
import type { PlanAccount, PlanSettings } from "../../../src/domain/orders/plan-context.ts"
import {
  OPERATOR_CLOSE,
  type PermitContext,
  type PermitOrder,
  permitToSend
} from "../../../src/domain/orders/permit.ts"
import type { TradingStateName } from "../../../src/domain/kernel/trading-state.ts"
import { plainPanel } from "../../support/panel.ts"
import type { SidePolicy } from "../../../src/domain/orders/sizing.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const account = (given: Partial<PlanAccount> = {}, held = "0"): PlanAccount => ({
  id: "paper-1",
  venue: "practice",
  enabled: true,
  reconciledAtMs: nowMs,
  calendar: "24x7",
  startingCash: "1000",
  realisedPnl: "0",
  balance: null,
  positions:
    held === "0"
      ? []
      : [
          {
            symbol: "SPY",
            quantity: held,
            averagePrice: "100",
            confirmed: held,
            disputed: false,
            shares: [{ strategy: "s", quantity: held }]
          }
        ],
  orders: [],
  ...given
})
const settings = (sidePolicy: SidePolicy = "both", quantityMax: string | null = null): PlanSettings => ({
  version: "0123456789abcdef",
  mode: "PRACTICE",
  symbols: {},
  instruments: plainInstruments,
  panel: plainPanel,
  voters: {},
  flags: plainFlags,
  brokers: {},
  sources: {},
  strategies: {
    s: {
      sources: ["default"],
      accounts: ["paper-1"],
      engine: "A",
      shadow: null,
      voter: null,
      split: null,
      sidePolicy,
      symbols: null,
      quantity: "1",
      options: null,
      sizing: null,
      stopLossPct: null,
      profitTargetPct: null,
      exits: null,
      onPartialFill: "keep",
      partialFillMsMax: null,
      timeInForce: null,
      approval: null,
      stage: "live",
      demotion: null
    }
  },
  accounts: { "paper-1": { broker: "practice", calendar: "24x7" } },
  limits: {
    openPositionsMax: null,
    openPositionsPerSymbolMax: null,
    quantityMax,
    notionalMax: null,
    exposureMax: null,
    buyingPowerMultiple: null
  },
  scopes: {}
})
const entry: PermitOrder = {
  account: "paper-1",
  strategy: "s",
  symbol: "SPY",
  signalId: "1",
  exitKind: null,
  source: "webhook",
  intent: "entry",
  sizing: "open",
  wanted: "2",
  side: "buy",
  type: "market",
  limitPrice: null,
  stopPrice: null,
  timeInForce: "gtc",
  quantity: "2",
  sends: 0
}
const close: PermitOrder = { ...entry, intent: "reduce", sizing: "share", wanted: null, side: "sell" }
/** Judged inside its test: what runs while tests are collected counts as run by every test of the mutation tester. */
const judge =
  (
    order: PermitOrder,
    context: Partial<PermitContext> & { readonly state?: TradingStateName } = {},
    given = settings()
  ) =>
  (): string => {
    const { state = "ACTIVE", ...more } = context
    const permit = permitToSend({
      order,
      context: {
        nowMs,
        trading: new Map([["global", state]]),
        account: account(),
        stale: false,
        superseded: false,
        openingOver: false,
        givenPrice: null,
        rates: [],
        breakers: new Map(),
        stages: new Map(),
        ...more
      },
      settings: given,
      quoteOf: () => null,
      figuresOf: () => null
    })
    return permit._tag === "Send" ? `Send ${permit.quantity}` : `${permit._tag} ${permit.code}`
  }

describe("an order that is about to leave is judged again", () => {
  const working = (side: "buy" | "sell", status: "intended" | "acked", quantity: string) => ({
    symbol: "SPY",
    strategy: "s",
    side,
    intent: "entry" as const,
    status,
    count: 1,
    quantity,
    filledQuantity: "0",
    price: null
  })
  const oneEach = { ...settings(), limits: { ...settings().limits, openPositionsPerSymbolMax: 1 } }
  const rows: ReadonlyArray<readonly [string, () => string, string]> = [
    ["as it was decided", judge(entry), "Send 2"],
    ["too old by now", judge(entry, { stale: true }), "Expire stale"],
    ["sent before and too old by now", judge({ ...entry, sends: 1 }, { stale: true }), "Expire stale"],
    ["closed by a later alert", judge(entry, { superseded: true }), "Withdraw superseded"],
    ["trading is halted", judge(entry, { state: "HALTED" }), "Hold trading_halted"],
    ["an entry while REDUCING", judge(entry, { state: "REDUCING" }), "Hold trading_reducing"],
    ["a close while REDUCING", judge(close, { state: "REDUCING", account: account({}, "2") }), "Send 2"],
    [
      "a close while HALTED",
      judge(close, { state: "HALTED", account: account({}, "2") }),
      "Hold trading_halted"
    ],
    [
      "an operator's close while HALTED",
      judge({ ...close, exitKind: OPERATOR_CLOSE }, { state: "HALTED", account: account({}, "2") }),
      "Send 2"
    ],
    [
      "a stop loss while HALTED",
      judge({ ...close, exitKind: "stop_loss" }, { state: "HALTED", account: account({}, "2") }),
      "Hold trading_halted"
    ],
    [
      "its account was disabled",
      judge(entry, { account: account({ enabled: false }) }),
      "Deny account_disabled"
    ],
    [
      "its account is not reconciled",
      judge(entry, { account: account({ reconciledAtMs: null }) }),
      "Wait account_not_reconciled"
    ],
    [
      "its market has closed",
      judge(entry, { account: account({ calendar: "XNYS" }), nowMs: Date.parse("2026-11-22T15:00:00Z") }),
      "Deny market_closed"
    ],
    [
      "its own market has closed, although its account never does",
      judge(
        entry,
        { nowMs: Date.parse("2026-11-22T15:00:00Z") },
        { ...settings("both"), instruments: instrumentsOf({ instruments: { SPY: { calendar: "XNYS" } } }) }
      ),
      "Deny market_closed"
    ],
    [
      "its account's market has closed, and its own never does",
      judge(
        entry,
        { account: account({ calendar: "XNYS" }), nowMs: Date.parse("2026-11-22T15:00:00Z") },
        { ...settings("both"), instruments: instrumentsOf({ instruments: { SPY: { calendar: "24x7" } } }) }
      ),
      "Send 2"
    ],
    ["the limit of its size was lowered", judge(entry, {}, settings("both", "1")), "Deny quantity"],
    [
      "larger by now than its limit",
      judge({ ...entry, side: "sell" }, { account: account({}, "3") }, settings("both", "4")),
      "Deny quantity"
    ],
    [
      "its strategy is one-sided by now",
      judge({ ...entry, side: "sell" }, {}, settings("long_only")),
      "Deny side_policy"
    ],
    ["its strategy is gone", judge({ ...entry, strategy: "gone" }), "Deny strategy_unknown"],
    [
      "a close whose strategy is gone",
      judge({ ...close, strategy: "gone", sizing: "fixed", wanted: "1" }, { account: account({}, "2") }),
      "Send 1"
    ],
    [
      "an entry beside one that is only intended, one allowed",
      judge(entry, { account: account({ orders: [working("buy", "intended", "1")] }) }, oneEach),
      "Send 2"
    ],
    [
      "an entry beside one that works, one allowed",
      judge(entry, { account: account({ orders: [working("buy", "acked", "1")] }) }, oneEach),
      "Deny per_symbol"
    ],
    ["a close of nothing", judge(close), "Withdraw nothing_to_close"],
    [
      "an exit of an opening that is over",
      judge(close, { account: account({}, "2"), openingOver: true }),
      "Withdraw nothing_to_close"
    ],
    [
      "a close beside one that is only intended",
      judge(close, { account: account({ orders: [working("sell", "intended", "2")] }, "2") }),
      "Send 2"
    ],
    [
      "a close beside one that works",
      judge(close, { account: account({ orders: [working("sell", "acked", "2")] }, "2") }),
      "Withdraw nothing_to_close"
    ],
    [
      "a symbol in dispute",
      judge(entry, {
        account: account({
          positions: [
            { symbol: "SPY", quantity: "0", averagePrice: "0", confirmed: "7", disputed: true, shares: [] }
          ]
        })
      }),
      "Wait position_disputed"
    ]
  ]
  for (const [what, found, expected] of rows) {
    it(`[${what}] ${expected}`, () => {
      assert.strictEqual(found(), expected)
    })
  }
})
