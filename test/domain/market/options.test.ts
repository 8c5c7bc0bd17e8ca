import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { normalBelow, optionValue } from "../../../src/domain/market/black-scholes.ts"
import { chooseListed, type ListedContract } from "../../../src/domain/market/option-chain.ts"
import { practiceChain } from "../../../src/domain/market/practice-chain.ts"
import { expiresAtMs } from "../../../src/domain/market/practice-options.ts"
import { practiceQuote } from "../../../src/domain/market/practice-price.ts"

const between = (minimum: number, maximum: number) =>
  Schema.Finite.check(Schema.isBetween({ minimum, maximum }))
const terms = {
  spot: between(5, 900),
  strike: between(5, 900),
  years: between(0.001, 2),
  volatility: between(0.05, 1)
}

/** The mean payoff over the distribution of the price, summed in small steps. */
const slowCall = (spot: number, strike: number, years: number, volatility: number): number => {
  const spread = volatility * Math.sqrt(years)
  const step = 0.001
  let sum = 0
  for (let z = -10; z < 10; z += step) {
    const at = z + step / 2
    const price = spot * Math.exp(-(spread * spread) / 2 + spread * at)
    sum += (Math.max(0, price - strike) * Math.exp(-(at * at) / 2) * step) / Math.sqrt(2 * Math.PI)
  }
  return sum
}

describe("the value of an option", () => {
  it("is what the textbook has", () => {
    const call = optionValue({ right: "CALL", spot: 100, strike: 100, years: 1, volatility: 0.2 })
    assert.closeTo(call.value, 7.965567, 1e-4)
    assert.closeTo(call.delta, 0.539828, 1e-6)
    assert.closeTo(normalBelow(-1.96), 0.0249979, 1e-7)
  })

  it.prop(
    "is the mean of its payoff, and keeps to parity and its bounds",
    terms,
    ({ spot, strike, volatility, years }) => {
      const of = (right: "CALL" | "PUT") => optionValue({ right, spot, strike, years, volatility })
      const [call, put] = [of("CALL"), of("PUT")]
      assert.closeTo(call.value, slowCall(spot, strike, years, volatility), 1e-3 * spot)
      assert.closeTo(call.value - put.value, spot - strike, 1e-9 * (spot + strike))
      assert.isTrue(call.value >= Math.max(0, spot - strike) && call.value <= spot)
      assert.isTrue(put.value >= -1e-9 && put.value <= strike + 1e-9)
      assert.isTrue(call.delta >= 0 && call.delta <= 1 && put.delta >= -1 && put.delta <= 0)
    },
    { arbitrary: { runs: 40, seed: 5 } }
  )

  it.prop(
    "grows with time and volatility, a call with its share, and ends as what it pays",
    terms,
    ({ spot, strike, volatility, years }) => {
      const of = (over: object) =>
        optionValue({ right: "CALL", spot, strike, years, volatility, ...over }).value
      const least = 1e-6 * (spot + strike)
      assert.isTrue(of({ years: years * 1.5 }) >= of({}) - least)
      assert.isTrue(of({ volatility: volatility * 1.5 }) >= of({}) - least)
      assert.isTrue(of({ spot: spot * 1.01 }) >= of({}) - least)
      assert.strictEqual(of({ years: 0 }), Math.max(0, spot - strike))
      assert.strictEqual(of({ years: -1 }), Math.max(0, spot - strike))
    },
    { arbitrary: { runs: 300, seed: 6 } }
  )
})

const at = Date.parse("2026-11-23T15:00:00Z")
const chainOf = (seed: number, underlying: string, right: "CALL" | "PUT", atMs = at) =>
  practiceChain(seed, { underlying, right, atMs })

describe("the chain of the practice market", () => {
  it("is the same for a seed, has another for another, and none on what is no share", () => {
    assert.deepStrictEqual(chainOf(1, "SPY", "CALL"), chainOf(1, "SPY", "CALL"))
    assert.notDeepEqual(chainOf(1, "SPY", "CALL"), chainOf(2, "SPY", "CALL"))
    for (const symbol of ["ESZ6", "BTC-USD", "EUR/USD"])
      assert.deepStrictEqual(chainOf(1, symbol, "CALL"), [])
    const days = [...new Set(chainOf(1, "SPY", "CALL").map(({ expiration }) => expiration))]
    assert.deepStrictEqual(days, ["2026-12-18", "2027-01-15", "2027-02-19"].concat(days.slice(3)))
    assert.isTrue(days.every((day) => expiresAtMs(day) > at))
  })

  it.prop(
    "is quoted as it is shown: falls with the strike of a call, rises with that of a put, and fits into an account",
    { seed: Schema.Int, hours: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50_000 })) },
    ({ hours, seed }) => {
      const atMs = at + hours * 3_600_000
      for (const right of ["CALL", "PUT"] as const) {
        const byDay = Map.groupBy(chainOf(seed, "SPY", right, atMs), ({ expiration }) => expiration)
        for (const listed of byDay.values()) {
          for (const [i, { ask, bid, delta, expiration, strike }] of listed.entries()) {
            const quote = practiceQuote(
              seed,
              `SPY ${expiration} ${right === "CALL" ? "C" : "P"} ${strike}`,
              atMs
            )
            assert.deepStrictEqual([quote.bid, quote.ask], [bid, ask])
            assert.isTrue(Number(bid) > 0 && Number(ask) > Number(bid) && Number(ask) * 100 < 100_000)
            const next = listed[i + 1]
            if (next === undefined) continue
            const middle = (one: ListedContract) => Number(one.bid) + Number(one.ask)
            assert.isTrue(delta >= next.delta, "a delta falls with the strike")
            const [low, high] = [middle({ ask, bid } as ListedContract), middle(next)]
            assert.isTrue(right === "CALL" ? low >= high : low <= high)
          }
        }
      }
    },
    { arbitrary: { runs: 25, seed: 8 } }
  )

  it("follows its share: a call gains what its delta says, and ends at what it pays", () => {
    const symbol = "SPY 2026-12-18 C 50"
    const over = expiresAtMs("2026-12-18") + 60_000
    const spot = Number(practiceQuote(1, "SPY", over).last)
    const last = Number(practiceQuote(1, symbol, over).last)
    assert.closeTo(last, Math.max(0.02, spot - 50), 0.011)
    const far = Number(practiceQuote(1, "SPY 2026-12-18 P 99999", at).ask)
    assert.isBelow(far * 100, 100_000, "an absurd strike fits into an account as well")
  })
})

