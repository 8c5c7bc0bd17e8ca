import { assert, describe, it } from "@effect/vitest"
import { planSignal } from "../../../src/domain/decision/decision.ts"
import { makeDecisionReplay, type StoredDecision } from "../../../src/domain/decision/decision-replay.ts"
import type { PlanInput } from "../../../src/domain/decision/plan-input.ts"
import type { PlanSettings } from "../../../src/domain/orders/plan-context.ts"
import { plainTerms, type SignalTerms } from "../../../src/domain/signals/order-type.ts"
import { drawInput, numbersFrom, worldMs } from "../../support/facts-world.ts"

const drawn = drawInput(numbersFrom(3))
const strategy = {
  ...drawn.settings.strategies["first"]!,
  accounts: ["paper-1"],
  sidePolicy: "both" as const
}
const settings: PlanSettings = {
  ...drawn.settings,
  mode: "PAPER",
  strategies: { first: { ...strategy, symbols: null } },
  limits: {
    openPositionsMax: null,
    openPositionsPerSymbolMax: null,
    quantityMax: null,
    notionalMax: null,
    exposureMax: null,
    buyingPowerMultiple: null
  },
  scopes: {}
}

interface Given {
  readonly quantity: string
  readonly side?: "BUY" | "SELL"
  readonly symbol?: string
  readonly last?: number
  readonly settings?: PlanSettings
  readonly terms?: Partial<SignalTerms>
}

let signals = 0
/** A signal as it was decided and stored, at a price of its own. */
const decidedOf = (given: Given): StoredDecision => {
  const { last = 100, quantity, side = "BUY", symbol = "AAPL" } = given
  const id = `11111111-1111-8111-8111-${String((signals += 1)).padStart(12, "0")}`
  const input: PlanInput = {
    ...drawn,
    signal: {
      ...drawn.signal,
      id,
      symbol,
      action: side,
      direction: null,
      intent: null,
      quantity,
      strategy: null,
      prevMarketPosition: null,
      ...plainTerms,
      ...given.terms,
      expiresFromMs: worldMs - 1_000
    },
    settings: given.settings ?? settings,
    context: {
      ...drawn.context,
      trading: new Map(),
      breakers: new Map(),
      stages: new Map(),
      accounts: new Map([
        [
          "paper-1",
          {
            id: "paper-1",
            venue: "practice",
            enabled: true,
            reconciledAtMs: worldMs,
            calendar: "24x7",
            startingCash: "100000",
            realisedPnl: "0",
            balance: null,
            positions: [],
            orders: []
          }
        ]
      ])
    },
    quoteOf: (name) => ({
      symbol: name,
      bid: String(last - 1),
      ask: String(last + 1),
      last: String(last),
      atMs: worldMs
    }),
    votes: null,
    mayDefer: false
  }
  const plan = planSignal(input)
  if (plan._tag !== "Decided") return assert.fail("it may not be put off")
  const { checks, engine, experimentId, orders, outcome, reason, variant } = plan.decision
  return {
    signalId: id,
    decidedAtMs: worldMs,
    engine,
    experimentId,
    variant,
    outcome,
    reason,
    checks,
    orders,
    facts: plan.facts
  }
}

const replayed = (decisions: ReadonlyArray<StoredDecision>, under: PlanSettings = settings) => {
  const replay = makeDecisionReplay(under, 10)
  for (const decision of decisions) replay.add(decision)
  return replay.result()
}

/** The only difference of a replay. */
const onlyOf = (decision: StoredDecision, under?: PlanSettings) => {
  const { differences } = replayed([decision], under)
  const [first] = differences
  return first !== undefined && differences.length === 1 ? first : assert.fail("one differs")
}

const other = (limits: Partial<PlanSettings["limits"]>): PlanSettings => ({
  ...settings,
  version: "other",
  limits: { ...settings.limits, ...limits }
})

