import { assert, describe, it } from "vitest"
import { createActor, fromCallback, fromPromise, SimulatedClock } from "xstate"
import {
  accountMachine,
  type AccountEvent,
  type LeaseOutcome,
  type StepOutcome
} from "../../../src/machines/execution/account.machine.ts"

const input = {
  account: "paper-1",
  takeLeaseMsMax: 20_000,
  retryFirstMs: 250,
  retryMsMax: 10_000,
  askAgainMsMax: 2_000,
  reconcileMsMax: 60_000,
  stepMsMax: 30_000,
  releaseMsMax: 5_000
}

interface Settled<A> {
  readonly answer: (value: A) => Promise<void>
  readonly fail: (error: unknown) => Promise<void>
}

/** The machine with slots that a test answers by hand, one call at a time. */
const start = () => {
  const clock = new SimulatedClock()
  const waiting = new Map<string, { resolve: (value: never) => void; reject: (error: unknown) => void }>()
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const byHand = <A>(name: string) =>
    fromPromise<A, Record<string, never>>(
      () => new Promise<A>((resolve, reject) => waiting.set(name, { resolve, reject }))
    )
  const calls = <A>(name: string): Settled<A> => ({
    answer: async (value) => {
      waiting.get(name)?.resolve(value as never)
      waiting.delete(name)
      await settle()
    },
    fail: async (error) => {
      waiting.get(name)?.reject(error)
      waiting.delete(name)
      await settle()
    }
  })
  const actor = createActor(
    accountMachine.provide({
      actors: {
        watchDatabase: fromCallback(() => undefined),
        waitInLine: fromCallback(() => undefined),
        watchLease: fromCallback(() => undefined),
        watchBells: fromCallback(() => undefined),
        resolveUnknown: fromCallback(() => undefined),
        sendReduces: fromCallback(() => undefined),
        takeLease: byHand<LeaseOutcome>("take"),
        reconcile: byHand<void>("reconcile"),
        executeNext: byHand<StepOutcome>("step"),
        releaseLease: byHand<void>("release")
      }
    }),
    { input, clock }
  )
  actor.start()
  const value = (): string => {
    const now: unknown = actor.getSnapshot().value
    return typeof now === "string"
      ? now
      : Object.entries(now as Record<string, string>)
          .flat()
          .join(".")
  }
  return {
    clock,
    value,
    actor,
    send: (...types: ReadonlyArray<Exclude<AccountEvent["type"], "orders.unresolved">>) => {
      for (const type of types) actor.send({ type })
    },
    take: calls<LeaseOutcome>("take"),
    reconcile: calls<void>("reconcile"),
    step: calls<StepOutcome>("step"),
    release: calls<void>("release"),
    asked: (name: string) => waiting.has(name)
  }
}

const taken: LeaseOutcome = { _tag: "Taken", fence: "7" }

/** Up to the first step, which is being waited for. */
const executing = async () => {
  const it = start()
  it.send("database.available")
  await it.take.answer(taken)
  await it.reconcile.answer()
  assert.strictEqual(it.value(), "Owning.Executing")
  return it
}

