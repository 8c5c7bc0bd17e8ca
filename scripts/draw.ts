/**
 * Draw: writes docs/machines/*.md from the catalog, or with `--check` says which of them differ.
 *
 * Promises: exit 0 when every page is what its machine says, 1 with the names of those that are not; pages of
 * machines that no longer exist are removed, or reported.
 * Never: draws anything that is not in the catalog.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { catalog } from "../src/machines/catalog.ts"
import { pageOf } from "./chart.ts"
import { matrixOf } from "./matrix.ts"

const folder = new URL("../docs/machines/", import.meta.url)
const check = process.argv.includes("--check")

const read = (file: string): string | null => {
  try {
    return readFileSync(new URL(file, folder), "utf8")
  } catch {
    return null
  }
}

mkdirSync(folder, { recursive: true })
/** A machine is found in its room by its name. */
const sources = readdirSync(new URL("../src/machines", import.meta.url), {
  recursive: true,
  encoding: "utf8"
})
const sourceOf = (name: string): string => {
  const file = sources.find((one) => one.endsWith(`/${name}.machine.ts`))
  if (file === undefined) throw new Error(`no file below src/machines is called ${name}.machine.ts`)
  return `src/machines/${file}`
}
const pages = new Map(
  catalog.map(({ machine, name }) => [`${name}.md`, pageOf(name, sourceOf(name), machine)])
)
const index = [
  "# The state machines",
  "",
  "Generated from `src/machines/catalog.ts` by `npm run draw`. One page per long-lived component: a diagram, and",
  "what each state means, does and waits for; [matrix](matrix.md) has every state with every event.",
  "",
  ...catalog.map(({ name }) => `- [${name}](${name}.md)`),
  ""
].join("\n")
pages.set("README.md", index)
pages.set("matrix.md", matrixOf(catalog))

const stale = readdirSync(folder).filter((file) => !pages.has(file))
const different = [...pages].filter(([file, text]) => read(file) !== text).map(([file]) => file)

if (check) {
  for (const file of [...different, ...stale])
    console.error(`docs/machines/${file} differs from its machine; run: npm run draw`)
  process.exitCode = different.length + stale.length === 0 ? 0 : 1
} else {
  for (const file of stale) rmSync(new URL(file, folder))
  for (const file of different) writeFileSync(new URL(file, folder), pages.get(file) ?? "")
  console.log(
    `${pages.size} pages in ${fileURLToPath(folder)}, ${different.length} written, ${stale.length} removed`
  )
}
