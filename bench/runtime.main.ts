/**
 * The runtime against its peers, a part of `npm run bench`: side by side in one run, as a table and as JSON under bench/results/.
 *
 *     npm run bench -- --suite runtime [--rounds N] [--quick] [--only name,name] [--tasks crash,idle] [--offline] [--out FILE]
 *
 * `--quick` takes sizes that show only that everything works; `--offline` installs no peers.
 * Exit status: 0 when ours could be measured, 64 for options it does not know. A missed target is a line in the table
 * and not a failure, because the machine may be busy; scripts that want to fail on it read the JSON.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg } from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { fullSizes, quickSizes } from "./contestant.ts"
import { gatherPeers } from "./peers.ts"
import { names, outcomesOf, ratioOf, runRounds, tasks, verdictsOf } from "./runtime.ts"
import { tableOf } from "./table.ts"

/** Odd, so that a median is a round that happened. */
const roundsUsual = 5

const chosen = <A extends string>(what: string, list: string, known: ReadonlyArray<A>): ReadonlyArray<A> =>
  list
    .split(",")
    .filter((name) => name !== "")
    .map((name) => {
      const found = known.find((one) => one === name)
      if (found === undefined) throw new Error(`no such ${what}: ${name}; there are: ${known.join(", ")}`)
      return found
    })

const readOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string" },
        quick: { type: "boolean", default: false },
        offline: { type: "boolean", default: false },
        only: { type: "string", default: "" },
        tasks: { type: "string", default: tasks.join(",") },
        out: { type: "string" }
      }
    })
    const rounds = Number(values.rounds ?? (values.quick ? 1 : roundsUsual))
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds} is not a count`)
    return {
      ...values,
      rounds,
      only: chosen("contestant", values.only, names),
      tasks: chosen("task", values.tasks, tasks)
    }
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
    return process.exit(64)
  }
}

const options = readOptions()
const startedAt = new Date()
const loadBefore = loadavg()
const sizes = options.quick ? quickSizes : fullSizes
const absent = await gatherPeers(!options.offline)
const rounds = await runRounds(sizes, options, absent)
const outcomes = outcomesOf(rounds, sizes)
// Small sizes run code that is not compiled yet; they show that it works, and nothing about the targets.
const verdicts = options.quick ? [] : verdictsOf(outcomes)
const ratios = Object.fromEntries(
  Object.keys(outcomes).map((key) => [
    key,
    Object.fromEntries(
      (["holdfast-worker", "holdfast-machine"] as const).map((ours) => [
        ours,
        Object.fromEntries(names.map((theirs) => [theirs, ratioOf(outcomes, key, ours, theirs)]))
      ])
    )
  ])
)
const file =
  options.out ??
  path.join(
    import.meta.dirname,
    "results",
    `runtime-${startedAt.toISOString().replaceAll(":", "-").slice(0, 19)}.json`
  )
mkdirSync(path.dirname(file), { recursive: true })
writeFileSync(
  file,
  `${JSON.stringify(
    {
      startedAt: startedAt.toISOString(),
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      load: { before: loadBefore, after: loadavg() },
      rounds: options.rounds,
      sizes,
      absent: Object.fromEntries(absent),
      outcomes,
      ratios,
      verdicts: verdicts.map((verdict) => ({
        ...verdict,
        met: verdict.value === undefined ? null : verdict.value <= verdict.max
      }))
    },
    undefined,
    2
  )}\n`
)
console.log(
  `runtime: ${options.rounds} rounds, Node ${process.version}, ${availableParallelism()} cores, load ${loadBefore
    .map((load) => load.toFixed(1))
    .join(" ")}; small, middle, large: ${sizes.scale.join(", ")} children\n`
)
console.log(tableOf(outcomes, verdicts, absent))
console.log(`\nwritten to ${path.relative(process.cwd(), file)}`)
