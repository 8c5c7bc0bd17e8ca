/**
 * Two services on one database and one signal server, waves of one second, kills at random: the scenario of
 * waves.test.ts and, at full size, of waves.long.test.ts.
 *
 * Promises: the moments come from a seed; one kill in two hits the process that has a wave at that moment; what is judged
 * is what the server offered, the ledger, and the broker's own book.
 * Never: reads a database, or imports anything of `src`.
 */
import { assert } from "vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import type { Random } from "./random.ts"
import { isSettled, type Row, type Service } from "./service.ts"
import { SignalServer } from "./signal-server.ts"
import { World } from "./world.ts"

const periodMs = 1_000
const perWave = 2
/** What the signal server is told; it remembers the waves of two minutes. */
const script = { periodMs, perWave, keepWaves: 120 }

/** The service that has begun a check and not ended it, if there is one. */
const ownerOf = (services: ReadonlyArray<Service>): Service | undefined =>
  services.find((service) => {
    const last = service.lines.findLast(({ event }) =>
      ["wave.check_started", "wave.done", "wave.feed_silent", "boot"].includes(String(event))
    )
    return service.isRunning && last?.["event"] === "wave.check_started"
  })

const awake = async (services: ReadonlyArray<Service>): Promise<void> => {
  await Promise.all(services.map((service) => service.ready(60_000)))
}

/** Kills `kills` times over at least `waves` waves and starts again what was killed. */
const disturb = async (
  services: ReadonlyArray<Service>,
  plan: { readonly waves: number; readonly kills: number },
  random: Random
): Promise<number> => {
  const startedAt = Date.now()
  let owners = 0
  for (let kill = 0; kill < plan.kills; kill += 1) {
    await pause(random.between(200, (1.4 * plan.waves * periodMs) / plan.kills))
    let victim = services[Math.floor(random.between(0, services.length))]
    if (kill % 2 === 0) {
      victim = await waitUntil(
        () => "a process to begin a check",
        () => ownerOf(services),
        30_000
      )
      owners += 1
    }
    await victim?.kill()
    victim?.spawn()
    // One of the two is always there long enough to be worth killing.
    if (random.next() < 0.7) await awake(services)
  }
  await awake(services)
  // The judge leaves out the two youngest waves.
  await pause(Math.max(0, startedAt + (plan.waves + 2) * periodMs - Date.now()))
  return owners
}

interface Verdict {
  readonly waves: number
  readonly faults: ReadonlyArray<string>
}

/** What the server offered for the waves of the ledger, against what was decided, ordered and created. */
const judge = async (world: World, service: Service): Promise<Verdict> => {
  const faults: Array<string> = []
  const endMs = Math.floor(Date.now() / periodMs) * periodMs - 2 * periodMs
  const old = (row: Row): boolean => Date.parse(row["wave"] ?? "") <= endMs
  let open: ReadonlyArray<unknown> = []
  await waitUntil(
    () => `everything to end; open ${JSON.stringify(open.slice(0, 4))}${service.tail()}`,
    async () => {
      const rows = await service.list("waves")
      open = [
        // On a machine that stood still the ledger may be behind its waves.
        ...(rows.some(({ wave }) => Date.parse(wave ?? "") === endMs) ? [] : [{ missing: "the last wave" }]),
        ...rows.filter((row) => old(row) && ["expected", "processing"].includes(row["status"] ?? "")),
        ...(await service.list("signals", "status=processing")),
        ...(await service.list("signals", "status=received")),
        ...(await service.list("orders")).filter((order) => !isSettled(order))
      ].filter((row) => !("wave" in row) || old(row))
      return open.length === 0 ? true : undefined
    },
    90_000
  )
  const ledger = (await service.list("waves")).filter(old).map((row) => Date.parse(row["wave"] ?? ""))
  const firstMs = Math.min(...ledger)
  const count = (endMs - firstMs) / periodMs + 1
  if (new Set(ledger).size !== count || ledger.length !== count) {
    faults.push(`the ledger has ${ledger.length} rows for ${count} waves`)
  }
  const signals = (await service.list("signals")) as ReadonlyArray<Row & { readonly body: Row }>
  const orders = await service.list("orders")
  const creates = new Map((await world.broker.creates()).map((row) => [row.client_order_id, row.created]))
  for (let waveMs = firstMs; waveMs <= endMs; waveMs += periodMs) {
    for (let n = 0; n < perWave; n += 1) {
      const id = `${new Date(waveMs).toISOString().replace(".000Z", "Z")}/${n}`
      const mine = signals.filter(({ body }) => body["id"] === id)
      const placed = orders.filter((order) => mine.some((signal) => signal["id"] === order["signal_id"]))
      const created = placed.reduce(
        (sum, order) => sum + (creates.get(order["client_order_id"] ?? "") ?? 0),
        0
      )
      if (mine.length === 1 && placed.length === 1 && created === 1 && placed[0]?.["status"] === "filled")
        continue
      faults.push(
        `${id}: ${mine.length} signals (${mine.map((row) => `${row["status"]} ${row["reason"]}`).join()}), ${placed.length} orders (${placed.map((row) => row["status"]).join()}), ${created} created`
      )
    }
  }
  const missed = (await service.list("waves")).filter((row) => old(row) && row["status"] === "missed")
  for (const row of missed) faults.push(`missed: ${row["wave"]} ${row["reason"]}`)
  return { waves: count, faults }
}

/** Runs the scenario and judges it. */
export const twoProcesses = async (
  plan: { readonly waves: number; readonly kills: number },
  random: Random
): Promise<void> => {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-waves-"))
  const server = new SignalServer()
  const url = await server.start(folder, script)
  const world = await World.open({
    database: "external",
    env: {
      SIGNAL_WS_URL: url,
      SIGNAL_WS_TOKEN: "any",
      WAVE_PERIOD_MS: String(periodMs),
      WAVE_OFFSET_MS: "0",
      WAVE_LAG_MS: "0"
    }
  })
  const services = [world.service, world.another("second")]
  try {
    // One after the other: who migrates first is another test's matter.
    await world.service.start()
    for (const service of services.slice(1)) {
      service.spawn()
      await service.ready()
    }
    const owners = await disturb(services, plan, random)
    const verdict = await judge(world, world.service)
    console.log(`${verdict.waves} waves, ${plan.kills} kills, ${owners} of them of a wave's owner`)
    assert.deepStrictEqual(verdict.faults.slice(0, 20), [])
    assert.isAtLeast(verdict.waves, plan.waves)
  } catch (error) {
    throw new Error(
      `${error instanceof Error ? error.message : String(error)}${services.map((one) => one.tail(8)).join("")}`,
      { cause: error }
    )
  } finally {
    await world.dispose()
    await server.dispose()
    rmSync(folder, { recursive: true, force: true })
  }
}
