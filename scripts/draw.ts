/**
 * Draw: writes the generated files: docs/machines/*.md from the catalog of machines, docs/endpoints.md and the OpenAPI document
 * from the endpoints, docs/settings.md and the JSON Schema of the file from the settings, docs/crash-matrix.md from its cells, migrations/list.ts from the names of the migrations. With `--check` it reports which of them differ.
 *
 * Promises: exit 0 when every file matches its source, 1 with the names of those that do not; pages of
 * machines that no longer exist are removed, or reported.
 * Never: draws anything that is not in the catalog or the table of endpoints.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import { catalog } from "../src/machines/catalog.ts"
import { pageOf } from "./chart.ts"
import { crashPage } from "./crash-page.ts"
import { machineSource } from "./machine-source.ts"
import { matrixOf } from "./matrix.ts"
import { listFile, migrationsList } from "./migrations-list.ts"
import { settingsPage, settingsSchemaText } from "./settings-pages.ts"
import { endpointsPage, openapiOf } from "./wire-pages.ts"

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
const pages = new Map(
  catalog.map(({ machine, name }) => [`${name}.md`, pageOf(name, machineSource(name), machine)])
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

/** Generated files next to the folder of the machines, by their path from it. */
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}
const stale = readdirSync(folder).filter((file) => !pages.has(file))
pages.set("../endpoints.md", endpointsPage())
pages.set("../crash-matrix.md", crashPage())
pages.set("../../src/wire/openapi.json", openapiOf(version))
pages.set(
  `../../migrations/${listFile}`,
  migrationsList(readdirSync(new URL("../migrations/", import.meta.url)))
)
pages.set("../settings.md", settingsPage())
pages.set("../../src/wire/holdfast.schema.json", settingsSchemaText())
const different = [...pages].filter(([file, text]) => read(file) !== text).map(([file]) => file)
const nameOf = (file: string): string => path.posix.join("docs/machines", file)

if (check) {
  for (const file of [...different, ...stale])
    console.error(`${nameOf(file)} differs from what it is generated from; run: npm run draw`)
  process.exitCode = different.length + stale.length === 0 ? 0 : 1
} else {
  for (const file of stale) rmSync(new URL(file, folder))
  for (const file of different) writeFileSync(new URL(file, folder), pages.get(file) ?? "")
  console.log(`${pages.size} files, ${different.length} written, ${stale.length} removed`)
}
