/** Commands over HTTP with their real stores: the audit, keys, trading states of scopes, orders, dead letters. */
import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { positionId } from "../../src/domain/kernel/ids.ts"
import type { AuditEntry } from "../../src/layers/control/audit-store.port.ts"
import { alert, bearer } from "../layers/api/http-world.ts"
import { type PgWorld, startPgWorld } from "./http-world.pg.ts"

let world: PgWorld
beforeAll(async () => {
  world = await startPgWorld()
  await world.sql("INSERT INTO accounts (id, venue, starting_cash) VALUES ('paper-1', 'practice', 100000)")
  await world.sql(
    "INSERT INTO positions (id, account, symbol, quantity, average_price) VALUES ($1::uuid, 'paper-1', 'SPY', 1.5, 400)",
    [positionId("paper-1", "SPY")]
  )
})
afterAll(() => world.dispose())

const get = (path: string) => world.send("GET", path)
const command = (path: string, body: object, headers: Record<string, string> = {}) =>
  world.send("POST", `/api/v1/${path}`, { body: JSON.stringify(body), headers: { ...bearer, ...headers } })
const audit = async (query: string) => (await get(`/api/v1/audit?${query}`)).body.items

describe("the trading state", () => {
  it("has a row for each account and strategy that was ever set, and the others are as they were", async () => {
    for (const [scope, state] of [
      ["account:paper-1", "REDUCING"],
      ["strategy:default", "HALTED"],
      ["account:paper-1", "ACTIVE"]
    ])
      assert.strictEqual((await command("trading-state", { state, scope, reason: "drill" })).status, 200)
    const { body } = await get("/api/v1/trading-state")
    assert.strictEqual(body["state"], "ACTIVE")
    assert.deepStrictEqual(
      (body["scopes"] as ReadonlyArray<Record<string, unknown>>).map(({ scope, state, version }) => [
        scope,
        state,
        version
      ]),
      [
        ["account:paper-1", "ACTIVE", 2],
        ["strategy:default", "HALTED", 1]
      ]
    )
  })
})

