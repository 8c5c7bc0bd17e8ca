/**
 * `npm run chaos -- --kills N --seed S [--leg L]`: N random faults under load, drawn from the seed, and a judge.
 *
 * Processes, databases, the venue and the signal feed are killed, frozen, cut and given wrong clocks while senders post all the
 * time; afterwards everything that senders were answered and that the venue's book holds is compared with our rows
 * (test/outside/chaos.ts). The worlds are those of the tests, so the runner of the tests runs it.
 *
 * Promises: exit 0 only without a violation, 1 with one, 64 for wrong arguments; the report has counts and the time to recovery
 * per fault; the same seed plans the same faults, and `--leg` repeats one leg of them.
 * Never: leaves this machine, or needs a privilege.
 */
import { spawn } from "node:child_process"
import path from "node:path"
import { parseArgs } from "node:util"

const root = path.dirname(import.meta.dirname)
const killsDefault = 20

const refuse = (problem: string): never => {
  console.error(`${problem}; npm run chaos -- --kills N --seed S [--leg L]`)
  process.exit(64)
}

const read = (): Readonly<Record<string, string | undefined>> => {
  const option = { type: "string" } as const
  try {
    return parseArgs({ options: { kills: option, seed: option, leg: option } }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

const wholeNumber = (name: string, text: string, least: number): string =>
  /^\d{1,9}$/.test(text) && Number(text) >= least
    ? text
    : refuse(`--${name}: "${text}" is not a whole number from ${least}`)

const given = read()
const kills = wholeNumber("kills", given["kills"] ?? String(killsDefault), 1)
// A run that nobody chose the seed of is another run each time; its report names the seed.
const seed = wholeNumber("seed", given["seed"] ?? String(Math.floor(Math.random() * 1_000_000)), 0)
const leg = given["leg"] === undefined ? {} : { CHAOS_LEG: wholeNumber("leg", given["leg"], 0) }

console.log(`chaos: ${kills} faults, seed ${seed}`)
const run = spawn(
  process.execPath,
  [
    path.join(import.meta.dirname, "test.ts"),
    "--long",
    "--reporter=default",
    "test/outside/chaos.long.test.ts"
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, CHAOS_KILLS: kills, CHAOS_SEED: seed, ...leg } }
)
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => run.kill(signal))
run.on("close", (code) => {
  process.exitCode = code ?? 1
})
