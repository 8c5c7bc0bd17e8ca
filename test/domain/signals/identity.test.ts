/** T3, every row that is pure: which posts are the same signal, and how old one is. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"

import type { JsonObject } from "../../../src/domain/kernel/canonical-json.ts"
import {
  ageOf,
  ageVerdict,
  bucketedAtMs,
  bucketKey,
  expiresFromMs,
  type Identity,
  type IdentityHeaders,
  identityOf,
  isOneBucketApart,
  previousBucketKey,
  readEventName
} from "../../../src/domain/signals/identity.ts"
import { ExactNumber } from "../../../src/domain/kernel/exact-number.ts"
import { ageLimits, fieldLimits, intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"

const body: JsonObject = { symbol: "SPY", action: "BUY", timeframe: "5m", timestamp: "2025-10-21T22:45:00Z" }
const now = Date.UTC(2025, 9, 21, 22, 45, 59, 999)

const identity = (
  headers: IdentityHeaders,
  of: JsonObject = body,
  hasTimestamp = true,
  at = now
): Identity => {
  const result = identityOf("default", headers, of, hasTimestamp, at)
  assert(Result.isSuccess(result), JSON.stringify(Result.isFailure(result) ? result.failure : null))
  return result.success
}
const refusedAt = (headers: IdentityHeaders, of: JsonObject = body): string | null => {
  const result = identityOf("default", headers, of, true, now)
  return Result.isFailure(result) ? result.failure.path : null
}

describe("T3 identity", () => {
  it("is the webhook-id header before everything else", () => {
    const named = identity({ webhookId: "w", idempotencyKey: "k" }, { ...body, id: "b" })
    assert.deepInclude(named, { kind: "explicit", key: "event:w", previous: null })
  })
  it("is the Idempotency-Key header before the body", () => {
    assert.strictEqual(identity({ idempotencyKey: "k" }, { ...body, id: "b" }).key, "event:k")
  })
  it("is the id of the body before the hash, text or exact integer", () => {
    assert.strictEqual(identity({}, { ...body, id: "b" }).key, "event:b")
    assert.strictEqual(identity({}, { ...body, id: 42 }).key, "event:42")
  })
  it("is the hash of the canonical body without its secret when nothing names it", () => {
    const hashed = identity({}, { secret: "one", ...body })
    assert.strictEqual(hashed.kind, "hash")
    assert.match(hashed.key, /^sha256:[0-9a-f]{64}$/)
    assert.strictEqual(hashed.key, identity({}, { ...body, secret: "two" }).key)
    assert.strictEqual(hashed.key, `sha256:${hashed.bodyHash}`)
    assert.notStrictEqual(hashed.key, identity({}, { ...body, extra: 1 }).key)
  })
  it("does not move with the clock when the body names its time", () => {
    assert.strictEqual(identity({}).key, identity({}, body, true, now + 86_400_000).key)
  })
  it("named by a sender is never one that was computed", () => {
    const hashed = identity({})
    assert.notStrictEqual(identity({ webhookId: hashed.key }).signalId, hashed.signalId)
  })

  for (const [name, headers, of, path] of [
    ["an empty webhook-id", { webhookId: " " }, body, "headers.webhook-id"],
    ["a webhook-id that is too long", { webhookId: "w".repeat(256) }, body, "headers.webhook-id"],
    ["an Idempotency-Key that is not ASCII", { idempotencyKey: "é" }, body, "headers.idempotency-key"],
    ["an id that is an object", {}, { ...body, id: {} }, "id"],
    ["an id that is a fraction", {}, { ...body, id: 1.5 }, "id"],
    ["an id that JSON cannot hold exactly", {}, { ...body, id: 2 ** 53 }, "id"],
    ["an id with a line break", {}, { ...body, id: "a\nb" }, "id"]
  ] as const) {
    it(`[${name}] is refused and not passed over`, () => {
      assert.strictEqual(refusedAt(headers, of), path)
    })
  }

  it(`may be ${intakeLimits.identityLengthMax} characters long`, () => {
    assert.isNull(refusedAt({ webhookId: "w".repeat(intakeLimits.identityLengthMax) }))
  })
})

describe("T3 signal_id", () => {
  it("is a UUID that follows from source and identity", () => {
    const one = identity({ webhookId: "w" })
    assert.match(one.signalId, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.strictEqual(one.signalId, identity({ webhookId: "w" }, { other: true }).signalId)
    assert.strictEqual(one.signalId, identity({}, { ...body, id: "w" }).signalId)
  })
  it("is another one for another source", () => {
    const other = identityOf("tradingview", { webhookId: "w" }, body, true, now)
    assert(Result.isSuccess(other))
    assert.notStrictEqual(other.success.signalId, identity({ webhookId: "w" }).signalId)
  })
})

describe("T3 a payload that names neither event nor time", () => {
  const untimed = (at: number): Identity => identity({}, { pair: "ZRX-USD" }, false, at)
  it("is the same within its bucket", () => {
    const start = Math.floor(now / intakeLimits.identityBucketMs) * intakeLimits.identityBucketMs
    assert.strictEqual(untimed(start).kind, "bucket")
    assert.strictEqual(untimed(start).signalId, untimed(start + intakeLimits.identityBucketMs - 1).signalId)
    assert.notStrictEqual(untimed(start).signalId, untimed(start + intakeLimits.identityBucketMs).signalId)
  })
  it("names the bucket before, so that two posts a second apart meet across a minute", () => {
    const [before, after] = [untimed(now), untimed(now + 1)]
    assert.notStrictEqual(before.key, after.key)
    assert.deepStrictEqual(after.previous, { key: before.key, signalId: before.signalId })
    assert.strictEqual(previousBucketKey("h", now + 1), bucketKey("h", now))
  })
  it("is explicit as soon as something names it", () => {
    assert.strictEqual(identity({ idempotencyKey: "k" }, { pair: "ZRX-USD" }, false).kind, "explicit")
  })
})

describe("T3 age", () => {
  const firedAtMs = Date.UTC(2025, 9, 21, 22, 45)
  const signal = { firedAtMs, timeframeMs: 300_000 }
  const limit = ageLimits.signalAgeMsDefault

  it("counts from a fire time itself", () => {
    assert.strictEqual(expiresFromMs(signal, "fired"), firedAtMs)
    assert.strictEqual(ageOf(signal, "fired", firedAtMs + 1_000), 1_000)
  })
  it("counts from the end of a bar whose time is given", () => {
    assert.strictEqual(expiresFromMs(signal, "bar"), firedAtMs + 300_000)
    assert.strictEqual(ageOf(signal, "bar", firedAtMs + 301_000), 1_000)
  })
  for (const [name, timestampIs, elapsedMs, verdict] of [
    ["at the limit", "fired", limit, "fresh"],
    ["a millisecond past the limit", "fired", limit + 1, "too_old"],
    ["a bar at the limit after its end", "bar", 300_000 + limit, "fresh"],
    ["a bar a millisecond past it", "bar", 300_001 + limit, "too_old"],
    ["a bar that is still open", "bar", 60_000, "fresh"],
    ["a sender's clock within the skew", "fired", -ageLimits.clockSkewMsMax, "fresh"],
    ["a sender's clock past the skew", "fired", -ageLimits.clockSkewMsMax - 1, "from_the_future"],
    ["a bar from the future", "bar", -ageLimits.clockSkewMsMax - 1, "from_the_future"],
    ["the repeat of W7, twenty minutes later", "fired", 20 * 60_000, "too_old"]
  ] as const) {
    it(`[${name}] is ${verdict}`, () => {
      assert.strictEqual(ageVerdict(signal, timestampIs, firedAtMs + elapsedMs, limit), verdict)
    })
  }
})

describe("T3 retention", () => {
  it("is longer than the age limit, weeks by default", () => {
    assert.isAbove(ageLimits.identityRetentionMs, ageLimits.signalAgeMsMax)
    assert.isAtLeast(ageLimits.identityRetentionMs, 14 * 86_400_000)
  })

  it.prop(
    "outlives every signal that could still be accepted, bars of a year too",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: fieldLimits.timeframeMsMax })),
      Schema.Literals(["fired", "bar"])
    ],
    ([timeframeMs, timestampIs]) => {
      const signal = { firedAtMs: now, timeframeMs }
      const until = expiresFromMs(signal, timestampIs) + ageLimits.identityRetentionMs
      assert.strictEqual(ageVerdict(signal, timestampIs, until, ageLimits.signalAgeMsMax), "too_old")
    },
    { arbitrary: { runs: 500, seed: 51 } }
  )
})

describe("an identity that cannot be used", () => {
  const refusal = (headers: IdentityHeaders, of: JsonObject = body) => {
    const result = identityOf("default", headers, of, true, now)
    return Result.isFailure(result) ? result.failure : null
  }
  it.each([
    ["an object", {}, "must be a string"],
    ["a truth value", true, "must be a string"],
    ["a fraction", 1.5, "must be a string, or an integer that is exact in JSON"],
    ["too large an integer", 2 ** 53, "must be a string, or an integer that is exact in JSON"],
    [
      "a placeholder that was not filled in",
      "{{strategy.order.id}}",
      "must identify one event: {{strategy.order.id}} was not filled in"
    ],
    ["not ASCII", "\u00e9", "must be printable ASCII and not empty"],
    ["a line break inside", "a\nb", "must be printable ASCII and not empty"],
    [
      "a character too long",
      "w".repeat(intakeLimits.identityLengthMax + 1),
      `must be at most ${intakeLimits.identityLengthMax} characters`
    ]
  ])("is refused with the reason [%s]", (_, id, message) => {
    assert.deepStrictEqual(refusal({}, { ...body, id }), { path: "id", message })
  })

  it("is refused when it is an integer that was not exact as it was sent", () => {
    const id = new ExactNumber("9007199254740993")
    assert.deepStrictEqual(readEventName(id), {
      message: "must be a string, or an integer that is exact in JSON"
    })
  })

  it("may be one character long, have blanks inside, and is trimmed", () => {
    assert.deepStrictEqual(readEventName("x"), { text: "x" })
    assert.deepStrictEqual(readEventName("  a b  "), { text: "a b" })
    assert.deepStrictEqual(readEventName(`${" ".repeat(300)}x`), { text: "x" })
  })

  it("is passed over when it is null or blank (T3b): the next one names the post", () => {
    assert.strictEqual(identity({}, { ...body, id: null }).kind, "hash")
    assert.strictEqual(identity({}, { ...body, id: "" }).kind, "hash")
    assert.strictEqual(identity({}, { ...body, id: "  " }).kind, "hash")
  })
})

describe("the hash of a body that was sent with a secret", () => {
  it("is that of the body as it was sent", () => {
    const result = identityOf("default", {}, body, true, now, { sentHash: "f".repeat(64) })
    assert(Result.isSuccess(result))
    assert.deepInclude(result.success, {
      key: `sha256:${"f".repeat(64)}`,
      bodyHash: "f".repeat(64),
      previous: null
    })
  })
})

describe("when a stored post of a bucket came", () => {
  const key = bucketKey("h", 120_000)
  it.each([
    ["as it was received", 130_000, 130_000],
    ["at the first moment, by a clock that is behind", 119_000, 120_000],
    ["at the last moment, when its commit was in the next minute", 181_000, 179_999],
    ["at the last moment, as far as clocks may differ", 179_999 + ageLimits.clockSkewMsMax, 179_999],
    ["unknown, when it was stored long after", 180_000 + ageLimits.clockSkewMsMax, undefined]
  ])("[%s]", (_, receivedMs, atMs) => {
    assert.strictEqual(bucketedAtMs(key, receivedMs), atMs)
  })
  it("is not known of another identity", () => {
    assert.isUndefined(bucketedAtMs("sha256:h", 1))
    assert.isUndefined(bucketedAtMs("event:sha256:h@120000", 1))
  })
  it("makes it the same as one less than a minute away, and as any when it is not known", () => {
    const minute = intakeLimits.identityBucketMs
    assert.isTrue(isOneBucketApart(0, minute - 1))
    assert.isFalse(isOneBucketApart(minute, 0))
    assert.isTrue(isOneBucketApart(undefined, 0))
    assert.isTrue(isOneBucketApart(0, undefined))
  })
})

describe("the key of a bucket", () => {
  it("names the beginning of its minute, as rows of running systems do", () => {
    assert.strictEqual(bucketKey("h", 3 * intakeLimits.identityBucketMs + 1), "sha256:h@180000")
    assert.strictEqual(previousBucketKey("h", 3 * intakeLimits.identityBucketMs), "sha256:h@120000")
  })
})
