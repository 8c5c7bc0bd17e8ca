import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { ControlRefused, type ControlRequest } from "../../../src/domain/control/control.ts"
import { BadCursor } from "../../../src/layers/health/read-store.port.ts"
import { DatabaseUnavailable } from "../../../src/layers/database/database.port.ts"
import { bearer, startWorld, type World, type WorldOptions } from "./http-world.ts"

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

describe("health outside of practice", () => {
  const environment = { APP_MODE: "PAPER", HMAC_SECRET: `${token}h`, ADMIN_TOKEN: token }
  const facts = {
    mode: "PAPER" as const,
    accounts: [{ id: "acct-7", canTrade: false, reason: "market closed until tomorrow" }],
    unprotected: ["acct-7/TSLA"]
  }
  const paths = ["/health", "/health/ready", "/health/live", "/metrics"]

  it("tells a stranger how it stands, and no name", async () => {
    await start({ environment, facts })
    for (const headers of [{}, { authorization: "Bearer nope" }, { host: "desk.example" }]) {
      for (const path of paths) {
        const { text } = await world.send("GET", path, { headers })
        assert.notMatch(text, /acct-7|TSLA/, path)
      }
      const { body } = await world.send("GET", "/health", { headers })
      assert.hasAllKeys(body, ["status", "ready", "can_trade", "reasons"])
      assert.deepStrictEqual(body["reasons"], ["the open position */* is not protected"])
    }
    const deaf = await startWorld({ environment, facts, deaf: true })
    assert.deepStrictEqual((await deaf.send("GET", "/health/live")).body, { status: "deaf" } as never)
    await deaf.dispose()
  })

  it("tells everything to who has the token", async () => {
    await start({ environment, facts })
    const headers = { authorization: `Bearer ${token}` }
    const { body } = await world.send("GET", "/health", { headers })
    assert.deepStrictEqual(body["accounts"], {
      "acct-7": { can_trade: false, reason: "market closed until tomorrow" }
    })
    const ready = await world.send("GET", "/health/ready", { headers })
    assert.deepStrictEqual(ready.body["reasons"], ["the open position acct-7/TSLA is not protected"])
    assert.include((await world.send("GET", "/metrics", { headers })).text, "acct-7")
    assert.strictEqual(ready.body["can_trade"], false)
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
      "this process does not have the role http: it takes no webhooks"
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

describe("control", () => {
  const change = '{"state":"HALTED","reason":"drill"}'
  const halt = (headers: Record<string, string>) =>
    world.send("POST", "/api/v1/trading-state", { body: change, headers })
  const reads = {
    linkage: Effect.succeed({ ours: 1, linked: 1, rate: 1, external: 0 })
  }
  const paths = ["trading-state", "actors/root%2Ftrading/pause", "actors/x/restart", "session", "nothing"]

  it("takes the token from everybody, also in practice and from this machine", async () => {
    await start({ reads })
    for (const path of paths)
      assert.strictEqual((await world.send("POST", `/api/v1/${path}`)).status, 401, path)
    assert.strictEqual((await halt({ authorization: "Bearer nope" })).status, 401)
    assert.strictEqual((await halt({ authorization: "Bearer" })).status, 401)
    assert.strictEqual((await halt(bearer)).status, 200)
    // A token is worth the same through a proxy: it proves who speaks, an address does not.
    assert.strictEqual((await halt({ ...bearer, host: "desk.example", via: "1.1 x" })).status, 200)
  })

  it("is refused over a token that is wrong, although its caller could read without one", async () => {
    await start({ reads })
    const read = (headers: Record<string, string>) => world.send("GET", "/api/v1/linkage", { headers })
    assert.strictEqual((await read({})).status, 200)
    assert.strictEqual((await read({ authorization: "Bearer nope" })).status, 401)
    assert.strictEqual((await read({ authorization: "Basic bm9wZQ==" })).status, 200)
  })

  it("waits while nobody holds DATA_DIR, and says so to who shows a token", async () => {
    await start({ tokenUnknown: true })
    const answer = await halt(bearer)
    assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [503, "5"])
    assert.strictEqual((await halt({})).status, 401)
  })
})

describe("a command to a component", () => {
  const asked: Array<ControlRequest> = []
  const send = (body: string, command = "pause") =>
    world.send("POST", `/api/v1/actors/root%2Ftrading%2Fexits/${command}`, { body, headers: bearer })

  it.each(["restart", "pause", "resume"])("is carried out and told [%s]", async (command) => {
    asked.length = 0
    await start({ control: (request) => Effect.sync(() => (asked.push(request), { unprotected: [] })) })
    const answer = await send("", command)
    const path = "root/trading/exits"
    assert.strictEqual(answer.status, 202)
    assert.deepStrictEqual(answer.body, { status: "ACCEPTED", path, command } as never)
    assert.deepStrictEqual(asked, [{ command, path, confirmed: false }] as never)
    const told = world.lines.find(({ event }) => event === "control.done")
    assert.deepInclude(told ?? {}, { component: path, command, by: "api:127.0.0.1" })
    assert.lengthOf(world.alerts, 0)
  })

  it("that leaves positions alone must say so, and is an alert then", async () => {
    const positions = Array.from({ length: 30 }, (_, at) => `paper-1/S${at}`)
    await start({
      control: ({ confirmed, path }) =>
        confirmed
          ? Effect.succeed({ unprotected: positions })
          : Effect.fail(new ControlRefused({ path, reason: "unprotected", message: "30 open", positions }))
    })
    const refused = await send("{}")
    assert.strictEqual(refused.status, 409)
    assert.deepInclude(refused.body, { reason: "unprotected", message: "30 open", confirm: "unprotected" })
    assert.lengthOf(refused.body["positions"] as ReadonlyArray<string>, 20)
    assert.strictEqual((await send('{"confirm":"yes"}')).body.errors[0]?.path, "confirm")
    assert.strictEqual((await send('{"confirm":true}')).status, 400)
    assert.strictEqual((await send('{"confirm":"unprotected","reason":" drill "}')).status, 202)
    assert.deepInclude(world.alerts[0], { severity: "HIGH", kind: "control.unprotected" })
    assert.deepInclude(world.lines.find(({ event }) => event === "control.done") ?? {}, { reason: "drill" })
    assert.strictEqual((await send('{"because":"drill"}')).body.errors[0]?.path, "because")
  })

  it("that cannot be given is 409 with its reason, or 404 for nobody", async () => {
    let reason = "irrevocable"
    await start({
      control: ({ path }) =>
        Effect.suspend(() => Effect.fail(new ControlRefused({ path, reason, message: "why" })))
    })
    const refused = await send("")
    assert.strictEqual(refused.status, 409)
    assert.deepInclude(refused.body, { status: "CONFLICT", reason: "irrevocable", message: "why" })
    assert.notProperty(refused.body, "positions")
    reason = "not_found"
    assert.strictEqual((await send("")).status, 404)
  })
})

describe("a session of the console", () => {
  const reads = {
    linkage: Effect.succeed({ ours: 1, linked: 1, rate: 1, external: 0 })
  }
  const login = async (headers: Record<string, string> = {}) => {
    const answer = await world.send("POST", "/api/v1/session", { headers: { ...bearer, ...headers } })
    assert.strictEqual(answer.status, 200, answer.text)
    const set = answer.headers["set-cookie"] ?? ""
    return { set, cookie: set.split(";")[0] ?? "", csrf: String(answer.body["csrf_token"]) }
  }
  const halt = (headers: Record<string, string>) =>
    world.send("POST", "/api/v1/trading-state", { body: '{"state":"HALTED","reason":"drill"}', headers })

  it("is given for the token, in a cookie that no script reads and no other site sends", async () => {
    await start({ reads })
    const { cookie, csrf, set } = await login()
    assert.match(set, /; HttpOnly; SameSite=Strict$/)
    assert.notInclude(set, "Secure")
    assert.notInclude(set, csrf)
    assert.include((await login({ origin: "https://desk.example" })).set, "; Secure")
    assert.strictEqual((await world.send("POST", "/api/v1/session", { headers: { cookie } })).status, 403)
  })

  it("reads by its cookie and controls by cookie and CSRF token together", async () => {
    const changes: Array<unknown> = []
    await start({
      environment: { ADMIN_TOKEN: token },
      reads,
      stateChanged: (change) => void changes.push(change)
    })
    const { cookie, csrf } = await login({ authorization: `Bearer ${token}` })
    const linkage = (headers: Record<string, string>) => world.send("GET", "/api/v1/linkage", { headers })
    assert.strictEqual((await linkage({})).status, 401)
    assert.strictEqual((await linkage({ cookie })).status, 200)
    assert.strictEqual((await linkage({ cookie: `other=1; ${cookie}` })).status, 200)
    assert.strictEqual((await linkage({ cookie: `${cookie}x` })).status, 401)
    assert.strictEqual((await linkage({ cookie, "sec-fetch-site": "cross-site" })).status, 401)
    const forged = await halt({ cookie })
    assert.deepStrictEqual([forged.status, forged.body.errors[0]?.path], [403, "headers.x-csrf-token"])
    assert.strictEqual((await halt({ cookie, "x-csrf-token": `${csrf}x` })).status, 403)
    assert.strictEqual((await halt({ "x-csrf-token": csrf })).status, 401)
    assert.strictEqual((await halt({ cookie, "x-csrf-token": csrf })).status, 200)
    assert.deepInclude(changes[0], { changedBy: "console:127.0.0.1" })
    const shown = await world.send("GET", "/api/v1/session", { headers: { cookie } })
    assert.deepInclude(shown.body, { by: "session", csrf_token: csrf })
  })

  it("does not prolong itself: a login takes the token", async () => {
    await start({ reads })
    const { cookie, csrf } = await login()
    const headers = { cookie, "x-csrf-token": csrf }
    assert.strictEqual((await world.send("POST", "/api/v1/session", { headers })).status, 401)
  })

  it("ends at its logout, for everybody who holds the cookie", async () => {
    await start({ reads })
    const { cookie, csrf } = await login()
    const headers = { cookie, "x-csrf-token": csrf }
    assert.strictEqual((await world.send("POST", "/api/v1/session/end", { headers: { cookie } })).status, 403)
    const ended = await world.send("POST", "/api/v1/session/end", { headers })
    assert.strictEqual(ended.status, 200)
    assert.match(ended.headers["set-cookie"] ?? "", /=; Path=\/; Max-Age=0; /)
    assert.strictEqual((await halt(headers)).status, 401)
  })
})

describe("the pages", () => {
  it("carry a policy that lets nothing foreign in, and nothing inline", async () => {
    await start()
    const root = await world.send("GET", "/")
    assert.deepStrictEqual([root.status, root.headers["location"]], [302, "console/"])
    const unslashed = await world.send("GET", "/console")
    assert.deepStrictEqual([unslashed.status, unslashed.headers["location"]], [302, "console/"])
    const page = await world.send("GET", "/console/")
    assert.strictEqual(page.status, 200)
    assert.include(page.text, '<div id="app">')
    for (const { headers } of [root, page]) {
      const policy = headers["content-security-policy"] ?? ""
      assert.include(policy, "default-src 'none'")
      assert.include(policy, "frame-ancestors 'none'")
      assert.notMatch(policy, /unsafe|http|\*/)
    }
    // Every script is a file of ours, by a relative address.
    assert.notMatch(page.text, /<style|style=| on[a-z]+=|<script>|(src|href)="(?!\.\/)/)
  })
  it("serve what the build listed and nothing else", async () => {
    await start()
    const script = /src="\.\/([^"]+)"/.exec((await world.send("GET", "/console/")).text)?.[1] ?? ""
    const asset = await world.send("GET", `/console/${script}`)
    assert.deepStrictEqual(
      [asset.status, asset.headers["content-type"], asset.headers["cache-control"]],
      [200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"]
    )
    const charts = await world.send("GET", "/console/machines.json")
    assert.strictEqual(charts.headers["cache-control"], "no-cache")
    const again = await world.send("GET", "/console/machines.json", {
      headers: { "if-none-match": charts.headers["etag"] ?? "" }
    })
    assert.deepStrictEqual(
      [again.status, again.text, again.headers["cache-control"], again.headers["etag"]],
      [304, "", "no-cache", charts.headers["etag"]]
    )
    for (const name of ["files.json", "machines.json.gz", "..%2Fpackage.json", "%2e%2e", "nothing.js"])
      assert.strictEqual((await world.send("GET", `/console/${name}`)).status, 404, name)
  })
})

describe("the API's answers", () => {
  it("are 405 with Allow, 404 and 400 where they should be", async () => {
    await start()
    const wrong = await world.send("POST", "/api/v1/orders", { headers: bearer })
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
    ["status=cooked", "query.status"],
    ["symbol=a%00b", "query.symbol"],
    ["signal_id=7", "query.signal_id"],
    ["cursor=zzz", "query.cursor"]
  ])("name the parameter of ?%s", async (query, path) => {
    await start({ reads: { list: () => Effect.fail(new BadCursor({ cursor: "zzz" })) } })
    const { body, status } = await world.send("GET", `/api/v1/orders?${query}`)
    assert.strictEqual(status, 400)
    assert.strictEqual(body.errors[0]?.path, path)
  })

  it("refuse a parameter that is given twice, once", async () => {
    await start()
    const { body, status } = await world.send(
      "GET",
      "/api/v1/waves?status=done&feed=a&status=missed&status=done"
    )
    assert.strictEqual(status, 400)
    assert.deepStrictEqual(body.errors, [{ path: "query.status", message: "must not be given twice" }])
  })

  it("name every wrong parameter, and what would be right", async () => {
    await start()
    const { body } = await world.send("GET", "/api/v1/waves?status=over&colour=red")
    assert.deepStrictEqual(body.errors, [
      { path: "query.status", message: "must be one of expected, processing, done, missed" },
      { path: "query.colour", message: "unknown parameter; use limit, cursor, feed, status" }
    ])
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
    // What asks nobody is answered all the same, and so is what tells why.
    for (const path of ["/metrics", "/health/live", "/version"])
      assert.strictEqual((await world.send("GET", path)).status, 200, path)
    await Promise.allSettled([Effect.runPromise(world.socket.close(10)), ...waiting])
  })
})

describe("the trading state", () => {
  it("is changed with who and why, and raises an alert", async () => {
    const changes: Array<unknown> = []
    await start({ stateChanged: (change) => void changes.push(change) })
    const answer = await world.send("POST", "/api/v1/trading-state", {
      body: '{"state":"HALTED","reason":"drill"}',
      headers: bearer
    })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(changes, [
      { scope: "global", state: "HALTED", reason: "drill", changedBy: "api:127.0.0.1" }
    ])
    assert.deepInclude(world.alerts[0], { kind: "trading_state.changed", severity: "HIGH" })
  })

  it.each([
    ["the sender that a trusted proxy names", ["127.0.0.1"], "api:198.51.100.7"],
    ["the proxy where none is trusted", [], "api:127.0.0.1"]
  ])("is changed by %s", async (_, trustedProxies, changedBy) => {
    const changes: Array<{ readonly changedBy: string }> = []
    await start({ file: { trustedProxies }, stateChanged: (change) => void changes.push(change) })
    const answer = await world.send("POST", "/api/v1/trading-state", {
      body: '{"state":"HALTED","reason":"drill"}',
      headers: { ...bearer, "x-forwarded-for": "203.0.113.9, 198.51.100.7" }
    })
    assert.strictEqual(answer.status, 200, answer.text)
    assert.deepStrictEqual(
      changes.map((change) => change.changedBy),
      [changedBy]
    )
  })

  it("names everything that is wrong with a change", async () => {
    await start()
    const send = (body: string) => world.send("POST", "/api/v1/trading-state", { body, headers: bearer })
    const answer = await send('{"state":"STOPPED"}')
    assert.deepStrictEqual(
      answer.body.errors.map(({ path }) => path),
      ["state", "reason"]
    )
    for (const body of ["{", "[]"]) assert.strictEqual((await send(body)).status, 400)
    assert.strictEqual((await send(" ".repeat(20_000))).status, 413)
  })

  it("is not changed for everybody by who meant one account, nor by a word that it does not know", async () => {
    const changes: Array<unknown> = []
    await start({ stateChanged: (change) => void changes.push(change) })
    const send = (more: object) =>
      world.send("POST", "/api/v1/trading-state", {
        body: JSON.stringify({ state: "HALTED", reason: "drill", ...more }),
        headers: bearer
      })
    const scoped = await send({ scope: "paper-1", until: "noon" })
    assert.strictEqual(scoped.status, 400)
    assert.deepStrictEqual(scoped.body.errors, [
      { path: "scope", message: "must be global, account:<id> or strategy:<name>" },
      { path: "until", message: "unknown field; use state, reason, scope" }
    ])
    const unknown = await send({ scope: "account:paper-9" })
    assert.deepStrictEqual(
      [unknown.status, unknown.body.errors],
      [400, [{ path: "scope", message: "must be global or one of paper-1, paper-2, as account:<name>" }]]
    )
    assert.strictEqual((await send({ scope: "strategy:toString" })).status, 400)
    assert.deepStrictEqual(changes, [])
    assert.strictEqual((await send({ scope: "account:paper-1" })).status, 200)
    assert.strictEqual((await send({ scope: "strategy:default" })).status, 200)
    assert.deepStrictEqual(
      changes.map((change) => (change as { scope: string }).scope),
      ["account:paper-1", "strategy:default"]
    )
    assert.strictEqual((await send({ scope: "global" })).status, 200)
    assert.lengthOf(changes, 3)
  })
})

describe("the index of the API", () => {
  it("names every path below it with its method, and the filters of the lists", async () => {
    await start()
    const answer = await world.send("GET", "/api/v1", { headers: bearer })
    assert.strictEqual(answer.status, 200)
    const { items } = answer.body as unknown as {
      readonly items: ReadonlyArray<{
        readonly method: string
        readonly path: string
        readonly summary: string
        readonly filters: ReadonlyArray<string> | null
      }>
    }
    assert.deepInclude(items, {
      method: "GET",
      path: "/api/v1/orders",
      summary: "Orders, newest first.",
      filters: ["status", "account", "symbol", "strategy", "signal_id"]
    })
    assert.deepInclude(items, {
      method: "POST",
      path: "/api/v1/trading-state",
      summary: "Sets ACTIVE, REDUCING or HALTED, for all, an account or a strategy; the strictest holds.",
      filters: null
    })
    for (const { method, path } of items) {
      const { headers } = await world.send("OPTIONS", path.replaceAll(/:\w+/g, "x"))
      assert.include(headers["allow"], method, path)
    }
  })

  it("is the API's: a stranger is refused", async () => {
    await start()
    const stranger = await world.send("GET", "/api/v1", { headers: { via: "1.1 proxy" } })
    assert.strictEqual(stranger.status, 401)
  })
})

describe("the OpenAPI document", () => {
  it("is answered to everybody, and names every path that answers", async () => {
    await start()
    const { headers, status, text } = await world.send("GET", "/openapi.json")
    assert.strictEqual(status, 200)
    assert.strictEqual(headers["content-type"], "application/json; charset=utf-8")
    const document = JSON.parse(text) as { openapi: string; paths: Record<string, Record<string, unknown>> }
    assert.strictEqual(document.openapi, "3.1.0")
    for (const [path, operations] of Object.entries(document.paths)) {
      const { headers: told } = await world.send("OPTIONS", path.replaceAll(/\{\w+\}/g, "default"))
      for (const method of Object.keys(operations))
        assert.include(told["allow"], method.toUpperCase(), `${method} ${path}`)
    }
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
    const allowed = (listed.headers["access-control-allow-headers"] ?? "").split(", ")
    for (const name of [
      "authorization",
      "content-type",
      "idempotency-key",
      "x-request-id",
      "x-webhook-signature",
      "webhook-id",
      "webhook-timestamp",
      "webhook-signature"
    ])
      assert.include(allowed, name)
    const other = await world.send("OPTIONS", "/webhook", { headers: { origin: "http://evil.example" } })
    assert.isUndefined(other.headers["access-control-allow-methods"])
  })
})
