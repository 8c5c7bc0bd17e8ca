/** What a post is: a signal, metadata, or refused with every error. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

import {
  bodyHash,
  isJsonObject,
  type JsonObject,
  type JsonValue
} from "../../../src/domain/kernel/canonical-json.ts"
import { identityOf } from "../../../src/domain/signals/identity.ts"
import { decodeIntakeBody } from "../../../src/wire/intake-body.ts"
import document from "../../../src/wire/openapi.json" with { type: "json" }
import { bodyProblems } from "../../support/openapi.ts"
import { readJson } from "../../../src/domain/kernel/json-reader.ts"

const signal: JsonObject = {
  symbol: "SPY",
  action: "BUY",
  timeframe: "5m",
  timestamp: "2025-10-21T22:45:00Z"
}
const metadata: JsonObject = {
  snapshot_id: "7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b",
  score: { "Buy Score": 1, "Sell Score": 2 },
  trigger: "t",
  pair: "ZRX-USD"
}
const pathsOf = (body: JsonValue): ReadonlyArray<string> => {
  const parsed = decodeIntakeBody(body)
  return !parsed.ok ? parsed.errors.map((error) => error.path) : []
}

describe("a post", () => {
  it("with the fields of a signal is a signal, stored without its secret", () => {
    const parsed = decodeIntakeBody({ ...signal, secret: "s", note: "mine" })
    assert(parsed.ok && parsed.value.kind === "signal")
    assert.deepStrictEqual(parsed.value.body, { ...signal, note: "mine" })
    assert.isTrue(parsed.value.hasTimestamp)
  })

  it("T3 with a snapshot_id is metadata, never an order", () => {
    const parsed = decodeIntakeBody({ ...metadata, secret: "s" })
    assert(parsed.ok)
    assert.strictEqual(parsed.value.kind, "metadata")
    assert.deepStrictEqual(parsed.value.body, metadata)
    assert.isFalse(parsed.value.hasTimestamp)
  })

  it("of metadata that names its time has a timestamp", () => {
    const parsed = decodeIntakeBody({ ...metadata, timestamp: 1_761_086_700 })
    assert(parsed.ok)
    assert.isTrue(parsed.value.hasTimestamp)
  })

  it("T3 with fields of a signal and of metadata together is refused", () => {
    assert.deepStrictEqual(pathsOf({ ...metadata, ...signal }), ["symbol", "action", "timeframe"])
  })

  for (const [name, body] of [
    ["null", null],
    ["text", "BUY SPY"],
    ["a number", 5],
    ["an array", [signal]]
  ] as const) {
    it(`[${name}] is refused as a whole`, () => {
      assert.deepStrictEqual(pathsOf(body), [""])
    })
  }

  it("with an id that cannot be used is refused together with its other errors", () => {
    assert.deepStrictEqual(pathsOf({ ...signal, id: {}, quantity: 0 }), ["quantity", "id"])
    assert.deepStrictEqual(pathsOf({ ...signal, id: "" }), [])
    assert.deepStrictEqual(pathsOf({ ...signal, id: 7 }), [])
  })
})

describe("the placeholder of a field that was refused (T12)", () => {
  const messagesOf = (body: JsonObject) => {
    const parsed = decodeIntakeBody(body)
    return parsed.ok ? [] : parsed.errors.map(({ message }) => message)
  }

  it.each([
    ["not filled in", { price: "{{close}}" }, "; {{close}} was not filled in"],
    ["unknown", { quantity: "{{my.secret}}" }, "; a placeholder was not filled in"],
    ["without a value", { price: "NaN" }, "; {{close}} had no value"],
    ["of a word", { action: "{{strategy.order.action}}" }, "; {{strategy.order.action}} was not filled in"],
    ["of a time", { timestamp: "{{timenow}}" }, "; {{timenow}} was not filled in"],
    ["of a symbol", { symbol: "{{ticker}}" }, "must be a symbol: {{ticker}} was not filled in"]
  ])("is named [%s]", (_, fields, words) => {
    const messages = messagesOf({ ...signal, ...fields })
    assert.strictEqual(messages.length, 1)
    assert.isTrue(messages[0]?.endsWith(words), messages[0])
  })

  it("is not named where the value says nothing about it", () => {
    assert.deepStrictEqual(
      messagesOf({ ...signal, action: "HOLD" }).filter((text) => text.includes("{{")),
      []
    )
  })
})

describe("the numbers of a post", () => {
  const read = (fields: string) => {
    const json = readJson(
      new TextEncoder().encode(
        `{"symbol":"SPY","action":"BUY","timeframe":"5m","timestamp":"2025-10-21T22:45:00Z",${fields}}`
      )
    )
    assert(Result.isSuccess(json), fields)
    return decodeIntakeBody(json.success)
  }
  const signalOf = (fields: string) => {
    const parsed = read(fields)
    if (!parsed.ok) assert.fail(JSON.stringify(parsed.errors))
    assert(parsed.value.kind === "signal")
    return parsed.value
  }
  const hashOf = (fields: string): string => bodyHash(signalOf(fields).body)

  for (const [sent, meant] of [
    ["0.1", "0.1"],
    ["1e3", "1000"],
    ["100.50", "100.5"],
    ["9007199254740992", "9007199254740992"],
    ["9007199254740993", "9007199254740993"],
    ["12345678901234567890.123456789", "12345678901234567890.123456789"],
    ["0.10000000000000001", "0.10000000000000001"]
  ] as const) {
    it(`mean what they say [${sent}]`, () => {
      const { body, signal: given } = signalOf(`"quantity":${sent},"price":${sent},"strike":${sent}`)
      assert.deepStrictEqual([given.quantity, given.price, given.strike], [meant, meant, meant])
      // What is stored is what was sent, too.
      assert.include(JSON.stringify(body), `"quantity":${meant},`)
    })
  }

  it("with more digits than money has are an error of their field, never rounded", () => {
    for (const field of ["quantity", "price", "strike"]) {
      for (const number of ["123456789012345678901.5", "0.1234567890123456789"]) {
        const parsed = read(`"${field}":${number}`)
        assert(!parsed.ok)
        assert.deepStrictEqual(
          parsed.errors.map(({ path }) => path),
          [field]
        )
      }
    }
  })

  it("make another body of another number, in fields nobody knows as well", () => {
    assert.notStrictEqual(hashOf('"quantity":9007199254740992'), hashOf('"quantity":9007199254740993'))
    assert.notStrictEqual(hashOf('"x":{"y":[0.1]}'), hashOf('"x":{"y":[0.10000000000000001]}'))
    assert.strictEqual(
      hashOf('"x":9007199254740993'),
      hashOf('"x":9.007199254740993e15'),
      "one value in two notations is one body"
    )
  })

  it("leave the identity of an ordinary body what it was", () => {
    assert.strictEqual(
      hashOf('"quantity":0.1,"a":1e3,"b":100.50,"c":-0,"d":1e21,"e":[123456789012345680000,5e-7,1.0]'),
      "bc9602e591a44de76d875847200c1531b1aa65ba501a0962cef2912c0d6ae5c4"
    )
  })

  it("are no event id when they are not exact for everybody", () => {
    const parsed = read('"id":9007199254740993')
    assert(!parsed.ok)
    assert.deepStrictEqual(parsed.errors, [
      { path: "id", message: "must be a string, or an integer that is exact in JSON" }
    ])
  })

  it("may be a time with more digits than anybody needs", () => {
    const json = readJson(
      new TextEncoder().encode(
        '{"symbol":"SPY","action":"BUY","timeframe":"5m","timestamp":1761086700.1234567891}'
      )
    )
    assert(Result.isSuccess(json))
    const parsed = decodeIntakeBody(json.success)
    assert(parsed.ok && parsed.value.kind === "signal")
    assert.strictEqual(parsed.value.signal.firedAtMs, 1_761_086_700_123)
  })

  it("may be scores with more digits than a double has", () => {
    const json = readJson(
      new TextEncoder().encode(
        '{"snapshot_id":"7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b","score":{"Buy Score":0.12345678901234567891,"Sell Score":2},"trigger":"t","pair":"ZRX-USD"}'
      )
    )
    assert(Result.isSuccess(json))
    const parsed = decodeIntakeBody(json.success)
    assert(parsed.ok && parsed.value.kind === "metadata")
    assert.strictEqual(parsed.value.metadata.buyScore, 0.12345678901234568)
  })
})

describe("the description of a post in /openapi.json", () => {
  const whole = { ...signal, direction: "long" }
  const { symbol: _symbol, ...nameless } = signal
  const { action: _action, ...wishless } = signal
  const refused: ReadonlyArray<readonly [string, JsonObject]> = [
    ["no symbol and no ticker", nameless],
    ["a blank symbol", { ...signal, symbol: " " }],
    ["a symbol that is not ASCII", { ...signal, symbol: "SÜD" }],
    ["nothing that is wanted", wishless],
    ["an intent that needs a side", { ...wishless, intent: "open" }],
    ["an unknown action", { ...signal, action: "HOLD" }],
    ["an unknown direction", { ...signal, direction: "up" }],
    ["an unknown intent", { ...signal, intent: "hold" }],
    ["an unknown market position", { ...signal, market_position: "none" }],
    ["an unknown position before", { ...signal, prev_market_position: 1 }],
    ["a position of text", { ...signal, position_size: "much" }],
    ["a size below zero", { ...whole, market_position_size: -1 }],
    ["a size below zero as text", { ...whole, market_position_size: "-0.5" }],
    ["no timeframe", { ...signal, timeframe: null }],
    ["a timeframe of zero", { ...signal, timeframe: "0m" }],
    ["a timeframe of another unit", { ...signal, timeframe: "5q" }],
    ["half a minute", { ...signal, timeframe: 0.5 }],
    ["no timestamp", { ...signal, timestamp: "" }],
    ["a local time", { ...signal, timestamp: "2025-10-21T22:45:00" }],
    ["a time in another unit", { ...signal, timestamp: 1_761_086 }],
    ["a quantity of zero", { ...signal, quantity: 0 }],
    ["a quantity of zero as text", { ...signal, quantity: "0.00" }],
    ["a quantity below zero", { ...signal, quantity: "-1" }],
    ["a price with a comma", { ...signal, price: "1,000" }],
    ["a strike that is no number", { ...signal, strike: "NaN" }],
    ["a strategy that is a number", { ...signal, strategy: 5 }],
    ["a strategy that is too long", { ...signal, strategy: "a".repeat(129) }],
    ["an expiration that is no day", { ...signal, expiration: "soon" }],
    ["a kind of order that is none", { ...signal, order_type: "iceberg" }],
    ["a limit without its price", { ...signal, order_type: "limit" }],
    ["a limit with a blank price", { ...signal, order_type: "Limit", limit_price: " " }],
    ["a stop without its price", { ...signal, order_type: "stop", limit_price: 10 }],
    ["a stop limit with one price", { ...signal, order_type: "stop_limit", stop_price: 10 }],
    ["a limit price at market", { ...signal, limit_price: 10 }],
    ["a limit price on a stop", { ...signal, order_type: "stop", limit_price: 10, stop_price: 9 }],
    ["a stop price on a limit", { ...signal, order_type: "limit", limit_price: 10, stop_price: "10" }],
    ["a limit of zero", { ...signal, order_type: "limit", limit_price: "0.0" }],
    ["a stop below zero", { ...signal, order_type: "stop", stop_price: -1 }],
    ["a time in force that is none", { ...signal, time_in_force: "fok" }],
    ["a stop only now", { ...signal, order_type: "stop", stop_price: 9, time_in_force: "IOC" }],
    ["an id that is no name", { ...signal, id: {} }],
    ["a signal and metadata at once", { ...signal, snapshot_id: metadata["snapshot_id"] ?? null }],
    ["a signal with a producer's scores", { ...signal, score: { "Buy Score": 1 } }]
  ]
  for (const [name, body] of refused) {
    it(`refuses what the intake refuses [${name}]`, () => {
      assert.isNotEmpty(pathsOf(body))
      assert.isNotEmpty(bodyProblems(body))
    })
  }

  it("has every field of a post with what it means, and README.md names those of a signal and of metadata", () => {
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8")
    const { MetadataBody, SignalBody } = document.components.schemas
    for (const [name, property] of Object.entries({ ...MetadataBody.properties, ...SignalBody.properties })) {
      assert.isNotEmpty("description" in property ? property.description : "", name)
      assert.include(readme, `\`${name}\``)
    }
  })
})

describe("any body", () => {
  const odd: ReadonlyArray<string> = [
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1e400",
    "1e-400",
    "5e-324",
    "9007199254740993",
    '""',
    '" "',
    '"NaN"',
    '"BUY"',
    '"long"',
    '"5m"',
    '"SPY"',
    '"2025-10-21T22:45:00Z"',
    '"\\u0000"',
    '"\\ud800"',
    '"{{close}}"',
    "[]",
    "{}",
    '[{"a":[null]}]',
    '{"Buy Score":null}',
    '{"__proto__":1}',
    '{"a":1,"a":2}',
    "1761086700",
    "1761086700000",
    '"7f3b1c52-2f5a-4a53-9c0e-0b1d2e3f4a5b"'
  ]
  const keys = [
    "symbol",
    "ticker",
    "action",
    "direction",
    "timeframe",
    "timestamp",
    "quantity",
    "price",
    "strategy",
    "strike",
    "expiration",
    "id",
    "secret",
    "snapshot_id",
    "score",
    "trigger",
    "pair",
    "order_id",
    "side",
    "constructor",
    "__proto__",
    "x"
  ]
  const members = Arbitrary.array(
    Arbitrary.all([Arbitrary.schema(Schema.Literals(keys)), Arbitrary.schema(Schema.Literals(odd))]),
    { maxLength: 10 }
  )

  it.prop(
    "is taken or refused with paths and messages, and what is taken can be stored, hashed and identified",
    [members, Schema.Boolean],
    ([list, complete]) => {
      const usual = complete
        ? Object.entries(signal).map(([key, value]) => [key, JSON.stringify(value)] as const)
        : []
      const chosen = new Map<string, string>([...usual, ...list])
      const text = `{${[...chosen].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`
      const parsed = Result.match(readJson(new TextEncoder().encode(text)), {
        onFailure: (refused) => ({ ok: false, errors: [refused] }) as const,
        onSuccess: decodeIntakeBody
      })
      if (!parsed.ok) {
        assert.isNotEmpty(parsed.errors)
        for (const { path, message } of parsed.errors)
          assert.isTrue(typeof path === "string" && message !== "", text)
        assert.strictEqual(new Set(parsed.errors.map(({ path }) => path)).size, parsed.errors.length, text)
        return
      }
      const { body, hasTimestamp } = parsed.value
      assert(isJsonObject(body))
      assert.deepStrictEqual(bodyProblems(body), [], text)
      assert.isFalse(Object.hasOwn(body, "secret"))
      assert.notInclude(JSON.stringify(body), "\\u0000")
      assert.isTrue(Result.isSuccess(identityOf("default", {}, body, hasTimestamp, 0)), text)
    },
    { arbitrary: { runs: 3_000, seed: 111 } }
  )
})
