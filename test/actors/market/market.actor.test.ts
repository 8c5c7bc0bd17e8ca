import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { marketActor } from "../../../src/actors/market/market.actor.ts"
import { makeMemoryMarket, type MemoryMarket } from "../../support/market.memory.ts"
import { Market, marketLimits } from "../../../src/layers/market/market.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"

const withMarket = <A, E>(
  scenario: (world: {
    readonly market: MemoryMarket
    readonly state: () => string
    readonly ready: () => boolean
    readonly lastError: () => string | undefined
    readonly incarnation: () => number
  }) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const market = yield* makeMemoryMarket
    const spec = supervisor({ id: "root", children: [worker({ id: "market", start: marketActor })] })
    yield* Effect.gen(function* () {
      const tree = yield* startTree(spec, { stopDeadlineMs: 10_000 })
      const child = () => {
        const found = tree.snapshot().children[0]
        if (found === undefined) throw new Error("the market is not in the tree")
        return found
      }
      yield* scenario({
        market,
        state: () => child().state,
        ready: () => child().ready,
        lastError: () => child().lastError,
        incarnation: () => child().incarnation
      })
    }).pipe(Effect.provide(Layer.succeed(Market, market.service)))
  })

describe("market actor", () => {
  it.effect("is live only after the first tick", () =>
    withMarket(({ market, state, ready }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(0)
        assert.deepStrictEqual([state(), ready()], ["Connecting", false])
        yield* market.setPrice("SPY", "50")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual([state(), ready()], ["Live", true])
      })
    )
  )

  it.effect("silence makes it stale, a tick makes it live again, longer silence reconnects", () =>
    withMarket(({ market, state, ready, incarnation }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(0)
        yield* market.setPrice("SPY", "50")
        yield* TestClock.adjust(marketLimits.staleAfterMs - 1)
        assert.strictEqual(state(), "Live")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([state(), ready()], ["Stale", false])
        yield* market.setPrice("SPY", "51")
        yield* TestClock.adjust(0)
        assert.strictEqual(state(), "Live")
        yield* TestClock.adjust(marketLimits.staleAfterMs + marketLimits.staleMsMax)
        assert.strictEqual(state(), "BackingOff")
        yield* TestClock.adjust(marketLimits.retryMsFirst)
        assert.strictEqual(state(), "Connecting")
        assert.strictEqual(incarnation(), 1)
      })
    )
  )

  it.effect("an end of the feed backs off, longer each time, without a restart of the component", () =>
    withMarket(({ market, state, lastError, incarnation }) =>
      Effect.gen(function* () {
        for (const waitMs of [250, 500, 1_000]) {
          yield* TestClock.adjust(0)
          yield* market.setPrice("SPY", "50")
          yield* TestClock.adjust(0)
          yield* market.endFeed("closed by the provider")
          yield* TestClock.adjust(0)
          assert.deepStrictEqual([state(), lastError()], ["BackingOff", "closed by the provider"])
          yield* TestClock.adjust(waitMs - 1)
          assert.strictEqual(state(), "BackingOff")
          yield* TestClock.adjust(1)
          assert.strictEqual(state(), "Connecting")
        }
        assert.strictEqual(incarnation(), 1)
      })
    )
  )

  it.effect("a feed that was really up starts the backoff over", () =>
    withMarket(({ market, state }) =>
      Effect.gen(function* () {
        const fail = Effect.gen(function* () {
          yield* TestClock.adjust(0)
          yield* market.endFeed("closed")
          yield* TestClock.adjust(0)
        })
        yield* fail
        yield* TestClock.adjust(250)
        yield* fail
        yield* TestClock.adjust(500)
        for (let heard = 0; heard < marketLimits.ticksUntilStable; heard++) {
          yield* market.setPrice("SPY", "50")
          yield* TestClock.adjust(marketLimits.reportEveryMs)
        }
        yield* fail
        assert.strictEqual(state(), "BackingOff")
        yield* TestClock.adjust(250)
        assert.strictEqual(state(), "Connecting")
      })
    )
  )
})
