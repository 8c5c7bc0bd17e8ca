/**
 * Service: one life of the process, from the first log line to the verdict on how it ended.
 *
 * The tree does the work; this starts it, waits for whichever comes first of a request to stop, the end of the tree
 * and a fault nobody owns, and stops it in the order of T8.
 *
 * Promises: every end has a verdict; stopping refuses new posts first, lets those in flight be answered, then stops
 * the tree in reverse order under one deadline; what had to be killed is named.
 * Never: ends the process (main does, with the verdict's status), or retries a failed start.
 */
import { Cause, Clock, Effect, Schedule } from "effect"
import {
  type EndOfTree,
  exitStatus,
  type Verdict,
  verdictOf,
  verdictOfFault,
  secondStopVerdict,
  verdictOfForcedStop
} from "../../domain/platform/exit-status.ts"
import { stopLimits } from "../../domain/kernel/limits.ts"
import { intakeLimits } from "../../domain/kernel/limits-signals.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import { settingsMask } from "../../layers/platform/config-mask.ts"
import { settingsWarnings } from "../../domain/kernel/settings-warnings.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import { turnFigures } from "../../layers/accounts/account-turns.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { Journal } from "../../layers/platform/journal.port.ts"
import { Host, type StopRequest } from "../../layers/platform/host.port.ts"
import { IntakeQueue } from "../../layers/intake/intake-queue.port.ts"
import { RefusedPosts } from "../../layers/intake/refused-posts.port.ts"
import { Lifecycle } from "../../layers/platform/lifecycle.port.ts"
import { OsNotify } from "../../layers/platform/os-notify.port.ts"
import type { DeadLetter } from "../../runtime/dead-letters.ts"
import { describeCause, failureClassOf, type GaveUp, StartFailed } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"
import type { Observer, SupervisionEvent } from "../../runtime/reports.ts"
import { startTree } from "../../runtime/supervisor.ts"
import type { StopReport, Tree } from "../../runtime/tree.ts"
import { captureWhileWatched, recordReports, recordTransitions } from "../health/journal-record.ts"
import { decisionReplayRunner } from "../decision/decision-replay.ts"
import { pictureKeeper } from "../health/picture-keeper.ts"
import { auditWatch } from "../operators/audit-keeper.ts"
import { notifier } from "../operators/notifier.ts"
import { calendarWatch } from "../operators/calendar-watch.ts"
import { drillRunner } from "../operators/drill-runner.ts"
import { linkageWatch } from "../operators/linkage-watch.ts"
import { queueWatch } from "../operators/queue-watch.ts"
import { settingsRecorder } from "../operators/settings-record.ts"
import { LiveTree } from "../operators/live-tree.ts"
import { reloader } from "../operators/reloader.ts"
import { rootSupervisor } from "../root.supervisor.ts"
import { reshape } from "./reshape.ts"
import { RunningTree, treeFigures } from "../platform/running-tree.ts"
import { Startup } from "../platform/startup.ts"
import { troubleWatch } from "../operators/trouble-watch.ts"

/** Listeners for the supervisors and for undelivered events; main wires the log. */
export interface ServiceObservers {
  readonly reports: Observer<SupervisionEvent>
  readonly deadLetters: Observer<DeadLetter>
}

const innermost = (cause: Cause.Cause<unknown>): unknown => {
  const reason = cause.reasons[0]
  const error =
    reason === undefined
      ? undefined
      : Cause.isFailReason(reason)
        ? reason.error
        : Cause.isDieReason(reason)
          ? reason.defect
          : undefined
  // A nested supervisor wraps what happened below it; the operator wants the first cause.
  return error instanceof StartFailed ? innermost(error.cause) : error
}

const verdictOfFailure = (
  failure: StartFailed | GaveUp,
  everReady: boolean,
  step: string | null
): Verdict => {
  const end: EndOfTree = {
    error: innermost(failure.cause) ?? failure,
    failureClass: failureClassOf(failure.cause),
    path: failure._tag === "GaveUp" ? failure.child : failure.path,
    step: failure._tag === "StartFailed" ? (failure.step ?? step) : step,
    cause: describeCause(failure.cause),
    everReady
  }
  return verdictOf(end)
}

/** T8, steps 1 and 2: new posts are refused from here on, and those taken in are committed and answered. */
const drainIntake = Effect.gen(function* () {
  const queue = yield* IntakeQueue
  yield* Effect.sync(() => queue.depth()).pipe(
    Effect.repeat({ until: (depth) => depth === 0, schedule: Schedule.spaced(5) }),
    Effect.timeoutOption(intakeLimits.commitMsMax),
    Effect.asVoid
  )
})

const stopInOrder = (tree: Tree, request: StopRequest) =>
  Effect.gen(function* () {
    const lifecycle = yield* Lifecycle
    const notify = yield* OsNotify
    lifecycle.announceStop(new Date(yield* Clock.currentTimeMillis))
    const why =
      request._tag === "Fault"
        ? "a fault that no component owns"
        : request.signal === "SIGHUP"
          ? "SIGHUP: the terminal has closed"
          : request.signal
    yield* logEvent("info", "stopping", `stopping because of ${why}`, { component: "root", reason: why })
    if (notify.enabled) yield* notify.send("STOPPING=1")
    yield* drainIntake
    return yield* tree.stop
  })

const logStopped = (report: StopReport): Effect.Effect<void> =>
  logEvent("info", "stopped", `stopped in ${Math.round(report.elapsedMs)} ms`, {
    component: "root",
    ms: Math.round(report.elapsedMs),
    killed: report.killed
  })

const verdictOfStop = (request: StopRequest, report: StopReport): Verdict => {
  if (report.elapsedMs >= report.deadlineMs) return verdictOfForcedStop(report.deadlineMs, report.killed)
  if (request._tag === "Signal") return { status: exitStatus.clean, fatal: null }
  return verdictOfFault(request.error)
}

