/**
 * The alert texts of docs/tradingview.md, each with the source that reads it, and its placeholders filled as TradingView fills them.
 *
 * Promises: what is posted is the text of the page.
 * Never: knows how a source reads one.
 */
import { readFileSync } from "node:fs"
import path from "node:path"
import { projectRoot } from "./program.ts"

export interface Section {
  readonly title: string
  /** Of the source and of its strategy. */
  readonly name: string
  readonly source: Readonly<Record<string, unknown>>
  readonly texts: ReadonlyArray<string>
}

const blocks = (text: string, kind: string): ReadonlyArray<string> =>
  [...text.matchAll(new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block = ""]) => block)

/** The numbered sections of the page. */
export const sections = (): ReadonlyArray<Section> =>
  readFileSync(path.join(projectRoot, "docs/tradingview.md"), "utf8")
    .split(/^### /m)
    .slice(1)
    .map((section, index) => ({
      title: section.split("\n")[0] ?? "",
      name: `text-${index + 1}`,
      source: JSON.parse(blocks(section, "json")[0] ?? "null") as Readonly<Record<string, unknown>>,
      texts: blocks(section, "text")
    }))

/** The `nth` entry of a strategy that adds to its position, on a chart with bars of `barMs`, at `atMs`. */
const valuesAt = (atMs: number, barMs: number, nth: number): Readonly<Record<string, string>> => {
  const iso = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z")
  return {
    exchange: "BINANCE",
    ticker: "BTCUSDT",
    interval: String(barMs / 60_000),
    time: iso(Math.floor(atMs / barMs) * barMs),
    timenow: iso(atMs),
    open: "101.25",
    high: "102",
    low: "100.5",
    close: String(101.5 + nth / 1_000),
    volume: "15234.7",
    "strategy.order.action": "buy",
    "strategy.order.contracts": "1",
    "strategy.order.price": "101.5",
    "strategy.order.id": "Long Entry",
    "strategy.order.comment": "Long Entry",
    "strategy.market_position": "long",
    "strategy.market_position_size": String(nth + 1),
    "strategy.prev_market_position": nth === 0 ? "flat" : "long",
    "strategy.prev_market_position_size": String(nth),
    "strategy.position_size": String(nth + 1)
  }
}

/** The text as TradingView would post it at `atMs`, the `nth` of its alerts, from 0: each has another close. */
export const filled = (text: string, secret: string, atMs: number, nth = 0): string => {
  const values = valuesAt(atMs, 300_000, nth)
  return text
    .trim()
    .replaceAll("TV_SECRET_VALUE", secret)
    .replaceAll(/\{\{([\w.]+)\}\}/g, (placeholder, name: string) => {
      const value = values[name]
      if (value === undefined) throw new Error(`the page has a placeholder without a value: ${placeholder}`)
      return value
    })
}