describe("the account machine", () => {
  it("reconciles before its first order", async () => {
    const { send, value, take, reconcile, asked } = start()
    assert.strictEqual(value(), "WaitingForDatabase")
    send("database.available")
    assert.strictEqual(value(), "TakingLease")
    await take.answer(taken)
    assert.strictEqual(value(), "Owning.Reconciling")
    assert.isFalse(asked("step"), "no order is looked for before the account is reconciled")
    await reconcile.answer()
    assert.isTrue(asked("step"))
  })

  it("stands by while another life owns the account, and asks again when it is told that it is free", async () => {
    const { send, value, take, clock, actor } = start()
    send("database.available")
    await take.answer({ _tag: "HeldByOther", owner: "node-b" })
    assert.strictEqual(value(), "Standby.InLine")
    assert.strictEqual(actor.getSnapshot().context.heldBy, "node-b")
    clock.increment(60_000)
    assert.strictEqual(value(), "Standby.InLine")
    send("lease.free")
    assert.strictEqual(value(), "Standby.Asking")
    await take.answer({ _tag: "HeldByOther", owner: "node-b" })
    assert.strictEqual(value(), "Standby.InLine")
  })

  it("is ready while it stands by, also in the moments of asking, and until it has to reconcile", async () => {
    const { send, value, take, actor } = start()
    const ready = () => actor.getSnapshot().hasTag("ready")
    send("database.available")
    assert.isFalse(ready())
    await take.answer({ _tag: "HeldByOther", owner: "node-b" })
    assert.isTrue(ready())
    send("lease.free")
    assert.isTrue(ready())
    await take.answer({ _tag: "Taken", fence: "8" })
    assert.strictEqual(value(), "Owning.Reconciling")
    assert.isFalse(ready())
    assert.isNull(actor.getSnapshot().context.heldBy)
  })

  it("stands by no longer when the asking fails or hangs: nobody knows then who holds the lease", async () => {
    for (const hangs of [false, true]) {
      const { send, value, take, clock, actor } = start()
      send("database.available")
      await take.answer({ _tag: "HeldByOther", owner: "node-b" })
      send("lease.free")
      if (hangs) clock.increment(20_000)
      else await take.fail(new Error("no answer"))
      assert.strictEqual(value(), "BackingOff")
      assert.isFalse(actor.getSnapshot().hasTag("ready"))
    }
  })

  it("goes on until nothing is left, then rests until a bell", async () => {
    const { send, value, step, clock } = await executing()
    await step.answer({ _tag: "Worked" })
    assert.strictEqual(value(), "Owning.Executing")
    await step.answer({ _tag: "Nothing" })
    assert.strictEqual(value(), "Owning.Idle")
    send("orders.waiting")
    assert.strictEqual(value(), "Owning.Executing")
    await step.answer({ _tag: "Nothing" })
    clock.increment(60_000)
    assert.strictEqual(value(), "Owning.Idle")
  })

  it("does not lose a bell that rings during its last look", async () => {
    const { send, value, step, asked } = await executing()
    send("orders.waiting")
    await step.answer({ _tag: "Nothing" })
    assert.strictEqual(value(), "Owning.Executing")
    assert.isTrue(asked("step"))
    await step.answer({ _tag: "Nothing" })
    assert.strictEqual(value(), "Owning.Idle")
  })

  for (const [event, next] of [
    ["lease.lost", "TakingLease"],
    ["database.unavailable", "WaitingForDatabase"],
    ["account.stop", "Releasing"],
    ["reconcile.wanted", "Owning.Reconciling"]
  ] as const) {
    it(`a step is never cut short: [${event}] waits for its end and then leads to ${next}`, async () => {
      const { send, value, step } = await executing()
      send(event)
      assert.strictEqual(value(), "Owning.Executing")
      await step.answer({ _tag: "Worked" })
      assert.strictEqual(value(), next)
    })
  }

  it("outside a step the same events act at once", async () => {
    for (const [event, next] of [
      ["lease.lost", "TakingLease"],
      ["database.unavailable", "WaitingForDatabase"],
      ["account.stop", "Releasing"],
      ["reconcile.wanted", "Owning.Reconciling"]
    ] as const) {
      const { send, value, step } = await executing()
      await step.answer({ _tag: "Nothing" })
      send(event)
      assert.strictEqual(value(), next, event)
    }
  })

  it("a database that is back before the step ends is not waited for", async () => {
    const { send, value, step } = await executing()
    send("database.unavailable", "database.available")
    await step.answer({ _tag: "Worked" })
    assert.strictEqual(value(), "Owning.Executing")
  })

  it("an error of a step begins with a new grant, which reconciles again", async () => {
    const { value, step, clock, take, asked } = await executing()
    await step.fail(new Error("busy"))
    assert.strictEqual(value(), "BackingOff")
    clock.increment(250)
    assert.strictEqual(value(), "TakingLease")
    await take.answer(taken)
    assert.strictEqual(value(), "Owning.Reconciling")
    assert.isFalse(asked("step"))
  })

  it("a broker that is away is asked again with a growing delay, at once when its stream is back", async () => {
    const { send, value, step, reconcile, clock } = await executing()
    await step.answer({ _tag: "BrokerAway", reason: "refused" })
    assert.strictEqual(value(), "Owning.BrokerAway")
    clock.increment(250)
    assert.strictEqual(value(), "Owning.Reconciling")
    await reconcile.fail(Object.assign(new Error("still away"), { _tag: "BrokerUnavailable" }))
    assert.strictEqual(value(), "Owning.BrokerAway")
    clock.increment(250)
    assert.strictEqual(value(), "Owning.BrokerAway", "the second delay is longer")
    send("reconcile.wanted")
    assert.strictEqual(value(), "Owning.Reconciling")
  })

  it("a broker that was away for long is asked again within the cap, and no order is looked for before it answers", async () => {
    const { value, step, reconcile, clock, asked } = await executing()
    await step.answer({ _tag: "BrokerAway", reason: "no answer to a create" })
    for (let round = 0; round < 12; round += 1) {
      assert.strictEqual(value(), "Owning.BrokerAway")
      assert.isFalse(asked("step"))
      clock.increment(input.askAgainMsMax)
      assert.strictEqual(value(), "Owning.Reconciling")
      await reconcile.fail(Object.assign(new Error("still away"), { _tag: "BrokerUnavailable" }))
    }
    clock.increment(input.askAgainMsMax)
    await reconcile.answer()
    assert.isTrue(asked("step"))
  })

  it("a reconnect during a reconciliation means one more", async () => {
    const { send, value, take, reconcile, asked } = start()
    send("database.available")
    await take.answer(taken)
    send("reconcile.wanted")
    await reconcile.answer()
    assert.strictEqual(value(), "Owning.Reconciling")
    assert.isTrue(asked("reconcile"))
    await reconcile.answer()
    assert.strictEqual(value(), "Owning.Executing")
  })

  for (const [state, bring, deadlineMs, next] of [
    [
      "TakingLease",
      async () => {
        const it = start()
        it.send("database.available")
        return it
      },
      20_000,
      "BackingOff"
    ],
    [
      "Owning.Reconciling",
      async () => {
        const it = start()
        it.send("database.available")
        await it.take.answer(taken)
        return it
      },
      60_000,
      "Owning.BrokerAway"
    ],
    ["Owning.Executing", executing, 30_000, "BackingOff"]
  ] as const) {
    it(`[${state}] has a deadline`, async () => {
      const { value, clock } = await bring()
      assert.strictEqual(value(), state)
      clock.increment(deadlineMs - 1)
      assert.strictEqual(value(), state)
      clock.increment(1)
      assert.strictEqual(value(), next)
    })
  }

  it("[T8] a stop gives the lease back and ends, also when that is not answered", async () => {
    const stopping = await executing()
    await stopping.step.answer({ _tag: "Nothing" })
    stopping.send("account.stop")
    await stopping.release.answer()
    assert.strictEqual(stopping.actor.getSnapshot().status, "done")
    const silent = await executing()
    await silent.step.answer({ _tag: "Nothing" })
    silent.send("account.stop")
    silent.clock.increment(5_000)
    assert.strictEqual(silent.actor.getSnapshot().status, "done")
  })

  it("[T7] ten minutes without a database are one state and no end", async () => {
    const { send, value, clock, step, actor } = await executing()
    await step.answer({ _tag: "Nothing" })
    send("database.unavailable")
    clock.increment(600_000)
    assert.strictEqual(value(), "WaitingForDatabase")
    assert.strictEqual(actor.getSnapshot().status, "active")
  })
})
