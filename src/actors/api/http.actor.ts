/**
 * HTTP actor: the listening socket and the intake's worker, as one supervised component.
 *
 * The worker lives here and not with the database, because it serves callers: it is up with the listener and
 * stops with it, and answers 503 for as long as nothing can be stored.
 *
 * Promises: a start that cannot bind fails with the error of the listener (PortInUse, PortForbidden, ...); a socket
 * or a worker that dies is a crash of the component; stopping finishes the responses in progress first.
 * Never: decides the response to a request.
 */
import { Deferred, Effect, Scope } from "effect"
import { stopLimits } from "../../domain/kernel/limits.ts"
import { type BindError, type BoundListener, HttpListener } from "../../layers/api/http-listener.port.ts"
import { listenerLimits } from "../../layers/platform/http-limits.ts"
import { IntakeQueue } from "../../layers/intake/intake-queue.port.ts"
import { Lifecycle } from "../../layers/platform/lifecycle.port.ts"
import { httpMachine } from "../../machines/api/http.machine.ts"
import type { ChildSelf, Start } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"

/** What the component needs from outside. */
export type HttpRequirements = HttpListener | IntakeQueue | Lifecycle

/** What one incarnation shares between the effects of its machine. */
interface Incarnation {
  /** Completed by the bind, for the start that waits for it. */
  readonly bound: Deferred.Deferred<BoundListener, BindError>
  readonly self: ChildSelf
}

const actorsOf = ({ bound, self }: Incarnation, scope: Scope.Scope) => ({
  // Bound in the scope of the child, not of the state: the socket outlives `Binding`.
  bind: effectActor("http.bind", () =>
    Effect.gen(function* () {
      const listener = yield* HttpListener
      const socket = yield* listener.bind.pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.onExit((exit) => Deferred.done(bound, exit))
      )
      yield* logEvent("info", "http.listening", "HTTP server started", {
        component: self.path,
        host: socket.host,
        port: socket.port
      })
      return { host: socket.host, port: socket.port }
    })
  ),
  watch: streamActor("http.watch", ({ send }) =>
    Effect.gen(function* () {
      const lifecycle = yield* Lifecycle
      const socket = yield* Deferred.await(bound)
      const announce = Effect.andThen(
        lifecycle.awaitStop,
        Effect.sync(() => send({ type: "stop.announced" }))
      )
      yield* Effect.all([socket.lost, announce], { concurrency: 2, discard: true })
    })
  ),
  close: effectActor("http.close", () =>
    Effect.gen(function* () {
      const socket = yield* Deferred.await(bound)
      const closed = yield* socket.close(listenerLimits.closeGraceMs)
      yield* logEvent("info", "http.closed", "HTTP server closed", { component: self.path, ...closed })
      return closed
    })
  )
})

/** Milliseconds the whole process may take to stop before the socket is closed without being asked. */
const drainDeadlineMs = 2 * stopLimits.deadlineMs

/**
 * The start of the component. Fails with the listener's own error when the address cannot be bound; succeeds once
 * the socket listens. Its detail shows host, port, connections, exchanges and waiting posts.
 */
export const httpActor: Start<HttpRequirements> = (self) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const queue = yield* IntakeQueue
    const bound = yield* Deferred.make<BoundListener, BindError>()
    // Known once bound; the status may be read before.
    const live: { socket: BoundListener | null } = { socket: null }
    self.step("http.bind")
    const running = yield* machineChild({
      machine: httpMachine,
      input: {
        bindDeadlineMs: listenerLimits.bindMs + listenerLimits.netMs,
        drainDeadlineMs,
        closeDeadlineMs: listenerLimits.closeGraceMs + listenerLimits.netMs
      },
      actors: actorsOf({ bound, self }, scope),
      stopEvent: { type: "listener.close" },
      status: ({ context, value }) => ({
        state: typeof value === "string" ? value : value.Serving,
        detail: {
          host: context.host,
          port: context.port,
          ...live.socket?.load(),
          posts_waiting: queue.depth(),
          oldest_post_ms: Math.round(queue.oldestMs())
        }
      })
    })(self)
    yield* self.fork("intake", queue.worker)
    live.socket = yield* Deferred.await(bound)
    return running
  })
