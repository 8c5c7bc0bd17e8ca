/**
 * Commands about circuit breakers: an operator opens and closes them, whatever their calls say (E7).
 *
 * Promises: the row changes before anybody is notified, and decisions read the row; what an operator opens stays open until an
 * operator closes it; closing forgets the calls and the openings before it.
 * Never: asks who gives the command, or writes the audit (commands.ts does).
 */
import { Effect } from "effect"
import type { CommandRequest } from "../../domain/control/commands.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { type Breaker, breakerIds, byOperator } from "../../domain/orders/breaker.ts"
import { BreakerStore } from "../../layers/orders/breaker-store.port.ts"
import { Breakers } from "../../layers/orders/breakers.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { reportBreaker } from "../execution/breaker-report.ts"
import { notFound } from "./command-operations.ts"

const instant = (ms: number | null): string | null => (ms === null ? null : isoOf(ms))

/** As the list shows it. */
const rowOf = (breaker: Breaker) => {
  const { id, manual, numbers, openings, probes, reason, state } = breaker
  return {
    id,
    state,
    manual,
    reason,
    changed_by: breaker.changedBy,
    opened_at: instant(breaker.openedAtMs),
    cooldown_until: instant(breaker.cooldownUntilMs),
    openings,
    probes,
    numbers,
    changed_at: isoOf(breaker.changedAtMs)
  }
}

/** `breaker.open`, `breaker.close`. */
export const operateBreaker =
  (command: "open" | "close") =>
  ({ caller: { by }, reason, target: id }: CommandRequest<"breaker.open" | "breaker.close">) =>
    Effect.gen(function* () {
      const settings = yield* Config
      if (!breakerIds(settings).includes(id)) return yield* notFound
      const store = yield* BreakerStore
      const view = yield* Breakers
      const breaker = yield* store.operate(id, (before, nowMs) =>
        byOperator(before, command, { by, nowMs, reason })
      )
      view.change(breaker)
      yield* reportBreaker("root/http", breaker)
      return rowOf(breaker)
    })
