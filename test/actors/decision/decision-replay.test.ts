/** The runner of decision replays beside live trading: one at a time, and nothing at all while the process sheds it (E9, T15). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { decisionReplayRunner } from "../../../src/actors/decision/decision-replay.ts"
import type { StoredDecision } from "../../../src/domain/decision/decision-replay.ts"
import { decisionReplayLimits } from "../../../src/domain/kernel/limits-replay.ts"
import { SHED_ORDER } from "../../../src/domain/platform/resources.ts"
import { DecisionHistory } from "../../../src/layers/decision/decision-history.port.ts"
import { DecisionReplays } from "../../../src/layers/decision/decision-replays.port.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

/** From before facts were kept: counted, and nothing to be made again. */
const decision: StoredDecision = {
  signalId: "11111111-1111-8111-8111-111111111111",
  decidedAtMs: 0,
  engine: "A",
  experimentId: "default",
  variant: "A",
  outcome: "ordered",
  reason: null,
  checks: [],
  orders: [],
  facts: null
}
const PAGES = 5

/** The runner over a history of five pages, each of which takes ten milliseconds to read. */
const openWorld = Effect.gen(function* () {
  const read: Array<number> = []
  const history = Layer.succeed(DecisionHistory, {
    page: (_span, after) =>
      Effect.gen(function* () {
        yield* Effect.sleep(10)
        const page = Number(after ?? 0n) + 1
        read.push(page)
        return { decisions: [decision], next: page === PAGES ? null : BigInt(page) }
      })
  })
  const context = yield* Layer.build(
    Layer.mergeAll(
      Shedding.layer,
      DecisionReplays.layer.pipe(Layer.provide(layerEntropy)),
      history,
      Logger.layer([])
    )
  )
  yield* Effect.forkScoped(Effect.provide(decisionReplayRunner, context))
  const shedding = yield* Effect.provide(Shedding, context)
  const replays = yield* Effect.provide(DecisionReplays, context)
  const ask = () =>
    replays.submit({ fromMs: 0, toMs: 1, source: null, settings: settingsFrom() }) ?? assert.fail("full")
  return { read, shedding, ask, find: (id: string) => replays.find(id) ?? assert.fail("it is kept") }
})

describe("[E9] a decision replay", () => {
  it.effect("asks before each page: given up in between, it goes on where it was", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, find, read, shedding } = yield* openWorld
        const id = ask()
        yield* TestClock.adjust(15)
        assert.deepStrictEqual(read, [1])
        shedding.assign(SHED_ORDER)
        // The page that was asked for is read; the next one is not.
        yield* TestClock.adjust("10 minutes")
        const before = [...read]
        assert.isBelow(before.length, 3)
        assert.strictEqual(find(id).status, "running")
        assert.strictEqual(shedding.refused().get("replay"), 1, "a wait is one refusal, not one a second")
        // Something else returns first: a change that is no news for it.
        shedding.assign(["replay"])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(read, before)
        shedding.assign([])
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(read, [1, 2, 3, 4, 5])
        const done = find(id)
        assert.deepInclude(done, { status: "done", error: null })
        assert.strictEqual(done.result?.withoutFacts, PAGES)
      })
    )
  )

  it.effect("that is asked for while it is given up reads nothing, and one that waits too long says so", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, find, read, shedding } = yield* openWorld
        shedding.assign(["replay"])
        const [first, second] = [ask(), ask()]
        yield* TestClock.adjust(decisionReplayLimits.runMsMax + 1)
        assert.deepStrictEqual(read, [])
        assert.strictEqual(find(first).status, "failed")
        assert.isNotNull(find(first).error)
        assert.strictEqual(find(second).status, "running")
        shedding.assign([])
        yield* TestClock.adjust("1 minute")
        assert.deepInclude(find(second), { status: "done", decided: 0 })
      })
    )
  )

  it.effect("is not held up by what is given up before it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, find, shedding } = yield* openWorld
        shedding.assign(SHED_ORDER.slice(0, SHED_ORDER.indexOf("replay")))
        const id = ask()
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(find(id).status, "done")
        assert.strictEqual(shedding.refused().get("replay"), 0)
      })
    )
  )
})
