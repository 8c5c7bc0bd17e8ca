/** [G8] A report as a file: what the service writes is read in both forms, and nothing else is. */
import { assert, describe, it } from "vitest"
import { incidentPage } from "../../src/layers/api/http.incident-page.ts"
import { incident, type IncidentDocument } from "../../src/wire/incident.ts"
import { reportIn, reportName } from "../../web/lib/incident-file.ts"

const nothing = { total: 0, rows: [] }
const entry = (seq: number) => ({
  seq,
  boot: "c0000000-0000-4000-8000-000000000000",
  type: "restart",
  at: "2026-01-01T00:00:05.000Z",
  path: "root/feeds/feed:a",
  incarnation: 2,
  event: "component.failed",
  from: null,
  to: null,
  since: null,
  cause: "</script><script>alert(1)</script>",
  correlation_id: null,
  guard: null,
  actions: null,
  context: null,
  detail: null
})
const document = {
  format: "holdfast.incident",
  version: 1,
  made_at: "2026-01-01T01:00:00.000Z",
  made_by: { version: "0.1.0", commit: "abc", mode: "PRACTICE" },
  from: "2026-01-01T00:00:00.000Z",
  to: "2026-01-01T00:01:00.000Z",
  cause: { seq: 7, at: "2026-01-01T00:00:05.000Z", path: "root", event: "component.failed", text: "<b>" },
  cost: {
    without_trading_ms: 5,
    without_intake_ms: 0,
    down_ms: 0,
    signals: { done: 2 },
    orders: {},
    fills: 0,
    refused_posts: {},
    waves: {}
  },
  health: [{ from: "2026-01-01T00:00:00.000Z", to: "2026-01-01T00:01:00.000Z", said: null }],
  before: null,
  timeline: { is_part: false, entries: [entry(7), entry(8)] },
  late_waves: nothing,
  unordered_signals: nothing,
  alerts: { total: 1, rows: [{ message: "</script>&" }] },
  audit: nothing
} as unknown as IncidentDocument

const changed = (more: Readonly<Record<string, unknown>>): string => JSON.stringify({ ...document, ...more })
const refusal = (text: string): string => {
  try {
    reportIn(text)
    return ""
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe("a report as a file", () => {
  it("is read as JSON and as a page, and is the same", () => {
    assert.deepStrictEqual(incident.safeParse(document).error?.issues ?? [], [], "it is one of the service's")
    const json = reportIn(JSON.stringify(document))
    assert.deepStrictEqual(reportIn(incidentPage(document)), json)
    assert.strictEqual(json.timeline.entries[0]?.cause, "</script><script>alert(1)</script>")
    assert.strictEqual(reportName(json), "incident-2026-01-01T0000-2026-01-01T0001")
  })

  it.each([
    ["an empty file", "", /not an incident report/],
    ["another JSON", '{"a": 1}', /not an incident report/],
    ["another page", "<html><script>1</script></html>", /not an incident report/],
    ["a later version", changed({ version: 2 }), /version 2/],
    ["a cost without figures", changed({ cost: {} }), /damaged: cost/],
    ["rows that are none", changed({ alerts: { total: 1, rows: [1] } }), /damaged: alerts/],
    [
      "an entry without a number",
      changed({ timeline: { is_part: false, entries: [{}] } }),
      /damaged: timeline/
    ],
    [
      "two entries with one number",
      changed({ timeline: { is_part: false, entries: [entry(7), entry(7)] } }),
      /timeline/
    ],
    [
      "reasons that are no texts",
      changed({ health: [{ from: "", to: "", said: { reasons: 1 } }] }),
      /damaged: health/
    ]
  ])("is refused: %s", (_, text, reason) => {
    assert.match(refusal(text), reason)
  })
})
