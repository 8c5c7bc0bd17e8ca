/**
 * Reloader: new settings for a running service (G11).
 *
 * What is read with every decision (strategies, limits, sources, symbols, retention) is replaced at once, all of it or nothing; what the
 * tree is built from needs a restart and is named. A wrong file is found while the valid one still trades, not at the restart.
 *
 * Promises: the configuration in force stays whatever is read (T1); a bad one is a log line and an alert with every
 * problem; a strategy that still holds a position is not removed; the previous settings can be restored.
 * Never: prints a value, which could be a secret; names of settings only.
 */
import { Clock, Context, Effect, Layer, Result, Semaphore } from "effect"
import type { Settings, SettingsProblem } from "../../domain/kernel/settings.ts"
import { changedSettings, isLive, versionOf, withLive } from "../../domain/kernel/settings-change.ts"
import { expectedProblems } from "../../domain/kernel/settings-expected.ts"
import { nameProblems } from "../../domain/kernel/settings-names.ts"
import { settingsWarnings } from "../../domain/kernel/settings-warnings.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { PositionsStore } from "../../layers/orders/positions-store.port.ts"
import { ConfigReader, SettingsInForce } from "../../layers/platform/config.port.ts"
import { Host } from "../../layers/platform/host.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { SettingsRecord } from "./settings-record.ts"

export type ReloadOutcome =
  | { readonly _tag: "Refused"; readonly problems: ReadonlyArray<SettingsProblem> }
  /** `applied` is empty when nothing that may change did; `restart` names what needs one. */
  | {
      readonly _tag: "Read"
      readonly version: string
      readonly applied: ReadonlyArray<string>
      readonly restart: ReadonlyArray<string>
    }

const ALERT = "config.refused"

const refuse = (problems: ReadonlyArray<SettingsProblem>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const lines = problems.map(({ message, path }) => `${path}: ${message}`)
    yield* logEvent(
      "error",
      "config.refused",
      "the configuration in force stays; the one just read is refused",
      { component: "root", problems: lines }
    )
    yield* alerts.raise({
      severity: "HIGH",
      kind: ALERT,
      dedupKey: ALERT,
      message: `the configuration was refused: ${lines.join("; ")}`,
      component: "root"
    })
    return { _tag: "Refused", problems } satisfies ReloadOutcome
  })

/** Strategies that would be removed although they hold something: their stops would go with them. */
const heldStrategies = (inForce: Settings, next: Settings) =>
  Effect.gen(function* () {
    const gone = Object.keys(inForce.strategies).filter((name) => !Object.hasOwn(next.strategies, name))
    if (gone.length === 0 || !inForce.roles.has("accounts")) return []
    const positions = yield* PositionsStore
    const open = yield* positions
      .open(Object.keys(inForce.accounts), null)
      .pipe(Effect.orElseSucceed(() => null))
    return gone.flatMap((name): ReadonlyArray<SettingsProblem> => {
      const path = `strategies.${name}`
      if (open === null)
        return [{ path, message: "cannot be removed while its open positions cannot be read" }]
      const held = open.find(({ strategy }) => strategy === name)
      return held === undefined
        ? []
        : [{ path, message: `cannot be removed: it holds ${held.symbol} in ${held.account}` }]
    })
  })

/** Puts the live parts of `read` in force, if the result is consistent. */
const apply = (read: Settings, by: string) =>
  Effect.gen(function* () {
    const inForce = yield* SettingsInForce
    const alerts = yield* Alerts
    const before = inForce.current()
    const changed = changedSettings(before, read)
    const applied = changed.filter(isLive)
    const restart = changed.filter((name) => !isLive(name))
    const next = withLive(before, read)
    const problems = [
      ...nameProblems(next),
      ...expectedProblems(next),
      ...(yield* heldStrategies(before, next))
    ]
    if (problems.length > 0) return yield* refuse(problems)
    yield* alerts.resolve(ALERT, "the configuration was read")
    const version = versionOf(next)
    const fields = { component: "root", version, changed, applied, restart, by }
    if (applied.length > 0) {
      inForce.assign(next)
      const record = yield* SettingsRecord
      record.add(next, by, applied, yield* Clock.currentTimeMillis)
      const wake = yield* Wake
      // What waits for a limit, a strategy or a stop is checked under the new settings.
      for (const bell of ["signals", "orders", "positions"] as const) wake.notify(bell)
      yield* logEvent("info", "config.applied", `applied: ${applied.join(", ")}`, fields)
      for (const { message, path } of settingsWarnings(next))
        yield* logEvent("warn", "settings.warning", `${path}: ${message}`, { component: "root", path })
    }
    if (restart.length > 0)
      yield* logEvent("info", "config.restart_needed", `restart to apply: ${restart.join(", ")}`, fields)
    if (changed.length === 0)
      yield* logEvent("info", "config.unchanged", "the configuration is unchanged", fields)
    return { _tag: "Read", version, applied, restart } satisfies ReloadOutcome
  })

type ReloadParts = Alerts | PositionsStore | SettingsInForce | SettingsRecord | Wake

export interface SettingsControlService {
  /** Rereads the configuration. `by`: who asked. */
  readonly reload: (by: string) => Effect.Effect<ReloadOutcome>
  /** Reverts the last change of this process; null when there is none. */
  readonly back: (by: string) => Effect.Effect<ReloadOutcome | null>
}

export class SettingsControl extends Context.Service<SettingsControl, SettingsControlService>()(
  "holdfast/actors/SettingsControl"
) {
  static readonly layer: Layer.Layer<SettingsControl, never, ConfigReader | ReloadParts> = Layer.effect(
    SettingsControl,
    Effect.gen(function* () {
      const context = yield* Effect.context<ReloadParts>()
      const reader = yield* ConfigReader
      const inForce = yield* SettingsInForce
      const turn = yield* Semaphore.make(1)
      let before: Settings | null = null
      const put = (read: Settings, by: string) =>
        Effect.gen(function* () {
          const now = inForce.current()
          const outcome = yield* apply(read, by)
          if (outcome._tag === "Read" && outcome.applied.length > 0) before = now
          return outcome
        }).pipe(Effect.provideContext(context))
      return SettingsControl.of({
        reload: (by) =>
          turn.withPermit(
            Effect.suspend(() => {
              const read = reader.read()
              return Result.isFailure(read)
                ? Effect.provideContext(refuse(read.failure), context)
                : put(read.success, by)
            })
          ),
        back: (by) =>
          turn.withPermit(Effect.suspend(() => (before === null ? Effect.succeed(null) : put(before, by))))
      })
    })
  )
}

/** Rereads whenever the host is asked to, until it is interrupted. */
export const reloader = Effect.gen(function* () {
  const host = yield* Host
  const control = yield* SettingsControl
  return yield* Effect.forever(Effect.andThen(host.nextReload, control.reload("SIGHUP")))
})