/** SIGUSR1 and SIGUSR2 do nothing here; whoever sent one learns that it arrived. */
const logStraySignals = Effect.flatMap(Host, (host) =>
  Effect.forever(
    Effect.flatMap(host.nextStray, (signal) =>
      logEvent("info", "signal.ignored", `${signal} has no meaning here and is ignored`, {
        component: "root",
        signal
      })
    )
  )
)

/** Waits for the end of a running tree, whatever causes it. */
const runUntilEnd = (tree: Tree) =>
  Effect.gen(function* () {
    const host = yield* Host
    const startup = yield* Startup
    const health = yield* HealthSource
    const refused = yield* RefusedPosts
    const end = yield* Effect.raceFirst(
      tree.awaitEnd,
      Effect.map(host.stopRequested, (request) => ({ _tag: "StopRequested", request }) as const)
    )
    if (end._tag === "StopRequested") {
      const forced = Effect.as(host.forceRequested, null)
      const report = yield* Effect.raceFirst(stopInOrder(tree, end.request), forced)
      if (report === null) return secondStopVerdict
      // Pending totals of a flood of refusals come before the last line.
      yield* refused.sumUp("all")
      yield* logStopped(report)
      return verdictOfStop(end.request, report)
    }
    const everReady = startup.progress.complete() || health.health().memory.started
    if (end._tag === "GaveUp")
      return verdictOfFailure(end.error, everReady, startup.progress.current()?.step ?? null)
    // No stop was requested, and no supervisor gave up: a tree that ends by itself is a fault all the same.
    return verdictOf({
      error: { _tag: "TreeEnded" },
      failureClass: "transient",
      path: "root",
      step: null,
      cause: end._tag,
      everReady: true
    })
  })

/** Coalesces requests of one turn into the last: ten thousand accounts become ready together, and each look covers all of them. */
const makeSoon = () => {
  let isAsked = false
  return (look: () => void): void => {
    if (isAsked) return
    isAsked = true
    queueMicrotask(() => {
      isAsked = false
      look()
    })
  }
}

/** From here on a reload may change the components of the tree. */
const attachReshape = (tree: Tree) =>
  Effect.gen(function* () {
    const liveTree = yield* LiveTree
    const context = yield* Effect.context<Effect.Services<ReturnType<typeof reshape>>>()
    liveTree.attach((next, change) => Effect.provideContext(reshape(tree, next, change), context))
  })

/** The number of seeds for the tree's jitter: as many as its generator has states. */
const SEEDS = 2 ** 32

/** Runs the service until it ends and returns the verdict. */
export const runService = (observers: ServiceObservers) =>
  Effect.scoped(
    Effect.gen(function* () {
      const settings = yield* Config
      const entropy = yield* Entropy
      const running = yield* RunningTree
      const figures = yield* Figures
      const { turns } = yield* AccountLeases
      const startup = yield* Startup
      const host = yield* Host
      const soon = makeSoon()
      const journal = yield* Journal
      const token = yield* ControlToken
      const configured = settingsMask(settings)
      const mask: Mask = (text) => configured(token.mask(text))
      yield* Effect.forkScoped(logStraySignals)
      yield* Effect.forEach(
        settingsWarnings(settings),
        ({ message, path }) =>
          logEvent("warn", "settings.warning", `${path}: ${message}`, { component: "root", path }),
        { discard: true }
      )
      const starting = Effect.result(
        startTree(rootSupervisor(settings), {
          stopDeadlineMs: stopLimits.deadlineMs,
          seed: Math.floor(entropy.next() * SEEDS),
          transitionObservers: [recordTransitions(journal, mask)],
          observers: [
            recordReports(journal, mask),
            observers.reports,
            (event) => {
              if (event._tag !== "Ready") return
              const tree = running.tree()
              // The listener is up before the tree is, and no other readiness can be asked before.
              if (tree === null)
                startup.observe((below) => below === "root/http" && event.offender.path === below)
              else soon(() => startup.observe(tree.readyBelow))
            }
          ],
          deadLetterObservers: [observers.deadLetters]
        })
      )
      const asked = Effect.as(host.stopRequested, null)
      const started = yield* Effect.raceFirst(starting, asked)
      // Asked to stop before the tree was up: closing this scope rolls back what has started, in reverse.
      if (started === null) return { status: exitStatus.clean, fatal: null }
      if (started._tag === "Failure") {
        return verdictOfFailure(started.failure, false, startup.progress.current()?.step ?? null)
      }
      const tree = started.success
      running.attach(tree)
      yield* attachReshape(tree)
      yield* captureWhileWatched(tree)
      figures.show("root", () => treeFigures(tree))
      if (settings.roles.has("accounts"))
        figures.show("root/trading/accounts", () => turnFigures(turns.all()))
      startup.observe(tree.readyBelow)
      yield* Effect.forkScoped(notifier)
      yield* Effect.forkScoped(queueWatch)
      yield* Effect.forkScoped(linkageWatch)
      if (settings.roles.has("accounts")) yield* Effect.forkScoped(calendarWatch)
      yield* Effect.forkScoped(auditWatch)
      yield* Effect.forkScoped(troubleWatch)
      yield* Effect.forkScoped(reloader)
      yield* Effect.forkScoped(decisionReplayRunner)
      yield* Effect.forkScoped(settingsRecorder)
      if (settings.mode === "PRACTICE") yield* Effect.forkScoped(drillRunner)
      // Whoever serves the journal shows its moments.
      if (settings.roles.has("http")) yield* Effect.forkScoped(pictureKeeper)
      return yield* runUntilEnd(tree)
    })
  )
