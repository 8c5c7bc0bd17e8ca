/**
 * The package as others get it: packed, installed by npm somewhere else without a network, used from there.
 *
 * The packing happens in a copy, because a user who may only read the checkout can run the tests as well.
 */
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout } from "node:timers/promises"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { exampleMsMax, runExample } from "../support/example-run.ts"
import { expectations } from "./expectations.ts"

const root = path.resolve(import.meta.dirname, "../..")
const run = promisify(execFile)
const directory = fs.mkdtempSync(path.join(tmpdir(), "holdfast-package-"))
const source = path.join(directory, "source")
const elsewhere = path.join(directory, "elsewhere")
/** npm looks at a few hundred packages and compiles two dozen files; seconds, more on a machine that is busy. */
const installMsMax = 240_000

/** npm, as on the machine; a home of its own, so that no user's settings or missing home can matter. */
const npm = (cwd: string, ...options: ReadonlyArray<string>) =>
  run("npm", [...options, "--offline", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd,
    timeout: installMsMax,
    env: {
      ...process.env,
      HOME: directory,
      npm_config_cache: path.join(directory, "npm-cache"),
      npm_config_update_notifier: "false"
    }
  })

interface Manifest {
  readonly version: string
  readonly license: string
  readonly engines: unknown
  readonly dependencies: Readonly<Record<string, string>>
}
const manifestOf = (folder: string) =>
  JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")) as Manifest
const service = manifestOf(root)
const peers = ["effect", "xstate"] as const

/** Every file below a directory with its size and the moment it was last written. */
const filesOf = (folder: string): ReadonlyArray<string> =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    // What other tests compile meanwhile is kept there.
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules/.cache"))
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      const { mtimeMs, size } = fs.statSync(file)
      return `${path.relative(folder, file)} ${size} ${mtimeMs}`
    })
    .toSorted()

const packed: Array<string> = []

const installed = path.join(elsewhere, "node_modules/holdfast")

beforeAll(async () => {
  fs.mkdirSync(source)
  fs.mkdirSync(elsewhere)
  for (const entry of [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.build.json",
    "README.md"
  ])
    fs.copyFileSync(path.join(root, entry), path.join(source, entry))
  for (const folder of ["src/runtime", "scripts", "docs"])
    fs.cpSync(path.join(root, folder), path.join(source, folder), { recursive: true })
  fs.symlinkSync(path.join(root, "node_modules"), path.join(source, "node_modules"))
  const { stdout } = await npm(
    source,
    "run",
    "--silent",
    "package",
    "--",
    "--json",
    `--pack-destination=${directory}`
  )
  const [tarball] = JSON.parse(stdout) as ReadonlyArray<{
    readonly filename: string
    readonly files: ReadonlyArray<{ readonly path: string }>
  }>
  if (tarball === undefined) throw new Error("npm packed nothing")
  packed.push(...tarball.files.map((file) => file.path))
  // The peers lie there already, because there is no registry to ask; nothing else does.
  for (const name of peers)
    fs.cpSync(path.join(root, "node_modules", name), path.join(elsewhere, "node_modules", name), {
      recursive: true
    })
  fs.writeFileSync(
    path.join(elsewhere, "package.json"),
    JSON.stringify({ name: "elsewhere", private: true, type: "module" })
  )
  await npm(elsewhere, "install", path.join(directory, tarball.filename))
}, installMsMax)

afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

describe("the package, made in a checkout", () => {
  const stages = () => fs.readdirSync(directory).filter((name) => name.startsWith("holdfast-pack-"))

  test("holds the same files as what plain npm pack makes", { timeout: installMsMax }, async () => {
    const { stdout } = await npm(source, "pack", "--json", "--dry-run")
    // What prepack prints comes first.
    const [tarball] = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as ReadonlyArray<{
      readonly files: ReadonlyArray<{ readonly path: string }>
    }>
    expect(tarball?.files.map((file) => file.path).toSorted()).toEqual(packed.toSorted())
  })

  test(
    "leaves the checkout as it was, also when it is killed half-way",
    { timeout: installMsMax },
    async () => {
      const before = filesOf(source)
      expect(stages()).toEqual([])
      const child = spawn(process.execPath, ["scripts/package.ts", `--pack-destination=${directory}`], {
        cwd: source,
        env: { ...process.env, TMPDIR: directory },
        stdio: "ignore",
        detached: true
      })
      const ended = once(child, "exit")
      // The stage is there before anything is compiled; a run that is over before it is seen fails below.
      while (stages().length === 0 && child.exitCode === null) await setTimeout(5)
      process.kill(-(child.pid ?? 0), "SIGKILL")
      await ended
      expect(child.signalCode).toBe("SIGKILL")
      expect(stages()).toHaveLength(1)
      expect(filesOf(source)).toEqual(before)
    }
  )
})

