/**
 * Ten minutes of a random walk through the console, with every command that it meets, but for events sent to machines by hand: those
 * make the service what the walk is not about.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { randomOf } from "../outside/random.ts"
import { ConsoleWorld } from "./console-world.ts"
import { walkConsole } from "./walker.ts"

/** WALK_MS chooses another length. */
const WALK_MS = Number(process.env["WALK_MS"] ?? 600_000)

let world: ConsoleWorld
beforeAll(async () => {
  world = await ConsoleWorld.open()
  await world.enter()
}, 300_000)
afterAll(() => (world as ConsoleWorld | undefined)?.close(), 60_000)

describe("the console", () => {
  it(
    "keeps its rules wherever a long walk gets",
    async () => {
      const random = randomOf("the long walk", Date.now() % 1_000_000)
      const steps = await walkConsole(world, {
        random,
        ms: WALK_MS,
        gives: /^(?!component\.send$)/,
        cutMs: 12_000
      })
      assert.isAbove(steps, WALK_MS / 2_000)
    },
    WALK_MS + 120_000
  )
})
