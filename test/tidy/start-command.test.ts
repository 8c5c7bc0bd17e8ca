import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, beforeEach, expect, test } from "vitest"

// A copy of the two files that run before anything is installed, with a lock that names no package and an npm
// that only makes node_modules and counts: what is shown here needs no registry.
const root = path.resolve(import.meta.dirname, "../..")
const scratch = mkdtempSync(path.join(tmpdir(), "holdfast start "))
let project = ""
let projects = 0
const running = new Set<ChildProcess>()

const NPM = `
  const fs = require("node:fs")
  fs.appendFileSync("npm-calls", process.argv.slice(2).join(" ") + "\\n")
  const wait = Number(process.env.NPM_MS ?? 0)
  setTimeout(() => {
    if (process.env.NPM_FAILS) process.exit(1)
    fs.mkdirSync("node_modules/.bin", { recursive: true })
    fs.symlinkSync(process.env.NODE_24, "node_modules/.bin/node")
    fs.copyFileSync("package-lock.json", "node_modules/.package-lock.json")
  }, wait)
`

const SERVICE = `
  process.on("SIGTERM", () => { process.stdout.write("stopped\\n"); process.exit(0) })
  process.stdout.write(JSON.stringify({ pid: process.pid, given: process.argv.slice(2) }) + "\\n")
  if (process.env.STATUS !== undefined) process.exit(Number(process.env.STATUS))
  setInterval(() => undefined, 1000)
`

beforeEach(() => {
  project = path.join(scratch, `project ${++projects}`)
  mkdirSync(path.join(project, "scripts"), { recursive: true })
  mkdirSync(path.join(project, "src"))
  for (const file of ["node.sh", "setup.mjs", "sources.sh"]) {
    cpSync(path.join(root, "scripts", file), path.join(project, "scripts", file))
  }
  const packages = { "": {}, "node_modules/thing": { version: "1.0.0" } }
  writeFileSync(path.join(project, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }))
  writeFileSync(path.join(project, "npm-cli.js"), NPM)
  writeFileSync(path.join(project, "src/main.js"), SERVICE)
})

afterAll(() => {
  for (const child of running) child.kill("SIGKILL")
  rmSync(scratch, { recursive: true, force: true })
})

