import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import { keptPort } from "../support/kept-port.ts"
import { alertBody, Service } from "./service.ts"
import { SignalServer } from "./signal-server.ts"

const token = "feed-token-Zk3v9QmT7rZp2LwYb8NcHf4J"
const folder = mkdtempSync(path.join(tmpdir(), "holdfast-feed-"))

// Waves of 25 days: all of its signals are old news, so nothing of this test is traded, and no midnight brings new ones.
const script = { token, perWave: 200, keepWaves: 3, periodMs: 25 * 86_400_000 }

const server = new SignalServer()
let port = 0
let service: Service
beforeAll(async () => {
  port = await keptPort()
  service = new Service({
    env: { SIGNAL_WS_URL: `ws://127.0.0.1:${port}`, SIGNAL_WS_TOKEN: token, ROLES: "http,accounts,feeds" }
  })
  await service.start()
}, 180_000)
afterAll(async () => {
  await server.kill()
  await service.dispose()
  rmSync(folder, { recursive: true })
}, 120_000)

const feed = async () => {
  const { body } = await service.get("/health")
  const component = body.components["root/feeds/feed:default"]
  return { status: body.status, serves: body.ready, canTrade: body.can_trade, ...component }
}
/** The figures of the feed in /metrics, by name and labels without the feed's. */
const figures = async (): Promise<Readonly<Record<string, number>>> => {
  const { text } = await service.get("/metrics")
  return Object.fromEntries(
    [...text.matchAll(/^holdfast_(feed_\w+)\{feed="default"(?:,result="(\w+)")?\} (\S+)$/gm)].map(
      ([, name = "", result, value]) => [result === undefined ? name : `${name} ${result}`, Number(value)]
    )
  )
}
type Feed = Awaited<ReturnType<typeof feed>>

const feedUntil = (what: string, holds: (seen: Feed) => boolean): Promise<Feed> =>
  waitUntil(
    () => `${what}${service.tail()}`,
    async () => {
      const seen = await feed()
      return holds(seen) ? seen : undefined
    },
    150_000
  )

describe("a signal feed", () => {
  it("T2 that is away degrades and nothing more: ready, trading, webhooks taken; its state says what it does", async () => {
    const seen = await feedUntil("a second attempt", ({ detail }) => detail.attempt >= 2)
    assert.deepStrictEqual([seen.status, seen.serves, seen.canTrade], ["degraded", true, true])
    assert.strictEqual(seen.detail.end_kind, "refused")
    assert.match(seen.detail.close_reason, /ECONNREFUSED/)
    assert.strictEqual(seen.restarts, 0)
    assert.strictEqual((await service.post("/webhook", alertBody())).status, 201)
    const seenBy = await figures()
    assert.strictEqual(seenBy["feed_connected"], 0)
    assert.notProperty(seenBy, "feed_last_data_age_seconds", "there was none")
  }, 180_000)

  it("connects by itself when its server appears, and stores what it offers", async () => {
    await server.start(folder, script, port)
    const seen = await feedUntil(
      "600 stored signals and none that waits",
      ({ detail }) => detail.stored === 600 && detail.waiting === 0
    )
    assert.deepStrictEqual([seen.state, seen.ready], ["Live", true])
    assert.isString(seen.detail.connected_since)
    await feedUntil("health", ({ status }) => status === "healthy")
    const told = await figures()
    assert.deepInclude(told, {
      feed_connected: 1,
      feed_reconnects_total: 0,
      "feed_signals_total stored": 600,
      feed_signals_waiting: 0
    })
    assert.isAtLeast(told["feed_messages_total"] ?? 0, 2)
    assert.isBelow(told["feed_last_data_age_seconds"] ?? Infinity, 60)
  }, 180_000)

  it("comes back after its server was killed, without a restart, and stores nothing twice", async () => {
    await server.kill()
    const away = await feedUntil("the end", ({ state }) => state !== "Live")
    assert.deepStrictEqual([away.ready, away.serves, away.status], [false, true, "degraded"])
    assert.strictEqual((await service.post("/webhook", alertBody())).status, 201)
    await server.start(folder, script, port)
    const back = await feedUntil(
      "the repetition",
      ({ detail }) => detail.connects >= 2 && detail.duplicates >= 600
    )
    assert.deepStrictEqual([back.state, back.detail.stored, back.restarts], ["Live", 600, 0])
    const told = await figures()
    assert.isAtLeast(told["feed_reconnects_total"] ?? 0, 1)
    assert.isAtLeast(told["feed_signals_total duplicate"] ?? 0, 600)
  }, 180_000)

  it("never shows its token", async () => {
    const { text } = await service.get("/health")
    assert.notInclude(text, token)
    assert.notInclude(JSON.stringify(service.lines), token)
  })
})
