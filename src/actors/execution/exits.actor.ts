/**
 * Exits actor: stop losses, moving stops, profit targets and time stops, from the tick that reaches a price to the stored intent of an order.
 *
 * Promises: one exit of a position at a time, by its identity in the table; a tick that makes a share due is acted on at
 * once, and every share is checked at the latest after a poll.
 * Never: sends an order or decides a quantity; what a look does is exits-look.ts.
 */
import { Clock, Effect, Stream } from "effect"
import { exitLimits } from "../../domain/kernel/limits-execution.ts"
import { Market } from "../../layers/market/market.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { exitsMachine } from "../../machines/execution/exits.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { judgeTick, look, makeWatch, type Watch } from "./exits-look.ts"

/** Moves stops and judges shares by every tick in memory; only a share that may be due is worth a look. */
const watchTicks = (watch: Watch) =>
  streamActor("exits.ticks", ({ send }) =>
    Effect.gen(function* () {
      const market = yield* Market
      yield* Stream.runForEach(market.ticks, (tick) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          if (judgeTick(watch, market, tick, nowMs)) send({ type: "exit.due" })
        })
      )
    })
  )

const watchPositions = streamActor("exits.positions", ({ send }) =>
  Effect.flatMap(Wake, (wake) =>
    Effect.forever(
      Effect.andThen(
        // The machine polls by itself; a wait that ends without a bell is only one more look.
        wake.wait("positions", exitLimits.pollMs * 12),
        // The first fill is looked at at once; the bell of those that follow stays rung until the pause is over.
        Effect.andThen(
          Effect.sync(() => send({ type: "positions.changed" })),
          Effect.sleep(exitLimits.lookPauseMs)
        )
      )
    )
  )
)

/** The component `root/trading/exits`. */
export const exitsActor = () => (self: ChildSelf) =>
  Effect.gen(function* () {
    const watch = makeWatch(self.path)
    return yield* machineChild({
      machine: exitsMachine,
      input: {
        pollMs: exitLimits.pollMs,
        pollIdleMs: exitLimits.pollIdleMs,
        readMsMax: exitLimits.readMsMax,
        retryMs: exitLimits.retryMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        watchPositions,
        watchTicks: watchTicks(watch),
        look: effectActor("exits.look", () => look(watch))
      },
      stopEvent: { type: "exits.stop" },
      status: ({ context }) => ({
        detail: {
          positions: context.positions,
          exits: context.exits,
          unprotected: context.unprotected,
          unstopped: context.unstopped
        }
      })
    })(self)
  })
