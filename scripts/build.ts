/**
 * `npm run build [programs] [console]`: the programs, one file each, under dist/programs, and the console's files under
 * dist/console: scripts, styles, fonts, and the charts of all machines with their coordinates.
 *
 * Promises: each of the two is replaced as a whole and last, so a service that runs meanwhile serves the old files or the new
 * ones; every file of the console is listed in files.json with its type and digest, and stands there compressed as well; the same
 * sources give the same files; `built` in each holds the sum of the sources it was made from.
 * Never: runs in the service; touches anything outside dist/.
 * Failure: exit 1 with the reason, and the former files stay.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "vite"
import { buildPrograms } from "./build-programs.ts"
import { commandForms, machineCharts } from "./console-catalog.ts"

const root = path.dirname(import.meta.dirname)
const dist = path.join(root, "dist")

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

const buildConsole = async (folder: string): Promise<void> => {
  await build({
    root: path.join(root, "web"),
    configFile: path.join(root, "web", "vite.config.ts"),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true }
  })
  writeFileSync(path.join(folder, "machines.json"), JSON.stringify(await machineCharts()))
  writeFileSync(path.join(folder, "commands.json"), JSON.stringify(commandForms()))
  writeFileSync(path.join(folder, "files.json"), JSON.stringify(manifestOf(folder)))
}

const parts = {
  programs: (folder: string) => buildPrograms(root, folder),
  console: buildConsole
}

/** Builds one part into a folder of this process alone, so that two builds at once do not write into one, and puts it into place. */
const replace = async (part: keyof typeof parts): Promise<void> => {
  const startedAt = performance.now()
  // Before the build: what changes meanwhile is not in it.
  const sources = execFileSync("sh", [path.join(root, "scripts/sources.sh"), part])
  const finished = path.join(dist, part)
  const working = path.join(dist, `${part}.${process.pid}`)
  try {
    mkdirSync(working, { recursive: true })
    await parts[part](working)
    writeFileSync(path.join(working, "built"), sources)
    const former = `${working}.former`
    if (existsSync(finished)) renameSync(finished, former)
    renameSync(working, finished)
    rmSync(former, { recursive: true, force: true })
  } catch (error) {
    rmSync(working, { recursive: true, force: true })
    throw error
  }
  const files = readdirSync(finished).length - 1
  console.error(`build: ${files} files in dist/${part}, ${Math.round(performance.now() - startedAt)} ms`)
}

const wanted = process.argv.slice(2)
const chosen = (["programs", "console"] as const).filter(
  (part) => wanted.length === 0 || wanted.includes(part)
)
for (const part of chosen)
  try {
    await replace(part)
  } catch (error) {
    console.error(`build: dist/${part}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
