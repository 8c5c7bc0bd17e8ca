import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Schema } from "effect"
import { type Decimal, decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import type { ExitSettings } from "../../../src/domain/kernel/settings.ts"
import { termsOf } from "../../../src/domain/orders/protection.ts"
import {
  arm,
  follow,
  hasStop,
  isProtected,
  movingTermsOf,
  movingText,
  type Trail
} from "../../../src/domain/orders/trailing.ts"

const none: ExitSettings = {
  trailingPct: null,
  trailingAmount: null,
  trailingAtr: null,
  breakEvenAfterPct: null,
  holdMsMax: null
}
const noFixed = termsOf(undefined)

interface Case {
  readonly quantity: string
  readonly average: string
  readonly exits: Partial<ExitSettings>
  readonly stopPct?: string
  readonly range?: string
}

const inputOf = ({ average, exits, quantity, range }: Case) => ({
  quantity: decimal(quantity),
  averagePrice: decimal(average),
  terms: movingTermsOf({ exits: { ...none, ...exits } }),
  range: range === undefined ? null : decimal(range)
})
const fixedOf = ({ stopPct }: Case) => termsOf({ stopLossPct: stopPct ?? null, profitTargetPct: null })

const shown = ({ best, stop }: Trail) => [
  best === null ? null : formatDecimal(best),
  stop === null ? null : `${formatDecimal(stop.price)} ${stop.by}`
]

/** What a share has reached after these prices, the opening first. */
const after = (given: Case, ...prices: ReadonlyArray<string>) => {
  const input = inputOf(given)
  return shown(
    prices.reduce<Trail>(
      (trail, price) => follow(trail, decimal(price), input),
      arm(fixedOf(given), input, null)
    )
  )
}

describe("a stop that follows the average true range", () => {
  const trailing = { trailingAtr: { multiple: "2", bars: 14, barMs: 60_000 } }
  const long = { quantity: "2", average: "100", exits: trailing }

  it("is at no distance from bars that did not move: it has no price", () => {
    assert.deepStrictEqual(after({ ...long, range: "0" }, "103"), ["103", null])
    assert.deepStrictEqual(after({ ...long, range: "0", stopPct: "4" }, "103"), ["103", "96 stop_loss"])
  })

  it("stays where it has come to when something else of its settings changes", () => {
    const kept = { price: decimal("108"), by: "trailing_stop" } as const
    const again = (given: Case) => shown(arm(fixedOf(given), inputOf(given), decimal("110"), kept))
    assert.deepStrictEqual(again({ ...long, range: "5", stopPct: "4" }), ["110", "108 trailing_stop"])
    assert.deepStrictEqual(again(long), ["110", "108 trailing_stop"], "the range is not known yet")
    assert.deepStrictEqual(again({ ...long, range: "0.5" }), ["110", "109 trailing_stop"])
    const short = { ...long, quantity: "-2", range: "5", stopPct: "4" }
    const below = { price: decimal("92"), by: "trailing_stop" } as const
    assert.deepStrictEqual(shown(arm(fixedOf(short), inputOf(short), decimal("90"), below)), [
      "90",
      "92 trailing_stop"
    ])
    const tighter = { price: decimal("95"), by: "trailing_stop" } as const
    assert.deepStrictEqual(
      shown(arm(fixedOf({ ...long, stopPct: "4" }), inputOf(long), decimal("110"), tighter)),
      ["110", "96 stop_loss"]
    )
  })
})

describe("a stop that moves", () => {
  const long = { quantity: "2", average: "100" }
  const short = { quantity: "-2", average: "100" }
  it.each([
    ["percent, at the opening", { ...long, exits: { trailingPct: "5" } }, [], ["100", "95 trailing_stop"]],
    [
      "percent, after a gain",
      { ...long, exits: { trailingPct: "5" } },
      ["110", "107"],
      ["110", "104.5 trailing_stop"]
    ],
    ["percent, after a loss", { ...long, exits: { trailingPct: "5" } }, ["97"], ["100", "95 trailing_stop"]],
    [
      "percent, of a short",
      { ...short, exits: { trailingPct: "5" } },
      ["90", "93"],
      ["90", "94.5 trailing_stop"]
    ],
    ["amount", { ...long, exits: { trailingAmount: "1.5" } }, ["104"], ["104", "102.5 trailing_stop"]],
    [
      "amount, of a short",
      { ...short, exits: { trailingAmount: "1.5" } },
      ["96"],
      ["96", "97.5 trailing_stop"]
    ],
    [
      "an amount above the price is no stop",
      { ...long, exits: { trailingAmount: "200" } },
      ["104"],
      ["104", null]
    ],
    [
      "average range",
      { ...long, exits: { trailingAtr: { multiple: "3", bars: 14, barMs: 60_000 } }, range: "0.5" },
      ["104"],
      ["104", "102.5 trailing_stop"]
    ],
    [
      "average range, which nobody knows",
      { ...long, exits: { trailingAtr: { multiple: "3", bars: 14, barMs: 60_000 } } },
      ["104"],
      ["104", null]
    ],
    [
      "the tighter of two",
      { ...long, exits: { trailingPct: "5", trailingAmount: "2" } },
      ["110"],
      ["110", "108 trailing_stop"]
    ],
    [
      "the fixed one until a trail passes it",
      { ...long, stopPct: "2", exits: { trailingPct: "5" } },
      [],
      ["100", "98 stop_loss"]
    ],
    [
      "and the trail from there on",
      { ...long, stopPct: "2", exits: { trailingPct: "5" } },
      ["104"],
      ["104", "98.8 trailing_stop"]
    ],
    [
      "break-even before its gain",
      { ...long, exits: { breakEvenAfterPct: "1" } },
      ["100.99"],
      ["100.99", null]
    ],
    [
      "break-even at its gain, and back",
      { ...long, exits: { breakEvenAfterPct: "1" } },
      ["101", "99"],
      ["101", "100 break_even"]
    ],
    [
      "break-even of a short",
      { ...short, exits: { breakEvenAfterPct: "1" } },
      ["99"],
      ["99", "100 break_even"]
    ],
    [
      "break-even, then the trail",
      { ...long, exits: { breakEvenAfterPct: "1", trailingPct: "2" } },
      ["101", "104"],
      ["104", "101.92 trailing_stop"]
    ],
    [
      "a time stop alone moves nothing",
      { ...long, stopPct: "2", exits: { holdMsMax: 1 } },
      [],
      [null, "98 stop_loss"]
    ]
  ] as const)("[%s]", (_name, given, prices, expected) => {
    assert.deepStrictEqual(after(given, ...prices), [...expected])
  })

  it("does not loosen when the market's range widens, and stays when nobody knows it any more", () => {
    const given = {
      quantity: "1",
      average: "100",
      exits: { trailingAtr: { multiple: "2", bars: 14, barMs: 60_000 } }
    }
    const at = (trail: Trail, price: string, range: string | null) =>
      follow(trail, decimal(price), { ...inputOf(given), range: range === null ? null : decimal(range) })
    const tight = at({ best: null, stop: null }, "110", "1")
    assert.deepStrictEqual(shown(tight), ["110", "108 trailing_stop"])
    assert.deepStrictEqual(shown(at(tight, "110", "5")), ["110", "108 trailing_stop"])
    assert.deepStrictEqual(shown(at(tight, "111", null)), ["111", "108 trailing_stop"])
  })

  it("does not loosen when the share grows at a worse price", () => {
    const before = follow(
      { best: null, stop: null },
      decimal("110"),
      inputOf({ quantity: "1", average: "100", exits: { breakEvenAfterPct: "1" } })
    )
    const grown = inputOf({ quantity: "2", average: "90", exits: { breakEvenAfterPct: "1" } })
    assert.deepStrictEqual(shown(follow(before, decimal("95"), grown)), ["110", "100 break_even"])
  })

  it("keeps what was reached when its settings change, and follows the new ones from there", () => {
    const changed = inputOf({ quantity: "1", average: "100", exits: { trailingPct: "10" } })
    assert.deepStrictEqual(shown(arm(noFixed, changed, decimal("120"))), ["120", "108 trailing_stop"])
  })
})

const Price = Schema.Int.check(Schema.isBetween({ minimum: 9_000, maximum: 11_000 }))
const Percent = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 900 }))

