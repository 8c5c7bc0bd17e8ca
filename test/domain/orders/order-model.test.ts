/** The order table and its functions against the reference model, over random lives of an order. */
import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, Result } from "effect"

import { decimal, zero } from "../../../src/domain/kernel/decimal.ts"
import { fillOrder } from "../../../src/domain/orders/fill.ts"
import {
  AT_VENUE,
  BLOCKS_SYMBOL,
  nextStatus,
  ORDER_EVENTS,
  ORDER_STATUSES,
  ORDER_TRANSITIONS,
  type OrderEvent,
  type OrderStatus,
  reportedEvent,
  RESOLUTIONS,
  resolutionEvents,
  surpriseOf,
  TERMINAL,
  VENUE_STATUSES
} from "../../../src/domain/orders/order.ts"
import { cancelStep } from "../../../src/layers/orders/order-operate.pg.ts"
import { OrderModel, OWN_STEPS, type Step } from "./order-model.ts"

const isLong = process.env["TEST_SIZE"] === "long"
const RUNS = isLong ? 200_000 : 12_000
const QUANTITY = 5
const STEPS_MAX = 26

/** Numbers that follow from a seed (mulberry32). */
const chooser = (seed: number) => {
  let state = seed >>> 0
  return (count: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count
  }
}

const steps: ReadonlyArray<Step> = [
  ...OWN_STEPS.map((own) => ({ own })),
  ...VENUE_STATUSES.map((venue) => ({ venue })),
  { venue: "complete" },
  { venue: "cancel_refused" },
  ...RESOLUTIONS.map((operator) => ({ operator })),
  { fill: 1 },
  { fill: 2 },
  { fill: QUANTITY }
]

/** What is real: a status, moved by the table, and the fills of the order. */
class Order {
  status: OrderStatus = "intended"
  filled = zero
  /** Pairs that were looked up, for the account of what was covered. */
  readonly pairs: Array<readonly [OrderStatus, OrderEvent]> = []

  /** False: illegal. */
  take(step: Step): boolean {
    if ("fill" in step) {
      const fill = { quantity: decimal(String(step.fill)), price: decimal("1") }
      const done = fillOrder(
        decimal(String(QUANTITY)),
        { filledQuantity: this.filled, averagePrice: null },
        fill
      )
      this.filled = done.filledQuantity
      return this.#move([done.event])
    }
    const hasFills = !BigDecimal.isZero(this.filled)
    if ("own" in step) return this.#move([`order.${step.own}`])
    if ("operator" in step) {
      const events = this.status === "needs_operator" ? resolutionEvents(step.operator, hasFills) : null
      return events !== null && this.#move(events)
    }
    if (step.venue === "complete") return this.#move(["order.filled"])
    if (step.venue === "cancel_refused") return this.#move(["order.cancel_refused"])
    return this.#move([reportedEvent(step.venue, hasFills)])
  }

  #move(events: ReadonlyArray<OrderEvent>): boolean {
    for (const event of events) {
      this.pairs.push([this.status, event])
      const next = nextStatus(this.status, event)
      if (Result.isFailure(next)) return false
      this.status = next.success
    }
    return true
  }
}

const cancels = {
  "order.withdrawn": "withdraws",
  "order.cancel_requested": "requests",
  done: "has_it",
  refused: "refused"
} as const

/** The surprise of a pair, by what a reader of a log would call one. */
const surpriseIn = (before: string, after: string, step: Step, isPart: boolean): string | null => {
  const trades = "fill" in step || ("venue" in step && step.venue === "complete")
  if ("fill" in step && before === "submitting") return "fill_before_ack"
  if (trades && (before === "cancelled" || before === "expired")) return "fill_after_cancel"
  if ("fill" in step || before !== after) return null
  return before === "partially_filled" && isPart ? null : "late_report"
}

