/**
 * What a body must be before anything else looks at it. Every refusal names its path; nothing throws for any bytes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"

import { canonicalJson, type JsonValue } from "../../../src/domain/kernel/canonical-json.ts"
import { findJsonFault } from "../../../src/domain/kernel/json-fault.ts"
import { type JsonRefused, readJson, readJsonText } from "../../../src/domain/kernel/json-reader.ts"
import { intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const accepted = (text: string): JsonValue => {
  const read = readJson(bytes(text))
  assert(Result.isSuccess(read), `${text.slice(0, 80)} was refused`)
  return read.success
}

const refusal = (text: string): JsonRefused => {
  const read = readJson(bytes(text))
  assert(Result.isFailure(read), `${text.slice(0, 80)} was accepted`)
  return read.failure
}

describe("a body that is JSON", () => {
  it("is read as the native parser reads it", () => {
    for (const text of [
      '{"a":[1,2.5,-3e2,true,false,null,"x"]}',
      "[]",
      "{}",
      '"text"',
      "0",
      ' \t\n{"a" : 1 }\r\n'
    ]) {
      assert.deepStrictEqual(accepted(text), JSON.parse(text))
    }
  })

  it("may hold colons, quotes and braces inside its text", () => {
    const text = String.raw`{"a:b":"c:\"d\":{e:}","\\":":\\"}`
    assert.deepStrictEqual(accepted(text), JSON.parse(text))
  })

  it("may hold whole surrogate pairs, escaped or not", () => {
    assert.deepStrictEqual(accepted(String.raw`{"a":"\ud83d\ude00","b":"😀"}`), { a: "😀", b: "😀" })
  })

  it("keeps negative zero a number", () => {
    assert.isTrue(Object.is((accepted('{"a":-0}') as { a: number }).a, -0))
  })

  it(`may nest ${intakeLimits.bodyDepthMax} deep and no deeper`, () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)
    accepted(nested(intakeLimits.bodyDepthMax))
    assert.strictEqual(refusal(nested(intakeLimits.bodyDepthMax + 1)).reason, "too_deep")
    accepted('{"a":'.repeat(intakeLimits.bodyDepthMax) + "1" + "}".repeat(intakeLimits.bodyDepthMax))
    assert.strictEqual(
      refusal('{"a":'.repeat(intakeLimits.bodyDepthMax + 1) + "1" + "}".repeat(intakeLimits.bodyDepthMax + 1))
        .reason,
      "too_deep"
    )
  })
})

describe("a body is refused with the path of its fault", () => {
  const cases: ReadonlyArray<readonly [string, string, JsonRefused["reason"], string]> = [
    ["empty", "", "syntax", ""],
    ["blank", " \n", "syntax", ""],
    ["plain text", "BUY SPY", "syntax", ""],
    ["a truncated body", '{"symbol":"SPY","score":{"Buy Score":', "syntax", "score.Buy Score"],
    ["text without an end", '{"symbol":"SPY', "syntax", "symbol"],
    ["a missing value", '{"symbol":}', "syntax", "symbol"],
    ["a trailing comma", '{"symbol":"SPY",}', "syntax", ""],
    ["a missing comma", '{"a":1 "b":2}', "syntax", "a"],
    ["a missing comma in an inner array", '{"legs":[{"a":1} {"a":2}]}', "syntax", "legs[0]"],
    ["a missing bracket", '{"legs":[1 "a":2}', "syntax", "legs[0]"],
    ["a semicolon for a comma", '{"a":1; "b":2}', "syntax", ""],
    ["a missing colon", '{"a" 1}', "syntax", "a"],
    ["a second value", '{"a":1}{"b":2}', "syntax", ""],
    ["single quotes", "{'a':1}", "syntax", ""],
    ["a comment", '{"a":1/* one */}', "syntax", ""],
    ["NaN", '{"price":NaN}', "syntax", "price"],
    ["-Infinity", '{"legs":[{"price":-Infinity}]}', "syntax", "legs[0].price"],
    ["a leading zero", '{"price":01}', "syntax", "price"],
    ["a leading plus", '{"price":+1}', "syntax", "price"],
    ["a bare point", '{"price":.5}', "syntax", "price"],
    ["a hexadecimal number", '{"price":0x10}', "syntax", "price"],
    ["None", '{"strike":None}', "syntax", "strike"],
    ["an unfilled placeholder", '{"price":{{close}}}', "syntax", "price"],
    ["a raw line break in text", '{"note":"a\nb"}', "syntax", "note"],
    ["an unknown escape", String.raw`{"note":"\x41"}`, "syntax", "note"],
    ["a number out of range", '{"score":{"Buy Score":1e999}}', "not_finite", "score.Buy Score"],
    ["a number too small for a double", '{"a":[1e-400]}', "not_finite", "a[0]"],
    ["a number of thousands of digits", `{"a":0.${"3".repeat(2_000)}}`, "not_finite", "a"],
    ["a key given twice", '{"action":"BUY","action":"SELL"}', "duplicate_key", "action"],
    [
      "a key given twice through an escape",
      String.raw`{"action":"BUY","\u0061ction":"SELL"}`,
      "duplicate_key",
      "action"
    ],
    [
      "a key given twice in an inner object",
      '{"legs":[{"a":1},{"b":{"c":1,"c":2}}]}',
      "duplicate_key",
      "legs[1].b.c"
    ],
    ["the key __proto__", '{"extra":{"__proto__":{"admin":true}}}', "bad_text", "extra.__proto__"],
    ["a lone high surrogate", String.raw`{"note":"\ud83d"}`, "bad_text", "note"],
    ["a lone low surrogate in a key", String.raw`{"a":{"\ude00":1}}`, "bad_text", "a.\ufffd"],
    ["NUL, which jsonb cannot store", String.raw`{"note":["a\u0000b"]}`, "bad_text", "note[0]"]
  ]
  for (const [name, text, reason, path] of cases) {
    it(`[${name}] as ${reason} at "${path}"`, () => {
      const fault = refusal(text)
      assert.deepStrictEqual({ reason: fault.reason, path: fault.path }, { reason, path })
      assert.isNotEmpty(fault.message)
    })
  }

  for (const [text, message] of [
    ['{"a":1 "b":2}', "a comma is missing after this value (character 7)"],
    ['{"a":"x"\n  "b":2}', "a comma is missing after this value (character 9)"],
    ['{"a":"x""b":2}', "a comma is missing after this value (character 9)"],
    ['{"a":true "b":2}', "a comma is missing after this value (character 10)"],
    ['{"a":{} "b":2}', "a comma is missing after this value (character 8)"],
    ['{"a":1 b:2}', "a comma is missing after this value (character 7)"],
    ["[1 2]", "a comma is missing after this value (character 3)"],
    ["[1 -2]", "a comma is missing after this value (character 3)"],
    ['["a" "b"]', "a comma is missing after this value (character 5)"],
    ["[{} {}]", "a comma is missing after this value (character 4)"],
    ["[null true]", "a comma is missing after this value (character 6)"],
    ['{"a":[1 "b":2}', "a ] is missing after this value (character 8)"],
    ['{"a" 1}', "a colon is missing after the key (character 6)"],
    ['{"a","b":1}', "a colon is missing after the key (character 5)"],
    ['{"a"', "the body ends here: it was cut off (character 5)"],
    ['{"a":1', "the body ends here: it was cut off (character 7)"],
    ['{"a":1,}', "a value is missing, or there is an extra comma (character 8)"],
    // T12: what alert templates write, with the placeholder that is probably behind it.
    [
      '{"price":{{close}}}',
      "{{close}} was not filled in, or its value must be in double quotes (character 10)"
    ],
    [
      '{"x":{{ plot("secret") }}}',
      "a placeholder was not filled in, or its value must be in double quotes (character 6)"
    ],
    ["{{{ticker}}:1}", "{{ticker}} was not filled in, or its value must be in double quotes (character 1)"],
    ['{"price":NaN}', "NaN and Infinity are not JSON numbers; {{close}} had no value (character 10)"],
    ['{"mine":NaN}', "NaN and Infinity are not JSON numbers (character 9)"],
    [
      '{"quantity":,"a":1}',
      "a value is missing, or there is an extra comma; {{strategy.order.contracts}} had no value (character 13)"
    ],
    [
      '{"action":buy}',
      'must be a JSON value; text must be in double quotes, as in "{{strategy.order.action}}" (character 11)'
    ],
    [
      '{"timestamp":2026-11-30T10:00:00Z}',
      'must be a number as JSON writes it, such as 12 or 0.5; text must be in double quotes, as in "{{timenow}}" (character 14)'
    ],
    ["{'symbol':'SPY'}", "text must be in double quotes (character 2)"],
    ["{\"symbol\":'SPY'}", 'text must be in double quotes, as in "{{ticker}}" (character 11)'],
    [
      '\ufeff{"a":1}',
      "a byte order mark is in front of the JSON: send the text as UTF-8 without one (character 1)"
    ]
  ] as const) {
    it(`[${text}] with the message: ${message}`, () => {
      assert.strictEqual(refusal(text).message, message)
    })
  }

  it("bytes that are not UTF-8", () => {
    const read = readJson(new Uint8Array([0x22, 0xff, 0x22]))
    assert(Result.isFailure(read))
    assert.strictEqual(read.failure.reason, "not_utf8")
  })

  it("more bytes than the limit, and not one byte less", () => {
    const body = (size: number): Uint8Array => bytes(`"${"a".repeat(size - 2)}"`)
    assert.isTrue(Result.isSuccess(readJson(body(intakeLimits.bodyBytesMax))))
    const read = readJson(body(intakeLimits.bodyBytesMax + 1))
    assert(Result.isFailure(read))
    assert.strictEqual(read.failure.reason, "too_large")
  })

  it("more values than the limit", () => {
    assert.strictEqual(refusal(`[${"1,".repeat(intakeLimits.bodyValuesMax)}1]`).reason, "too_many")
  })

  it("without repeating the secret that stands in it", () => {
    const secret = "hunter2-hunter2-hunter2"
    for (const text of [
      `{"secret":"${secret}`,
      `{"secret":"${secret}",}`,
      `{"secret":"${secret}" "a"}`,
      secret
    ]) {
      assert.notInclude(JSON.stringify(refusal(text)), secret.slice(0, 8))
    }
  })

  it("with a path that is short and printable whatever the keys are", () => {
    const fault = refusal(JSON.stringify({ ["k\n\u202e" + "x".repeat(500)]: { a: 1 } }).replace("1", "NaN"))
    assert.strictEqual(fault.path, `k??${"x".repeat(61)}....a`)
  })

  it("in bounded time at the size limit, for texts made to be slow", () => {
    const size = intakeLimits.bodyBytesMax - 8
    for (const text of [
      `"${"a".repeat(size)}`,
      `"${"\\".repeat(size)}`,
      "[".repeat(size),
      '{"a":'.repeat(size / 5),
      `${" ".repeat(size)}x`,
      `-${"1".repeat(size)}x`,
      `[${"1,".repeat(size / 2)}`
    ]) {
      // Measured below 20 ms each; a quadratic path would take minutes.
      const cpu = process.cpuUsage()
      assert.isTrue(Result.isFailure(readJsonText(text)))
      assert.isBelow(process.cpuUsage(cpu).user, 2_000_000, "microseconds of computing")
    }
  })
})

