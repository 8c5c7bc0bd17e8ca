/**
 * What everybody learns of a breaker that changed: a log line, its alert, and the bells of those who wait for it.
 *
 * One place for the keeper, the prober and the commands, because a change means the same to operators whoever made it.
 *
 * Promises: an alert lasts from the opening to the closing, HIGH by a rule and LOW by an operator; whatever an open breaker held
 * is looked at again when it changes.
 * Never: changes a breaker.
 */
import { Effect } from "effect"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import type { Breaker } from "../../domain/orders/breaker.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** The alerts of all breakers begin with this. */
export const BREAKER_ALERTS = "breaker.open:"

const untilOf = ({ cooldownUntilMs, manual }: Breaker): string => {
  if (manual) return "until an operator closes it"
  return cooldownUntilMs === null ? "until probes pass" : `at least until ${isoOf(cooldownUntilMs)}`
}

const becauseOf = ({ changedBy, reason }: Pick<Breaker, "changedBy" | "reason">): string =>
  `by ${changedBy}${reason === null ? "" : `: ${reason}`}`

/** Raises the alert of a breaker that is not closed; a repetition while it is open raises its count. */
export const alertBreaker = (component: string, breaker: Breaker) =>
  Alerts.use((alerts) => {
    const { changedBy, id, manual, numbers, openings, state } = breaker
    return alerts.raise({
      severity: manual ? "LOW" : "HIGH",
      kind: "breaker.open",
      dedupKey: `${BREAKER_ALERTS}${id}`,
      message: `the circuit breaker ${id} is ${state} ${becauseOf(breaker)}; entries are denied ${untilOf(breaker)}`,
      component,
      detail: { ...numbers, breaker: id, state, changed_by: changedBy, openings },
      standing: true,
      ...(manual ? { byOperator: true } : {})
    })
  })

const events = { OPEN: "breaker.opened", HALF_OPEN: "breaker.half_open", CLOSED: "breaker.closed" } as const

export const reportBreaker = (component: string, breaker: Breaker) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const wake = yield* Wake
    const { changedBy, id, manual, numbers, openings, reason, state } = breaker
    const because = becauseOf(breaker)
    yield* logEvent(
      state === "OPEN" && !manual ? "warn" : "info",
      events[state],
      `${id} is ${state} ${because}`,
      {
        ...numbers,
        component,
        breaker: id,
        state,
        by: changedBy,
        reason,
        openings
      }
    )
    const key = `${BREAKER_ALERTS}${id}`
    if (state === "CLOSED") yield* alerts.resolve(key, `${id} was closed ${because}`)
    // An operator's is another outbreak than the one that a rule began, with its own severity.
    else if (manual) {
      yield* alerts.resolve(key, `${id} was opened ${because}`)
      yield* alertBreaker(component, breaker)
    } else if (state === "OPEN") yield* alertBreaker(component, breaker)
    wake.notify("signals")
    wake.notify("orders")
    wake.notify("breakers")
  })
