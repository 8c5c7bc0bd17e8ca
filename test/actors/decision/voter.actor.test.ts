/** An endpoint of the user's own behind its breaker, on a virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { voterActor } from "../../../src/actors/decision/voter.actor.ts"
import type { Opinion } from "../../../src/domain/decision/agents.ts"
import { questionOf } from "../../../src/domain/decision/voter.ts"
import type { VoterSettings } from "../../../src/domain/kernel/settings-voters.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { VoterExchange, VoterFailed } from "../../../src/layers/decision/voter-exchange.port.ts"
import { voterLimits, Voters } from "../../../src/layers/decision/voters.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { nowMs, signal } from "../../domain/decision/decision-world.ts"

const settings: VoterSettings = {
  url: "http://127.0.0.1:1/",
  secret: Redacted.make("a secret"),
  deadlineMs: 500,
  shadowDeadlineMs: 50,
  confidenceMin: 0.5,
  onSilence: "deny",
  atOnceMax: 2,
  failuresMax: 3,
  cooldownMs: 10_000
}
const asked = { strategies: ["s1"], decides: true }
const question = questionOf(signal, asked, { mode: "PRACTICE", nowMs, symbol: "SPY", quote: null })
const yes: Opinion = { vote: "enter", confidence: 0.9, reasons: ["a test"] }
const refused = Effect.fail(new VoterFailed({ fault: "status", reason: "its answer was 500" }))

const openWorld = Effect.gen(function* () {
  const world = { asked: 0, answers: Effect.succeed(yes) as Effect.Effect<Opinion, VoterFailed> }
  const open = new Map<string, Alert>()
  const context = yield* Layer.build(
    Layer.mergeAll(
      Voters.layer,
      Layer.succeed(VoterExchange, {
        ask: () =>
          Effect.suspend(() => {
            world.asked += 1
            return world.answers
          })
      }),
      Layer.mock(Alerts, {
        raise: (alert) => Effect.sync(() => void open.set(alert.dedupKey, alert)),
        resolve: (keys) => Effect.sync(() => void (typeof keys === "string" && open.delete(keys))),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
  )
  const voters = yield* Effect.provide(Voters, context)
  const tree = yield* Effect.provide(
    startTree(
      supervisor({
        id: "root",
        children: [worker({ id: "voter:mine", start: voterActor("mine", settings) })]
      }),
      { stopDeadlineMs: 5_000 }
    ),
    context
  )
  const state = () => tree.snapshot().children[0]?.state
  /** Puts questions, lets time pass, and has what each came to. */
  const ask = (passMs = 0, count = 1) =>
    Effect.gen(function* () {
      const all = Array.from({ length: count }, () => voters.ask("mine", question, 500))
      const asking = yield* Effect.forkChild(Effect.all(all, { concurrency: "unbounded" }))
      yield* TestClock.adjust(passMs)
      return (yield* Fiber.join(asking)).map(({ reasons, vote }) => [vote, reasons[0]])
    })
  return { ask, open, state, tree, world }
})

describe("[D9] the voter of engine C", () => {
  it.effect("votes by its name, and some questions are out at the same time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, world } = yield* openWorld
        world.answers = Effect.delay(Effect.succeed(yes), 200)
        assert.deepStrictEqual(yield* ask(200, 2), [
          ["enter", "a test"],
          ["enter", "a test"]
        ])
        const five = yield* ask(500, 5)
        assert.deepStrictEqual(
          five.map(([vote]) => vote),
          ["enter", "enter", "enter", "enter", "abstain"],
          "the fifth has waited too long for its turn"
        )
        yield* TestClock.adjust(1_000)
        assert.strictEqual(world.asked, 7, "its answer still came; nobody was asked in vain after that")
      })
    )
  )

  it.effect("that fails three times in a row is left alone, tried with one question, and asked again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, open, state, world } = yield* openWorld
        world.answers = refused
        yield* ask()
        yield* ask()
        world.answers = Effect.succeed(yes)
        yield* ask()
        assert.strictEqual(state(), "Closed", "a vote in between ends the row")
        world.answers = refused
        for (let at = 0; at < 3; at += 1)
          assert.deepStrictEqual(yield* ask(), [["abstain", "its answer was 500"]])
        assert.strictEqual(state(), "Open")
        assert.deepInclude(open.get("voter.failing:mine"), { severity: "HIGH", kind: "voter.failing" })
        const before = world.asked
        assert.deepStrictEqual(yield* ask(), [
          ["abstain", "it is left alone after 3 failures: its answer was 500"]
        ])
        assert.strictEqual(world.asked, before)
        yield* TestClock.adjust(settings.cooldownMs)
        assert.strictEqual(state(), "Probing")
        assert.deepStrictEqual(yield* ask(), [["abstain", "its answer was 500"]])
        assert.strictEqual(state(), "Open", "one failure is enough now")
        yield* TestClock.adjust(settings.cooldownMs)
        world.answers = Effect.delay(Effect.succeed(yes), 100)
        assert.deepStrictEqual(yield* ask(100, 3), [
          ["enter", "a test"],
          ["abstain", "it is tried with another question"],
          ["abstain", "it is tried with another question"]
        ])
        assert.strictEqual(state(), "Closed")
        assert.strictEqual(open.size, 0)
      })
    )
  )

  it.effect("that hangs costs a decision its deadline, and one that does not run costs nothing", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, tree, world } = yield* openWorld
        world.answers = Effect.never
        assert.deepStrictEqual(yield* ask(500), [["abstain", "it did not answer within 500 ms"]])
        yield* tree.pause("root/voter:mine")
        assert.deepStrictEqual(yield* ask(), [["abstain", "it does not run"]])
      })
    )
  )

  it.effect("is put no more questions than can wait for it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, world } = yield* openWorld
        world.answers = Effect.never
        const all = yield* ask(500, voterLimits.waitingMax + 10)
        const crowded = all.filter(([, reason]) => reason === "too many questions wait for it")
        assert.isAtLeast(crowded.length, 8)
        assert.isTrue(all.every(([vote]) => vote === "abstain"))
      })
    )
  )
})
