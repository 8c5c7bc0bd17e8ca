/**
 * Machines that outlive their process: the state kept with its deadlines as moments in time, and put back together.
 *
 * XState can write a snapshot and read it, and loses every pending `after` on the way: a restored state waits for
 * ever. A deadline is kept here as the moment it is due, so the time a process was away counts.
 * Promises: every pending `after`, delayed `raise` and delayed `sendTo` between actors of the machine is armed again
 * for its moment; one that has passed fires before the start answers, in the order of the moments; saves do not
 * overlap and the last state always follows; a save that fails crashes the child.
 * Never: keeps postponed or queued events (their senders hear `not_running`), or a state that has ended.
 */
import { Cause, Effect, type Fiber } from "effect"
import type { AnyActor, AnyActorRef, EventObject } from "xstate"

/** An event that is due at a moment. Actors are named by the ids on the way from the machine; the machine is `[]`. */
export interface PersistedDeadline {
  readonly source: ReadonlyArray<string>
  readonly target: ReadonlyArray<string>
  readonly id: string
  readonly event: EventObject
  /** Epoch milliseconds. */
  readonly at: number
}
/** A machine's state as plain values; survives JSON when its context and inputs do. */
export interface PersistedMachine {
  /** XState's persisted snapshot, with those of invoked actors. */
  readonly snapshot: unknown
  readonly deadlines: ReadonlyArray<PersistedDeadline>
}
/** Where the states of machine children are kept, by the path of the child. */
export interface Persistence<R = never> {
  /** The state last saved, or undefined for a first start. A failure fails the start. */
  readonly load: (path: string) => Effect.Effect<PersistedMachine | undefined, unknown, R>
  /** Called after changes of state, one at a time; states that came and went during a save are skipped. */
  readonly save: (path: string, state: PersistedMachine) => Effect.Effect<void, unknown, R>
  /**
   * What becomes of a kept state that the machine cannot go on from, because a new version has no such state, effect
   * or deadline. `fail`, the default: the start fails with `StateIncompatible`, and the state stays where it is kept.
   * `fresh`: the machine starts anew, a `StateDropped` report says why, and the next save replaces the old state.
   */
  readonly onIncompatible?: "fail" | "fresh"
}
/** The services a persistence needs. */
export type PersistenceRequirements<P> = P extends Persistence<infer R> ? R : never

/** What XState keeps of a delayed event. Not in its declarations. */
interface Scheduled {
  readonly source: AnyActorRef
  readonly target: AnyActorRef
  readonly event: EventObject
  readonly delay: number
  readonly id: string
}
interface Scheduler {
  schedule: (source: AnyActorRef, target: AnyActorRef, event: EventObject, delay: number, id?: string) => void
  readonly cancel: (source: AnyActorRef, id: string) => void
}
interface System {
  readonly _snapshot: { _scheduledEvents: Record<string, Scheduled> }
  readonly scheduler: Scheduler
  readonly _relay: (source: AnyActorRef, target: AnyActorRef, event: EventObject) => void
}

/** True for a state a machine can go on from; one that has ended starts afresh. */
export const canGoOn = (state: PersistedMachine | undefined): state is PersistedMachine => {
  const snapshot = state?.snapshot
  return (
    typeof snapshot === "object" && snapshot !== null && "status" in snapshot && snapshot.status === "active"
  )
}

const idsOf = (root: AnyActor, actor: AnyActorRef): ReadonlyArray<string> | undefined => {
  if (actor === root) return []
  const parent = (actor as { readonly _parent?: AnyActorRef })._parent
  const above = parent === undefined ? undefined : idsOf(root, parent)
  return above === undefined ? undefined : [...above, actor.id]
}
const actorAt = (root: AnyActor, ids: ReadonlyArray<string>): AnyActorRef | undefined => {
  let found: AnyActorRef | undefined = root
  for (const id of ids) {
    const snapshot = found?.getSnapshot() as { readonly children?: Readonly<Record<string, AnyActorRef>> }
    found = snapshot.children?.[id]
  }
  return found
}

/** The pending delayed events of one machine and the moments they are due. */
export class Deadlines {
  readonly #actor: AnyActor
  readonly #system: System
  readonly #nowAt: () => number
  readonly #due = new WeakMap<Scheduled, number>()

