/**
 * Commands about the stage of a strategy: an operator makes a shadow of it, or lets it trade again (G5).
 *
 * Promises: the row changes before anybody is notified, and decisions and permits read the row; what an operator demoted no rule
 * promotes.
 * Never: lets a strategy trade that the settings call a shadow; asks who gives the command, or writes the audit (commands.ts does).
 */
import { Effect } from "effect"
import { CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import type { Stage } from "../../domain/orders/stage.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { StageStore } from "../../layers/orders/stage-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { STAGE_ALERTS } from "../execution/stage-look.ts"
import { notFound } from "./command-operations.ts"

/** `strategy.demote`, `strategy.promote`. */
export const setStage =
  (to: Stage) =>
  ({ caller: { by }, reason, target: name }: CommandRequest<"strategy.demote" | "strategy.promote">) =>
    Effect.gen(function* () {
      const { strategies } = yield* Config
      const strategy = Object.hasOwn(strategies, name) ? strategies[name] : undefined
      if (strategy === undefined) return yield* notFound
      if (to === "live" && strategy.stage === "shadow")
        return yield* new CommandRefused({
          kind: "conflict",
          reason: "shadow_by_settings",
          message: `strategies.${name}.stage is shadow: only the settings let it trade`
        })
      const store = yield* StageStore
      const wake = yield* Wake
      const row = yield* store.operate({ strategy: name, to, by, reason })
      const { changed, changedBy, since, stage } = row
      if (changed) {
        const because = `by ${by}${reason === null ? "" : `: ${reason}`}`
        const message =
          to === "shadow" ? `${name} is a shadow now, ${because}` : `${name} trades again, ${because}`
        yield* logEvent("info", to === "shadow" ? "strategy.demoted" : "strategy.promoted", message, {
          component: "root/http",
          strategy: name,
          by,
          reason
        })
        const alerts = yield* Alerts
        const dedupKey = `${STAGE_ALERTS}${name}`
        yield* alerts.resolve(dedupKey, message)
        if (to === "shadow")
          yield* alerts.raise({
            severity: "LOW",
            kind: "strategy.demoted",
            dedupKey,
            message,
            component: "root/http",
            detail: { strategy: name, stage, changed_by: by },
            standing: true,
            byOperator: true
          })
        // Its rules count from now on, and signals that wait are decided by what it is now.
        wake.notify("trading-state")
        wake.notify("orders")
      }
      return { strategy: name, stage, reason: row.reason, changed_by: changedBy, since }
    })
