/**
 * alert-log: the log of alerts that a sender exports, read line by line (G2).
 *
 * TradingView's export is CSV with the columns `Alert ID, Ticker, Name, Description, Time` and, of late, `Webhook status`; the
 * description is the message of the alert, which for a webhook is the body that was posted, over several physical lines
 * where the template has some. Anything else is taken as well that has a time and a text: CSV under other headings, JSON
 * as a list, or an object per line.
 *
 * Promises: pure; every record of the log becomes one line, also one that cannot be read, with why; records keep their order.
 * Never: guesses a time zone, or shows a body.
 */
import { Result } from "effect"
import { fieldOf, isJsonObject, type JsonObject, type JsonValue } from "../kernel/canonical-json.ts"
import type { FieldError } from "../kernel/field-error.ts"
import { readJsonText } from "../kernel/json-reader.ts"
import { alertLogLimits } from "../kernel/limits-kept.ts"
import { readTimestamp } from "../kernel/moment.ts"

/** One record of the log. `line` counts physical lines from 1, so that an editor finds it. */
export interface LogLine {
  readonly line: number
  readonly id: string | null
  readonly name: string | null
  /** What the sender notes about the delivery. */
  readonly senderStatus: string | null
  /** Null with `unreadable`. */
  readonly alert: { readonly atMs: number; readonly text: string } | null
  readonly unreadable: string | null
}

type ReadLog = Result.Result<ReadonlyArray<LogLine>, FieldError>

interface Row {
  readonly line: number
  readonly cells: ReadonlyArray<string>
}

/** Values of a log: every line may have a body with fields of its own. */
const logBounds = { valuesMax: 500_000, depthMax: 32 }

/** Headings in any case, in the order in which they are preferred. */
const HEADINGS = {
  time: ["time", "timestamp", "fired at", "fired_at", "date"],
  text: ["description", "message", "text", "body", "payload"],
  name: ["name", "alert name", "title"],
  id: ["alert id", "id", "alert_id"],
  status: ["webhook status", "status"]
} as const
type Column = keyof typeof HEADINGS

const failed = (message: string): ReadLog => Result.fail({ path: "log", message })

/** RFC 4180: quotes are doubled inside quotes, and a quoted cell may hold line breaks. */
const csvRows = (text: string, separator: string): ReadonlyArray<Row> => {
  const rows: Array<Row> = []
  let cells: Array<string> = []
  let cell = ""
  let isQuoted = false
  let line = 1
  let began = 1
  const endRow = (): void => {
    cells.push(cell)
    if (cells.length > 1 || cell.trim() !== "") rows.push({ line: began, cells })
    cells = []
    cell = ""
  }
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (char === "\n") line += 1
    if (isQuoted) {
      if (char !== '"') cell += char
      else if (text.charAt(at + 1) === '"') {
        cell += '"'
        at += 1
      } else isQuoted = false
    } else if (char === '"' && cell.trim() === "") {
      isQuoted = true
      cell = ""
    } else if (char === separator) {
      cells.push(cell)
      cell = ""
    } else if (char === "\n") {
      endRow()
      began = line
    } else if (char !== "\r") cell += char
  }
  endRow()
  return rows
}

const separatorOf = (heading: string): string =>
  [",", ";", "\t"].toSorted((a, b) => heading.split(b).length - heading.split(a).length)[0] ?? ","

const lineOf = (
  line: number,
  given: Readonly<Record<Column, JsonValue | undefined>>,
  text: string | null
): LogLine => {
  const word = (value: JsonValue | undefined): string | null => {
    const given = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : ""
    return given === "" ? null : given.slice(0, alertLogLimits.wordMax)
  }
  const base = { line, id: word(given.id), name: word(given.name), senderStatus: word(given.status) }
  const time = given.time === undefined ? { message: "is missing" } : readTimestamp(given.time)
  if ("message" in time) return { ...base, alert: null, unreadable: `its time ${time.message}` }
  if (text === null) return { ...base, alert: null, unreadable: "it has no text" }
  return { ...base, alert: { atMs: time.ms, text }, unreadable: null }
}

