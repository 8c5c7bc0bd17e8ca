/** What an open circuit breaker does to an order (T6, row breaker). */
import { assert, describe, it } from "@effect/vitest"
import { contractMultiplier } from "../../../src/domain/kernel/option-contract.ts"
import { evaluateRisk } from "../../../src/domain/orders/risk.ts"
import { breakersFor, type StoppedBreaker } from "../../../src/domain/orders/breaker.ts"
import type { RiskInput } from "../../../src/domain/orders/risk-input.ts"

const nowMs = Date.parse("2026-11-23T15:00:00Z")
const base: RiskInput = {
  column: "entry",
  step: "decide",
  nowMs,
  trading: { state: "ACTIVE", scope: "global" },
  byOperator: false,
  account: {
    enabled: true,
    reconciledAtMs: nowMs,
    calendar: "24x7",
    startingCash: "1000",
    realisedPnl: "0",
    balance: null,
    positions: [
      {
        symbol: "SPY",
        quantity: "2",
        averagePrice: "100",
        confirmed: "2",
        disputed: false,
        shares: [{ strategy: "default", quantity: "2" }]
      }
    ],
    orders: []
  },
  positionConfirmed: true,
  order: { symbol: "SPY", strategy: "default", side: "buy", quantity: "1", price: "100", given: null },
  quote: { last: "100" },
  scopes: [],
  breakers: [],
  origin: { expiresFromMs: nowMs, ageMaxMs: 1, alreadyOrdered: false, sidePolicy: "both", symbols: null },
  limits: {
    openPositionsMax: null,
    openPositionsPerSymbolMax: null,
    quantityMax: null,
    notionalMax: null,
    exposureMax: null,
    buyingPowerMultiple: null
  },
  marketPrice: () => "100",
  multiplierOf: contractMultiplier
}
const stopped = (given: Partial<StoppedBreaker> = {}): StoppedBreaker => ({
  id: "broker:practice",
  state: "OPEN",
  by: "rule:breaker_failures",
  reason: "5 of 5 orders failed",
  untilMs: nowMs + 30_000,
  numbers: { failures: 5, calls: 5, limit: 5 },
  ...given
})
const judge = (given: Partial<RiskInput>): string => {
  const { outcome } = evaluateRisk({ ...base, breakers: [stopped()], ...given })
  return outcome._tag === "Passed" ? "Passed" : `${outcome._tag} ${outcome.code}`
}
const half = [stopped({ state: "HALF_OPEN", untilMs: null })]
const sell = (quantity: string) => ({ order: { ...base.order, side: "sell", quantity } }) as const

describe("a breaker", () => {
  it.each([
    ["closed lets an entry pass", { breakers: [] }, "Passed"],
    ["OPEN denies an entry", {}, "Denied breaker_open"],
    ["HALF_OPEN lets it wait for the probes", { breakers: half }, "Deferred breaker_half_open"],
    ["OPEN lets wait what was decided before", { step: "send" }, "Deferred breaker_open"],
    ["HALF_OPEN as well", { step: "send", breakers: half }, "Deferred breaker_half_open"],
    ["lets a reduce pass", { column: "reduce", origin: null }, "Passed"],
    ["lets a reduce pass at the send", { column: "reduce", step: "send", origin: null }, "Passed"],
    ["lets a cancel pass", { column: "cancel", origin: null }, "Passed"],
    ["lets an entry pass that only closes", sell("2"), "Passed"],
    ["denies one that turns the position", sell("3"), "Denied breaker_open"]
  ] as const)("%s", (_, given, expected) => {
    assert.strictEqual(judge(given), expected)
  })
  it("denies with who opened it, until when, and the numbers", () => {
    const { verdicts } = evaluateRisk({ ...base, breakers: [stopped()] })
    assert.deepStrictEqual(
      verdicts.find(({ check }) => check === "breaker"),
      {
        check: "breaker",
        ok: false,
        code: "breaker_open",
        numbers: {
          breaker: "broker:practice",
          kind: "broker",
          state: "OPEN",
          by: "rule:breaker_failures",
          reason: "5 of 5 orders failed",
          until_ms: nowMs + 30_000,
          failures: 5,
          calls: 5,
          limit: 5
        }
      }
    )
  })
})

describe("the breakers of an order", () => {
  const all = new Map(
    [
      stopped({ state: "HALF_OPEN" }),
      stopped({ id: "strategy:default" }),
      stopped({ id: "strategy:other" }),
      stopped({ id: "broker:other" })
    ].map((one) => [one.id, one])
  )
  it("are those of its broker and its strategy, an OPEN one first", () => {
    const ids = (broker: string | null, strategy: string) =>
      breakersFor(all, broker, strategy).map(({ id }) => id)
    assert.deepStrictEqual(ids("practice", "default"), ["strategy:default", "broker:practice"])
    assert.deepStrictEqual(ids("practice", "calm"), ["broker:practice"])
    assert.deepStrictEqual(ids(null, "default"), ["strategy:default"])
    assert.deepStrictEqual(ids("calm", "calm"), [])
  })
})
