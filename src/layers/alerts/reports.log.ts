/**
 * Reports log: supervision reports as log lines and alerts.
 *
 * A supervisor reports what it does as typed events; an operator reads lines. Restarts are warnings because
 * somebody should look when they repeat, a parked or given-up component is an alert at once (T7).
 *
 * Promises: every report is one line with the component's path; parked and escalated components raise an alert,
 * and so does one that has used up half of its restarts; being ready again resolves that of a parked one. Of many components of
 * one supervisor that become ready, or unready, at once, the first are lines and the others one line.
 * Never: blocks or fails the supervisor (observers are synchronous and isolated by the runtime).
 * Failure: the logger swallows a closed stdout.
 */
import { Context, Effect, LogLevel, References } from "effect"
import { reportLimits } from "../../domain/kernel/limits.ts"
import type { DeadLetter } from "../../runtime/dead-letters.ts"
import { logEvent, type LogLevelName } from "../../runtime/log-event.ts"
import { formatReport, type SupervisionEvent } from "../../runtime/reports.ts"
import { type Alert, Alerts } from "./alerts.port.ts"

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
  Resumed: ["info", "component.resumed"]
}

const parkedKey = (path: string): string => `component.parked:${path}`

/** Restarts beyond half of a component's budget: the next step is to be parked, or the end of the process. */
const restartsOf = (event: Extract<SupervisionEvent, { readonly _tag: "BackingOff" }>): Alert | null => {
  const { max, used, withinMs } = event.budget
  if (!Number.isFinite(max) || used * 2 < max) return null
  const { path } = event.offender
  return {
    severity: "HIGH",
    kind: "component.restarts",
    dedupKey: `component.restarts:${path}`,
    message: `${path} was restarted ${used} times within ${Math.round(withinMs / 1_000)} s, of at most ${max}: ${event.lastError}`,
    component: path,
    detail: { used, max, within_ms: withinMs }
  }
}

/** The alert for a supervision event; null when a log line suffices. */
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

const updateAlerts = (event: SupervisionEvent): Effect.Effect<void, never, Alerts> =>
  Alerts.use((alerts) => {
    if (event._tag === "Ready")
      return alerts.resolve(parkedKey(event.offender.path), `${event.offender.path} is ready`)
    const alert = alertOf(event)
    return alert === null ? Effect.void : alerts.raise(alert)
  })

type Readiness = "Ready" | "Unready"
const readinessOf = ({ _tag }: SupervisionEvent): Readiness | null =>
  _tag === "Ready" || _tag === "Unready" ? _tag : null

interface Burst {
  readonly supervisor: string
  readonly readiness: Readiness
  /** Of its first report, epoch milliseconds. */
  readonly at: number
  readonly paths: Array<string>
}

/**
 * Thousands of accounts become ready at once, and lose their lease at once: more lines and closings than anybody could use.
 * `sum` gets what was not logged by itself, once a turn of the event loop brought no more of it.
 */
const makeBursts = (sum: (burst: Burst) => void) => {
  // Bounded by the components: emptied after a turn without more, or a second.
  const bursts = new Map<string, Burst>()
  let grown = false
  const end = (burst: Burst): void => {
    bursts.delete(`${burst.readiness} ${burst.supervisor}`)
    const paths = burst.paths.slice(reportLimits.burstLinesMax)
    if (paths.length > 0) sum({ ...burst, paths })
  }
  const look = (): void => {
    if (grown) setImmediate(look)
    else for (const burst of bursts.values()) end(burst)
    grown = false
  }
  return {
    /** Whether this one is logged by itself. */
    isLoggedSingly: (
      { at, offender: { path }, supervisor }: SupervisionEvent,
      readiness: Readiness
    ): boolean => {
      if (bursts.size === 0) setImmediate(look)
      grown = true
      const key = `${readiness} ${supervisor}`
      const known = bursts.get(key)
      if (known !== undefined && at - known.at > reportLimits.burstMsMax) end(known)
      const burst = bursts.get(key) ?? { supervisor, readiness, at, paths: [] }
      bursts.set(key, burst)
      burst.paths.push(path)
      return burst.paths.length <= reportLimits.burstLinesMax
    }
  }
}

/** The observers of a tree, logging and alerting with the services they are made in. */
export const observeTree = Effect.contextWith((context: Context.Context<Alerts>) => {
  const run = Effect.runSyncWith(context)
  const minimum = Context.get(context, References.MinimumLogLevel)
  // Bounded by the components.
  const parked = new Set<string>()
  const bursts = makeBursts(({ paths, supervisor, readiness }) => {
    const [level, name] = lines[readiness]
    const others = `${paths.length} more components of ${supervisor} are ${readiness === "Ready" ? "ready" : "no longer ready"}`
    const line = logEvent(level, name, others, { component: supervisor, count: paths.length })
    const over = readiness === "Ready" ? paths.filter((path) => !parked.has(path)).map(parkedKey) : []
    run(
      Effect.andThen(
        line,
        Alerts.use((alerts) => alerts.resolve(over, others))
      )
    )
  })
  return Effect.succeed({
    reports: (event: SupervisionEvent): void => {
      const [level, name] = lines[event._tag]
      // None of these is an alert, and the start of ten thousand components is thirty thousand of them.
      if (level === "debug" && LogLevel.isGreaterThan(minimum, "Debug")) return
      const { incarnation, path } = event.offender
      if (event._tag === "Parked") parked.add(path)
      if (event._tag === "Ready") parked.delete(path)
      const readiness = readinessOf(event)
      if (readiness !== null && !bursts.isLoggedSingly(event, readiness)) return
      run(
        Effect.andThen(
          logEvent(level, name, formatReport(event), { component: path, incarnation }),
          updateAlerts(event)
        )
      )
    },
    deadLetters: (letter: DeadLetter): void =>
      run(
        logEvent("warn", "event.dead_letter", `${letter.eventType} was not delivered: ${letter.reason}`, {
          component: letter.path
        })
      )
  })
})
