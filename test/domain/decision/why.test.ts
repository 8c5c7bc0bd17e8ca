import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import {
  type SignalStory,
  type StoryDecision,
  type StorySignal,
  whyOf
} from "../../../src/domain/decision/why.ts"
import { checkSentence, type StoredCheck } from "../../../src/domain/decision/why-check.ts"
import type { StoryOrder } from "../../../src/domain/decision/why-order.ts"
import { reasonWithCode } from "../../../src/domain/decision/why-words.ts"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"
import { ORDER_EVENTS, ORDER_STATUSES } from "../../../src/domain/orders/order.ts"
import { evaluateRisk, riskTable } from "../../../src/domain/orders/risk.ts"
import type { RiskInput } from "../../../src/domain/orders/risk-input.ts"
import type { ScopeFigures } from "../../../src/domain/orders/risk-scope.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const id = "11111111-1111-8111-8111-111111111111"
const orderId = "22222222-2222-8222-8222-222222222222"
const exitId = "33333333-3333-8333-8333-333333333333"
const signal: StorySignal = {
  id,
  kind: "signal",
  source: "default",
  status: "done",
  reason: null,
  symbol: "SPY",
  action: "BUY",
  direction: "LONG",
  timeframe: "5m",
  quantity: "2",
  price: "400.5",
  strategy: null,
  strike: null,
  expiration: null,
  intent: null,
  position_size: null,
  market_position: null,
  prev_market_position: null,
  market_position_size: null,
  order_type: null,
  limit_price: null,
  stop_price: null,
  time_in_force: null,
  fired_at: "2026-11-23T14:59:58.000Z",
  expires_from: "2026-11-23T14:59:58.000Z",
  received_at: "2026-11-23T14:59:59.000Z",
  decided_at: "2026-11-23T15:00:00.000Z",
  identity_kind: "explicit",
  attempts: 1,
  mapped: null
}
const decision: StoryDecision = {
  engine: "A",
  experiment_id: "none",
  variant: "A",
  outcome: "ordered",
  reason: null,
  checks: [],
  settings_version: "0123456789abcdef",
  decided_at: "2026-11-23T15:00:00.000Z"
}
const order: StoryOrder = {
  id: orderId,
  client_order_id: "c1",
  signal_id: id,
  account: "paper-1",
  strategy: "default",
  intent: "entry",
  symbol: "SPY",
  side: "buy",
  type: "market",
  quantity: "2",
  limit_price: null,
  stop_price: null,
  time_in_force: "gtc",
  expires_at: null,
  status: "filled",
  source: "webhook",
  venue: "practice",
  venue_order_id: "v1",
  filled_quantity: "2",
  average_price: "400.75",
  reason: null,
  exit_kind: null,
  command_id: null,
  compensates: null,
  valid_until: null,
  created_at: "2026-11-23T15:00:00.000Z"
}
const check = (name: string, given: Partial<StoredCheck> = {}): StoredCheck => ({
  check: name,
  ok: true,
  code: null,
  numbers: {},
  strategy: "default",
  account: "paper-1",
  leg: 0,
  ...given
})
const tooOld = check("age", {
  ok: false,
  code: "too_old",
  numbers: { age_ms: 612_500, limit_ms: 300_000 },
  strategy: null,
  account: null,
  leg: null
})
const unsent = { filled_quantity: "0", average_price: null, venue_order_id: null } as const
const story = (given: Partial<SignalStory>): SignalStory => ({
  signal,
  enrichment: null,
  metadata: null,
  decision,
  orders: [],
  exits: [],
  fills: [],
  events: [],
  links: [],
  ...given
})
const denied = (reason: string, ...checks: ReadonlyArray<StoredCheck>): Partial<SignalStory> => ({
  signal: { ...signal, status: "rejected", reason },
  decision: { ...decision, outcome: "denied", reason, checks }
})
const ignored = (reason: string, ...checks: ReadonlyArray<StoredCheck>): Partial<SignalStory> => ({
  decision: { ...decision, outcome: "ignored", reason, checks }
})
const waiting = (given: Partial<StorySignal>): Partial<SignalStory> => ({
  signal: { ...signal, decided_at: null, ...given },
  decision: null
})
const lossCheck = check("daily_loss", {
  ok: false,
  code: "daily_loss",
  numbers: { scope: "account:paper-1", limit: "500", loss: "512.25", day: "2026-11-23", tripped: false }
})

