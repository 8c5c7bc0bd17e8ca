/**
 * The package as others get it: packed, installed by npm somewhere else without a network, used from there.
 *
 * The packing happens in a copy, because a user who may only read the checkout can run the tests as well.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
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

interface LockEntry {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
}
/** What a production install of this package holds, taken from the lock. */
const productionPackages = (): ReadonlyArray<string> => {
  const lock = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockEntry>>
  }
  return Object.entries(lock.packages).flatMap(([key, entry]) =>
    key === "" || entry.dev === true || entry.optional === true || entry.devOptional === true ? [] : [key]
  )
}

const packed: Array<string> = []

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
  await npm(source, "run", "prepack")
  // The scripts are left out of the packing itself: `prepare` would patch the compiler others are using just now.
  const { stdout } = await npm(
    source,
    "pack",
    "--ignore-scripts",
    "--json",
    `--pack-destination=${directory}`
  )
  const [tarball] = JSON.parse(stdout) as ReadonlyArray<{
    readonly filename: string
    readonly files: ReadonlyArray<{ readonly path: string }>
  }>
  if (tarball === undefined) throw new Error("npm packed nothing")
  packed.push(...tarball.files.map((file) => file.path))
  // What the tarball depends on lies there already, because there is no registry to ask.
  for (const key of productionPackages())
    fs.cpSync(path.join(root, key), path.join(elsewhere, key), {
      recursive: true,
      filter: (from) => from === path.join(root, key) || path.basename(from) !== "node_modules"
    })
  fs.writeFileSync(
    path.join(elsewhere, "package.json"),
    JSON.stringify({ name: "elsewhere", private: true, type: "module" })
  )
  await npm(
    elsewhere,
    "install",
    "--ignore-scripts",
    "--omit=optional",
    path.join(directory, tarball.filename)
  )
}, installMsMax)

afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

describe("the package, installed elsewhere", () => {
  test("holds JavaScript and declarations of the runtime, its guide, and nothing of the service", () => {
    const foreign = packed.filter(
      (file) =>
        !/^dist\/runtime\/[a-z-]+\.(js|d\.ts)$/.test(file) &&
        !["package.json", "README.md", "docs/runtime.md"].includes(file)
    )
    expect(foreign).toEqual([])
    expect(packed).toEqual(expect.arrayContaining(["dist/runtime/entry.js", "dist/runtime/entry.d.ts"]))
    const sources = fs.readdirSync(path.join(root, "src/runtime")).filter((file) => file.endsWith(".ts"))
    expect(packed.filter((file) => file.endsWith(".js"))).toHaveLength(sources.length)
  })

  test("imports effect, xstate and itself only", () => {
    const installed = path.join(elsewhere, "node_modules/holdfast/dist/runtime")
    // Declarations may name `./x.ts`, which TypeScript reads as `./x.d.ts`; what Node reads must name `./x.js`.
    const targets = fs
      .readdirSync(installed)
      .filter((file) => file.endsWith(".js"))
      .flatMap((file) => [
        ...fs
          .readFileSync(path.join(installed, file), "utf8")
          .matchAll(/^(?:import|export) .*from "([^"]+)"/gm)
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
