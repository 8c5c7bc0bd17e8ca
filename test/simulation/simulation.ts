/**
 * A simulation: two processes of the service on one timeline, one database and one venue, and a seed that decides everything else.
 *
 * Every step posts alerts, moves a price, or does harm: a process is killed between two calls or frozen past its lease, the database
 * goes away or loses the answers of commits, the venue's answers are lost, late or never come, its fills are late, in parts and
 * repeated, its streams end. After each step what must always hold is checked; at the end all harm stops, and everything that was
 * under way has to come to its end.
 *
 * Promises: the same seed and number of steps are the same run, call by call; a planted fault is one of the code's kind.
 * Never: sleeps, or goes on after a violation.
 */
import { Effect, type Scope } from "effect"
import { decimal, formatDecimal } from "../../src/domain/kernel/decimal.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import type { SocketTarget } from "../../src/layers/database/database-target.ts"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import type { ClientOrderIdRule } from "../../src/layers/venues/broker.port.ts"
import { type Random, randomFrom } from "../outside/random.ts"
import { settingsFrom } from "../support/practice-settings.ts"
import { shareDatabase } from "./database.ts"
import { ACCOUNTS, type Action, nextStep, type PlannedPost, SYMBOLS } from "./plan.ts"
import { type PostAnswer, type Process, startProcess } from "./process.ts"
import { readRecords, type SentPost, unfinished, violations } from "./records.ts"
import { Timeline } from "./timeline.ts"
import { openVenue, type SimulatedVenue, VENUE } from "./venue.ts"

/** Faults of the service that a simulation can be given, to see that it finds them. */
export const PLANTS = {
  "second id": "a create without an answer is sent again under another client order id",
  "doubled fill": "each fill that the stream delivers is booked a second time",
  "forgotten post": "a post is answered as stored and is not",
  "moved position": "a position changes without a fill"
} as const
export type Plant = keyof typeof PLANTS

export interface SimulationOptions {
  readonly seed: number
  readonly steps: number
  readonly target: SocketTarget
  readonly plant?: Plant | undefined
  /** Told of each step, for who watches. */
  readonly onStep?: (line: string) => void
}

export interface SimulationReport {
  readonly rule: ClientOrderIdRule
  readonly steps: number
  /** The step after which a violation was found, 0 for none; `steps` + 1 is the end. */
  readonly failedAt: number
  readonly violations: ReadonlyArray<string>
  /** How often what happened, by name. */
  readonly counts: ReadonlyMap<string, number>
  readonly calls: number
  readonly virtualMs: number
  /** Every order and fill in the order of the rows: what two runs of a seed must agree in. */
  readonly trace: ReadonlyArray<string>
}

const START_MS = Date.parse("2031-03-04T14:30:00.000Z")
const NODES = ["node-a", "node-b"] as const
const RULES = ["U", "R", "O", "N"] as const
const RESEND_MS = 5_000
const TICK_MS = 1_000
/** All look-ups, settlements and look-agains of what was under way have happened by then. */
const REST_MS_MAX = 10 * 60_000
const REST_LOOK_MS = 20_000

const simulationSettings = (): Settings => {
  const account = { broker: VENUE, startingCash: "100000" }
  return settingsFrom({
    sources: { fan: {} },
    accounts: Object.fromEntries(ACCOUNTS.map((id) => [id, account])),
    strategies: {
      default: {
        sources: ["default"],
        accounts: ["paper-1"],
        sidePolicy: "long_only",
        stopLossPct: "2",
        profitTargetPct: "3"
      },
      fan: { sources: ["fan"], accounts: ["paper-2"], stopLossPct: "3" }
    },
    risk: { quantityMax: "20" }
  })
}

/** One run. */
class Simulation {
  readonly random: Random
  readonly timeline: Timeline
  readonly venue: SimulatedVenue
  readonly rule: ClientOrderIdRule
  readonly counts = new Map<string, number>()
  readonly posts = new Map<string, SentPost>()
  readonly #bodies = new Map<string, PlannedPost>()
  readonly #settings = simulationSettings()
  readonly #database: ReturnType<typeof shareDatabase>
  readonly #real: DatabaseService
  readonly #options: SimulationOptions
  readonly #prices = new Map<string, string>(SYMBOLS.map((symbol) => [symbol, "100"]))
  #processes: ReadonlyArray<Process> = []
  #lives = 0
  readonly crashes: Array<string> = []

