/**
 * `npm run bench`: the benchmarks, as ratios to peers measured side by side in one run, as a table and as JSON under bench/results/.
 *
 *     npm run bench -- [SUITE...] [--suite intake,start,runtime,telegram] [--rounds N] [--quick] [--offline] [--out FILE]
 *
 * `intake`: posts made durable, against other servers with the same work. `start`: cold and warm start. `runtime`: supervision against
 * Erlang and actor libraries (bench/runtime.main.ts, with its own options). `telegram`: replies of the bot and its memory, only when it is
 * named, because its minutes are real. `--quick` takes sizes that show only that everything works.
 * Exit status: 0 when ours could be measured, 64 for options it does not know. A missed target is a figure and not a failure.
 */
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, totalmem } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { measureIntake } from "./intake.ts"
import { gatherPeers } from "./peers.ts"
import { startPostgres } from "./programs.ts"
import { jsonOf, type Measured, tableOf } from "./report.ts"
import { measureStart } from "./start.ts"
import { measureTelegram } from "./telegram.ts"

const SUITES = ["intake", "start", "runtime", "telegram"] as const
const usual = SUITES.filter((suite) => suite !== "telegram")
/** Odd, so that a median is a round that happened. Five by hand; three keep the default below ten minutes. */
const roundsUsual = 3

const readOptions = () => {
  try {
    const text = { type: "string" } as const
    const flag = { type: "boolean", default: false } as const
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        suite: { ...text, default: usual.join(",") },
        rounds: text,
        quick: flag,
        offline: flag,
        out: text
      }
    })
    const rounds = Number(values.rounds ?? (values.quick ? 1 : roundsUsual))
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds} is not a count`)
    const suites = new Set<string>(positionals.length > 0 ? positionals : values.suite.split(","))
    for (const suite of suites)
      if (!SUITES.some((known) => known === suite))
        throw new Error(`no such suite: ${suite}; there are: ${SUITES.join(", ")}`)
    return { ...values, rounds, suites }
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
    return process.exit(64)
  }
}

const options = readOptions()
const startedAt = new Date()
const loadBefore = loadavg()
const measured: Array<Measured> = []

if (options.suites.has("intake")) {
  const absent = await gatherPeers(!options.offline)
  const postgres = await startPostgres()
  const sizes = options.quick ? { warmMs: 100, measuredMs: 300 } : { warmMs: 500, measuredMs: 2_500 }
  try {
    measured.push(...(await measureIntake(postgres, { ...sizes, rounds: options.rounds }, absent)))
  } finally {
    await postgres.stop()
  }
}
if (options.suites.has("telegram"))
  measured.push(...(await measureTelegram({ rounds: options.rounds, seconds: options.quick ? 4 : 60 })))
if (options.suites.has("start")) measured.push(...(await measureStart(options.rounds)))

if (measured.length > 0) {
  const stamp = startedAt.toISOString().replaceAll(":", "-").slice(0, 19)
  const file = options.out ?? path.join(import.meta.dirname, "results", `service-${stamp}.json`)
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMb: Math.round(totalmem() / 2 ** 20),
    load: { before: loadBefore, after: loadavg() }
  }
  const whole = {
    startedAt: startedAt.toISOString(),
    ...machine,
    rounds: options.rounds,
    measured: jsonOf(measured)
  }
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(whole, undefined, 2)}\n`)
  console.log(
    `${options.rounds} rounds, Node ${machine.node}, ${machine.cores} cores, load ${loadBefore.map((one) => one.toFixed(1)).join(" ")}\n`
  )
  console.log(tableOf(measured))
  console.log(`\nwritten to ${path.relative(process.cwd(), file)}`)
}

if (options.suites.has("runtime")) {
  const given = [
    ...(options.rounds === roundsUsual ? [] : ["--rounds", String(options.rounds)]),
    ...(options.quick ? ["--quick"] : []),
    ...(options.offline ? ["--offline"] : [])
  ]
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "runtime.main.ts"), ...given], {
    stdio: "inherit"
  })
  process.exitCode = await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)))
}