/** The whole first line for each way in which a signal may stand. */
const cases: ReadonlyArray<readonly [what: string, given: Partial<SignalStory>, answer: string]> = [
  [
    "filled",
    { orders: [order] },
    "One order was made: buy 2 SPY at market in paper-1 for default. It was filled, 2 of 2 at 400.75 on average."
  ],
  [
    "too old",
    denied("too_old", tooOld),
    "No order was made, it was denied: the signal was too old (too_old); the signal was 612.5 s old; the limit is 300 s."
  ],
  [
    "denied by a limit, with the order that was not sent",
    {
      ...denied("daily_loss", lossCheck),
      orders: [{ ...order, ...unsent, status: "denied", reason: "daily_loss" }]
    },
    "No order was sent, it was denied: the loss of the day has reached its limit (daily_loss), for default in paper-1; account:paper-1: the loss of the day 2026-11-23 is 512.25; the limit is 500."
  ],
  [
    "of a strategy that does not exist",
    denied(
      "strategy_unknown",
      check("strategy", {
        ok: false,
        code: "strategy_unknown",
        account: null,
        numbers: { strategy: "momentun" }
      })
    ),
    "No order was made, it was denied: it names a strategy that does not take signals of its source (strategy_unknown); no strategy named momentun takes signals of this source."
  ],
  [
    "that nobody takes",
    ignored("no_strategy"),
    "No order was made, none was needed: no strategy is subscribed to its source (no_strategy)."
  ],
  [
    "that closes nothing",
    ignored("nothing_to_close", check("engine", { code: "nothing_to_close" })),
    "No order was made, none was needed: nothing is held that it could close (nothing_to_close), for default in paper-1."
  ],
  [
    "whose account was never there and that was ordered before",
    denied(
      "duplicate",
      check("duplicate", { ok: false, code: "duplicate", numbers: { already_ordered: true } })
    ),
    "No order was made, it was denied: this signal has its order already (duplicate), for default in paper-1; this signal has its order already, so it gets no second one."
  ],
  [
    "held",
    {
      decision: { ...decision, outcome: "held", reason: "trading_halted" },
      orders: [
        {
          ...order,
          ...unsent,
          status: "held",
          reason: "trading_halted",
          valid_until: "2026-11-23T15:05:00.000Z"
        }
      ]
    },
    "One order was made: buy 2 SPY at market in paper-1 for default. It is held and not sent: trading is HALTED (trading_halted); it expires unsent at 2026-11-23T15:05:00.000Z."
  ],
  [
    "withdrawn",
    { orders: [{ ...order, ...unsent, status: "withdrawn", reason: "nothing_to_close" }] },
    "One order was made: buy 2 SPY at market in paper-1 for default. It was withdrawn and never sent: nothing is held that it could close (nothing_to_close)."
  ],
  [
    "expired unsent",
    { orders: [{ ...order, ...unsent, status: "expired_unsent", reason: "stale: valid_until has passed" }] },
    "One order was made: buy 2 SPY at market in paper-1 for default. It expired unsent: stale: valid_until has passed."
  ],
  [
    "refused by the venue",
    { orders: [{ ...order, ...unsent, status: "rejected", reason: "insufficient_funds: not enough cash" }] },
    "One order was made: buy 2 SPY at market in paper-1 for default. It was refused by the venue: insufficient_funds: not enough cash."
  ],
  [
    "in two accounts",
    {
      orders: [
        order,
        { ...order, ...unsent, id: exitId, account: "paper-2", status: "denied", reason: "open_positions" }
      ]
    },
    "2 orders were made, 1 of them sent: paper-1 default SPY filled, paper-2 default SPY denied."
  ],
  [
    "that waits",
    waiting({ status: "received", attempts: 0 }),
    "No order yet: it has waited for its decision since 2026-11-23T14:59:59.000Z."
  ],
  [
    "whose decision failed and is tried again",
    waiting({ status: "received", attempts: 2, reason: "Error: boom" }),
    "No order yet: it has waited for its decision since 2026-11-23T14:59:59.000Z. The last of 2 attempts failed: Error: boom."
  ],
  [
    "in the hands of a pipeline",
    waiting({ status: "processing" }),
    "No order yet: a pipeline is deciding it, or waits because a check may pass soon. It came at 2026-11-23T14:59:59.000Z."
  ],
  [
    "of a wave that is not due",
    waiting({ status: "buffered", expires_from: "2026-11-23T15:15:00.000Z" }),
    "No order yet: it waits for its wave, which is due at 2026-11-23T15:15:00.000Z."
  ],
  [
    "that was too old when it came",
    waiting({ status: "rejected", reason: "too_old", expires_from: "2026-11-23T14:39:59.000Z" }),
    "No order was made: the signal was too old (too_old); it came 1200 s after 2026-11-23T14:39:59.000Z, from which its age counts."
  ],
  [
    "of a wave that is over",
    waiting({ status: "rejected", reason: "wave_over", decided_at: "2026-11-23T15:30:00.000Z" }),
    "No order was made: its wave was over before it came (wave_over)."
  ],
  [
    "that could not be decided",
    waiting({ status: "dead", reason: "Error: boom" }),
    "No order was made: it could not be decided: Error: boom. It is kept among the dead letters, and an operator may have it tried again."
  ],
  [
    "that is metadata",
    { signal: { ...signal, kind: "metadata" }, decision: null },
    "Metadata is never an order; no fill is linked to it yet."
  ],
  [
    "that is metadata of an order that has another's",
    { signal: { ...signal, kind: "metadata", reason: "order_has_metadata" }, decision: null },
    "Metadata is never an order; no fill is linked to it: its order carries the metadata of another snapshot."
  ],
  [
    "that is metadata with fills",
    {
      signal: { ...signal, kind: "metadata" },
      decision: null,
      links: [{ order_id: orderId }, { order_id: orderId }]
    },
    `Metadata is never an order; 2 fills are linked to it, of the order ${orderId}.`
  ]
]

