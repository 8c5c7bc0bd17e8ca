/** Money and quantity: plain text outside, exact inside. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, BigDecimal, Option, Schema } from "effect"

import {
  decimal,
  decimalFromNumber,
  divideRounded,
  formatDecimal,
  parseDecimal,
  zero
} from "../../../src/domain/kernel/decimal.ts"
import { decimalLimits } from "../../../src/domain/kernel/limits-signals.ts"

const parsed = (text: string): string | null =>
  Option.getOrNull(Option.map(parseDecimal(text), formatDecimal))
const fromNumber = (value: number): string | null =>
  Option.getOrNull(Option.map(decimalFromNumber(value), formatDecimal))

describe("a decimal from outside", () => {
  for (const [text, written] of [
    ["1", "1"],
    ["0.25", "0.25"],
    ["-0.50", "-0.5"],
    ["007", "7"],
    ["-0", "0"],
    ["100000000000000000000", null],
    ["99999999999999999999", "99999999999999999999"],
    ["0.000000000000000001", "0.000000000000000001"],
    ["0.0000000000000000001", null],
    ["1.1000000000000000000000", "1.1"],
    ["2.3e-7", "0.00000023"],
    ["1.5E+3", "1500"],
    ["-1e3", "-1000"],
    ["1e19", "10000000000000000000"],
    ["1e20", null],
    ["1e-18", "0.000000000000000001"],
    ["1e-19", null],
    ["0e9999", "0"],
    ["1e99999", null],
    [".5", "0.5"],
    ["5.", "5"],
    ["-.5e1", "-5"],
    ["+1", "1"],
    ["12345678901234567.89", "12345678901234567.89"]
  ] as const) {
    it(`[${text}] reads as ${written ?? "nothing"}`, () => {
      assert.strictEqual(parsed(text), written)
    })
  }

  for (const text of [
    "",
    " ",
    ".",
    "e3",
    "1e",
    "1e+",
    "1e1.5",
    "+-1",
    "1 e3",
    "1,000",
    "1.000,5",
    "1_000",
    "0x10",
    "NaN",
    "Infinity",
    "1 ",
    "٣",
    "--1",
    "1".repeat(49)
  ]) {
    it(`[${text === "" ? "empty" : text}] is not a decimal`, () => {
      assert.isTrue(Option.isNone(parseDecimal(text)))
    })
  }

  for (const [value, written] of [
    [0.1, "0.1"],
    [1e-7, "0.0000001"],
    [1e19, "10000000000000000000"],
    [-0, "0"],
    [1e20, null],
    [1e-19, null],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null]
  ] as const) {
    it(`[the number ${Object.is(value, -0) ? "-0" : value}] reads as ${written ?? "nothing"}`, () => {
      assert.strictEqual(fromNumber(value), written)
    })
  }
})

describe("a decimal of our own", () => {
  it("is read whatever its size, and dies when it is not one", () => {
    assert.strictEqual(
      formatDecimal(decimal("123456789012345678901234567890.5")),
      "123456789012345678901234567890.5"
    )
    assert.throws(() => decimal(""), /invariant violated/)
    assert.throws(() => decimal("abc"), /invariant violated/)
  })

  it("is written without an exponent however small or large it is", () => {
    assert.strictEqual(formatDecimal(BigDecimal.make(12n, 20)), "0.00000000000000000012")
    assert.strictEqual(formatDecimal(BigDecimal.make(-12n, -18)), "-12000000000000000000")
    assert.strictEqual(formatDecimal(zero), "0")
  })

  it.prop(
    "survives being written and read",
    [Schema.BigInt, Schema.Int.check(Schema.isBetween({ minimum: -30, maximum: 30 }))],
    ([value, scale]) => {
      const before = BigDecimal.make(value, scale)
      const text = formatDecimal(before)
      assert.match(text, /^-?\d+(\.\d*[1-9])?$/)
      assert.isTrue(BigDecimal.equals(decimal(text), before))
    },
    { arbitrary: { runs: 500, seed: 31 } }
  )
})

describe("a rounded division", () => {
  it("rounds half to even, on both sides of zero", () => {
    const half = (n: bigint): string =>
      formatDecimal(divideRounded(BigDecimal.make(n, decimalLimits.averageScale), decimal("2")))
    assert.strictEqual(half(1n), "0")
    assert.strictEqual(half(3n), "0.000000000000000002")
    assert.strictEqual(half(5n), "0.000000000000000002")
    assert.strictEqual(half(-1n), "0")
    assert.strictEqual(half(-3n), "-0.000000000000000002")
    assert.strictEqual(formatDecimal(divideRounded(decimal("2"), decimal("3"))), "0.666666666666666667")
    assert.strictEqual(formatDecimal(divideRounded(decimal("2"), decimal("-3"))), "-0.666666666666666667")
  })

  it("by zero is a bug", () => {
    assert.throws(() => divideRounded(decimal("1"), zero), /invariant violated/)
  })

  it.prop(
    "is off by half a unit of its scale at most",
    [
      Schema.BigInt,
      Schema.Int.check(Schema.isBetween({ minimum: -5, maximum: 25 })),
      Schema.BigInt,
      Schema.Int.check(Schema.isBetween({ minimum: -5, maximum: 25 }))
    ],
    ([top, topScale, bottom, bottomScale]) => {
      if (bottom === 0n) return
      const [dividend, divisor] = [BigDecimal.make(top, topScale), BigDecimal.make(bottom, bottomScale)]
      const quotient = divideRounded(dividend, divisor)
      assert.isAtMost(BigDecimal.normalize(quotient).scale, decimalLimits.averageScale)
      const error = BigDecimal.abs(BigDecimal.subtract(BigDecimal.multiply(quotient, divisor), dividend))
      const allowed = BigDecimal.multiply(
        BigDecimal.make(5n, decimalLimits.averageScale + 1),
        BigDecimal.abs(divisor)
      )
      assert.isTrue(BigDecimal.isLessThanOrEqualTo(error, allowed))
    },
    { arbitrary: { runs: 1_000, seed: 32 } }
  )
})

// Arbitrary is used through Schema above; a direct use keeps shrinking useful for text.
it.prop(
  "a decimal reader never throws, whatever the text",
  [
    Arbitrary.map(
      Arbitrary.array(Arbitrary.schema(Schema.Literals("0123456789.-+eE ,_".split(""))), { maxLength: 60 }),
      (parts) => parts.join("")
    )
  ],
  ([text]) => {
    const written = parsed(text)
    if (written !== null) assert.strictEqual(parsed(written), written)
  },
  { arbitrary: { runs: 1_000, seed: 33 } }
)
