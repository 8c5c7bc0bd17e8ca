import { assert, it } from "vitest"
import { createActor, fromCallback, fromPromise, SimulatedClock } from "xstate"
import { exitsMachine, type LookOutcome } from "../../../src/machines/execution/exits.machine.ts"

const input = { pollMs: 1_000, pollIdleMs: 3_000, readMsMax: 6_000, retryMs: 1_000 }
const nothing: LookOutcome = { positions: 1, exits: 0, unprotected: 0, unstopped: 0, pending: true }

it.each(["exit.due", "positions.changed"] as const)(
  "does not lose what happens during a look: it looks again at once [%s]",
  async (type) => {
    const waiting: Array<(outcome: LookOutcome) => void> = []
    const machine = exitsMachine.provide({
      actors: {
        watchDatabase: fromCallback(() => undefined),
        watchPositions: fromCallback(() => undefined),
        watchTicks: fromCallback(() => undefined),
        look: fromPromise(() => new Promise<LookOutcome>((resolve) => waiting.push(resolve)))
      }
    })
    const actor = createActor(machine, { input, clock: new SimulatedClock() })
    const answer = async (): Promise<void> => {
      waiting.shift()?.(nothing)
      await new Promise((resolve) => setImmediate(resolve))
    }
    actor.start()
    actor.send({ type: "database.available" })
    actor.send({ type })
    await answer()
    assert.strictEqual(actor.getSnapshot().value, "Looking")
    assert.lengthOf(waiting, 1)
    await answer()
    assert.strictEqual(actor.getSnapshot().value, "Watching")
    actor.stop()
  }
)

it.each([
  ["a second", true, 1_000],
  ["three seconds when nothing can become due by itself", false, 3_000]
] as const)("looks again after %s, and at once when a position changes", async (_after, pending, pauseMs) => {
  let looks = 0
  const machine = exitsMachine.provide({
    actors: {
      watchDatabase: fromCallback(() => undefined),
      watchPositions: fromCallback(() => undefined),
      watchTicks: fromCallback(() => undefined),
      look: fromPromise(() => {
        looks += 1
        return Promise.resolve({ ...nothing, pending })
      })
    }
  })
  const clock = new SimulatedClock()
  const actor = createActor(machine, { input, clock })
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  actor.start()
  actor.send({ type: "database.available" })
  await settle()
  clock.increment(pauseMs - 1)
  await settle()
  assert.strictEqual(looks, 1)
  clock.increment(1)
  await settle()
  assert.strictEqual(looks, 2)
  actor.send({ type: "positions.changed" })
  await settle()
  assert.strictEqual(looks, 3)
  actor.stop()
})
