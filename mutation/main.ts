/**
 * `npm run mutate`: changes the rules that move money, one at a time, and counts the changes that no test notices.
 *
 *     npm run mutate -- [--survivors] [--concurrency N] [--offline] [file[:line-line] ...]
 *
 * Without files it takes the set of mutation/stryker.config.ts. `--survivors` lists what no test noticed, `--offline` installs
 * nothing. The whole report is mutation/results/report.json.
 * Why not part of `npm test`: it repeats tests a thousand times.
 * Exit status: 0 when every score is high enough, 1 when one is not or the tests fail without a change, 64 for options it does
 * not know, 69 when the tester is not there and cannot be installed.
 */
import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { availableParallelism } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { installLocked } from "../scripts/locked-install.ts"
import { type Report, scoresOf, survivorsOf, tableOf } from "./score.ts"

const directory = import.meta.dirname
const root = path.dirname(directory)
const reportFile = path.join(directory, "results/report.json")
const sandboxes = path.join(directory, ".sandbox")
/** 180 packages; a registry that hangs must not hold the run. */
const installMsMax = 300_000

const readOptions = () => {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        survivors: { type: "boolean", default: false },
        offline: { type: "boolean", default: false },
        concurrency: { type: "string", default: String(Math.max(1, availableParallelism() - 1)) }
      }
    })
    const concurrency = Number(values.concurrency)
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new Error(`--concurrency ${values.concurrency} is not a count`)
    const missing = positionals.find((file) => !existsSync(path.join(root, file.replace(/:\d+-\d+$/, ""))))
    if (missing !== undefined) throw new Error(`no such file: ${missing}; a file is named from the root`)
    return { ...values, concurrency, files: positionals }
  } catch (error) {
    console.error(`mutate: ${error instanceof Error ? error.message : String(error)}`)
    return process.exit(64)
  }
}

/** The tester has to run the vitest of the tests: a second instance of it knows none of their suites. */
const linkVitest = (): void => {
  const link = path.join(directory, "node_modules/vitest")
  if (!existsSync(link)) symlinkSync("../../node_modules/vitest", link)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** A run that was killed leaves its copy of the project behind. */
const removeAbandoned = (): void => {
  if (!existsSync(sandboxes)) return
  for (const name of readdirSync(sandboxes))
    if (!isAlive(Number(name))) rmSync(path.join(sandboxes, name), { recursive: true, force: true })
}

const runStryker = (files: ReadonlyArray<string>, concurrency: number): Promise<number> =>
  new Promise((resolve) => {
    const stryker = spawn(
      process.execPath,
      [
        path.join(directory, "node_modules/@stryker-mutator/core/bin/stryker.js"),
        "run",
        "mutation/stryker.config.ts",
        `--concurrency=${concurrency}`,
        // Of its own, so that two runs at once do not remove each other's copy of the project.
        `--tempDirName=mutation/.sandbox/${process.pid}`,
        ...(files.length === 0 ? [] : ["--mutate", files.join(",")])
      ],
      { cwd: root, stdio: ["ignore", "inherit", "inherit"] }
    )
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stryker.kill(signal))
    stryker.on("error", (error) => {
      console.error(`mutate: ${error.message}`)
      resolve(1)
    })
    stryker.on("close", (code) => resolve(code ?? 1))
  })

const options = readOptions()
const absent = await installLocked(directory, {
  mayInstall: !options.offline,
  msMax: installMsMax,
  announce: () => console.error("mutate: installing the mutation tester (once)")
})
if (absent !== undefined) {
  console.error(`mutate: the mutation tester is missing: ${absent}`)
  process.exit(69)
}
linkVitest()
removeAbandoned()
// A report of an earlier run must not be taken for the result of this one.
rmSync(reportFile, { force: true })
const status = await runStryker(options.files, options.concurrency)
rmSync(path.join(sandboxes, String(process.pid)), { recursive: true, force: true })
if (status !== 0 || !existsSync(reportFile)) {
  console.error(`mutate: Stryker ended with ${status} before it had a result`)
  process.exit(1)
}
const report = JSON.parse(readFileSync(reportFile, "utf8")) as Report
const scores = scoresOf(report)
if (options.survivors) for (const survivor of survivorsOf(report)) console.log(survivor)
console.log(tableOf(scores))
for (const failure of scores.failures) console.log(`TOO LOW ${failure}`)
process.exitCode = scores.failures.length === 0 ? 0 : 1
