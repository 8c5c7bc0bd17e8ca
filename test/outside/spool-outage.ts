/**
 * An outage of an external PostgreSQL under posts, and what must be true of every post that was answered 2xx.
 *
 * Promises: each sender posts one after the other under a symbol of its own, so that the order in which it was answered is the
 * order it meant; what was not answered 2xx is sent again, the same bytes, until it is.
 * Never: queries the database; the books are compared through the API, and with the broker's own.
 */
import { assert } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { type Answer, waitUntil } from "../support/exchange.ts"
import { PostgresHost } from "../support/postgres-host.ts"
import { signalAll } from "../support/signals.ts"
import { stopwatch } from "../support/stopwatch.ts"
import { audit, rest } from "./audit.ts"
import type { Delivery, Try } from "./producer.ts"
import { alertBody } from "./service.ts"
import { World, type WorldOptions } from "./world.ts"

export type Outage = "stopped" | "killed" | "frozen"

export interface SpoolScene {
  readonly world: World
  readonly host: PostgresHost
  readonly dispose: () => Promise<void>
}

export const openScene = async (options: WorldOptions = {}): Promise<SpoolScene> => {
  const host = await PostgresHost.open()
  const world = await World.open({ ...options, database: { url: host.url } })
  return {
    world,
    host,
    dispose: async () => {
      signalAll(host.processes, "SIGCONT")
      await world.dispose()
      await host.end("SIGKILL")
      await host.dispose()
    }
  }
}

/** The database is away for so long, and for as long as `meanwhile` takes. */
export const away = async (
  { host }: SpoolScene,
  how: Outage,
  ms: number,
  meanwhile: () => Promise<void> = () => Promise.resolve()
): Promise<void> => {
  const frozen = how === "frozen" ? host.processes : []
  if (how === "frozen") signalAll(frozen, "SIGSTOP")
  else await host.end(how === "stopped" ? "SIGINT" : "SIGKILL")
  const ended = await Promise.allSettled([pause(ms), meanwhile()])
  if (how === "frozen") signalAll(frozen, "SIGCONT")
  else await host.start()
  for (const one of ended) if (one.status === "rejected") throw one.reason
}

/** Senders that post at a rate of their own, each one after the other. */
export class Senders {
  readonly deliveries: Array<Delivery> = []
  /** How long the slowest answer took, without what the machine stood still. */
  slowestMs = 0
  readonly #scene: SpoolScene
  readonly #running: ReadonlyArray<Promise<void>>
  #stopping = false

  constructor(scene: SpoolScene, count: number, perSecond: number) {
    this.#scene = scene
    const everyMs = (count * 1_000) / perSecond
    this.#running = Array.from({ length: count }, (_, index) => this.#send(`S${index}`, everyMs))
  }

  /** No new posts; waits for those that are under way. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#running)
  }

  /** How often each status was answered. */
  get statuses(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { tries } of this.deliveries)
      for (const { status } of tries) counts[status] = (counts[status] ?? 0) + 1
    return counts
  }

  async #send(symbol: string, everyMs: number): Promise<void> {
    let due = performance.now()
    while (!this.#stopping) {
      const tries: Array<Try> = []
      const delivery: Delivery = { source: "default", body: alertBody({ symbol }), tries, signalId: null }
      this.deliveries.push(delivery)
      await this.#deliver(delivery)
      due = Math.max(due + everyMs, performance.now() - 1_000)
      await pause(Math.max(0, due - performance.now()))
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { service } = this.#scene.world
    while (delivery.signalId === null) {
      const at = performance.now()
      const tookMs = stopwatch()
      const life = service.lives
      const answer = await service.post("/webhook", delivery.body, { deadlineMs: 5_000 }).catch(() => null)
      const status = answer?.status ?? 0
      this.slowestMs = Math.max(this.slowestMs, tookMs())
      delivery.tries.push({ at, until: performance.now(), status, lives: [life, service.lives] })
      if (answer !== null && status >= 200 && status < 300) delivery.signalId = String(answer.body.signal_id)
      else await pause(50)
    }
  }
}

/** The database has it, and the spool is empty. */
export const drained = ({ world }: SpoolScene, deadlineMs = 60_000): Promise<Answer["body"]> =>
  waitUntil(
    () => `the spool to be empty${world.service.tail()}`,
    async () => {
      if (!world.service.isRunning) return undefined
      const answer = await world.service.get("/api/v1/monitoring/spool").catch(() => null)
      return answer?.status === 200 && answer.body.posts === 0 && answer.body.state === "Idle"
        ? answer.body
        : undefined
    },
    deadlineMs
  )

/**
 * Signals of each sender are those it was answered, in the order in which it was. Their orders need not be: a signal that was
 * being decided when the database ended waits until its claim runs out, and younger ones are ordered before it.
 */
const assertOrder = async ({ world: { service } }: SpoolScene, deliveries: ReadonlyArray<Delivery>) => {
  const symbols = [...new Set(deliveries.map(({ body }) => String(body["symbol"])))]
  for (const symbol of symbols) {
    const sent = deliveries.filter(({ body }) => body["symbol"] === symbol).map(({ signalId }) => signalId)
    const signals = (await service.list("signals", `symbol=${symbol}`)).map(({ id }) => id).toReversed()
    assert.deepStrictEqual(signals, sent, `signals of ${symbol}, in order`)
    const orders = (await service.list("orders", `symbol=${symbol}`)).map((order) => order["signal_id"])
    assert.sameMembers(orders, sent, `orders of ${symbol}`)
  }
}

/** Every post that was answered 2xx is there once, was decided once, traded once, and in order. */
export const assertBooks = async (scene: SpoolScene, deliveries: ReadonlyArray<Delivery>): Promise<void> => {
  await rest(scene.world.service)
  assert.deepStrictEqual(await audit(scene.world, deliveries), [])
  await assertOrder(scene, deliveries)
}
