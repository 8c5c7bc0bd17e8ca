import { describe, it } from "vitest"
import { cellsOf, RULES } from "./crash-cells.ts"
import { playAll } from "./crash-scene.ts"

describe.concurrent("the crash matrix", () => {
  it.for(RULES)(
    "rule %s: killed at every point under every fault of the venue, one order per intent and equal books",
    { timeout: 3_600_000 },
    (rule) => playAll(rule, cellsOf(rule))
  )
})
