import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { readSegment } from "../../../src/layers/intake/spool.format.ts"
import { makeMemoryDisk } from "../../support/spool-disk.memory.ts"
import { alert, startWorld, until, type World, type WorldOptions } from "./http-world.ts"
import { stopwatch } from "../../support/stopwatch.ts"

let world: World
const start = async (options: WorldOptions = {}): Promise<World> => (world = await startWorld(options))
afterEach(() => world.dispose())

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"

/** A world whose store answers nobody before it is released. */
const startHeld = async (): Promise<() => void> => {
  let release = (): void => undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  await start({
    store: (memory) => ({
      available: memory.available,
      store: (rows) =>
        Effect.andThen(
          Effect.promise(() => gate),
          memory.store(rows)
        )
    })
  })
  return release
}

describe("a post", () => {
  it("is stored and answered 201 with the contract's fields", async () => {
    await start()
    const answer = await world.post(alert())
    assert.strictEqual(answer.status, 201, answer.text)
    assert.deepStrictEqual(Object.keys(answer.body), [
      "status",
      "signal_id",
      "experiment_id",
      "variant",
      "request_id",
      "processing_time_ms"
    ])
    assert.strictEqual(answer.body.status, "ACCEPTED")
    assert.strictEqual(answer.body.experiment_id, "default")
    assert.strictEqual(answer.body.variant, "A")
    assert.strictEqual(answer.headers["x-request-id"], answer.body.request_id)
    assert.strictEqual(world.store.rows()[0]?.id, answer.body.signal_id)
    await until("its line", () => world.lines.some((line) => line["event"] === "signal.received"))
    assert.deepInclude(
      world.lines.find((line) => line["event"] === "signal.received"),
      {
        correlation_id: answer.body.signal_id,
        request_id: answer.body.request_id,
        symbol: "SPY",
        source: "default"
      }
    )
  })

  it("[T10] that names a strategy nobody has is answered without an experiment: nobody will decide it", async () => {
    await start()
    const answer = await world.post(alert({ strategy: "defualt" }))
    assert.strictEqual(answer.status, 201, answer.text)
    assert.isNull(answer.body.experiment_id)
    assert.isNull(answer.body.variant)
  })

  it("to the path with one slash at its end is the same post", async () => {
    await start()
    const body = JSON.stringify(alert())
    const send = (path: string) =>
      world.send("POST", path, { body, headers: { "content-type": "application/json" } })
    assert.strictEqual((await send("/webhook")).status, 201)
    for (const path of ["/webhook/", "/webhook/default", "/webhook/default/", "/webhook/?a=/"]) {
      assert.strictEqual((await send(path)).status, 200, path)
    }
    for (const path of ["/webhook//", "//webhook", "/webhook/default//", "/webhook/%2F"]) {
      assert.strictEqual((await send(path)).status, 404, path)
    }
    assert.strictEqual((await world.send("GET", "/webhook/test/")).status, 200)
    assert.strictEqual((await world.send("GET", "/webhook/")).status, 405)
    assert.strictEqual((await world.send("GET", "/health/live/")).status, 200)
  })

  it("whose JSON lacks a comma is told where it belongs", async () => {
    await start()
    const answer = await world.post('{"symbol":"SPY" "direction":"long"}')
    assert.strictEqual(answer.status, 400)
    assert.deepStrictEqual(answer.body.errors, [
      { path: "symbol", message: "a comma is missing after this value (character 16)" }
    ])
  })

  it("says how long it took, the commit and the wait for it included", async () => {
    const release = await startHeld()
    const body = alert()
    const answers = [world.post(body), world.post(body)]
    await until("both to be under way", () => world.socket.load().exchanges === 2)
    setTimeout(release, 120)
    for (const answer of await Promise.all(answers))
      assert.isAbove(Number(answer.body["processing_time_ms"]), 100, answer.text)
  })

  it("sent twice is 200 with the stored answer", async () => {
    await start()
    const body = alert()
    const first = await world.post(body)
    const second = await world.post(body)
    assert.strictEqual(second.status, 200)
    const { processing_time_ms: _first, ...stored } = first.body
    const { processing_time_ms: own, ...again } = second.body
    assert.deepStrictEqual(again, { ...stored, status: "DUPLICATE" })
    assert.isNumber(own)
    assert.notStrictEqual(second.headers["x-request-id"], first.headers["x-request-id"])
    assert.lengthOf(world.store.rows(), 1)
  })

  it("sent 200 times at once is one 201 and 199 x 200", async () => {
    await start()
    const body = alert()
    const answers = await Promise.all(Array.from({ length: 200 }, () => world.post(body)))
    assert.lengthOf(
      answers.filter(({ status }) => status === 201),
      1
    )
    assert.lengthOf(
      answers.filter(({ status }) => status === 200),
      199
    )
    assert.lengthOf(new Set(answers.map((answer) => answer.body.signal_id)), 1)
    assert.lengthOf(world.store.rows(), 1)
  })

  it("with a known identity and another body is 409 and raises an alert", async () => {
    await start()
    const first = await world.post(alert(), { "idempotency-key": "event-7" })
    const other = await world.post(alert(), { "idempotency-key": "event-7" })
    assert.strictEqual(other.status, 409)
    assert.strictEqual(other.body.status, "CONFLICT")
    assert.strictEqual(other.body.signal_id, first.body.signal_id)
    assert.lengthOf(world.store.rows(), 1)
    await until("the alert", () => world.alerts.some(({ kind }) => kind === "signal.conflict"))
  })

  it("too old is stored as rejected, answered 201, and raises an alert", async () => {
    await start()
    const answer = await world.post(alert({ timestamp: new Date(Date.now() - 301_000).toISOString() }))
    assert.strictEqual(answer.status, 201)
    assert.deepInclude(world.store.rows()[0], { status: "rejected", reason: "too_old" })
    await until("the alert", () => world.alerts.some(({ kind }) => kind === "signal.too_old"))
  })

  it("too old and sent again raises the alert again: whoever stored it first may have died before it did", async () => {
    await start()
    const late = alert({ timestamp: new Date(Date.now() - 301_000).toISOString() })
    const raised = () => world.alerts.filter(({ kind }) => kind === "signal.too_old").length
    await world.post(late)
    await until("the first", () => raised() === 1)
    assert.strictEqual((await world.post(late)).status, 200)
    await until("the second", () => raised() === 2)
    // A known signal that was young enough is a line in the log and nothing more.
    const young = alert()
    await world.post(young)
    assert.strictEqual((await world.post(young)).status, 200)
    assert.lengthOf(world.alerts, 2)
  })

  it("too old, with many of its kind, is one alert of them all per commit", async () => {
    const release = await startHeld()
    const old = () => alert({ timestamp: new Date(Date.now() - 3_600_000).toISOString() })
    const posts = Array.from({ length: 21 }, () => world.post(old()))
    await until("all of them to wait", () => world.queue.depth() === 21)
    release()
    for (const { status } of await Promise.all(posts)) assert.strictEqual(status, 201)
    await until(
      "the alerts",
      () => world.alerts.reduce((sum, { detail }) => sum + Number(detail?.["count"]), 0) === 21
    )
    assert.isAtMost(world.alerts.length, 2)
  })

  it("from the future is 400 and names the timestamp", async () => {
    await start()
    const answer = await world.post(alert({ timestamp: new Date(Date.now() + 120_000).toISOString() }))
    assert.strictEqual(answer.status, 400)
    assert.deepInclude(answer.body.errors[0], { path: "timestamp" })
  })

  it("of metadata is stored as metadata, never as a signal", async () => {
    await start()
    const answer = await world.post({
      snapshot_id: randomUUID(),
      score: { "Buy Score": 1.5, "Sell Score": 0 },
      trigger: "roc_momo",
      pair: "ZRX-USD"
    })
    assert.strictEqual(answer.status, 201)
    assert.deepInclude(world.store.rows()[0], { kind: "metadata", symbol: "ZRX-USD" })
    await until("its line", () =>
      world.lines.some(({ event, symbol }) => event === "metadata.recorded" && symbol === "ZRX-USD")
    )
  })

  it("without identity and time is a duplicate within its bucket", async () => {
    await start()
    const body = {
      snapshot_id: randomUUID(),
      score: { "Buy Score": 1, "Sell Score": 0 },
      trigger: "t",
      pair: "ZRX-USD"
    }
    const first = await world.post(body)
    const second = await world.post(body)
    assert.strictEqual(world.store.rows()[0]?.identityKind, "bucket")
    assert.strictEqual(second.status, 200)
    assert.strictEqual(second.body.signal_id, first.body.signal_id)
  })

  it("never has its secret stored", async () => {
    await start({ environment: { WEBHOOK_SECRET: secret } })
    const answer = await world.post(alert({ secret }))
    assert.strictEqual(answer.status, 201)
    assert.notInclude(JSON.stringify(world.store.rows()), secret)
  })

  it.each([
    ["no symbol", { symbol: undefined }, "symbol"],
    ["no timeframe", { timeframe: undefined }, "timeframe"],
    ["no timestamp", { timestamp: undefined }, "timestamp"],
    ["a wrong action", { action: "HOLD" }, "action"]
  ])("with %s is 400 and names the path", async (_what, more, path) => {
    await start()
    const answer = await world.post(alert(more))
    assert.strictEqual(answer.status, 400)
    assert.strictEqual(answer.body.status, "INVALID")
    assert.include(
      answer.body.errors.map((error: { path: string }) => error.path),
      path
    )
    assert.isString(answer.body.request_id)
    assert.lengthOf(world.store.rows(), 0)
  })

  it.each([
    ["garbage", "{not json"],
    ["nothing", ""],
    ["an array", "[1]"],
    ["a duplicate key", '{"symbol":"SPY","symbol":"QQQ"}'],
    ["a lone surrogate", '{"symbol":"\\ud800"}'],
    ["a number out of range", '{"symbol":"SPY","quantity":1e999}'],
    ["100,000 levels", "[".repeat(100_000)],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])]
  ])("of %s is 400 with errors and stores nothing", async (_what, body) => {
    await start()
    const answer = await world.post(body)
    assert.strictEqual(answer.status, 400, answer.text)
    assert.isAbove(answer.body.errors.length, 0)
    assert.isString(answer.body.errors[0]?.message)
    assert.lengthOf(world.store.rows(), 0)
  })

  it("takes over a valid request id and replaces a bad one", async () => {
    await start()
    const good = await world.post(alert(), { "x-request-id": "trace-42" })
    assert.strictEqual(good.headers["x-request-id"], "trace-42")
    assert.strictEqual(good.body.request_id, "trace-42")
    const bad = await world.post(alert(), { "x-request-id": `<script>${"x".repeat(200)}` })
    assert.match(bad.headers["x-request-id"] ?? "", /^[0-9a-f-]{36}$/)
  })
})

