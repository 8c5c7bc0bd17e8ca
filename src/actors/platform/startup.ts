/**
 * Start-up: the named steps of a boot, fed by the components that take them.
 *
 * "It does not come up" must become "it is in step n of m, since then, because of this" (A6). Steps of the database
 * component are reported by its effects; the others are derived from the supervision reports, because a component
 * that became ready has taken its step.
 *
 * Promises: every step of this configuration is declared before the first begins; a step that has succeeded stays
 * so, whatever happens to its component later: that is health's business, not start-up's.
 * Never: runs a component, or decides that a failed step ends the process (the error's class does).
 */
import { Clock, Context, Effect, Exit, Layer } from "effect"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { describeCause } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { StartupProgress, type StartupEvent } from "../../runtime/startup.ts"

export type DatabaseStep =
  | "data-dir.lock"
  | "database.start"
  | "database.connect"
  | "database.migrate"
  | "database.adopt"

/** Steps that are taken when every component below a path is ready. */
const readySteps: ReadonlyArray<{ readonly step: string; readonly below: string }> = [
  { step: "http.listen", below: "root/http" },
  { step: "pipeline.start", below: "root/trading/pipeline" },
  { step: "brokers.connect", below: "root/trading/brokers" },
  { step: "accounts.reconcile", below: "root/trading/accounts" }
]
const databaseSteps: ReadonlyArray<DatabaseStep> = [
  "data-dir.lock",
  "database.start",
  "database.connect",
  "database.migrate",
  "database.adopt"
]

/** The steps for these settings, in the order in which they run and are logged. An external database is not started. */
export const startupSteps = (settings: Settings): ReadonlyArray<string> => [
  "config.load",
  "http.listen",
  ...databaseSteps.filter((step) => step !== "database.start" || settings.databaseUrl === null),
  ...(settings.roles.has("accounts") ? ["pipeline.start", "brokers.connect", "accounts.reconcile"] : [])
]

/** Fields of a tagged error that do not describe what happened, or are shown elsewhere. */
const silent = new Set(["_tag", "name", "message", "stack", "hint", "cause", "failureClass"])

/** One line for a tagged error: its own message, else its fields, and the message of what caused it. */
const textOf = (error: TaggedFault): string => {
  const fields = Object.entries(error).flatMap(([key, value]) =>
    silent.has(key) || typeof value === "object" ? [] : [`${key} ${String(value)}`]
  )
  const message = error.message === "" ? fields.join(", ") : error.message
  const { cause } = error
  return [error._tag, message, cause instanceof Error ? cause.message : ""]
    .filter((part) => part !== "")
    .join(": ")
}

interface TaggedFault {
  readonly _tag: string
  readonly message: string
  readonly hint?: string
  readonly cause?: unknown
  readonly failureClass?: "configuration"
  readonly path?: string
}

/** An error of a start-up step that retrying cannot fix; keeps the tag, class and path of what went wrong. */
export class FatalStep extends Error {
  readonly failureClass: "fatal" | "configuration"
  /** Of a setting; what else went wrong is found at the component. */
  readonly path: string | undefined
  readonly _tag: string
  readonly step: string
  readonly hint: string
  constructor(step: string, fault: TaggedFault) {
    super(textOf(fault), { cause: fault })
    this.name = fault._tag
    this._tag = fault._tag
    this.failureClass = fault.failureClass ?? "fatal"
    this.path = fault.failureClass === "configuration" ? fault.path : undefined
    this.step = step
    this.hint = fault.hint ?? "fix the cause named here and start again"
  }
}

export interface StartupService {
  readonly progress: StartupProgress
  /** Runs an effect as a step; once the step has succeeded, later runs are not start-up any more. */
  readonly step: <A, E, R>(name: DatabaseStep, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Checks which components have become ready; `allReady` is whether every one at or below a path is. */
  readonly observe: (allReady: (below: string) => boolean) => void
}

export class Startup extends Context.Service<Startup, StartupService>()("holdfast/actors/Startup") {}

/** The books of one boot. `now` gives epoch milliseconds. */
export const makeStartup = (
  settings: Settings,
  now: () => number,
  observer: (event: StartupEvent) => void
): StartupService => {
  const steps = startupSteps(settings)
  const progress = new StartupProgress(steps, now, [observer])
  const succeeded = new Set<string>()
  const begun = new Set<string>()
  const succeed = (name: string): void => {
    if (succeeded.has(name)) return
    succeeded.add(name)
    progress.succeed(name)
    // The next step whose beginning nobody reports begins now, so that a hang has a name and a time.
    const next = readySteps.find(({ step }) => steps.includes(step) && !succeeded.has(step))
    const databaseDone = databaseSteps.every((step) => !steps.includes(step) || succeeded.has(step))
    if (next === undefined || begun.has(next.step)) return
    if (!databaseDone && next.step !== "http.listen") return
    begun.add(next.step)
    progress.begin(next.step)
  }
  const observe = (allReady: (below: string) => boolean): void => {
    for (const { below, step } of readySteps) {
      if (!steps.includes(step) || succeeded.has(step)) continue
      // In their order: one that is ready early is logged when its turn has come, as begun and done.
      if (!begun.has(step) || !allReady(below)) return
      succeed(step)
    }
  }
  progress.begin("config.load")
  succeed("config.load")
  return {
    progress,
    step: (name, effect) =>
      Effect.suspend(() => {
        if (succeeded.has(name) || !steps.includes(name)) return effect
        progress.begin(name)
        return Effect.onExit(effect, (exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) succeed(name)
            else progress.fail(name, describeCause(exit.cause))
          })
        )
      }),
    observe
  }
}

/** The books of this boot, each change a log line. */
export const startupLayer: Layer.Layer<Startup, never, Config> = Layer.effect(
  Startup,
  Effect.gen(function* () {
    const settings = yield* Config
    const clock = yield* Clock.Clock
    const run = Effect.runSyncWith(yield* Effect.context())
    return makeStartup(
      settings,
      () => clock.currentTimeMillisUnsafe(),
      ({ error, event, ms, n, of, state, step }) =>
        run(
          logEvent(state === "failed" ? "warn" : "info", event, `step ${n} of ${of}: ${step} ${state}`, {
            component: "root",
            n,
            of,
            step,
            state,
            ms: Math.round(ms),
            ...(error === undefined ? {} : { error })
          })
        )
    )
  })
)
