/** T16: a DATA_DIR that was copied is another process, however alike the two look. */
import { assert, describe, it } from "vitest"
import { cpSync } from "node:fs"
import { setTimeout as pause } from "node:timers/promises"
import { nodeLimits } from "../../src/domain/kernel/limits-execution.ts"
import { waitUntil } from "../support/exchange.ts"
import type { Service } from "./service.ts"
import { World } from "./world.ts"

const tradeable = async (service: Service): Promise<boolean> =>
  (await service.get("/health")).body.can_trade === true

const fencesOf = async (service: Service) =>
  (await service.list("accounts")).map(({ fence, id, owner }) => ({ id, owner, fence }))

const reason = "another process runs as this node: DATA_DIR was copied"

/** A lease is 4 s: two of them show what thirty seconds show. */
const stableMs = process.env["TEST_SIZE"] === "long" ? 30_000 : 8_000

describe("T16 two copies of one DATA_DIR on one database", () => {
  it("exactly one of them trades, and the other says why and takes over when the first is gone", async ({
    onTestFinished
  }) => {
    const world = await World.open({ database: "external" })
    onTestFinished(() => world.dispose(), 60_000)
    const { service } = world
    await service.start()
    await service.stop()
    const copy = world.another("copy")
    cpSync(service.dataDir, copy.dataDir, { recursive: true })
    await service.start()
    copy.spawn()
    await copy.ready()
    let last = ""
    await waitUntil(
      () => `the copy to stand by; last ${last}${copy.tail()}`,
      async () => {
        const { body, text } = await copy.get("/health")
        last = text
        return body.components["root/node"]?.state === "Cloned" ? true : undefined
      }
    )
    const before = await fencesOf(service)
    assert.lengthOf(before, 2)
    for (const until = Date.now() + stableMs; Date.now() < until; await pause(500)) {
      // A machine that stood still may have cost the first a renewal, which the next one makes good.
      await waitUntil(
        "the first to trade",
        async () => ((await tradeable(service)) ? true : undefined),
        10_000
      )
      const { body } = await copy.get("/health")
      assert.isFalse(body.can_trade)
      assert.strictEqual(body.status, "degraded")
      assert.include(body.reasons, "root/node is Cloned")
      assert.deepStrictEqual(body.accounts["paper-1"], { can_trade: false, reason })
    }
    assert.deepStrictEqual(await fencesOf(service), before, "nobody raised a fence")
    await waitUntil(
      () => `the copy to tell it${copy.tail()}`,
      () => copy.events("alert.raised").find(({ kind }) => kind === "node.cloned")
    )
    const stored = await waitUntil("the alert to be stored", async () =>
      (await service.list("monitoring/alerts")).find(({ kind }) => kind === "node.cloned")
    )
    assert.strictEqual(stored.severity, "HIGH")
    await service.kill()
    await waitUntil(
      () => `the copy to trade${copy.tail()}`,
      async () => ((await tradeable(copy)) ? true : undefined)
    )
  }, 300_000)
})

describe("T16 a node that is killed and started again", () => {
  it("acts at once: the host proves that its former life is dead", async ({ onTestFinished }) => {
    const world = await World.open({ database: "external" })
    onTestFinished(() => world.dispose(), 60_000)
    const { service } = world
    await service.start()
    await service.kill()
    const killedMs = Date.now()
    await service.start()
    const taken = service.lines.findLast((line) => line["event"] === "node.lease_taken")
    // On a machine so busy that starting took longer than a lease there was nothing left to prove.
    const afterMs = Date.parse(String(taken?.["ts"])) - killedMs
    if (afterMs < nodeLimits.leaseMs - nodeLimits.renewEveryMs) assert.isString(taken?.["proven_dead"])
    assert.isBelow(afterMs, 30_000)
    assert.isUndefined(service.lines.find((line) => line["kind"] === "node.cloned"))
  }, 150_000)
})
