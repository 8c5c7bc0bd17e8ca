/**
 * `npm run package`: builds the package of the runtime, `holdfast-<version>.tgz`, in the current directory.
 *
 * Plain `npm pack` packs the same code with the package.json on the disk, which is the service's: it works, and whoever
 * installs it gets Node, PostgreSQL and drivers with it (340 MB). A package.json that is rewritten before a pack and
 * restored after it is lost when the pack is interrupted. So the lean package is staged in a directory of its own, with a
 * package.json generated here.
 * Promises: what follows `--` goes to `npm pack` (`--json`, `--pack-destination=`); nothing of the checkout is written
 * but the tarball, even when it is interrupted; effect and xstate are peers, in the versions the tests ran with.
 * Never: publishes, or is called `pack`: npm would run `prepack` before a script of that name.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"

const root = path.dirname(import.meta.dirname)

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly type: string
  readonly exports: unknown
  readonly files: ReadonlyArray<string>
  readonly engines: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

/** The tarball's own package.json. Exact peers: the runtime relies on internals of both that a minor version may change. */
const leanManifest = ({ dependencies, engines, exports, files, license, name, type, version }: Manifest) => ({
  name,
  version,
  license,
  type,
  exports,
  files,
  engines,
  peerDependencies: { effect: dependencies["effect"], xstate: dependencies["xstate"] }
})

const run = (command: string, args: ReadonlyArray<string>, cwd: string): void => {
  const { error, status } = spawnSync(command, args, { cwd, stdio: "inherit", timeout: 300_000 })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${path.basename(args[0] ?? command)} ended with ${status ?? "a signal"}`)
}

const stage = mkdtempSync(path.join(tmpdir(), "holdfast-pack-"))
try {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as Manifest
  const compiler = path.join(root, "node_modules/typescript/bin/tsc")
  run(
    process.execPath,
    [compiler, "-p", "tsconfig.build.json", "--outDir", path.join(stage, "dist/runtime")],
    root
  )
  cpSync(path.join(root, "docs/runtime.md"), path.join(stage, "docs/runtime.md"))
  cpSync(path.join(root, "src/runtime/README.md"), path.join(stage, "README.md"))
  writeFileSync(path.join(stage, "package.json"), `${JSON.stringify(leanManifest(manifest), null, 2)}\n`)
  run("npm", ["pack", stage, "--ignore-scripts", ...process.argv.slice(2)], process.cwd())
} catch (error) {
  console.error(`the package was not built: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  rmSync(stage, { recursive: true, force: true })
}
