/** Requirement D1: what a body from outside means as a signal, and every way in which it does not. */
import { assert, describe, it } from "@effect/vitest"

import type { JsonObject } from "../../../src/domain/kernel/canonical-json.ts"
import { intentOf, type Signal } from "../../../src/domain/signals/signal.ts"
import { bodyProblems } from "../../support/openapi.ts"
import { decodeSignal } from "../../../src/wire/signal-body.ts"

const plain: JsonObject = {
  symbol: "SPY",
  direction: "long",
  timeframe: "5m",
  timestamp: "2025-10-21T22:45:00Z"
}

const signalOf = (body: JsonObject): Signal => {
  const parsed = decodeSignal(body)
  assert(parsed.ok, JSON.stringify(!parsed.ok ? parsed.errors : null))
  assert.deepStrictEqual(bodyProblems(body), [], "what is taken is described")
  return parsed.value
}
const pathsOf = (body: JsonObject): ReadonlyArray<string> => {
  const parsed = decodeSignal(body)
  return !parsed.ok ? parsed.errors.map((error) => error.path) : []
}
const without = (key: string): JsonObject =>
  Object.fromEntries(Object.entries(plain).filter(([name]) => name !== key))

describe("a plain alert", () => {
  it("is a signal", () => {
    assert.deepStrictEqual(signalOf(plain), {
      symbol: "SPY",
      action: null,
      direction: "LONG",
      timeframe: "5m",
      timeframeMs: 300_000,
      firedAtMs: Date.UTC(2025, 9, 21, 22, 45),
      quantity: null,
      price: null,
      strategy: null,
      strike: null,
      expiration: null,
      intent: null,
      positionSize: null,
      marketPosition: null,
      prevMarketPosition: null,
      marketPositionSize: null,
      orderType: null,
      limitPrice: null,
      stopPrice: null,
      timeInForce: null
    })
  })

  it("may name everything", () => {
    const signal = signalOf({
      ...plain,
      ticker: "SPY",
      action: "buy",
      direction: "call",
      quantity: 2,
      price: "601.250",
      strategy: " momentum ",
      strike: "600",
      expiration: "2025-12-19"
    })
    assert.deepInclude(signal, {
      action: "BUY",
      direction: "CALL",
      quantity: "2",
      price: "601.25",
      strategy: "momentum",
      strike: "600",
      expiration: "2025-12-19"
    })
  })

  it("may carry fields that we do not know, and null or nothing for what it does not use", () => {
    assert.deepStrictEqual(
      signalOf({
        ...plain,
        comment: "x",
        trigger: "y",
        score: 0.5,
        action: null,
        strike: null,
        quantity: null,
        price: "",
        strategy: " ",
        intent: "",
        order_type: "",
        limit_price: "",
        stop_price: null
      }),
      signalOf(plain)
    )
  })

  it("never keeps a secret", () => {
    assert.notInclude(JSON.stringify(signalOf({ ...plain, secret: "hunter2" })), "hunter2")
  })

  it("is not found on a prototype", () => {
    assert.deepStrictEqual(pathsOf(Object.create(plain) as JsonObject), [
      "symbol",
      "action",
      "timeframe",
      "timestamp"
    ])
  })
})

describe("the intent of action and direction", () => {
  for (const [action, direction, side, effect] of [
    ["BUY", null, "buy", "either"],
    ["SELL", null, "sell", "either"],
    ["BUY", "LONG", "buy", "open"],
    ["SELL", "LONG", "sell", "close"],
    ["SELL", "SHORT", "sell", "open"],
    ["BUY", "SHORT", "buy", "close"],
    ["BUY", "CALL", "buy", "open"],
    ["SELL", "CALL", "sell", "close"],
    ["BUY", "PUT", "buy", "open"],
    ["SELL", "PUT", "sell", "close"]
  ] as const) {
    it(`[${action}, ${direction ?? "no direction"}] is to ${effect} with a ${side}`, () => {
      const signal = signalOf({ ...plain, action, direction: direction?.toLowerCase() ?? null })
      assert.deepInclude(signal, { action, direction, intent: null })
      assert.deepStrictEqual(intentOf(action, direction), { side, effect })
    })
  }
})

