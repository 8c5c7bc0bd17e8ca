import { it } from "vitest"
import { randomOf } from "./random.ts"
import { twoProcesses } from "./waves.ts"

it("two processes, 200 waves of 1 s, 24 kills, half of them of a wave's owner: each signal traded exactly once, no wave without an end", async () => {
  await twoProcesses({ waves: 200, kills: 24 }, randomOf("waves", 20_251_022))
}, 900_000)
