/**
 * Who looks after the services of a chaos run, and the wait for its end.
 *
 * Promises: what an operator resolves is what the venue's book shows; nothing is judged before nothing waits any more, in every
 * queue and in the spool of every service.
 * Never: repairs what holdfast repairs by itself.
 */
import { setTimeout as pause } from "node:timers/promises"
import { rest } from "./audit.ts"
import type { ChaosStage } from "./chaos-stage.ts"
import type { Load } from "./producer.ts"

/**
 * Who looks after the services: a service manager starts again what ended by itself, and an operator does what the alert
 * `order.needs_operator` asks for, looking at the venue's book. Without one a symbol would stay blocked under the rules O and N,
 * and the rest of the leg would prove little.
 */
export class ChaosOperator {
  readonly #stage: ChaosStage
  #stopping = false
  #running: Promise<void> = Promise.resolve()
  resolved = 0
  /** Accounts and symbols in which an order needed it: until it came, entries there were denied. */
  readonly needed = new Set<string>()
  constructor(stage: ChaosStage) {
    this.#stage = stage
  }
  start(): void {
    this.#running = this.#work()
  }
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }
  /** Resolves what is open now; false while something could not be. */
  async look(): Promise<boolean> {
    const { services, world } = this.#stage
    const service = services.find((one) => one.isRunning) ?? world.service
    const open = await service.list("orders", "status=needs_operator")
    for (const order of open) {
      this.needed.add(`${order["account"]} ${order["symbol"]}`)
      const [there] = await world.broker.orders(String(order["client_order_id"]))
      const outcome =
        there === undefined ? { outcome: "not_placed" } : { outcome: "placed", venue_order_id: there.id }
      const answer = await service.post(`/api/v1/orders/${order["id"]}/resolve`, {
        ...outcome,
        reason: "looked at the venue's book"
      })
      if (answer.status === 202) this.resolved += 1
      // Somebody else was faster, or nothing can be written now; anything else is a command that does not work.
      else if (answer.status !== 409 && answer.status !== 503)
        this.#stage.broken.push(`resolve: ${answer.status} ${answer.text}`)
    }
    return open.length === 0
  }
  async #work(): Promise<void> {
    while (!this.#stopping) {
      this.#stage.manage()
      await this.look().catch(() => false)
      await pause(500)
    }
  }
}

/**
 * How long the oldest open row may stay what it is. Closes go first in the queue of an account, so an entry behind many of them
 * waits for all of them, which takes a while on a machine that does much else.
 */
const STUCK_MS_MAX = 120_000

export const settle = async (stage: ChaosStage, load: Load, operator: ChaosOperator): Promise<void> => {
  const [service, ...others] = stage.services
  if (service === undefined) throw new Error("a stage has a service")
  await stage.trading()
  await Promise.all(stage.services.map((one) => one.ready(60_000)))
  // Its next wave would be traded while the judge compares the books.
  await stage.feed.kill()
  await load.stop(60_000)
  await operator.stop()
  // An order may need an operator now, and a second time after it went out again; closes of its symbol wait for that.
  await rest(service, STUCK_MS_MAX, { others, attend: () => operator.look() })
}
