/**
 * Kills under load: the scenario of kills.test.ts and, at full size, of kills.long.test.ts.
 *
 * Promises: the moments come from a seed; what is left running between two kills is at least one start that trades, so
 * that every crash point can be met.
 * Never: touches the broker: it must be there to be compared with.
 */
import { assert } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { audit } from "./audit.ts"
import { HealthWatch } from "./health-watch.ts"
import { Load } from "./producer.ts"
import type { Random } from "./random.ts"
import { databaseProcesses } from "./service.ts"
import { World } from "./world.ts"

type Victim = "service" | "database" | "both"

/** Mostly the service, by a deal of the seed that always has each victim. */
const victims = (kills: number, random: Random): ReadonlyArray<Victim> => {
  const deck: Array<Victim> = Array.from({ length: kills }, (_, index) =>
    index % 5 === 3 ? "database" : index % 5 === 4 ? "both" : "service"
  )
  for (let index = deck.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random.between(0, index + 1))
    ;[deck[index], deck[other]] = [deck[other]!, deck[index]!]
  }
  return deck
}

const strike = async (world: World, victim: Victim): Promise<void> => {
  const { service } = world
  if (victim !== "service") {
    // One that was killed a moment ago is still being started again.
    const postmaster = await waitUntil("a server to kill", () => databaseProcesses(service.dataDir)[0])
    process.kill(postmaster, "SIGKILL")
  }
  if (victim === "database") return
  await service.kill()
  service.spawn()
}

/** Kills `kills` times under load and audits the books. */
export const killUnderLoad = async (kills: number, random: Random): Promise<void> => {
  const world = await World.open()
  const { broker, service } = world
  const load = new Load(service, random, { producers: 4, pauseMs: [60, 300] })
  const watch = new HealthWatch(service)
  try {
    await service.start()
    load.start()
    watch.start()
    for (const victim of victims(kills, random)) {
      // A venue that takes its time keeps orders between `sent` and `answered` for longer.
      const delayMs = random.next() < 0.5 ? 0 : 60
      await broker.faults({ create: delayMs === 0 ? null : { mode: "delay_after", delayMs } })
      // One kill in four hits a start; the others hit a service that trades.
      if (random.next() < 0.75) await service.trading()
      await pause(random.between(20, 900))
      await strike(world, victim)
    }
    await broker.clearFaults()
    await service.trading()
    await load.stop(60_000)
    const faults = await audit(world, load.deliveries)
    await watch.stop()
    const lies = watch.lies(load.deliveries.flatMap(({ tries }) => tries))
    console.log(
      `${kills} kills: ${load.deliveries.length} bodies, ${load.deliveries.flatMap(({ tries }) => tries).length} posts, ` +
        `${(await broker.orders()).length} orders, ${watch.samples.length} answers of /health`
    )
    assert.deepStrictEqual(load.strange, [])
    assert.deepStrictEqual(faults, [])
    assert.deepStrictEqual(lies.slice(0, 5), [])
    assert.isAbove(load.deliveries.length, kills * 3, "too little load to mean anything")
    assert.lengthOf(service.events("not-json"), 0)
    await waitUntil("a clean stop", async () => ((await service.stop()).code === 0 ? true : undefined))
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}${service.tail(25)}`, {
      cause: error
    })
  } finally {
    await load.stop(0)
    await watch.stop()
    await world.dispose()
  }
}
