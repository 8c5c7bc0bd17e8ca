import { assert, describe, it } from "@effect/vitest"
import { decide } from "../../../src/domain/decision/decision.ts"
import { permitToSend } from "../../../src/domain/orders/permit.ts"
import type { PlanAccount } from "../../../src/domain/orders/plan-context.ts"
import type { StrategyStage } from "../../../src/domain/orders/stage.ts"
import { account, contextOf, decided, nowMs, settings as plain, signal, with2 } from "./decision-world.ts"

const settings = with2({}, {})
const only = { strategy: "s1" }
const quoteOf = (symbol: string) => ({ symbol, bid: "99", ask: "101", last: "100", atMs: nowMs })
const demoted: StrategyStage = { by: "rule:loss", reason: "it lost", book: {} }
const holds = (quantity: string): StrategyStage => ({
  ...demoted,
  book: { "paper-1": [{ symbol: "SPY", quantity, averagePrice: "90" }] }
})
const long: Partial<PlanAccount> = {
  positions: [
    {
      symbol: "SPY",
      quantity: "3",
      averagePrice: "100",
      confirmed: "3",
      disputed: false,
      shares: [{ strategy: "s1", quantity: "3" }]
    }
  ]
}
const told = (
  stage: StrategyStage | null,
  given: Partial<typeof signal> = {},
  held: Partial<PlanAccount> = {},
  more: Partial<Parameters<typeof decided>[0]> = {}
) => {
  const context = contextOf(
    { stages: stage === null ? new Map() : new Map([["s1", stage]]) },
    account("paper-1", held)
  )
  const {
    context: after,
    decision,
    facts
  } = decided({
    settings,
    quoteOf,
    context,
    signal: { ...signal, ...only, ...given },
    ...more
  })
  const again = decide(JSON.parse(JSON.stringify(facts)) as typeof facts, more?.settings ?? settings)
  assert.deepStrictEqual(again.missing, [])
  assert.strictEqual(
    JSON.stringify(again.decided._tag === "Decided" ? again.decided.decision : again.decided),
    JSON.stringify(decision)
  )
  return {
    after,
    outcome: `${decision.outcome} ${decision.reason ?? "-"}`,
    orders: decision.orders.map(
      ({ intent, quantity, reason, side, status }) =>
        `${intent} ${side} ${quantity} ${status} ${reason ?? "-"}`
    ),
    papers: decision.papers.map(
      ({ after: { quantity: left }, price, profit, quantity, side }) =>
        `${side} ${quantity} at ${price}, made ${profit ?? "-"}, left ${left}`
    ),
    placed: decision.placed.map(
      ({ isTriggered, limitPrice, quantity, side, stopPrice, untilMs }) =>
        `${side} ${quantity} limit ${limitPrice ?? "-"} stop ${stopPrice ?? "-"}${isTriggered ? " triggered" : ""} ${untilMs === null ? "gtc" : "day"}`
    ),
    withdrawn: decision.withdrawn,
    checks: decision.checks.flatMap(({ check, code, numbers }) =>
      check === "stage" || check === "paper" ? [{ check, code, numbers }] : []
    )
  }
}