describe("[G3] why a signal was or was not ordered", () => {
  it.each(cases)("the first line answers it: a signal %s", (_what, given, answer) => {
    assert.strictEqual(whyOf(story(given))[0], answer)
  })

  it.each(ORDER_STATUSES)("an order that is %s is told apart from every other", (status) => {
    const told = (one: (typeof ORDER_STATUSES)[number]): string =>
      whyOf(story({ orders: [{ ...order, status: one }] }))[0] ?? ""
    const same = ORDER_STATUSES.filter((other) => told(other) === told(status))
    // The look-up of an unknown outcome is the same answer to whoever asks for the order.
    assert.deepStrictEqual(
      same,
      ["unknown", "resolving"].includes(status) ? ["unknown", "resolving"] : [status]
    )
  })

  it("the whole of it: what was asked, the quote, every check, the order's steps, its fill and what closed it", () => {
    const lines = whyOf(
      story({
        enrichment: {
          symbol: "SPY",
          bid: "400",
          ask: "401",
          last: "400.5",
          quoted_at: "2026-11-23T14:59:59.500Z"
        },
        decision: {
          ...decision,
          checks: [check("trading_state", { numbers: { state: "ACTIVE", scope: "global" } }), lossCheck]
        },
        orders: [order],
        exits: [
          {
            ...order,
            id: exitId,
            signal_id: null,
            intent: "reduce",
            side: "sell",
            exit_kind: "stop_loss",
            status: "held",
            reason: "market_closed",
            ...unsent
          }
        ],
        events: [
          {
            order_id: orderId,
            event: "order.submitted",
            from_status: "intended",
            to_status: "submitting",
            legal: true,
            detail: { position: "0", quantity: "2", send: 1 },
            at: "2026-11-23T15:00:00.100Z"
          },
          {
            order_id: orderId,
            event: "fill.excess",
            from_status: "filled",
            to_status: "filled",
            legal: false,
            detail: { quantity: "1" },
            at: "2026-11-23T15:00:00.300Z"
          }
        ],
        fills: [
          {
            order_id: orderId,
            trade_id: "t1",
            quantity: "2",
            price: "400.75",
            fee: "0.1",
            realised_pnl: "-3",
            order_time: "2026-11-23T15:00:00.200Z"
          }
        ]
      })
    )
    assert.deepStrictEqual(lines.slice(2), [
      `Signal ${id}, done since 2026-11-23T15:00:00.000Z. It came from the source default at 2026-11-23T14:59:59.000Z, fired at 2026-11-23T14:59:58.000Z.`,
      "It asked for BUY LONG SPY, quantity 2, price 400.5, timeframe 5m.",
      "A repeated post with the id that its sender gave is this signal and makes no second order.",
      "",
      "Decision: ordered, at 2026-11-23T15:00:00.000Z by engine A, variant A, settings 0123456789abcdef.",
      "It was decided on the quote of SPY from 2026-11-23T14:59:59.500Z: bid 400, ask 401, last 400.5.",
      "2 checks, 1 failed.",
      "For default in paper-1:",
      "- trading state, passed: the trading state of global is ACTIVE.",
      "- daily loss, failed (daily_loss): account:paper-1: the loss of the day 2026-11-23 is 512.25; the limit is 500.",
      "",
      "Orders:",
      `- Order ${orderId}, buy 2 SPY at market in paper-1 for default, was filled, 2 of 2 at 400.75 on average.`,
      "  2026-11-23T15:00:00.000Z it was made (client order id c1, venue practice, venue order id v1).",
      "  2026-11-23T15:00:00.100Z it was sent (position 0, quantity 2, send 1) [intended to submitting].",
      "  2026-11-23T15:00:00.300Z does not fit an order that is filled and changed nothing: more filled than was ordered (quantity 1).",
      "  2026-11-23T15:00:00.200Z filled 2 at 400.75, fee 0.1, realised -3 (trade t1).",
      "",
      "What closes, or is to close, what it opened:",
      `- Close ${exitId}, sell 2 SPY at market in paper-1 for default, by the rule stop loss, is held and not sent: the market is closed (market_closed).`,
      "  2026-11-23T15:00:00.000Z it was made (client order id c1, venue practice)."
    ])
  })

  it("what its source made of the sender's names is reported", () => {
    const mapped = { action: "/side by table", timeframe: "a constant" }
    assert.include(
      whyOf(story({ signal: { ...signal, mapped } })),
      "Its source made of what was sent: action from /side by table, timeframe from a constant."
    )
  })

  it("every event of an order has words", () => {
    for (const event of ORDER_EVENTS) {
      const step = {
        order_id: orderId,
        event,
        from_status: "acked",
        to_status: "acked",
        legal: true,
        detail: {},
        at: "T"
      }
      assert.notInclude(whyOf(story({ orders: [order], events: [step] })).join("\n"), event)
    }
  })
})

