/** T3b and T10: by which fields senders state what they want, what each of them means, and which contradict each other. */
import { assert, describe, it } from "@effect/vitest"

import type { JsonObject } from "../../../src/domain/kernel/canonical-json.ts"
import { bodyProblems } from "../../support/openapi.ts"
import { type IntentFields, settleIntent } from "../../../src/domain/signals/signal-intent.ts"
import { decodeSignal } from "../../../src/wire/signal-body.ts"
import type { Signal } from "../../../src/domain/signals/signal.ts"

const read = (fields: JsonObject): Signal | ReadonlyArray<string> => {
  const body = { symbol: "SPY", timeframe: "5m", timestamp: "2025-10-21T22:45:00Z", ...fields }
  const parsed = decodeSignal(body)
  if (!parsed.ok) return parsed.errors.map(({ path }) => path)
  assert.deepStrictEqual(bodyProblems(body), [], "what is taken is described")
  return parsed.value
}
const told = (fields: object): string => JSON.stringify(fields)

describe("an explicit intent is read as", () => {
  const nothing = { action: null, direction: null, intent: null, positionSize: null }
  const close = { ...nothing, intent: "close" } as const
  const cases: ReadonlyArray<readonly [JsonObject, Partial<Signal>]> = [
    // Words that close all of the strategy's share (T3b).
    [{ direction: "flat" }, close],
    [{ direction: "Close" }, close],
    [{ action: "close" }, close],
    [{ action: "EXIT" }, close],
    [{ action: " flat " }, close],
    [{ action: "close", direction: "flat" }, close],
    [{ action: "close", intent: "close" }, close],
    [
      { action: "sell", direction: "flat" },
      { ...close, action: "SELL" }
    ],
    [{ intent: "close" }, close],
    [
      { intent: "close", quantity: "2" },
      { ...close, quantity: "2" }
    ],
    [
      { intent: "close", action: "sell" },
      { ...close, action: "SELL" }
    ],
    // A direction beside a close says which side is closed, and never opens it.
    [
      { intent: "close", direction: "long" },
      { ...close, action: "SELL", direction: "LONG" }
    ],
    [
      { action: "exit", direction: "short" },
      { ...close, action: "BUY", direction: "SHORT" }
    ],
    [
      { action: "close", direction: "put" },
      { ...close, action: "SELL", direction: "PUT" }
    ],
    [{ market_position: "flat" }, { ...close, marketPosition: "flat" }],
    [
      { action: "sell", market_position: "flat", market_position_size: 0, prev_market_position: "long" },
      {
        ...close,
        action: "SELL",
        marketPosition: "flat",
        marketPositionSize: "0",
        prevMarketPosition: "long"
      }
    ],
    // A partial exit leaves the book on its side.
    [
      { intent: "close", action: "sell", quantity: 1, market_position: "long", market_position_size: 2 },
      { ...close, action: "SELL", quantity: "1", marketPosition: "long", marketPositionSize: "2" }
    ],
    // Targets, signed.
    [
      { intent: "target", position_size: "-2.50" },
      { ...nothing, intent: "target", positionSize: "-2.5" }
    ],
    [
      { intent: "target", position_size: 0 },
      { ...nothing, intent: "target", positionSize: "0" }
    ],
    [{ position_size: "+1" }, { ...nothing, intent: "target", positionSize: "1" }],
    [
      { market_position: "short", market_position_size: "3" },
      { ...nothing, intent: "target", positionSize: "-3", marketPosition: "short", marketPositionSize: "3" }
    ],
    [
      { intent: "target", market_position: "flat" },
      { ...nothing, intent: "target", positionSize: "0" }
    ],
    [
      { action: "buy", quantity: 2, market_position: "long", market_position_size: 1, position_size: 1 },
      { ...nothing, action: "BUY", quantity: "2", intent: "target", positionSize: "1" }
    ],
    // Beside an action the size of the book is news, not a wish.
    [
      { action: "buy", position_size: 4 },
      { ...nothing, action: "BUY", positionSize: "4" }
    ],
    // The side of the book without a size is a direction.
    [{ market_position: "short" }, { ...nothing, direction: "SHORT", marketPosition: "short" }],
    [
      { intent: "open", market_position: "long" },
      { ...nothing, intent: "open", direction: "LONG" }
    ],
    [
      { action: "buy", market_position: "long" },
      { ...nothing, action: "BUY", marketPosition: "long" }
    ],
    [
      { intent: "open", action: "buy" },
      { ...nothing, intent: "open", action: "BUY" }
    ],
    [
      { intent: "open", market_position: "long", market_position_size: 5 },
      { ...nothing, intent: "open", direction: "LONG", marketPositionSize: "5" }
    ],
    [
      { intent: "reverse", direction: "short" },
      { ...nothing, intent: "reverse", direction: "SHORT" }
    ],
    [{ intent: "Reverse" }, { ...nothing, intent: "reverse" }],
    [
      { action: "sell", prev_market_position: "Long" },
      { ...nothing, action: "SELL", prevMarketPosition: "long" }
    ],
    [
      { action: "buy", order_type: "Market", time_in_force: "GTC" },
      { ...nothing, action: "BUY" }
    ]
  ]
  for (const [fields, expected] of cases) {
    it(`[${told(fields)}] ${told(expected)}`, () => {
      assert.deepInclude(read(fields), expected)
    })
  }
})

