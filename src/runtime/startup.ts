/**
 * Start-up progress: the declared, ordered steps of a boot and where it is.
 *
 * A boot that hangs must show at which step; `/health` answers from this while nothing else is up.
 * Promises: steps are declared once, begun in any order, each ends in `succeeded`, `failed` or `skipped`; every
 * change is an event with `n` of `of`; `current` is the step most recently begun that has not ended.
 * Never: runs a step; it only keeps the books. Observers are isolated.
 */
import { type Observer, Observers } from "./reports.ts"

export type StartupStepState = "waiting" | "begun" | "succeeded" | "failed" | "skipped"
/** One step. `since` is epoch milliseconds of its last change; `ms` how long it took once it has ended. */
export interface StartupStep {
  readonly step: string
  readonly n: number
  readonly of: number
  readonly state: StartupStepState
  readonly since: number
  readonly ms?: number
  readonly error?: string
}
/** The event `startup.step`. */
export interface StartupEvent {
  readonly event: "startup.step"
  readonly n: number
  readonly of: number
  readonly step: string
  readonly state: StartupStepState
  readonly ms: number
  readonly error?: string
}

export class StartupProgress {
  readonly #steps: Array<StartupStep>
  readonly #index = new Map<string, number>()
  readonly #observers: Observers<StartupEvent>
  readonly #now: () => number
  /** `steps` in their order; `now` gives epoch milliseconds. Duplicate names are a bug and throw. */
  constructor(
    steps: ReadonlyArray<string>,
    now: () => number,
    observers: ReadonlyArray<Observer<StartupEvent>> = []
  ) {
    this.#now = now
    this.#observers = new Observers(observers)
    const since = now()
    this.#steps = steps.map((step, index) => ({
      step,
      n: index + 1,
      of: steps.length,
      state: "waiting",
      since
    }))
    steps.forEach((step, index) => this.#index.set(step, index))
    if (this.#index.size !== steps.length) throw new Error("start-up steps must have different names")
  }
  /** The step has begun. A failed step may begin again: it is a retry. */
  begin(step: string): void {
    this.#change(step, "begun")
  }
  /** The step has succeeded. */
  succeed(step: string): void {
    this.#change(step, "succeeded")
  }
  /** The step has failed, for the reason given in one line. */
  fail(step: string, error: string): void {
    this.#change(step, "failed", error)
  }
  /** The step does not apply to this configuration. */
  skip(step: string): void {
    this.#change(step, "skipped")
  }
  /** The step in progress or failed last; undefined when nothing was begun or all has ended well. */
  current(): StartupStep | undefined {
    let found: StartupStep | undefined
    for (const step of this.#steps) {
      if (step.state !== "begun" && step.state !== "failed") continue
      if (found === undefined || step.since >= found.since) found = step
    }
    return found
  }
  /** True when every step has succeeded or was skipped. */
  complete(): boolean {
    return this.#steps.every((step) => step.state === "succeeded" || step.state === "skipped")
  }
  /** All steps in order. */
  steps(): ReadonlyArray<StartupStep> {
    return [...this.#steps]
  }
  /** Adds an observer; the returned function removes it. */
  subscribe(observer: Observer<StartupEvent>): () => void {
    return this.#observers.subscribe(observer)
  }
  #change(name: string, state: StartupStepState, error?: string): void {
    const index = this.#index.get(name)
    const before = index === undefined ? undefined : this.#steps[index]
    if (index === undefined || before === undefined) throw new Error(`undeclared start-up step ${name}`)
    const since = this.#now()
    const ms = state === "begun" ? 0 : since - before.since
    const detail = error === undefined ? {} : { error }
    this.#steps[index] = {
      step: name,
      n: before.n,
      of: before.of,
      state,
      since,
      ...(state === "begun" ? {} : { ms }),
      ...detail
    }
    this.#observers.emit({
      event: "startup.step",
      n: before.n,
      of: before.of,
      step: name,
      state,
      ms,
      ...detail
    })
  }
}
