/**
 * The faults of a chaos run, carried out.
 *
 * Promises: each strike reports when the outage that it imposes is over (recovery counts from there), and repairs what an
 * operating system, a service manager or a venue would repair: processes are started again, frozen ones thawed, clocks return.
 * Never: repairs anything of holdfast.
 */
import { readFileSync } from "node:fs"
import { setTimeout as pause } from "node:timers/promises"
import { nodeLimits } from "../../src/domain/kernel/limits-execution.ts"
import { signalAll } from "../support/signals.ts"
import type { FaultKind, PlannedFault } from "./chaos-plan.ts"
import type { ChaosStage } from "./chaos-stage.ts"
import type { Service } from "./service.ts"

/** Times from `performance.now()`. */
export interface Strike {
  readonly fault: PlannedFault
  readonly at: number
  /** When the imposed outage was over. */
  readonly over: number
}

/** A value of a range, by the force of the fault. */
const by = ({ force }: PlannedFault, low: number, high: number): number => low + force * (high - low)

/** Freezes and thaws; killing it meanwhile waits, so that a freeze is what it is called. */
const freeze = (stage: ChaosStage, service: Service, forMs: number): Promise<void> =>
  stage.alone(`service ${stage.services.indexOf(service)}`, async () => {
    service.freeze()
    await pause(forMs)
    service.thaw()
  })

const restart = (stage: ChaosStage, service: Service, again = 0): Promise<void> =>
  stage.alone(`service ${stage.services.indexOf(service)}`, async () => {
    await stage.restart(service)
    if (again === 0) return
    await pause(again)
    await stage.restart(service)
  })

/** A backend is a child whose title names a client; the others are the server's own workers. */
export const backends = async (stage: ChaosStage): Promise<ReadonlyArray<number>> => {
  const titleOf = (pid: number): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8")
    } catch {
      return ""
    }
  }
  const [, ...children] = await stage.databaseTree()
  return children.filter((pid) => titleOf(pid).includes("[local]"))
}

/** Each fault: what it does until the imposed outage is over; a clock that is turned is no outage, and returns later. */
const STRIKES: Readonly<
  Record<FaultKind, (stage: ChaosStage, fault: PlannedFault, trader: Service) => Promise<unknown>>
> = {
  "service killed": (stage, _, trader) => restart(stage, trader),
  "service killed twice": (stage, fault, trader) => restart(stage, trader, by(fault, 50, 1_500)),
  "service frozen": (stage, fault, trader) => {
    const frozen = freeze(stage, trader, nodeLimits.leaseMs + by(fault, 500, 2_500))
    // With a standby recovery is its takeover, which waits for no thaw.
    return stage.leg.ground === "alone" ? frozen : Promise.resolve()
  },
  "service stalled": (stage, fault, trader) => freeze(stage, trader, by(fault, 100, 2_000)),
  "database killed": (stage) => stage.alone("database", () => stage.endDatabase("SIGKILL")),
  "backend killed": (stage, fault) =>
    stage.alone("database", async () => {
      const found = await backends(stage)
      signalAll(found.slice(0, 1 + Math.floor(by(fault, 0, 2))), "SIGKILL")
    }),
  "backends terminated": (stage) =>
    stage.alone("database", async () => signalAll(await backends(stage), "SIGTERM")),
  "database frozen": (stage, fault) =>
    stage.alone("database", async () => {
      const tree = await stage.databaseTree()
      signalAll(tree, "SIGSTOP")
      await pause(by(fault, 300, 4_000))
      signalAll(tree, "SIGCONT")
    }),
  "database and service killed": async (stage, _, trader) => {
    await stage.alone("database", () => stage.endDatabase("SIGKILL"))
    await restart(stage, trader)
  },
  "database restarted": (stage, { sign }) =>
    stage.alone("database", () => stage.endDatabase(sign === 1 ? "SIGINT" : "SIGQUIT")),
  "standby killed": (stage, _, trader) => restart(stage, stage.standby(trader)),
  "both killed": (stage) => Promise.all(stage.services.map((service) => restart(stage, service))),
  "database clock jumps": (stage, fault) => {
    stage.later("database clock", async () => {
      await stage.turnDatabaseClock(fault.sign * by(fault, 1_000, 8_000))
      await pause(by(fault, 1_000, 4_000))
      await stage.turnDatabaseClock(0)
    })
    return Promise.resolve()
  },
  "process clock jumps": (stage, fault) => {
    stage.later("process clock", async () => {
      stage.turnClock(fault.sign * by(fault, 2_000, 40_000))
      await pause(by(fault, 1_000, 4_000))
      stage.turnClock(0)
    })
    return Promise.resolve()
  },
  "broker killed": (stage, fault) =>
    stage.alone("broker", async () => {
      await stage.world.broker.kill()
      await pause(by(fault, 0, 1_500))
      await stage.world.broker.start()
    }),
  "broker frozen": (stage, fault) =>
    stage.alone("broker", async () => {
      stage.world.broker.freeze()
      await pause(by(fault, 300, 6_000))
      stage.world.broker.thaw()
    }),
  "broker streams cut": (stage) => stage.alone("broker", () => stage.world.broker.closeStreams(1_000)),
  "broker loses answers": (stage) =>
    stage.alone("broker", () => stage.world.broker.faults({ create: { mode: "drop_after", times: 3 } })),
  "broker drops requests": (stage) =>
    stage.alone("broker", () => stage.world.broker.faults({ create: { mode: "drop_before", times: 2 } })),
  "feed cut": (stage, fault) =>
    stage.alone("feed", async () => {
      await stage.feed.kill()
      await pause(by(fault, 0, 3_000))
      await stage.restartFeed()
    })
}

/** Strikes; a fault that could not be carried out is an error of the run. */
export const strike = async (stage: ChaosStage, fault: PlannedFault): Promise<Strike> => {
  const trader = await stage.trader()
  const at = performance.now()
  try {
    await STRIKES[fault.kind](stage, fault, trader)
  } catch (error) {
    stage.broken.push(`${fault.kind}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { fault, at, over: performance.now() }
}
