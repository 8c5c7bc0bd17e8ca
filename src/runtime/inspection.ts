/**
 * The inspection stream: every transition of every machine child, in a bounded ring and to subscribers.
 *
 * XState's own `inspect` hook makes `send` throw when the observer throws, and the event is then not delivered.
 * This stream is outside the actors, so a broken console or journal cannot stop an order. What costs more than names
 * (guards, actions, contexts) is captured only while somebody holds `capture`: nobody pays for what nobody looks at.
 * Promises: constant memory; subscribers are isolated; `seq` has no gaps, so a reader sees what it missed.
 * Never: keeps machine contexts or event payloads in its ring, or copies them; only subscribers see them, as references.
 */
import { Observers, type Observer } from "./reports.ts"

/** One transition. Times are epoch milliseconds; `from` and `to` are state names such as `Open` or `A.B+C.D`. */
export interface Transition {
  readonly seq: number
  readonly path: string
  readonly incarnation: number
  readonly event: string
  readonly from: string
  readonly to: string
  readonly at: number
  /** Since when the machine was in `from`; unknown for a machine that a machine invoked. */
  readonly since: number | undefined
  /** Why, in bounded text, where the event carries an error or a reason. */
  readonly cause: string | undefined
  /** The correlation id that the event carries. */
  readonly correlationId: string | undefined
}

/** What a transition did beyond its names; present while `capture` is held. */
export interface TransitionDetail {
  /** Id of the statechart. */
  readonly machine: string
  /** Names of the guards that let it through; those of all its microsteps. */
  readonly guards: ReadonlyArray<string>
  /** Names of its actions, in their order; XState's own bookkeeping left out. */
  readonly actions: ReadonlyArray<string>
  /** The context before and after: references, the same one when nothing was assigned. Not to be kept. */
  readonly before: unknown
  readonly after: unknown
}

/** Called synchronously for every transition, in order. Nothing waits for what it returns. */
export type TransitionObserver = Observer<Transition, TransitionDetail>

/** Ring buffer and fan-out of transitions. */
export class Inspection {
  #ring: Array<Transition> = []
  #seq = 0
  #captures = 0
  readonly #observers: Observers<Transition, TransitionDetail>
  /** How many transitions are kept. */
  readonly capacity: number
  constructor(capacity = 1_000, observers: ReadonlyArray<TransitionObserver> = []) {
    this.capacity = capacity
    this.#observers = new Observers(observers)
  }
  /** Records the next transition, whose `seq` is `total`; called by the machine bridge. */
  record(transition: Transition, detail: TransitionDetail | undefined): void {
    this.#ring[this.#seq % this.capacity] = transition
    this.#seq++
    this.#observers.emit(transition, detail)
  }
  /** True while somebody wants guards, actions and contexts. Asked once for each transition. */
  get detailed(): boolean {
    return this.#captures > 0
  }
  /** Has guards, actions and contexts captured from now on; the returned function ends that, once. */
  capture(): () => void {
    let held = true
    this.#captures++
    return () => {
      if (held) this.#captures--
      held = false
    }
  }
  /** The kept transitions, oldest first; those of one path when given. */
  recent(path?: string): ReadonlyArray<Transition> {
    const start = this.#seq % this.capacity
    const ordered =
      this.#ring.length < this.capacity
        ? this.#ring
        : [...this.#ring.slice(start), ...this.#ring.slice(0, start)]
    return path === undefined ? [...ordered] : ordered.filter((transition) => transition.path === path)
  }
  /** Transitions since the tree was started. */
  get total(): number {
    return this.#seq
  }
  /** Deliveries in which a subscriber threw. */
  get faults(): number {
    return this.#observers.faults
  }
  /** Calls the observer for every transition from now on; the returned function ends that. */
  subscribe(observer: TransitionObserver): () => void {
    return this.#observers.subscribe(observer)
  }
}
