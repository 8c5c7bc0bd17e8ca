/** Timestamps and timeframes: one instant, one length, or a refusal that names what was expected. */
import { inspect } from "node:util"

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { fieldLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { readTimeframe, readTimestamp } from "../../../src/domain/kernel/moment.ts"

const msOf = (value: unknown): number | null => {
  const read = readTimestamp(value)
  return "ms" in read ? read.ms : null
}
const lengthOf = (value: unknown): number | null => {
  const read = readTimeframe(value)
  return "ms" in read ? read.ms : null
}
const at = Date.UTC(2025, 9, 21, 22, 45)

describe("a timestamp", () => {
  for (const value of [
    "2025-10-21T22:45:00Z",
    "2025-10-21t22:45:00z",
    "2025-10-21 22:45:00Z",
    "2025-10-21T22:45Z",
    "2025-10-21T22:45:00.000Z",
    "2025-10-21T22:45:00,000000000Z",
    "2025-10-22T02:45:00+04:00",
    "2025-10-22T02:45:00+0400",
    "2025-10-21T17:15:00-05:30",
    " 2025-10-21T22:45:00Z ",
    "2025-10-21T22:45:00+00:00",
    "2025-10-21T22:45:00+0000",
    "2025-10-21T22:45:00+00",
    "2025-10-21 22:45:00+00",
    "2025-10-21 22:45:00 +0000",
    "2025-10-21T22:45:00-00",
    "2025-10-22T03:45:00.0+05",
    "2025-10-21T12:45:00-10",
    at,
    at / 1_000,
    String(at),
    String(at / 1_000)
  ]) {
    it(`[${value}] is one instant`, () => {
      assert.strictEqual(msOf(value), at)
    })
  }

  it("keeps milliseconds and drops what is finer", () => {
    assert.strictEqual(msOf("2025-10-21T22:45:00.1239Z"), at + 123)
    assert.strictEqual(msOf(at / 1_000 + 0.5), at + 500)
    assert.strictEqual(msOf("2025-10-21T22:45:00.29Z"), at + 290)
    assert.strictEqual(msOf(`${at / 1_000}.25`), at + 250)
  })

  for (const [name, value] of [
    ["without a zone", "2025-10-21T22:45:00"],
    ["a day alone", "2025-10-21"],
    ["a day that does not exist", "2025-02-29T00:00:00Z"],
    ["a thirteenth month", "2025-13-01T00:00:00Z"],
    ["hour 24", "2025-10-21T24:00:00Z"],
    ["a leap second", "2025-10-21T23:59:60Z"],
    ["a zone that does not exist", "2025-10-21T22:45:00+15:00"],
    ["a zone of 15 hours", "2025-10-21T22:45:00+15"],
    ["a zone of one digit", "2025-10-21T22:45:00+5"],
    ["a zone with half its minutes", "2025-10-21T22:45:00+053"],
    ["ten digits of a second", "2025-10-21T22:45:00.0123456789Z"],
    ["a zone with 60 minutes", "2025-10-21T22:45:00+01:60"],
    ["the year 1999", "1999-12-31T23:59:59Z"],
    ["the year 2100", "2100-01-01T00:00:00Z"],
    ["the year 20255", "20255-10-21T22:45:00Z"],
    ["the year 0025", "0025-10-21T22:45:00Z"],
    ["epoch microseconds", at * 1_000],
    ["epoch seconds of 1990", 631_152_000],
    ["zero", 0],
    ["a negative number", -at],
    ["NaN", Number.NaN],
    ["an exponent", "1.76e12"],
    ["words", "now"],
    ["an unfilled placeholder", "{{time}}"],
    ["empty text", ""],
    ["null", null],
    ["a boolean", true],
    ["an object", {}],
    ["a day in another order", "21/10/2025 22:45:00Z"],
    ["long text", "2025-10-21T22:45:00Z".repeat(10)]
  ] as const) {
    it(`[${name}] is refused`, () => {
      assert.isNull(msOf(value))
    })
  }

  it("on the 29th of February is accepted in leap years", () => {
    assert.strictEqual(msOf("2028-02-29T00:00:00Z"), Date.UTC(2028, 1, 29))
    assert.strictEqual(msOf("2000-02-29T00:00:00Z"), Date.UTC(2000, 1, 29))
  })

  it.prop(
    "in every notation of one instant is that instant",
    [
      Schema.Int.check(
        Schema.isBetween({ minimum: Date.UTC(2000, 0, 1, 14), maximum: Date.UTC(2099, 11, 31) })
      ),
      Schema.Int.check(Schema.isBetween({ minimum: -56, maximum: 56 }))
    ],
    ([ms, quarters]) => {
      const minutes = Math.abs(quarters) * 15
      const zone = `${quarters < 0 ? "-" : "+"}${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`
      const local = new Date(ms + quarters * 15 * 60_000).toISOString().slice(0, -1)
      assert.strictEqual(msOf(`${local}${zone}`), ms)
      assert.strictEqual(msOf(new Date(ms).toISOString()), ms)
      assert.strictEqual(msOf(ms), ms)
      assert.strictEqual(msOf(String(ms)), ms)
    },
    { arbitrary: { runs: 500, seed: 41 } }
  )
})

describe("a timeframe", () => {
  const minute = 60_000
  for (const [value, ms] of [
    ["5m", 5 * minute],
    ["5", 5 * minute],
    [5, 5 * minute],
    ["15min", 15 * minute],
    ["1h", 60 * minute],
    ["4H", 240 * minute],
    ["240", 240 * minute],
    ["30S", 30_000],
    ["1s", 1_000],
    ["S", 1_000],
    ["D", 1_440 * minute],
    ["1D", 1_440 * minute],
    ["1d", 1_440 * minute],
    ["W", 7 * 1_440 * minute],
    ["M", 31 * 1_440 * minute],
    ["3M", 93 * 1_440 * minute],
    ["1M", 31 * 1_440 * minute],
    ["12M", 372 * 1_440 * minute],
    ["1W", 7 * 1_440 * minute],
    ["1440", 1_440 * minute],
    ["1", minute],
    ["1S", 1_000],
    ["1T", 0],
    ["100T", 0],
    ["1000T", 0],
    ["10R", 0],
    ["T", 0],
    [" 5m ", 5 * minute]
  ] as const) {
    it(`[${value}] is ${ms} ms`, () => {
      assert.strictEqual(lengthOf(value), ms)
    })
  }

  for (const value of [
    "",
    "0",
    "0m",
    "-5m",
    "1.5h",
    "5 m",
    "m5",
    "5x",
    "0T",
    "0R",
    "100t",
    "{{interval}}",
    "99999D",
    null,
    {},
    [],
    true,
    1.5,
    -5,
    Number.NaN,
    "constructor"
  ]) {
    it(`[${inspect(value)}] is refused`, () => {
      assert.isNull(lengthOf(value))
    })
  }

  it("is never longer than the limit", () => {
    assert.strictEqual(lengthOf("372D"), fieldLimits.timeframeMsMax)
    assert.isNull(lengthOf("373D"))
    assert.isNull(lengthOf("13M"))
  })

  it("keeps its text as it was given", () => {
    assert.deepStrictEqual(readTimeframe(" 1D "), { text: "1D", ms: 86_400_000 })
    assert.deepStrictEqual(readTimeframe(5), { text: "5", ms: 300_000 })
  })
})
