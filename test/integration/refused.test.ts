/** Refused posts and dead letters in their tables: listed, and posts replayed under the identity they had. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { alert, bearer, settingsFor } from "../layers/api/http-world.ts"
import { planSignal } from "../../src/domain/decision/decision.ts"
import type { SignalsStoreService } from "../../src/layers/decision/signals-store.port.ts"
import { refusedLimits } from "../../src/domain/kernel/limits-kept.ts"
import { insertAccounts, planSettings, storeOn } from "../support/decisions.ts"
import { type PgWorld, startPgWorld } from "./http-world.pg.ts"

const settings = settingsFor()
let world: PgWorld
let store: SignalsStoreService
beforeAll(async () => {
  world = await startPgWorld({
    file: {
      strategies: {
        default: { sources: ["default"], accounts: ["paper-1"] },
        other: { sources: ["wave"], accounts: ["paper-1"] }
      }
    }
  })
  store = await Effect.runPromise(storeOn(world.database))
  await Effect.runPromise(insertAccounts(world.database))
})
afterAll(() => world.dispose())

const control = (path: string, body: Record<string, unknown> = {}) =>
  world.send("POST", path, {
    body: JSON.stringify(body),
    headers: { ...bearer, "content-type": "application/json" }
  })
const list = async (path: string) => (await world.send("GET", path)).body.items
const signalsOf = (id: unknown) =>
  world.sql<{ readonly status: string; readonly reason: string | null }>(
    "SELECT status, reason FROM signals WHERE id = $1::uuid",
    [id]
  )
/** A post that was refused and would not be any more: as if the reader had learnt its form since. */
const refuseRight = async (body: Record<string, unknown>, more = "") => {
  const { refused_id: id } = (await world.post("{", { "webhook-id": randomUUID() })).body
  await world.sql(
    `UPDATE refused_posts SET body = $1, reason = 'invalid', received_at = now() - interval '10 seconds'
      ${more} WHERE id = $2::uuid`,
    [JSON.stringify(body), id]
  )
  return id
}
const decideAll = async () => {
  await world.sql("UPDATE signals SET lease_until = now() - interval '1 second' WHERE status = 'processing'")
  for (;;) {
    const { signals, token } = await Effect.runPromise(store.claim(64))
    if (signals.length === 0) return
    const plan: Parameters<SignalsStoreService["decide"]>[3] = (signal, context) =>
      planSignal({
        signal,
        settings: planSettings(settings),
        context,
        quoteOf: () => null,
        figuresOf: () => null,
        votes: null,
        voters: null,
        chain: null,
        mayDefer: false
      })
    await Effect.runPromise(store.decide(token, signals, ["paper-1"], plan))
  }
}

