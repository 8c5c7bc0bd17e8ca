/** docs/alerts.md names every alert that the sources can raise, and no other. */
import { assert, describe, it } from "vitest"
import { readdirSync, readFileSync } from "node:fs"
import path from "node:path"

const root = path.resolve(import.meta.dirname, "../..")
const source = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(path.join(root, "src", file), "utf8"))

const all = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  [...text.matchAll(pattern)].map((match) => match[1] ?? "")

/** Kinds of one file: written at the alert, or in a constant that it names. */
const kindsIn = (text: string): ReadonlyArray<string> => [
  ...all(text, /\bkind:\s+"([a-z_]+\.[a-z_]+)"/g),
  ...all(text, /\b(?:alertOrder|orderAlert)\(\s*"[A-Z]+",\s*"([a-z_]+\.[a-z_]+)"/g),
  ...all(text, /\bkind: ([A-Z_]+),/g).flatMap((name) =>
    all(text, new RegExp(`\\bconst ${name} = "([a-z_]+\\.[a-z_]+)"`, "g"))
  )
]

/** Kinds that the sources put together, or choose from: why nobody takes a signal, what keeps the spool, which way a
 * strategy went, who polls as well. */
const composed = [
  "signal.no_strategy",
  "signal.strategy_unknown",
  "spool.failed",
  "spool.full",
  "strategy.promoted",
  "telegram.conflict"
]

describe("the list of alerts", () => {
  it("has each kind once, in order, as the sources raise them", () => {
    const raised = new Set([...source.flatMap(kindsIn), ...composed])
    const page = readFileSync(path.join(root, "docs/alerts.md"), "utf8")
    const listed = all(page, /^\| `([a-z_.]+)` \|/gm)
    assert.isAbove(raised.size, 40)
    assert.deepStrictEqual(listed, [...raised].toSorted())
  })
})