describe("what cannot be is refused", () => {
  const cases: ReadonlyArray<readonly [JsonObject, ReadonlyArray<string>]> = [
    [{}, ["action"]],
    [{ intent: "open" }, ["action"]],
    [{ intent: "target" }, ["position_size"]],
    [{ intent: "target", action: "buy", quantity: 1 }, ["position_size"]],
    [{ intent: "target", market_position: "long" }, ["market_position_size"]],
    [{ intent: "hold" }, ["intent"]],
    [
      { intent: 1, market_position: "up", prev_market_position: true },
      ["intent", "market_position", "prev_market_position"]
    ],
    [{ intent: "target", position_size: "1,000" }, ["position_size"]],
    [{ intent: "target", position_size: "NaN" }, ["position_size"]],
    [{ market_position: "long", market_position_size: -1 }, ["market_position_size"]],
    [{ market_position: "long", market_position_size: 0 }, ["market_position_size"]],
    [{ market_position: "flat", market_position_size: 2 }, ["market_position_size"]],
    [{ action: "buy", market_position_size: 2 }, ["market_position"]],
    [{ market_position: "long", market_position_size: 2, position_size: -2 }, ["position_size"]],
    [{ action: "sell", market_position: "flat", position_size: 1 }, ["position_size"]],
    [{ intent: "target", market_position: "short", position_size: 1 }, ["position_size"]],
    [{ action: "close", intent: "open" }, ["intent"]],
    [{ direction: "flat", intent: "target", position_size: 1 }, ["intent"]],
    [{ direction: "flat", market_position: "long" }, ["market_position"]],
    [{ intent: "close", action: "sell", direction: "short" }, ["intent"]],
    [{ action: "buy", direction: "long", market_position: "flat" }, ["market_position"]],
    [{ intent: "open", action: "sell", direction: "long" }, ["intent"]],
    [{ intent: "open", action: "buy", market_position: "flat" }, ["market_position"]],
    [{ intent: "reverse", direction: "call" }, ["intent"]],
    [{ intent: "target", direction: "put", position_size: -1 }, ["intent"]],
    [{ action: "buy", order_type: "limit" }, ["limit_price"]],
    [{ action: "buy", order_type: "stop_limit" }, ["limit_price", "stop_price"]],
    [{ action: "buy", order_type: "stop", limit_price: 9 }, ["limit_price", "stop_price"]],
    [{ action: "buy", order_type: "limit", limit_price: 0 }, ["limit_price"]],
    [{ action: "buy", limit_price: 10 }, ["limit_price"]],
    [{ action: "buy", stop_price: 10, quantity: -1 }, ["stop_price", "quantity"]],
    [{ action: "buy", order_type: "stop", stop_price: 9, time_in_force: "ioc" }, ["time_in_force"]],
    [{ action: "buy", order_type: 1 }, ["order_type"]]
  ]
  for (const [fields, paths] of cases) {
    it(`[${told(fields)}] at ${paths.join(", ")}`, () => {
      assert.deepStrictEqual(read(fields), paths)
    })
  }

  const sent = { symbol: "SPY", action: "buy", timeframe: "5m", timestamp: "2025-10-21T22:45:00Z" } as const
  it("and a price that does not fit its kind says which kind it would fit", () => {
    const parsed = decodeSignal({ ...sent, order_type: "limit", stop_price: 10 })
    assert.deepStrictEqual(parsed, {
      ok: false,
      errors: [
        { path: "limit_price", message: "is required for an order of the type limit" },
        { path: "stop_price", message: "must not be given for an order of the type limit" }
      ]
    })
    const bare = decodeSignal({ ...sent, stop_price: 10 })
    assert(!bare.ok)
    assert.strictEqual(bare.errors[0]?.message, "must not be given without order_type stop or stop_limit")
  })
  it("and a whole order is taken with all its digits", () => {
    const parsed = decodeSignal({
      ...sent,
      order_type: "STOP_LIMIT",
      limit_price: "10.10",
      stop_price: 9.5,
      time_in_force: "Day"
    })
    assert(parsed.ok)
    const { limitPrice, orderType, stopPrice, timeInForce } = parsed.value
    assert.deepStrictEqual(
      [orderType, limitPrice, stopPrice, timeInForce],
      ["stop_limit", "10.1", "9.5", "day"]
    )
  })
})