/** Cents and hundredths of a percent as decimals. */
const cents = (whole: number): Decimal => BigDecimal.make(BigInt(whole), 2)

describe("a trailing stop against a reference that computes it from all prices each time", () => {
  it.prop(
    "it is where the reference has it after every price, and never loosens",
    {
      prices: Schema.Array(Price).check(Schema.isMinLength(1)),
      trail: Percent,
      amount: Percent,
      stop: Percent,
      even: Percent,
      long: Schema.Boolean
    },
    ({ amount, even, long, prices, stop, trail }) => {
      const sign = BigDecimal.fromBigInt(long ? 1n : -1n)
      const average = cents(10_000)
      const terms = movingTermsOf({
        exits: {
          ...none,
          trailingPct: formatDecimal(cents(trail)),
          trailingAmount: formatDecimal(cents(amount)),
          breakEvenAfterPct: formatDecimal(cents(even))
        }
      })
      const input = { quantity: sign, averagePrice: average, terms, range: null }
      let now: Trail = arm(
        termsOf({ stopLossPct: formatDecimal(cents(stop)), profitTargetPct: null }),
        input,
        null
      )
      // Signed so that a gain is always up: what is true of a long is true of a short.
      const up = (price: Decimal) => BigDecimal.multiply(price, sign)
      const of = (price: Decimal, pct: number) => BigDecimal.multiply(price, BigDecimal.make(BigInt(pct), 4))
      const reference = (seen: ReadonlyArray<Decimal>): Decimal => {
        const stops = [BigDecimal.subtract(up(average), of(average, stop))]
        for (const [i] of seen.entries()) {
          const best = BigDecimal.multiply(
            seen
              .slice(0, i + 1)
              .map(up)
              .reduce((a, b) => BigDecimal.max(a, b)),
            sign
          )
          stops.push(
            BigDecimal.subtract(up(best), of(best, trail)),
            BigDecimal.subtract(up(best), cents(amount))
          )
          const gain = BigDecimal.subtract(up(best), up(average))
          if (BigDecimal.isGreaterThanOrEqualTo(gain, of(average, even))) stops.push(up(average))
        }
        return stops.reduce((a, b) => BigDecimal.max(a, b))
      }
      const seen = [average]
      for (const price of prices.map(cents)) {
        const before = now
        now = follow(now, price, input)
        seen.push(price)
        assert.isNotNull(now.stop)
        if (now.stop === null || now.best === null) return
        assert.strictEqual(formatDecimal(up(now.stop.price)), formatDecimal(reference(seen)))
        if (before.stop !== null)
          assert.isTrue(
            BigDecimal.isGreaterThanOrEqualTo(up(now.stop.price), up(before.stop.price)),
            "it loosened"
          )
      }
    },
    { arbitrary: { runs: 300, seed: 23 } }
  )
})

