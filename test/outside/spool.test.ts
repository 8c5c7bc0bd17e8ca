/** What becomes of posts while the database is away: T2, T3, T11 from the outside. */
import { assert, describe, it, onTestFinished } from "vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { alertBody } from "./service.ts"
import { assertBooks, away, drained, openScene, Senders } from "./spool-outage.ts"

describe("posts while an external PostgreSQL is away", () => {
  it("killed, then frozen: 202 within 3 s, degraded and ready; afterwards each of them once, stored in order, nothing restarted", async () => {
    const scene = await openScene()
    onTestFinished(scene.dispose, 60_000)
    const { service } = scene.world
    await service.start()
    const senders = new Senders(scene, 4, 60)
    await waitUntil("some posts", () => (senders.deliveries.length > 20 ? true : undefined))
    for (const how of ["killed", "frozen"] as const) {
      const spooledBefore = senders.statuses["202"] ?? 0
      await away(scene, how, 4_000, async () => {
        await waitUntil(
          () => `health to say it${service.tail()}`,
          async () => {
            const { body, status } = await service.get("/health")
            return status === 200 && body.reasons.includes("the database is away, posts are spooled")
              ? true
              : undefined
          }
        )
        const { body } = await service.get("/health")
        assert.deepInclude(body, { status: "degraded", ready: true, can_trade: false })
        assert.strictEqual((await service.get("/health/ready")).status, 200)
        assert.isTrue(body.components["root/spool"].ready)
        await waitUntil("posts to be spooled", () =>
          (senders.statuses["202"] ?? 0) > spooledBefore + 50 ? true : undefined
        )
      })
      await service.trading()
      await drained(scene)
    }
    await senders.stop()
    const { statuses } = senders
    console.log(`answers: ${JSON.stringify(statuses)}`)
    assert.isEmpty(Object.keys(statuses).filter((status) => !["201", "202"].includes(status)))
    assert.isAbove(statuses["202"] ?? 0, 100)
    assert.isBelow(senders.slowestMs, 3_000, "TradingView hangs up after three seconds")
    await assertBooks(scene, senders.deliveries)
    assert.deepStrictEqual(await service.restarts(), {})
    const metrics = (await service.get("/metrics")).text
    assert.match(metrics, /^holdfast_spool_posts 0$/m)
    assert.match(
      metrics,
      new RegExp(`^holdfast_spool_posts_total\\{what="spooled"\\} ${statuses["202"]}$`, "m")
    )
  }, 480_000)

  it("and the process is killed with posts in the spool, and while it drains them: nothing is lost or doubled", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-spool-"))
    const order = path.join(folder, "order")
    const scene = await openScene({
      nodeFlags: ["--require", path.join(projectRoot, "test/support/fault-hook.cjs")],
      env: { FAULT_ORDER: order }
    })
    onTestFinished(async () => {
      await scene.dispose()
      rmSync(folder, { recursive: true, force: true })
    }, 150_000)
    const { service } = scene.world
    const { host } = scene
    await service.start()
    const known = alertBody({ symbol: "KNOWN", id: "known" })
    assert.strictEqual((await service.post("/webhook", known)).status, 201)
    await service.settled((await service.post("/webhook", known)).body.signal_id)
    await host.end("SIGKILL")
    await waitUntil("the database to be away", async () =>
      (await service.get("/health")).body.status === "degraded" ? true : undefined
    )
    // Nobody can know that it was stored before.
    const again = await service.post("/webhook", known)
    assert.strictEqual(again.status, 202)
    // The same name with other content: not knowable now, a conflict when it is drained.
    const other = await service.post("/webhook", alertBody({ symbol: "KNOWN", id: "known", quantity: "9" }))
    assert.strictEqual(other.status, 409, "the spool holds the identity by now")
    // On the disk, not answered: sent again, it is the same signal.
    writeFileSync(order, "spool-written DISK SIGKILL")
    const disk = alertBody({ symbol: "DISK" })
    assert.isNull(await service.post("/webhook", disk).catch(() => null))
    await service.end()
    service.spawn()
    await service.ready()
    const held = await waitUntil("the spool of the former life", async () => {
      const answer = await service.post("/webhook", disk).catch(() => null)
      return answer?.status === 200 ? answer : undefined
    })
    assert.strictEqual(held.body.status, "DUPLICATE")
    const bodies = Array.from({ length: 40 }, () => alertBody({ symbol: "MANY" }))
    const spooled: Array<string> = [String(held.body.signal_id)]
    for (const body of bodies) {
      const answer = await service.post("/webhook", body)
      assert.strictEqual(answer.status, 202)
      spooled.push(String(answer.body.signal_id))
    }
    assert.strictEqual((await service.get("/api/v1/monitoring/spool")).body.posts, 42)
    // Committed, and still in the files: the next life stores them a second time.
    writeFileSync(order, "spool-stored MANY SIGKILL")
    await host.start()
    await service.end()
    service.spawn()
    await service.trading()
    const empty = await drained(scene)
    assert.strictEqual(empty.segments, 0)
    const deliveries = spooled.map((signalId) => ({ source: "default", body: {}, tries: [], signalId }))
    await waitUntil("all to be decided", async () =>
      (await service.list("signals", "status=done")).length >= 42 ? true : undefined
    )
    const signals = await service.list("signals")
    assert.sameMembers(
      signals.map(({ id }) => id),
      [...deliveries.map(({ signalId }) => signalId), String(again.body.signal_id)]
    )
    const many = await service.list("signals", "symbol=MANY")
    assert.deepStrictEqual(many.map(({ id }) => id).toReversed(), spooled.slice(1), "in order")
    const orders = await service.list("orders", "symbol=MANY")
    // Once each. What the killed process was deciding waits for its claim, and younger ones may be ordered before it.
    assert.sameMembers(
      orders.map((row) => row["signal_id"]),
      spooled.slice(1)
    )
    const after = await service.post("/webhook", bodies[0])
    assert.deepStrictEqual([after.status, after.body.signal_id], [200, spooled[1]])
  }, 480_000)
})
