/**
 * An incident report as a file: of this installation or of any other (G8).
 *
 * A file is anybody's, so what the page shows of it is checked first; what is in it is text and leads nowhere.
 *
 * Promises: takes both forms of a report, the JSON and the page that has it inside; whatever is not a whole report is refused with
 * what is wrong with it.
 * Never: runs or loads anything of a file.
 */

/** An entry of the journal, as far as it is shown. */
interface ReportEntry {
  readonly seq: number
  readonly type: string
  readonly at: string
  readonly path: string
  readonly event: string
  readonly from: string | null
  readonly to: string | null
  readonly cause: string | null
}

export interface IncidentSection {
  readonly total: number
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
}

export interface IncidentReport {
  readonly made_at: string
  readonly made_by: { readonly version: string; readonly commit: string; readonly mode: string }
  readonly from: string
  readonly to: string
  readonly cause: {
    readonly at: string
    readonly path: string
    readonly event: string
    readonly text: string
  } | null
  readonly cost: Readonly<Record<string, number | Readonly<Record<string, number>>>>
  readonly health: ReadonlyArray<{
    readonly from: string
    readonly to: string
    readonly said: {
      readonly status: string
      readonly ready: boolean
      readonly can_trade: boolean
      readonly reasons: ReadonlyArray<string>
    } | null
  }>
  readonly timeline: { readonly is_part: boolean; readonly entries: ReadonlyArray<ReportEntry> }
  readonly late_waves: IncidentSection
  readonly unordered_signals: IncidentSection
  readonly alerts: IncidentSection
  readonly audit: IncidentSection
}

/** A report has two days at most; this is ten times the largest one. */
export const REPORT_BYTES_MAX = 64 * 1_048_576

const FORMAT = "holdfast.incident"
const VERSION = 1

type Check = (value: unknown) => boolean
type Fields = Readonly<Record<string, unknown>>

const text: Check = (value) => typeof value === "string"
const number: Check = (value) => typeof value === "number" && Number.isFinite(value)
const flag: Check = (value) => typeof value === "boolean"
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const each =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const having =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isFields(value) && Object.entries(checks).every(([name, check]) => check(value[name]))
const counts: Check = (value) => isFields(value) && Object.values(value).every(number)

const said = having({ status: text, ready: flag, can_trade: flag, reasons: each(text) })
const entry = having({
  seq: number,
  type: text,
  at: text,
  path: text,
  event: text,
  from: orNull(text),
  to: orNull(text),
  cause: orNull(text)
})
/** Two entries with one number cannot both be rows of one list. */
const entries: Check = (value) =>
  each(entry)(value) &&
  new Set((value as ReadonlyArray<ReportEntry>).map(({ seq }) => seq)).size ===
    (value as ReadonlyArray<ReportEntry>).length
const section = having({ total: number, rows: each(isFields) })

const checks: Readonly<Record<keyof IncidentReport, Check>> = {
  made_at: text,
  made_by: having({ version: text, commit: text, mode: text }),
  from: text,
  to: text,
  cause: orNull(having({ at: text, path: text, event: text, text })),
  cost: having({
    without_trading_ms: number,
    without_intake_ms: number,
    down_ms: number,
    fills: number,
    signals: counts,
    orders: counts,
    refused_posts: counts,
    waves: counts
  }),
  health: each(having({ from: text, to: text, said: orNull(said) })),
  timeline: having({ is_part: flag, entries }),
  late_waves: section,
  unordered_signals: section,
  alerts: section,
  audit: section
}

/** What is wrong with a document; null where it is a report. */
const problemOf = (document: unknown): string | null => {
  if (!isFields(document) || document["format"] !== FORMAT) return "this is not an incident report"
  if (document["version"] !== VERSION)
    return `the report has the version ${String(document["version"])}, and this console reads version ${VERSION}`
  const wrong = Object.entries(checks).find(([name, check]) => !check(document[name]))
  return wrong === undefined ? null : `the report is damaged: ${wrong[0]} is not as it has to be`
}

/** The document of a file of either form. Throws with what is wrong with it. */
export const reportIn = (file: string): IncidentReport => {
  // The page has no other `<` of its own in there, because the writer escapes it.
  const inside = /<script type="application\/json" id="incident">(.*?)<\/script>/s.exec(file)?.[1]
  let document: unknown
  try {
    document = JSON.parse(inside ?? file)
  } catch {
    throw new Error("this is not an incident report")
  }
  const problem = problemOf(document)
  if (problem !== null) throw new Error(problem)
  return document as IncidentReport
}

/** The name of its file, without an ending: `incident-2026-11-30T0900-2026-11-30T1000`. */
export const reportName = ({ from, to }: Pick<IncidentReport, "from" | "to">): string =>
  `incident-${[from, to].map((instant) => instant.slice(0, 16).replaceAll(/[^\dT-]/g, "")).join("-")}`
