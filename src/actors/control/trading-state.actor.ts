/**
 * Trading state actor: reads the state whenever it may have changed and keeps the process's view of it.
 *
 * Promises: the view is `null` from the moment the database is away until it was read again.
 * Never: writes the state.
 */
import { Effect } from "effect"
import { tradingStateLimits } from "../../domain/kernel/limits.ts"
import { TradingState } from "../../layers/control/trading-state.port.ts"
import { TradingStateStore } from "../../layers/control/trading-state-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { tradingStateMachine } from "../../machines/control/trading-state.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"

const read = effectActor("trading-state.read", () =>
  Effect.gen(function* () {
    const store = yield* TradingStateStore
    const view = yield* TradingState
    const rows = yield* store.read
    view.assign(new Map(rows.map(({ scope, state }) => [scope, state])))
    // The machine shows the state of all; the others are where somebody looks for an account or a strategy.
    return view.current() ?? "unknown"
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
