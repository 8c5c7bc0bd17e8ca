import { it } from "vitest"
import { killUnderLoad } from "./kills.ts"
import { randomOf } from "./random.ts"

it.each([1, 2, 3, 4, 5])(
  "40 kills under load, seed %i: nothing lost, nothing doubled",
  async (seed) => {
    await killUnderLoad(40, randomOf("kills", seed))
  },
  900_000
)