describe("the form of a post", () => {
  it.each([
    ["application/json", 201],
    ["application/json; charset=utf-8", 201],
    ["text/plain", 201],
    ["text/plain; charset=UTF-8", 201],
    ["application/x-www-form-urlencoded", 415],
    ["application/json; charset=utf-16", 415],
    ["", 201],
    [" ", 201],
    ["application/json; charset=", 201],
    [";", 415],
    ["multipart/form-data; boundary=x", 415]
  ])("%s is answered %i", async (type, status) => {
    await start()
    assert.strictEqual((await world.post(alert(), { "content-type": type })).status, status)
  })

  it.each([
    { "content-encoding": "" },
    { "content-encoding": "", "content-type": "" },
    { "content-encoding": "Identity" }
  ])("with headers that say nothing is taken [%o]", async (headers) => {
    await start()
    assert.strictEqual((await world.post(alert(), headers)).status, 201)
  })

  it("compressed is 415", async () => {
    await start()
    assert.strictEqual((await world.post(alert(), { "content-encoding": "gzip" })).status, 415)
  })

  it("of 2 MB is 413, and the answer arrives", async () => {
    await start()
    const big = Buffer.alloc(2 * 1_024 * 1_024, 0x20)
    const declared = await world.post(big)
    assert.strictEqual(declared.status, 413)
    assert.strictEqual(declared.body.status, "TOO_LARGE")
    const chunked = await world.send("POST", "/webhook", {
      body: big,
      headers: { "content-type": "application/json", "transfer-encoding": "chunked" }
    })
    assert.strictEqual(chunked.status, 413)
    assert.lengthOf(world.store.rows(), 0)
    assert.strictEqual((await world.post(alert())).status, 201)
  })

  it.each([
    ["GET", "/webhook", 405, "POST"],
    ["PUT", "/webhook", 405, "POST"],
    ["DELETE", "/webhook/default", 405, "POST"],
    ["POST", "/webhook/nobody", 404, undefined],
    ["POST", "/webhook/constructor", 404, undefined],
    ["POST", "/webhook/%ff", 400, undefined],
    ["POST", "/webhook/test", 405, "GET, HEAD"],
    ["GET", "/nothing", 404, undefined]
  ])("%s %s is %i", async (method, path, status, allow) => {
    await start()
    const answer = await world.send(method, path)
    assert.strictEqual(answer.status, status, answer.text)
    assert.strictEqual(answer.headers["allow"], allow)
    assert.isString(answer.headers["x-request-id"])
    assert.strictEqual(answer.body.request_id, answer.headers["x-request-id"])
  })

  it("that waits for 100 gets it, unless it is refused by its headers", async () => {
    await start()
    const text = JSON.stringify(alert())
    const head = `POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\n`
    const asked = await world.raw([`${head}Content-Length: ${text.length}\r\n\r\n`, text])
    assert.match(asked, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
    const refused = await world.raw(`${head}Content-Length: 3000000\r\n\r\n`)
    assert.match(refused, /^HTTP\/1\.1 413 /)
  })
})

describe("a post that the database does not take, with a spool (T3)", () => {
  it("is 202 with the id it will have, and 200 with the stored answer ever after", async () => {
    await start({ disk: makeMemoryDisk() })
    world.store.setAvailable(false)
    const body = alert({ id: "evt-1" })
    const spooled = await world.post(body)
    assert.strictEqual(spooled.status, 202, spooled.text)
    assert.deepStrictEqual(Object.keys(spooled.body), ["status", "signal_id", "request_id"])
    assert.strictEqual(spooled.body.status, "SPOOLED")
    assert.strictEqual(spooled.headers["x-request-id"], spooled.body.request_id)
    assert.strictEqual((await world.send("GET", "/webhook/test")).status, 200)
    const held = await world.post(body)
    assert.deepStrictEqual([held.status, held.body.status], [200, "DUPLICATE"])
    const other = await world.post({ ...body, quantity: "7" })
    assert.deepStrictEqual([other.status, other.body.status], [409, "CONFLICT"])
    world.store.setAvailable(true)
    const behind = await world.post(alert({ id: "evt-2" }))
    assert.strictEqual(behind.status, 202, "the spool is not empty: order is kept")
    await world.drain()
    const stored = await world.post(body)
    assert.deepStrictEqual([stored.status, stored.body.status], [200, "DUPLICATE"])
    for (const answer of [held, other, stored])
      assert.strictEqual(answer.body.signal_id, spooled.body.signal_id)
    assert.strictEqual(stored.body.request_id, spooled.body.request_id)
    assert.strictEqual((await world.post(alert({ id: "evt-3" }))).status, 201)
    assert.deepStrictEqual(
      world.store.rows().map(({ identity }) => identity),
      ["event:evt-1", "event:evt-2", "event:evt-3"]
    )
    assert.isNumber(world.store.rows()[0]?.receivedAtMs)
  })

  it("may be metadata (A1), and any of several that came together", async () => {
    await start({ disk: makeMemoryDisk() })
    world.store.setAvailable(false)
    const metadata = {
      snapshot_id: randomUUID(),
      score: { "Buy Score": 1, "Sell Score": 2 },
      trigger: "roc_momo",
      pair: "ZRX-USD"
    }
    const answers = await Promise.all([
      world.post(metadata),
      ...Array.from({ length: 40 }, (_, n) => world.post(alert({ id: `evt-${n}` })))
    ])
    assert.deepStrictEqual([...new Set(answers.map(({ status }) => status))], [202])
    world.store.setAvailable(true)
    await world.drain()
    assert.sameMembers(
      world.store.rows().map(({ id }) => id),
      answers.map(({ body }) => body.signal_id)
    )
  })

  it("is spooled when its commit takes longer than 1.5 s, and those behind it as well", async () => {
    const disk = makeMemoryDisk()
    await start({ disk, store: (memory) => ({ available: memory.available, store: () => Effect.never }) })
    const before = performance.now()
    const tookMs = stopwatch()
    const first = world.post(alert({ id: "evt-1" }))
    await new Promise((resolve) => setTimeout(resolve, 700))
    const second = world.post(alert({ id: "evt-2" }))
    assert.deepStrictEqual([(await first).status, (await second).status], [202, 202])
    assert.isAtLeast(performance.now() - before, 1_450)
    assert.isBelow(tookMs(), 1_850)
    assert.strictEqual((await world.post(alert({ id: "evt-3" }))).status, 202, "at once")
    const [bytes = Buffer.alloc(0)] = [...disk.files.values()]
    const identities = readSegment(bytes).records.map((text) => /"identity":"([^"]+)"/.exec(text)?.[1])
    assert.deepStrictEqual(identities, ["event:evt-1", "event:evt-2", "event:evt-3"])
  })

  it("is 503 when the disk does not take it either, and is never lost when it does again", async () => {
    const disk = makeMemoryDisk()
    await start({ disk })
    world.store.setAvailable(false)
    disk.fail(["write"], "ENOSPC")
    const refused = await world.post(alert({ id: "evt-1" }))
    assert.deepStrictEqual([refused.status, refused.body.status], [503, "UNAVAILABLE"])
    assert.isString(refused.headers["retry-after"])
    assert.strictEqual((await world.send("GET", "/webhook/test")).status, 503)
    world.store.setAvailable(true)
    assert.strictEqual((await world.post(alert({ id: "evt-1" }))).status, 201)
  })
})

