/**
 * What raises an alert (T11), seen as an operator sees it: in the log, in health, in the list of the API. One service
 * lives through the whole table; each row makes its trouble, looks, and takes the trouble away again.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { alertBody, type Row } from "./service.ts"
import { SignalServer } from "./signal-server.ts"
import { World } from "./world.ts"

const periodMs = 2_000
const quiet = { perWave: 0, periodMs }

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-alerts-"))
const feed = new SignalServer()
let feedPort = 0
let world: World

const restartFeed = async (script: object): Promise<void> => {
  await feed.kill()
  await feed.start(folder, script, feedPort)
}

beforeAll(async () => {
  const url = await feed.start(folder, quiet)
  feedPort = Number(new URL(url).port)
  const short = { retryFirstMs: 50, retryMsMax: 200, credentialRetryMs: 300, answerMsMax: 1_000 }
  world = await World.open({
    database: "external",
    env: { WAVE_PERIOD_MS: String(periodMs), WAVE_OFFSET_MS: "0", WAVE_LAG_MS: "0" },
    settings: {
      feeds: { main: { url, ...short } },
      waves: { freshMs: 1_500 },
      strategies: { default: { sources: ["default", "wave"], accounts: ["paper-1"], stopLossPct: "90" } }
    }
  })
  await world.service.start()
}, 180_000)
afterAll(async () => {
  await world.dispose()
  await feed.dispose()
  rmSync(folder, { recursive: true, force: true })
}, 150_000)

const setState = async (state: string) => {
  const answer = await world.service.post("/api/v1/trading-state", { state, reason: "a drill" })
  assert.strictEqual(answer.status, 200, answer.text)
}
const openPosition = async (): Promise<void> => {
  const answer = await world.service.post("/webhook", alertBody({ symbol: "KEPT" }))
  const trace = await world.service.settled(String(answer.body.signal_id))
  assert.strictEqual(trace.orders[0].status, "filled")
}

interface Trouble {
  readonly event: string
  readonly kind: string
  readonly severity: string
  readonly level: "info" | "warn" | "error"
  readonly begin: () => Promise<unknown>
  /** What takes it away; null: it is an event, and stays until somebody has seen it. */
  readonly end: (() => Promise<unknown>) | null
  /** What health says meanwhile. */
  readonly health?: string
}

const table: ReadonlyArray<Trouble> = [
  {
    event: "a signal that is too old",
    kind: "signal.too_old",
    severity: "MEDIUM",
    level: "warn",
    begin: () =>
      world.service.post(
        "/webhook",
        alertBody({ timestamp: new Date(Date.now() - 3_600_000).toISOString() })
      ),
    end: null
  },
  {
    event: "an operator halts trading",
    kind: "trading_state.changed",
    severity: "HIGH",
    level: "warn",
    begin: () => setState("HALTED"),
    end: () => setState("ACTIVE")
  },
  {
    event: "an operator lets only reduce",
    kind: "trading_state.changed",
    severity: "LOW",
    level: "info",
    begin: () => setState("REDUCING"),
    end: () => setState("ACTIVE")
  },
  {
    event: "a feed that is not back in five attempts",
    kind: "feed.not_recovered",
    severity: "HIGH",
    level: "error",
    begin: () => feed.kill(),
    end: () => feed.start(folder, quiet, feedPort),
    health: "degraded"
  },
  {
    event: "the same feed away for a second time",
    kind: "feed.not_recovered",
    severity: "HIGH",
    level: "error",
    begin: () => feed.kill(),
    end: () => feed.start(folder, quiet, feedPort),
    health: "degraded"
  },
  {
    event: "credentials that a feed refuses",
    kind: "feed.credentials_refused",
    severity: "HIGH",
    level: "error",
    begin: () => restartFeed({ ...quiet, token: "another" }),
    end: () => restartFeed(quiet),
    health: "degraded"
  },
  {
    event: "waves missed while the process was dead",
    kind: "wave.missed",
    severity: "HIGH",
    level: "error",
    begin: async () => {
      // An outage of before has to be over in the table: a kill takes along what was not stored yet.
      await waitUntil("waves of before to be closed", async () =>
        (await alertsOf("wave.missed")).every(({ status }) => status === "resolved") ? true : undefined
      )
      await world.service.kill()
      await pause(3 * periodMs)
      await world.service.start()
    },
    // The next wave that is processed ends it.
    end: () => Promise.resolve()
  },
  {
    event: "a broker whose stream is not back in five attempts",
    kind: "broker.not_recovered",
    severity: "HIGH",
    level: "error",
    begin: async () => {
      await world.broker.faults({ streamStatus: 503 })
      await world.broker.closeStreams(1000)
    },
    end: () => world.broker.clearFaults(),
    health: "degraded"
  },
  {
    event: "a component that has used half of its restarts",
    kind: "component.restarts",
    severity: "HIGH",
    level: "error",
    begin: () => world.alter("ALTER TABLE breaker_calls RENAME TO breaker_calls_gone"),
    end: null
  },
  {
    event: "the same component when it has used all of them",
    kind: "component.parked",
    severity: "HIGH",
    level: "error",
    begin: () => Promise.resolve(),
    end: () => world.alter("ALTER TABLE breaker_calls_gone RENAME TO breaker_calls"),
    health: "degraded"
  },
  {
    event: "an open position that could not be left",
    kind: "position.unprotected",
    severity: "CRITICAL",
    level: "error",
    begin: async () => {
      await openPosition()
      world.broker.freeze()
    },
    end: () => Promise.resolve(world.broker.thaw()),
    health: "unhealthy"
  }
]