const figures: ScopeFigures = {
  atMs: nowMs,
  day: "2026-11-23",
  dayLoss: "11.5",
  drawdown: "12.5",
  losses: 3,
  lastLossAtMs: nowMs - 17_000,
  crashedAtMs: null,
  sinceMs: nowMs - 86_400_000,
  tripped: null
}
const everyLimit: RiskInput = {
  column: "entry",
  step: "decide",
  nowMs,
  trading: { state: "REDUCING", scope: "strategy:default" },
  byOperator: false,
  account: {
    enabled: true,
    reconciledAtMs: nowMs - 1_000,
    calendar: "24x7",
    startingCash: "1000",
    realisedPnl: "7",
    balance: { atMs: nowMs, buyingPower: "901", book: {} },
    positions: [],
    orders: []
  },
  positionConfirmed: true,
  order: { symbol: "SPY", strategy: "default", side: "buy", quantity: "2", price: "101", given: "102" },
  quote: { last: "100" },
  scopes: [
    {
      scope: "account:paper-1",
      limits: {
        ordersPerMinuteMax: 9,
        priceCollarPct: "5",
        priceCollarReducePct: "10",
        cooldownAfterLossMs: 60_000,
        cooldownAfterCrashMs: null,
        dailyLossMax: "500",
        drawdownMax: "600",
        lossStreakMax: 4,
        onBreach: "HALTED"
      },
      rate: { sent: 5, waiting: 1 },
      figures
    }
  ],
  breakers: [],
  origin: {
    expiresFromMs: nowMs - 5_500,
    ageMaxMs: 300_000,
    alreadyOrdered: false,
    sidePolicy: "both",
    symbols: ["SPY", "QQQ"]
  },
  limits: {
    openPositionsMax: 21,
    openPositionsPerSymbolMax: 22,
    quantityMax: "23",
    notionalMax: "2400",
    exposureMax: "2500",
    buyingPowerMultiple: "2"
  },
  marketPrice: () => "100",
  multiplierOf: contractMultiplier
}

