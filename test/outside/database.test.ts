import { assert, describe, it, onTestFinished } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { signalAll } from "../support/signals.ts"
import { audit } from "./audit.ts"
import { HealthWatch } from "./health-watch.ts"
import { Load } from "./producer.ts"
import { randomOf } from "./random.ts"
import { alertBody, databaseProcesses } from "./service.ts"
import { World } from "./world.ts"

/** A trading world with load and a witness, put away with the test. */
const busyWorld = async (name: string, seed: number) => {
  const world = await World.open()
  const load = new Load(world.service, randomOf(name, seed), { producers: 3, pauseMs: [60, 250] })
  const watch = new HealthWatch(world.service)
  onTestFinished(async () => {
    await load.stop(0)
    await watch.stop()
    await world.dispose()
  }, 150_000)
  await world.service.start()
  load.start()
  watch.start()
  return { world, service: world.service, load, watch }
}
type Busy = Awaited<ReturnType<typeof busyWorld>>

/** What posts were answered; 0 is no answer. */
const statuses = (load: Load) =>
  new Set(load.deliveries.flatMap(({ tries }) => tries.map(({ status }) => status)))

const finish = async ({ world, load, watch }: Busy): Promise<void> => {
  await load.stop(30_000)
  assert.deepStrictEqual(await audit(world, load.deliveries), [])
  await watch.stop()
  assert.deepStrictEqual(load.strange, [])
  assert.deepStrictEqual(watch.lies(load.deliveries.flatMap(({ tries }) => tries)).slice(0, 5), [])
}

/** Whatever is wrong with the database is known by then, and how long the machine may stand still. */
const NOTICED_MS_MAX = 10_000
const STALL_MS = 10_000
const isLong = process.env["TEST_SIZE"] === "long"

describe("T7 losing the database is an event, not a death", () => {
  it("SIGKILL of the server under load (three times in test:long): posts are stored, spooled or 503, it comes back, nothing is lost, no component restarts", async () => {
    const busy = await busyWorld("database killed", 77)
    const { service, load } = busy
    for (let round = 0; round < (isLong ? 3 : 1); round += 1) {
      await pause(500)
      const [postmaster] = databaseProcesses(service.dataDir)
      assert.isDefined(postmaster)
      process.kill(postmaster, "SIGKILL")
      await waitUntil(
        () => `another server${service.tail()}`,
        () => {
          const [next] = databaseProcesses(service.dataDir)
          return next !== undefined && next !== postmaster ? true : undefined
        }
      )
      await service.trading()
    }
    assert.deepStrictEqual(await service.restarts(), {})
    await finish(busy)
    assert.isEmpty([...statuses(load)].filter((status) => ![201, 200, 202, 503].includes(status)))
  }, 180_000)

  it("SIGSTOP of the server: posts are spooled (202), said within the deadlines while /health stays fast, trading again after SIGCONT, nothing lost, no component restarts", async () => {
    const busy = await busyWorld("database frozen", 78)
    const { service, load, watch } = busy
    await pause(500)
    const frozen = databaseProcesses(service.dataDir)
    signalAll(frozen, "SIGSTOP")
    const from = performance.now()
    await waitUntil(
      () => `health to say that the database is away${service.tail()}`,
      async () => {
        const { status, body } = await service.get("/health", { deadlineMs: 5_000 })
        const says = body.status === "degraded" && body.ready === true && body.can_trade === false
        return status === 200 && says ? true : undefined
      },
      NOTICED_MS_MAX + STALL_MS
    )
    console.log(`a frozen database was noticed after ${Math.round(performance.now() - from)} ms`)
    assert.strictEqual((await service.get("/health/ready")).status, 200)
    assert.strictEqual((await service.get("/health/live")).status, 200)
    // The first post was stored before; nobody can know that now, and it is deduplicated when it is drained.
    const [known] = load.deliveries
    const path = known?.source === "fan" ? "/webhook/fan" : "/webhook"
    const again = await service.post(path, known?.body)
    assert.deepStrictEqual([again.status, again.body.status], [202, "SPOOLED"])
    assert.strictEqual(again.body.signal_id, known?.signalId)
    const flatten = { reason: "what cannot be audited is not carried out" }
    const [command] = await Promise.all([
      service.post("/api/v1/accounts/paper-1/flatten", flatten, { deadlineMs: 15_000 }),
      pause(5_000)
    ])
    assert.strictEqual(command.status, 503, command.text)
    assert.include(command.body.message, "nothing was done")
    const frozenUntil = performance.now()
    signalAll(frozen, "SIGCONT")
    await service.trading()
    await waitUntil("the audit of the command", async () => {
      const { items } = (await service.get("/api/v1/audit?command=account.flatten")).body
      return items[0]?.result === "refused" ? true : undefined
    })
    assert.deepStrictEqual(await service.restarts(), {})
    await finish(busy)
    // What waits for a frozen database waits again with every call; one slow answer is the machine's.
    const meanwhile = watch.samples
      .filter(({ at, until }) => at > from && until < frozenUntil)
      .map(({ at, until }) => until - at)
      .toSorted((a, b) => a - b)
    assert.isAbove(meanwhile.length, 4)
    const most = meanwhile[Math.floor(meanwhile.length * 0.8)] ?? Number.POSITIVE_INFINITY
    assert.isBelow(most, 1_000, `/health must not wait for the database: ${meanwhile.map(Math.round).join()}`)
  }, 180_000)

  it("fills that come while the server is frozen are recorded once when it is back", async () => {
    const world = await World.open()
    onTestFinished(() => world.dispose(), 60_000)
    const { broker, service } = world
    await service.start()
    await broker.faults({ holdFills: true })
    const answers = await Promise.all(
      ["SPY", "QQQ", "SPY", "IWM"].map((symbol) => service.post("/webhook", alertBody({ symbol })))
    )
    await waitUntil("four orders that were answered", async () => {
      const orders = await service.list("orders", "status=acked")
      return orders.length === 4 ? true : undefined
    })
    const frozen = databaseProcesses(service.dataDir)
    signalAll(frozen, "SIGSTOP")
    await broker.clearFaults()
    await waitUntil("four fills", async () => ((await broker.fills()).length === 4 ? true : undefined))
    await waitUntil("health to say it", async () =>
      (await service.get("/health")).body.status === "degraded" ? true : undefined
    )
    await pause(1_000)
    signalAll(frozen, "SIGCONT")
    const deliveries = answers.map(({ body }) => ({
      source: "default" as const,
      body: {},
      tries: [],
      signalId: String(body.signal_id)
    }))
    assert.deepStrictEqual(await audit(world, deliveries), [])
    assert.deepStrictEqual(await service.restarts(), {})
  }, 180_000)
})