  constructor(options: SimulationOptions, real: DatabaseService) {
    this.#options = options
    this.#real = real
    this.random = randomFrom(options.seed)
    this.rule = RULES[options.seed % RULES.length] ?? "U"
    this.timeline = new Timeline(this.random, START_MS)
    this.venue = openVenue(this.timeline, this.random, this.rule)
    this.#database = shareDatabase(this.timeline, this.random, real)
    if (options.plant === "doubled fill") this.venue.books = 2
    if (options.plant === "forgotten post") this.#database.faults.forgotten = "intake.store"
    if (options.plant === "second id") this.venue.resends = true
    this.timeline.onDeath = (life) => this.#died(life.name)
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  #start(node: string): void {
    this.#lives += 1
    const life = this.timeline.life(`life-${this.#lives}`)
    const process = startProcess({
      timeline: this.timeline,
      venue: this.venue,
      settings: this.#settings,
      database: this.#database.of(life),
      life,
      node,
      seed: this.#options.seed * 1_000 + this.#lives
    })
    this.#processes = [...this.#processes, process]
    for (const [symbol, price] of this.#prices) process.setPrice(symbol, price)
  }

  /** Kills a life and starts its node again, after `downMs`. */
  #kill(process: Process, downMs: number): void {
    this.#look(process)
    this.timeline.kill(process.life)
    this.#processes = this.#processes.filter((other) => other !== process)
    this.timeline.after(downMs, null, () => this.#start(process.node))
  }

  #downMs = 0
  #died(name: string): void {
    const process = this.#processes.find(({ life }) => life.name === name)
    if (process !== undefined) this.#kill(process, this.#downMs)
  }

