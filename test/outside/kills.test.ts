import { it } from "vitest"
import { killUnderLoad } from "./kills.ts"
import { randomOf } from "./random.ts"

it("9 kills under load (service, database, both): every 2xx decided once, one create and one order per intent, each fill once and linked, books equal", async () => {
  await killUnderLoad(9, randomOf("kills", 20_261))
}, 480_000)
