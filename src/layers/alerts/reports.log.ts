/**
 * Reports log: supervision reports as log lines and alerts.
 *
 * A supervisor says what it does as typed events; an operator reads lines. Restarts are warnings because
 * somebody should look when they repeat, a parked or given-up component is an alert at once (T7).
 *
 * Promises: every report is one line with the component's path; parked and escalated components raise an alert,
 * and so does one that has used up half of its restarts; being ready again ends that of a parked one.
 * Never: blocks or fails the supervisor (observers are synchronous and isolated by the runtime).
 * Failure: none of its own; the logger swallows a closed stdout.
 */
import { type Context, Effect } from "effect"
import type { DeadLetter } from "../../runtime/dead-letters.ts"
import { logEvent, type LogLevelName } from "../../runtime/log-event.ts"
import { formatReport, type SupervisionEvent } from "../../runtime/reports.ts"
import { type Alert, Alerts } from "./alerts.ts"

const lines: Readonly<Record<SupervisionEvent["_tag"], readonly [LogLevelName, string]>> = {
  SupervisorError: ["warn", "component.failed"],
  Starting: ["debug", "component.starting"],
  Started: ["debug", "component.started"],
  Ignored: ["debug", "component.ignored"],
  Ready: ["info", "component.ready"],
  Unready: ["warn", "component.unready"],
  BackingOff: ["warn", "component.backing_off"],
  Parked: ["error", "component.parked"],
  Escalated: ["error", "component.escalated"],
  Stopped: ["debug", "component.stopped"],
  Killed: ["error", "component.killed"],
  Paused: ["info", "component.paused"],
  Resumed: ["info", "component.resumed"],
  StateDropped: ["error", "component.state_dropped"]
}

const parkedKey = (path: string): string => `component.parked:${path}`

/** Restarts beyond half of what a component may have: the next step is to be parked, or the end of the process. */
const restartsOf = (event: Extract<SupervisionEvent, { readonly _tag: "BackingOff" }>): Alert | null => {
  const { max, used, withinMs } = event.budget
  if (!Number.isFinite(max) || used * 2 < max) return null
  const { path } = event.offender
  return {
    severity: "HIGH",
    kind: "component.restarts",
    dedupKey: `component.restarts:${path}`,
    message: `${path} was restarted ${used} times within ${Math.round(withinMs / 1_000)} s, of ${max} that it may be: ${event.lastError}`,
    component: path,
    detail: { used, max, within_ms: withinMs }
  }
}

/** What an event of supervision is as an alert; null for a line alone. */
const alertOf = (event: SupervisionEvent): Alert | null => {
  const { path } = event.offender
  const alert = { message: formatReport(event), component: path }
  switch (event._tag) {
    case "BackingOff":
      return restartsOf(event)
    case "Parked":
      return {
        ...alert,
        severity: "HIGH",
        kind: "component.parked",
        dedupKey: parkedKey(path),
        standing: true
      }
    case "Escalated":
      return {
        ...alert,
        severity: "CRITICAL",
        kind: "component.escalated",
        dedupKey: `component.escalated:${path}`
      }
    case "Killed":
      return { ...alert, severity: "HIGH", kind: "component.killed", dedupKey: `component.killed:${path}` }
    default:
      return null
  }
}

const tell = (event: SupervisionEvent): Effect.Effect<void, never, Alerts> =>
  Alerts.use((alerts) => {
    if (event._tag === "Ready")
      return alerts.resolve(parkedKey(event.offender.path), `${event.offender.path} is ready`)
    const alert = alertOf(event)
    return alert === null ? Effect.void : alerts.raise(alert)
  })

/** The observers of a tree, logging and alerting with the services they are made in. */
export const observeTree = Effect.contextWith((context: Context.Context<Alerts>) => {
  const run = Effect.runSyncWith(context)
  return Effect.succeed({
    reports: (event: SupervisionEvent): void => {
      const [level, name] = lines[event._tag]
      const { incarnation, path } = event.offender
      run(
        Effect.andThen(
          logEvent(level, name, formatReport(event), { component: path, incarnation }),
          tell(event)
        )
      )
    },
    deadLetters: (letter: DeadLetter): void =>
      run(
        logEvent("warn", "event.dead_letter", `${letter.eventType} reached nobody: ${letter.reason}`, {
          component: letter.path
        })
      )
  })
})
