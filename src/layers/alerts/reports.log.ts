/**
 * Reports log: supervision reports as log lines and alerts.
 *
 * A supervisor says what it does as typed events; an operator reads lines. Restarts are warnings because
 * somebody should look when they repeat, a parked or given-up component is an alert at once (T7).
 *
 * Promises: every report is one line with the component's path; parked and escalated components raise an alert.
 * Never: blocks or fails the supervisor (observers are synchronous and isolated by the runtime).
 * Failure: none of its own; the logger swallows a closed stdout.
 */
import { type Context, Effect } from "effect"
import type { DeadLetter } from "../../runtime/dead-letters.ts"
import { logEvent, type LogLevelName } from "../../runtime/log-event.ts"
import { formatReport, type SupervisionEvent } from "../../runtime/reports.ts"
import { Alerts } from "./alerts.ts"

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

const alertOf = (event: SupervisionEvent): Effect.Effect<void, never, Alerts> => {
  if (event._tag !== "Parked" && event._tag !== "Escalated" && event._tag !== "Killed") return Effect.void
  const kind = `component.${event._tag.toLowerCase()}`
  return Alerts.use((alerts) =>
    alerts.raise({
      severity: event._tag === "Escalated" ? "CRITICAL" : "HIGH",
      kind,
      dedupKey: `${kind}:${event.offender.path}`,
      message: formatReport(event),
      component: event.offender.path
    })
  )
}

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
          alertOf(event)
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
