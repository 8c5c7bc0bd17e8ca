/**
 * The world of one leg of a chaos run: the processes, what they depend on, and what a fault needs to get at each of them.
 *
 * Promises: whoever a fault kills is started again by it, and whatever it froze or turned is released; faults on one thing come
 * one after the other; everything is gone after `dispose`.
 * Never: decides which fault comes next (chaos-plan.ts), or what came of it (chaos-judge.ts).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { embeddedTarget } from "../../src/layers/database/postgres-server.embedded.ts"
import { waitUntil } from "../support/exchange.ts"
import { administer } from "../support/postgres-admin.ts"
import { PostgresHost } from "../support/postgres-host.ts"
import { Effect } from "effect"
import { projectRoot } from "../support/program.ts"
import type { Leg } from "./chaos-plan.ts"
import { databaseProcesses, type Service } from "./service.ts"
import { SignalServer } from "./signal-server.ts"
import { World } from "./world.ts"

/** Waves come every few seconds, so that a feed that is cut misses or delays some. */
const wavePeriodMs = 5_000
const signalScript = { periodMs: wavePeriodMs, perWave: 2, keepWaves: 12 }

/** Nothing is disturbed yet: a start that takes this long on a busy machine is no fault of the run. */
const START_MS_MAX = 120_000

export const CHAOS_ACCOUNTS = ["paper-1", "paper-2", "paper-3", "paper-4"] as const

/** `default` never goes short, `fan` may reverse in two accounts, `wave` trades in one of its own. */
const settingsOf = (brokerUrl: string, { rule }: Leg) => ({
  brokers: { practice: { kind: "paper", url: brokerUrl, rule, propagationMs: 1_000 } },
  accounts: Object.fromEntries(
    CHAOS_ACCOUNTS.map((account) => [account, { broker: "practice", startingCash: "1000000000" }])
  ),
  sources: { fan: {} },
  strategies: {
    default: { sources: ["default"], accounts: ["paper-1"], sidePolicy: "long_only" },
    fan: { sources: ["fan"], accounts: ["paper-2", "paper-3"], sidePolicy: "both" },
    wave: { sources: ["wave"], accounts: ["paper-4"] }
  }
})

export class ChaosStage {
  readonly leg: Leg
  readonly world: World
  readonly services: ReadonlyArray<Service>
  readonly feed: SignalServer
  readonly #host: PostgresHost | null
  readonly #folder: string
  readonly #feedPort: number
  /** What is being done to each thing; the next fault on it waits for the end of that. */
  readonly #busy = new Map<string, Promise<unknown>>()
  /** Errors of faults that could not be carried out, which are errors of the test. */
  readonly broken: Array<string> = []
  /** Ends that no fault explains. */
  readonly ended: Array<string> = []

  private constructor(
    leg: Leg,
    parts: {
      readonly world: World
      readonly services: ReadonlyArray<Service>
      readonly feed: SignalServer
      readonly host: PostgresHost | null
      readonly folder: string
      readonly feedPort: number
    }
  ) {
    this.leg = leg
    this.world = parts.world
    this.services = parts.services
    this.feed = parts.feed
    this.#host = parts.host
    this.#folder = parts.folder
    this.#feedPort = parts.feedPort
  }

