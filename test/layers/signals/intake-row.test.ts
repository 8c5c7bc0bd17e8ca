/** What becomes of a post as a row: both sides of every boundary of time. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { JsonObject } from "../../../src/domain/kernel/canonical-json.ts"
import { identityOf } from "../../../src/domain/signals/identity.ts"
import { decodeIntakeBody } from "../../../src/wire/intake-body.ts"
import { ageLimits, intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { intakeRow } from "../../../src/layers/signals/intake-row.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom({ sources: { bars: { timestampIs: "bar" } } })
const nowMs = Date.UTC(2025, 9, 21, 22, 45, 30)

const rowOf = (body: JsonObject, source = "default", at = nowMs) => {
  const parsed = decodeIntakeBody(body)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors))
  const identity = identityOf(source, {}, parsed.value.body, parsed.value.hasTimestamp, at)
  if (Result.isFailure(identity)) throw new Error(JSON.stringify(identity.failure))
  return intakeRow(settings, {
    source,
    parsed: parsed.value,
    identity: identity.success,
    requestId: "r",
    nowMs: at
  })
}
const signalAt = (timestampMs: number): JsonObject => ({
  symbol: "SPY",
  direction: "long",
  timeframe: "5m",
  timestamp: new Date(timestampMs).toISOString()
})
const verdictOf = (timestampMs: number, source?: string): string =>
  Result.match(rowOf(signalAt(timestampMs), source), {
    onSuccess: ({ reason, status }) => reason ?? status,
    onFailure: ([error]) => `refused: ${error?.path}`
  })

describe("the time of a signal", () => {
  const { clockSkewMsMax, signalAgeMsDefault } = ageLimits
  it.each([
    ["as far ahead as clocks may differ", clockSkewMsMax, "default", "received"],
    ["a millisecond further ahead", clockSkewMsMax + 1, "default", "refused: timestamp"],
    ["a bar as far ahead", clockSkewMsMax, "bars", "received"],
    ["a bar a millisecond further ahead", clockSkewMsMax + 1, "bars", "refused: timestamp"],
    ["as old as it may be", -signalAgeMsDefault, "default", "received"],
    ["a millisecond older", -signalAgeMsDefault - 1, "default", "too_old"],
    ["a bar as old after its end", -signalAgeMsDefault - 300_000, "bars", "received"],
    ["a bar a millisecond older", -signalAgeMsDefault - 300_001, "bars", "too_old"]
  ] as const)("[%s]", (_, offsetMs, source, verdict) => {
    assert.strictEqual(verdictOf(nowMs + offsetMs, source), verdict)
  })
})

describe("[T3] a payload that names neither event nor time", () => {
  const untimed = {
    snapshot_id: "0c8b2c9e-2f0c-4a57-8a53-3f6a53d6c0e1",
    score: { "Buy Score": 1, "Sell Score": 0 },
    trigger: "t",
    pair: "ZRX-USD"
  }
  const at = (ms: number) => Result.getOrThrow(rowOf(untimed, "default", ms))
  it("looks into the minute before and the minute after, and no further", () => {
    const minute = intakeLimits.identityBucketMs
    const row = at(nowMs)
    assert.deepStrictEqual(row.neighbourIdentities, [
      at(nowMs - minute).identity,
      at(nowMs + minute).identity
    ])
    assert.notInclude(row.neighbourIdentities, at(nowMs - 2 * minute).identity)
    assert.notInclude(row.neighbourIdentities, at(nowMs + 2 * minute).identity)
  })
  it("meets itself across a minute's edge from both sides", () => {
    const edge = Math.ceil(nowMs / intakeLimits.identityBucketMs) * intakeLimits.identityBucketMs
    assert.include(at(edge).neighbourIdentities, at(edge - 1).identity)
    assert.include(at(edge - 1).neighbourIdentities, at(edge).identity)
  })
  it("says when it came, which is what its neighbours are measured by", () => {
    assert.strictEqual(at(nowMs).bucketAtMs, nowMs)
    assert.isUndefined(Result.getOrThrow(rowOf(signalAt(nowMs))).bucketAtMs)
  })
  it("has no neighbours once something names it", () => {
    assert.deepStrictEqual(Result.getOrThrow(rowOf(signalAt(nowMs))).neighbourIdentities, [])
  })
})
