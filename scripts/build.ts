/**
 * `npm run build`: the console's files under dist/console: scripts, styles, fonts, and the charts of all machines with their
 * coordinates.
 *
 * Promises: dist/console is replaced as a whole and last, so a service that runs meanwhile serves the old files or the new
 * ones; every file is listed in files.json with its type and digest, and stands there compressed as well; the same sources give the same files.
 * Never: runs in the service; touches anything outside dist/.
 * Failure: exit 1 with the reason, and the former files stay.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "vite"
import { commandForms, machineCharts } from "./console-catalog.ts"

const root = path.dirname(import.meta.dirname)
const dist = path.join(root, "dist")
const finished = path.join(dist, "console")
/** Of this process alone: two builds at once do not write into one folder. */
const working = path.join(dist, `console.${process.pid}`)

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2"
}

const typeOf = (name: string): string => {
  const type = types[path.extname(name)]
  if (type === undefined) throw new Error(`no content type is known for ${name}`)
  return type
}

/** The list of what may be served. Fonts are compressed as they are. */
const manifestOf = (folder: string) =>
  readdirSync(folder)
    .toSorted()
    .map((name) => {
      const bytes = readFileSync(path.join(folder, name))
      const isCompressed = name.endsWith(".woff2")
      if (!isCompressed) writeFileSync(path.join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }))
      return {
        name,
        type: typeOf(name),
        digest: createHash("sha256").update(bytes).digest("hex").slice(0, 32),
        compressed: !isCompressed
      }
    })

const startedAt = performance.now()
try {
  mkdirSync(working, { recursive: true })
  await build({
    root: path.join(root, "web"),
    configFile: path.join(root, "web", "vite.config.ts"),
    logLevel: "error",
    build: { outDir: working, emptyOutDir: true }
  })
  writeFileSync(path.join(working, "machines.json"), JSON.stringify(await machineCharts()))
  writeFileSync(path.join(working, "commands.json"), JSON.stringify(commandForms()))
  writeFileSync(path.join(working, "files.json"), JSON.stringify(manifestOf(working)))
  const former = `${working}.former`
  if (existsSync(finished)) renameSync(finished, former)
  renameSync(working, finished)
  rmSync(former, { recursive: true, force: true })
  const files = readdirSync(finished).length
  console.log(`build: ${files} files in dist/console, ${Math.round(performance.now() - startedAt)} ms`)
} catch (error) {
  rmSync(working, { recursive: true, force: true })
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
