import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { BadCursor } from "../../../src/layers/health/read-store.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.ts"
import { startWorld, type World, type WorldOptions } from "./http-world.ts"

let world: World
const start = async (options: WorldOptions = {}): Promise<World> => (world = await startWorld(options))
afterEach(() => world.dispose())

const token = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const away = new DatabaseUnavailable({
  operation: "t",
  reason: "connection",
  outcome: "not_applied",
  cause: "test"
})

describe("health", () => {
  it("is 200 and healthy with the contract's fields", async () => {
    await start()
    const { body, headers, status } = await world.send("GET", "/health")
    assert.strictEqual(status, 200)
    assert.isString(headers["x-request-id"])
    assert.strictEqual(headers["cache-control"], "no-store")
    for (const field of [
      "status",
      "since",
      "version",
      "commit",
      "mode",
      "ready",
      "can_trade",
      "startup",
      "canary",
      "components"
    ]) {
      assert.property(body, field)
    }
    assert.strictEqual(body.status, "healthy")
  })

  it("is 503 while the database is away, and readiness says so", async () => {
    await start({ facts: { database: "away" } })
    assert.strictEqual((await world.send("GET", "/health")).status, 503)
    const ready = await world.send("GET", "/health/ready")
    assert.strictEqual(ready.status, 503)
    assert.strictEqual(ready.body["ready"], false)
    assert.isString(ready.headers["retry-after"])
    assert.strictEqual((await world.send("GET", "/health/live")).status, 200)
  })

  it("is not live when a supervisor is deaf", async () => {
    await start({ deaf: true })
    const { body, status } = await world.send("GET", "/health/live")
    assert.strictEqual(status, 503)
    assert.strictEqual(body.status, "deaf")
  })

  it("answers HEAD without a body", async () => {
    await start()
    const { status, text } = await world.send("HEAD", "/health")
    assert.strictEqual(status, 200)
    assert.strictEqual(text, "")
  })

  it("is open although an admin token is set; version and metrics are too", async () => {
    await start({ environment: { ADMIN_TOKEN: token } })
    for (const path of ["/health", "/health/live", "/health/ready", "/version", "/metrics"]) {
      assert.strictEqual((await world.send("GET", path)).status, 200, path)
    }
    assert.strictEqual((await world.send("GET", "/version")).body["commit"], "abc1234")
  })
})

describe("a process without the role http", () => {
  it("serves its health and nothing else", async () => {
    await start({ environment: { ROLES: "accounts" }, facts: { takesPosts: false } })
    assert.strictEqual((await world.send("GET", "/health")).status, 200)
    const ready = await world.send("GET", "/health/ready")
    assert.deepStrictEqual(
      [ready.status, ready.body["ready"], ready.body["status"], ready.headers["retry-after"]],
      [200, true, "healthy", undefined]
    )
    assert.deepStrictEqual(ready.body["reasons"], [
      "this process has not the role http: it takes no webhooks"
    ])
    assert.strictEqual((await world.send("GET", "/api/v1/linkage")).status, 404)
    assert.strictEqual((await world.send("POST", "/webhook")).status, 404)
    assert.strictEqual((await world.send("GET", "/webhook/test")).status, 404)
  })
})

describe("the API's door", () => {
  const reads = { linkage: Effect.succeed({ ours: 1, linked: 1, rate: 1, external: 0 }) }

  it("is open on loopback in practice while no token is set", async () => {
    await start({ reads })
    assert.deepInclude((await world.send("GET", "/api/v1/linkage")).body, { rate: 1 })
  })

  it.each([
    ["no token", {}, 401],
    ["a wrong token", { authorization: "Bearer nope" }, 401],
    ["an empty token", { authorization: "Bearer " }, 401],
    ["another scheme", { authorization: `Basic ${token}` }, 401],
    ["the token", { authorization: `Bearer ${token}` }, 200],
    ["the token in lower-case scheme", { authorization: `bearer ${token}` }, 200]
  ])("with %s and one configured is %s", async (_what, headers, status) => {
    await start({ environment: { ADMIN_TOKEN: token }, reads })
    const answer = await world.send("GET", "/api/v1/linkage", { headers })
    assert.strictEqual(answer.status, status)
    if (status === 401) assert.strictEqual(answer.headers["www-authenticate"], "Bearer")
  })

  it("is shut for names that are not this machine's, and for pages of other origins", async () => {
    await start({ reads })
    for (const headers of [
      { host: "evil.example" },
      { host: "localhost.evil.example:5003" },
      { origin: "http://evil.example" }
    ]) {
      assert.strictEqual((await world.send("GET", "/api/v1/linkage", { headers })).status, 401)
    }
  })

  it("tells nothing about paths to who may not pass", async () => {
    await start({ environment: { ADMIN_TOKEN: token } })
    assert.strictEqual((await world.send("GET", "/api/v1/nothing")).status, 401)
    assert.strictEqual((await world.send("POST", "/api/v1/linkage")).status, 401)
  })
})