  static async open(leg: Leg): Promise<ChaosStage> {
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-chaos-"))
    const feed = new SignalServer()
    const url = await feed.start(folder, signalScript)
    const host = leg.ground === "pair" ? await PostgresHost.open() : null
    const world = await World.open({
      rule: leg.rule,
      database: host === null ? "embedded" : { url: host.url },
      nodeFlags: ["--require", path.join(projectRoot, "test/support/clock-hook.cjs")],
      env: {
        CLOCK_OFFSET: path.join(folder, "clock"),
        SIGNAL_WS_URL: url,
        SIGNAL_WS_TOKEN: "any",
        WAVE_PERIOD_MS: String(wavePeriodMs),
        WAVE_OFFSET_MS: "0",
        WAVE_LAG_MS: "0"
      }
    })
    world.configure(settingsOf(world.broker.url, leg))
    const services = leg.ground === "pair" ? [world.service, world.another("second")] : [world.service]
    const feedPort = Number(new URL(url).port)
    const stage = new ChaosStage(leg, { world, services, feed, host, folder, feedPort })
    try {
      // One after the other: who migrates first is another test's matter.
      await world.service.start({}, START_MS_MAX)
      for (const service of services.slice(1)) {
        service.spawn()
        await service.ready()
      }
      return stage
    } catch (error) {
      await stage.dispose()
      throw error
    }
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.#busy.values())
    this.turnClock(0)
    for (const service of this.services) service.thaw()
    this.world.broker.thaw()
    await this.world.dispose()
    await this.feed.dispose()
    await this.#host?.dispose()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Runs `deed` when no other is at work on `what`, and lets the next wait for it. */
  async alone<A>(what: string, deed: () => Promise<A>): Promise<A> {
    const before = this.#busy.get(what) ?? Promise.resolve()
    const mine = before.then(deed, deed)
    this.#busy.set(
      what,
      mine.then(
        () => undefined,
        () => undefined
      )
    )
    return await mine
  }
  /** The same, and nobody waits for it. */
  later(what: string, deed: () => Promise<unknown>): void {
    this.alone(what, deed).catch((error: unknown) => this.broken.push(`${what}: ${String(error)}`))
  }
  /** Waits until no fault is at work any more. */
  async quiet(): Promise<void> {
    await Promise.all(this.#busy.values())
  }

  /** The service that trades now, and if none does, any that runs. */
  async trader(): Promise<Service> {
    const health = await Promise.all(
      this.services.map((service) => service.get("/health", { deadlineMs: 1_000 }).catch(() => null))
    )
    const at = health.findIndex((answer) => answer?.body?.can_trade === true)
    return this.services[Math.max(at, 0)]!
  }
  standby(trader: Service): Service {
    return this.services.find((service) => service !== trader) ?? trader
  }

  /** Waits until somebody trades. */
  async trading(deadlineMs = 60_000): Promise<void> {
    let last: ReadonlyArray<string | undefined> = []
    await waitUntil(
      () => `somebody to trade; last ${last.join("\n")}`,
      async () => {
        const health = await Promise.all(
          this.services.map((service) => service.get("/health", { deadlineMs: 2_000 }).catch(() => null))
        )
        last = health.map((answer) => answer?.text.slice(0, 1_500))
        return health.some((answer) => answer?.body?.can_trade === true) ? true : undefined
      },
      deadlineMs
    )
  }

  async restart(service: Service): Promise<void> {
    await service.kill()
    service.spawn()
  }

  /** Does what a service manager does: starts again what ended by itself. That it had to is a violation. */
  manage(): void {
    for (const [at, service] of this.services.entries())
      this.later(`service ${at}`, async () => {
        if (service.isRunning) return
        const { code, signal } = await service.exited
        const last = JSON.stringify(service.lastLine).slice(0, 600)
        this.ended.push(`a service ended by itself with ${code ?? signal}: ${last}`)
        service.spawn()
      })
  }

  /** The processes of the server, the postmaster first. */
  async databaseTree(): Promise<ReadonlyArray<number>> {
    return await waitUntil(
      "a server",
      () => {
        const tree = this.#host?.processes ?? databaseProcesses(this.world.service.dataDir)
        return tree.length > 0 ? tree : undefined
      },
      60_000
    )
  }
  /** One statement, as a superuser would give it, again until the server takes it. */
  async #sql(statement: string): Promise<void> {
    const target = this.#host?.target ?? embeddedTarget(this.world.service.dataDir)
    await waitUntil(
      "the server to take a statement",
      async () => {
        await Effect.runPromise(administer(target, statement))
        return true
      },
      60_000
    )
  }
  /** Ends the external server and starts it again; the embedded one is the service's to start. */
  async endDatabase(signal: "SIGKILL" | "SIGINT" | "SIGQUIT"): Promise<void> {
    if (this.#host === null) {
      process.kill((await this.databaseTree())[0]!, signal)
      return
    }
    await this.#host.end(signal)
    await this.#host.start()
  }

  async restartFeed(): Promise<void> {
    await this.feed.start(this.#folder, signalScript, this.#feedPort)
  }

  /** The wall clock of all services, milliseconds off the machine's. */
  turnClock(offsetMs: number): void {
    writeFileSync(path.join(this.#folder, "clock"), String(offsetMs))
  }
  /** The clock of the database, in every session at once. */
  async turnDatabaseClock(offsetMs: number): Promise<void> {
    const set = (name: string, clock: string, kind: string) =>
      this.#sql(`CREATE OR REPLACE FUNCTION ${name}() RETURNS timestamptz LANGUAGE sql ${kind} PARALLEL SAFE AS
        $$ SELECT coalesce(nullif(current_setting('holdfast.now', true), '')::timestamptz,
          ${clock}() + interval '${Math.round(offsetMs)} milliseconds') $$`)
    await set("hf_now", "now", "STABLE")
    await set("hf_clock", "clock_timestamp", "VOLATILE")
  }
}
