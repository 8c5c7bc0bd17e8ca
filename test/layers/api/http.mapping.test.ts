/** Sources whose senders have names and words of their own, and what is tried of their posts. */
import { afterEach, assert, describe, it } from "vitest"
import { bodyHash } from "../../../src/domain/kernel/canonical-json.ts"
import { waitUntil } from "../../support/exchange.ts"
import { bearer, startWorld, type World, type WorldOptions } from "./http-world.ts"

let world: World
const start = async (options: WorldOptions = {}): Promise<World> => (world = await startWorld(options))
afterEach(() => world.dispose())

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const fields = {
  symbol: { join: [{ from: "/exchange" }, ":", { from: "/ticker" }] },
  action: { from: "/side", table: { long: "BUY", short: "SELL" } },
  quantity: { from: "/order/size" },
  timeframe: { constant: "1h" },
  timestamp: { from: "/at" },
  strategy: null
}
const source = { fields, authentication: { bodySecret: { field: "/key", secrets: [secret] } } }
const sent = (more: Record<string, unknown> = {}) => ({
  key: secret,
  exchange: "NYSE",
  ticker: "ko",
  side: "Long",
  order: { size: "3" },
  at: new Date().toISOString(),
  strategy: { name: "mine" },
  ...more
})
const startSource = (more: Record<string, unknown> = {}) =>
  start({ file: { sources: { s: { ...source, ...more } } } })
const post = (body: unknown, headers: Record<string, string> = {}) => world.post(body, headers, "/webhook/s")
const tryIt = (body: string, query = "", headers: Record<string, string> = bearer) =>
  world.send("POST", `/webhook/s/try${query}`, { body, headers })

describe("a post that is mapped", () => {
  it("is stored as it was sent, read as the settings say, and what was done is stored with it", async () => {
    await startSource()
    const body = sent()
    const answer = await post(body)
    assert.strictEqual(answer.status, 201, answer.text)
    const [row] = world.store.rows()
    assert.deepInclude(row, {
      symbol: "NYSE:KO",
      action: "BUY",
      quantity: "3",
      timeframe: "1h",
      strategy: null
    })
    const { key: _key, ...stored } = body
    assert.deepStrictEqual(JSON.parse(row?.body ?? ""), stored)
    assert.strictEqual(row?.bodyHash, bodyHash(JSON.parse(JSON.stringify(stored))))
    assert.deepStrictEqual(JSON.parse(row?.mapped ?? ""), {
      symbol: '/exchange + ":" + /ticker',
      action: "/side by table",
      timeframe: "a constant",
      quantity: "/order/size",
      timestamp: "/at"
    })
  })

  it("is the same by what was sent, whatever the mapping makes of it", async () => {
    await startSource()
    const body = sent()
    assert.strictEqual((await post(body)).status, 201)
    assert.strictEqual((await post(body)).status, 200)
    assert.strictEqual((await post({ ...body, side: " LONG" })).status, 201, "another text is another post")
    assert.strictEqual((await post({ ...body, comment: "again" })).status, 201)
  })

  it("is refused with the place that a field was mapped from, and kept as it was sent", async () => {
    await startSource()
    const answer = await post(sent({ side: "flat", order: { size: "many" } }))
    assert.strictEqual(answer.status, 400)
    assert.deepStrictEqual(answer.body.errors, [
      { path: "action", message: "is mapped from /side, whose value is none of long, short" },
      {
        path: "quantity",
        message:
          "must be a decimal such as 1250.5 (no commas), of at most 20 digits before and 18 after the point (it is mapped from /order/size)"
      }
    ])
    assert.include(world.kept[0]?.text.body ?? "", '"side":"flat"')
    assert.notInclude(world.kept[0]?.text.body ?? "", secret)
  })

  it("without a time of its own has that of its receipt, and is itself for a minute", async () => {
    await startSource({ fields: { ...fields, timestamp: { received: true } } })
    const body = sent({ at: undefined })
    assert.strictEqual((await post(body)).status, 201)
    assert.strictEqual((await post(body)).status, 200)
    const [row] = world.store.rows()
    assert.strictEqual(row?.identityKind, "bucket")
    assert.closeTo(row?.firedAtMs ?? 0, Date.now(), 30_000)
  })

  it("may have an id that is no identity where its content is", async () => {
    await startSource({ identity: "body" })
    for (const id of ["开多", "开多", 1.5])
      assert.strictEqual((await post(sent({ id, n: Math.random() }))).status, 201)
  })

  it("that is metadata is not mapped", async () => {
    await startSource()
    const answer = await post({
      key: secret,
      snapshot_id: "0b1c2d3e-0000-4000-8000-000000000001",
      score: { "Buy Score": 1, "Sell Score": 2 },
      trigger: "t",
      pair: "ZRX-USD"
    })
    assert.strictEqual(answer.status, 201, answer.text)
    assert.deepInclude(world.store.rows()[0], { kind: "metadata", mapped: null })
  })
})

