/**
 * The release of what one life has acquired: its finalizers, last first, one after the other.
 *
 * Closing an Effect scope does the same until one finalizer hangs; then it waits forever, and everything acquired
 * before (a socket, a lock, a port) is held forever, although the child has long been given up. Here the kill starts
 * all that is left, whatever hangs.
 * Promises: each finalizer runs once; a failing one stops no other, and its cause is the release's; what is added
 * after the release has begun runs at once, as with any closed scope.
 * Never: interrupts a finalizer.
 */
import { Cause, Effect, Exit, Fiber, type Scope } from "effect"

type Finalizer = (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>

/** Closes a scope and takes over its finalizers, in the order they were added. */
const take = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>): Array<Finalizer> => {
  const { state } = scope
  if (state._tag === "Closed") return []
  scope.state = { _tag: "Closed", exit }
  if (state._tag === "Empty") return []
  // A single finalizer is kept inline; the map comes with the second.
  return state.finalizers === undefined
    ? state.finalizer === undefined
      ? []
      : [state.finalizer]
    : [...state.finalizers.values()]
}

/** One release. `run` starts an effect with the services of the tree. */
export class Release {
  readonly #scope: Scope.Closeable
  readonly #run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>
  #left: Array<Finalizer> = []
  #exit: Exit.Exit<unknown, unknown> = Exit.interrupt()
  /** Started by the kill. */
  readonly #hurried: Array<Fiber.Fiber<unknown>> = []
  constructor(scope: Scope.Closeable, run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>) {
    this.#scope = scope
    this.#run = run
  }

  /** Releases everything; fails with what the finalizers failed with. */
  begin(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#exit = exit
      this.#left = [...take(this.#scope, exit), ...this.#left]
      return this.#next(undefined)
    })
  }
  /** Starts all that is left, last first, whatever hangs. A release that has begun still ends when all of it has. */
  kill(): void {
    this.#left = [...take(this.#scope, this.#exit), ...this.#left]
    for (let one = this.#left.pop(); one !== undefined; one = this.#left.pop())
      this.#hurried.push(this.#start(one))
  }

  #next(failed: Cause.Cause<never> | undefined): Effect.Effect<void> {
    let all = failed
    for (let fiber = this.#following(); fiber !== undefined; fiber = this.#following()) {
      const exit = fiber.pollUnsafe()
      if (exit === undefined)
        return Effect.flatMap(Fiber.await(fiber), (settled) => this.#next(combined(all, settled)))
      all = combined(all, exit)
    }
    return all === undefined ? Effect.void : Effect.failCause(all)
  }
  #following(): Fiber.Fiber<unknown> | undefined {
    const one = this.#left.pop()
    return one === undefined ? this.#hurried.shift() : this.#start(one)
  }
  #start(finalizer: Finalizer): Fiber.Fiber<unknown> {
    const exit = this.#exit
    return this.#run(Effect.uninterruptible(Effect.suspend(() => finalizer(exit))))
  }
}

const combined = (
  failed: Cause.Cause<never> | undefined,
  exit: Exit.Exit<unknown>
): Cause.Cause<never> | undefined => {
  if (Exit.isSuccess(exit)) return failed
  return failed === undefined ? exit.cause : Cause.combine(failed, exit.cause)
}
