/**
 * Charts and machines at a thousand moments of a run in which components fail, are stopped and are started again: what is lit is what
 * the service reports.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { randomOf } from "../outside/random.ts"
import { alertBody } from "../outside/service.ts"
import { ConsoleWorld } from "./console-world.ts"

/** MOMENTS chooses another number. */
const MOMENTS = Number(process.env["MOMENTS"] ?? 1_000)
/** What may be restarted while the console, which needs the listener, looks on. */
const RESTARTABLE = [
  "root/feeds/feed:default",
  "root/feeds/waves:default",
  "root/trading/pipeline",
  "root/trading/accounts/paper-1",
  "root/trading/reconciler",
  "root/trading/market",
  "root/monitors/canary"
]

let world: ConsoleWorld
beforeAll(async () => {
  world = await ConsoleWorld.open()
  await world.enter()
}, 300_000)
afterAll(() => (world as ConsoleWorld | undefined)?.close(), 60_000)

describe("the charts", () => {
  it(
    "are lit as the service reports at every moment that is looked at",
    async () => {
      const random = randomOf("the moments", Date.now() % 1_000_000)
      const { service } = world
      const paths = (await service.list("actors")).flatMap(({ machine, path }) =>
        machine === null ? [] : [String(path)]
      )
      const disturb = async (): Promise<void> => {
        if (random.next() < 0.6) {
          await service.post("/webhook", alertBody({ symbol: random.pick(["AAPL", "MSFT", "KO", "NVDA"]) }))
          return
        }
        const path = encodeURIComponent(random.pick(RESTARTABLE))
        await service.post(`/api/v1/actors/${path}/restart`, { reason: "a run of many moments" })
      }
      let drawn = 0
      for (let moment = 0; moment < MOMENTS; moment += 1) {
        if (random.next() < 0.3) await disturb()
        if (await world.drawnAsReported(random.pick(paths))) drawn += 1
      }
      assert.isAbove(drawn, MOMENTS / 2)
      assert.deepStrictEqual(world.faults, [])
    },
    MOMENTS * 3_000 + 120_000
  )
})
