import { it } from "vitest"
import { randomOf } from "./random.ts"
import { twoProcesses } from "./waves.ts"

it("two processes, 10 waves of 1 s, 2 kills, one of them of a wave's owner: each signal traded exactly once, no wave without an end", async () => {
  await twoProcesses({ waves: 10, kills: 2 }, randomOf("waves", 20_251_021))
}, 300_000)
