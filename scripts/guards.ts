/**
 * The guards of `npm run check`, as a list: what each runs, and how it proves that it saw anything at all.
 *
 * Why a list: the command runs them against this project, and test/tidy/guards.test.ts runs the same ones
 * against small projects that break one rule each. A guard that cannot fail is worse than none.
 *
 * Promises: every guard ends within its deadline; a tool that crashes, is missing or looked at nothing is a
 * failure, never a pass; tools are taken from this project's node_modules whatever `root` is.
 * Never: changes a file.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import path from "node:path"
import { projectFiles } from "./tidy.ts"

/** What a guard found: `text` is for the reader and may be empty when `ok`. */
export interface Verdict {
  readonly ok: boolean
  readonly text: string
}

export interface Guard {
  readonly name: string
  /** Checks the project whose root is `root`, an absolute path. */
  readonly run: (root: string) => Promise<Verdict>
}

interface Output {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The slowest guard takes half a minute, minutes on a machine full of other work; one that takes this long hangs. */
const GUARD_DEADLINE_MS = 600_000

const home = path.dirname(import.meta.dirname)
const packageFile = (file: string) => path.join(home, "node_modules", file)

const runTool = (root: string, program: string, options: ReadonlyArray<string>): Promise<Output> =>
  new Promise((resolve) => {
    const child = spawn(program, options, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: GUARD_DEADLINE_MS,
      killSignal: "SIGKILL"
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()))
    child.on("error", (error) => resolve({ status: 127, stdout, stderr: `${stderr}${error.message}\n` }))
    child.on("close", (code, signal) => {
      const note = signal === null ? "" : `ended by ${signal} (deadline ${GUARD_DEADLINE_MS} ms)\n`
      resolve({ status: code ?? 1, stdout, stderr: stderr + note })
    })
  })

const runScript = (root: string, script: string, options: ReadonlyArray<string> = []) =>
  runTool(root, process.execPath, [script, ...options])

const verdict = ({ status, stdout, stderr }: Output): Verdict => ({
  ok: status === 0,
  text: status === 0 ? "" : `${stdout}${stderr}`.trim() || `exit status ${status} without output`
})

const format: Guard = {
  name: "format",
  run: async (root) =>
    verdict(
      await runScript(root, packageFile("oxfmt/bin/oxfmt"), ["--check", "--no-error-on-unmatched-pattern"])
    )
}

const lint: Guard = {
  name: "lint",
  run: async (root) =>
    verdict(await runScript(root, packageFile("oxlint/bin/oxlint"), ["--deny-warnings", "--format=unix"]))
}

/** The compiler as `npm run prepare` patched it; without the patch it would not see a floating Effect, so it must identify itself. */
const types: Guard = {
  name: "types",
  run: async (root) => {
    const compiler = packageFile("typescript/bin/tsc")
    const version = await runScript(root, compiler, ["--version"])
    if (!version.stdout.includes("effect-tsgo")) {
      return {
        ok: false,
        text: `the compiler lacks the Effect patch, run: npm run prepare\n${version.stdout}${version.stderr}`
      }
    }
    // The console is for browsers, which have other globals than Node; its tests have packages of their own.
    const parts = await Promise.all(
      [".", "web", "test/browser"]
        .filter((part) => existsSync(path.join(root, part, "tsconfig.json")))
        .map((part) => runScript(root, compiler, ["--noEmit", "--pretty", "false", "-p", part]))
    )
    return parts.map(verdict).find(({ ok }) => !ok) ?? { ok: true, text: "" }
  }
}

interface Cruise {
  readonly modules: ReadonlyArray<{ readonly source: string }>
  readonly summary: {
    readonly violations: ReadonlyArray<{
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
      readonly cycle?: ReadonlyArray<{ readonly name: string }>
    }>
  }
}

const CRUISED = ["src", "peers", "migrations", "scripts", "mutation", "test"]

/** The cruiser is green when its parser sees no module, so each file below the cruised folders must turn up. */
const arrows: Guard = {
  name: "arrows",
  run: async (root) => {
    const folders = CRUISED.filter((folder) => existsSync(path.join(root, folder)))
    const files = projectFiles(root).filter(
      (file) =>
        CRUISED.some((folder) => file.startsWith(`${folder}/`)) &&
        /\.(ts|mjs)$/.test(file) &&
        !file.startsWith("test/fixtures/")
    )
    const output = await runScript(root, packageFile("dependency-cruiser/bin/dependency-cruiser.mjs"), [
      "--config",
      ".dependency-cruiser.mjs",
      "--output-type",
      "json",
      ...folders
    ])
    let cruise: Cruise
    try {
      cruise = JSON.parse(output.stdout) as Cruise
    } catch {
      return {
        ok: false,
        text: `${output.stdout.slice(0, 2_000)}${output.stderr}`.trim() || "the cruiser printed nothing"
      }
    }
    const seen = new Set(cruise.modules.map((module) => module.source))
    const unseen = files.filter((file) => !seen.has(file) && existsSync(path.join(root, file)))
    const lines = [
      ...cruise.summary.violations.map(({ from, to, rule, cycle }) =>
        cycle === undefined
          ? `${from}: ${rule.name}: must not import ${to}`
          : `${from}: ${rule.name}: ${cycle.map((step) => step.name).join(" -> ")}`
      ),
      ...unseen.map((file) => `${file}: the cruiser did not see this file`),
      ...(seen.size === 0 ? ["the cruiser saw no module"] : [])
    ]
    return { ok: lines.length === 0, text: lines.join("\n") }
  }
}

const deadCode: Guard = {
  name: "dead code",
  run: async (root) =>
    verdict(await runScript(root, packageFile("knip/bin/knip.js"), ["--no-progress", "--no-config-hints"]))
}

const tidy: Guard = {
  name: "tidy",
  run: async (root) => verdict(await runScript(root, path.join(home, "scripts/tidy.ts")))
}

const lock: Guard = {
  name: "lock",
  run: async (root) =>
    verdict(await runScript(root, path.join(home, "scripts/complete-lock.ts"), ["--check"]))
}

/** The drawings are generated by the project that is checked, from its own machines. */
const drawings: Guard = {
  name: "drawings",
  run: async (root) => verdict(await runScript(root, "scripts/draw.ts", ["--check"]))
}

/** The document that the service serves, as its users' tools will judge it. */
const openapi: Guard = {
  name: "openapi",
  run: async (root) => verdict(await runScript(root, path.join(home, "scripts/lint-openapi.ts"), [root]))
}

/** The list of conformance rows and their tests, generated from the titles that vitest finds. */
const conformance: Guard = {
  name: "rows",
  run: async (root) => verdict(await runScript(root, "scripts/conformance.ts", ["--check"]))
}

export const guards: ReadonlyArray<Guard> = [
  types,
  lint,
  arrows,
  deadCode,
  drawings,
  openapi,
  conformance,
  format,
  tidy,
  lock
]
