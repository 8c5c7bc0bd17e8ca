/** G8: what a span of time cost, what health said, and what the first sign of trouble was. */
import { assert, describe, it } from "vitest"
import { type Alive, causeOf, costOf, healthOver } from "../../../src/domain/health/incident.ts"
import type { PastHealth } from "../../../src/domain/health/past.ts"
import { journalFact, type JournalFact } from "../../../src/domain/platform/journal.ts"

const healthy: PastHealth = {
  status: "healthy",
  since: 0,
  ready: true,
  canTrade: true,
  tradingState: "ACTIVE",
  reasons: []
}
type Told = Pick<JournalFact, "at" | "event" | "path" | "type"> & Partial<JournalFact>
const entries = (...told: ReadonlyArray<Told>) =>
  told.map((fact, index) => ({ ...journalFact(fact), seq: index + 1 }))
const says = (at: number, to: string, ready: boolean, can_trade: boolean): Told => ({
  type: "health",
  at,
  path: "root",
  event: "health.changed",
  from: "healthy",
  to,
  detail: { ready, can_trade, reasons: [to] }
})
const span = { fromMs: 1_000, toMs: 100_000 }
const whole: ReadonlyArray<Alive> = [{ boot: "a", fromMs: 1_000, toMs: 99_990 }]

describe("what health said", () => {
  it("is what it said before until it says something else, to the end of the span", () => {
    const spans = healthOver(
      span,
      healthy,
      entries(says(11_000, "unhealthy", false, false), says(31_000, "healthy", true, true)),
      whole
    )
    assert.deepStrictEqual(
      spans.map(({ fromMs, said, toMs }) => [fromMs, toMs, said?.status]),
      [
        [1_000, 11_000, "healthy"],
        [11_000, 31_000, "unhealthy"],
        [31_000, 100_000, "healthy"]
      ]
    )
    assert.deepStrictEqual(costOf(spans), { withoutTradingMs: 20_000, withoutIntakeMs: 20_000, downMs: 0 })
  })

  it("is nothing while there was no process, and that time is without trading and intake", () => {
    const lives = [
      { boot: "a", fromMs: 1_000, toMs: 20_000 },
      { boot: "b", fromMs: 50_000, toMs: 99_000 }
    ]
    const spans = healthOver(span, healthy, entries(says(55_000, "healthy", true, true)), lives)
    assert.deepStrictEqual(
      spans.map(({ fromMs, said, toMs }) => [fromMs, toMs, said === null]),
      [
        [1_000, 20_001, false],
        [20_001, 55_000, true],
        [55_000, 100_000, false]
      ]
    )
    assert.deepInclude(costOf(spans), { withoutTradingMs: 34_999, downMs: 34_999 })
  })

  const life = (boot: string, fromMs: number, toMs: number): Alive => ({ boot, fromMs, toMs })
  it.each<readonly [string, ReadonlyArray<Alive>, number]>([
    ["no process was there at its beginning", [life("a", 30_000, 99_000)], 99_000],
    [
      "the process before its beginning was another",
      [life("z", 500, 500), life("a", 30_000, 99_000)],
      99_000
    ],
    ["the process ended before its end", [life("a", 900, 40_000), life("b", 200_000, 200_000)], 59_999],
    ["nothing is known of a process after its end", [life("a", 900, 40_000)], 59_999],
    ["no process was there at all", [], 99_000],
    [
      "one ended before it and the next began after it",
      [life("a", 10, 900), life("b", 200_000, 200_000)],
      99_000
    ],
    ["one process was there all the time and recorded nothing in it", [life("a", 900, 200_000)], 0],
    [
      "one process was there before, in and after it",
      [life("a", 900, 200_000), life("b", 300_000, 300_000)],
      0
    ]
  ])("counts as down for so long, when %s", (_, lives, downMs) => {
    assert.strictEqual(costOf(healthOver(span, healthy, [], lives)).downMs, downMs)
  })

  it("is not made up where nothing is known of the beginning", () => {
    const spans = healthOver(span, null, entries(says(5_000, "healthy", true, true)), whole)
    assert.isNull(spans[0]?.said)
    assert.strictEqual(costOf(spans).downMs, 4_000)
  })

  it.each([
    ["no entry", entries(), whole],
    [
      "entries outside of the span",
      entries(says(500, "healthy", true, true), says(200_000, "unhealthy", false, false)),
      whole
    ],
    ["no process at all", entries(), []]
  ])("covers the span without a gap or an overlap, with %s", (_, told, alive) => {
    const spans = healthOver(span, healthy, told, alive)
    assert.strictEqual(spans[0]?.fromMs, span.fromMs)
    assert.strictEqual(spans.at(-1)?.toMs, span.toMs)
    for (const [index, one] of spans.entries()) {
      assert.isAbove(one.toMs, one.fromMs)
      if (index > 0) assert.strictEqual(one.fromMs, spans[index - 1]?.toMs)
    }
  })
})

describe("the cause", () => {
  const unready: Told = { type: "component", at: 10, path: "root/database", event: "component.unready" }
  const failed: Told = {
    type: "restart",
    at: 500,
    path: "root/database",
    event: "component.failed",
    cause: "the server was killed"
  }
  it("is the first sign of trouble, with what its component said of it a moment later", () => {
    const told = entries({ type: "order", at: 1, path: "root/x", event: "order.acked" }, unready, failed)
    assert.deepStrictEqual(causeOf(told), {
      seq: 2,
      at: 10,
      path: "root/database",
      event: "component.unready",
      text: "the server was killed"
    })
  })

  const alert = (event: string, detail: Record<string, unknown> = {}): Told => ({
    type: "alert",
    at: 1,
    path: "root",
    event,
    cause: "x",
    detail
  })
  it.each([
    ["a change of health", says(1, "degraded", true, true), true],
    ["a HIGH alert", alert("alert.raised", { severity: "HIGH" }), true],
    ["a LOW alert", alert("alert.raised", { severity: "LOW" }), false],
    ["an alert that ended", alert("alert.resolved"), false],
    ["a start", { ...says(1, "degraded", true, false), from: "starting" }, false]
  ])("may be %s: %o is %s", (_, fact, isCause) => {
    assert.strictEqual(causeOf(entries(fact)) !== null, isCause)
  })

  it("is none where nothing was wrong", () => {
    assert.isNull(causeOf([]))
  })
})