describe("the API's answers", () => {
  it("are 405 with Allow, 404 and 400 where they should be", async () => {
    await start()
    const wrong = await world.send("POST", "/api/v1/orders")
    assert.strictEqual(wrong.status, 405)
    assert.strictEqual(wrong.headers["allow"], "GET, HEAD")
    assert.strictEqual((await world.send("GET", "/api/v1/nothing")).status, 404)
    assert.strictEqual((await world.send("GET", "/api/v1/orders/no-uuid")).status, 404)
    assert.strictEqual((await world.send("GET", "/api/v1/orders/%ff")).status, 400)
  })

  it.each([
    ["limit=0", "query.limit"],
    ["limit=501", "query.limit"],
    ["limit=ten", "query.limit"],
    ["colour=red", "query.colour"],
    ["status=a%00b", "query.status"],
    ["cursor=zzz", "query.cursor"]
  ])("name the parameter of ?%s", async (query, path) => {
    await start({ reads: { list: () => Effect.fail(new BadCursor({ cursor: "zzz" })) } })
    const { body, status } = await world.send("GET", `/api/v1/orders?${query}`)
    assert.strictEqual(status, 400)
    assert.strictEqual(body.errors[0]?.path, path)
  })

  it("are 503 with Retry-After while the database is away", async () => {
    await start({ reads: { list: () => Effect.fail(away) } })
    const { body, headers, status } = await world.send("GET", "/api/v1/orders")
    assert.strictEqual(status, 503)
    assert.strictEqual(headers["retry-after"], "5")
    assert.strictEqual(body.request_id, headers["x-request-id"])
  })

  it("are 500 with a request id and a line, for a bug", async () => {
    await start({ reads: { linkage: Effect.die(new Error("a bug")) } })
    const { body, status } = await world.send("GET", "/api/v1/linkage")
    assert.strictEqual(status, 500)
    assert.strictEqual(body.status, "INTERNAL_ERROR")
    assert.isTrue(
      world.lines.some(
        ({ event, request_id }) => event === "http.request_failed" && request_id === body.request_id
      )
    )
  })

  it("are 503 when too many are in work", async () => {
    await start({ reads: { linkage: Effect.never } })
    const waiting = Array.from({ length: 33 }, () => world.send("GET", "/api/v1/linkage"))
    const first = await Promise.race(waiting)
    assert.strictEqual(first.status, 503)
    await Promise.allSettled([Effect.runPromise(world.socket.close(10)), ...waiting])
  })
})

describe("the trading state", () => {
  it("is changed with who and why, and raises an alert", async () => {
    const changes: Array<unknown> = []
    await start({
      reads: {
        setTradingState: (change) =>
          Effect.sync(() => (changes.push(change), { scope: "global", state: change.state }))
      }
    })
    const answer = await world.send("POST", "/api/v1/trading-state", {
      body: '{"state":"HALTED","reason":"drill"}'
    })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(changes, [{ state: "HALTED", reason: "drill", changedBy: "api:127.0.0.1" }])
    assert.deepInclude(world.alerts[0], { kind: "trading_state.changed", severity: "HIGH" })
  })

  it("names everything that is wrong with a change", async () => {
    await start()
    const answer = await world.send("POST", "/api/v1/trading-state", { body: '{"state":"STOPPED"}' })
    assert.deepStrictEqual(
      answer.body.errors.map(({ path }) => path),
      ["state", "reason"]
    )
    for (const body of ["{", "[]"])
      assert.strictEqual((await world.send("POST", "/api/v1/trading-state", { body })).status, 400)
    assert.strictEqual(
      (await world.send("POST", "/api/v1/trading-state", { body: " ".repeat(20_000) })).status,
      413
    )
  })
})

describe("OPTIONS", () => {
  it.each([
    ["/health", 204, "GET, HEAD, OPTIONS"],
    ["/webhook", 204, "POST, OPTIONS"],
    ["/webhook/default", 204, "POST, OPTIONS"],
    ["/webhook/test", 204, "GET, HEAD, OPTIONS"],
    ["/api/v1/trading-state", 204, "GET, HEAD, POST, OPTIONS"],
    ["/api/v1/orders/x/nope", 404, undefined],
    ["*", 204, "GET, HEAD, POST, OPTIONS"],
    ["/nope", 404, undefined],
    ["/webhook/nope", 404, undefined],
    ["/webhook/%ff", 400, undefined]
  ])("says of %s what it takes [%i %s]", async (path, status, allow) => {
    await start()
    const answer = await world.send("OPTIONS", path)
    assert.deepStrictEqual([answer.status, answer.headers["allow"]], [status, allow])
    assert.isDefined(answer.headers["x-request-id"])
  })
  it("says nothing of the API to who may not use it", async () => {
    await start({ environment: { ADMIN_TOKEN: "t".repeat(40) } })
    for (const path of ["/api/v1/orders", "/api/v1/nope"]) {
      assert.strictEqual((await world.send("OPTIONS", path)).status, 401)
    }
  })
  it("of a path that the process does not serve is 404", async () => {
    await start({ environment: { ROLES: "feeds" } })
    assert.strictEqual((await world.send("OPTIONS", "/webhook")).status, 404)
    assert.strictEqual((await world.send("OPTIONS", "/version")).status, 204)
  })
})

describe("other origins", () => {
  const file = { corsOrigins: ["https://desk.example"] }

  it("get no permission unless they are listed exactly", async () => {
    await start({ file })
    const listed = await world.send("GET", "/health", { headers: { origin: "https://desk.example" } })
    assert.strictEqual(listed.headers["access-control-allow-origin"], "https://desk.example")
    for (const origin of [
      "https://desk.example.evil.example",
      "http://desk.example",
      "https://desk.example:444",
      "null"
    ]) {
      const other = await world.send("GET", "/health", { headers: { origin } })
      assert.isUndefined(other.headers["access-control-allow-origin"])
      assert.strictEqual(other.headers["vary"], "origin")
    }
  })

  it("are told what they may send only when they are listed", async () => {
    await start({ file })
    const listed = await world.send("OPTIONS", "/webhook", {
      headers: { origin: "https://desk.example", "access-control-request-method": "POST" }
    })
    assert.strictEqual(listed.status, 204)
    assert.include(listed.headers["access-control-allow-methods"], "POST")
    const other = await world.send("OPTIONS", "/webhook", { headers: { origin: "http://evil.example" } })
    assert.isUndefined(other.headers["access-control-allow-methods"])
  })
})
