import { assert, describe, it } from "vitest"
import { createActor, fromCallback, fromPromise, SimulatedClock } from "xstate"
import {
  type AccountingReport,
  type LookReport,
  type WaveCheck,
  wavesMachine
} from "../../../src/machines/feeds/waves.machine.ts"

const input = {
  periodMs: 900_000,
  firstLookMs: 1_000,
  lookEveryMs: 2_000,
  askAgainLooks: 5,
  callMsMax: 10_000,
  retryMs: 1_000
}
/** A deadline below that of a single call, so that a look without an answer does not come before it. */
const check: WaveCheck = { waveMs: 0, dueAtMs: 1_200_000, epoch: 1, deadlineMs: 8_000, late: false }
const nothingDue: AccountingReport = { check: null, wakeAtMs: 5, nextDueAtMs: 5, missed: 0 }
const due: AccountingReport = { ...nothingDue, check }
const seen = (report: Partial<LookReport> = {}): LookReport => ({
  owned: true,
  feedLive: true,
  dispatched: 0,
  found: 0,
  pending: 0,
  ...report
})
const never = <A>(): Promise<A> => new Promise<A>(() => undefined)

/** The machine over slots that answer from lists; an empty list never answers. */
const start = (
  script: {
    readonly accounts?: Array<AccountingReport | Error>
    readonly looks?: Array<LookReport | Error>
    readonly request?: () => Promise<void>
    readonly finish?: () => Promise<void>
    readonly giveUp?: () => Promise<void>
    readonly release?: () => Promise<void>
  } = {}
) => {
  const clock = new SimulatedClock()
  const calls: Array<string> = []
  const next = <A>(name: string, answers: Array<A | Error> = []) => {
    calls.push(name)
    const answer = answers.shift()
    if (answer === undefined) return never<A>()
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  }
  const called = (name: string, f: (() => Promise<void>) | undefined) => {
    calls.push(name)
    return f === undefined ? Promise.resolve() : f()
  }
  const machine = wavesMachine.provide({
    actors: {
      watchDatabase: fromCallback(() => undefined),
      account: fromPromise(({ input }) =>
        next(`account${input.outage ? " after an outage" : ""}`, script.accounts)
      ),
      wait: fromPromise(() => never<void>()),
      request: fromPromise(() => called("request", script.request)),
      pause: fromPromise(({ input }) => {
        calls.push(`pause ${input.maxMs}`)
        return Promise.resolve()
      }),
      look: fromPromise(() => next("look", script.looks)),
      finish: fromPromise(() => called("finish", script.finish)),
      giveUp: fromPromise(({ input }) => called(`give up ${input.failedChecks}`, script.giveUp)),
      release: fromPromise(() => called("release", script.release))
    }
  })
  const actor = createActor(machine, { input, clock })
  actor.start()
  actor.send({ type: "database.available" })
  return { actor, clock, calls, state: () => JSON.stringify(actor.getSnapshot().value).replaceAll('"', "") }
}
/** Promises of the slots settle in turns; twenty are more than any chain here has. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe("the waves machine", () => {
  it("looks after a second, then every two, and ends when all it found is settled", async () => {
    const { actor, calls, state } = start({
      accounts: [due, nothingDue],
      looks: [
        seen({ dispatched: 3, found: 3, pending: 3 }),
        seen({ found: 3, pending: 1 }),
        seen({ found: 3 })
      ]
    })
    await settle()
    assert.deepStrictEqual(calls, [
      "account after an outage",
      "request",
      "pause 1000",
      "look",
      "pause 2000",
      "look",
      "pause 2000",
      "look",
      "finish",
      "account"
    ])
    assert.strictEqual(state(), "Waiting")
    assert.deepInclude(actor.getSnapshot().context.counters, { done: 1, empty: 0 })
  })

  it("does not end on signals that only just came", async () => {
    const { state } = start({
      accounts: [due],
      looks: [seen({ dispatched: 2, found: 2 }), seen({ dispatched: 1, found: 3 })]
    })
    await settle()
    assert.strictEqual(state(), "{Checking:Dispatching}")
  })

  it.each([
    ["empty when the feed answered", () => Promise.resolve(), "finish"],
    ["given up when it did not", () => Promise.reject(new Error("silent")), "give up 1"]
  ] as const)("at the deadline a wave without a signal is %s", async (_name, request, last) => {
    const { calls, clock } = start({ accounts: [due], looks: [seen()], request })
    await settle()
    clock.increment(check.deadlineMs)
    await settle()
    assert.include(calls, last)
  })

  it("an answer is forgotten when the feed dies before anything came", async () => {
    const { calls, clock } = start({ accounts: [due], looks: [seen({ feedLive: false })] })
    await settle()
    clock.increment(check.deadlineMs)
    await settle()
    assert.include(calls, "give up 1")
  })

  it("asks again after five looks without a signal, and at once when the feed is live again", async () => {
    const silent = start({ accounts: [due], looks: Array.from({ length: 6 }, () => seen()) })
    await settle()
    assert.strictEqual(silent.calls.filter((call) => call === "request").length, 2)
    const back = start({
      accounts: [due],
      looks: [seen({ feedLive: false }), seen()],
      request: () => Promise.reject(new Error("away"))
    })
    await settle()
    assert.strictEqual(back.calls.filter((call) => call === "request").length, 2)
  })

  it("leaves a wave that another process has taken, and writes nothing about it", async () => {
    const { actor, calls, state } = start({ accounts: [due, nothingDue], looks: [seen({ owned: false })] })
    await settle()
    assert.strictEqual(state(), "Waiting")
    assert.notInclude(calls, "finish")
    assert.strictEqual(actor.getSnapshot().context.counters.lost, 1)
  })

  it("counts failed checks until one has an end, and is not ready meanwhile", async () => {
    const looks = [seen({ feedLive: false })]
    const { actor, calls, clock, state } = start({
      accounts: [due, due, due, nothingDue],
      looks,
      request: () => Promise.reject(new Error("away"))
    })
    for (const round of [1, 2]) {
      await settle()
      // What the next check sees; a look without an answer lasts until the deadline.
      looks.push(round === 1 ? seen({ feedLive: false }) : seen({ feedLive: false, found: 1 }))
      clock.increment(check.deadlineMs)
      await settle()
      assert.include(calls, `give up ${round}`)
    }
    clock.increment(check.deadlineMs)
    await settle()
    assert.strictEqual(state(), "Waiting")
    assert.strictEqual(actor.getSnapshot().context.failedChecks, 0)
    const behind = start({ accounts: [due, nothingDue], request: () => Promise.reject(new Error("away")) })
    await settle()
    behind.clock.increment(check.deadlineMs)
    await settle()
    assert.strictEqual(behind.state(), "Behind")
    assert.isFalse(behind.actor.getSnapshot().hasTag("ready"))
  })

  it.each(["Accounting", "Checking", "Done"])(
    "losing the database in %s is a state and not an end",
    async (where) => {
      const { actor, calls, state } = start({
        accounts: where === "Accounting" ? [] : [due],
        looks: where === "Done" ? [seen({ found: 1 }), seen({ found: 1 })] : [],
        finish: never
      })
      await settle()
      assert.isTrue(state().includes(where))
      actor.send({ type: "database.unavailable" })
      assert.strictEqual(state(), "WaitingForDatabase")
      assert.isNull(actor.getSnapshot().context.check)
      actor.send({ type: "database.available" })
      assert.strictEqual(calls.at(-1), "account after an outage")
    }
  )

  it("a call that fails or never answers is tried again after a pause", async () => {
    const failing = start({ accounts: [new Error("refused")] })
    await settle()
    assert.strictEqual(failing.state(), "BackingOff")
    assert.strictEqual(failing.actor.getSnapshot().context.lastError, "refused")
    failing.clock.increment(input.retryMs)
    assert.strictEqual(failing.state(), "Accounting")
    failing.clock.increment(input.callMsMax)
    assert.strictEqual(failing.state(), "BackingOff")
  })

  it.each([
    ["Waiting", [nothingDue], [], "Stopped"],
    ["Checking", [due], [], "Releasing"]
  ] as const)("a stop in %s", async (_where, accounts, looks, then) => {
    const { actor, state } = start({ accounts: [...accounts], looks: [...looks], release: never })
    await settle()
    actor.send({ type: "waves.stop" })
    assert.strictEqual(state(), then)
  })

  it("a stop while a wave is being ended lets it end, and takes no other", async () => {
    let end = (): void => undefined
    const { actor, calls, state } = start({
      accounts: [due, due],
      looks: [seen({ found: 1 }), seen({ found: 1 })],
      finish: () => new Promise((resolve) => void (end = resolve))
    })
    await settle()
    actor.send({ type: "waves.stop" })
    assert.strictEqual(state(), "Done")
    end()
    await settle()
    assert.strictEqual(actor.getSnapshot().status, "done")
    assert.strictEqual(calls.filter((call) => call.startsWith("account")).length, 1)
  })

  it("giving a wave back at the stop has a deadline", async () => {
    const { actor, clock } = start({ accounts: [due], release: never })
    await settle()
    actor.send({ type: "waves.stop" })
    clock.increment(input.callMsMax)
    assert.strictEqual(actor.getSnapshot().status, "done")
  })
})
