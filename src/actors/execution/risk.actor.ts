/**
 * Risk actor: checks profit and loss per scope and the stages of strategies periodically, after each fill and after each change of the
 * trading state.
 *
 * Promises: checks every 2 s while limits are set, every 10 s otherwise; a resume takes effect immediately.
 * Never: checks an order; one check is risk-look.ts and stage-look.ts.
 */
import { Clock, Effect } from "effect"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { riskMachine } from "../../machines/execution/risk.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { askBalances } from "./account-balance.ts"
import { lookAtRisk, makeRiskWatch } from "./risk-look.ts"
import { lookAtStages } from "./stage-look.ts"

/** A fill, or a change of the trading state: a resume must not wait for a poll. */
const watchBells = streamActor("risk.bells", ({ send }) =>
  Effect.flatMap(Wake, (wake) => {
    // The machine polls by itself; a wait that ends without a bell is only one more check.
    const bell = (name: "positions" | "trading-state") => wake.wait(name, riskLimits.lookIdleMs * 12)
    return Effect.forever(
      Effect.andThen(
        Effect.raceFirst(bell("positions"), bell("trading-state")),
        Effect.sync(() => send({ type: "risk.rang" }))
      )
    )
  })
)

/** The component `root/trading/risk`. */
export const riskActor = () => (self: ChildSelf) =>
  Effect.gen(function* () {
    const watch = makeRiskWatch(self.path)
    return yield* machineChild({
      machine: riskMachine,
      input: {
        lookMs: riskLimits.lookMs,
        pauseMs: riskLimits.lookPauseMs,
        readMsMax: riskLimits.readMsMax,
        retryMs: riskLimits.retryMs
      },
      actors: {
        watchDatabase: watchDatabase(),
        watchBells,
        askBalances: askBalances(self.path),
        look: effectActor("risk.look", () =>
          Effect.gen(function* () {
            const nowMs = yield* Clock.currentTimeMillis
            const risk = yield* lookAtRisk(watch, nowMs)
            const { lookMs, shadowed } = yield* lookAtStages(self.path, nowMs)
            return { ...risk, shadowed, lookMs: Math.min(risk.lookMs, lookMs) }
          })
        )
      },
      stopEvent: { type: "risk.stop" },
      status: ({ context: { scopes, shadowed, stopped, tripped, unknown } }) => ({
        detail: { scopes, stopped, tripped, unknown, shadowed }
      })
    })(self)
  })
