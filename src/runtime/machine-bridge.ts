/**
 * The inside of a machine child: one XState actor whose clock, fibers, faults and transitions belong to its life.
 *
 * XState draws statecharts and does not supervise: it drops unknown events, loses rejected promises, leaves
 * callbacks running, lets a throwing observer stop delivery. The bridge closes each of these holes at the one place
 * where all machine children pass.
 * Promises: `after` runs on the Effect clock; an error of the actor, a rejected promise in an action and a defect in
 * an effect are crashes of the child; a final state is its normal end; an event nobody handles is a dead letter.
 * Never: lets an exception of an observer, a status function or an action escape into the sender of an event.
 */
import { Cause, type Context, Effect, Exit, type Fiber } from "effect"
import {
  type Actor,
  type ActorSystem,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject
} from "xstate"
import type { ChildStatus } from "./child-spec.ts"
import type { DeadLetterReason, Delivery } from "./dead-letters.ts"
import { describeError, normal, tagOf } from "./exit-reason.ts"
import type { Transition } from "./inspection.ts"
import type { Life } from "./life.ts"
import { MachineTimers, type PendingTimer } from "./machine-timers.ts"
import { Mailbox, type MailboxDepth, type MailboxOptions } from "./mailbox.ts"
import { Postponed } from "./postponed.ts"
import { isThenable } from "./reports.ts"
import { causeOfEvent, correlationOfEvent, MicrostepWatch } from "./transition-detail.ts"

/** What XState hands to logic; the fields the bridge uses, which its declarations only type in part. */
interface ActorScope {
  readonly self: AnyActorRef
  readonly system: ActorSystem<any>
  actionExecutor: (action: ExecutableAction) => void
}
interface ExecutableAction {
  readonly exec?: (info: unknown, params: unknown) => unknown
}
/** Machines as the bridge wraps them. */
interface MachineLogic {
  readonly options: { maxIterations: number }
  readonly implementations: { readonly actors: Readonly<Record<string, unknown>> }
  readonly transition: (
    snapshot: AnyMachineSnapshot,
    event: EventObject,
    scope: ActorScope
  ) => AnyMachineSnapshot
  readonly getInitialSnapshot: (scope: ActorScope, input: unknown) => AnyMachineSnapshot
  readonly getTransitionData: (snapshot: AnyMachineSnapshot, event: EventObject) => ReadonlyArray<unknown>
  readonly provide: (implementations: object) => MachineLogic
}

/** An eventless cycle is a bug in a machine; a thousand microsteps is far beyond any legitimate one and costs milliseconds. */
const microstepsMax = 1_000

/**
 * Machines that send to machines from their actions nest in one stack. A normal tree is a few deep; beyond this the
 * event waits for the stack to unwind, because a stack that overflows takes the whole process with it.
 */
const deliveriesMax = 32
let deliveries = 0

/** The bridge of the machine child an actor belongs to. Dies when the actor runs outside a machine child. */
export const bridgeOf = (system: ActorSystem<any>): MachineBridge => {
  // The one value of ours that XState carries in the system from its first moment, before `createActor` returns.
  const bridge = system._clock
  if (!(bridge instanceof MachineBridge)) throw new Error("an effect actor runs only inside a machine child")
  return bridge
}

/** `Open`, nested `A.B`, parallel `A.B+C.D`. */
export const stateName = (value: unknown): string => {
  if (typeof value === "string") return value
  if (typeof value !== "object" || value === null) return ""
  return Object.entries(value)
    .map(([key, inner]) => {
      const below = stateName(inner)
      return below === "" ? key : `${key}.${below}`
    })
    .join("+")
}

