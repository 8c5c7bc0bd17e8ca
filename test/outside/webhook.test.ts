import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { createHmac, randomUUID } from "node:crypto"
import { execFile, spawnSync } from "node:child_process"
import { Agent } from "node:http"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, Service } from "./service.ts"

const service = new Service()
beforeAll(() => service.start(), 150_000)
afterAll(() => service.dispose(), 120_000)

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0
/** What openssl prints for `input`. */
const openssl = (args: ReadonlyArray<string>, input: string): Promise<string> =>
  new Promise((settle, reject) => {
    const child = execFile("openssl", args, (error, stdout) => (error ? reject(error) : settle(stdout)))
    child.stdin?.end(input)
  })

const ordersOf = async (signalId: string) => (await service.get(`/api/v1/signals/${signalId}`)).body.orders

describe("a plain alert", () => {
  it("is stored, decided, ordered once, filled and linked", async () => {
    const answer = await service.post("/webhook", alertBody())
    assert.strictEqual(answer.status, 201, answer.text)
    assert.strictEqual(answer.body.status, "ACCEPTED")
    assert.match(answer.body.signal_id, /^[0-9a-f-]{36}$/)
    assert.isString(answer.body.experiment_id)
    assert.isString(answer.body.variant)
    assert.isNumber(answer.body.processing_time_ms)
    assert.strictEqual(answer.headers["x-request-id"], answer.body.request_id)
    const trace = await waitUntil("a settled order", async () => {
      const { body } = await service.get(`/api/v1/signals/${answer.body.signal_id}`)
      return body.orders?.[0]?.settled_at ? body : undefined
    })
    assert.strictEqual(trace.signal.status, "done")
    assert.strictEqual(trace.signal.source, "default")
    assert.strictEqual(trace.decision.engine, "A")
    assert.isTrue(trace.decision.checks.every((check: { ok: boolean }) => check.ok))
    assert.lengthOf(trace.orders, 1)
    assert.strictEqual(trace.orders[0].account, "paper-1")
    assert.strictEqual(trace.orders[0].symbol, "SPY")
    assert.strictEqual(trace.orders[0].side, "buy")
    assert.strictEqual(trace.orders[0].quantity, "1")
    assert.strictEqual(trace.orders[0].status, "filled")
    assert.lengthOf(trace.fills, 1)
    assert.lengthOf(trace.links, 1)
    // [G3] The same in sentences: the answer first, then every check.
    const why = await service.get(`/api/v1/signals/${answer.body.signal_id}/why`)
    assert.strictEqual(why.headers["content-type"], "text/plain; charset=utf-8")
    assert.match(
      why.text,
      /^One order was made: buy 1 SPY .* in paper-1 for default\. It was filled, 1 of 1 at \d/
    )
    for (const { check } of trace.decision.checks as ReadonlyArray<{ readonly check: string }>)
      assert.include(why.text, `\n- ${check.replaceAll("_", " ")}, passed`)
    const { body } = await service.get("/api/v1/linkage")
    assert.strictEqual(body.ours, body.linked)
    assert.strictEqual(Number(body.rate), 1)
  })

  // An expiration of the past is refused, and one of a fixed year becomes past.
  const december = `${new Date().getUTCFullYear() + 1}-12-18`
  const ordered: ReadonlyArray<readonly [what: string, fields: Record<string, unknown>, symbol: RegExp]> = [
    ["CALL, contract chosen by rule", { direction: "CALL" }, /^SPY \d{4}-\d\d-\d\d C \d+(\.\d+)?$/],
    [
      "PUT with strike and expiration",
      { direction: "PUT", strike: "42.50", expiration: december },
      new RegExp(`^SPY ${december} P 42\\.5$`)
    ],
    ["a symbol with a space", { symbol: "BRK B" }, /^BRK B$/],
    ["a symbol in lower case with a prefix", { symbol: " nasdaq:aapl " }, /^AAPL$/],
    ["a coin's perpetual", { symbol: "BINANCE:BTCUSDT.P" }, /^BTCUSDT\.P$/],
    ["a future of a month", { symbol: "/MESZ26" }, /^\/MESZ26$/],
    ["a continuous contract", { symbol: "CL1!" }, /^CL1!$/],
    ["a future of millions of units", { symbol: "6J=F" }, /^6J=F$/],
    ["an option of another spelling", { symbol: ".SPX270115C5500" }, /^\.SPX270115C5500$/],
    ["a tick chart's alert", { symbol: "TICKS", timeframe: "100T" }, /^TICKS$/],
    [
      "the longest symbol",
      { symbol: `${"L".repeat(31)} ${"M".repeat(32)}`, direction: "CALL", strike: 7 },
      / C 7$/
    ],
    ["18 digits after the point", { symbol: "WEI", quantity: "0.123456789012345678" }, /^WEI$/],
    ["the shortest text of a double", { symbol: "DBL", quantity: 0.1 + 0.2 }, /^DBL$/],
    ["the smallest quantity", { symbol: "DUST", quantity: "0.000000000000000001" }, /^DUST$/]
  ]
  for (const [what, fields, symbol] of ordered) {
    it(`in practice one alert is one order that fills, and a position: ${what}`, async () => {
      const answer = await service.post("/webhook", alertBody(fields))
      assert.strictEqual(answer.status, 201, answer.text)
      const trace = await service.settled(answer.body.signal_id)
      assert.lengthOf(trace.orders, 1, JSON.stringify(trace.decision))
      const [order] = trace.orders
      assert.strictEqual(order.status, "filled", order.reason)
      assert.match(order.symbol, symbol)
      assert.strictEqual(order.quantity, String(fields["quantity"] ?? "1"))
      assert.strictEqual(order.filled_quantity, order.quantity)
      assert.lengthOf(trace.fills, 1)
      assert.lengthOf(trace.links, 1)
      const { body } = await service.get("/api/v1/positions?limit=200")
      const position = body.items.find((item: { symbol: string }) => item.symbol === order.symbol)
      assert.strictEqual(position?.quantity, order.quantity)
    })
  }

  it("posted twice is a duplicate with the stored answer", async () => {
    const body = alertBody()
    const first = await service.post("/webhook", body)
    const second = await service.post("/webhook", body)
    assert.strictEqual(first.status, 201)
    assert.strictEqual(second.status, 200)
    assert.strictEqual(second.body.status, "DUPLICATE")
    assert.strictEqual(second.body.signal_id, first.body.signal_id)
    assert.strictEqual(second.body.experiment_id, first.body.experiment_id)
  })

  it("posted 200 times at once is one 201, 199 x 200 and one order", async () => {
    const body = alertBody({ symbol: "QQQ" })
    const agent = new Agent({ keepAlive: true, maxSockets: 64 })
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => service.post("/webhook", body, { agent, deadlineMs: 60_000 }))
    )
    agent.destroy()
    assert.strictEqual(answers.filter((answer) => answer.status === 201).length, 1)
    assert.strictEqual(answers.filter((answer) => answer.status === 200).length, 199)
    const ids = new Set(answers.map((answer) => answer.body.signal_id))
    assert.strictEqual(ids.size, 1)
    const [id] = ids
    const orders = await waitUntil("the order", async () => {
      const found = await ordersOf(String(id))
      return found?.[0]?.status === "filled" ? found : undefined
    })
    assert.lengthOf(orders, 1)
  })

  it.each(["application/json", "text/plain", "text/plain; charset=utf-8"])("is taken as %s", async (type) => {
    const answer = await service.post("/webhook", JSON.stringify(alertBody()), {
      headers: { "content-type": type }
    })
    assert.strictEqual(answer.status, 201, answer.text)
  })
})

