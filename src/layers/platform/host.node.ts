/**
 * Host on Node: signals, and faults that escaped every fiber.
 *
 * Installed before anything else of the service; what arrives before that, while modules still load, is
 * scripts/early-signals.cjs's.
 *
 * Promises: SIGTERM and SIGINT are requests, judged by domain/platform/stop-signal.ts when they come again; SIGHUP asks for a
 * reload of the configuration, or, when standard input is a terminal, means that the terminal has closed, which is a
 * request to stop; SIGUSR1 and SIGUSR2 open no debugger and kill nothing; an uncaught exception or a rejected promise
 * nobody owns is a request to stop with its cause, never silence and never a half-dead process.
 * Never: calls `process.exit`.
 * Failure: a handler that throws is an uncaught exception like any other, and so a request to stop.
 */
import { Deferred, Effect, Queue } from "effect"
import { isatty } from "node:tty"
import { processLimits } from "../../domain/kernel/limits.ts"
import { meaningOfStop } from "../../domain/platform/stop-signal.ts"
import { letThroughWhenBlocked } from "./blocked-signal.linux.ts"
import type { HostService, StopRequest, StopSignal, StraySignal } from "./host.port.ts"

/** What scripts/early-signals.cjs leaves, when it was loaded. */
const releaseEarly = (): ReadonlyArray<unknown> => {
  const early: unknown = Reflect.get(globalThis, Symbol.for("holdfast.early-signals"))
  if (typeof early !== "object" || early === null || !("release" in early)) return []
  const released: unknown = typeof early.release === "function" ? early.release() : []
  return Array.isArray(released) ? released : []
}

const straySignals: ReadonlyArray<StraySignal> = ["SIGUSR1", "SIGUSR2"]

/** Installs the handlers of this process; call once, first thing. */
export const installHost = (): HostService => {
  const first = Deferred.makeUnsafe<StopRequest>()
  const forced = Deferred.makeUnsafe<void>()
  const reloads = Effect.runSync(Queue.sliding<void>(1))
  const strays = Effect.runSync(Queue.sliding<StraySignal>(processLimits.straysKept))
  let signalledMs: number | null = null
  const request = (stop: StopRequest): void => {
    Deferred.doneUnsafe(first, Effect.succeed(stop))
  }
  const onStop = (signal: StopSignal): void => {
    const meaning = meaningOfStop(signalledMs, performance.now())
    signalledMs ??= performance.now()
    if (meaning === "request") request({ _tag: "Signal", signal })
    else if (meaning === "now") Deferred.doneUnsafe(forced, Effect.void)
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onStop(signal))
  // Checked now: a closed terminal no longer counts as one.
  const hasTerminal = isatty(0)
  process.on("SIGHUP", () => {
    if (hasTerminal) onStop("SIGHUP")
    else Queue.offerUnsafe(reloads, undefined)
  })
  for (const signal of straySignals)
    process.on(signal, () => {
      Queue.offerUnsafe(strays, signal)
    })
  for (const early of releaseEarly())
    for (const signal of straySignals) if (signal === early) Queue.offerUnsafe(strays, signal)
  letThroughWhenBlocked("SIGUSR1")
  process.on("uncaughtException", (error) => request({ _tag: "Fault", error }))
  process.on("unhandledRejection", (error) => request({ _tag: "Fault", error }))
  // A reader that closed our stdout must not end trading; writes to it are lost, and that is all.
  process.stdout.on("error", () => undefined)
  process.stderr.on("error", () => undefined)
  return {
    stopRequested: Deferred.await(first),
    forceRequested: Deferred.await(forced),
    nextReload: Queue.take(reloads),
    nextStray: Queue.take(strays)
  }
}
