/**
 * The inspection stream: every transition of every machine child, in a bounded ring and to subscribers.
 *
 * XState's own `inspect` hook makes `send` throw when the observer throws, and the event is then not delivered.
 * This stream is outside the actors, so a broken console or journal cannot stop an order.
 * Promises: constant memory; subscribers are isolated; `seq` has no gaps, so a reader sees what it missed.
 * Never: keeps machine contexts or event payloads; only names.
 */
import { Observers, type Observer } from "./reports.ts"

/** One transition. `at` is epoch milliseconds; `from` and `to` are state names such as `Open` or `A.B+C.D`. */
export interface Transition {
  readonly seq: number
  readonly path: string
  readonly incarnation: number
  readonly event: string
  readonly from: string
  readonly to: string
  readonly at: number
}

/** Ring buffer and fan-out of transitions. */
export class Inspection {
  #ring: Array<Transition> = []
  #seq = 0
  readonly #observers = new Observers<Transition>()
  /** How many transitions are kept. */
  readonly capacity: number
  constructor(capacity = 1_000) {
    this.capacity = capacity
  }
  /** Records one transition; called by the machine bridge. */
  record(path: string, incarnation: number, event: string, from: string, to: string, at: number): void {
    const transition: Transition = { seq: this.#seq, path, incarnation, event, from, to, at }
    this.#ring[this.#seq % this.capacity] = transition
    this.#seq++
    this.#observers.emit(transition)
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
  subscribe(observer: Observer<Transition>): () => void {
    return this.#observers.subscribe(observer)
  }
}
