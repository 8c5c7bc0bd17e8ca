/** Incident reports over HTTP: one span as JSON and as a page, bounded, and safe to open. */
import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { incidentLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { journalFact, type JournalFact } from "../../../src/domain/platform/journal.ts"
import type { IncidentRows } from "../../../src/layers/health/incident-store.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import type { IncidentDocument } from "../../../src/wire/incident.ts"
import { startWorld, type World } from "./http-world.ts"

/** The document of either form, as a reader takes it. */
const readIncident = (text: string): IncidentDocument => {
  const within = /<script type="application\/json" id="incident">(.*?)<\/script>/s.exec(text)?.[1]
  return JSON.parse(within ?? text) as IncidentDocument
}

let world: World
afterEach(() => world.dispose())

const t0 = Date.parse("2026-01-01T00:00:00Z")
const nothing = { total: 0, rows: [] }
const rows: IncidentRows = {
  alive: [{ boot: "b", fromMs: t0, toMs: t0 + 60_000 }],
  signals: { done: 2 },
  orders: {},
  fills: 0,
  refused: {},
  waves: { missed: 1 },
  lateWaves: nothing,
  unordered: nothing,
  alerts: { total: 1, rows: [{ first_at: "2026-01-01T00:00:10Z", message: "</script><b>\u2028&" }] },
  audit: nothing
}
const span = "from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:00Z"
const stage = async () => {
  const journal = makeJournal("c0000000-0000-4000-8000-000000000000", 0)
  journal.record(
    journalFact({
      type: "restart",
      at: t0 + 5_000,
      path: "root/feeds/feed:a",
      event: "component.failed",
      cause: "</script><script>alert(1)</script>"
    })
  )
  journal.record(
    journalFact({ type: "health", at: t0 + 90_000, path: "root", event: "health.changed", to: "healthy" })
  )
  world = await startWorld({ journal, incidents: { read: () => Effect.succeed(rows) } })
}

describe("an incident report", () => {
  it("has the cause, the cost, what health said and the entries of its span, in both forms alike", async () => {
    await stage()
    const json = await world.send("GET", `/api/v1/incident?${span}`)
    assert.strictEqual(json.status, 200, json.text)
    const report = readIncident(json.text)
    assert.deepInclude(report.cause, { path: "root/feeds/feed:a", event: "component.failed" })
    assert.deepStrictEqual(report.cost.signals, { done: 2 })
    assert.strictEqual(report.timeline.entries.length, 1, "the other one is later")
    assert.strictEqual(report.health.at(-1)?.to, "2026-01-01T00:01:00.000Z")
    const page = await world.send("GET", `/api/v1/incident/page?${span}`)
    assert.strictEqual(page.status, 200)
    assert.include(page.headers["content-disposition"], "attachment")
    const { made_at: _, ...same } = readIncident(page.text)
    const { made_at: __, ...first } = report
    assert.deepStrictEqual(same, first)
    // What a peer wrote is text in it, and ends nothing.
    assert.strictEqual(page.text.match(/<script/g)?.length, 1)
    assert.notMatch(page.text, /<b>|src=|href=/)
  })

  const verdict = (at: number, from: string, to: string): JournalFact =>
    journalFact({
      type: "health",
      at,
      path: "root",
      event: "health.changed",
      from,
      to,
      detail: { ready: to === "healthy", can_trade: to === "healthy", reasons: [] }
    })

  it("has the cost and the cause also where more orders came than a timeline shows", async () => {
    const journal = makeJournal("c0000000-0000-4000-8000-000000000000", 0)
    journal.record(verdict(t0 - 1_000, "starting", "healthy"))
    for (let n = 0; n < incidentLimits.entriesMax + 50; n += 1)
      journal.record(journalFact({ type: "order", at: t0 + n, path: "root/x", event: "order.acked" }))
    journal.record(verdict(t0 + 20_000, "healthy", "unhealthy"))
    journal.record(verdict(t0 + 30_000, "unhealthy", "healthy"))
    const alive = [{ boot: journal.boot, fromMs: t0 - 1_000, toMs: t0 + 60_000 }]
    world = await startWorld({ journal, incidents: { read: () => Effect.succeed({ ...rows, alive }) } })
    const report = readIncident((await world.send("GET", `/api/v1/incident?${span}`)).text)
    assert.isTrue(report.timeline.is_part)
    assert.deepInclude(report.cost, { without_trading_ms: 10_000, without_intake_ms: 10_000, down_ms: 0 })
    assert.deepInclude(report.cause, { event: "health.changed", at: "2026-01-01T00:00:20.000Z" })
  })

  it("has a whole timeline where it is what came after its end that is too much", async () => {
    const journal = makeJournal("c0000000-0000-4000-8000-000000000000", 0)
    journal.record(verdict(t0 + 1_000, "starting", "healthy"))
    for (let n = 0; n < incidentLimits.entriesMax + 50; n += 1)
      journal.record(
        journalFact({ type: "order", at: t0 + 60_000 + n, path: "root/x", event: "order.acked" })
      )
    world = await startWorld({ journal, incidents: { read: () => Effect.succeed(rows) } })
    const report = readIncident((await world.send("GET", `/api/v1/incident?${span}`)).text)
    assert.deepInclude(report.timeline, { is_part: false })
    assert.strictEqual(report.timeline.entries.length, 1)
  })

  it.each([
    ["the end before the beginning", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"],
    ["more than two days", "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z"],
    ["no instant", "from=yesterday&to=2026-01-01T00:00:00Z"],
    ["no end", "from=2026-01-01T00:00:00Z"]
  ])("is 400 for %s", async (_, query) => {
    await stage()
    assert.strictEqual((await world.send("GET", `/api/v1/incident?${query}`)).status, 400)
  })
})
