/**
 * The timers of one machine child that wait: what they will send, and when.
 *
 * XState names what it has scheduled and does not tell when it is due, and its own start time is that of another clock. So whoever
 * runs the clock remembers the due time, and takes the name from XState at the moment it is scheduled.
 *
 * Promises: a timer is listed from its start to its end, by whatever it ends; due times are of the clock that runs it.
 * Never: runs a timer.
 */
import type { ActorSystem, AnyActorRef } from "xstate"

/** A timer that waits. `dueAt` is in epoch milliseconds. */
export interface PendingTimer {
  /** The machine it belongs to: the child's path, and `path#id` for a machine that the child's machine invoked. */
  readonly path: string
  /** The event it sends, such as `xstate.after.1000.feed.BackingOff`. */
  readonly event: string
  readonly delayMs: number
  readonly dueAt: number
}

/** What XState has scheduled, compared by identity: each timer is an object of its own. */
type Scheduled = ReturnType<ActorSystem<any>["getSnapshot"]>["_scheduledEvents"][string]

interface Entry {
  readonly scheduled: Scheduled | undefined
  readonly delayMs: number
  readonly dueAt: number
}

export class MachineTimers {
  readonly #waiting = new Set<Entry>()

  /** A timer begins; the returned function ends it. Called by the clock while XState schedules it. */
  begin(system: ActorSystem<any> | undefined, delayMs: number, nowAt: number): () => void {
    const known = new Set([...this.#waiting].map(({ scheduled }) => scheduled))
    const all = system === undefined ? [] : Object.values(system.getSnapshot()._scheduledEvents)
    const entry = { scheduled: all.find((one) => !known.has(one)), delayMs, dueAt: nowAt + delayMs }
    this.#waiting.add(entry)
    return () => void this.#waiting.delete(entry)
  }

  /** Those that wait, the next first. `root` is the machine of the child at `path`. */
  list(path: string, root: AnyActorRef | undefined): ReadonlyArray<PendingTimer> {
    return [...this.#waiting]
      .map(({ delayMs, dueAt, scheduled }) => ({
        path: scheduled === undefined || scheduled.source === root ? path : `${path}#${scheduled.source.id}`,
        event: scheduled?.event.type ?? "",
        delayMs,
        dueAt
      }))
      .toSorted((a, b) => a.dueAt - b.dueAt)
  }
}
