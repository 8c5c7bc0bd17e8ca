/**
 * A witness of `/health`: polls all the time, and reports afterwards where an answer was not true.
 *
 * A single answer may be overtaken by an event while it is on its way; so `ready` is only called a lie when the same
 * life of the process refused a post before it, refused one after it, and took none in between. A post that waited for
 * its commit and was refused at the deadline proves a slow moment, not a state: refusals count when they are quick,
 * or when nothing has been taken for longer than the service may need to notice.
 *
 * Promises: every contradiction is a sentence with the answer it is about.
 * Never: judges an answer by anything but what a caller saw.
 */
import { setTimeout as pause } from "node:timers/promises"
import type { Answer } from "../support/exchange.ts"
import type { Try } from "./producer.ts"
import type { Service } from "./service.ts"

interface Component {
  readonly ready: boolean
  readonly detail?: { readonly lease_left_ms?: number | null }
}

interface Sample {
  readonly at: number
  readonly until: number
  readonly life: number
  readonly answer: Answer
}

/** Time a change needs from the answer of a post to the answer of the next health request. */
const graceMs = 100
/** A refusal that was not waited for. A commit has 1.5 s. */
const quickMsMax = 1_000
/** Whatever is wrong with the database is noticed by then. */
const noticedMsMax = 10_000

export class HealthWatch {
  readonly samples: Array<Sample> = []
  readonly #service: Service
  readonly #everyMs: number
  #stopping = false
  #running: Promise<void> = Promise.resolve()

  constructor(service: Service, everyMs = 50) {
    this.#service = service
    this.#everyMs = everyMs
  }

  start(): void {
    this.#running = this.#watch()
  }
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  async #watch(): Promise<void> {
    while (!this.#stopping) {
      const at = performance.now()
      const life = this.#service.lives
      // A process that is dead or frozen says nothing, which is not a lie.
      const answer = await this.#service.get("/health", { deadlineMs: 3_000 }).catch(() => null)
      if (answer !== null && life === this.#service.lives)
        this.samples.push({ at, until: performance.now(), life, answer })
      await pause(this.#everyMs)
    }
  }

  /** The slowest answer, milliseconds. */
  get slowestMs(): number {
    return Math.max(0, ...this.samples.map(({ at, until }) => until - at))
  }

  /** Every answer that contradicts itself, the table of T2, or what posts were answered around it. */
  lies(posts: ReadonlyArray<Try>): ReadonlyArray<string> {
    return this.samples.flatMap((sample) =>
      [...contradictions(sample.answer), ...this.#refusedAround(sample, posts)].map(
        (lie) => `${lie}: ${sample.answer.text.slice(0, 1_500)}`
      )
    )
  }

  #refusedAround(sample: Sample, posts: ReadonlyArray<Try>): ReadonlyArray<string> {
    if (sample.answer.body?.ready !== true) return []
    const same = posts.filter(({ lives: [from, to] }) => from === sample.life && to === sample.life)
    const refused = same.filter(({ status }) => status === 503)
    const taken = same.filter(({ status }) => status < 300 && status > 0)
    const lie = ["ready while posts were refused before and after"]
    const quick = refused.filter(({ at, until }) => until - at < quickMsMax)
    const before = quick.findLast(({ until }) => until + graceMs < sample.at)
    const after = quick.find(({ at }) => at > sample.until + graceMs)
    if (before !== undefined && after !== undefined)
      if (!taken.some(({ at, until }) => until > before.at && at < after.until)) return lie
    const lastTaken = taken.findLast(({ until }) => until < sample.at)?.until ?? Number.NEGATIVE_INFINITY
    const first = refused.find(({ at }) => at > lastTaken)
    if (first === undefined || sample.at - first.until <= noticedMsMax) return []
    // Ready again after a long outage is true from its first answer on, before any post could show it; the next one does.
    const [next] = same
      .filter(({ at, status }) => status !== 0 && at > sample.until + graceMs)
      .toSorted((a, b) => a.at - b.at)
    return next?.status === 503 ? lie : []
  }
}

/** What no answer of `/health` may say, whatever the situation (T2). */
const contradictions = ({ status, body }: Answer): ReadonlyArray<string> => {
  const lies: Array<string> = []
  const claim = (holds: boolean, lie: string): void => {
    if (!holds) lies.push(lie)
  }
  if (typeof body?.status !== "string") return [`not a health document, ${status}`]
  const good = body.status === "healthy" || body.status === "degraded"
  claim((status === 200) === good, `${body.status} with status ${status}`)
  claim(!body.can_trade || body.ready, "can trade without being ready")
  claim(!good || body.ready, `${body.status} without being ready`)
  claim(
    !(body.status === "starting" || body.status === "stopping") || !body.ready,
    `${body.status} and ready`
  )
  const components: Readonly<Record<string, Component>> = body.components
  const over = Object.entries(components).flatMap(([name, { detail, ready }]) =>
    ready && typeof detail?.lease_left_ms === "number" && detail.lease_left_ms <= 0 ? [name] : []
  )
  claim(over.length === 0, `${over.join(", ")} ready although its lease is over`)
  const unready = Object.entries(components)
    .filter(([, component]) => !component.ready)
    .map(([name]) => name)
  claim(body.status !== "healthy" || unready.length === 0, `healthy while ${unready.join(", ")} is not ready`)
  return lies
}
