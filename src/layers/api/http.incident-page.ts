/**
 * The incident report as a page that needs nothing but itself: for people who have no console, and for the ticket (G8).
 *
 * Promises: one file, without script of its own and without any other host; the whole document is in it as JSON, so that a console
 * opens it like the JSON; every text is escaped.
 * Never: shows what the document does not hold.
 * Failure: it has none; it only writes text.
 */
import type { IncidentDocument } from "../../wire/incident.ts"

const escaped = (value: unknown): string => {
  const text =
    typeof value === "string" ? value : value === null || value === undefined ? "–" : JSON.stringify(value)
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
}

/** JSON inside of an element: nothing in it may end the element. */
const embedded = (document: IncidentDocument): string =>
  JSON.stringify(document).replaceAll("<", String.raw`\u003c`)

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
const moment = (iso: string): string => iso.replace("T", " ").replace("Z", "")

const table = (
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<unknown>>,
  empty: string
): string =>
  rows.length === 0
    ? `<p>${escaped(empty)}</p>`
    : `<table><thead><tr>${titles.map((title) => `<th scope="col">${escaped(title)}</th>`).join("")}</tr></thead><tbody>${rows
        .map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`)
        .join("")}</tbody></table>`

const counts = (of: Readonly<Record<string, number>>): string =>
  Object.entries(of)
    .map(([word, count]) => `${count} ${word}`)
    .join(", ") || "none"

const field = (name: string) => (row: Readonly<Record<string, unknown>>) => row[name]

const section = (
  title: string,
  { rows, total }: IncidentDocument["alerts"],
  names: ReadonlyArray<string>
): string =>
  `<h2>${escaped(title)}</h2>${rows.length < total ? `<p>${total} in all, the first ${rows.length}:</p>` : ""}${table(
    names,
    rows.map((row) => names.map((name) => field(name)(row))),
    "None."
  )}`

const style = `body{font:14px/1.45 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#111;background:#fff}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:3px 7px;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:#eee}dt{font-weight:600}dd{margin:0 0 .5em}`

const costs = ({ cost }: IncidentDocument): string =>
  `<dl>${(
    [
      ["Time without trading", seconds(cost.without_trading_ms)],
      ["Time without intake", seconds(cost.without_intake_ms)],
      ["Time without a process", seconds(cost.down_ms)],
      ["Waves due", counts(cost.waves)],
      ["Signals that came", counts(cost.signals)],
      ["Orders", counts(cost.orders)],
      ["Fills", String(cost.fills)],
      ["Posts refused and kept", counts(cost.refused_posts)]
    ] as const
  )
    .map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`)
    .join("")}</dl>`

/** The page of a document. */
export const incidentPage = (document: IncidentDocument): string => {
  const { cause, from, made_at: madeAt, made_by: madeBy, timeline, to } = document
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Incident ${escaped(moment(from))} to ${escaped(moment(to))}</title><style>${style}</style></head><body>
<h1>Incident ${escaped(moment(from))} to ${escaped(moment(to))} UTC</h1>
<p>Made at ${escaped(moment(madeAt))} UTC by holdfast ${escaped(madeBy.version)} (${escaped(madeBy.commit)}), ${escaped(madeBy.mode)}.</p>
<h2>Cause</h2><p>${cause === null ? "No sign of trouble is recorded." : `First sign of trouble: ${escaped(moment(cause.at))} ${escaped(cause.path)} <strong>${escaped(cause.event)}</strong> ${escaped(cause.text)}`}</p>
<h2>Cost</h2>${costs(document)}
<h2>What health said</h2>${table(
    ["From", "To", "Status", "Takes posts", "Trades", "Reasons"],
    document.health.map(({ from: begun, said, to: ended }) => [
      moment(begun),
      moment(ended),
      said?.status ?? "nothing",
      said === null ? "–" : said.ready ? "yes" : "no",
      said === null ? "–" : said.can_trade ? "yes" : "no",
      said?.reasons.join("; ") ?? ""
    ]),
    "Nothing is known."
  )}
${section("Alerts", document.alerts, ["first_at", "last_at", "severity", "kind", "message", "occurrences", "resolved_at"])}
${section("Waves that were late or missed", document.late_waves, ["feed", "wave", "due_at", "status", "lost_ms", "reason"])}
${section("Signals that were not ordered", document.unordered_signals, ["received_at", "id", "source", "symbol", "status", "reason"])}
${section("What operators did", document.audit, ["begun_at", "command", "scope", "by", "result", "reason"])}
<h2>Timeline</h2>${timeline.is_part ? "<p>There were more entries than are here.</p>" : ""}${table(
    ["At", "Component", "Event", "From", "To", "Cause"],
    timeline.entries.map(({ at, cause: why, event, from: was, path, to: is }) => [
      moment(at),
      path,
      event,
      was,
      is,
      why
    ]),
    "Nothing is recorded."
  )}
<script type="application/json" id="incident">${embedded(document)}</script>
</body></html>
`
}