describe("a post that cannot be made durable", () => {
  it("is 503 with Retry-After while the database is away, and 201 after", async () => {
    await start()
    world.store.setAvailable(false)
    const away = await world.post(alert())
    assert.strictEqual(away.status, 503)
    assert.strictEqual(away.body.status, "UNAVAILABLE")
    assert.strictEqual(away.headers["retry-after"], "5")
    assert.strictEqual((await world.send("GET", "/webhook/test")).status, 503)
    world.store.setAvailable(true)
    assert.strictEqual((await world.post(alert())).status, 201)
    assert.strictEqual((await world.send("GET", "/webhook/test")).body.status, "ok")
  })

  it("is 503 while the bodies of others fill the memory meant for reading, unless it is small", async () => {
    await start()
    const share = intakeLimits.bodyBytesMax - 1_024
    const head = `POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${intakeLimits.bodyBytesMax}\r\n\r\n`
    const holders = await Promise.all(
      Array.from({ length: Math.ceil(intakeLimits.readingBytesMax / share) + 1 }, () => world.open())
    )
    const heard: Array<string> = []
    for (const holder of holders) {
      holder.on("error", () => undefined).on("data", (chunk: Buffer) => heard.push(chunk.toString()))
      holder.write(head + " ".repeat(share))
    }
    await until("one of them to be refused", () => heard.some((text) => text.startsWith("HTTP/1.1 503 ")))
    const large = await world.post(alert({ pad: "x".repeat(share) }))
    assert.strictEqual(large.status, 503)
    assert.strictEqual(large.body.status, "UNAVAILABLE")
    assert.match(large.headers["retry-after"] ?? "", /^[1-9]\d*$/)
    assert.strictEqual((await world.post(alert())).status, 201, "an alert of usual size is taken")
    for (const holder of holders) holder.destroy()
    await until("the senders to be gone", () => world.socket.load().exchanges === 0)
    assert.strictEqual((await world.post(alert({ pad: "x".repeat(share) }))).status, 201)
  })

  it("is 503 when the commit takes longer than 1.5 s", async () => {
    await start({ store: (memory) => ({ available: memory.available, store: () => Effect.never }) })
    const before = performance.now()
    const tookMs = stopwatch()
    const answer = await world.post(alert())
    assert.strictEqual(answer.status, 503)
    assert.isAtLeast(performance.now() - before, 1_450)
    assert.isBelow(tookMs(), 1_850)
  })

  it("is 503 while nobody stores", async () => {
    await start({ worker: false })
    assert.strictEqual((await world.post(alert())).status, 503)
    assert.strictEqual((await world.send("GET", "/webhook/test")).status, 503)
  })

  it("is 503 once the process stops, while posts in flight are answered", async () => {
    const release = await startHeld()
    const inFlight = world.post(alert())
    await until("the post to wait", () => world.queue.depth() === 1)
    world.lifecycle.announceStop(new Date())
    const refused = await world.post(alert())
    assert.strictEqual(refused.status, 503)
    assert.strictEqual(refused.headers["connection"], "close")
    release()
    assert.strictEqual((await inFlight).status, 201)
  })
})

