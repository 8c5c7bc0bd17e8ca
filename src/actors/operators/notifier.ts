/**
 * Notifier: READY, STATUS and WATCHDOG for the service manager, read from the same health as everything else.
 *
 * READY=1 is `/health/ready`; STATUS is what an operator sees in `systemctl status`; the watchdog ping is sent only
 * after a ping has travelled through every supervisor, so an unresponsive supervisor stops it and the service manager
 * starts the process again. It depends on nothing else: not on health, not on the database (T8).
 *
 * A terminal shows where the console is, with the token that opens it.
 *
 * Promises: "ready" is logged and sent once, when it is true for the first time.
 * Never: pings for a tree that did not answer; lets the token into a log.
 */
import { Effect, Schedule } from "effect"
import { notifierLimits } from "../../domain/kernel/limits.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { Installation } from "../../layers/database/installation.port.ts"
import { OsNotify } from "../../layers/platform/os-notify.port.ts"
import { Terminal } from "../../layers/platform/terminal.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { ALL_THE_TIME, FOR_A_MOMENT, pacedLook } from "./paced-look.ts"

const announceReady = Effect.gen(function* () {
  const health = yield* HealthSource
  const notify = yield* OsNotify
  const { roles } = yield* Config
  const installation = yield* Installation
  let announced = ""
  let ready = false
  return yield* pacedLook(
    Effect.gen(function* () {
      const { document } = health.health()
      if (document.ready && !ready) {
        ready = true
        const restricted = installation.restricted()
        const scopes = restricted.map(({ scope, state }) => `${scope} ${state}`)
        const work = roles.has("http")
          ? "takes webhooks durably"
          : "works durably; takes no webhooks, because it does not have the role http"
        const trading = restricted.length === 0 ? "" : `; trading is restricted: ${scopes.join(", ")}`
        yield* logEvent("info", "ready", `${work}; status ${document.status}${trading}`, {
          component: "root",
          status: document.status,
          reasons: document.reasons,
          ...(restricted.length === 0 ? {} : { trading_state: restricted })
        })
        if (notify.enabled) yield* notify.send("READY=1")
      }
      const status = `${document.status}: ${document.reasons[0] ?? "all well"}`
      if (notify.enabled && status !== announced) {
        announced = status
        yield* notify.send(`STATUS=${status}`)
      }
      return ready
        ? { everyMs: notifierLimits.statusEveryMs, times: ALL_THE_TIME }
        : { everyMs: notifierLimits.readyEveryMs, times: FOR_A_MOMENT }
    })
  )
})

const logNotices = Effect.flatMap(OsNotify, ({ notices }) =>
  Effect.forEach(notices, (notice) => logEvent("warn", "os_notify.notice", notice, { component: "root" }), {
    discard: true
  })
)

const pingWatchdog = Effect.gen(function* () {
  const health = yield* HealthSource
  const notify = yield* OsNotify
  if (notify.watchdogMs === null) return undefined
  // Twice per interval, as sd_watchdog_enabled(3) asks for.
  const everyMs = notify.watchdogMs / 2
  return yield* Effect.forever(
    Effect.gen(function* () {
      yield* health.ping(everyMs).pipe(
        Effect.andThen(notify.send("WATCHDOG=1")),
        Effect.catchTag("TreeDeaf", ({ path }) =>
          logEvent("error", "watchdog.withheld", `${path} does not answer; the watchdog is not pinged`, {
            component: path
          })
        )
      )
      yield* Effect.sleep(everyMs)
    })
  )
})

/** Where a browser on this machine finds the listener: a wildcard address is replaced by a host name. */
const originOf = (host: unknown, port: number): string => {
  if (typeof host !== "string" || host === "0.0.0.0" || host === "::") return `http://localhost:${port}`
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}

/** A configured token is known to its operator, so only a generated one is shown. */
const announceConsole = Effect.gen(function* () {
  const health = yield* HealthSource
  const token = yield* ControlToken
  const { print } = yield* Terminal
  const { roles } = yield* Config
  if (print === null || token.file === null || !roles.has("http")) return
  const look = Effect.sync(() => {
    const { host, port } = health.health().component("root/http")?.detail ?? {}
    const secret = token.current()
    if (secret === null || typeof port !== "number") return false
    print(`console: ${originOf(host, port)}/console/#token=${secret}`)
    return true
  })
  yield* Effect.repeat(look, {
    until: (printed) => printed,
    schedule: Schedule.spaced(notifierLimits.readyEveryMs)
  })
})

/** Runs until it is interrupted. */
export const notifier = Effect.andThen(
  logNotices,
  Effect.all([announceReady, announceConsole, pingWatchdog], { concurrency: 3, discard: true })
)