describe("what a strategy's settings mean for a share", () => {
  const termsFor = (exits: Partial<ExitSettings> | null) =>
    movingTermsOf({ exits: exits === null ? null : { ...none, ...exits } })

  it.each([
    ["nothing", null, null, false, false],
    ["a fixed stop", "2", null, true, true],
    ["a trail", null, { trailingPct: "1" }, true, true],
    ["an amount", null, { trailingAmount: "1" }, true, true],
    ["a range", null, { trailingAtr: { multiple: "1", bars: 2, barMs: 1_000 } }, true, true],
    ["a break-even, which is no stop before its gain", null, { breakEvenAfterPct: "1" }, false, true],
    ["a time stop", null, { holdMsMax: 1 }, false, true]
  ] as const)("[%s]", (_name, stopLossPct, exits, stopped, watched) => {
    const fixed = termsOf({ stopLossPct, profitTargetPct: null })
    assert.strictEqual(hasStop(fixed, termsFor(exits)), stopped)
    assert.strictEqual(isProtected(fixed, termsFor(exits)), watched)
  })

  it("a target alone is watched, and is no stop", () => {
    const fixed = termsOf({ stopLossPct: null, profitTargetPct: "3" })
    assert.deepStrictEqual(
      [hasStop(fixed, termsFor(null)), isProtected(fixed, termsFor(null))],
      [false, true]
    )
  })

  it("terms that move have a text of their own, each of them another", () => {
    const texts = [
      { trailingPct: "1" },
      { trailingAmount: "1" },
      { breakEvenAfterPct: "1" },
      { trailingAtr: { multiple: "1", bars: 2, barMs: 1_000 } },
      { trailingAtr: { multiple: "1", bars: 3, barMs: 1_000 } }
    ].map((exits) => movingText({ exits: { ...none, ...exits } }))
    assert.strictEqual(new Set(texts).size, 5)
    assert.isFalse(texts.includes(null))
    for (const still of [null, none, { ...none, holdMsMax: 5 }]) assert.isNull(movingText({ exits: still }))
    assert.isNull(movingText(undefined))
  })
})
