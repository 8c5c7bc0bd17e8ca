import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Schema } from "effect"
import { decimal, formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import {
  canRest,
  expiryOf,
  type OrderTerms,
  ownPrice,
  roundedPrice,
  termsFor,
  type TermsInput,
  termsProblem
} from "../../../src/domain/orders/order-terms.ts"
import {
  ORDER_TYPES,
  plainTerms,
  termsErrors,
  TIMES_IN_FORCE
} from "../../../src/domain/signals/order-type.ts"

describe("a price in whole ticks", () => {
  it.each([
    ["100.37", "0.25", "buy", "limit", "100.25"],
    ["100.37", "0.25", "sell", "limit", "100.5"],
    ["100.37", "0.25", "buy", "stop", "100.5"],
    ["100.37", "0.25", "sell", "stop", "100.25"],
    ["100.25", "0.25", "sell", "limit", "100.25"],
    ["100.37", null, "buy", "limit", "100.37"],
    ["0.07", "0.1", "buy", "limit", "0"]
  ] as const)("[%s in ticks of %s, %s %s]", (price, tick, side, kind, expected) => {
    assert.strictEqual(formatDecimal(roundedPrice(decimal(price), tick, side, kind)), expected)
  })

  const hundredths = (n: number): string => formatDecimal(BigDecimal.make(BigInt(n), 2))
  it.prop(
    "is a multiple of the tick, less than a tick away, and never worse for its order",
    {
      price: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5_000_000 })),
      tick: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 900 })),
      side: Schema.Literals(["buy", "sell"]),
      kind: Schema.Literals(["limit", "stop"])
    },
    ({ kind, price, side, tick }) => {
      const [asked, step] = [decimal(hundredths(price)), decimal(hundredths(tick))]
      const sent = roundedPrice(asked, hundredths(tick), side, kind)
      assert.isTrue(BigDecimal.isZero(BigDecimal.remainderUnsafe(sent, step)))
      const moved = BigDecimal.subtract(sent, asked)
      assert.isTrue(BigDecimal.isLessThan(BigDecimal.abs(moved), step))
      // A buy that pays less or is triggered later is the same order or a safer one; for a sell it is the other way round.
      const isUp = (side === "sell") === (kind === "limit")
      assert.isTrue(BigDecimal.sign(moved) * (isUp ? 1 : -1) >= 0)
    },
    { arbitrary: { runs: 300, seed: 11 } }
  )
})

describe("which price goes with which kind", () => {
  const needs: Readonly<Record<string, ReadonlyArray<string>>> = {
    market: [],
    limit: ["limit_price"],
    stop: ["stop_price"],
    stop_limit: ["limit_price", "stop_price"]
  }
  for (const orderType of [...ORDER_TYPES, null])
    for (const limitPrice of [null, "1"])
      for (const stopPrice of [null, "1"])
        it(`[${orderType}, limit ${limitPrice}, stop ${stopPrice}]`, () => {
          const given = [
            ...(limitPrice === null ? [] : ["limit_price"]),
            ...(stopPrice === null ? [] : ["stop_price"])
          ]
          const needed = needs[orderType ?? "market"] ?? []
          const wrong = ["limit_price", "stop_price"].filter(
            (path) => needed.includes(path) !== given.includes(path)
          )
          const errors = termsErrors({ orderType, limitPrice, stopPrice, timeInForce: null })
          assert.deepStrictEqual(
            errors.map(({ path }) => path),
            wrong
          )
        })
})

