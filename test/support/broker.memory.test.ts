import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { makeMemoryBroker } from "./broker.memory.ts"
import type { BrokerEvent, CreateOrder } from "../../src/layers/venues/broker.port.ts"

const order = (over: Partial<CreateOrder> = {}): CreateOrder => ({
  clientOrderId: "c1",
  account: "paper-1",
  symbol: "SPY",
  side: "buy",
  type: "market",
  quantity: "2",
  limitPrice: null,
  stopPrice: null,
  timeInForce: "day",
  ...over
})

describe("memory broker: scripted outcomes", () => {
  it.effect(
    "an answer lost after the venue applied the create is unknown, and a look-up finds the order",
    () =>
      Effect.gen(function* () {
        const venue = makeMemoryBroker()
        venue.scriptCreate({ _tag: "lost", applied: true })
        const error = yield* Effect.flip(venue.connection.create(order()))
        assert.strictEqual(error._tag, "BrokerOutcomeUnknown")
        const found = yield* venue.connection.findByClientOrderId("paper-1", "c1")
        assert.isTrue(Option.isSome(found))
        assert.deepStrictEqual(venue.creates("c1"), { requests: 1, orders: 1 })
      })
  )

  it.effect("a request lost before the venue applied it is unknown, and no order exists", () =>
    Effect.gen(function* () {
      const venue = makeMemoryBroker()
      venue.scriptCreate({ _tag: "lost", applied: false })
      assert.strictEqual((yield* Effect.flip(venue.connection.create(order())))._tag, "BrokerOutcomeUnknown")
      assert.deepStrictEqual(venue.creates("c1"), { requests: 1, orders: 0 })
    })
  )

  it.effect("a create that is not sent is not counted as a request", () =>
    Effect.gen(function* () {
      const venue = makeMemoryBroker()
      venue.scriptCreate({ _tag: "notSent" })
      assert.strictEqual((yield* Effect.flip(venue.connection.create(order())))._tag, "BrokerNotSent")
      assert.deepStrictEqual(venue.creates("c1"), { requests: 0, orders: 0 })
    })
  )

  it.effect("a hanging create is unknown exactly at its deadline", () =>
    Effect.gen(function* () {
      const venue = makeMemoryBroker({ deadlineMs: 5_000 })
      venue.scriptCreate({ _tag: "hang", applied: true })
      const fiber = yield* Effect.forkChild(Effect.flip(venue.connection.create(order())))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 milli")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "BrokerOutcomeUnknown")
    })
  )

  it.effect("scripted outcomes are used once and in order, then the venue answers", () =>
    Effect.gen(function* () {
      const venue = makeMemoryBroker()
      venue.scriptCreate(
        { _tag: "refuse", code: "insufficient_funds", message: "too poor" },
        { _tag: "notSent" }
      )
      const first = yield* Effect.flip(venue.connection.create(order()))
      assert.isTrue(first._tag === "BrokerRefused" && first.code === "insufficient_funds" && !first.duplicate)
      assert.strictEqual((yield* Effect.flip(venue.connection.create(order())))._tag, "BrokerNotSent")
      assert.strictEqual((yield* venue.connection.create(order())).status, "open")
    })
  )

  it.effect("an order is invisible to look-ups while it propagates", () =>
    Effect.gen(function* () {
      const venue = makeMemoryBroker()
      venue.setInvisibleMs(1_000)
      yield* venue.connection.create(order())
      const look = venue.connection.findByClientOrderId("paper-1", "c1")
      assert.isTrue(Option.isNone(yield* look))
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.isSome(yield* look))
    })
  )

  it.effect(
    "held fills happen when the test says so, partly if asked, and the stream tells them in order",
    () =>
      Effect.gen(function* () {
        const venue = makeMemoryBroker()
        venue.holdFills(true)
        const events: Array<BrokerEvent> = []
        const fiber = yield* Effect.forkChild(
          Effect.flip(Effect.scoped(venue.connection.stream((e) => Effect.sync(() => void events.push(e))))),
          { startImmediately: true }
        )
        const placed = yield* venue.connection.create(order())
        yield* venue.fill(placed.venueOrderId, "0.5", "10")
        yield* venue.fill(placed.venueOrderId, undefined, "20")
        yield* TestClock.adjust(0)
        venue.endStreams(1000, "bye")
        const ended = yield* Fiber.join(fiber)
        assert.deepStrictEqual([ended.code, ended.reason], [1000, "bye"])
        assert.deepStrictEqual(
          events.map((e) => (e._tag === "OrderUpdated" ? e.order.status : e._tag)),
          ["Connected", "open", "Filled", "partially_filled", "Filled", "filled"]
        )
        const stored = venue.book.order(placed.venueOrderId)
        assert.deepStrictEqual([stored?.filledQuantity, stored?.averagePrice], ["2", "17.5"])
      })
  )
})