describe("a number", () => {
  /** An integer and a power of ten, written in one of the ways JSON has for it. */
  const digits = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Literals("0123456789".split(""))), {
      minLength: 1,
      maxLength: 40
    }),
    (parts) => parts.join("").replace(/^0+(?=\d)/, "")
  )
  const exponent = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -60, maximum: 60 })))
  const sign = Arbitrary.schema(Schema.Literals(["", "-"]))
  const pointed = (whole: string, scale: number): string => {
    if (scale === 0) return whole
    const padded = whole.padStart(scale + 1, "0")
    return `${padded.slice(0, -scale)}.${padded.slice(-scale)}`
  }
  const notations = (minus: string, whole: string, power: number): ReadonlyArray<string> => [
    `${minus}${whole}e${power}`,
    `${minus}${whole}.000E${power >= 0 ? "+" : ""}${power}`,
    `${minus}${pointed(whole, 3)}e${power + 3}`,
    `${minus}${whole === "0" ? "0" : `${whole}00`}e${power - 2}`,
    `${minus}${power < 0 ? pointed(whole, -power) : whole === "0" ? "0" : whole + "0".repeat(power)}`
  ]
  const canonicalOf = (text: string): string => canonicalJson(accepted(`{"a":[${text}]}`))

  it("that a double holds as it is written is a number like any other", () => {
    for (const text of ["0.1", "1e3", "100.50", "-0", "9007199254740992", "0.30000000000000004", "1e21"]) {
      assert.deepStrictEqual(accepted(text), JSON.parse(text), text)
    }
  })

  it("that a double cannot hold keeps its digits, in the value, in JSON and in what is hashed", () => {
    for (const [text, plain] of [
      ["9007199254740993", "9007199254740993"],
      ["-9.007199254740993e15", "-9007199254740993"],
      ["12345678901234567890.123456789", "12345678901234567890.123456789"],
      ["0.10000000000000001", "0.10000000000000001"],
      ["1.00000000000000000010e-3", "0.0010000000000000000001"]
    ] as const) {
      const value = accepted(` {"a":${text}}`)
      assert.strictEqual(JSON.stringify(value), `{"a":${plain}}`)
      assert.strictEqual(canonicalJson(value), `{"a":${plain}}`)
    }
  })

  it.prop(
    "has one canonical text per value, whatever it looks like, and another one for every other value",
    [sign, digits, exponent],
    ([minus, whole, power]) => {
      const texts = notations(minus, whole, power).map(canonicalOf)
      assert.strictEqual(new Set(texts).size, 1, texts.join(" "))
      const next = `${minus}${BigInt(whole) + 1n}e${power}`
      assert.notStrictEqual(canonicalOf(next), texts[0], next)
    },
    { arbitrary: { runs: 2_000, seed: 13 } }
  )

  it.prop(
    "of a double is hashed as it always was",
    [Schema.Finite],
    ([number]) => {
      assert.strictEqual(canonicalOf(JSON.stringify(number)), `{"a":[${JSON.stringify(number)}]}`)
    },
    { arbitrary: { runs: 2_000, seed: 14 } }
  )

  it("is looked at in bounded time, for texts made to be slow", () => {
    const size = intakeLimits.bodyBytesMax - 40
    for (const text of [
      `{"a":0.${"0".repeat(size)}1}`,
      `{"a":1${"0".repeat(300)},"b":"${"1.".repeat(size / 2 - 200)}"}`,
      `{"a":"${"1e1".repeat(size / 3)}"}`,
      `{"a":${" ".repeat(size)}1}`,
      `{"a":1e${"1".repeat(size)}}`
    ]) {
      const cpu = process.cpuUsage()
      readJsonText(text)
      assert.isBelow(process.cpuUsage(cpu).user, 2_000_000, "microseconds of computing")
    }
  })
})