/** The machine with its implementations, wrapped once for all incarnations. */
export const bridgedLogic = (
  machine: AnyStateMachine,
  implementations: { readonly actors?: Readonly<Record<string, AnyActorLogic>> }
): AnyActorLogic => {
  const plain = machine as unknown as MachineLogic
  const actors: Record<string, unknown> = {}
  // Machines invoked by the machine need the same care; their own implementations are already provided.
  for (const [key, logic] of Object.entries({ ...plain.implementations.actors, ...implementations.actors })) {
    actors[key] = isMachine(logic) ? bridgedLogic(logic, {}) : logic
  }
  const provided = plain.provide({ ...implementations, actors })
  if (provided.options.maxIterations === Number.POSITIVE_INFINITY)
    provided.options.maxIterations = microstepsMax
  const logic = Object.create(provided) as { -readonly [K in keyof MachineLogic]: MachineLogic[K] }
  logic.getInitialSnapshot = (scope, input) => {
    const bridge = bridgeOf(scope.system)
    bridge.adopt(scope)
    return provided.getInitialSnapshot(scope, input)
  }
  logic.transition = (snapshot, event, scope) => {
    const bridge = bridgeOf(scope.system)
    const watched = bridge.steps.begin(scope.self, scope.system)
    const next = provided.transition(snapshot, event, scope)
    const idle = next === snapshot && provided.getTransitionData(snapshot, event).length === 0
    bridge.transitioned(scope.self, snapshot, event, next, { idle, watched })
    return next
  }
  return logic as unknown as AnyActorLogic
}

const isMachine = (logic: unknown): logic is AnyStateMachine =>
  typeof logic === "object" && logic !== null && "__xstatenode" in logic

/** What a machine child may configure; see `machineChild`. */
export interface BridgeOptions {
  readonly mailbox: MailboxOptions
  readonly status: ((snapshot: AnyMachineSnapshot) => Partial<ChildStatus>) | undefined
  readonly stopEvent: EventObject | undefined
}

/** One machine child at run time: XState's clock, its observer, and the parts of the child's `Running`. */
export class MachineBridge {
  readonly life: Life
  readonly context: Context.Context<any>
  readonly options: BridgeOptions
  readonly drain: Effect.Effect<void> | undefined
  #actor: Actor<AnyActorLogic> | undefined
  #mailbox: Mailbox<EventObject> | undefined
  #postponed: Postponed | undefined
  // Maps of this incarnation, not weak ones for all: the collector keeps what a WeakMap names over every minor
  // collection, and machines that crash often would cause long pauses.
  readonly #fibers = new Map<AnyActorRef, Fiber.Fiber<unknown, unknown>>()
  readonly #inboxes = new Map<AnyActorRef, Mailbox<EventObject>>()
  #timers: MachineTimers | undefined
  /** Guards and actions of the transition in progress, while somebody looks. */
  readonly steps: MicrostepWatch
  #since: number
  #nextTurn = false
  #busy = false
  #handling: EventObject | undefined
  #outcome: Delivery = "delivered"

  constructor(life: Life, context: Context.Context<any>, options: BridgeOptions) {
    this.life = life
    this.context = context
    this.options = options
    this.steps = new MicrostepWatch(life.host.runtime.inspection)
    this.#since = life.host.runtime.nowAt()
    this.drain = options.stopEvent === undefined ? undefined : this.#drain(options.stopEvent)
  }

