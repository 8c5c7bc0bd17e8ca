/**
 * What all supervisors of one tree share: services, clock, books, and the turn counter.
 *
 * Everything a supervisor would otherwise keep for itself a thousand times is kept once here.
 * Promises: all timers run on the Effect clock of the program that started the tree, so the virtual clock drives
 * them; no more than a bounded amount of supervision work is done before the event loop gets its turn.
 * Never: knows a spec.
 */
import { Clock, Context, Effect, type Fiber, Scope } from "effect"
import type { DeadLetters } from "./dead-letters.ts"
import { Inspection, type TransitionObserver } from "./inspection.ts"
import type { Observers } from "./reports.ts"
import { type SupervisionEvent } from "./reports.ts"

/**
 * Messages handled before a loop yields to timers and sockets. Failing starts cost tens of microseconds each, so a
 * restart storm holds the event loop for a few milliseconds at most; smaller numbers slow mass starts for no gain. A
 * count and not a time, because a limit by time would make runs on the virtual clock depend on the machine.
 */
const messagesPerTurn = 64
/** Events that waited for a machine cost microseconds each. */
const lettersPerTurn = 1_024
/** Names of killed components kept for the stop report; more would not help an operator. */
const killedMax = 1_000

/** How much of one kind of work is done before the event loop gets its turn. */
export class TurnShare {
  readonly #max: number
  #spent = 0
  #armed = false
  constructor(max: number) {
    this.#max = max
  }
  /**
   * Counts one piece of work; false when this turn has had its share. The count is cleared by a real macrotask, not by
   * the loops' own waiting: a child that fails in a microtask would otherwise starve timers.
   */
  mayContinue(): boolean {
    if (!this.#armed) {
      this.#armed = true
      setImmediate(() => {
        this.#armed = false
        this.#spent = 0
      })
    }
    return this.#spent++ < this.#max
  }
}

/** Options of a tree that its supervisors need. */
export interface RuntimeOptions {
  readonly stopDeadlineMs: number
  readonly seed: number
  readonly inspectionCapacity?: number
  readonly transitionObservers?: ReadonlyArray<TransitionObserver>
}

/** The shared part of a tree. */
export class TreeRuntime {
  readonly options: RuntimeOptions
  readonly context: Context.Context<any>
  readonly reports: Observers<SupervisionEvent>
  readonly deadLetters: DeadLetters
  readonly inspection: Inspection
  readonly killed: Array<string> = []
  /** Paths of incarnations that outlived their budget, by their fiber's life. */
  readonly abandoned = new Map<object, string>()
  /** Who holds which name. */
  readonly names = new Map<string, { readonly path: string }>()
  restarts = 0
  #tickets = 0
  /** Messages to supervisors, all of the tree together. */
  readonly messages = new TurnShare(messagesPerTurn)
  /** Events that waited for machines; separate, or chattering machines could keep the supervisors from stopping them. */
  readonly letters = new TurnShare(lettersPerTurn)
  readonly #clock: Clock.Clock
  constructor(
    context: Context.Context<any>,
    options: RuntimeOptions,
    reports: Observers<SupervisionEvent>,
    deadLetters: DeadLetters
  ) {
    // The scope of whoever started the tree must not leak into children: each has its own.
    this.context = Context.omit(Scope.Scope)(context as Context.Context<Scope.Scope>) as Context.Context<any>
    this.options = options
    this.reports = reports
    this.deadLetters = deadLetters
    this.inspection = new Inspection(options.inspectionCapacity, options.transitionObservers)
    this.#clock = Context.get(context, Clock.Clock)
  }
  /** Monotonic milliseconds, for durations and windows. */
  nowMs(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }
  /** Epoch milliseconds, for people. */
  nowAt(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }
  /** Runs an effect with the tree's services; whoever calls owns the fiber. */
  run<A, E>(effect: Effect.Effect<A, E, any>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }
  /** Calls back after a delay on the tree's clock; interrupt the fiber to cancel. */
  after(delayMs: number, callback: () => void): Fiber.Fiber<void> {
    return this.run(Effect.andThen(Effect.sleep(delayMs), Effect.sync(callback)))
  }
  /** A number for an administrator's request. */
  ticket(operation: string): { readonly number: number; readonly operation: string } {
    return { number: ++this.#tickets, operation }
  }
  /** Notes a component whose stop budget was used up. */
  noteKilled(path: string): void {
    if (this.killed.length < killedMax) this.killed.push(path)
  }
}
