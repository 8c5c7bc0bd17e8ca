/**
 * Reloader: a look at the configuration while the service runs.
 *
 * A running tree is built from its settings, and half of a new configuration would be one nobody wrote. So a reload
 * never applies anything by itself: it says whether a restart would be refused, and what it would change. A wrong
 * file is found while the right one still trades, not at the restart.
 *
 * Promises: the configuration in force stays whatever is read (T1); a bad one is a log line and an alert with every
 * problem.
 * Never: prints a value, which could be a secret; names of settings only.
 */
import { Effect, Redacted, Result } from "effect"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Config, ConfigReader } from "../../layers/platform/config.port.ts"
import { Host } from "../../layers/platform/host.port.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** Comparable text of one setting; stays inside this file. */
const comparable = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    Redacted.isRedacted(inner)
      ? Redacted.value(inner)
      : inner instanceof Set
        ? [...inner].map(String).toSorted((a, b) => a.localeCompare(b))
        : inner
  )

/** Names of the settings that differ. */
export const changedSettings = (inForce: Settings, read: Settings): ReadonlyArray<string> =>
  Object.entries(inForce).flatMap(([name, value]) =>
    comparable(value) === comparable(Object.entries(read).find(([other]) => other === name)?.[1])
      ? []
      : [name]
  )

const look = Effect.gen(function* () {
  const inForce = yield* Config
  const reader = yield* ConfigReader
  const alerts = yield* Alerts
  const read = reader.read()
  if (Result.isFailure(read)) {
    const problems = read.failure.map(({ message, path }) => `${path}: ${message}`)
    yield* logEvent(
      "error",
      "config.refused",
      "the configuration in force stays, the one read now is refused",
      {
        component: "root",
        problems
      }
    )
    return yield* alerts.raise({
      severity: "HIGH",
      kind: "config.refused",
      dedupKey: "config.refused",
      message: `a restart would be refused: ${problems.join("; ")}`,
      component: "root"
    })
  }
  const changed = changedSettings(inForce, read.success)
  return yield* logEvent(
    "info",
    changed.length === 0 ? "config.unchanged" : "config.restart_needed",
    changed.length === 0 ? "the configuration is what runs" : `restart to apply: ${changed.join(", ")}`,
    { component: "root", changed }
  )
})

/** Looks whenever the host is asked to, until it is interrupted. */
export const reloader = Effect.flatMap(Host, (host) => Effect.forever(Effect.andThen(host.nextReload, look)))
