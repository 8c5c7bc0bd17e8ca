/**
 * `npm run simulate -- --seed N --steps M`: one seeded simulation of two processes that trade, with every kind of harm done to them.
 *
 * The code that runs is what ships, from the rows of the intake to the fills and exits, over a virtual clock and a PostgreSQL that is
 * started for the run (test/simulation/simulation.ts). The same seed and steps are the same run.
 *
 * Promises: exit 0 when nothing was lost, doubled or turned and the books are equal, 1 with the violations, 64 for wrong arguments; the
 * seed and the command that replays it are printed at the beginning and at the end.
 * Never: leaves a server or a directory behind, or leaves this machine.
 */
import { randomInt } from "node:crypto"
import * as fs from "node:fs"
import path from "node:path"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { PLANTS, type Plant, simulate, type SimulationReport } from "../test/simulation/simulation.ts"
import { makeDesk, templateName } from "../test/support/postgres.global.ts"
import { administer } from "../test/support/postgres-admin.ts"
import { scratchRoot } from "../test/support/scratch.ts"

const usage = `npm run simulate -- [--seed N] [--steps M] [--verbose] [--plant FAULT]
FAULT: ${Object.entries(PLANTS)
  .map(([name, what]) => `"${name}" (${what})`)
  .join(", ")}`
const stepsDefault = "500"

const refuse = (problem: string): never => {
  console.error(`${problem}\n${usage}`)
  process.exit(64)
}

const read = () => {
  try {
    const text = { type: "string" } as const
    const options = { seed: text, steps: text, plant: text, verbose: { type: "boolean" } } as const
    return parseArgs({ options }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

const wholeNumber = (name: string, text: string, least: number): number =>
  /^\d{1,9}$/.test(text) && Number(text) >= least
    ? Number(text)
    : refuse(`--${name}: "${text}" is not a whole number from ${least}`)

const given = read()
// A run that nobody chose the seed of is another run each time; it names its seed.
const seed = wholeNumber("seed", given.seed ?? String(randomInt(1_000_000)), 0)
const steps = wholeNumber("steps", given.steps ?? stepsDefault, 1)
const plant = given.plant as Plant | undefined
if (plant !== undefined && !Object.hasOwn(PLANTS, plant)) refuse(`--plant: "${plant}" is unknown`)

const again = `npm run simulate -- --seed ${seed} --steps ${steps}${plant === undefined ? "" : ` --plant "${plant}"`}`

const summary = (report: SimulationReport, tookMs: number): ReadonlyArray<string> => {
  const minutes = (report.virtualMs / 60_000).toFixed(1)
  const lines = [...report.counts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return [
    `${report.steps} steps, ${report.calls} calls, ${minutes} virtual minutes in ${(tookMs / 1_000).toFixed(1)} s; venue rule ${report.rule}`,
    ...lines.map(([what, count]) => `  ${String(count).padStart(6)}  ${what}`)
  ]
}

const verdict = (report: SimulationReport): ReadonlyArray<string> => {
  if (report.violations.length === 0)
    return ["nothing lost, nothing doubled, nothing turned; the books are equal"]
  const where = report.failedAt > steps ? "after the last step" : `at step ${report.failedAt}`
  return [
    `${report.violations.length} violations ${where}:`,
    ...report.violations.slice(0, 20).map((text) => `  ${text}`)
  ]
}

const directory = fs.mkdtempSync(path.join(scratchRoot(), `holdfast-test-${process.pid}-simulation-`))
fs.chmodSync(directory, 0o711)
const desk = makeDesk(directory)
console.log(`simulation: seed ${seed}, ${steps} steps\nreplay: ${again}`)
const begun = Date.now()
try {
  const server = await desk.migrate()
  const maintenance = { ...server, database: "postgres" }
  await Effect.runPromise(
    administer(maintenance, `CREATE DATABASE simulation TEMPLATE ${templateName} STRATEGY file_copy`)
  )
  const onStep = given.verbose === true ? { onStep: (line: string) => console.log(line) } : {}
  const report = await Effect.runPromise(
    Effect.scoped(simulate({ seed, steps, plant, target: { ...server, database: "simulation" }, ...onStep }))
  )
  for (const line of [...summary(report, Date.now() - begun), ...verdict(report)]) console.log(line)
  if (report.violations.length > 0) {
    console.log(`replay: ${again}`)
    process.exitCode = 1
  }
} finally {
  await desk.close()
  fs.rmSync(directory, { recursive: true, force: true })
}