describe("identity", () => {
  it("of a body without one is its content, however it is written", async () => {
    const body = alertBody({ quantity: "2" })
    const first = await service.post("/webhook", body)
    const turned = Object.fromEntries(Object.entries(body).toReversed())
    const again = await service.post("/webhook", JSON.stringify(turned, null, 2))
    assert.deepStrictEqual([first.status, again.status], [201, 200])
    assert.strictEqual(again.body.signal_id, first.body.signal_id)
  })
  it("belongs to its source: the same body from another one is another signal", async () => {
    const body = alertBody({ id: randomUUID() })
    const first = await service.post("/webhook", body)
    const other = await service.post("/webhook/wave", body)
    assert.deepStrictEqual([first.status, other.status], [201, 201])
    assert.notStrictEqual(other.body.signal_id, first.body.signal_id)
  })
  it("given explicitly with other content is a conflict and stores nothing over", async () => {
    const id = randomUUID()
    const first = await service.post("/webhook", alertBody({ id }))
    const other = await service.post("/webhook", alertBody({ id, symbol: "TSLA" }))
    assert.strictEqual(first.status, 201)
    assert.strictEqual(other.status, 409)
    assert.strictEqual(other.body.status, "CONFLICT")
    assert.strictEqual(other.body.signal_id, first.body.signal_id)
    const trace = await service.get(`/api/v1/signals/${first.body.signal_id}`)
    assert.strictEqual(trace.body.signal.symbol, "SPY")
  })
  it.each(["webhook-id", "Idempotency-Key"])("comes from the header %s", async (header) => {
    const id = randomUUID()
    const body = alertBody()
    const first = await service.post("/webhook", body, { headers: { [header]: id } })
    const again = await service.post("/webhook", body, { headers: { [header]: id } })
    const other = await service.post("/webhook", body, { headers: { [header]: randomUUID() } })
    assert.deepStrictEqual([first.status, again.status, other.status], [201, 200, 201])
    assert.notStrictEqual(first.body.signal_id, other.body.signal_id)
  })
})

