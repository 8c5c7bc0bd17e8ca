/** Which calls of a broker count for its circuit breaker, and as what. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { counted } from "../../../src/layers/venues/broker.counted.ts"
import { SendPermit } from "../../../src/layers/venues/broker.port.ts"
import { marketOrder } from "../../contracts/broker.contract.ts"
import { makeMemoryBroker, type Outcome } from "../../support/broker.memory.ts"

const open = () => {
  const twin = makeMemoryBroker()
  twin.setPrice("SPY", "100")
  const counts: Array<string> = []
  const broker = counted(twin.connection, {
    count: (breaker, kind, isFailure) =>
      void counts.push(`${breaker} ${kind} ${isFailure ? "failed" : "answered"}`)
  })
  return { twin, broker, counts }
}
const ordered = (end: string) => [`broker:memory orders ${end}`]

describe("a counted broker", () => {
  it.effect.each([
    ["an order that the venue has", { _tag: "answer" }, "answered"],
    ["a documented refusal", { _tag: "refuse", code: "market_closed", message: "-" }, "answered"],
    ["an order whose response is lost", { _tag: "lost", applied: true }, "failed"],
    ["an order that is lost", { _tag: "lost", applied: false }, "failed"],
    ["an order that did not leave", { _tag: "notSent" }, "failed"]
  ] as const)("counts %s", ([, outcome, end]: readonly [string, Outcome, string]) =>
    Effect.gen(function* () {
      const { broker, counts, twin } = open()
      twin.scriptCreate(outcome)
      yield* Effect.result(broker.create(marketOrder({ clientOrderId: "c-1" })))
      twin.scriptCancel(outcome)
      yield* Effect.result(broker.cancel("paper-1", "v-1"))
      assert.strictEqual(counts[0], ordered(end)[0])
      assert.lengthOf(counts, 2)
    })
  )

  it.effect("does not count what our own permit withheld, or what was interrupted", () =>
    Effect.gen(function* () {
      const { broker, counts, twin } = open()
      const create = broker.create(marketOrder({ clientOrderId: "c-1" }))
      twin.scriptCreate({ _tag: "notSent" })
      yield* Effect.result(Effect.provideService(create, SendPermit, () => false))
      twin.scriptCreate({ _tag: "delay", ms: 1_000 })
      const fiber = yield* Effect.forkChild(create, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isEmpty(counts)
    })
  )

  it.effect("counts every look-up apart from orders", () =>
    Effect.gen(function* () {
      const { broker, counts, twin } = open()
      const reads = [
        broker.findByClientOrderId("paper-1", "c"),
        broker.openOrders("paper-1"),
        broker.recentOrders("paper-1", new Date(0)),
        broker.fillsSince("paper-1", null),
        broker.positions("paper-1"),
        broker.balance("paper-1"),
        broker.activity
      ]
      for (const read of reads) yield* Effect.result(Effect.asVoid(read as Effect.Effect<unknown, unknown>))
      assert.deepStrictEqual(
        counts,
        reads.map(() => "broker:memory reads answered")
      )
      counts.length = 0
      twin.setReadable(false)
      for (const read of reads) yield* Effect.result(Effect.asVoid(read as Effect.Effect<unknown, unknown>))
      assert.deepStrictEqual(
        counts,
        reads.map(() => "broker:memory reads failed")
      )
    })
  )
})
