/**
 * Host on Node: signals, and faults that escaped every fiber.
 *
 * Installed before anything else, because a signal that arrives while modules still load kills the process outright.
 *
 * Promises: SIGTERM and SIGINT are requests, the second one is an impatient one; SIGHUP asks for a look at the configuration; an uncaught exception or a rejected
 * promise nobody owns is a request to stop with its cause, never silence and never a half-dead process.
 * Never: calls `process.exit`.
 * Failure: none.
 */
import { Deferred, Effect, Queue } from "effect"
import type { HostService, StopRequest } from "./host.ts"

/** Installs the handlers of this process; call once, first thing. */
export const installHost = (): HostService => {
  const first = Deferred.makeUnsafe<StopRequest>()
  const second = Deferred.makeUnsafe<void>()
  const reloads = Effect.runSync(Queue.sliding<void>(1))
  let asked = false
  const request = (stop: StopRequest): void => {
    if (asked && stop._tag === "Signal") Deferred.doneUnsafe(second, Effect.void)
    asked = true
    Deferred.doneUnsafe(first, Effect.succeed(stop))
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => request({ _tag: "Signal", signal }))
  // Unhandled, SIGHUP would kill the process: a closed terminal must not, and an operator means "read it again".
  process.on("SIGHUP", () => Queue.offerUnsafe(reloads, undefined))
  process.on("uncaughtException", (error) => request({ _tag: "Fault", error }))
  process.on("unhandledRejection", (error) => request({ _tag: "Fault", error }))
  // A reader that closed our stdout must not end trading; writes to it are lost, and that is all.
  process.stdout.on("error", () => undefined)
  process.stderr.on("error", () => undefined)
  return {
    stopRequested: Deferred.await(first),
    forceRequested: Deferred.await(second),
    nextReload: Queue.take(reloads)
  }
}