describe("bad input names its field and stores nothing", () => {
  const timestamp = new Date().toISOString()
  it.each([
    ["no symbol", { direction: "long", timeframe: "5m", timestamp }, "symbol"],
    ["no direction and no action", { symbol: "SPY", timeframe: "5m", timestamp }, "action"],
    ["no timeframe", { symbol: "SPY", direction: "long", timestamp }, "timeframe"],
    ["no timestamp", { symbol: "SPY", direction: "long", timeframe: "5m" }, "timestamp"],
    ["a symbol that is a number", { symbol: 7, direction: "long", timeframe: "5m", timestamp }, "symbol"],
    [
      "a quantity that is NaN",
      { symbol: "SPY", direction: "long", timeframe: "5m", timestamp, quantity: "NaN" },
      "quantity"
    ],
    [
      "a negative quantity",
      { symbol: "SPY", direction: "long", timeframe: "5m", timestamp, quantity: -1 },
      "quantity"
    ],
    [
      "metadata with a null score",
      {
        snapshot_id: randomUUID(),
        score: { "Buy Score": null, "Sell Score": 1 },
        trigger: "roc_momo",
        pair: "ZRX-USD"
      },
      "score.Buy Score"
    ]
  ])("%s", async (_name, body, path) => {
    const before = (await service.get("/api/v1/signals?limit=1")).body.items[0]?.id
    const answer = await service.post("/webhook", body)
    assert.strictEqual(answer.status, 400, answer.text)
    assert.strictEqual(answer.body.status, "INVALID")
    assert.isTrue(
      answer.body.errors.some((error: { path: string }) => error.path === path),
      answer.text
    )
    assert.strictEqual((await service.get("/api/v1/signals?limit=1")).body.items[0]?.id, before)
  })

  it.each([
    ["garbage", "{{{", 400],
    ["nothing", "", 400],
    ["a number", "5", 400],
    [
      "a duplicate key",
      `{"symbol":"A","symbol":"B","direction":"long","timeframe":"5m","timestamp":"${timestamp}"}`,
      400
    ],
    [
      "a lone surrogate",
      `{"symbol":"\\ud800","direction":"long","timeframe":"5m","timestamp":"${timestamp}"}`,
      400
    ],
    [
      "a number that is too large",
      `{"symbol":"SPY","direction":"long","timeframe":"5m","timestamp":"${timestamp}","quantity":1e999}`,
      400
    ],
    ["deep nesting", `{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}`, 400],
    ["2 MB", `{"symbol":"${"x".repeat(2_000_000)}"}`, 413]
  ])("%s", async (_name, body, status) => {
    const answer = await service.post("/webhook", body)
    assert.strictEqual(answer.status, status, answer.text.slice(0, 300))
    assert.isString(answer.body.request_id)
    assert.strictEqual((await service.get("/health/live")).status, 200)
  })

  it.each([
    ["an unknown path", "GET", "/nope", {}, 404],
    ["a source nobody configured", "POST", "/webhook/nobody", {}, 404],
    ["the wrong method", "DELETE", "/webhook", {}, 405],
    ["the wrong content type", "POST", "/webhook", { "content-type": "application/xml" }, 415]
  ])("%s", async (_name, method, path, headers, status) => {
    const answer = await service.post(path, method === "GET" ? undefined : "{}", { method, headers })
    assert.strictEqual(answer.status, status, answer.text)
    assert.strictEqual(answer.headers["x-request-id"], answer.body.request_id)
  })
})