describe("the audit", () => {
  const halt = (key: string, reason = "drill") =>
    command("trading-state", { state: "HALTED", reason }, { "idempotency-key": key })
  const versionOf = async () => Number((await get("/api/v1/trading-state")).body["version"])

  it("tells who did what, from where, why, when, and with what result", async () => {
    const answer = await command(
      "trading-state",
      { state: "HALTED", reason: "the audit" },
      { "x-request-id": "audit-1" }
    )
    const [row] = await audit("command=trading_state.set&limit=1")
    const {
      answer: given,
      begun_at: begun,
      completed_at: completed,
      id,
      command_id: made,
      ...rest
    } = row ?? {}
    assert.deepStrictEqual(rest, {
      command: "trading_state.set",
      scope: "global",
      arguments: { state: "HALTED" },
      reason: "the audit",
      by: "api:127.0.0.1",
      means: "token",
      address: "127.0.0.1",
      request_id: "audit-1",
      idempotency_key: null,
      result: "accepted",
      result_reason: null
    })
    assert.strictEqual(made, id)
    assert.deepStrictEqual(given, JSON.parse(answer.text))
    assert.isTrue(Date.parse(String(begun)) <= Date.parse(String(completed)))
  })

  it("has refused ones too, and is filtered by command, who, what about, result and time", async () => {
    await command("orders/00000000-0000-8000-8000-000000000001/cancel", {})
    const scope = "order:00000000-0000-8000-8000-000000000001"
    const [row] = await audit(`scope=${scope}`)
    assert.deepInclude(row, { command: "order.cancel", result: "refused", result_reason: "not_found" })
    assert.lengthOf(await audit(`scope=${scope}&result=accepted`), 0)
    assert.lengthOf(await audit("by=nobody"), 0)
    assert.lengthOf(await audit(`since=${new Date(Date.now() + 60_000).toISOString()}`), 0)
    assert.isAbove((await audit(`since=${new Date(Date.now() - 60_000).toISOString()}`)).length, 1)
    assert.strictEqual((await get("/api/v1/audit?since=yesterday")).status, 400)
    assert.strictEqual((await get("/api/v1/audit?command=launch")).status, 400)
  })

  it("carries one command of many with one key out, whoever of them comes first", async () => {
    const before = await versionOf()
    const answers = await Promise.all(Array.from({ length: 8 }, () => halt("at-once")))
    assert.deepStrictEqual(
      new Set(answers.map(({ body, status }) => `${status} ${String(body["version"])}`)),
      new Set([`200 ${before + 1}`])
    )
    assert.lengthOf(
      answers.filter(({ headers }) => headers["idempotent-replayed"] === "true"),
      7
    )
    assert.strictEqual((await halt("at-once", "another")).status, 409)
    assert.strictEqual(await versionOf(), before + 1)
  })

  it("ends what an earlier life left, and gives its key back; a late end is the truth all the same", async () => {
    await halt("cut")
    const [row] = await world.sql<{ id: string }>(
      `UPDATE audit SET result = 'begun', completed_at = NULL, answer = NULL, life = 'node/earlier'
        WHERE idempotency_key = 'cut' RETURNING id`
    )
    const interrupt = (life: string) => Effect.runPromise(world.audit.interrupt(life))
    assert.deepStrictEqual(await interrupt("other/boot"), [], "another node's is not ours to end")
    assert.deepStrictEqual(await interrupt("node/earlier"), [], "nor our own")
    // A copy of DATA_DIR was started: it has our node, and the process it was copied from is alive.
    await world.sql(
      `INSERT INTO nodes (node_id, life, pid, process_started, lease_until)
        VALUES ('node', 'node/earlier', 1, '1', now() + interval '1 minute')`
    )
    assert.deepStrictEqual(await interrupt("node/copy"), [], "it goes on in a process that runs")
    await world.sql("UPDATE nodes SET lease_until = now() WHERE life = 'node/earlier'")
    assert.deepStrictEqual(
      (await interrupt("node/boot")).map(({ id }) => id),
      [row?.id]
    )
    assert.lengthOf(await audit("result=interrupted"), 1)
    const before = await versionOf()
    assert.strictEqual((await halt("cut")).status, 200)
    assert.strictEqual(await versionOf(), before + 1)
    const again = await halt("cut")
    assert.deepStrictEqual([again.status, again.headers["idempotent-replayed"]], [200, "true"])
    assert.strictEqual(await versionOf(), before + 1, "the key is that of the repetition now")
    const [stored] = await world.sql<AuditEntry>(
      `SELECT id, command, scope, arguments, reason, by, means, address, request_id AS "requestId",
        'cut' AS key, fingerprint, command_id AS "commandId", life FROM audit WHERE id = $1::uuid`,
      [row?.id]
    )
    if (stored === undefined) return assert.fail("the row is gone")
    await Effect.runPromise(
      world.audit.end(stored, { result: "accepted", reason: null, answer: { late: true } })
    )
    assert.deepInclude(
      (await audit("result=accepted")).find(({ id }) => id === row?.id),
      {
        answer: { late: true },
        idempotency_key: null
      }
    )
    // What was ended is not ended again.
    await Effect.runPromise(world.audit.end(stored, { result: "failed", reason: "x", answer: null }))
    assert.lengthOf(await audit("result=failed"), 0)
  })

  it("takes a late end whose key a repetition takes at the same moment, and the repetition keeps the key", async () => {
    await halt("raced")
    const columns = `command, scope, arguments, reason, by, means, address, request_id, fingerprint, command_id, life`
    const [row] = await world.sql<{ id: string }>(
      "UPDATE audit SET result = 'interrupted', answer = NULL WHERE idempotency_key = 'raced' RETURNING id"
    )
    const [stored] = await world.sql<AuditEntry>(
      `SELECT id, command, scope, arguments, reason, by, means, address, request_id AS "requestId",
        idempotency_key AS key, fingerprint, command_id AS "commandId", life FROM audit WHERE id = $1::uuid`,
      [row?.id]
    )
    if (stored === undefined) return assert.fail("the row is gone")
    const late = { result: "accepted", reason: null, answer: { late: true } } as const
    let ended: Promise<void> | undefined
    await Effect.runPromise(
      world.database.transact("test", (client) =>
        Effect.gen(function* () {
          // A repetition has begun and is not committed.
          yield* client.unsafe(
            `INSERT INTO audit (id, idempotency_key, result, ${columns})
              SELECT gen_random_uuid(), idempotency_key, 'begun', ${columns} FROM audit WHERE id = $1::uuid`,
            [stored.id]
          )
          ended = Effect.runPromise(world.audit.end(stored, late))
          yield* Effect.repeat(
            client<{ readonly n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'`,
            { until: ([found]) => found?.n === 1 }
          )
        })
      )
    )
    await ended
    assert.deepStrictEqual(
      await world.sql(
        `SELECT result, idempotency_key AS key FROM audit WHERE id = $1::uuid OR idempotency_key = 'raced' ORDER BY seq`,
        [stored.id]
      ),
      [
        { result: "accepted", key: null },
        { result: "begun", key: "raced" }
      ]
    )
    await world.sql("UPDATE audit SET result = 'failed' WHERE result = 'begun'")
  })

  it("ends what takes longer than anything may", async () => {
    await world.sql(
      `UPDATE audit SET result = 'begun', life = 'elsewhere/boot', begun_at = now() - interval '1 hour' WHERE idempotency_key = 'at-once'`
    )
    const ended = await Effect.runPromise(world.audit.interrupt("node/boot"))
    assert.lengthOf(ended, 1)
  })
})

describe("orders of an operator", () => {
  it("are named in the answer, and lead back to their command", async () => {
    const [position] = await world.sql<{ id: string }>(
      "SELECT id FROM positions WHERE account = 'paper-1' LIMIT 1"
    )
    await world.sql(
      "INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq) VALUES ($1::uuid, 'default', 1.5, 400, 1)",
      [position?.id]
    )
    const keyed = { "idempotency-key": "close-1" }
    const answer = await command(`positions/${position?.id}/close`, { reason: "enough" }, keyed)
    assert.strictEqual(answer.status, 202, answer.text)
    const [order] = answer.body["orders"] as ReadonlyArray<Record<string, string>>
    assert.deepInclude(order, { intent: "reduce", exit_kind: "operator", status: "intended", source: "api" })
    const again = await command(`positions/${position?.id}/close`, { reason: "enough" }, keyed)
    assert.deepInclude(again.body, { orders: answer.body["orders"] })
    const [row] = await audit("command=position.close")
    assert.deepInclude(row, { command_id: order?.["command_id"], reason: "enough" })
    const cancelled = await command(`orders/${order?.["id"]}/cancel`, {})
    assert.strictEqual(
      (cancelled.body["orders"] as ReadonlyArray<{ status: string }>)[0]?.status,
      "withdrawn"
    )
    const flattened = await command("accounts/paper-1/flatten", { reason: "out" })
    assert.strictEqual(flattened.status, 202, flattened.text)
    assert.strictEqual((await command("accounts/nobody/flatten", { reason: "out" })).status, 404)
    const resolved = await command(`orders/${order?.["id"]}/resolve`, { outcome: "placed", reason: "seen" })
    assert.deepStrictEqual([resolved.status, resolved.body["reason"]], [409, "order_withdrawn"])
    const adopted = await command(`positions/${position?.id}/adopt`, { reason: "theirs" })
    assert.deepStrictEqual([adopted.status, adopted.body["reason"]], [409, "not_disputed"])
    const disputed = positionId("paper-1", "ADOPT")
    await world.sql(
      `INSERT INTO positions (id, account, symbol, quantity, average_price, confirmed_quantity, disputed_at)
        VALUES ($1::uuid, 'paper-1', 'ADOPT', 1.5, 10, 2, now())`,
      [disputed]
    )
    const taken = await command(`positions/${disputed}/adopt`, { reason: "theirs" })
    assert.deepInclude(taken.body, { quantity_before: "1.5", quantity: "2" }, taken.text)
    const unlocked = await command("monitoring/locks/account/paper-1/unlock", { reason: "stuck" })
    assert.deepInclude(unlocked.body, { account: "paper-1", owner: null, fence: "1", free_in_ms: 0 })
  })
})

describe("a dead letter", () => {
  const bury = async (reason: string): Promise<{ signal: string; letter: string }> => {
    const { signal_id: signal } = (await world.post(alert({ symbol: "QQQ" }))).body
    await world.sql("UPDATE signals SET status = 'processing' WHERE id = $1::uuid", [signal])
    await world.sql("UPDATE signals SET status = 'dead', attempts = 9, reason = $2 WHERE id = $1::uuid", [
      signal,
      reason
    ])
    const letter = randomUUID()
    await world.sql(
      "INSERT INTO dead_letters (id, origin, reference, reason, payload) VALUES ($1::uuid, 'pipeline', $2, $3, '{}')",
      [letter, signal, reason]
    )
    return { signal, letter }
  }
  const statusOf = async (signal: string) =>
    (
      await world.sql<{ status: string; attempts: number }>(
        "SELECT status, attempts FROM signals WHERE id = $1::uuid",
        [signal]
      )
    )[0]

  it("is tried again once, as the signal that it was, and not while it is alive", async () => {
    const { letter, signal } = await bury("one")
    const answer = await command(`dead-letters/${letter}/replay`, {})
    assert.deepInclude(answer.body, { count: 1, signals: [signal] }, answer.text)
    assert.deepStrictEqual(await statusOf(signal), { status: "received", attempts: 0 })
    const again = await command(`dead-letters/${letter}/replay`, {})
    assert.deepStrictEqual([again.status, again.body["reason"]], [409, "not_dead"])
    assert.strictEqual((await command(`dead-letters/${randomUUID()}/replay`, {})).status, 404)
  })

  it("is tried again with all of its filter, if they are as many as expected", async () => {
    const some = [await bury("many"), await bury("many"), await bury("other")]
    const replay = (expected: number) =>
      command("dead-letters/replay", {
        filter: { origin: "pipeline", reason: "many" },
        expect_count: expected
      })
    const wrong = await replay(3)
    assert.deepStrictEqual([wrong.status, wrong.body["reason"], wrong.body["count"]], [409, "other_count", 2])
    assert.deepInclude((await replay(2)).body, { count: 2 })
    assert.strictEqual((await replay(2)).status, 409)
    assert.deepStrictEqual(
      await Promise.all(some.map(async ({ signal }) => (await statusOf(signal))?.status)),
      ["received", "received", "dead"]
    )
    assert.strictEqual((await replay(10_000)).status, 400)
  })
})
