/**
 * telegram-text: words, tables and pages as a phone shows them.
 *
 * Promises: every text from outside is escaped, so that Telegram takes the message; a page is shorter than Telegram's limit and
 * ends between two lines; a table is monospaced and narrow.
 * Never: cuts a tag in two.
 */
import { oneLine } from "../kernel/text-line.ts"
import { telegramLimits } from "./telegram-limits.ts"

/** Text as part of HTML. */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** A line with a link to a page of the console; "" where nobody has said where it is. */
export const linkBelow = (consoleUrl: string | null, page: string): string =>
  consoleUrl === null
    ? ""
    : `\n<a href="${escaped(`${consoleUrl.replace(/\/$/, "")}/#/${page}`).replaceAll('"', "&quot;")}">Open in the console</a>`

export const bold = (text: string): string => `<b>${escaped(text)}</b>`
export const code = (text: string): string => `<code>${escaped(text)}</code>`

/** Rows as aligned columns; the last column is not padded. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths: Array<number> = []
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join(" ")
      .trimEnd()
  )
}

/** Lines in a monospaced block. */
export const block = (lines: ReadonlyArray<string>): string => `<pre>${escaped(lines.join("\n"))}</pre>`

/** Lines as they read in a sentence. */
export const prose = (lines: ReadonlyArray<string>): string => escaped(lines.join("\n"))

/** Plain lines as pages of HTML; `head` begins the first. */
export const pagesOf = (
  head: string,
  lines: ReadonlyArray<string>,
  shape: (lines: ReadonlyArray<string>) => string = block
): ReadonlyArray<string> => {
  const pages: Array<Array<string>> = [[]]
  let length = head.length
  for (const line of lines.map((one) => oneLine(one, telegramLimits.pageMax))) {
    const size = escaped(line).length + 1
    if (length + size > telegramLimits.pageMax && (pages.at(-1)?.length ?? 0) > 0) {
      pages.push([])
      length = 0
    }
    pages.at(-1)?.push(line)
    length += size
  }
  return pages.map((page, at) => {
    const part = pages.length === 1 ? "" : `\n(${at + 1} of ${pages.length})`
    const body = page.length === 0 ? "" : shape(page)
    return `${at === 0 ? `${head}\n` : ""}${body}${part}`.trim()
  })
}

/** How long something took or is late: "7 s", "3 min", "2 h". */
export const lasting = (ms: number): string => {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** What a text field of a row says, "" where it has none. */
export const cell = (row: Readonly<Record<string, unknown>>, name: string): string => {
  const value = row[name]
  if (typeof value === "string") return value
  return typeof value === "number" || typeof value === "boolean" ? String(value) : ""
}

/** `2026-11-30T12:00:00.000Z` as `11-30 12:00`. */
export const shortTime = (iso: string): string => iso.slice(5, 16).replace("T", " ")
