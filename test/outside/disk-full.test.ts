import { assert, describe, it, onTestFinished } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { audit } from "./audit.ts"
import { HealthWatch } from "./health-watch.ts"
import { Load } from "./producer.ts"
import { randomOf } from "./random.ts"
import { alertBody } from "./service.ts"
import { SmallDisk, reasonNoSmallDisk } from "./small-disk.ts"
import { World } from "./world.ts"

/** A new cluster takes 43 MB; the rest is what the load may write until the disk is filled. */
const DISK_MEGABYTES = 128
/** How long the disk stays full. Well below the minute after which an accepted order is too old to be sent. */
const FULL_MS = 6_000

const reason = reasonNoSmallDisk()

describe("T1, T2 the disk of DATA_DIR is full", () => {
  it.skipIf(reason !== null)(
    `posts 503 and health unhealthy for as long as it is full, no component restarts; freed, it trades and nothing is lost${reason === null ? "" : ` [skipped: ${reason}]`}`,
    async () => {
      const world = await World.open()
      const { service } = world
      const disk = new SmallDisk(service.dataDir, DISK_MEGABYTES)
      const load = new Load(service, randomOf("disk full", 81), { producers: 3, pauseMs: [60, 250] })
      const watch = new HealthWatch(service)
      onTestFinished(async () => {
        await load.stop(0)
        await watch.stop()
        disk.free()
        if (service.isRunning) await service.stop().catch(() => service.kill())
        await disk.remove()
        await world.dispose()
      }, 150_000)
      await service.start()
      load.start()
      watch.start()
      await waitUntil("some deliveries", () =>
        load.deliveries.filter(({ signalId }) => signalId !== null).length >= 10 ? true : undefined
      )

      disk.fill()
      // What fits into pages that exist is still stored; sooner or later one must be added.
      await waitUntil(
        () => `health to say it${service.tail()}`,
        async () => {
          const { body, status } = await service.get("/health")
          return status === 503 && body.status === "unhealthy" ? true : undefined
        }
      )
      const fullFrom = performance.now()
      while (performance.now() - fullFrom < FULL_MS) {
        disk.fill()
        const refused = await service.post("/webhook", alertBody({ pad: "x".repeat(20_000) }))
        assert.strictEqual(refused.status, 503, refused.text)
        assert.strictEqual(refused.body.status, "UNAVAILABLE")
        assert.isString(refused.headers["retry-after"])
        await pause(100)
      }
      const fullUntil = performance.now()
      const { components } = (await service.get("/health")).body
      assert.match(String(components["root/database"].last_error), /disk .* full|no space/i)
      assert.strictEqual((await service.get("/health/live")).status, 200)
      assert.strictEqual((await service.get("/health/ready")).status, 503)
      const seen = watch.samples.filter(({ at, until }) => at > fullFrom && until < fullUntil)
      assert.isAbove(seen.length, 5)
      const rosy = seen.filter(
        ({ answer }) =>
          answer.status !== 503 || answer.body.ready !== false || answer.body.can_trade !== false
      )
      assert.deepStrictEqual(
        rosy.map(({ answer }) => answer.text.slice(0, 300)),
        [],
        `of ${seen.length} answers`
      )
      const taken = load.deliveries
        .flatMap(({ tries }) => tries)
        .filter(({ at, status, until }) => at > fullFrom && until < fullUntil && status !== 503)
      assert.deepStrictEqual(taken, [])

      disk.free()
      await service.trading()
      assert.deepStrictEqual(await service.restarts(), {})
      await load.stop(60_000)
      assert.deepStrictEqual(await audit(world, load.deliveries), [])
      await watch.stop()
      assert.deepStrictEqual(load.strange, [])
      assert.deepStrictEqual(watch.lies(load.deliveries.flatMap(({ tries }) => tries)).slice(0, 5), [])
      assert.deepStrictEqual(await service.list("dead-letters"), [])
    },
    150_000
  )
})