/** Plays a story on both; answers what differs, null when nothing does. */
const difference = (story: ReadonlyArray<Step>, pairs?: Set<string>): string | null => {
  const model = new OrderModel(QUANTITY)
  const order = new Order()
  for (const [n, step] of story.entries()) {
    const before = order.status
    const fits = model.take(step)
    const isLegal = order.take(step)
    const at = `step ${n + 1} ${JSON.stringify(step)} of ${before}`
    if (fits !== isLegal) return `${at}: ${isLegal ? "legal" : "illegal"}, the model disagrees`
    if (order.status !== model.status) return `${at}: ${order.status}, the model says ${model.status}`
    const wrong = [
      ["filled", BigDecimal.equals(order.filled, decimal(String(model.booked)))],
      ["over", TERMINAL.has(order.status) === model.isOver],
      ["at the venue", AT_VENUE.has(order.status) === model.mayBeAtVenue],
      ["blocks its symbol", BLOCKS_SYMBOL.has(order.status) === model.blocksSymbol],
      ["cancel", (cancels as Readonly<Record<string, string>>)[cancelStep(order.status)] === model.cancel]
    ].find(([, agrees]) => agrees === false)
    if (wrong !== undefined) return `${at}: they disagree on: ${String(wrong[0])}`
    const [pair] = order.pairs.slice(-1)
    if (isLegal && pair !== undefined && !("operator" in step)) {
      const expected = surpriseIn(before, order.status, step, pair[1] === "order.partially_filled")
      const surprise = surpriseOf(...pair)
      if (surprise !== expected) return `${at}: the surprise is ${surprise}, and should be ${expected}`
    }
  }
  for (const [status, event] of order.pairs) pairs?.add(`${status} ${event}`)
  return null
}

/** The shortest story that is left when no single step can be taken out of it any more. */
const shrunk = (story: ReadonlyArray<Step>): ReadonlyArray<Step> => {
  for (let n = 0; n < story.length; n += 1) {
    const shorter = story.toSpliced(n, 1)
    if (difference(shorter) !== null) return shrunk(shorter)
  }
  return story
}

/** What ends most lives. */
const ENDS = new Set<string>([
  "denied",
  "withdrawn",
  "expired_unsent",
  "complete",
  "cancelled",
  "expired",
  "rejected",
  "over",
  String(QUANTITY)
])
const isEnd = (step: Step): boolean => Object.values(step).some((word) => ENDS.has(String(word)))

/** Mostly what fits, and seldom an end, so that lives are long; a third of all steps is anything. */
const storyOf = (seed: number): ReadonlyArray<Step> => {
  const choose = chooser(seed)
  const model = new OrderModel(QUANTITY)
  return Array.from({ length: 4 + choose(STEPS_MAX - 3) }, () => {
    const kind = choose(9)
    const fitting = kind < 2 ? [] : model.fitting(steps)
    const going = kind < 7 ? fitting.filter((step) => !isEnd(step)) : fitting
    const from = going.length > 0 ? going : fitting.length > 0 ? fitting : steps
    const step = from[choose(from.length)] ?? { fill: 1 }
    model.take(step)
    return step
  })
}

describe("an order and its reference model", () => {
  const first = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000_000))
  const runs = process.env["SEED"] === undefined ? RUNS : 1
  it(`[${runs} lives from seed ${first}] agree after every step: status, legality, fills, doubt, cancel`, () => {
    const pairs = new Set<string>()
    for (let run = 0; run < runs; run += 1) {
      const story = storyOf(first + run)
      if (difference(story, pairs) === null) continue
      const short = shrunk(story)
      assert.fail(
        `SEED=${first + run} npm test -- test/domain/orders/order-model.test.ts\n${difference(short)}\n${short.map((step) => JSON.stringify(step)).join("\n")}`
      )
    }
    if (runs < 10_000) return
    const legal = ORDER_STATUSES.flatMap((status) =>
      ORDER_EVENTS.filter((event) => ORDER_TRANSITIONS[status][event] !== undefined).map(
        (event) => `${status} ${event}`
      )
    )
    const missed = legal.filter((pair) => !pairs.has(pair))
    // A report that is made of a copy of the row from before its fill: order.test.ts does it.
    assert.deepStrictEqual(missed, ["partially_filled order.acked"], "every other legal pair was met")
    assert.isAtLeast(pairs.size, 300, `${pairs.size} of ${ORDER_STATUSES.length * ORDER_EVENTS.length} pairs`)
  }, 180_000)
})
