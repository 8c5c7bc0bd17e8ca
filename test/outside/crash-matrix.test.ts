import { describe, it } from "vitest"
import { freezeSampleOf, nameOf, RULES, sampleOf } from "./crash-cells.ts"
import { playAll } from "./crash-scene.ts"

describe.concurrent("the crash matrix, a sample", () => {
  for (const rule of RULES) {
    const cells = [...sampleOf(rule, 4), ...freezeSampleOf(rule)]
    it(`rule ${rule}: ${cells.map(nameOf).join(", ")}`, () => playAll(rule, cells), 480_000)
  }
})