/** What of the numbers of a check its sentence does not show; lengths and instants in their own units. */
const unshown = ({ numbers = {} }: StoredCheck, sentence: string): ReadonlyArray<string> =>
  Object.entries(numbers).flatMap(([name, value]) => {
    if (value === null || typeof value === "boolean") return []
    const forms = [String(value)]
    if (typeof value === "number") forms.push(`${value / 1_000} s`, new Date(value).toISOString())
    return forms.some((form) => sentence.includes(form)) ? [] : [name]
  })

describe("[G3] a check as a sentence", () => {
  it("each check of the risk table has words of its own, and shows every number it compared", () => {
    const { verdicts } = evaluateRisk(everyLimit)
    assert.deepStrictEqual(
      verdicts.map(({ check }) => check),
      riskTable.map(({ check }) => check)
    )
    for (const verdict of verdicts) {
      const sentence = checkSentence(verdict)
      assert.notInclude(sentence, "it compared", verdict.check)
      assert.notInclude(sentence, "unknown", sentence)
      assert.deepStrictEqual(unshown(verdict, sentence), [], sentence)
    }
  })

  it("a contract of which the sender named everything was not chosen", () => {
    assert.strictEqual(
      checkSentence(
        check("engine", {
          numbers: { symbol: "SPY 2026-12-18 C 500", side: "buy", quantity: "1", intent: "open", chosen: "" }
        })
      ),
      "engine, passed: the engine wants to buy 1 SPY 2026-12-18 C 500, which opens a position."
    )
  })

  it("a kind of order says its prices, what they were before they were in ticks, and how long it works", () => {
    const stop = {
      type: "stop_limit",
      limit_price: "100.25",
      stop_price: "100.5",
      asked_limit: "100.37",
      asked_stop: "100.5",
      tick: "0.25",
      time_in_force: "day"
    }
    assert.strictEqual(
      checkSentence(check("order_type", { numbers: stop })),
      "order type, passed: the order is with a stop and a limit from there and works to the end of the session; its limit is 100.25, 100.37 in whole ticks; its stop is 100.5; the tick is 0.25."
    )
    const turns = check("order_type", { ok: false, code: "rests_across_zero", numbers: stop })
    assert.include(checkSentence(turns), "which only an order at market may")
    const limit: StoryOrder = { ...order, ...unsent, type: "limit", limit_price: "99.5", status: "acked" }
    const lines = whyOf(story({ orders: [{ ...limit, time_in_force: "gtc" }] })).join("\n")
    assert.include(
      lines,
      "buy 2 SPY at 99.5 in paper-1 for default, rests at the venue until it is cancelled"
    )
    const day = { ...limit, stop_price: "99", type: "stop_limit", expires_at: "2026-11-23T21:00:00.000Z" }
    assert.include(
      whyOf(story({ orders: [day] })).join("\n"),
      "at 99.5 when the market reaches 99 in paper-1 for default, rests at the venue until 2026-11-23T21:00:00.000Z"
    )
  })

  it("a limit that is switched off says so", () => {
    assert.strictEqual(
      checkSentence(check("exposure", { numbers: { before: "0", after: "200", limit: null } })),
      "exposure, passed: no limit is set (before 0, after 200)."
    )
  })

  it("a check of a later version is shown with its name and its numbers", () => {
    assert.strictEqual(
      checkSentence(
        check("moon_phase", { ok: false, code: "new_moon", numbers: { age_days: 3, limit: null } })
      ),
      "moon phase, failed (new_moon): it compared (age days 3)."
    )
  })

  it("every code that a check or the permit may give has words", () => {
    const folders = ["src/domain/orders", "src/domain/decision"]
    const codes = folders.flatMap((folder) =>
      readdirSync(folder).flatMap((file) => {
        const source = readFileSync(`${folder}/${file}`, "utf8")
        const found = source.matchAll(/\b(?:deny|defer|hold)\("(\w+)"\)|\b(?:code|reason): "(\w+_\w+)"/g)
        return [...found].map(([, first, second]) => first ?? second ?? "")
      })
    )
    assert.isAbove(codes.length, 30)
    assert.deepStrictEqual(
      [...new Set(codes)].filter((code) => reasonWithCode(code) === code),
      []
    )
  })
})
