/**
 * Producers that behave: each sends the same bytes again after a broken connection, a lost answer or a 5xx, until it
 * got a 2xx.
 *
 * Promises: every delivery records when it was sent, how often, and what was answered when; the rate is bounded, so a
 * backlog stays smaller than what an executor drains in time.
 * Never: gives up on a body before `stop` has waited `drainMs` for it, or hides an answer nobody should get.
 */
import { setTimeout as pause } from "node:timers/promises"
import type { Random } from "./random.ts"
import { alertBody, Service } from "./service.ts"

/** One try: `status` 0 is a connection that broke or never was. Times from `performance.now()`, milliseconds. */
export interface Try {
  readonly at: number
  readonly until: number
  readonly status: number
  /** Which life of the process it began and ended in; unequal when it crossed a restart. */
  readonly lives: readonly [number, number]
  /** Where it was sent. */
  readonly to?: Service
}

export interface Delivery {
  /** The last part of the path; `default` posts to the path without one. */
  readonly source: string
  readonly body: Readonly<Record<string, unknown>>
  readonly tries: Array<Try>
  /** Set by the first 2xx. */
  signalId: string | null
}

export interface LoadOptions {
  readonly producers: number
  /** Pause of one producer between two bodies, milliseconds. */
  readonly pauseMs: readonly [number, number]
  /** What is posted; without it, plain entries of a few symbols. */
  readonly compose?: (random: Random, count: number) => Pick<Delivery, "source" | "body">
  /** Of one exchange. */
  readonly deadlineMs?: number
}

const symbols = ["SPY", "QQQ", "BTC-USDT", "ETH-USDT"]

/** Half of the bodies name their event, half are known by their content. */
const plainEntry = (random: Random, count: number): Pick<Delivery, "source" | "body"> => {
  const id = random.next() < 0.5 ? {} : { id: `event-${count}-${random.next()}` }
  return {
    source: random.next() < 0.25 ? "fan" : "default",
    body: alertBody({
      symbol: random.pick(symbols),
      direction: random.pick(["long", "short"]),
      ...id
    })
  }
}

export class Load {
  readonly deliveries: Array<Delivery> = []
  readonly strange: Array<string> = []
  readonly #services: ReadonlyArray<Service>
  readonly #random: Random
  readonly #options: LoadOptions
  readonly #giveUp = new AbortController()
  #stopping = false
  #running: Promise<unknown> = Promise.resolve()

  /** With several services each try goes to one of them, as a load balancer does that checks nothing. */
  constructor(services: Service | ReadonlyArray<Service>, random: Random, options: LoadOptions) {
    this.#services = services instanceof Service ? [services] : services
    this.#random = random
    this.#options = options
  }

  start(): void {
    this.#running = Promise.all(Array.from({ length: this.#options.producers }, () => this.#produce()))
  }

  /** Makes no new bodies and waits until the present ones are delivered. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true
    const late = new AbortController()
    await Promise.race([this.#running, pause(drainMs, null, { signal: late.signal }).catch(() => null)])
    late.abort()
    this.#giveUp.abort()
    await this.#running
  }

  async #produce(): Promise<void> {
    while (!this.#stopping) {
      await this.#deliver(this.#make())
      await pause(this.#random.between(...this.#options.pauseMs))
    }
  }

  #make(): Delivery {
    const { compose = plainEntry } = this.#options
    const delivery = { ...compose(this.#random, this.deliveries.length), tries: [], signalId: null }
    this.deliveries.push(delivery)
    return delivery
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const path = delivery.source === "default" ? "/webhook" : `/webhook/${delivery.source}`
    const { deadlineMs = 5_000 } = this.#options
    while (delivery.signalId === null && !this.#giveUp.signal.aborted) {
      const to = this.#random.pick(this.#services)
      const at = performance.now()
      const life = to.lives
      const answer = await to.post(path, delivery.body, { deadlineMs }).catch(() => null)
      const status = answer?.status ?? 0
      delivery.tries.push({ at, until: performance.now(), status, lives: [life, to.lives], to })
      if (answer !== null && status >= 200 && status < 300) {
        delivery.signalId = String(answer.body.signal_id)
        return
      }
      if (status !== 0 && status < 500) {
        this.strange.push(`${status} ${answer?.text} for ${JSON.stringify(delivery.body)}`)
        return
      }
      await pause(this.#random.between(40, 160))
    }
  }
}
