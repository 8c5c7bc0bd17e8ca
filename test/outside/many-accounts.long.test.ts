/** What ten thousand idle accounts cost. By hand: its figures depend on the machine. */
import { assert, describe, it, onTestFinished } from "vitest"
import { readFileSync } from "node:fs"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { alertBody, type Service } from "./service.ts"
import { World } from "./world.ts"

const MANY = 10_000
/** Ticks of CPU time a second, as Linux tells them. */
const TICKS = 100

const residentMb = ({ pid }: Service): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024

const cpuSeconds = ({ pid }: Service): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

/** The flags of `npm start`: another heap is another memory, and a start without the compile cache another start. */
const startFlags = (): ReadonlyArray<string> => {
  const { scripts } = JSON.parse(readFileSync(`${projectRoot}/package.json`, "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  return (scripts["start"] ?? "").split(" ").filter((word) => word.startsWith("--"))
}

const namesOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, n) => `acc-${n}`)

/** A warm start with so many accounts: how long until all may trade, then what it holds and does while nothing happens. */
const measure = async (count: number) => {
  const names = namesOf(count)
  const account = { broker: "practice", startingCash: "100000" }
  const world = await World.open({
    nodeFlags: startFlags(),
    settings: {
      accounts: Object.fromEntries(names.map((name) => [name, account])),
      strategies: { default: { sources: ["default"], accounts: names.slice(0, 1) } }
    }
  })
  onTestFinished(() => world.dispose(), 60_000)
  const { service } = world
  await service.start({}, 120_000)
  await service.stop()
  const from = performance.now()
  service.spawn()
  await waitUntil(
    () => `all to trade${service.tail()}`,
    async () => {
      if (!service.isRunning) throw new Error("the process has ended")
      // Each answer is a look at ten thousand components: asked all the time it would be what is measured.
      await pause(250)
      const outline = await service.get("/health/ready", { deadlineMs: 10_000 }).catch(() => null)
      return outline?.body.status === "healthy" ? true : undefined
    },
    120_000
  )
  const startMs = performance.now() - from
  await pause(3_000)
  const before = cpuSeconds(service)
  await pause(20_000)
  const cpu = (cpuSeconds(service) - before) / 20
  const rssMb = residentMb(service)
  const { body } = await service.get("/health", { deadlineMs: 30_000 })
  const accounts: ReadonlyArray<{ readonly can_trade: boolean }> = Object.values(body.accounts)
  const latencies: Array<number> = []
  for (let n = 0; n < 6; n += 1) {
    const sent = performance.now()
    const { body: taken } = await service.post("/webhook", alertBody())
    const trace = await service.settled(String(taken.signal_id))
    latencies.push(performance.now() - sent)
    assert.deepInclude((trace.orders as ReadonlyArray<object>)[0], { status: "filled" })
  }
  await service.stop()
  const [firstMs = 0, ...laterMs] = latencies
  return {
    accounts: count,
    trading: accounts.filter((one) => one.can_trade).length,
    startMs: Math.round(startMs),
    rssMb: Math.round(rssMb),
    idleCpu: Number(cpu.toFixed(3)),
    firstOrderMs: Math.round(firstMs),
    orderMs: Math.round(laterMs.toSorted((a, b) => a - b)[2] ?? 0)
  }
}

describe("accounts that have nothing to do", () => {
  it(`${MANY} of them can all trade, and cost what is printed beside what two cost`, async () => {
    const few = await measure(2)
    const many = await measure(MANY)
    console.log(JSON.stringify([few, many], null, 1))
    assert.strictEqual(few.trading, 2)
    assert.strictEqual(many.trading, MANY)
  }, 600_000)
})
