/**
 * One look at all circuit breakers: stores what was counted, reads the windows, makes the changes that are due.
 *
 * Promises: a change is made once, whichever process sees it first; counts that could not be stored are kept for the next look;
 * the alerts follow the rows after a start, after a look or a probe that did not succeed, and after a change of what is watched.
 * Never: probes a venue (breakers-probe.ts does); decides by the view.
 */
import { Effect, Exit } from "effect"
import { breakerLimits } from "../../domain/kernel/breaker-limits.ts"
import { invariant } from "../../domain/kernel/invariant.ts"
import { breakerIds, nextOf, policyOf } from "../../domain/orders/breaker.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { BreakerStore } from "../../layers/orders/breaker-store.port.ts"
import { Breakers, type SeenBreaker } from "../../layers/orders/breakers.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import type { BreakersOutcome } from "../../machines/execution/breakers.machine.ts"
import { alertBreaker, BREAKER_ALERTS, reportBreaker } from "./breaker-report.ts"

/** What one incarnation of the keeper remembers. */
export interface BreakerWatch {
  readonly path: string
  /**
   * The ids whose rows the alerts were compared with; null: the alerts may not fit the rows. Those of earlier lives may not, nor
   * those of a change whose commit was not answered or whose report was interrupted.
   */
  compared: string | null
}

/** Runs a step that may change a row; when it does not succeed, the next look compares alerts with rows. */
export const comparedUnless = <A, E, R>(watch: BreakerWatch, step: Effect.Effect<A, E, R>) =>
  Effect.onExit(step, (exit) =>
    Effect.sync(() => {
      if (!Exit.isSuccess(exit)) watch.compared = null
    })
  )

/** Alerts of what is open, and the end of those whose breaker was closed, or is watched no longer. */
const compareAlerts = (watch: BreakerWatch, seen: ReadonlyMap<string, SeenBreaker>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const stopped = [...seen.values()].flatMap(({ breaker }) => (breaker.state === "CLOSED" ? [] : [breaker]))
    for (const breaker of stopped) yield* alertBreaker(watch.path, breaker)
    const keys = stopped.map(({ id }) => `${BREAKER_ALERTS}${id}`)
    yield* alerts.resolveAllBut(BREAKER_ALERTS, keys, "it is closed, or removed from the settings")
  })

const look = (watch: BreakerWatch) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const store = yield* BreakerStore
    const view = yield* Breakers
    const policies = new Map(
      breakerIds(settings).map((id) => {
        const policy = policyOf(settings, id)
        invariant(policy !== null, "every kind of breaker has limits", { id })
        return [id, policy] as const
      })
    )
    const watched = [...policies].map(([id, { windowMs }]) => ({ id, windowMs }))
    const counted = view.take()
    const { breakers, nowMs } = yield* store
      .look(watched, counted)
      .pipe(
        Effect.onExit((exit) => Effect.sync(() => (Exit.isSuccess(exit) ? undefined : view.putBack(counted))))
      )
    let changes = 0
    const seen = new Map<string, SeenBreaker>()
    for (const { breaker, counts } of breakers) {
      seen.set(breaker.id, { breaker, counts })
      const policy = policies.get(breaker.id)
      const change = policy === undefined ? null : nextOf(breaker, policy, counts, nowMs)
      if (change === null) continue
      const moved = yield* store.move(breaker, change)
      // Another process made it, or an operator came before: the next look shows which.
      if (moved === null) continue
      changes += 1
      seen.set(moved.id, { breaker: moved, counts })
      yield* reportBreaker(watch.path, moved)
    }
    view.assign(seen)
    const ids = JSON.stringify([...policies.keys()].toSorted())
    if (watch.compared !== ids) yield* compareAlerts(watch, seen)
    watch.compared = ids
    const stopped = [...seen.values()].filter(({ breaker }) => breaker.state !== "CLOSED")
    return {
      lookMs: stopped.length > 0 ? breakerLimits.lookMs : breakerLimits.lookIdleMs,
      watched: seen.size,
      stopped: Object.fromEntries(stopped.map(({ breaker: { id, state } }) => [id, state])),
      changes
    } satisfies BreakersOutcome
  })

export const lookAtBreakers = (watch: BreakerWatch) => comparedUnless(watch, look(watch))
