/**
 * Audit keeper: brings the end of every command into the audit, also when the database is away, the process was killed, or
 * a stranger tries them by the thousand.
 *
 * Promises: every attempt is counted by command and result; an end that cannot be written now waits in memory and is written when the database is there, at most
 * `commandLimits.pendingEndsMax` of them; an attempt of a process that is gone, and of none that holds the node's lease, is ended as `interrupted`, with a line and
 * an alert; of refusals some rows are kept in a minute and a line counts the others.
 * Never: fails, or makes an answer wait for a database that is away.
 */
import { Cause, Clock, Effect, Metric, Stream } from "effect"
import { commandLimits } from "../../domain/control/command-limits.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { type AuditEnd, type AuditEntry, AuditStore } from "../../layers/control/audit-store.port.ts"
import { Commands } from "../../layers/control/commands.port.ts"
import { Database } from "../../layers/database/database.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

export interface AuditKeeper {
  readonly end: (entry: AuditEntry, end: AuditEnd) => Effect.Effect<void>
  /** The same when the database is back: it does not answer now. */
  readonly later: (entry: AuditEntry, end: AuditEnd) => Effect.Effect<void>
  /** An attempt that never began. */
  readonly refuse: (entry: AuditEntry, end: AuditEnd) => Effect.Effect<void>
  readonly look: (all: boolean) => Effect.Effect<void>
}

interface Waiting {
  readonly entry: AuditEntry
  readonly end: AuditEnd
}

const component = "root"

const commandsTotal = Metric.counter("holdfast_commands_total", {
  description: "Commands of operators, by what came of them.",
  incremental: true
})

const count = ({ command }: AuditEntry, { result }: AuditEnd) =>
  Metric.update(Metric.withAttributes(commandsTotal, { command, result }), 1)

/** Writes ends, and keeps those that the database does not take now. */
const makeWriter = (audit: AuditStore["Service"]) => {
  const waiting: Array<Waiting> = []
  const lose = ({ end, entry }: Waiting, error?: string) =>
    logEvent("error", "audit.lost", "the end of a command could not be written", {
      component,
      command: entry.command,
      scope: entry.scope,
      audit_id: entry.id,
      result: end.result,
      ...(error === undefined ? {} : { error })
    })
  const keep = (one: Waiting) =>
    Effect.suspend(() => {
      waiting.push(one)
      const lost = waiting.length > commandLimits.pendingEndsMax ? waiting.shift() : undefined
      return lost === undefined ? Effect.void : lose(lost)
    })
  const write = (one: Waiting): Effect.Effect<void> =>
    audit.end(one.entry, one.end).pipe(
      Effect.catchTag("DatabaseUnavailable", () => keep(one)),
      Effect.catchTag("DatabaseFault", Effect.die)
    )
  return {
    keep,
    write,
    // Removed after it is written: whatever interrupts this loses nothing.
    again: Effect.gen(function* () {
      for (let [one] = waiting; one !== undefined; [one] = waiting) {
        const { end, entry } = one
        // One that the database refuses for good would hold up all behind it.
        yield* audit
          .end(entry, end)
          .pipe(Effect.catchTag("DatabaseFault", ({ message }) => lose(one, message)))
        const at = waiting.indexOf(one)
        if (at >= 0) waiting.splice(at, 1)
      }
    }).pipe(Effect.catchTag("DatabaseUnavailable", () => Effect.void))
  }
}

/** Counts refusals: whether one more is to be kept, and the line about those that were not. */
const makeRefusals = () => {
  let sinceMs = 0
  let kept = 0
  let more = 0
  return (nowMs: number): { readonly keeps: boolean; readonly unlogged: number } => {
    const unlogged = nowMs - sinceMs >= commandLimits.strangersPerMs ? more : 0
    if (nowMs - sinceMs >= commandLimits.strangersPerMs) {
      sinceMs = nowMs
      kept = 0
      more = 0
    }
    const keeps = kept < commandLimits.strangersMax
    if (keeps) kept += 1
    else more += 1
    return { keeps, unlogged }
  }
}

/** Ends the attempts of processes that are gone. */
const interrupt = (audit: AuditStore["Service"], life: string) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    for (const { by, command, id, scope } of yield* audit.interrupt(life)) {
      const message = `${command} of ${scope} by ${by} was interrupted: nobody knows how far it came`
      yield* logEvent("warn", "command.interrupted", message, { component, command, scope, by, audit_id: id })
      yield* alerts.raise({
        severity: "MEDIUM",
        kind: "command.interrupted",
        dedupKey: `command.interrupted:${id}`,
        message,
        component,
        detail: { command, scope, by, audit_id: id }
      })
    }
  }).pipe(
    // The next look finds the same rows.
    Effect.catchTag("DatabaseUnavailable", () => Effect.void),
    Effect.catchTag("DatabaseFault", Effect.die)
  )

/** The keeper of one process. */
export const makeAuditKeeper = Effect.gen(function* () {
  const audit = yield* AuditStore
  const alerts = yield* Alerts
  const instance = yield* Instance
  const { again, keep, write } = makeWriter(audit)
  const tally = makeRefusals()
  let stood = "Unknown"
  return {
    end: (entry, end) => Effect.andThen(count(entry, end), write({ entry, end })),
    later: (entry, end) => Effect.andThen(count(entry, end), keep({ entry, end })),
    refuse: (entry, end) =>
      Effect.gen(function* () {
        yield* count(entry, end)
        const { keeps, unlogged } = tally(yield* Clock.currentTimeMillis)
        if (unlogged > 0)
          yield* logEvent(
            "warn",
            "command.refused",
            `${unlogged} more attempts to give commands were refused`,
            {
              component,
              more: unlogged
            }
          )
        if (!keeps) return
        const { by, command, scope } = entry
        const message = `${command} of ${scope} by ${by}: ${end.reason ?? "refused"}`
        yield* logEvent("warn", "command.refused", message, { component, command, scope, by })
        yield* write({ entry, end })
      }),
    look: (all) =>
      Effect.gen(function* () {
        yield* again
        const life = instance.current()?.life
        const { _tag: standing } = instance.standing()
        // Former lives count as alive until this one has their lease.
        const isNews = standing === "Held" && stood !== standing
        stood = standing
        if ((all || isNews) && life !== undefined)
          yield* Effect.provideService(interrupt(audit, life), Alerts, alerts)
      })
  } satisfies AuditKeeper
})

/** Nobody supervises the watch: a look that fails is logged, and the next one keeps the audit. */
const failedLook = (cause: Cause.Cause<never>) =>
  Cause.hasInterruptsOnly(cause)
    ? Effect.failCause(cause)
    : logEvent("error", "audit.look_failed", "the audit could not be looked through", {
        component,
        error: Cause.pretty(cause).slice(0, 2_000)
      })

/** Looks while the database is there. Runs until it is interrupted. */
export const auditWatch = Effect.gen(function* () {
  const database = yield* Database
  const commands = yield* Commands
  const rounds = Math.ceil(commandLimits.interruptEveryMs / commandLimits.auditEveryMs)
  const looks = Effect.gen(function* () {
    for (let round = 0; ; round += 1) {
      yield* commands.keepAudit(round % rounds === 0).pipe(Effect.catchCause(failedLook))
      yield* Effect.sleep(commandLimits.auditEveryMs)
    }
  })
  return yield* database.availability.changes.pipe(
    Stream.switchMap((state) => Stream.fromEffect(state === "available" ? looks : Effect.void)),
    Stream.runDrain
  )
})