const rule = { delta: 0.3, days: 40, spreadPctMax: 10, openInterestMin: 100 }
const request = { underlying: "SPY", right: "CALL", strike: null, expiration: null } as const
const listed = (expiration: string, strike: string, delta: number, over: Partial<ListedContract> = {}) => ({
  expiration,
  strike,
  bid: "0.98",
  ask: "1.02",
  delta,
  openInterest: 500,
  ...over
})

describe("the choice of a contract", () => {
  const chain = [
    listed("2026-12-18", "100", 0.31),
    listed("2027-01-15", "100", 0.52),
    listed("2027-01-15", "105", 0.33),
    listed("2027-01-15", "110", 0.22)
  ]
  const chosen = (given: Parameters<typeof chooseListed>[0], contracts = chain, by = rule) => {
    const choice = chooseListed(given, by, contracts, at)
    return choice._tag === "Chosen" ? [choice.contract.symbol, ...choice.contract.chosen] : choice.code
  }

  it("is the nearest expiration first, then the nearest delta, of puts as well", () => {
    assert.deepStrictEqual(chosen(request), ["SPY 2027-01-15 C 105", "strike", "expiration"])
    const puts = chain.map((one) => ({ ...one, delta: one.delta - 1 }))
    assert.deepStrictEqual(chosen({ ...request, right: "PUT" }, puts)[0], "SPY 2027-01-15 P 100")
    assert.deepStrictEqual(chosen(request, chain, { ...rule, days: 20 })[0], "SPY 2026-12-18 C 100")
  })

  it("leaves to the sender what the sender names, and lists nothing that is not there", () => {
    assert.deepStrictEqual(chosen({ ...request, expiration: "2026-12-18" }), [
      "SPY 2026-12-18 C 100",
      "strike"
    ])
    assert.deepStrictEqual(chosen({ ...request, strike: "110.0" }), ["SPY 2027-01-15 C 110", "expiration"])
    assert.strictEqual(chosen({ ...request, strike: "111" }), "option_not_listed")
    assert.strictEqual(chosen(request, []), "option_not_listed")
    assert.strictEqual(chosen({ ...request, expiration: "2026-11-20" }), "option_expired")
  })

  it("passes over what costs too much to leave, and has none where all do", () => {
    const wide = chain.map((one) => (one.strike === "105" ? { ...one, bid: "0.90", ask: "1.10" } : one))
    assert.deepStrictEqual(chosen(request, wide)[0], "SPY 2027-01-15 C 110")
    const idle = chain.map((one) => (one.strike === "105" ? { ...one, openInterest: 99 } : one))
    assert.deepStrictEqual(chosen(request, idle)[0], "SPY 2027-01-15 C 110")
    assert.strictEqual(chosen(request, chain, { ...rule, openInterestMin: 501 }), "option_illiquid")
    const dead = chain.map((one) => ({ ...one, bid: "0" }))
    assert.strictEqual(chosen(request, dead, { ...rule, spreadPctMax: 200 }), "option_illiquid")
  })

  it.prop(
    "of a practice chain is the one that no liquid contract is nearer than, whatever their order",
    {
      seed: Schema.Int,
      delta: between(0.05, 0.95),
      days: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 120 }))
    },
    ({ days, delta, seed }) => {
      const all = chainOf(seed, "QQQ", "CALL")
      const by = { delta, days, spreadPctMax: 8, openInterestMin: 200 }
      const choice = chooseListed({ ...request, underlying: "QQQ" }, by, all, at)
      const back = chooseListed({ ...request, underlying: "QQQ" }, by, all.toReversed(), at)
      assert.deepStrictEqual(choice, back)
      const liquid = all.filter(
        ({ ask, bid, openInterest }) =>
          openInterest >= 200 &&
          (Number(ask) - Number(bid)) / ((Number(ask) + Number(bid)) / 2) <= 0.08 + 1e-12
      )
      if (choice._tag === "NotChosen") return assert.lengthOf(liquid, 0)
      const away = ({ expiration }: { readonly expiration: string }) =>
        Math.abs(Math.round((Date.parse(expiration) - at) / 86_400_000) - days)
      const off = (one: ListedContract) => Math.abs(one.delta - delta)
      const picked = liquid.find(
        ({ expiration, strike }) =>
          expiration === choice.contract.expiration && strike === choice.contract.strike
      )
      if (picked === undefined) return assert.fail("it is not liquid, or not listed")
      for (const one of liquid) {
        assert.isTrue(away(picked) <= away(one))
        if (one.expiration === picked.expiration) assert.isTrue(off(picked) <= off(one))
      }
    },
    { arbitrary: { runs: 100, seed: 9 } }
  )
})
