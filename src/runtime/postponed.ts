/**
 * Events a machine has postponed: kept while its state postpones them, delivered again when the state has changed.
 *
 * OTP's gen_statem can postpone; XState drops an event its state does not handle. A state lists what it postpones in
 * `meta: { postpone: ["order.submit"] }`, next to the transitions, where a reader of the statechart looks for it.
 * Promises: order is kept; at most `capacity` events wait, one more is a dead letter; an event is delivered again
 * only after the state value has changed, so a machine cannot spin on its own postponed events.
 * Never: postpones an event the state handles.
 */
import type { AnyMachineSnapshot, EventObject } from "xstate"

/** True when an active state of the snapshot postpones events of this type. */
const putsOff = (snapshot: AnyMachineSnapshot, type: string): boolean => {
  for (const meta of Object.values(snapshot.getMeta() as Readonly<Record<string, unknown>>)) {
    if (typeof meta !== "object" || meta === null || !("postpone" in meta)) continue
    if (Array.isArray(meta.postpone) && meta.postpone.includes(type)) return true
  }
  return false
}

export class Postponed {
  readonly capacity: number
  #events: Array<EventObject> = []
  #state = ""
  constructor(capacity: number) {
    this.capacity = capacity
  }
  get size(): number {
    return this.#events.length
  }
  /** Keeps an event the state `name` has no transition for. `full`: it would have been kept, but there is no room. */
  keep(snapshot: AnyMachineSnapshot, name: string, event: EventObject): "kept" | "full" | "not_postponed" {
    if (!putsOff(snapshot, event.type)) return "not_postponed"
    if (this.#events.length >= this.capacity) return "full"
    this.#events.push(event)
    this.#state = name
    return "kept"
  }
  /** The events to deliver again, now that the state is `name`; none while it has not changed. */
  release(name: string): ReadonlyArray<EventObject> {
    if (this.#events.length === 0 || name === this.#state) return []
    return this.takeAll()
  }
  /** Everything that still waits. */
  takeAll(): ReadonlyArray<EventObject> {
    const events = this.#events
    this.#events = []
    return events
  }
}