describe("the symbol", () => {
  it("may be named ticker", () => {
    assert.strictEqual(signalOf({ ...without("symbol"), ticker: "SPY" }).symbol, "SPY")
  })
  it("named twice must be named the same", () => {
    assert.deepStrictEqual(pathsOf({ ...plain, ticker: "QQQ" }), ["ticker"])
  })
  it("that is wrong under one name is not taken from the other", () => {
    assert.deepStrictEqual(pathsOf({ ...plain, ticker: "x\ty" }), ["ticker"])
  })
  it("left blank under one name is taken from the other", () => {
    assert.strictEqual(signalOf({ ...without("symbol"), symbol: "", ticker: "SPY" }).symbol, "SPY")
  })
})

describe("an error names its field", () => {
  const cases: ReadonlyArray<readonly [string, JsonObject, ReadonlyArray<string>]> = [
    ["no symbol and no ticker", without("symbol"), ["symbol"]],
    ["no action and no direction", without("direction"), ["action"]],
    ["no timeframe", without("timeframe"), ["timeframe"]],
    ["no timestamp", without("timestamp"), ["timestamp"]],
    ["a null timestamp", { ...plain, timestamp: null }, ["timestamp"]],
    ["a timestamp without zone", { ...plain, timestamp: "2025-10-21T22:45:00" }, ["timestamp"]],
    ["an unknown action", { ...plain, action: "HOLD" }, ["action"]],
    ["an action that is no text", { ...plain, action: 1 }, ["action"]],
    ["an unknown direction", { ...plain, direction: "sideways" }, ["direction"]],
    ["a wrong direction beside a good action", { ...plain, action: "BUY", direction: "up" }, ["direction"]],
    ["a quantity of zero", { ...plain, quantity: 0 }, ["quantity"]],
    ["a negative quantity", { ...plain, quantity: "-1" }, ["quantity"]],
    ["a quantity with a comma", { ...plain, quantity: "1,000" }, ["quantity"]],
    ["a blank timeframe", { ...plain, timeframe: " " }, ["timeframe"]],
    ["a quantity that is NaN as text", { ...plain, quantity: "NaN" }, ["quantity"]],
    ["a quantity that is too large", { ...plain, quantity: 1e30 }, ["quantity"]],
    ["a quantity that is true", { ...plain, quantity: true }, ["quantity"]],
    ["an object as a price", { ...plain, price: {} }, ["price"]],
    ["a strategy with a line break", { ...plain, strategy: "a\nb" }, ["strategy"]],
    ["a strategy that is too long", { ...plain, strategy: "a".repeat(129) }, ["strategy"]],
    ["a strategy that is a number", { ...plain, strategy: 5 }, ["strategy"]],
    ["an expiration that is no day", { ...plain, expiration: "2025-02-30" }, ["expiration"]],
    ["a strike of zero", { ...plain, strike: 0 }, ["strike"]]
  ]
  for (const [name, body, paths] of cases) {
    it(`[${name}] at ${paths.join(", ")}`, () => {
      assert.deepStrictEqual(pathsOf(body), paths)
    })
  }

  it("and all errors come at once, one per field", () => {
    assert.deepStrictEqual(
      pathsOf({
        ticker: "a\nb",
        action: "x",
        direction: "y",
        quantity: -1,
        price: "p",
        strategy: 1,
        strike: "s",
        expiration: "e"
      }),
      [
        "ticker",
        "action",
        "direction",
        "timeframe",
        "timestamp",
        "quantity",
        "price",
        "strategy",
        "strike",
        "expiration"
      ]
    )
  })

  it("and never repeats the value it is about", () => {
    const parsed = decodeSignal({
      ...plain,
      action: "hunter2",
      timestamp: "hunter2",
      quantity: "hunter2",
      strategy: "hunter2\n"
    })
    assert(!parsed.ok)
    assert.notInclude(JSON.stringify(parsed.errors), "hunter2")
  })
})
