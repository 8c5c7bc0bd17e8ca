/** Looks at closes that ended short, on the virtual clock: when each is followed by another. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { judgePartials, type PausesUntil } from "../../../src/actors/execution/exits-partial.ts"
import { exitLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { AccountLeases } from "../../../src/layers/accounts/accounts-lease.port.ts"
import {
  type CompensationOutcome,
  OrdersStore,
  type PartialOrder,
  type StoredOrder
} from "../../../src/layers/orders/orders-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { testSettings } from "../../integration/execution-world.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { layerEntropy } from "../../support/entropy.ts"

const short = { id: "o-1", account: "paper-1", symbol: "SPY", strategy: "default", signalId: null }
// Not all columns: only these are read.
const order = short as unknown as StoredOrder
const partial: PartialOrder = { order, isOver: true, isCompensation: true, idleMs: 0 }

it.effect(
  "waits longer after each close that was tried, not after a look that stored none, and forgets",
  () =>
    Effect.gen(function* () {
      let tried = 0
      let outcome: CompensationOutcome = { _tag: "Later", why: "an exit of its position is alive" }
      const context = yield* Layer.build(
        Layer.mergeAll(
          AccountLeases.layer,
          layerEntropy,
          Layer.succeed(Config, testSettings()),
          Layer.mock(OrdersStore, {
            partials: () => Effect.succeed([partial]),
            compensate: () =>
              Effect.sync(() => {
                tried += 1
                return outcome
              })
          }),
          alertsQueue.pipe(Layer.provideMerge(Wake.layer))
        )
      )
      const leases = yield* Effect.provide(AccountLeases, context)
      leases.hold({
        grant: { account: "paper-1", owner: "node-a/boot", fence: 1n },
        mayWrite: () => true,
        remainingMs: () => 1_000,
        giveUp: () => undefined
      })
      const pauses: PausesUntil = new Map()
      const look = Effect.gen(function* () {
        const before = tried
        yield* Effect.provide(judgePartials("root/trading/exits", ["paper-1"], pauses), context)
        return tried > before
      })
      for (let n = 0; n < 5; n += 1) assert.isTrue(yield* look, `look ${n} while another exit is alive`)
      outcome = { _tag: "Intended", order }
      assert.isTrue(yield* look)
      assert.isFalse(yield* look, "it was tried just now")
      yield* TestClock.adjust(exitLimits.againFirstMs)
      assert.isTrue(yield* look)
      yield* TestClock.adjust(exitLimits.againFirstMs)
      assert.isFalse(yield* look, "the second pause is longer")
      yield* TestClock.adjust(exitLimits.againMsMax * 3)
      assert.isTrue(yield* look)
      yield* TestClock.adjust(exitLimits.againFirstMs)
      assert.isTrue(yield* look, "what failed long ago is forgotten")
    })
)