describe("POST /webhook/:source/try", () => {
  it("tells what would be made of a post and stores nothing", async () => {
    await startSource()
    const body = sent()
    const { body: tried, status } = await tryIt(JSON.stringify(body))
    assert.strictEqual(status, 200)
    assert.deepInclude(tried, {
      source: "s",
      answer: { status: 201, word: "ACCEPTED" },
      kind: "signal",
      strategies: []
    })
    assert.deepInclude(tried["signal"], { symbol: "NYSE:KO", action: "BUY", quantity: "3" })
    assert.deepStrictEqual(tried["instrument"], { symbol: "KO", how: "prefix_dropped", message: null })
    assert.deepInclude(tried["age"], { timestamp_is: "fired", verdict: "fresh" })
    assert.deepInclude(tried["mapped"], { action: "/side by table" })
    assert.deepStrictEqual(tried["problems"], [
      { path: "", message: 'no strategy takes the source s: add it to "sources" of one' }
    ])
    assert.deepStrictEqual(tried["authentication"], {
      passes: true,
      require: "any",
      checks: [{ method: "bodySecret", result: "passed", message: null }]
    })
    assert.isEmpty(world.store.rows())
    assert.isEmpty(world.kept)
    const stored = await post(body)
    assert.strictEqual((tried["identity"] as { signal_id: string }).signal_id, stored.body.signal_id)
  })

  it("names each check of the authentication, and reads the post all the same", async () => {
    await start({
      file: {
        sources: {
          s: {
            ...source,
            ips: ["52.89.214.238"],
            authentication: {
              require: "all",
              hmac: { secrets: [secret] },
              bodySecret: { field: "/key", secrets: [secret] }
            }
          }
        }
      }
    })
    const { body, text } = await tryIt(JSON.stringify(sent({ key: "wrong" })))
    assert.deepStrictEqual(body["answer"], { status: 401, word: "UNAUTHORIZED" })
    assert.deepStrictEqual(body["authentication"], {
      passes: false,
      require: "all",
      checks: [
        { method: "ips", result: "failed", message: "127.0.0.1 is not in the list" },
        { method: "hmac", result: "absent", message: "it was not sent" },
        { method: "bodySecret", result: "failed", message: "it is another one" }
      ]
    })
    assert.strictEqual(body["kind"], "signal")
    assert.notInclude(text, secret)
    const from = await tryIt(JSON.stringify(sent()), "?address=52.89.214.238")
    const { checks } = from.body["authentication"] as { checks: ReadonlyArray<{ result: string }> }
    assert.deepStrictEqual(
      checks.map(({ result }) => result),
      ["passed", "absent", "passed"]
    )
    assert.strictEqual((await tryIt("{}", "?address=x")).status, 400)
  })

  it.each([
    ["{'symbol': nan}", "", 400],
    ["", "", 400],
    ["[]", "", 400],
    [JSON.stringify({ key: secret, side: "x" }), "action", 400]
  ])("names what is wrong with %s", async (text, path, status) => {
    await startSource({ authentication: { addresses: ["127.0.0.1"] } })
    const { body } = await tryIt(text)
    assert.strictEqual((body["answer"] as { status: number }).status, status)
    const problems = body["problems"] as ReadonlyArray<{ path: string; message: string }>
    assert.isTrue(
      problems.some((problem) => problem.path === path && problem.message !== ""),
      JSON.stringify(problems)
    )
    assert.isEmpty(world.kept)
  })

  it("says that a bar's time makes a signal too old, and what a strategy of another name is", async () => {
    await start({
      file: {
        sources: { s: {} },
        strategies: { mine: { sources: ["s"], accounts: ["paper-1"] } }
      }
    })
    const alert = { symbol: "ES1!", action: "buy", timeframe: "1h", strategy: "other" }
    const { body } = await tryIt(
      JSON.stringify({ ...alert, timestamp: new Date(Date.now() - 3_600_000).toISOString() })
    )
    const text = JSON.stringify(body["problems"])
    assert.include(text, 'set \\"timestampIs\\" to \\"bar\\"')
    assert.include(text, "other does not take this source, which is taken by mine")
    assert.deepInclude(body["instrument"], { how: "continuous_as_given" })
  })

  it("takes the token and nothing else, and only a post", async () => {
    await startSource()
    const text = JSON.stringify(sent())
    const stranger = await tryIt(text, "", {})
    assert.strictEqual(stranger.status, 401)
    assert.deepStrictEqual(Object.keys(stranger.body), ["status", "request_id"])
    assert.strictEqual((await tryIt(text, "", { authorization: "Bearer x" })).status, 401)
    assert.strictEqual((await world.send("GET", "/webhook/s/try", { headers: bearer })).status, 405)
    assert.strictEqual((await world.send("POST", "/webhook/none/try", { headers: bearer })).status, 404)
    assert.strictEqual((await tryIt("x".repeat(300_000))).status, 413)
  })
})