describe("metadata", () => {
  it("is stored, never an order, and refused together with a signal", async () => {
    const metadata = {
      snapshot_id: randomUUID(),
      score: { "Buy Score": 2.5, "Sell Score": -1 },
      trigger: "roc_momo",
      pair: "ZRX-USD"
    }
    const answer = await service.post("/webhook", metadata)
    assert.strictEqual(answer.status, 201, answer.text)
    const again = await service.post("/webhook", metadata)
    assert.deepStrictEqual([again.status, again.body.signal_id], [200, answer.body.signal_id])
    const mixed = await service.post("/webhook", { ...alertBody(), ...metadata })
    assert.strictEqual(mixed.status, 400, mixed.text)
    const later = await service.post("/webhook", alertBody())
    await waitUntil("a later signal to be ordered", async () =>
      (await ordersOf(later.body.signal_id))?.length === 1 ? true : undefined
    )
    assert.lengthOf((await ordersOf(answer.body.signal_id)) ?? [], 0)
  })
})

describe("age", () => {
  it("a signal that is too old is stored, rejected and never ordered", async () => {
    const answer = await service.post(
      "/webhook",
      alertBody({ timestamp: new Date(Date.now() - 3_600_000).toISOString() })
    )
    assert.strictEqual(answer.status, 201, answer.text)
    const trace = await waitUntil("the rejection", async () => {
      const { body } = await service.get(`/api/v1/signals/${answer.body.signal_id}`)
      return body.signal?.status === "rejected" ? body : undefined
    })
    assert.match(trace.signal.reason, /too_old/)
    assert.lengthOf(trace.orders, 0)
    const why = await service.get(`/api/v1/signals/${answer.body.signal_id}/why`)
    assert.match(
      why.text,
      /^No order was made: the signal was too old \(too_old\); it came 36\d\d\S* s after \S+, from which its age counts\.\n/
    )
  })
})