describe("a strategy that runs as a shadow (G5)", () => {
  it("opens nothing, and fills on paper what it would have opened", () => {
    const { checks, orders, outcome, papers } = told(demoted)
    assert.strictEqual(outcome, "denied strategy_shadow")
    assert.deepStrictEqual(orders, ["entry buy 1 denied strategy_shadow"])
    assert.deepStrictEqual(papers, ["buy 1 at 101, made -, left 1"])
    assert.deepStrictEqual(checks, [
      { check: "stage", code: "strategy_shadow", numbers: { by: "rule:loss", reason: "it lost" } },
      {
        check: "paper",
        code: null,
        numbers: {
          would: "order",
          code: null,
          symbol: "SPY",
          side: "buy",
          quantity: "1",
          price: "101",
          profit: null
        }
      }
    ])
  })

  it("is one by its settings alone, whoever promoted it", () => {
    const shadow = with2({ stage: "shadow" })
    const { checks, outcome } = told(null, {}, {}, { settings: shadow })
    assert.strictEqual(outcome, "denied strategy_shadow")
    assert.deepStrictEqual(checks[0]?.numbers, { by: "settings", reason: null })
  })

  it("closes what it really holds, and what it holds on paper by itself", () => {
    const close = { direction: null, intent: "close" } as const
    const { orders, outcome, papers } = told(holds("2"), close, long)
    assert.strictEqual(outcome, "ordered -")
    assert.deepStrictEqual(orders, ["reduce sell 3 intended -"])
    assert.deepStrictEqual(papers, ["sell 2 at 99, made 18, left 0"])
    const flat = told(holds("-2"), close)
    assert.strictEqual(flat.outcome, "ignored nothing_to_close")
    assert.deepStrictEqual(flat.papers, ["buy 2 at 101, made -22, left 0"])
  })

  it("only closes where its alert reverses", () => {
    const { orders, papers } = told(demoted, { direction: "SHORT", quantity: "5" }, long)
    assert.deepStrictEqual(orders, ["reduce sell 3 intended -"])
    assert.deepStrictEqual(papers, ["sell 5 at 99, made -, left -5"])
  })

  it("leaves on paper what the next signal of the batch finds", () => {
    const first = told(demoted)
    const { decision } = decided({
      settings,
      quoteOf,
      context: first.after,
      signal: { ...signal, ...only, id: "21111111-1111-8111-8111-111111111111" }
    })
    assert.deepStrictEqual(decision.papers[0]?.after, { symbol: "SPY", quantity: "2", averagePrice: "101" })
    assert.deepStrictEqual(first.after.accounts.get("paper-1")?.orders, [])
  })

  it("is denied on paper by the limits that would deny it, and waits for a price of its own", () => {
    const limited = { ...settings, limits: { ...plain.limits, quantityMax: "2" } }
    const denied = told(demoted, { quantity: "3" }, {}, { settings: limited })
    assert.deepStrictEqual(denied.papers, [])
    assert.deepInclude(denied.checks[1]?.numbers, { would: "deny", code: "quantity" })
    const resting = told(demoted, { orderType: "limit", limitPrice: "95" })
    assert.deepStrictEqual(resting.papers, [])
    assert.deepInclude(resting.checks[1]?.numbers, { would: "order", price: null, limit_price: "95" })
    assert.deepStrictEqual(resting.placed, ["buy 1 limit 95 stop - gtc"])
    assert.deepStrictEqual(
      told(demoted, { orderType: "stop_limit", stopPrice: "100", limitPrice: "98", timeInForce: "day" })
        .placed,
      ["buy 1 limit 98 stop 100 triggered day"]
    )
    const now = told(demoted, { orderType: "limit", limitPrice: "95", timeInForce: "ioc" })
    assert.deepStrictEqual([now.papers, now.placed], [[], []])
    assert.deepStrictEqual(told(demoted, { orderType: "limit", limitPrice: "105" }).papers, [
      "buy 1 at 101, made -, left 1"
    ])
  })

  it("takes back what rests before it closes or turns around, and what rests counts for its limits", () => {
    const rests = (id: string, side: "buy" | "sell", intent: "entry" | "reduce") => ({
      id,
      symbol: "SPY",
      side,
      intent,
      quantity: "2",
      limitPrice: side === "buy" ? "90" : "120",
      stopPrice: null,
      isTriggered: false,
      untilMs: null
    })
    const both: StrategyStage = {
      ...holds("3"),
      resting: { "paper-1": [rests("in", "buy", "entry"), rests("out", "sell", "reduce")] }
    }
    const closed = told(both, { direction: null, intent: "close" })
    assert.deepStrictEqual(closed.papers, ["sell 3 at 99, made 27, left 0"])
    assert.deepStrictEqual(closed.withdrawn, ["in", "out"])
    assert.deepStrictEqual(closed.after.stages.get("s1")?.resting, { "paper-1": [] })
    const added = told(both)
    assert.deepStrictEqual(added.withdrawn, [])
    assert.deepStrictEqual(added.after.stages.get("s1")?.resting, both.resting)
    const limited = { ...settings, limits: { ...plain.limits, exposureMax: "550" } }
    assert.deepInclude(told(both, {}, {}, { settings: limited }).checks[1]?.numbers, { would: "deny" })
    assert.deepInclude(told(holds("3"), {}, {}, { settings: limited }).checks[1]?.numbers, { would: "order" })
  })

  it("pays what the broker of its account takes", () => {
    const priced: typeof settings = {
      ...settings,
      brokers: { practice: { fees: { equity: { perUnit: "0.5", pct: "0", minimum: "2" } } } }
    }
    const opened = told(demoted, { quantity: "2" }, {}, { settings: priced })
    assert.deepInclude(opened.checks[1]?.numbers, { price: "101", fee: "2" })
    assert.deepStrictEqual(opened.after.stages.get("s1")?.book["paper-1"], [
      { symbol: "SPY", quantity: "2", averagePrice: "101", fees: "2" }
    ])
    const { decision } = decided({
      settings: priced,
      quoteOf,
      context: opened.after,
      signal: {
        ...signal,
        ...only,
        id: "21111111-1111-8111-8111-111111111111",
        direction: null,
        intent: "close"
      }
    })
    // Two at a loss of two each, and both fees.
    assert.deepInclude(decision.papers[0], { price: "99", fee: "2", profit: "-8" })
  })

  it("does nothing on paper where a flag switches that off, and is a shadow all the same", () => {
    const off = { features: {}, accounts: { "paper-1": { paper: false } }, strategies: {} }
    const { checks, outcome, papers } = told(demoted, {}, {}, { settings: { ...settings, flags: off } })
    assert.strictEqual(outcome, "denied strategy_shadow")
    assert.deepStrictEqual(papers, [])
    assert.deepStrictEqual(
      checks.map(({ check }) => check),
      ["stage"]
    )
  })

  it("is no concern of another strategy", () => {
    const { decision, facts } = decided({
      settings,
      quoteOf,
      context: contextOf({ stages: new Map([["s1", holds("2")]]) }),
      signal: { ...signal, strategy: "s2" }
    })
    assert.strictEqual(decision.outcome, "ordered")
    assert.isUndefined(facts.stages)
  })

  it("sends nothing that was decided to open while it traded, and every close", () => {
    const judge = (intent: "entry" | "reduce", side: "buy" | "sell") =>
      permitToSend({
        order: {
          account: "paper-1",
          strategy: "s1",
          symbol: "SPY",
          signalId: "1",
          exitKind: null,
          source: "webhook",
          intent,
          sizing: intent === "entry" ? "open" : "share",
          wanted: intent === "entry" ? "2" : null,
          side,
          type: "market",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "gtc",
          quantity: "2",
          sends: 0
        },
        context: {
          nowMs,
          trading: new Map(),
          account: account("paper-1", long),
          stale: false,
          superseded: false,
          openingOver: false,
          givenPrice: null,
          rates: [],
          breakers: new Map(),
          stages: new Map([["s1", demoted]])
        },
        settings,
        quoteOf,
        figuresOf: () => null
      })
    assert.deepInclude(judge("entry", "buy"), { _tag: "Deny", code: "strategy_shadow" })
    assert.deepInclude(judge("reduce", "sell"), { _tag: "Send", quantity: "3" })
  })
})