  /** To be made between the creation and the start of the actor: events are delayed from the start on. */
  constructor(actor: AnyActor, nowAt: () => number) {
    this.#actor = actor
    this.#system = actor.system as unknown as System
    this.#nowAt = nowAt
    const { scheduler } = this.#system
    const schedule = scheduler.schedule
    scheduler.schedule = (source, target, event, delay, id = `unnamed.${this.#unnamed++}`) => {
      schedule(source, target, event, delay, id)
      const scheduled = this.#pending[`${source.sessionId}.${id}`]
      if (scheduled !== undefined) this.#due.set(scheduled, this.#nowAt() + delay)
    }
  }
  #unnamed = 0
  get #pending(): Record<string, Scheduled> {
    return this.#system._snapshot._scheduledEvents
  }

  /** What is pending, the next one first. */
  list(): ReadonlyArray<PersistedDeadline> {
    const deadlines: Array<PersistedDeadline> = []
    for (const scheduled of Object.values(this.#pending)) {
      const { event, id } = scheduled
      const at = this.#due.get(scheduled)
      const source = idsOf(this.#actor, scheduled.source)
      const target = idsOf(this.#actor, scheduled.target)
      if (at !== undefined && source !== undefined && target !== undefined)
        deadlines.push({ source, target, id, event, at })
    }
    return deadlines.toSorted((one, other) => one.at - other.at)
  }

  /**
   * Hands the deadlines to the system, which arms them when the actor starts: before the invoked actors run, so that
   * a state they leave at once takes its deadlines along. The returned function fires those that have passed.
   */
  restore(deadlines: ReadonlyArray<PersistedDeadline>): () => void {
    const now = this.#nowAt()
    const passed: Array<Scheduled & { readonly key: string }> = []
    for (const { at, event, id, ...ids } of deadlines.toSorted((one, other) => one.at - other.at)) {
      const source = actorAt(this.#actor, ids.source)
      const target = actorAt(this.#actor, ids.target)
      if (source === undefined || target === undefined) continue
      const key = `${source.sessionId}.${id}`
      const scheduled = { source, target, event, delay: Math.max(0, at - now), id }
      this.#pending[key] = scheduled
      if (at <= now) passed.push({ ...scheduled, key })
    }
    return () => {
      for (const { event, id, key, source, target } of passed) {
        // An earlier one may have left the state that this one belonged to.
        if (this.#pending[key] === undefined) continue
        this.#system.scheduler.cancel(source, id)
        this.#system._relay(source, target, event)
      }
    }
  }
}

/** Saves the states of one incarnation, one at a time. */
export class SnapshotWriter {
  readonly #actor: AnyActor
  readonly #deadlines: Deadlines
  readonly #save: (state: PersistedMachine) => Effect.Effect<void, unknown, any>
  readonly #run: (effect: Effect.Effect<void, unknown, any>) => Fiber.Fiber<void, unknown>
  #dirty = false
  #writing = false
  #broken = false
  /** A state that was taken and is not known to be saved. */
  #unsaved: PersistedMachine | undefined

  constructor(
    actor: AnyActor,
    deadlines: Deadlines,
    save: (state: PersistedMachine) => Effect.Effect<void, unknown, any>,
    run: (effect: Effect.Effect<void, unknown, any>) => Fiber.Fiber<void, unknown>
  ) {
    this.#actor = actor
    this.#deadlines = deadlines
    this.#save = save
    this.#run = run
  }
  /** The state has changed. Taken later, when the transition is over. */
  changed(): void {
    this.#dirty = true
    if (this.#writing || this.#broken) return
    this.#writing = true
    this.#run(Effect.andThen(Effect.yieldNow, this.#write))
  }
  /** The actor is about to be stopped, which changes its snapshot: what it is now is the last to save. */
  closing(): void {
    if (this.#dirty) this.#take()
  }
  /** Saves what is not saved yet; part of the child's release, inside its stop budget. */
  readonly flush: Effect.Effect<void, never, any> = Effect.suspend(() => {
    const state = this.#broken ? undefined : this.#unsaved
    return state === undefined ? Effect.void : Effect.orDie(this.#save(state))
  })

  #take(): void {
    this.#dirty = false
    // A machine that crashed has no state to go on from; the one saved before is what its successor gets.
    const { status } = this.#actor.getSnapshot() as { readonly status: string }
    if (status !== "active" && status !== "done") return
    // A copy, because a machine may go on writing into the context it has given out.
    this.#unsaved = structuredClone({
      snapshot: this.#actor.getPersistedSnapshot(),
      deadlines: this.#deadlines.list()
    })
  }
  readonly #write: Effect.Effect<void, unknown, any> = Effect.suspend(() => {
    if (this.#dirty) this.#take()
    const state = this.#unsaved
    if (state === undefined) {
      this.#writing = false
      return Effect.void
    }
    return Effect.flatMap(
      Effect.tapCause(this.#save(state), (cause) =>
        Effect.sync(() => {
          // Interrupted by the end of the child is not broken: the release saves it.
          this.#broken = !Cause.hasInterruptsOnly(cause)
        })
      ),
      () => {
        if (this.#unsaved === state) this.#unsaved = undefined
        return this.#write
      }
    )
  })
}