describe("GET /api/v1/sources", () => {
  it("has the settings in force without secrets, the strategies, and what was answered", async () => {
    await start({
      file: {
        sources: { s: { ...source, preset: "tradingview", ips: null } },
        strategies: { mine: { sources: ["s"], accounts: ["paper-1"] } }
      }
    })
    const body = sent()
    for (const one of [body, body, sent({ key: "x" }), { key: secret }]) await post(one)
    const { body: answer, text } = await world.send("GET", "/api/v1/sources")
    assert.notInclude(text, secret)
    const found = answer.items.find(({ name }) => name === "s")
    assert.deepInclude(found?.["settings"], {
      preset: "tradingview",
      timestampIs: "bar",
      identity: "body",
      ips: null
    })
    assert.deepStrictEqual(found?.["strategies"], ["mine"])
    assert.deepInclude(found?.["posts"], {
      accepted: 1,
      duplicate: 1,
      refused: { UNAUTHORIZED: 1, INVALID: 1 },
      waiting: 0,
      last_answer: "INVALID",
      last_address: "127.0.0.1"
    })
  })
})

describe("the rate of a source that lets posts wait", () => {
  const rated = (rateLimit: unknown) =>
    startSource({ rateLimit, fields: { ...fields, timestamp: { received: true } } })

  it("lets one wait for its turn, and refuses what would wait beyond its deadline", async () => {
    await rated({ requests: 1, perMs: 2_000, policy: "queue", waitMsMax: 2_500 })
    const began = Date.now()
    const answers = await Promise.all([1, 2, 3].map((n) => post(sent({ n }))))
    const statuses = answers.map(({ status }) => status)
    assert.deepStrictEqual(
      statuses.toSorted((a, b) => a - b),
      [201, 201, 429]
    )
    assert.isAtLeast(Date.now() - began, 1_990)
    const refused = answers.find(({ status }) => status === 429)
    assert.deepStrictEqual(Object.keys(refused?.body ?? {}), ["status", "request_id"])
    assert.isAtLeast(Number(refused?.headers["retry-after"]), 1)
  })

  it("is that of each sender, and of authenticated ones only", async () => {
    await rated({ requests: 1, perMs: 60_000 })
    for (let n = 0; n < 3; n += 1) assert.strictEqual((await post(sent({ key: "x", n }))).status, 401)
    assert.strictEqual((await post(sent({ n: 4 }))).status, 201)
    assert.strictEqual((await post(sent({ n: 5 }))).status, 429)
    const other = await world.send("POST", "/webhook/s", {
      body: JSON.stringify(sent({ n: 6 })),
      localAddress: "127.0.0.9"
    })
    assert.strictEqual(other.status, 201)
  })

  it("is that of time as it passes, not of a clock that is set", async () => {
    let aheadMs = 0
    await start({
      file: { sources: { s: { ...source, rateLimit: { requests: 1, perMs: 60_000 } } } },
      clockAheadMs: () => aheadMs
    })
    assert.strictEqual((await post(sent({ n: 1 }))).status, 201)
    aheadMs = 120_000
    const ahead = await post(sent({ n: 2 }))
    assert.strictEqual(ahead.status, 429, "set ahead")
    aheadMs = -3_600_000
    const behind = await post(sent({ n: 3 }))
    assert.strictEqual(behind.status, 429, "set back")
    for (const answer of [ahead, behind]) assert.isAtMost(Number(answer.headers["retry-after"]), 60)
  })

  it("forgets a post whose sender hangs up while it waits", async () => {
    await rated({ requests: 1, perMs: 30_000, policy: "queue", waitMsMax: 60_000 })
    assert.strictEqual((await post(sent({ n: 1 }))).status, 201)
    const socket = await world.open()
    const body = JSON.stringify(sent({ n: 2 }))
    socket.write(
      `POST /webhook/s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    )
    const waiting = (posts: number) =>
      waitUntil(`${posts} posts to wait`, async () => {
        const { body: listed } = await world.send("GET", "/api/v1/sources")
        const found = listed.items.find(({ name }) => name === "s")?.["posts"]
        return (found as { readonly waiting: number }).waiting === posts ? true : undefined
      })
    await waiting(1)
    socket.destroy()
    await waiting(0)
    assert.lengthOf(world.store.rows(), 1)
  })
})