describe("a sender that goes away", () => {
  it("before its answer stops nobody else", async () => {
    const release = await startHeld()
    const text = JSON.stringify(alert())
    const client = await world.open()
    client.write(
      `POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`
    )
    await until("the post to wait", () => world.queue.depth() === 1)
    client.destroy()
    const other = world.post(alert())
    release()
    assert.strictEqual((await other).status, 201)
    assert.lengthOf(world.store.rows(), 2)
  })

  it("in the middle of its body stores nothing", async () => {
    await start()
    const client = await world.open()
    client.write(
      'POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"symbol":'
    )
    await until("the exchange to begin", () => world.socket.load().exchanges === 1)
    client.destroy()
    await until("the exchange to end", () => world.socket.load().exchanges === 0)
    assert.lengthOf(world.store.rows(), 0)
    assert.strictEqual((await world.post(alert())).status, 201)
  })

  it("half-closed after its post still gets its answer", async () => {
    await start()
    const text = JSON.stringify(alert())
    const answer = await world.raw(
      `POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      1_500,
      true
    )
    assert.match(answer, /^HTTP\/1\.1 201 /)
  })

  it("that sends two posts in one packet gets two answers in order", async () => {
    await start()
    const one = (symbol: string, last: boolean): string => {
      const text = JSON.stringify(alert({ symbol }))
      return `POST /webhook HTTP/1.1\r\nHost: localhost\r\nx-request-id: ${symbol}\r\nContent-Type: application/json\r\n${last ? "Connection: close\r\n" : ""}Content-Length: ${text.length}\r\n\r\n${text}`
    }
    const answer = await world.raw(one("AAA", false) + one("BBB", true))
    assert.match(answer, /201 Created[\s\S]*x-request-id: AAA[\s\S]*201 Created[\s\S]*x-request-id: BBB/)
  })
})