describe("what cannot be is refused with its reason", () => {
  const reasons = (given: Partial<IntentFields>): ReadonlyArray<string> => {
    const settled = settleIntent({
      action: null,
      direction: null,
      intent: null,
      positionSize: null,
      marketPosition: null,
      prevMarketPosition: null,
      marketPositionSize: null,
      ...given
    })
    return "errors" in settled ? settled.errors.map(({ message, path }) => `${path} ${message}`) : []
  }
  const options = "options are not written"
  const cases: ReadonlyArray<readonly [Partial<IntentFields>, string]> = [
    [{}, "action is required (or direction, market_position, or intent close or target)"],
    [{ intent: "target" }, "position_size is required for a target (or market_position with its size)"],
    [
      { intent: "target", marketPosition: "long" },
      "market_position_size is required for a target (or position_size)"
    ],
    [{ marketPositionSize: "1" }, "market_position is required beside market_position_size"],
    [
      { marketPosition: "flat", marketPositionSize: "1" },
      "market_position_size must be 0 when market_position is flat"
    ],
    [
      { marketPosition: "short", marketPositionSize: "0" },
      "market_position_size must be above zero when market_position is short"
    ],
    [
      { marketPosition: "long", positionSize: "-1" },
      "position_size must agree with market_position and market_position_size"
    ],
    [
      { marketPosition: "short", marketPositionSize: "3", positionSize: "-2" },
      "position_size must agree with market_position and market_position_size"
    ],
    [
      { action: "CLOSE", intent: "open" },
      "intent must be close, or absent, when action or direction says to close"
    ],
    [
      { direction: "FLAT", marketPosition: "short" },
      "market_position must be flat, or absent, when direction says to close"
    ],
    [
      { intent: "close", action: "BUY", direction: "LONG" },
      "intent must not be a close: BUY with LONG opens"
    ],
    [
      { action: "BUY", direction: "LONG", marketPosition: "flat" },
      "market_position must not be a close: BUY with LONG opens"
    ],
    [{ intent: "open", action: "SELL", direction: "LONG" }, "intent must not be open: SELL with LONG closes"],
    [
      { intent: "open", action: "BUY", marketPosition: "flat" },
      "market_position must not be flat beside the intent open"
    ],
    [
      { intent: "reverse", marketPosition: "flat" },
      "market_position must not be flat beside the intent reverse"
    ],
    [{ intent: "reverse", direction: "PUT" }, `intent must not be reverse for a CALL or PUT: ${options}`],
    [
      { intent: "target", direction: "CALL", positionSize: "-1" },
      `intent must not be short of a CALL or PUT: ${options}`
    ],
    [
      { direction: "PUT", marketPosition: "short", marketPositionSize: "1" },
      `market_position must not be short of a CALL or PUT: ${options}`
    ]
  ]
  for (const [given, reason] of cases) {
    it(`[${told(given)}] ${reason}`, () => {
      assert.deepStrictEqual(reasons(given), [reason])
    })
  }

  it("with every reason that its book gives", () => {
    assert.deepStrictEqual(
      reasons({ action: "CLOSE", intent: "open", marketPosition: "flat", marketPositionSize: "1" }).length,
      2
    )
  })

  it.each([
    [{ marketPosition: "long", positionSize: "1" }],
    [{ marketPosition: "short", positionSize: "-1" }],
    [{ marketPosition: "flat", positionSize: "0" }],
    [{ marketPosition: "short", positionSize: "-2", marketPositionSize: "2" }],
    [{ intent: "target", direction: "CALL", positionSize: "0" }],
    [{ intent: "target", direction: "SHORT", positionSize: "-1" }],
    [{ intent: "reverse", action: "BUY", direction: "LONG" }],
    [{ intent: "open", action: "BUY", direction: "LONG" }]
  ] satisfies ReadonlyArray<readonly [Partial<IntentFields>]>)("and what can be is not [%o]", (given) => {
    assert.deepStrictEqual(reasons(given), [])
  })
})
