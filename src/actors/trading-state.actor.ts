/**
 * Trading state actor: reads the state whenever it may have changed and keeps the process's view of it.
 *
 * Promises: the view is `null` from the moment the database is away until it was read again.
 * Never: writes the state.
 */
import { Effect } from "effect"
import { invariant } from "../domain/invariant.ts"
import { tradingStateLimits } from "../domain/limits.ts"
import { ReadStore } from "../layers/health/read-store.ts"
import { TradingState, type TradingStateName } from "../layers/health/trading-state.ts"
import { Wake } from "../layers/process/wake.ts"
import { tradingStateMachine } from "../machines/trading-state.machine.ts"
import type { ChildSelf } from "../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../runtime/machine-child.ts"
import { watchDatabase } from "./database-watch.ts"

const names: ReadonlyArray<TradingStateName> = ["ACTIVE", "REDUCING", "HALTED"]

const read = effectActor("trading-state.read", () =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const view = yield* TradingState
    const row = yield* reads.tradingState
    const state = names.find((name) => name === row["state"])
    invariant(state !== undefined, "the trading state row holds a known state", { row })
    view.assign(state)
    return state
  })
)

const watchChanges = streamActor("trading-state.watch", ({ send }) =>
  Effect.flatMap(Wake, (wake) =>
    Effect.forever(
      Effect.andThen(
        // The machine polls by itself; a wait that ends without a bell is only one more look.
        wake.wait("trading-state", tradingStateLimits.pollMs * 12),
        Effect.sync(() => send({ type: "tradingState.changed" }))
      )
    )
  )
)

/** The component `root/operators/trading-state`. */
export const tradingStateActor = (self: ChildSelf) =>
  Effect.flatMap(TradingState, (view) =>
    machineChild({
      machine: tradingStateMachine,
      input: {
        pollMs: tradingStateLimits.pollMs,
        retryMs: tradingStateLimits.retryMs,
        readDeadlineMs: tradingStateLimits.readMsMax
      },
      actors: { watchDatabase: watchDatabase(), watchChanges, read },
      actions: { forget: () => view.assign(null) },
      status: ({ context }) => ({ detail: { trading_state: context.state } })
    })(self)
  )
