import { assert, it } from "vitest"
import { runChaos } from "./chaos.ts"

/** Set by `npm run chaos`; in `npm run test:long` a small form of it. */
const kills = Number(process.env["CHAOS_KILLS"] ?? 16)
const seed = Number(process.env["CHAOS_SEED"] ?? 1)
const leg = process.env["CHAOS_LEG"] === undefined ? null : Number(process.env["CHAOS_LEG"])

it(
  `chaos [${kills} faults, seed ${seed}]: nothing lost, nothing doubled, books equal, health true`,
  async () => {
    const reports = await runChaos(kills, seed, (text) => process.stdout.write(`${text}\n`), leg)
    assert.deepStrictEqual(
      reports.flatMap(({ violations }) => violations.slice(0, 10)),
      []
    )
  },
  // A fault takes two seconds on a quiet machine; a run that hangs is caught by the waits of its own.
  120_000 + kills * 30_000
)