describe("decisions made again", () => {
  it("are the same under the same settings", () => {
    const result = replayed([decidedOf({ quantity: "2" }), decidedOf({ quantity: "7", side: "SELL" })])
    assert.deepInclude(result, { decided: 2, differing: 0, ordersChanged: 0, pnlChange: "0" })
  })

  it("differ by exactly what a changed limit denies, per signal and in sum", () => {
    const small = decidedOf({ quantity: "2" })
    const large = decidedOf({ quantity: "7" })
    // The last price of the time: what was bought at 101 is worth 90.
    const later = decidedOf({ quantity: "1", last: 90 })
    const result = replayed([small, large, later], other({ quantityMax: "5" }))
    assert.deepInclude(result, { decided: 3, differing: 1, ordersChanged: 1, ordersUnpriced: 0 })
    const difference = result.differences[0] ?? assert.fail("one differs")
    assert.strictEqual(difference.signalId, large.signalId)
    assert.strictEqual(difference.kind, "decision")
    assert.deepInclude(difference.was, { outcome: "ordered", reason: null })
    assert.deepInclude(difference.now, { outcome: "denied", reason: "quantity" })
    assert.deepStrictEqual(
      [...difference.was.orders, ...difference.now.orders].map(({ denied, quantity }) => [quantity, denied]),
      [
        ["7", []],
        ["7", ["quantity"]]
      ]
    )
    // Seven that lost eleven each would not have been bought.
    assert.strictEqual(difference.pnlChange, "77")
    assert.strictEqual(result.pnlChange, "77")
  })

  it("value an order with a price at that price, and differ by how long it works", () => {
    const limit = { terms: { orderType: "limit", limitPrice: "95" } } as const
    const small = decidedOf({ quantity: "2", ...limit })
    const large = decidedOf({ quantity: "7", ...limit })
    const later = decidedOf({ quantity: "1", last: 90 })
    const result = replayed([small, large, later], other({ quantityMax: "5" }))
    // Seven that were bought at 95 and are worth 90.
    assert.deepInclude(result, { differing: 1, ordersChanged: 1, pnlChange: "35" })
    const today = {
      ...settings,
      version: "other",
      strategies: { first: { ...strategy, symbols: null, timeInForce: "day" as const } }
    }
    const { now, was } = onlyOf(small, today)
    assert.deepStrictEqual([was.orders[0]?.terms, now.orders[0]?.terms], ["limit 95 gtc", "limit 95 day"])
    assert.deepInclude(replayed([later], today), { differing: 0 }, "orders at market have none of it")
  })

  it("count what a limit would have let through, valued the same way", () => {
    const denied = decidedOf({ quantity: "7", settings: other({ quantityMax: "5" }) })
    const later = decidedOf({ quantity: "1", last: 90 })
    const result = replayed([denied, later])
    assert.deepInclude(result, { differing: 1, ordersChanged: 1, pnlChange: "-77" })
  })

  it("are not different because a limit that denies nothing is another number", () => {
    const result = replayed([decidedOf({ quantity: "2" })], other({ quantityMax: "50", notionalMax: "9000" }))
    assert.deepInclude(result, { differing: 0 })
  })

  it("are different by one number of one check under the settings that they name", () => {
    const stored = decidedOf({ quantity: "2" })
    const checks = stored.checks.map((check) =>
      check.check === "notional" ? { ...check, numbers: { ...check.numbers, notional: "1" } } : check
    )
    assert.strictEqual(onlyOf({ ...stored, checks }).kind, "numbers")
    const [first] = stored.orders
    const bigger = { ...first!, wanted: "3" }
    assert.strictEqual(onlyOf({ ...stored, orders: [bigger] }).kind, "numbers")
  })

  it("are undecidable where other settings read what the facts do not have", () => {
    const moved = {
      ...settings,
      version: "other",
      strategies: { first: { ...strategy, accounts: ["paper-2"] } }
    }
    const { now } = onlyOf(decidedOf({ quantity: "2" }), moved)
    assert.deepInclude(now, { outcome: "undecidable", reason: "facts_missing" })
    assert.include([...now.missing], "account:paper-2")
  })

  it("are counted apart when they are from before facts were kept", () => {
    const result = replayed([{ ...decidedOf({ quantity: "2" }), facts: null }])
    assert.deepInclude(result, { decided: 0, withoutFacts: 1, differing: 0 })
  })

  it("are all counted where only the first are kept", () => {
    const many = Array.from({ length: 12 }, () => decidedOf({ quantity: "7" }))
    const result = replayed(many, other({ quantityMax: "5" }))
    assert.strictEqual(result.differences.length, 10)
    assert.deepInclude(result, { differing: 12, ordersChanged: 12 })
  })
})
