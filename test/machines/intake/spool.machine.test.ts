import { assert, describe, it } from "vitest"
import { type AnyActorLogic, createActor, fromCallback, SimulatedClock } from "xstate"
import { spoolMachine } from "../../../src/machines/intake/spool.machine.ts"

const input = { openDeadlineMs: 60_000, retryMs: 1_000, proveEveryMs: 5_000, closeDeadlineMs: 1_500 }

/** Work that is done before whoever began it goes on, as an effect without an asynchronous step is. */
const atOnce = (output: () => number): AnyActorLogic =>
  ({
    getInitialSnapshot: () => ({ status: "done", output: output(), error: undefined, input: undefined }),
    transition: (snapshot: unknown) => snapshot,
    getPersistedSnapshot: (snapshot: unknown) => snapshot
  }) as unknown as AnyActorLogic

/** The machine over a drain that takes no time and moves what `moved` says. */
const start = (moved: () => number) => {
  const clock = new SimulatedClock()
  const idle = fromCallback(() => undefined) as never
  const counted = { drains: 0 }
  const drain = atOnce(() => {
    counted.drains += 1
    // A loop would otherwise end the test by never ending.
    if (counted.drains > 50) throw new Error("it drains and drains")
    return moved()
  })
  const actor = createActor(
    spoolMachine.provide({
      actors: {
        watchDatabase: idle,
        write: idle,
        prove: idle,
        flush: idle,
        open: atOnce(() => 0) as never,
        drain: drain as never
      }
    }),
    { input, clock }
  )
  actor.start()
  const state = () => actor.getSnapshot().value
  const changed = (isHolding: boolean, fault: "full" | "failed" | null = null) =>
    actor.send({ type: "spool.changed", isHolding, fault, error: fault })
  return { actor, changed, clock, counted, state }
}

describe("a drain that moves nothing although the spool holds posts", () => {
  it.each([null, "full", "failed"] as const)(
    "is tried again after a pause: the process does nothing else meanwhile otherwise [%s]",
    (fault) => {
      const { actor, changed, clock, counted, state } = start(() => 0)
      changed(true, fault)
      actor.send({ type: "database.available" })
      assert.deepStrictEqual([state(), counted.drains], ["BackingOff", 1])
      assert.include(actor.getSnapshot().context.lastError, "none could be taken out")
      clock.increment(input.retryMs)
      assert.deepStrictEqual([state(), counted.drains], ["BackingOff", 2])
      changed(false, fault)
      clock.increment(input.retryMs)
      assert.deepStrictEqual(
        [state(), counted.drains],
        [fault === null ? "Idle" : fault === "full" ? "Full" : "Failed", 2]
      )
    }
  )
})

describe("a drain", () => {
  it("that has moved posts goes on at once with those that came meanwhile", () => {
    let left = 3
    const { actor, changed, counted, state } = start(() => {
      left -= 1
      if (left === 0) changed(false)
      return 1
    })
    changed(true)
    actor.send({ type: "database.available" })
    assert.deepStrictEqual([state(), counted.drains], ["Idle", 3])
  })
})
