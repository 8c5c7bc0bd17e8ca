/** What of refused posts is kept, and that keeping them costs nobody else anything. */
import { Effect } from "effect"
import { assert, describe, it, onTestFinished } from "vitest"
import { refusedLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { makeMask } from "../../../src/domain/kernel/redaction.ts"
import type { PostToKeep } from "../../../src/layers/intake/kept-posts.port.ts"
import { alert, startWorld, type World, type WorldOptions } from "../api/http-world.ts"
import { stopwatch } from "../../support/stopwatch.ts"

const agreed = "the one that was agreed on"
const world = async (options: WorldOptions = {}): Promise<World> => {
  const started = await startWorld(options)
  onTestFinished(started.dispose)
  return started
}
const post = (body: string, source = "default"): PostToKeep => ({
  source,
  reason: "not_json",
  answered: 400,
  errors: [],
  bytes: Buffer.from(body),
  json: undefined,
  webhookId: null,
  idempotencyKey: null,
  requestId: "r",
  address: "127.0.0.1",
  signalId: null
})
const tell = (): undefined => undefined

describe("[T12] a refused post", () => {
  it("of an authenticated sender is kept with what is needed to replay it, and its answer names the row", async () => {
    const it = await world({ environment: { WEBHOOK_SECRET: agreed }, mask: makeMask([agreed]) })
    const wrong = { ...alert(), symbol: undefined, secret: agreed, note: `not ${agreed}` }
    const reply = await it.post(wrong, { "webhook-id": "e-1" })
    assert.strictEqual(reply.status, 400)
    assert.lengthOf(it.kept, 1)
    const { secret: _secret, note: _note, symbol: _symbol, ...rest } = wrong
    assert.deepInclude(it.kept[0], {
      id: reply.body.refused_id ?? "",
      source: "default",
      reason: "invalid",
      answered: 400,
      errors: reply.body.errors,
      webhookId: "e-1",
      requestId: reply.body.request_id,
      address: "127.0.0.1",
      signalId: null
    })
    assert.deepStrictEqual(JSON.parse(it.kept[0]?.text.body ?? ""), { ...rest, note: "not [redacted]" })
  })

  it("of anybody else is not, nor one that was never read", async () => {
    const it = await world({ environment: { WEBHOOK_SECRET: agreed } })
    const replies = [
      await it.post({ ...alert(), secret: "wrong" }),
      await it.post("{", {}),
      await it.post(alert(), { "content-type": "application/xml" }),
      await it.post(alert(), {}, "/webhook/stranger")
    ]
    assert.deepStrictEqual(
      replies.map(({ status, body }) => [status, body.refused_id]),
      [401, 401, 415, 404].map((status) => [status, undefined])
    )
    assert.deepStrictEqual(it.kept, [])
    assert.deepInclude(it.keptPosts.counts(), { stored: 0, waiting: 0 })
  })

  it("that is no JSON, or conflicts with one that was taken, has its own reason", async () => {
    const it = await world()
    const taken = await it.post(alert({ id: "one" }))
    const conflict = await it.post(alert({ id: "one" }))
    const nearly = await it.post('{"symbol":"SPY","price":NaN}')
    assert.deepStrictEqual([taken.status, conflict.status, nearly.status], [201, 409, 400])
    assert.strictEqual(conflict.body.signal_id, taken.body.signal_id)
    assert.deepStrictEqual(
      it.kept.map(({ id, reason, signalId }) => [id, reason, signalId]),
      [
        [conflict.body.refused_id, "conflict", taken.body.signal_id],
        [nearly.body.refused_id, "not_json", null]
      ]
    )
  })
})

describe("a flood of refused posts", () => {
  it("is kept up to a bound per source and minute, counted beyond it, and answered at once", async () => {
    const it = await world()
    const flood = refusedLimits.keptMax + 30
    const replies = await Promise.all(Array.from({ length: flood }, () => it.post("{")))
    assert.isTrue(replies.every(({ status }) => status === 400))
    assert.lengthOf(
      replies.filter(({ body }) => body.refused_id !== undefined),
      refusedLimits.keptMax
    )
    assert.lengthOf(it.kept, refusedLimits.keptMax)
    assert.deepInclude(it.keptPosts.counts(), { waiting: 0, waitingBytes: 0, stored: refusedLimits.keptMax })
    assert.strictEqual(it.keptPosts.counts().dropped.rate, 30)
    // Another source has a share of its own.
    assert.isDefined((await it.post("{", {}, "/webhook/wave")).body.refused_id)
  })

  it("that nobody stores fills a bounded room, in posts and in bytes, and no answer waits for it", async () => {
    const it = await world({ refusedStore: null })
    const before = performance.now()
    assert.isUndefined((await it.post("{")).body.refused_id)
    assert.isAtLeast(performance.now() - before, refusedLimits.answerMsMax - 5)
    const large = "x".repeat(refusedLimits.bodyBytesMax)
    for (let source = 0; source < 200; source += 1) it.keptPosts.keep(post(large, `s${source}`), tell)
    const full = it.keptPosts.counts()
    assert.isAtMost(full.waitingBytes, refusedLimits.waitingBytesMax)
    assert.isAbove(full.dropped.room, 100)
    // What is in the hands of the store still takes its room.
    const batch = it.keptPosts.take()
    assert.isAtMost(batch.length, refusedLimits.batchBytesMax / refusedLimits.bodyBytesMax + 1)
    assert.strictEqual(it.keptPosts.counts().waitingBytes, full.waitingBytes)
    it.keptPosts.settle(batch.slice(0, 1), true)
    it.keptPosts.putBack(batch)
    const put = batch.slice(1).map(({ id }) => id)
    assert.deepStrictEqual(
      it.keptPosts
        .take()
        .slice(0, put.length)
        .map(({ id }) => id),
      put
    )
  })

  it("does not slow the posts that are taken", async () => {
    const it = await world({
      refusedStore: { store: () => Effect.never, open: Effect.never }
    })
    const flood = Promise.all(Array.from({ length: 100 }, () => it.post("{")))
    const tookMs = stopwatch()
    assert.strictEqual((await it.post(alert())).status, 201)
    assert.isBelow(tookMs(), refusedLimits.answerMsMax)
    await flood
  })
})
