/** What practice mode sends itself: the same for a seed, one per period, and a signal like any other. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { PRACTICE_SOURCE } from "../../../src/domain/kernel/practice-defaults.ts"
import { ownSignal } from "../../../src/domain/operators/own-signal.ts"
import {
  PRACTICE_SYMBOLS,
  practicePeriod,
  practiceSignal
} from "../../../src/domain/operators/practice-signal.ts"
import { identityOf } from "../../../src/domain/signals/identity.ts"
import { decodeIntakeBody } from "../../../src/wire/intake-body.ts"

const MINUTE = 60_000
const noon = Date.parse("2026-12-01T12:00:00Z")
const day = (seed: number) =>
  Array.from({ length: 1_440 }, (_, n) => practiceSignal(seed, practicePeriod(MINUTE, noon + n * MINUTE)))

const identityIn = ({ body, source }: ReturnType<typeof practiceSignal>) => {
  const identity = identityOf(source, {}, body, true, noon)
  return Result.isSuccess(identity) ? identity.success : assert.fail("it has an identity")
}

describe("the signal of a period", () => {
  it("is the same whenever in the period it is sent, to its identity and its content", () => {
    for (const ms of [0, 1, 30_000, 59_999]) {
      const signal = practiceSignal(7, practicePeriod(MINUTE, noon + ms))
      assert.deepStrictEqual(signal, practiceSignal(7, practicePeriod(MINUTE, noon)))
      assert.strictEqual(identityIn(signal).bodyHash, identityIn(day(7)[0] ?? signal).bodyHash)
    }
    assert.deepStrictEqual(practicePeriod(MINUTE, noon + 1), {
      index: noon / MINUTE,
      startsAtMs: noon,
      endsAtMs: noon + MINUTE
    })
  })

  it("has an identity of its own, and another one with another seed or period", () => {
    const keys = [...day(1), ...day(2)].map((signal) => identityIn(signal).key)
    assert.strictEqual(new Set(keys).size, keys.length)
  })

  it("follows from the seed: the same day again, another day with another seed", () => {
    const told = (seed: number) => day(seed).map(({ signal }) => `${String(signal.action)} ${signal.symbol}`)
    assert.deepStrictEqual(told(1), told(1))
    assert.notDeepEqual(told(1), told(2))
  })

  it("of a day buys and sells every symbol, and buys more than it sells", () => {
    const signals = day(1)
    for (const symbol of PRACTICE_SYMBOLS)
      for (const action of ["BUY", "SELL"])
        assert.isAbove(
          signals.filter((one) => one.symbol === symbol && one.signal.action === action).length,
          50,
          `${action} ${symbol}`
        )
    const bought = signals.filter(({ signal }) => signal.action === "BUY").length / signals.length
    assert.isAbove(bought, 0.6)
    assert.isBelow(bought, 0.7)
  })

  it("means what the intake reads in its body", () => {
    const own = [
      ...day(1).slice(0, 20),
      ownSignal({ id: "x", source: "default", symbol: "DRILL1", action: "SELL", intent: "close" }, noon)
    ]
    for (const { body, signal } of own) {
      const read = decodeIntakeBody(body)
      if (!read.ok || read.value.kind !== "signal") return assert.fail(JSON.stringify(read))
      assert.deepStrictEqual(read.value.signal, signal)
      assert.isTrue(read.value.hasTimestamp)
    }
    assert.isTrue(day(1).every(({ source }) => source === PRACTICE_SOURCE))
  })
})
