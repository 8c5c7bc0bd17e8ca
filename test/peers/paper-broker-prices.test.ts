import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { reachesStop, tradePrice } from "../../peers/paper-broker/prices.ts"

const price = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
const prices = Schema.Array(price).check(Schema.isMinLength(1), Schema.isMaxLength(12))
const side = Schema.Literals(["buy", "sell"])
const quoteAt = (last: number) => ({
  symbol: "S",
  bid: String(last - 1 || 1),
  ask: String(last + 1),
  last: String(last)
})

/** What the book makes of a path of prices, one look per price: the step at which it trades and the price, or null. */
const walked = (
  order: { side: "buy" | "sell"; limit_price: string | null; stop_price: string | null },
  path: ReadonlyArray<number>
): readonly [step: number, price: string] | null => {
  let triggered_at: Date | null = null
  for (const [step, last] of path.entries()) {
    if (triggered_at === null && reachesStop(order, quoteAt(last))) triggered_at = new Date(0)
    const traded = tradePrice({ ...order, triggered_at }, quoteAt(last))
    if (traded !== null) return [step, traded]
  }
  return null
}

/** The same by numbers and by what people say: at its limit or better, after the last price was at its stop or beyond. */
const told = (
  way: "buy" | "sell",
  limit: number | null,
  stop: number | null,
  path: ReadonlyArray<number>
): readonly [step: number, price: string] | null => {
  const sign = way === "buy" ? 1 : -1
  const first = stop === null ? 0 : path.findIndex((last) => last * sign >= stop * sign)
  if (first < 0) return null
  const step = path.findIndex((last, at) => {
    const offered = way === "buy" ? last + 1 : last - 1 || 1
    return at >= first && (limit === null || offered * sign <= limit * sign)
  })
  const last = path[step]
  return last === undefined ? null : [step, String(way === "buy" ? last + 1 : last - 1 || 1)]
}

describe("the paper venue, for any path of prices", () => {
  for (const kind of ["market", "limit", "stop", "stop_limit"] as const)
    it.prop(
      `trades when people would say that it does [${kind}]`,
      { side, limit: price, stop: price, path: prices },
      ({ limit, path, side: way, stop }) => {
        const own = kind === "limit" || kind === "stop_limit" ? limit : null
        const trigger = kind === "stop" || kind === "stop_limit" ? stop : null
        const order = {
          side: way,
          limit_price: own === null ? null : String(own),
          stop_price: trigger === null ? null : String(trigger)
        }
        assert.deepStrictEqual(walked(order, path), told(way, own, trigger, path))
      },
      { arbitrary: { runs: 250, seed: 5 } }
    )

  it("never lets a limit trade at a worse price, or a stop before its price was there", () => {
    const limit = { side: "buy", limit_price: "10", stop_price: null } as const
    assert.isNull(walked(limit, [10]))
    assert.deepStrictEqual(walked(limit, [10, 9]), [1, "10"])
    const stop = { side: "sell", limit_price: null, stop_price: "10" } as const
    assert.isNull(walked(stop, [11]))
    // Triggered for good: a stop limit whose price came back is a limit order.
    assert.deepStrictEqual(walked({ ...stop, limit_price: "12" }, [11, 10, 11, 14]), [3, "13"])
  })
})