describe("[T12] refused posts", () => {
  it("are listed, newest first, by source, reason, request and whether they were replayed", async () => {
    const [first, second] = [
      await world.post('{"symbol":"SPY","price":NaN}'),
      await world.post({ ...alert(), direction: "sideways" })
    ]
    const [newest, older] = await list("/api/v1/refused?limit=2")
    assert.deepInclude(newest, {
      id: second.body.refused_id,
      status: "open",
      reason: "invalid",
      answered: 400,
      errors: second.body.errors,
      source: "default"
    })
    assert.deepInclude(older, { id: first.body.refused_id, body: '{"symbol":"SPY","price":NaN}', cut: false })
    const found = await list(
      `/api/v1/refused?reason=not_json&source=default&status=open&request_id=${first.body.request_id}`
    )
    assert.deepStrictEqual(
      found.map(({ id }) => id),
      [first.body.refused_id]
    )
    assert.deepStrictEqual(await list("/api/v1/refused?source=wave"), [])
  })

  it("are replayed under the identity they came with: once, and never beside the same post", async () => {
    const body = alert()
    const id = await refuseRight(body)
    const replayed = await control(`/api/v1/refused/${id}/replay`)
    assert.strictEqual(replayed.status, 202)
    const [item] = replayed.body.items
    assert.deepInclude(item, { id, outcome: "queued" })
    const again = await control(`/api/v1/refused/${id}/replay`)
    assert.deepInclude(again.body, { reason: "already_replayed", signal_id: String(item?.["signal_id"]) })
    assert.deepInclude((await list("/api/v1/refused?status=replayed"))[0], {
      id,
      signal_id: item?.["signal_id"],
      replayed_by: "api:127.0.0.1"
    })
    // The identity is that of its header.
    const [row] = await world.sql<{ webhook_id: string }>(
      "SELECT webhook_id FROM refused_posts WHERE id = $1::uuid",
      [id]
    )
    const repeated = await world.post(body, { "webhook-id": row?.webhook_id ?? "" })
    assert.deepInclude(repeated.body, { status: "DUPLICATE", signal_id: String(item?.["signal_id"]) })
  })

  it("that were taken meanwhile are duplicates, also when a secret was taken out of the kept text", async () => {
    const body = alert({ note: "the one that was agreed on" })
    const taken = await world.post(body)
    const id = await refuseRight({ ...body, note: "[redacted]" }, ", webhook_id = NULL")
    await world.sql(
      "UPDATE refused_posts SET body_hash = (SELECT body_hash FROM signals WHERE id = $2::uuid) WHERE id = $1::uuid",
      [id, taken.body.signal_id]
    )
    const replayed = await control(`/api/v1/refused/${id}/replay`)
    assert.deepInclude(replayed.body.items[0], { outcome: "duplicate", signal_id: taken.body.signal_id })
  })

  it("that name no event and no time are of the minute in which they came", async () => {
    const metadata = {
      snapshot_id: randomUUID(),
      score: { "Buy Score": 1, "Sell Score": 2 },
      trigger: "roc_momo",
      pair: "ZRX-USD"
    }
    const taken = await world.post(metadata)
    assert.strictEqual(taken.status, 201)
    const beside = await refuseRight(metadata, ", webhook_id = NULL")
    await world.sql(
      "UPDATE refused_posts SET received_at = received_at - interval '50 seconds' WHERE id = $1::uuid",
      [beside]
    )
    const replayed = await control(`/api/v1/refused/${beside}/replay`)
    assert.deepInclude(replayed.body.items[0], { outcome: "duplicate", signal_id: taken.body.signal_id })
  })

  it("that are still wrong, too old, cut off or in conflict stay open and say why", async () => {
    const wrong = await world.post({ ...alert(), symbol: undefined })
    const old = await refuseRight(alert({ timestamp: new Date(Date.now() - 3_600_000).toISOString() }))
    const cut = await refuseRight(alert(), ", cut = true")
    await world.post(alert({ id: "taken" }))
    const conflict = await world.post(alert({ id: "taken" }))
    const outcomes = []
    for (const id of [wrong.body.refused_id, old, cut, conflict.body.refused_id, randomUUID(), "no-id"]) {
      const { body, status } = await control(`/api/v1/refused/${id}/replay`)
      outcomes.push([status, body["reason"]])
    }
    assert.deepStrictEqual(outcomes, [
      [409, "refused"],
      [409, "too_old"],
      [409, "cut_off"],
      [409, "conflict"],
      [404, undefined],
      [404, undefined]
    ])
    // Its identity is not spent.
    const [{ count } = { count: 1 }] = await world.sql<{ count: bigint }>(
      "SELECT count(*) FROM signals WHERE request_id IN (SELECT request_id FROM refused_posts WHERE id = $1::uuid)",
      [old]
    )
    assert.strictEqual(Number(count), 0)
    assert.deepStrictEqual(
      (await list("/api/v1/refused?status=open")).find(({ id }) => id === old)?.["id"],
      old
    )
  })

  it("of a filter are replayed when they are as many as expected, and not at all otherwise", async () => {
    await world.sql("UPDATE refused_posts SET replayed_at = now()")
    const ids = [await refuseRight(alert()), await refuseRight(alert())]
    await world.post("{")
    const filter = { reason: "invalid", source: "default" }
    const differs = await control("/api/v1/refused/replay", { filter, expect_count: 3 })
    assert.strictEqual(differs.status, 409)
    assert.deepInclude(differs.body, { reason: "other_count", expected: 3, count: 2 })
    const fewer = await control("/api/v1/refused/replay", { filter, expect_count: 1 })
    assert.deepInclude(fewer.body, { reason: "other_count", expected: 1, count: 2 })
    assert.lengthOf(await list("/api/v1/refused?status=open"), 3)
    const done = await control("/api/v1/refused/replay", { filter, expect_count: 2 })
    assert.deepStrictEqual(done.body["outcomes"], { queued: 2 })
    assert.deepStrictEqual(
      done.body.items.map(({ id }) => id),
      ids
    )
    const again = await control("/api/v1/refused/replay", { filter, expect_count: 2 })
    assert.deepInclude(again.body, { reason: "other_count", expected: 2, count: 0 })
  })

  it("more than one replay takes are refused by name", async () => {
    await world.sql(
      `INSERT INTO refused_posts (id, source, reason, answered, body, body_bytes, request_id)
        SELECT gen_random_uuid(), 'wave', 'not_json', 400, '{', 1, 'r' FROM generate_series(0, $1::int)`,
      [refusedLimits.replayMax]
    )
    const many = await control("/api/v1/refused/replay", {
      filter: { source: "wave" },
      expect_count: refusedLimits.replayMax + 1
    })
    assert.deepInclude(many.body, { reason: "too_many", count: refusedLimits.replayMax + 1 })
  })

  it("[T10] that name a strategy nobody subscribes under are kept when they are decided, and replayed when somebody does", async () => {
    const { signal_id: id } = (await world.post(alert({ strategy: "momentun" }))).body
    const { signal_id: known } = (
      await world.post(alert({ strategy: "other", note: "\u00e4".repeat(40_000) }))
    ).body
    await decideAll()
    const sizes = await world.sql(
      `SELECT octet_length(body) <= $2::int AS bounded, octet_length(body) > 30000 AS shown, body_bytes > 80000 AS long, cut
        FROM refused_posts WHERE signal_id = $1::uuid`,
      [known, refusedLimits.bodyBytesMax]
    )
    assert.deepStrictEqual(sizes, [{ bounded: true, shown: true, long: true, cut: true }])
    const kept = await list("/api/v1/refused?reason=strategy_unknown")
    assert.sameMembers(
      kept.map(({ signal_id: signal }) => signal),
      [id, known]
    )
    const of = (signal: unknown) => String(kept.find(({ signal_id: one }) => one === signal)?.["id"])
    const still = await control(`/api/v1/refused/${of(id)}/replay`)
    assert.deepInclude(still.body, { reason: "refused", signal_id: id })
    assert.deepStrictEqual(await signalsOf(id), [{ status: "rejected", reason: "strategy_unknown" }])
    await world.sql(
      `INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, symbol, side, type, quantity,
        time_in_force, status, source, venue)
        VALUES ($1::uuid, 'x', $1::uuid, 'paper-1', 'default', 'entry', 'SPY', 'buy', 'market', 1, 'day', 'denied', 'webhook', 'practice')`,
      [known]
    )
    // However it came to its order: what was ordered is not ordered again.
    assert.strictEqual(
      (await control(`/api/v1/refused/${of(known)}/replay`)).body["reason"],
      "already_decided"
    )
    await world.sql("DELETE FROM orders WHERE signal_id = $1::uuid", [known])
    // A service whose settings know it by now.
    await world.sql("UPDATE signals SET strategy = 'default' WHERE id = $1::uuid", [known])
    const now = await control(`/api/v1/refused/${of(known)}/replay`)
    assert.deepInclude(now.body.items[0], { outcome: "queued", signal_id: known })
    await decideAll()
    assert.deepInclude((await signalsOf(known))[0], { status: "done" })
    const [{ count } = { count: 0 }] = await world.sql<{ count: bigint }>(
      "SELECT count(*) FROM orders WHERE signal_id = $1::uuid",
      [known]
    )
    assert.strictEqual(Number(count), 1)
    await world.sql("UPDATE refused_posts SET replayed_at = NULL WHERE signal_id = $1::uuid", [known])
    // The mark was lost: what was ordered is not ordered again.
    const lost = await control(`/api/v1/refused/${of(known)}/replay`)
    assert.strictEqual(lost.body["reason"], "already_decided")
  })
})

describe("dead letters", () => {
  it("are listed by where they come from, what they are about and whether they were replayed", async () => {
    await world.sql(
      `INSERT INTO dead_letters (id, origin, reference, reason, payload, replayed_at)
        SELECT gen_random_uuid(), 'pipeline', n::text, 'no way', '{}', CASE n WHEN 1 THEN now() END
        FROM generate_series(1, 3) AS n`
    )
    const references = async (query: string) =>
      (await list(`/api/v1/dead-letters?${query}`)).map(({ reference, status }) => [reference, status])
    assert.deepStrictEqual(await references("origin=pipeline&status=open"), [
      ["3", "open"],
      ["2", "open"]
    ])
    assert.deepStrictEqual(await references("reason=no%20way&reference=1"), [["1", "replayed"]])
  })
})
