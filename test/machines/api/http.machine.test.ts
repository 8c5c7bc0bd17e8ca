import { assert, describe, it } from "vitest"
import { createActor, fromCallback, fromPromise, SimulatedClock } from "xstate"
import { httpMachine } from "../../../src/machines/api/http.machine.ts"

const input = { bindDeadlineMs: 1_000, drainDeadlineMs: 10_000, closeDeadlineMs: 2_000 }
const never = <A>(): Promise<A> => new Promise<A>(() => undefined)

interface Slots {
  readonly bind?: () => Promise<{ host: string; port: number }>
  readonly close?: () => Promise<{ finished: number; cut: number }>
}

/** The machine with its slots filled and a clock that only moves when told. */
const start = (slots: Slots = {}) => {
  const clock = new SimulatedClock()
  const errors: Array<unknown> = []
  const machine = httpMachine.provide({
    actors: {
      bind: fromPromise(slots.bind ?? (async () => ({ host: "127.0.0.1", port: 5003 }))),
      watch: fromCallback(() => undefined),
      close: fromPromise(slots.close ?? (async () => ({ finished: 2, cut: 1 })))
    }
  })
  const actor = createActor(machine, { input, clock })
  actor.subscribe({ error: (error) => void errors.push(error) })
  actor.start()
  return { actor, clock, errors, state: () => JSON.stringify(actor.getSnapshot().value) }
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe("the http machine", () => {
  it("listens when it is bound, drains when the stop is announced, closes when it is told", async () => {
    const { actor, state } = start()
    assert.strictEqual(state(), '"Binding"')
    await settle()
    assert.strictEqual(state(), '{"Serving":"Listening"}')
    assert.isTrue(actor.getSnapshot().hasTag("ready"))
    actor.send({ type: "stop.announced" })
    actor.send({ type: "stop.announced" })
    assert.strictEqual(state(), '{"Serving":"Draining"}')
    assert.isFalse(actor.getSnapshot().hasTag("ready"))
    actor.send({ type: "listener.close" })
    assert.strictEqual(state(), '"Closing"')
    await settle()
    assert.strictEqual(actor.getSnapshot().status, "done")
    assert.deepInclude(actor.getSnapshot().context, { finished: 2, cut: 1, port: 5003 })
  })

  it("ends with the error of its bind", async () => {
    const refused = Object.assign(new Error("port in use"), { _tag: "PortInUse" })
    const { actor, errors } = start({ bind: () => Promise.reject(refused) })
    await settle()
    assert.strictEqual(actor.getSnapshot().status, "error")
    assert.deepStrictEqual(errors, [refused])
  })

  it("ends as timed out when the bind never answers", () => {
    const { actor, clock, errors } = start({ bind: never })
    clock.increment(input.bindDeadlineMs)
    assert.strictEqual(actor.getSnapshot().status, "error")
    assert.deepInclude(errors[0] as object, { _tag: "BindTimedOut" })
  })

  it("closes by itself when nobody does after an announced stop", async () => {
    const { actor, clock, state } = start({ close: never })
    await settle()
    actor.send({ type: "stop.announced" })
    clock.increment(input.drainDeadlineMs)
    assert.strictEqual(state(), '"Closing"')
    clock.increment(input.closeDeadlineMs)
    assert.strictEqual(actor.getSnapshot().status, "done")
    assert.strictEqual(actor.getSnapshot().context.lastError, "closing took too long")
  })

  it("stops without binding when it is told to before", () => {
    const { actor } = start({ bind: never })
    actor.send({ type: "listener.close" })
    assert.strictEqual(actor.getSnapshot().status, "done")
  })
})