  /** Takes what a process has raised and suffered. */
  #look(process: Process): void {
    for (const kind of process.alerts()) this.count(`alert ${kind}`)
    this.crashes.push(...process.troubles().map((trouble) => `${process.node} ${trouble}`))
  }

  #tick(): void {
    for (const { life, setPrice } of this.#processes)
      if (life.state === "alive") for (const [symbol, price] of this.#prices) setPrice(symbol, price)
    this.timeline.after(TICK_MS, null, () => this.#tick())
  }

  /** Posts to whoever lives, and again while there is no answer. */
  #send(id: string): void {
    const planned = this.#bodies.get(id)
    const alive = this.#processes.filter(({ life }) => life.state === "alive")
    const post = this.posts.get(id)
    if (planned === undefined || post === undefined) return
    const again = this.timeline.after(RESEND_MS, null, () => this.#send(id))
    if (alive.length === 0) return
    this.random.pick(alive).post(planned.source, planned.body, (answer: PostAnswer) => {
      if (answer._tag === "Failed") return
      again()
      this.count(`post ${answer.outcome}`)
      if (post.signalId !== null && post.signalId !== answer.signalId) post.contradicted = answer.signalId
      post.signalId ??= answer.signalId
    })
  }

  #post(planned: PlannedPost): void {
    const id = String(planned.body["id"])
    this.posts.set(id, { id, mayTurn: planned.mayTurn, signalId: null, contradicted: null })
    this.#bodies.set(id, planned)
    this.#send(id)
  }

  #setPrice(symbol: string, factor: number): void {
    const price = formatDecimal(decimal((Number(this.#prices.get(symbol) ?? "100") * factor).toFixed(2)))
    this.#prices.set(symbol, price)
    this.venue.twin.setPrice(symbol, price)
    for (const { life, setPrice } of this.#processes) if (life.state === "alive") setPrice(symbol, price)
  }

  #act(action: Action): void {
    this.count(action._tag)
    const { faults } = this.#database
    const running = this.#processes.filter(({ life }) => life.state === "alive")
    switch (action._tag) {
      case "posts":
        for (const planned of action.posts) this.#post(planned)
        return
      case "repeat":
        if (this.posts.size > 0) this.#send(this.random.pick([...this.posts.keys()]))
        return
      case "price":
        return this.#setPrice(action.symbol, action.factor)
      case "weather":
        this.venue.faultRate = action.faults
        this.venue.lateFillRate = action.lateFills
        return this.venue.twin.setInvisibleMs(action.invisibleMs)
      case "venue silent":
        this.venue.readable = false
        this.timeline.after(action.forMs, null, () => (this.venue.readable = true))
        return
      case "streams cut":
        return this.venue.twin.endStreams(null, "cut")
      case "crash": {
        if (running.length === 0) return
        const { life } = this.random.pick(running)
        this.#downMs = action.downMs
        life.diesAfter = action.after
        life.dyingIn = action.inCalls
        return
      }
      case "freeze": {
        if (running.length === 0) return
        const { life } = this.random.pick(running)
        life.state = "frozen"
        this.timeline.after(action.forMs, null, () => {
          if (life.state === "frozen") life.state = "alive"
        })
        return
      }
      case "database away":
        faults.away = true
        this.timeline.after(action.forMs, null, () => (faults.away = false))
        return
      case "answers of commits lost":
        faults.lostRate = action.rate
        this.timeline.after(action.forMs, null, () => (faults.lostRate = 0))
        return
      case "nothing":
    }
  }

  async #check(): Promise<ReadonlyArray<string>> {
    for (const process of this.#processes) this.#look(process)
    const records = await readRecords(this.#real)
    return [...violations(records, this.venue.twin.book, this.posts, ACCOUNTS), ...this.crashes]
  }

  /** All harm ends, and what is under way comes to its end. */
  async #rest(): Promise<ReadonlyArray<string>> {
    const { faults } = this.#database
    Object.assign(this.venue, { faultRate: 0, lateFillRate: 0, readable: true })
    this.venue.twin.setInvisibleMs(0)
    faults.away = false
    faults.lostRate = 0
    for (const { life } of this.#processes) {
      life.dyingIn = null
      if (life.state === "frozen") life.state = "alive"
    }
    const untilMs = this.timeline.nowMs + REST_MS_MAX
    for (;;) {
      await this.timeline.run(REST_LOOK_MS)
      const wrong = await this.#check()
      if (wrong.length > 0) return wrong
      const open = unfinished(await readRecords(this.#real), this.venue.twin.book, this.posts, ACCOUNTS)
      if (open.length === 0) return []
      if (this.timeline.nowMs >= untilMs) return open
    }
  }

  async #plantLate(step: number): Promise<void> {
    if (this.#options.plant !== "moved position" || step !== Math.ceil(this.#options.steps / 2)) return
    await Effect.runPromise(
      this.#real.run("simulation.plant", (sql) =>
        sql.unsafe(
          "UPDATE positions SET quantity = quantity + 1 WHERE id = (SELECT id FROM positions ORDER BY 1 LIMIT 1)"
        )
      )
    )
  }

  async play(): Promise<SimulationReport> {
    const { onStep, seed, steps } = this.#options
    let wrong: ReadonlyArray<string> = []
    let step = 0
    for (const node of NODES) this.#start(node)
    this.#tick()
    await this.timeline.run(TICK_MS)
    while (step < steps && wrong.length === 0) {
      step += 1
      const { action, runMs } = nextStep(this.random, seed, step, this.timeline.nowMs)
      onStep?.(`${step} ${new Date(this.timeline.nowMs).toISOString()} ${JSON.stringify(action)}`)
      this.#act(action)
      await this.timeline.run(runMs)
      await this.#plantLate(step)
      wrong = await this.#check()
    }
    const failedInStep = wrong.length > 0
    if (!failedInStep) wrong = await this.#rest()
    const records = await readRecords(this.#real)
    for (const { status } of records.orders) this.count(`order ${status}`)
    for (const [what, count] of this.venue.met) this.count(`create: ${what}`, count)
    this.count("fills", records.fills.length)
    for (const { life } of this.#processes) this.timeline.kill(life)
    return {
      rule: this.rule,
      steps: step,
      failedAt: wrong.length === 0 ? 0 : failedInStep ? step : steps + 1,
      violations: wrong,
      counts: this.counts,
      calls: this.timeline.calls,
      virtualMs: this.timeline.nowMs - START_MS,
      trace: [
        ...records.orders.map((order) => JSON.stringify(order)),
        ...records.fills.map((fill) => JSON.stringify(fill)),
        `${this.timeline.calls} calls`
      ]
    }
  }
}

/** Plays one simulation on a migrated database of its own. */
export const simulate = (options: SimulationOptions): Effect.Effect<SimulationReport, never, Scope.Scope> =>
  Effect.gen(function* () {
    const real = yield* makePgDatabase({ target: options.target, poolSize: 1 })
    return yield* Effect.promise(() => new Simulation(options, real).play())
  })