/** Starts the service the way npm does, and collects what it says. */
const start = (
  settings: Record<string, string> = {},
  given: ReadonlyArray<string> = [],
  program = "src/main.js"
) => {
  const child = spawn("sh", ["-c", `exec sh scripts/node.sh ${program} ${given.join(" ")}`], {
    cwd: project,
    env: {
      PATH: `${path.dirname(process.execPath)}:${process.env["PATH"]}`,
      NODE_24: process.execPath,
      npm_execpath: path.join(project, "npm-cli.js"),
      ...settings
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  running.add(child)
  const said = { stdout: "", stderr: "" }
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk.toString()))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.on("close", (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  )
  return { child, said, ended }
}

const until = async (what: string, condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const npmCalls = (): number =>
  existsSync(path.join(project, "npm-calls"))
    ? readFileSync(path.join(project, "npm-calls"), "utf8").trim().split("\n").length
    : 0

test.each([0, 69, 70, 75, 78])("the exit status [%i] of the service is the command's", async (status) => {
  expect(await start({ STATUS: String(status) }).ended).toEqual({ code: status, signal: null })
})

test("the process that npm started becomes the service, and a signal to it reaches the service", async () => {
  const service = start({}, ["--check-config", "x"])
  await until("the service runs", () => service.said.stdout.includes("\n"))
  expect(JSON.parse(service.said.stdout)).toEqual({ pid: service.child.pid, given: ["--check-config", "x"] })
  service.child.kill("SIGTERM")
  expect(await service.ended).toEqual({ code: 0, signal: null })
  expect(service.said.stdout).toContain("stopped")
})

test("what is missing is installed once, and what npm says does not reach stdout", async () => {
  const first = start({ STATUS: "0" })
  await first.ended
  expect(first.said.stderr).toContain("installing packages")
  expect(first.said.stdout.trim().split("\n")).toHaveLength(1)
  await start({ STATUS: "0" }).ended
  expect(npmCalls()).toBe(1)
})

test("a lock that changed is installed again", async () => {
  await start({ STATUS: "0" }).ended
  const lock = readFileSync(path.join(project, "package-lock.json"), "utf8")
  writeFileSync(path.join(project, "package-lock.json"), lock.replace("1.0.0", "1.0.1"))
  rmSync(path.join(project, "node_modules/.bin/node"))
  await start({ STATUS: "0" }).ended
  expect(npmCalls()).toBe(2)
})

test("four commands at once install once, and all of them run", async () => {
  const commands = Array.from({ length: 4 }, () => start({ STATUS: "0", NPM_MS: "700" }))
  for (const command of commands) expect(await command.ended).toEqual({ code: 0, signal: null })
  expect(npmCalls()).toBe(1)
})

test("an install that fails ends with 69 and says so, and the next command tries again", async () => {
  const failed = start({ STATUS: "0", NPM_FAILS: "1" })
  expect((await failed.ended).code).toBe(69)
  expect(failed.said.stderr).toContain("npm ci ended with 1")
  expect((await start({ STATUS: "0" }).ended).code).toBe(0)
})

test("SIGTERM while installing ends the command soon, and leaves no lock behind", async () => {
  const service = start({ NPM_MS: "60000" })
  await until("npm runs", () => npmCalls() === 1)
  const stoppedAt = performance.now()
  service.child.kill("SIGTERM")
  expect((await service.ended).code).toBe(143)
  // Far from the minute that the install would take.
  expect(performance.now() - stoppedAt).toBeLessThan(30_000)
  expect(existsSync(path.join(project, ".setup-lock"))).toBe(false)
})

test("the lock of an installer that died is taken over", async () => {
  const lock = path.join(project, ".setup-lock")
  mkdirSync(lock)
  const long = new Date(Date.now() - 60_000)
  utimesSync(lock, long, long)
  expect((await start({ STATUS: "0" }).ended).code).toBe(0)
  expect(existsSync(lock)).toBe(false)
})

test("the lock of an installer that lives is waited for", async () => {
  const lock = path.join(project, ".setup-lock")
  mkdirSync(lock)
  const waiting = start({ STATUS: "0" })
  await until("it waits", () => waiting.said.stderr.includes("waiting for it"))
  expect(npmCalls()).toBe(0)
  rmSync(lock, { recursive: true })
  expect((await waiting.ended).code).toBe(0)
})

/** A program that was built from the sources of the project. */
const build = (): void => {
  writeFileSync(path.join(project, "src/main.ts"), `process.stdout.write("source")`)
  mkdirSync(path.join(project, "dist/programs"), { recursive: true })
  writeFileSync(path.join(project, "dist/programs/holdfast.js"), `process.stdout.write("built")`)
  const sum = execFileSync("sh", ["scripts/sources.sh", "programs"], { cwd: project })
  writeFileSync(path.join(project, "dist/programs/built"), sum)
}

test("what was built is run while its sources are the same", async () => {
  build()
  const service = start({ HOLDFAST_BUILD: "1" }, [], "src/main.ts")
  expect((await service.ended).code).toBe(0)
  expect(service.said.stdout).toBe("built")
})

test("what was built from other sources and cannot be built now is not run: the source is, and a line says so", async () => {
  build()
  const main = path.join(project, "src/main.ts")
  writeFileSync(main, `process.stdout.write("others")`)
  // As an archive leaves it: older than what was built.
  utimesSync(main, new Date(0), new Date(0))
  const service = start({ HOLDFAST_BUILD: "1" }, [], "src/main.ts")
  expect((await service.ended).code).toBe(0)
  expect(service.said.stdout).toBe("others")
  expect(service.said.stderr).toContain("was not built from these sources")
})