  /** Creates and starts the actor. */
  start(logic: AnyActorLogic, input: unknown): void {
    const actor = createActor(logic, { input, clock: this })
    this.#actor = actor
    actor.subscribe(this)
    this.life.onClosing = () => this.#stop(actor)
    actor.start()
    const snapshot = actor.getSnapshot() as AnyMachineSnapshot
    this.#entered(snapshot)
    this.next(snapshot)
  }
  /** Where the life of the machine began: without it nobody knows the state of one that only waits. */
  #entered({ value, status }: AnyMachineSnapshot): void {
    if (status === "error") return
    const { runtime } = this.life.host
    const at = this.#since
    runtime.inspection.record(
      {
        seq: runtime.inspection.total,
        path: this.life.path,
        incarnation: this.life.incarnation,
        event: "xstate.init",
        from: "",
        to: stateName(value),
        at,
        since: at,
        cause: undefined,
        correlationId: undefined
      },
      undefined
    )
  }

  /** Observer of the actor. */
  next(snapshot: AnyMachineSnapshot): void {
    this.life.setReady(snapshot.status === "active" && snapshot.hasTag("ready"))
    if (this.#postponed === undefined || this.#postponed.size === 0 || snapshot.status !== "active") return
    // XState queues them behind the event being handled and before anything that waits in our mailbox.
    for (const event of this.#postponed.release(stateName(snapshot.value))) this.#actor?.send(event)
  }
  /** Observer of the actor: an error nobody handled. A tagged one is a failure, anything else a defect. */
  error(error: unknown): void {
    const cause = tagOf(error) === undefined ? Cause.die(error) : Cause.fail(error)
    this.life.endWith({ _tag: "Crashed", cause })
  }
  /** Observer of the actor: it ended. A stop that we requested is not an end of its own. */
  complete(): void {
    if (this.#actor?.getSnapshot().status === "done") this.life.endWith(normal)
  }

  /** XState's clock. */
  setTimeout(callback: () => void, delayMs: number): Fiber.Fiber<void> {
    const timers = (this.#timers ??= new MachineTimers())
    const end = timers.begin(this.#actor?.system, delayMs, this.life.host.runtime.nowAt())
    const waited = Effect.ensuring(Effect.sleep(delayMs), Effect.sync(end))
    return this.life.own(this.#run(Effect.andThen(waited, Effect.sync(callback))))
  }
  /** XState's clock. */
  clearTimeout(timer: Fiber.Fiber<void> | undefined): void {
    timer?.interruptUnsafe()
  }

  /** Accepts an event: handled at once, or after the one being handled. */
  send(event: EventObject): Delivery {
    if (this.#actor === undefined || this.#actor.getSnapshot().status !== "active") return "not_running"
    if (this.#busy) return this.#letters().offer(event)
    if (deliveries >= deliveriesMax) return this.#deliverLater(event)
    // What waits from before is older than this event.
    this.#deliverWaiting()
    if (this.#mailbox !== undefined && this.#mailbox.size > 0) return this.#mailbox.offer(event)
    const delivery = this.#deliver(event)
    this.#deliverWaiting()
    return delivery
  }
  /** Like `send`, for senders that cannot act on the result: what is not accepted is counted here. */
  sendCounted(event: EventObject): void {
    const delivery = this.send(event)
    // The mailbox has reported its own losses already.
    if (delivery === "not_running" || delivery === "unhandled") this.letterLost(event, delivery)
  }
  /** An event from an invoked actor to the machine that invoked it. */
  sendToInvoker(actor: AnyActorRef, event: EventObject): void {
    const invoker = (actor as { readonly _parent?: AnyActorRef })._parent
    if (invoker === undefined || invoker === this.#actor) this.sendCounted(event)
    else invoker.send(event)
  }
  /** Events that wait: for the one being handled, and for another state. */
  mailbox(): MailboxDepth {
    const { depth, dropped } = this.#mailbox?.depth() ?? { depth: 0, dropped: 0 }
    return { depth: depth + (this.#postponed?.size ?? 0), capacity: this.options.mailbox.capacity, dropped }
  }
  /** Timers that wait, the next first. */
  timers(): ReadonlyArray<PendingTimer> {
    return this.#timers?.list(this.life.path, this.#actor) ?? []
  }
  /** Whether the state now has a transition for an event that is more than to ignore it. */
  takes(event: EventObject): boolean {
    const snapshot = this.#actor?.getSnapshot() as AnyMachineSnapshot | undefined
    return snapshot?.status === "active" && snapshot.can(event)
  }
  status(): ChildStatus {
    const snapshot = this.#actor?.getSnapshot() as AnyMachineSnapshot | undefined
    if (snapshot === undefined) return { state: "", ready: false, tags: [], detail: {} }
    const lastError: unknown = snapshot.context?.lastError
    return {
      state: stateName(snapshot.value),
      ready: snapshot.hasTag("ready"),
      tags: [...snapshot.tags],
      detail: {},
      ...(lastError === undefined || lastError === null ? {} : { lastError: describeError(lastError) }),
      ...this.options.status?.(snapshot)
    }
  }

  /** Runs an effect for an actor of this machine. Leaving the state interrupts it; the child's end waits for it. */
  runActor<A, E>(
    actor: AnyActorRef,
    effect: Effect.Effect<A, E, any>,
    done: (value: A) => void,
    failed: (error: E) => void
  ): void {
    const fiber = this.life.track(this.#run(effect))
    this.#fibers.set(actor, fiber)
    fiber.addObserver((exit) => {
      this.#fibers.delete(actor)
      this.#inboxes.delete(actor)
      if (Exit.isSuccess(exit)) return done(exit.value)
      const reason = exit.cause.reasons.find((one) => Cause.isDieReason(one)) ?? exit.cause.reasons[0]
      if (reason !== undefined && Cause.isFailReason(reason)) return failed(reason.error)
      // A defect is a bug: no state of the machine is prepared for it, so it is the supervisor's business.
      if (!Cause.hasInterruptsOnly(exit.cause)) this.life.endWith({ _tag: "Crashed", cause: exit.cause })
    })
  }
  /** The state that invoked the actor was left. */
  leaveActor(actor: AnyActorRef): void {
    this.#fibers.get(actor)?.interruptUnsafe()
  }
  /** The events the machine sends to an actor it invoked, for as long as that runs. */
  inboxOf(actor: AnyActorRef, options: MailboxOptions): Mailbox<EventObject> {
    const inbox = new Mailbox<EventObject>(options, (event, reason) => this.letterLost(event, reason))
    this.#inboxes.set(actor, inbox)
    return inbox
  }
  /** An event from the machine to an actor it invoked. */
  sendToActor(actor: AnyActorRef, event: EventObject): void {
    const inbox = this.#inboxes.get(actor)
    if (inbox === undefined) this.letterLost(event, "unhandled")
    else inbox.offer(event)
  }

  /** Counts an undelivered event. */
  letterLost(event: EventObject, reason: DeadLetterReason): void {
    const { runtime } = this.life.host
    runtime.deadLetters.add({ at: runtime.nowAt(), path: this.life.path, eventType: event.type, reason })
  }

  /** Called by the logic when an actor of this system is created: its actions run under our supervision. */
  adopt(scope: ActorScope): void {
    const execute = scope.actionExecutor
    scope.actionExecutor = (action) => {
      const exec = action.exec
      if (exec === undefined) return execute(action)
      execute({
        ...action,
        exec: (info, params) => {
          const outcome = exec(info, params)
          if (isThenable(outcome)) outcome.then(undefined, (error: unknown) => this.life.crash(error))
          return outcome
        }
      })
    }
  }
  /** Called by the logic after each transition. `idle`: nothing took the event; `watched`: its details are wanted. */
  transitioned(
    actor: AnyActorRef,
    from: AnyMachineSnapshot,
    event: EventObject,
    to: AnyMachineSnapshot,
    { idle, watched }: { readonly idle: boolean; readonly watched: boolean }
  ): void {
    const root = this.#actor === undefined || actor === this.#actor
    if (idle) {
      // XState's own events (a done or snapshot event nobody handles) are not dead letters.
      if (event.type.startsWith("xstate.")) return
      const outcome = root ? this.#postpone(from, event) : "unhandled"
      if (root && this.#busy && event === this.#handling) this.#outcome = outcome
      else if (outcome !== "queued") this.letterLost(event, outcome)
      return
    }
    if (to.status === "stopped") return
    const { inspection } = this.life.host.runtime
    const transition = this.#transition(actor, root, from, event, to)
    const detail = watched
      ? { machine: to.machine.id, before: from.context, after: to.context, ...this.steps.names() }
      : undefined
    inspection.record(transition, detail)
  }
  #transition(
    actor: AnyActorRef,
    root: boolean,
    from: AnyMachineSnapshot,
    event: EventObject,
    to: AnyMachineSnapshot
  ): Transition {
    const { life } = this
    const { runtime } = life.host
    const at = runtime.nowAt()
    const name = stateName(from.value)
    const next = to.value === from.value ? name : stateName(to.value)
    // A machine inside a machine is as old as we know: nobody asked for more, and it would need a map.
    const since = root ? this.#since : undefined
    if (root && next !== name) this.#since = at
    return {
      seq: runtime.inspection.total,
      path: root ? life.path : `${life.path}#${actor.id}`,
      incarnation: life.incarnation,
      event: event.type,
      from: name,
      to: next,
      at,
      since,
      cause: causeOfEvent(event),
      correlationId: correlationOfEvent(event)
    }
  }

  #run<A, E>(effect: Effect.Effect<A, E, any>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.context)(effect)
  }
  #letters(): Mailbox<EventObject> {
    return (this.#mailbox ??= new Mailbox(this.options.mailbox, (event, reason) =>
      this.letterLost(event, reason)
    ))
  }
  /** What becomes of an event the current state has no transition for. */
  #postpone(snapshot: AnyMachineSnapshot, event: EventObject): "queued" | "mailbox_full" | "unhandled" {
    const postponed = (this.#postponed ??= new Postponed(this.options.mailbox.capacity))
    const kept = postponed.keep(snapshot, stateName(snapshot.value), event)
    return kept === "kept" ? "queued" : kept === "full" ? "mailbox_full" : "unhandled"
  }
  /** The end of the actor is the end of whatever still waited for it. */
  #stop(actor: Actor<AnyActorLogic>): void {
    actor.stop()
    this.steps.end()
    for (const event of this.#postponed?.takeAll() ?? []) this.letterLost(event, "not_running")
    for (let event = this.#mailbox?.poll(); event !== undefined; event = this.#mailbox?.poll()) {
      this.letterLost(event, "not_running")
    }
  }
  #deliver(event: EventObject): Delivery {
    deliveries++
    this.#busy = true
    this.#handling = event
    this.#outcome = "delivered"
    try {
      this.#actor?.send(event)
    } finally {
      deliveries--
      this.#busy = false
      this.#handling = undefined
    }
    // Postponed events have no mailbox of their own to count the loss.
    const outcome = this.#outcome as Delivery
    if (outcome === "mailbox_full") this.letterLost(event, outcome)
    return outcome
  }
  /** Too deep in the stack of other machines: the event waits in the mailbox until that stack is gone. */
  #deliverLater(event: EventObject): Delivery {
    const answer = this.#letters().offer(event)
    queueMicrotask(() => {
      if (!this.#busy) this.#deliverWaiting()
    })
    return answer
  }
  #deliverWaiting(): void {
    const mailbox = this.#mailbox
    if (mailbox === undefined) return
    while (mailbox.size > 0) {
      // Machines that answer each other forever must leave turns to timers, sockets and whoever wants to stop them.
      if (!this.life.host.runtime.letters.mayContinue()) return this.#goOnNextTurn()
      const event = mailbox.poll()
      if (event === undefined) return
      const delivery = this.#actor?.getSnapshot().status === "active" ? this.#deliver(event) : "not_running"
      if (delivery === "unhandled" || delivery === "not_running") this.letterLost(event, delivery)
    }
  }
  #goOnNextTurn(): void {
    if (this.#nextTurn) return
    this.#nextTurn = true
    setImmediate(() => {
      this.#nextTurn = false
      if (!this.#busy) this.#deliverWaiting()
    })
  }
  /** Asks the machine to finish and waits for its final state; the stop budget bounds it. */
  #drain(stopEvent: EventObject): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const actor = this.#actor
      if (actor === undefined || actor.getSnapshot().status !== "active") return resume(Effect.void)
      const subscription = actor.subscribe({
        complete: () => resume(Effect.void),
        error: () => resume(Effect.void)
      })
      // A state without a transition for the stop event has nothing to finish.
      if (this.send(stopEvent) === "unhandled") resume(Effect.void)
      return Effect.sync(() => subscription.unsubscribe())
    })
  }
}