describe("the slow finder and the native parser", () => {
  const bases = [
    '{"symbol":"SPY","action":"BUY","n":-1.5e3,"a":[1,{"b":null}],"t":true}',
    String.raw`["\u0041\n\"",0,{"k":{}},[],false]`,
    '{"a":{"b":{"c":[[[1]]]}}}'
  ]
  const alphabet = "{}[]:,\"\\ 0123-+.eEtrufalsn'/\n\u0001x".split("")
  const edit = Arbitrary.schema(
    Schema.Struct({
      at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 70 })),
      cut: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })),
      put: Schema.Array(Schema.Literals(alphabet)).check(Schema.isMaxLength(3))
    })
  )
  const texts = Arbitrary.all({
    base: Arbitrary.schema(Schema.Literals(bases)),
    edits: Arbitrary.array(edit, { minLength: 0, maxLength: 3 })
  })
  const edited = (
    base: string,
    edits: ReadonlyArray<{ at: number; cut: number; put: ReadonlyArray<string> }>
  ): string =>
    edits.reduce((text, { at, cut, put }) => text.slice(0, at) + put.join("") + text.slice(at + cut), base)
  const parses = (text: string): boolean => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  }

  it.prop(
    "agree on which texts are JSON",
    [texts],
    ([{ base, edits }]) => {
      const text = edited(base, edits)
      const fault = findJsonFault(text)
      assert.strictEqual(fault === null || fault.reason === "duplicate_key", parses(text), text)
    },
    { arbitrary: { runs: 5_000, seed: 11 } }
  )

  it.prop(
    "agree on which keys were given twice",
    [
      Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "c", "\\u0061", "a:b", '\\"'])), {
        maxLength: 5
      })
    ],
    ([keys]) => {
      const text = `{"in":{${keys.map((key) => `"${key}":":"`).join(",")}}}`
      const read = readJsonText(text)
      const twice = new Set(keys.map((key) => JSON.parse(`"${key}"`) as string)).size < keys.length
      assert.strictEqual(Result.isFailure(read) && read.failure.reason === "duplicate_key", twice, text)
    },
    { arbitrary: { runs: 1_000, seed: 12 } }
  )
})