const readCsv = (text: string): ReadLog => {
  const heading = text.slice(0, text.search(/[\r\n]|$/))
  const [head, ...rows] = csvRows(text, separatorOf(heading))
  const names = (head?.cells ?? []).map((cell) => cell.trim().toLowerCase())
  const indexOf = (column: Column): number =>
    HEADINGS[column].map((name) => names.indexOf(name)).find((index) => index >= 0) ?? -1
  const missing = (["time", "text"] as const).filter((column) => indexOf(column) < 0)
  const [first] = missing
  if (first !== undefined)
    return failed(
      `must have a column ${HEADINGS[first].join(" or ")} in its first line, as the export of TradingView does`
    )
  return Result.succeed(
    rows.map(({ cells, line }) => {
      const cell = (column: Column): string | undefined => cells[indexOf(column)]
      const given = {
        time: cell("time"),
        text: undefined,
        name: cell("name"),
        id: cell("id"),
        status: cell("status")
      }
      return lineOf(line, given, cell("text") ?? null)
    })
  )
}

const fieldIn = (object: JsonObject, column: Column): JsonValue | undefined => {
  for (const [key, value] of Object.entries(object))
    if (HEADINGS[column].some((name) => name === key.toLowerCase())) return value
  return undefined
}

const jsonLine = (line: number, value: JsonValue): LogLine => {
  if (!isJsonObject(value)) {
    const empty = { time: undefined, text: undefined, name: undefined, id: undefined, status: undefined }
    return { ...lineOf(line, empty, null), unreadable: "it is no object" }
  }
  const given = {
    time: fieldIn(value, "time"),
    text: undefined,
    name: fieldIn(value, "name"),
    id: fieldIn(value, "id"),
    status: fieldIn(value, "status")
  }
  const text = fieldIn(value, "text")
  const isText = typeof text === "string"
  return lineOf(
    line,
    given,
    isText ? text : text !== undefined && isJsonObject(text) ? JSON.stringify(text) : null
  )
}

const read = (text: string) => readJsonText(text, logBounds)

const readJsonLog = (text: string): ReadLog => {
  const whole = read(text)
  if (Result.isSuccess(whole)) {
    const value = whole.success
    const items = isJsonObject(value) ? fieldOf(value, "items") : value
    if (Array.isArray(items))
      return Result.succeed(items.map((item: JsonValue, index) => jsonLine(index + 1, item)))
    return Result.succeed([jsonLine(1, value)])
  }
  const lines = text.split("\n").map((content, index) => ({ content: content.trim(), line: index + 1 }))
  const objects = lines.filter(({ content }) => content !== "")
  const values = objects.map(({ content, line }) => ({ line, value: read(content) }))
  const wrong = values.find(({ value }) => Result.isFailure(value))
  // One object per line is only assumed of what begins so.
  if (wrong?.line === objects[0]?.line) return failed(`must be CSV or JSON: ${whole.failure.message}`)
  return Result.succeed(
    values.map(({ line, value }) =>
      Result.isSuccess(value)
        ? jsonLine(line, value.success)
        : { ...jsonLine(line, null), unreadable: `it is no JSON: ${value.failure.message}` }
    )
  )
}

/** The records of a log; or why it is none. */
export const readAlertLog = (given: string): ReadLog => {
  const text = given.replace(/^\u{feff}/u, "").trimStart()
  if (text === "") return failed("must not be empty")
  const lines = /^[[{]/.test(text) ? readJsonLog(text) : readCsv(text)
  if (Result.isFailure(lines)) return lines
  return lines.success.length > alertLogLimits.linesMax
    ? failed(`must have at most ${alertLogLimits.linesMax} alerts; split it`)
    : lines
}
