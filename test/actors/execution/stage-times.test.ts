/** The histogram of the stages of an order (G10): each counted once, from instants that this process saw. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import {
  MEASURED_STAGES,
  type MeasuredStage,
  noteAcked,
  noteEnded,
  noteFilled,
  noteSent,
  noteStage
} from "../../../src/actors/execution/stage-times.ts"
import { executionLimits } from "../../../src/domain/kernel/limits-execution.ts"
import type { StoredOrder } from "../../../src/layers/orders/orders-store.port.ts"

const decidedMs = 1_800_000_000_000
let orders = 0
/** An order of a signal, decided at `decidedMs` and sent 20 ms later. */
const orderOf = (more: Partial<StoredOrder> = {}): StoredOrder =>
  ({
    id: `stage-times-${(orders += 1)}`,
    signalId: "s",
    account: "paper-1",
    sends: 1,
    status: "submitting",
    createdAt: new Date(decidedMs),
    sentAt: new Date(decidedMs + 20),
    ...more
  }) as unknown as StoredOrder
const filled = (order: StoredOrder): StoredOrder => ({ ...order, status: "filled" })

/** How many samples a stage has, and their sum in milliseconds. */
const counted = Effect.map(Metric.snapshot, (all) => {
  const found = new Map<string, readonly [number, number]>()
  for (const { attributes, id, state } of all) {
    if (id !== "holdfast_stage_seconds") continue
    const { count, sum } = state as { readonly count: number; readonly sum: number }
    found.set(String(attributes?.["stage"]), [count, Math.round(sum * 1_000)])
  }
  return (stage: MeasuredStage): readonly [number, number] => found.get(stage) ?? [0, 0]
})

const ownRegistry = Layer.sync(Metric.MetricRegistry, () => new Map())
const scene = (name: string, body: Effect.Effect<void>) =>
  it.effect(name, () =>
    Effect.andThen(TestClock.setTime(decidedMs + 20), body).pipe(Effect.provide(ownRegistry))
  )

describe("the stages of an order", () => {
  scene(
    "are counted from its decision to its last fill",
    Effect.gen(function* () {
      const order = orderOf()
      yield* noteStage("fired_to_received", 1_500)
      yield* noteStage("received_to_decided", 3)
      yield* noteSent(order)
      yield* TestClock.adjust(5)
      yield* noteAcked(order)
      yield* TestClock.adjust(7)
      // A part of it is no end.
      yield* noteFilled({ ...order, status: "partially_filled" })
      yield* TestClock.adjust(4)
      yield* noteFilled(filled(order))
      const of = yield* counted
      assert.deepStrictEqual(
        MEASURED_STAGES.map((stage) => of(stage)),
        [
          [1, 1_500],
          [1, 3],
          [1, 20],
          [1, 5],
          [1, 11]
        ]
      )
    })
  )

  scene(
    "are counted once, whatever the venue says again, and another send is none of its own",
    Effect.gen(function* () {
      const order = orderOf()
      yield* noteSent(order)
      yield* noteAcked(order)
      yield* TestClock.adjust(3)
      yield* noteAcked(order)
      yield* noteSent({ ...order, sends: 2 })
      yield* noteFilled(filled(order))
      yield* noteFilled(filled(order))
      const of = yield* counted
      assert.deepStrictEqual(of("sent_to_acked"), [1, 0])
      assert.deepStrictEqual(of("acked_to_filled"), [1, 3])
      assert.deepStrictEqual(of("decided_to_sent"), [1, 20])
    })
  )

  scene(
    "that a fill overtook, that ended unfilled or that began elsewhere are left out",
    Effect.gen(function* () {
      const [overtaken, ended, elsewhere] = [orderOf(), orderOf(), orderOf()]
      yield* noteSent(overtaken)
      yield* noteFilled(filled(overtaken))
      yield* noteAcked(overtaken)
      yield* noteSent(ended)
      yield* noteAcked(ended)
      yield* noteEnded(ended)
      yield* noteFilled(filled(ended))
      yield* noteAcked(elsewhere)
      yield* noteFilled(filled(elsewhere))
      const of = yield* counted
      assert.deepStrictEqual([of("sent_to_acked")[0], of("acked_to_filled")[0]], [1, 0])
    })
  )

  scene(
    "are those of signals alone: not of exits, not of the canary",
    Effect.gen(function* () {
      for (const order of [orderOf({ signalId: null }), orderOf({ account: "canary" })]) {
        yield* noteSent(order)
        yield* noteAcked(order)
        yield* noteFilled(filled(order))
      }
      const of = yield* counted
      assert.deepStrictEqual(
        MEASURED_STAGES.map((stage) => of(stage)[0]),
        [0, 0, 0, 0, 0]
      )
    })
  )

  scene(
    "are never less than nothing, and the oldest are forgotten when too many are on their way",
    Effect.gen(function* () {
      yield* noteStage("fired_to_received", -40)
      const first = orderOf()
      yield* noteSent(first)
      for (let n = 0; n < executionLimits.onTheWayMax; n += 1) yield* noteSent(orderOf())
      yield* noteAcked(first)
      const of = yield* counted
      assert.deepStrictEqual(of("fired_to_received"), [1, 0])
      assert.deepStrictEqual(of("sent_to_acked"), [0, 0])
    })
  )
})
