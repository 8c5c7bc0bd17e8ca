/**
 * Children for supervision tests: each writes what happens to it into a journal and can be ended from outside.
 *
 * Promises: `journal` holds `start a#1`, `stop a#1` in the order they happened; `crash`, `finish` act on the
 * current incarnation.
 * Never: waits on its own.
 */
import { Deferred, Effect } from "effect"
import type { PolicyOptions } from "../../src/runtime/child-policy.ts"
import { ignore, type Running, worker, type WorkerSpec } from "../../src/runtime/child-spec.ts"
import type { ExitReason } from "../../src/runtime/exit-reason.ts"
import type { SupervisionEvent } from "../../src/runtime/reports.ts"

export interface ProbeOptions extends PolicyOptions {
  /** Called at the start of each incarnation; may fail, hang or answer `ignore`. */
  readonly onStart?: (incarnation: number) => Effect.Effect<void | "ignore" | Partial<Running>, unknown>
  /** Finalizer run while it stops. */
  readonly onStop?: Effect.Effect<void>
}

export class Probes {
  readonly journal: Array<string> = []
  readonly reports: Array<SupervisionEvent> = []
  readonly #lives = new Map<string, Deferred.Deferred<void | ExitReason, unknown>>()
  readonly #count = new Map<string, number>()

  /** An observer for `startTree`. */
  readonly observe = (event: SupervisionEvent): void => {
    this.reports.push(event)
  }
  /** A worker that writes to the journal. */
  worker(id: string, options: ProbeOptions = {}): WorkerSpec {
    const { onStart, onStop, ...policy } = options
    return worker({
      id,
      backoff: { firstMs: 0 },
      ...policy,
      start: (self) => this.start(id, self.incarnation, onStart, onStop)
    })
  }
  start(id: string, incarnation: number, onStart?: ProbeOptions["onStart"], onStop?: Effect.Effect<void>) {
    return Effect.gen({ self: this }, function* () {
      this.#count.set(id, incarnation)
      const answer = onStart === undefined ? undefined : yield* onStart(incarnation)
      if (answer === "ignore") return ignore
      const life = Deferred.makeUnsafe<void | ExitReason, unknown>()
      this.#lives.set(id, life)
      this.journal.push(`start ${id}#${incarnation}`)
      yield* Effect.addFinalizer(() =>
        Effect.andThen(
          onStop ?? Effect.void,
          Effect.sync(() => this.journal.push(`stop ${id}#${incarnation}`))
        )
      )
      return { run: Deferred.await(life), ...answer } satisfies Running
    })
  }
  /** Crashes the present incarnation. */
  crash(id: string, error: unknown = new Error("crash")): Effect.Effect<void> {
    return Effect.suspend(() => Effect.asVoid(Deferred.fail(this.#life(id), error)))
  }
  /** Ends the present incarnation in good order. */
  finish(id: string, reason?: ExitReason): Effect.Effect<void> {
    return Effect.suspend(() => Effect.asVoid(Deferred.succeed(this.#life(id), reason)))
  }
  /** The incarnation last started. */
  incarnation(id: string): number {
    return this.#count.get(id) ?? 0
  }
  /** The journal since the last call. */
  take(): ReadonlyArray<string> {
    return this.journal.splice(0)
  }
  /** Tags of the reports about one child, in order. */
  tags(id: string): ReadonlyArray<string> {
    return this.reports
      .filter((event) => event.offender.id === id)
      .map((event) => (event._tag === "SupervisorError" ? event.errorContext : event._tag))
  }
  #life(id: string): Deferred.Deferred<void | ExitReason, unknown> {
    const life = this.#lives.get(id)
    if (life === undefined) throw new Error(`no probe ${id}`)
    return life
  }
}