const alertsOf = async (kind: string): Promise<ReadonlyArray<Row>> =>
  await world.service.list("monitoring/alerts", `kind=${kind}`)
const linesOf = (event: string, kind: string) =>
  world.service
    .events(event)
    .filter((line) => line["kind"] === kind || String(line["dedup_key"]).startsWith(kind))

/** Each row waits for something to last; one of each sort is enough for every run, and the quick ones. */
const isLong = process.env["TEST_SIZE"] === "long"
const always = new Set([
  "signal.too_old",
  "trading_state.changed",
  "feed.not_recovered",
  "position.unprotected"
])
const rows = table.filter(({ event, kind }) => isLong || (always.has(kind) && !event.includes("second time")))

describe("[T11]", () => {
  for (const { begin, end, event, health, kind, level, severity } of rows) {
    it(`${event}: ${kind}, ${severity}, logged at ${level}${end === null ? "" : ", closed by what ended it"}`, async () => {
      const before = new Set((await alertsOf(kind)).map(({ id }) => id))
      const said = linesOf("alert.raised", kind).length
      const ended = linesOf("alert.resolved", kind).length
      await begin()
      const line = await waitUntil(
        () => `the line of ${kind}${world.service.tail()}`,
        () => linesOf("alert.raised", kind)[said],
        90_000
      )
      assert.deepInclude(line, { level, severity })
      const row = await waitUntil(
        () => `the row of ${kind}${world.service.tail()}`,
        async () => (await alertsOf(kind)).find(({ id }) => !before.has(id))
      )
      assert.strictEqual(row["severity"], severity)
      assert.match(String(row["first_at"]), /^\d{4}-/)
      if (health !== undefined)
        await waitUntil(`health to be ${health}`, async () =>
          (await world.service.get("/health")).body.status === health ? true : undefined
        )
      if (end === null) {
        assert.strictEqual(row["status"], "open")
        const answer = await world.service.post(`/api/v1/alerts/${row["id"]}/ack`, { note: "seen" })
        assert.deepInclude(answer.body, { status: "resolved", acknowledged_by: "api:127.0.0.1" })
        return
      }
      await end()
      const over = await waitUntil(
        () => `the end of ${kind}${world.service.tail()}`,
        async () =>
          (await alertsOf(kind)).find(({ id, status }) => id === row["id"] && status === "resolved"),
        60_000
      )
      assert.isAbove(String(over["resolved_by"]).length, 0)
      await waitUntil(
        () => `the line of the end of ${kind}${world.service.tail()}`,
        () => linesOf("alert.resolved", kind)[ended]
      )
    }, 300_000)
  }

  it("what only deserves a line raises nothing: a duplicate, one reconnect", async () => {
    await world.service.trading()
    // A machine that stands still may miss a wave meanwhile, which is another matter.
    const raised = () =>
      world.service.events("alert.raised").filter(({ kind }) => /^(signal|broker|order)\./.test(String(kind)))
    const before = raised().length
    const body = alertBody({ symbol: "TWICE" })
    assert.strictEqual((await world.service.post("/webhook", body)).status, 201)
    assert.strictEqual((await world.service.post("/webhook", body)).status, 200)
    await world.broker.closeStreams(1000)
    await waitUntil("the stream to be back", () =>
      world.service.lines.findLastIndex(({ event }) => event === "broker.connected") >
      world.service.lines.findLastIndex(({ event }) => event === "broker.stream_ended")
        ? true
        : undefined
    )
    assert.deepStrictEqual(raised().slice(before), [])
  }, 150_000)
})
