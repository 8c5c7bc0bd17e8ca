import { assert, describe, it } from "vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import type { Row } from "./service.ts"
import { SignalServer } from "./signal-server.ts"
import { World } from "./world.ts"

const periodMs = 4_000

describe("B5 signals that cannot be traded", () => {
  it("and one that contradicts another of its frame are told, alerted and counted in their wave", async ({
    onTestFinished
  }) => {
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-unusable-"))
    const server = new SignalServer()
    const url = await server.start(folder, { perWave: 0, periodMs })
    const world = await World.open({
      database: "external",
      env: {
        SIGNAL_WS_URL: url,
        SIGNAL_WS_TOKEN: "any",
        WAVE_PERIOD_MS: String(periodMs),
        WAVE_OFFSET_MS: "0",
        WAVE_LAG_MS: "0"
      }
    })
    onTestFinished(async () => {
      await world.dispose()
      await server.dispose()
      rmSync(folder, { recursive: true, force: true })
    }, 150_000)
    const { service } = world
    await service.start()
    // The ledger has begun. A wave of the near future, told by the next life of the server at its first connection.
    const waveMs = (Math.floor(Date.now() / periodMs) + 5) * periodMs
    const wave = new Date(waveMs).toISOString()
    const good = { id: "d1", symbol: "BTC-USDT", action: "BUY", wave, price: "1", score: 1 }
    const signals = [
      good,
      { ...good, symbol: "ETH-USDT", action: "SELL" },
      { ...good, id: "bad1", price: "NaN" },
      { ...good, id: "bad2", action: "HOLD" },
      { ...good, id: "bad3", symbol: null }
    ]
    const text = JSON.stringify({ type: "signals", signals })
    const faults = [{ on: "live", connection: 1, do: { type: "text", text } }]
    await server.kill()
    await server.start(folder, { perWave: 0, periodMs, faults }, Number(new URL(url).port))
    let rows: ReadonlyArray<Row> = []
    const row = await waitUntil(
      () => `the wave ${wave}; ledger ${JSON.stringify(rows)}${service.tail()}`,
      async () => {
        rows = await service.list("waves")
        return rows.find((one) => one["wave"] === wave && one["status"] === "done")
      },
      240_000
    )
    const { failed, skipped, successful } = row
    assert.deepStrictEqual([successful, failed, skipped].map(Number), [1, 3, 0])
    const { detail } = (await service.get("/health")).body.components["root/feeds/feed:default"]
    assert.deepInclude(detail, { stored: 1, duplicates: 0, conflicts: 1, unusable: 3 })
    assert.deepStrictEqual(
      (await service.list("orders")).map(({ symbol }) => symbol),
      ["BTC-USDT"]
    )
    assert.deepStrictEqual(
      service.events("feed.signal_unusable").map(({ id, level }) => [id, level]),
      [
        ["bad1", "warn"],
        ["bad2", "warn"],
        ["bad3", "warn"]
      ]
    )
    // While the server is away other alerts may come, about the feed and its waves.
    const alerts = await waitUntil("both alerts", async () => {
      const found = (await service.list("monitoring/alerts"))
        .map(({ kind, severity }) => `${kind} ${severity}`)
        .filter((text) => text.startsWith("feed.signals_"))
      return found.length > 1 ? found : undefined
    })
    assert.deepStrictEqual(alerts.toSorted(), ["feed.signals_refused HIGH", "feed.signals_unusable MEDIUM"])
  }, 240_000)
})
