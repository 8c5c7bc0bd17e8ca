/**
 * Breakers actor: the keeper of circuit breakers, one for all brokers and strategies of the installation in each process.
 *
 * Promises: a failed call is looked at within a fraction of a second; the view for health is forgotten when the database is away.
 * Never: checks an order; one look is breakers-look.ts, one probe breakers-probe.ts.
 */
import { Effect } from "effect"
import { breakerLimits } from "../../domain/kernel/breaker-limits.ts"
import { Breakers } from "../../layers/orders/breakers.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { breakersMachine } from "../../machines/execution/breakers.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { breakerFigures } from "./breakers-figures.ts"
import { type BreakerWatch, lookAtBreakers } from "./breakers-look.ts"
import { probeBreakers } from "./breakers-probe.ts"

/** A failure, a command or a probe. */
const watchBells = streamActor("breakers.bells", ({ send }) =>
  Effect.flatMap(Wake, (wake) =>
    Effect.forever(
      Effect.andThen(
        // The machine looks by itself; a wait that ends without a bell is only one more look.
        wake.wait("breakers", breakerLimits.lookIdleMs * 12),
        Effect.sync(() => send({ type: "breakers.rang" }))
      )
    )
  )
)

/** The component `root/trading/breakers`. */
export const breakersActor = () => (self: ChildSelf) =>
  Effect.gen(function* () {
    const view = yield* Breakers
    const figures = yield* Figures
    const watch: BreakerWatch = { path: self.path, compared: null }
    let changes = 0
    yield* Effect.acquireRelease(
      Effect.sync(() => figures.show(self.path, () => breakerFigures(view.current(), changes))),
      (withdraw) => Effect.sync(withdraw)
    )
    return yield* machineChild({
      machine: breakersMachine,
      input: {
        lookMs: breakerLimits.lookIdleMs,
        pauseMs: breakerLimits.lookPauseMs,
        readMsMax: breakerLimits.readMsMax,
        retryMs: breakerLimits.retryMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        watchBells,
        probe: probeBreakers(watch),
        look: effectActor("breakers.look", () => lookAtBreakers(watch))
      },
      actions: { forget: () => view.assign(null) },
      stopEvent: { type: "breakers.stop" },
      status: ({ context }) => {
        const { stopped, watched } = context
        changes = context.changes
        return { detail: { watched, stopped, changes } }
      }
    })(self)
  })
