import { assert, describe, it } from "vitest"
import { createActor, fromCallback, SimulatedClock } from "xstate"
import { brokerMachine } from "../../../src/machines/execution/broker.machine.ts"

const input = {
  broker: "practice",
  connectMsMax: 10_000,
  retryFirstMs: 500,
  retryMsMax: 30_000,
  goodAfterMs: 30_000
}

const start = () => {
  const clock = new SimulatedClock()
  let opened = 0
  const actor = createActor(
    brokerMachine.provide({
      actors: {
        watchDatabase: fromCallback(() => undefined),
        venueBell: fromCallback(() => undefined),
        stream: fromCallback(() => {
          opened += 1
        })
      }
    }),
    { input, clock }
  )
  actor.start()
  actor.send({ type: "database.available" })
  return {
    actor,
    clock,
    opened: () => opened,
    context: () => actor.getSnapshot().context,
    ready: () => actor.getSnapshot().hasTag("ready"),
    waits: () => actor.getSnapshot().matches("BackingOff"),
    connect: () => actor.send({ type: "stream.connected" }),
    end: (code: number | null, jitter = 1) =>
      actor.send({ type: "stream.ended", code, reason: "bye", jitter, at: 1_000 })
  }
}

describe("the broker machine", () => {
  it("is ready only after the venue said hello", () => {
    const { ready, connect } = start()
    assert.isFalse(ready())
    connect()
    assert.isTrue(ready())
  })

  it("gives a connection up that says no hello in time", () => {
    const { clock, waits, context } = start()
    clock.increment(10_000)
    assert.isTrue(waits())
    assert.include(context().lastError, "hello")
  })

  for (const code of [1000, 1001, 1006, 1013, 4001, null]) {
    it(`[B2] any end opens the stream again, and code and reason stay visible [${code}]`, () => {
      const { connect, end, waits, clock, opened, context } = start()
      connect()
      end(code)
      assert.isTrue(waits())
      assert.deepInclude(context(), { closeCode: code, closeReason: "bye", nextAt: 1_500, attempt: 1 })
      clock.increment(500)
      assert.strictEqual(opened(), 2)
    })
  }

  it("waits twice as long with every failure, up to the cap, forever", () => {
    const { end, clock, context, opened } = start()
    const delays: Array<number> = []
    for (let n = 0; n < 12; n += 1) {
      end(1006)
      delays.push(context().delayMs)
      clock.increment(context().delayMs)
    }
    assert.deepStrictEqual(delays.slice(0, 4), [500, 1_000, 2_000, 4_000])
    assert.deepStrictEqual(delays.slice(-3), [30_000, 30_000, 30_000])
    assert.strictEqual(opened(), 13)
  })

  it("opens the stream at once when its venue says that it serves", () => {
    const { actor, end, opened } = start()
    end(null)
    actor.send({ type: "venue.serves" })
    assert.strictEqual(opened(), 2)
  })

  it("keeps the stream open while the database is away", () => {
    const { actor, connect, ready, opened } = start()
    connect()
    actor.send({ type: "database.unavailable" })
    assert.isTrue(ready())
    assert.strictEqual(opened(), 1)
  })

  it("draws its delay from the whole range", () => {
    const { end, context } = start()
    end(1006, 0.5)
    assert.strictEqual(context().delayMs, 250)
  })

  it("starts small again only after a connection that lived", () => {
    const flapping = start()
    for (let n = 0; n < 5; n += 1) {
      flapping.connect()
      flapping.clock.increment(29_999)
      flapping.end(1000)
      flapping.clock.increment(flapping.context().delayMs)
    }
    assert.isAbove(flapping.context().attempt, 4, "a short life is no good connection")
    flapping.connect()
    flapping.clock.increment(30_000)
    assert.strictEqual(flapping.context().attempt, 0)
  })

  it("counts fills that have to be fetched again, and stays live", () => {
    const { actor, connect, context, ready } = start()
    connect()
    actor.send({ type: "fills.missed", reason: "busy" })
    assert.strictEqual(context().fillsMissed, 1)
    assert.isTrue(ready())
  })

  it("ends only when it is asked to", () => {
    const { actor, connect } = start()
    connect()
    actor.send({ type: "broker.stop" })
    assert.strictEqual(actor.getSnapshot().status, "done")
  })
})
