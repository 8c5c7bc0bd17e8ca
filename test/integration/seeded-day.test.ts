/** A seeded day, short enough for every run (G1, T15); the whole one is seeded-day.long.test.ts. */
import { assert, describe, it } from "vitest"
import { type LedgerFill, ledgerOf, centsOf, openProfit, worthNow } from "../support/fills-ledger.ts"
import { dayAlerts, INSTRUMENTS } from "./seeded-day-alerts.ts"
import { describeDay } from "./seeded-day-checks.ts"

// A few seconds on two free cores; a machine that does much else at once takes twenty times as long.
describeDay(20_261_124, 60, 240_000)

describe("the alerts of a day", () => {
  it("follow from the seed, come in order, and name twenty instruments", () => {
    const alerts = dayAlerts(7, 500)
    assert.deepStrictEqual(dayAlerts(7, 500), alerts)
    assert.notDeepEqual(dayAlerts(8, 500), alerts)
    assert.strictEqual(INSTRUMENTS.length, 20)
    const named = new Set(
      alerts.map(({ body }) =>
        ["symbol", "direction", "strike"]
          .map((key) => (body["strike"] === undefined && key !== "symbol" ? "" : body[key]))
          .join(" ")
      )
    )
    assert.strictEqual(named.size, 20)
    assert.isTrue(alerts.every(({ atMs }, n) => n === 0 || atMs >= (alerts[n - 1]?.atMs ?? 0)))
  })
})

/** The judge is judged by sums that anybody can do by hand. */
describe("the ledger of fills", () => {
  const fill = (side: string, quantity: string, price: string, symbol = "SPY", fee = "0"): LedgerFill => ({
    account: "a",
    symbol,
    side,
    quantity,
    price,
    fee
  })
  const book = (...fills: ReadonlyArray<LedgerFill>) => ledgerOf(fills).get("a") ?? assert.fail("it traded")
  const at = (price: string) => () => price

  it("averages what is added, and makes the difference of what is closed", () => {
    const held = book(fill("buy", "1", "10"), fill("buy", "3", "14"), fill("sell", "2", "15"))
    assert.deepStrictEqual([centsOf(held.realised), centsOf(openProfit(held, at("12")))], ["4.00", "-2.00"])
    assert.strictEqual(centsOf(worthNow(held, at("12"))), "2.00")
  })
  it("turns through zero: the old side is closed, the rest is opened at the price of the trade", () => {
    const held = book(fill("sell", "2", "10"), fill("buy", "5", "9"))
    assert.deepStrictEqual([centsOf(held.realised), centsOf(openProfit(held, at("9.5")))], ["2.00", "1.50"])
  })
  it("counts contracts by what they stand for, and fees for themselves", () => {
    const option = "SPY 2026-12-18 C 450"
    const held = book(
      fill("buy", "2", "3", option, "1.3"),
      fill("sell", "2", "4.5", option, "1.3"),
      fill("buy", "1", "100", "ESZ6", "2.25")
    )
    assert.deepStrictEqual(
      [centsOf(held.realised), centsOf(held.fees), centsOf(openProfit(held, at("101")))],
      ["300.00", "4.85", "50.00"]
    )
    assert.strictEqual(centsOf(worthNow(held, at("101"))), "345.15")
  })
})