describe("the terms of an order", () => {
  const input = (given: Partial<TermsInput> & Partial<TermsInput["signal"]>): TermsInput => ({
    signal: {
      orderType: given.orderType ?? null,
      limitPrice: given.limitPrice ?? null,
      stopPrice: given.stopPrice ?? null,
      timeInForce: given.timeInForce ?? null
    },
    defaultTime: given.defaultTime ?? null,
    tick: given.tick ?? null,
    calendar: given.calendar ?? "24x7"
  })
  const times = (given: Parameters<typeof input>[0]): string => termsFor(input(given), "buy").timeInForce

  it("where the signal says nothing are those of every order before there were others", () => {
    const market = { type: "market", limitPrice: null, stopPrice: null } as const
    assert.deepStrictEqual(termsFor(input({}), "buy"), { ...market, timeInForce: "gtc" })
    assert.deepStrictEqual(termsFor(input({ calendar: "XNYS", defaultTime: "gtc" }), "sell"), {
      ...market,
      timeInForce: "day"
    })
  })

  it("take the time of the signal, else that of the strategy, else that of the calendar", () => {
    const limit = { orderType: "limit", limitPrice: "5" } as const
    assert.strictEqual(times({ ...limit, timeInForce: "ioc", defaultTime: "gtc" }), "ioc")
    assert.strictEqual(times({ ...limit, defaultTime: "day" }), "day")
    assert.strictEqual(times(limit), "gtc")
    assert.strictEqual(times({ ...limit, calendar: "XCME" }), "day")
    // A stop waits: a default that says "now or never" is not one for it.
    assert.strictEqual(times({ orderType: "stop", stopPrice: "5", defaultTime: "ioc" }), "gtc")
  })

  it("have both prices of a stop limit in ticks, each in its own direction", () => {
    const both = { orderType: "stop_limit", limitPrice: "10.3", stopPrice: "10.1", tick: "0.25" } as const
    const at = (side: "buy" | "sell") => {
      const { limitPrice, stopPrice } = termsFor(input(both), side)
      return [stopPrice, limitPrice]
    }
    assert.deepStrictEqual(
      [at("buy"), at("sell")],
      [
        ["10.25", "10.25"],
        ["10", "10.5"]
      ]
    )
  })

  const limit: OrderTerms = { type: "limit", limitPrice: "5", stopPrice: null, timeInForce: "gtc" }
  it("are refused where a price is none in ticks, or where an order that rests would turn a position around", () => {
    const opens = { effect: "open", sizing: "open" } as const
    assert.isNull(termsProblem(limit, opens))
    assert.strictEqual(termsProblem({ ...limit, limitPrice: "0" }, opens), "price_rounds_away")
    assert.strictEqual(termsProblem({ ...limit, limitPrice: "1000000000000" }, opens), "price_rounds_away")
    assert.strictEqual(termsProblem(limit, { effect: "reverse", sizing: "open" }), "rests_across_zero")
    assert.strictEqual(termsProblem(limit, { effect: "reverse", sizing: "target" }), "rests_across_zero")
    // As large as its sender says, whatever is held.
    assert.isNull(termsProblem(limit, { effect: "reverse", sizing: "fixed" }))
    assert.isNull(termsProblem({ ...limit, timeInForce: "ioc" }, { effect: "reverse", sizing: "open" }))
  })

  it("say whether it rests, at which price it counts, and when its session is over", () => {
    const noon = Date.parse("2026-11-23T17:00:00Z")
    const rests = ORDER_TYPES.flatMap((type) =>
      TIMES_IN_FORCE.filter((timeInForce) => canRest({ type, timeInForce })).map((time) => `${type} ${time}`)
    )
    assert.deepStrictEqual(
      rests,
      ["limit", "stop", "stop_limit"].flatMap((type) => [`${type} day`, `${type} gtc`])
    )
    assert.strictEqual(ownPrice({ limitPrice: "5", stopPrice: "4" }), "5")
    assert.strictEqual(ownPrice({ limitPrice: null, stopPrice: "4" }), "4")
    assert.isNull(ownPrice(plainTerms))
    const end = (timeInForce: OrderTerms["timeInForce"], calendar: "24x7" | "XNYS" | "XCME", atMs = noon) => {
      const ms = expiryOf({ type: "limit", timeInForce }, calendar, atMs)
      return ms === null ? null : new Date(ms).toISOString()
    }
    assert.strictEqual(end("day", "XNYS"), "2026-11-23T21:00:00.000Z")
    assert.strictEqual(end("day", "XCME"), "2026-11-23T22:00:00.000Z")
    assert.strictEqual(end("day", "24x7"), "2026-11-24T00:00:00.000Z")
    // The day after Thanksgiving closes early; before it opens, the session that comes counts.
    assert.strictEqual(end("day", "XNYS", Date.parse("2026-11-27T09:00:00Z")), "2026-11-27T18:00:00.000Z")
    assert.isNull(end("gtc", "XNYS"))
    assert.isNull(expiryOf({ type: "market", timeInForce: "day" }, "XNYS", noon))
  })
})
