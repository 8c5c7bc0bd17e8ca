/**
 * The spool at full size: a minute without a database under 200 posts a second, however it went away, and a hundred crashes while
 * draining. By hand and at night.
 */
import { assert, describe, it, onTestFinished } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { randomOf } from "./random.ts"
import { alertBody } from "./service.ts"
import { assertBooks, away, drained, openScene, Senders } from "./spool-outage.ts"

const OUTAGE_MS = 60_000
const PER_SECOND = 200
const CRASHES = 100
/** Posts of each outage that ends in a crash: several batches. */
const POSTS = 700

/** Only intake and decisions are of interest, and an executor settles some forty orders a second: so nothing is traded. */
const untraded = { settings: { strategies: {} } }

describe("an outage of an external PostgreSQL", () => {
  for (const how of ["stopped", "killed", "frozen"] as const)
    it(`of a minute, ${how}, under ${PER_SECOND} posts a second: every 2xx exactly once afterwards, in order`, async () => {
      const scene = await openScene(untraded)
      onTestFinished(scene.dispose, 60_000)
      const { service } = scene.world
      await service.start()
      const senders = new Senders(scene, 20, PER_SECOND)
      await pause(5_000)
      await away(scene, how, OUTAGE_MS)
      const from = performance.now()
      const state = await drained(scene, 120_000)
      const drainedMs = performance.now() - from
      await pause(5_000)
      await senders.stop()
      const { statuses } = senders
      const times = senders.deliveries.flatMap(({ tries }) => tries.map(({ at, until }) => until - at))
      const sorted = times.toSorted((a, b) => a - b)
      console.log(
        `${how}: ${senders.deliveries.length} posts, answers ${JSON.stringify(statuses)}, p99 ${Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0)} ms, ` +
          `slowest ${Math.round(sorted.at(-1) ?? 0)} ms, drained ${Math.round(drainedMs)} ms after it was back, ${JSON.stringify(state)}`
      )
      assert.isEmpty(Object.keys(statuses).filter((status) => !["200", "201", "202"].includes(status)))
      assert.isBelow(sorted.at(-1) ?? 0, 3_000)
      const signals = await service.list("signals")
      assert.strictEqual(signals.length, senders.deliveries.length)
      for (const symbol of new Set(senders.deliveries.map(({ body }) => body["symbol"])))
        assert.deepStrictEqual(
          signals.flatMap((row) => (row["symbol"] === symbol ? [row["id"]] : [])).toReversed(),
          senders.deliveries.flatMap(({ body, signalId }) => (body["symbol"] === symbol ? [signalId] : []))
        )
      assert.deepStrictEqual(await service.restarts(), {})
    }, 400_000)

  it(`${CRASHES} crashes of the process while it drains: nothing is lost or doubled`, async () => {
    const random = randomOf("crashes while draining", 4_711)
    const scene = await openScene(untraded)
    onTestFinished(scene.dispose, 60_000)
    const { host } = scene
    const { service } = scene.world
    await service.start()
    const ids = new Set<string>()
    let inTheMiddle = 0
    const held = async (): Promise<number> => {
      const answer = await service.get("/api/v1/monitoring/spool").catch(() => null)
      return answer?.status === 200 ? Number(answer.body.posts) : -1
    }
    for (let crash = 0; crash < CRASHES; crash += 1) {
      await host.end(crash % 2 === 0 ? "SIGKILL" : "SIGINT")
      await waitUntil("the spool to take posts", async () =>
        (await service.get("/health/ready").catch(() => null))?.status === 200 ? true : undefined
      )
      const posts = await Promise.all(
        Array.from({ length: POSTS }, async () => {
          for (;;) {
            const answer = await service.post("/webhook", alertBody({ symbol: `C${crash}` }))
            if (answer.status < 300) return String(answer.body.signal_id)
            await pause(50)
          }
        })
      )
      for (const id of posts) ids.add(id)
      await host.start()
      // From the moment at which it sees the database, some time within which it drains.
      await waitUntil("the drain", async () => {
        const now = await held()
        return now >= 0 && now < POSTS ? true : undefined
      })
      await pause(random.between(0, 30))
      const left = await held()
      if (left > 0 && left < POSTS) inTheMiddle += 1
      await service.kill()
      service.spawn()
      await service.listening()
    }
    await service.trading(60_000)
    await drained(scene)
    const signals = await service.list("signals")
    console.log(
      `${ids.size} posts, ${signals.length} signals, ${inTheMiddle} of ${CRASHES} crashes in the middle of a drain`
    )
    assert.strictEqual(signals.length, ids.size)
    assert.isEmpty(signals.filter((row) => !ids.has(row["id"] ?? "")))
    assert.isAbove(inTheMiddle, 0)
  }, 1_800_000)

  it("of ten seconds with orders, several times over: the books agree with the broker's", async () => {
    const scene = await openScene()
    onTestFinished(scene.dispose, 60_000)
    await scene.world.service.start()
    const senders = new Senders(scene, 6, 20)
    for (const how of ["stopped", "frozen", "killed"] as const) {
      await pause(3_000)
      await away(scene, how, 10_000)
      await drained(scene)
    }
    await senders.stop()
    await assertBooks(scene, senders.deliveries)
  }, 300_000)
})
