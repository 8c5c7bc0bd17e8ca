import { assert, it } from "vitest"
import { runChaos } from "./chaos.ts"

it("5 random faults under load [seed 7]: nothing lost, nothing doubled, books equal, health true", async () => {
  const reports = await runChaos(5, 7, console.log)
  assert.deepStrictEqual(
    reports.flatMap(({ violations }) => violations),
    []
  )
}, 480_000)