describe("the package, installed elsewhere", () => {
  test("depends on effect and xstate alone, as peers in the versions of this checkout, and runs no script", () => {
    const { effect, xstate } = service.dependencies
    expect(manifestOf(installed)).toEqual({
      name: "holdfast",
      version: service.version,
      license: service.license,
      type: "module",
      exports: { "./runtime": "./dist/runtime/entry.js", "./package.json": "./package.json" },
      files: ["dist/runtime", "docs/runtime.md"],
      engines: service.engines,
      peerDependencies: { effect, xstate }
    })
    const beside = fs
      .readdirSync(path.join(elsewhere, "node_modules"))
      .filter((name) => !name.startsWith("."))
    expect(beside.toSorted()).toEqual(["effect", "holdfast", "xstate"])
  })

  test.for(["README.md", "docs/runtime.md"])("tells in %s how to install it with its peers", (file) => {
    const { effect, xstate } = service.dependencies
    expect(fs.readFileSync(path.join(installed, file), "utf8")).toContain(
      `npm install ./holdfast-${service.version}.tgz effect@${effect} xstate@${xstate}\n`
    )
  })

  test("has a README of its own, whose program runs and whose links lead to files of the package", async () => {
    const readme = fs.readFileSync(path.join(installed, "README.md"), "utf8")
    const [, program = ""] = /^```ts\n([\s\S]*?)^```$/m.exec(readme) ?? []
    fs.writeFileSync(path.join(elsewhere, "readme.ts"), program)
    const { lines, stderr } = await runExample(elsewhere, "readme.ts")
    expect([lines, stderr]).toEqual([["life 1", "life 2", "life 3", "stopped"], ""])
    const links = [...readme.matchAll(/\]\((?!https:)([^)#]+)\)/g)].map(([, target]) => target)
    expect(links).toEqual(["docs/runtime.md"])
    expect(packed).toContain("docs/runtime.md")
  })

  test("holds JavaScript and declarations of the runtime, its guide, and nothing of the service", () => {
    const foreign = packed.filter((file) => !/^dist\/runtime\/[a-z-]+\.(js|d\.ts)$/.test(file))
    expect(foreign.toSorted()).toEqual(["README.md", "docs/runtime.md", "package.json"])
    const sources = fs.readdirSync(path.join(source, "src/runtime")).filter((file) => file.endsWith(".ts"))
    for (const ending of [".js", ".d.ts"])
      expect(packed.filter((file) => file.endsWith(ending)).toSorted()).toEqual(
        sources.map((file) => `dist/runtime/${file.replace(/\.ts$/, ending)}`).toSorted()
      )
  })

  test("imports effect, xstate and itself only", () => {
    const emitted = path.join(installed, "dist/runtime")
    // Declarations may name `./x.ts`, which TypeScript reads as `./x.d.ts`; what Node reads must name `./x.js`.
    const targets = fs
      .readdirSync(emitted)
      .filter((file) => file.endsWith(".js"))
      .flatMap((file) => [
        ...fs.readFileSync(path.join(emitted, file), "utf8").matchAll(/^(?:import|export) .*from "([^"]+)"/gm)
      ])
      .map((match) => match[1] ?? "")
    expect(targets.length).toBeGreaterThan(50)
    expect([...new Set(targets.filter((target) => !target.startsWith("./")))].toSorted()).toEqual([
      "effect",
      "xstate"
    ])
    expect(targets.filter((target) => target.startsWith("./") && !target.endsWith(".js"))).toEqual([])
  })

  test("gives out nothing but the documented entry", async () => {
    const probe = `
      const open = await import("holdfast/runtime")
      const shut = await import("holdfast/dist/runtime/life.js").catch((error) => error.code)
      console.log(typeof open.startTree, shut)
    `
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", probe], {
      cwd: elsewhere
    })
    expect(stdout.trim()).toBe("function ERR_PACKAGE_PATH_NOT_EXPORTED")
  })

  test.for(Object.entries(expectations))(
    "runs %s",
    { timeout: exampleMsMax + 5_000 },
    async ([file, expectation]) => {
      const text = fs.readFileSync(path.join(root, "examples", file), "utf8")
      const rewritten = text.replace('"../src/runtime/entry.ts"', '"holdfast/runtime"')
      expect(rewritten).not.toBe(text)
      fs.writeFileSync(path.join(elsewhere, file), rewritten)
      const seen = await runExample(elsewhere, file)
      expect(seen.stderr).toBe("")
      expect(seen.status).toBe(0)
      expectation(seen)
    }
  )

  test(
    "typechecks for its user: right programs compile, a wrong one does not",
    { timeout: installMsMax },
    async () => {
      for (const name of ["@types/node", "undici-types"])
        fs.cpSync(path.join(root, "node_modules", name), path.join(elsewhere, "node_modules", name), {
          recursive: true
        })
      const wrong = `
      import { type Tree, worker } from "holdfast/runtime"
      export const numbered = worker({ id: 5, start: () => 5 })
      export const life = (tree: Tree): string => tree.snapshot().incarnation
    `
      fs.writeFileSync(path.join(elsewhere, "wrong.ts"), wrong)
      const options =
        "--noEmit --pretty false --strict --exactOptionalPropertyTypes --target es2024 --lib es2024,esnext.disposable --module nodenext --types node --skipLibCheck"
      const compiler = path.join(root, "node_modules/typescript/bin/tsc")
      const compiled = await run(
        process.execPath,
        [compiler, ...options.split(" "), ...Object.keys(expectations), "wrong.ts"],
        { cwd: elsewhere }
      ).catch((error: { readonly stdout: string }) => error)
      const errors = [...compiled.stdout.matchAll(/^(\S+?)\((\d+),\d+\): error (TS\d+)/gm)]
      expect(errors.map(([, file, line, code]) => `${file}:${line} ${code}`)).toEqual([
        "wrong.ts:3 TS2322",
        "wrong.ts:3 TS2322",
        "wrong.ts:4 TS2322"
      ])
    }
  )
})