describe("with a secret", () => {
  const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
  const token = "Zq7fLm2XwR9bTd4KvN6pYh3JsGc8aUe5"
  const guarded = new Service({
    env: { HMAC_SECRET: secret, WEBHOOK_SECRET: `${secret}2`, ADMIN_TOKEN: token }
  })
  const authorization = `Bearer ${token}`
  const sign = (text: string) => createHmac("sha256", secret).update(text).digest("hex")
  beforeAll(() => guarded.start(), 60_000)
  afterAll(() => guarded.dispose(), 40_000)

  it.each(["", "sha256="])("a right signature is taken [prefix %j]", async (prefix) => {
    const text = JSON.stringify(alertBody())
    const answer = await guarded.post("/webhook", text, {
      headers: { "x-webhook-signature": prefix + sign(text) }
    })
    assert.strictEqual(answer.status, 201, answer.text)
  })
  it.runIf(hasOpenssl)("a signature made with openssl as the README shows is taken", async () => {
    const text = JSON.stringify(alertBody())
    const digest = await openssl(["dgst", "-sha256", "-hmac", secret, "-hex"], text)
    const signature = digest.trim().replace(/^.* /, "")
    const answer = await guarded.post("/webhook", text, { headers: { "x-webhook-signature": signature } })
    assert.strictEqual(answer.status, 201, answer.text)
  })
  it("Standard Webhooks headers are taken, and refused when the signature is of another message", async () => {
    const text = JSON.stringify(alertBody())
    const id = `msg_${randomUUID()}`
    const timestamp = String(Math.floor(Date.now() / 1_000))
    const headers = (signed: string) => ({
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`
    })
    const wrong = await guarded.post("/webhook", text, { headers: headers(`${id}.${timestamp}.{}`) })
    assert.strictEqual(wrong.status, 401, wrong.text)
    const right = await guarded.post("/webhook", text, { headers: headers(`${id}.${timestamp}.${text}`) })
    assert.strictEqual(right.status, 201, right.text)
  })
  it("a secret in the body is taken and never kept", async () => {
    const answer = await guarded.post("/webhook", alertBody({ secret: `${secret}2` }))
    assert.strictEqual(answer.status, 201, answer.text)
    const trace = await guarded.get(`/api/v1/signals/${answer.body.signal_id}`, {
      headers: { authorization }
    })
    assert.strictEqual(trace.status, 200, trace.text)
    assert.notInclude(trace.text, secret)
  })
  it.each([
    ["a wrong signature", { "x-webhook-signature": "00".repeat(32) }, {}],
    ["a signature that is not hex", { "x-webhook-signature": "hello" }, {}],
    ["no authentication", {}, {}],
    ["a wrong secret in the body", {}, { secret: "wrong" }],
    ["a body secret that is a number", {}, { secret: 5 }]
  ])("%s is a 401 that does not say why", async (_name, headers, fields) => {
    const answer = await guarded.post("/webhook", alertBody(fields), { headers })
    assert.strictEqual(answer.status, 401, answer.text)
    assert.deepStrictEqual(Object.keys(answer.body).toSorted(), ["request_id", "status"])
    assert.strictEqual(answer.body.status, "UNAUTHORIZED")
  })
  it("authentication in the body and no JSON is a 401", async () => {
    assert.strictEqual((await guarded.post("/webhook", "{{{")).status, 401)
  })
  it("a signature without a configured secret is a 401", async () => {
    const answer = await service.post("/webhook", alertBody(), {
      headers: { "x-webhook-signature": "00".repeat(32) }
    })
    assert.strictEqual(answer.status, 401)
  })
  it.each([
    ["GET", "/api/v1/signals"],
    ["GET", "/api/v1/actors"],
    ["POST", "/api/v1/trading-state"]
  ])("the API wants its token: %s %s", async (method, path) => {
    const body = method === "POST" ? { state: "HALTED", reason: "an intruder" } : undefined
    const exchange = (headers: Readonly<Record<string, string>>) =>
      body === undefined ? guarded.get(path, { headers }) : guarded.post(path, body, { headers })
    assert.strictEqual((await exchange({})).status, 401)
    assert.strictEqual((await exchange({ authorization: `Bearer ${secret}` })).status, 401)
    if (body === undefined) assert.strictEqual((await exchange({ authorization })).status, 200)
  })
  it("secrets appear in no log line", () => {
    assert.notInclude(JSON.stringify(guarded.lines), secret)
    assert.notInclude(JSON.stringify(guarded.lines), token)
  })
})

describe("the other endpoints", () => {
  it("take over a valid x-request-id and replace another one", async () => {
    const own = `judge-${randomUUID()}`
    const taken = await service.post("/webhook", alertBody(), { headers: { "x-request-id": own } })
    assert.deepStrictEqual([taken.headers["x-request-id"], taken.body.request_id], [own, own])
    const other = await service.get("/health", { headers: { "x-request-id": "no spaces, please" } })
    assert.match(String(other.headers["x-request-id"]), /^[\w-]{8,}$/)
  })
  it.each([
    "/health",
    "/health/live",
    "/health/ready",
    "/version",
    "/webhook/test",
    "/metrics",
    "/api/v1/actors",
    "/api/v1/orders",
    "/api/v1/fills",
    "/api/v1/positions",
    "/api/v1/accounts",
    "/api/v1/waves",
    "/api/v1/trading-state",
    "/api/v1/monitoring/alerts",
    "/api/v1/dead-letters"
  ])("GET %s answers 200", async (path) => {
    const answer = await service.get(path)
    assert.strictEqual(answer.status, 200, answer.text.slice(0, 300))
    assert.isString(answer.headers["x-request-id"])
  })
  it("lists page with a cursor", async () => {
    const first = await service.get("/api/v1/signals?limit=2")
    assert.lengthOf(first.body.items, 2)
    const second = await service.get(
      `/api/v1/signals?limit=2&cursor=${encodeURIComponent(first.body.next_cursor)}`
    )
    assert.notStrictEqual(second.body.items[0].id, first.body.items[0].id)
    assert.notStrictEqual(second.body.items[0].id, first.body.items[1].id)
  })
  it("paper-1 trades and paper-2 keeps its cash", async () => {
    const { body } = await service.get("/api/v1/orders?limit=200")
    assert.isAbove(body.items.length, 0)
    assert.isTrue(body.items.every((order: { account: string }) => order.account === "paper-1"))
  })
  it("each component has its timers, its last transitions and its restarts", async () => {
    const { body } = await service.get("/api/v1/actors")
    const paths = (body.items as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path)
    // One after the other: together they would be more than the reads that may run at once.
    const all: Array<Awaited<ReturnType<typeof service.get>>["body"]> = []
    for (const path of paths) {
      const askedMs = Date.now()
      const { body, status } = await service.get(`/api/v1/actors/${encodeURIComponent(path)}`)
      assert.deepStrictEqual([status, body.path, body.history_complete], [200, path, true])
      all.push(body)
      // One that is due right now may be on its way.
      for (const { due_at } of body.pending_timers as ReadonlyArray<{ readonly due_at: string }>)
        assert.isAbove(Date.parse(due_at), askedMs - 5_000, path)
    }
    assert.isNotEmpty(all.flatMap((one) => one.pending_timers as ReadonlyArray<unknown>))
    const database = all.find(({ path }) => path === "root/database") ?? assert.fail("it runs")
    assert.isAbove(database.last_transitions.length, 0)
    assert.strictEqual((await service.get("/api/v1/actors/root%2Fnothing")).status, 404)
  })
  it("a statechart has the coordinates that the build computed for it", async () => {
    const { body } = await service.get("/api/v1/machines")
    const list = body.items as ReadonlyArray<{ readonly name: string; readonly drawn: object | null }>
    assert.deepStrictEqual(
      list.filter(({ drawn }) => drawn === null),
      []
    )
    const chart = (await service.get(`/api/v1/machines/${list[0]?.name ?? ""}`)).body
    assert.lengthOf(chart.drawn.states, chart.states.length)
    for (const { height, width } of chart.drawn.states) assert.isAbove(Math.min(height, width), 0)
  })
  it("an open position has the market's price and the profit at it, an account its equity", async () => {
    const priced = await waitUntil("a position with a price", async () => {
      const positions = (await service.get("/api/v1/positions?account=paper-1")).body.items
      const found = positions.filter(({ last_price: price }: { last_price: string | null }) => price !== null)
      return found.length > 0 ? found : undefined
    })
    for (const { last_price, priced_at, unrealised_pnl } of priced) {
      assert.match(last_price, /^\d+(\.\d+)?$/)
      assert.match(unrealised_pnl, /^-?\d+(\.\d+)?$/)
      assert.isAbove(Date.parse(priced_at), Date.now() - 60_000)
    }
    const accounts = (await service.get("/api/v1/accounts")).body.items
    const idle = accounts.find(({ id }: { id: string }) => id === "paper-2")
    assert.deepInclude(idle, { equity: "100000", unrealised_pnl: "0", day_pnl: "0", drawdown: "0" })
  })
  it("health is healthy and names every component", async () => {
    let last = ""
    const body = await waitUntil(
      () => `health to be well; last ${last}`,
      async () => {
        const answer = await service.get("/health")
        last = answer.text
        return answer.body.status === "healthy" ? answer.body : undefined
      }
    )
    assert.isTrue(body.ready)
    assert.isTrue(body.can_trade)
    assert.strictEqual(body.mode, "PRACTICE")
    for (const path of [
      "root/http",
      "root/database",
      "root/trading/pipeline",
      "root/trading/exits",
      "root/trading/market"
    ]) {
      assert.isObject(body.components[path], path)
      assert.isTrue(body.components[path].ready, path)
      assert.strictEqual(body.components[path].restarts, 0, path)
    }
  })
})
