/**
 * `npm run fuzz -- [--cases N] [--target NAME] [--seed S]`: N cases of what strangers write (bodies, headers, frames of feeds,
 * settings), each drawn from accepted ones and changed, against what must be true of any answer (test/fuzz/targets.ts).
 *
 * fast-check draws and shrinks. Jazzer.js, which is led by coverage, was tried: its library for Linux (4.0.0) needs a newer glibc than
 * Debian 12 has, and a fuzzer that runs on some machines only is not one that `npm test` can rely on.
 *
 * Promises: exit 0 without a finding, 1 with one, 64 for wrong arguments; a finding is shown in its smallest form with the command that
 * finds it again.
 * Never: opens a socket or a file.
 */
import { randomInt } from "node:crypto"
import { parseArgs } from "node:util"
import { fuzz, TARGETS, type TargetName } from "../test/fuzz/targets.ts"

/** Between two lines of progress. */
const ROUND = 5_000
const names = Object.keys(TARGETS) as ReadonlyArray<TargetName>

const refuse = (problem: string): never => {
  console.error(`${problem}; npm run fuzz -- [--cases N] [--target ${names.join("|")}] [--seed S]`)
  process.exit(64)
}

const read = () => {
  try {
    const text = { type: "string" } as const
    return parseArgs({ options: { cases: text, target: text, seed: text } }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

const wholeNumber = (name: string, text: string, least: number): number =>
  /^\d{1,10}$/.test(text) && Number(text) >= least
    ? Number(text)
    : refuse(`--${name}: "${text}" is not a whole number from ${least}`)

const given = read()
const cases = wholeNumber("cases", given.cases ?? "100000", 1)
const seed = wholeNumber("seed", given.seed ?? String(randomInt(1_000_000)), 0)
const one = given.target as TargetName | undefined
if (one !== undefined && !names.includes(one)) refuse(`--target: "${one}" is unknown`)
const targets = one === undefined ? names : [one]

console.log(`fuzz: ${cases} cases, seed ${seed}, ${targets.join(", ")}`)
const begun = Date.now()
const share = Math.ceil(cases / targets.length)
let failed = false
for (const name of targets) {
  let done = 0
  let accepted = 0
  for (let round = 0; done < share && !failed; round += 1) {
    const size = Math.min(ROUND, share - done)
    // Each round has a seed of its own, which its finding names.
    const { finding, taken } = fuzz(name, size, seed + round)
    done += size
    accepted += taken
    if (finding !== null) {
      failed = true
      console.log(finding)
    }
  }
  console.log(`${name}: ${done} cases, ${accepted} taken, ${((Date.now() - begun) / 1_000).toFixed(1)} s`)
  if (failed) break
}
if (failed) process.exitCode = 1
