/**
 * XState machines as supervised children, and Effects as the actors they invoke.
 *
 * Machines decide, Effects act: a machine file contains no I/O, and the actor file joins it with the effects it may
 * run. `machineChild` makes a child's start of the two; `effectActor` and `streamActor` make what a machine invokes.
 * Promises: effects run as fibers of the child, on its clock and with its services; a typed failure arrives
 * unchanged as `event.error` of `onError`, a defect crashes the child; leaving the state interrupts the effect;
 * when the child ends they have all ended.
 * Never: runs an effect outside a supervised child.
 */
import { type Context, Effect, type Scope } from "effect"
import type {
  ActorSystem,
  AnyActorLogic,
  AnyActorRef,
  AnyStateMachine,
  EventObject,
  InputFrom,
  PromiseActorLogic,
  SnapshotFrom
} from "xstate"
import type { ChildSelf, ChildStatus, Start } from "./child-spec.ts"
import { Life } from "./life.ts"
import { bridgedLogic, bridgeOf, MachineBridge } from "./machine-bridge.ts"
import { checkMailbox, type Mailbox, type MailboxOptions } from "./mailbox.ts"

declare const requires: unique symbol
/** Actor logic made from an Effect that needs services `R`; XState sees a promise-like actor. */
export type EffectActor<I, A, R> = PromiseActorLogic<A, I> & { readonly [requires]?: R }

/** The services the actors of a machine child need. */
export type ActorRequirements<Actors> = {
  [K in keyof Actors]: Actors[K] extends { readonly [requires]?: infer R } ? Exclude<R, undefined> : never
}[keyof Actors]

type Implementations<M extends AnyStateMachine> = Parameters<M["provide"]>[0]

export interface MachineChildOptions<
  M extends AnyStateMachine,
  Actors extends Readonly<Record<string, AnyActorLogic>>
> {
  readonly machine: M
  /** The machine's input, or a function of the child's self for inputs such as its path. */
  readonly input?: InputFrom<M> | ((self: ChildSelf) => InputFrom<M>)
  readonly actors?: Actors
  readonly actions?: Implementations<M>["actions"]
  readonly guards?: Implementations<M>["guards"]
  readonly delays?: Implementations<M>["delays"]
  /** Adds to or replaces the default status: state name, tags, ready = tag `ready`, lastError = `context.lastError`. */
  readonly status?: (snapshot: SnapshotFrom<M>) => Partial<ChildStatus>
  /** Events that arrive while one is being handled. Default: 1,024, reject. */
  readonly mailbox?: MailboxOptions
  /** Sent when the child is asked to stop; the stop then waits, within its budget, for the machine's final state. */
  readonly stopEvent?: EventObject
}

/**
 * A start that runs a machine. Started when the actor runs; ready while its state has the tag `ready`; a final state
 * is the child's normal end, an unhandled error its crash. A state may postpone events with
 * `meta: { postpone: ["type"] }`: they are delivered again, in order, after the state has changed.
 * Throws `SpecInvalid` for a `mailbox` without a bound or with an unknown policy.
 */
export const machineChild = <
  M extends AnyStateMachine,
  const Actors extends Readonly<Record<string, AnyActorLogic>> = {}
>(
  options: MachineChildOptions<M, Actors>
): Start<ActorRequirements<Actors>> => {
  const { actions, actors, delays, guards } = options
  // Here and not only in the mailbox, which is created for the first event that has to wait: in production, some day.
  if (options.mailbox !== undefined) checkMailbox("machineChild.mailbox", options.mailbox)
  const implementations = {
    ...(actors === undefined ? {} : { actors }),
    ...(actions === undefined ? {} : { actions }),
    ...(guards === undefined ? {} : { guards }),
    ...(delays === undefined ? {} : { delays })
  }
  const logic = bridgedLogic(options.machine, implementations)
  const bridgeOptions = {
    mailbox: options.mailbox ?? { capacity: 1_024, overflow: "reject" as const },
    status: options.status as MachineBridge["options"]["status"],
    stopEvent: options.stopEvent
  }
  return (self) =>
    Effect.contextWith((context: Context.Context<ActorRequirements<Actors> | Scope.Scope>) => {
      if (!(self instanceof Life))
        return Effect.die(new Error("machineChild() is a start for the children of a supervisor"))
      const bridge = new MachineBridge(self, context, bridgeOptions)
      return Effect.sync(() => {
        const input =
          typeof options.input === "function"
            ? (options.input as (self: ChildSelf) => unknown)(self)
            : options.input
        bridge.start(logic, input)
        // A plain object, because an actor file may spread it to add its own `extra` or `drain`.
        return {
          send: (event: EventObject) => bridge.send(event),
          status: () => bridge.status(),
          mailbox: () => bridge.mailbox(),
          timers: () => bridge.timers(),
          takes: (event: EventObject) => bridge.takes(event),
          ...(bridge.drain === undefined ? {} : { drain: bridge.drain })
        }
      })
    })
}

const resolved = "xstate.promise.resolve"
const rejected = "xstate.promise.reject"
const stopped = "xstate.stop"

interface ActorState<I, A> {
  readonly status: "active" | "done" | "error" | "stopped"
  readonly output: A | undefined
  readonly error: unknown
  readonly input: I | undefined
}
interface LogicScope {
  readonly self: AnyActorRef
  readonly system: ActorSystem<any>
}
const settle = <I, A>(
  state: ActorState<I, A>,
  event: EventObject & { readonly data?: unknown },
  scope: LogicScope
): ActorState<I, A> => {
  if (state.status !== "active") return state
  switch (event.type) {
    case resolved:
      return { status: "done", output: event.data as A, error: undefined, input: undefined }
    case rejected:
      return { status: "error", output: undefined, error: event.data, input: undefined }
    case stopped:
      bridgeOf(scope.system).leaveActor(scope.self)
      return { ...state, status: "stopped", input: undefined }
    default:
      bridgeOf(scope.system).sendToActor(scope.self, event)
      return state
  }
}

const relay = (scope: LogicScope, event: EventObject): void => {
  if (scope.self.getSnapshot().status !== "active") return
  // Not part of the public type, but the way XState's own promise logic reports its end.
  const system = scope.system as unknown as {
    readonly _relay: (source: AnyActorRef, target: AnyActorRef, event: EventObject) => void
  }
  system._relay(scope.self, scope.self, event)
}

const logicOf = <I, A, E, R>(
  make: (input: I, scope: LogicScope) => Effect.Effect<A, E, R>
): EffectActor<I, A, R> =>
  ({
    getInitialSnapshot: (_scope: LogicScope, input: I): ActorState<I, A> => ({
      status: "active",
      output: undefined,
      error: undefined,
      input
    }),
    transition: settle,
    start: (state: ActorState<I, A>, scope: LogicScope) => {
      if (state.status !== "active") return
      bridgeOf(scope.system).runActor(
        scope.self,
        Effect.suspend(() => make(state.input as I, scope)),
        (value) => relay(scope, { type: resolved, data: value } as EventObject),
        (error) => relay(scope, { type: rejected, data: error } as EventObject)
      )
    },
    getPersistedSnapshot: (state: ActorState<I, A>) => state
  }) as unknown as EffectActor<I, A, R>

/**
 * An Effect a machine can invoke: success is `onDone` with `event.output`, a typed failure is `onError` with the
 * error unchanged in `event.error`, a defect crashes the child. `name` appears in traces.
 */
export const effectActor = <I, A, E, R>(
  name: string,
  f: (input: I) => Effect.Effect<A, E, R>
): EffectActor<I, A, R> => logicOf((input) => Effect.withSpan(f(input), name) as Effect.Effect<A, E, R>)

/** What a long-running actor is given. `send` goes to the machine that invoked it; `events` are those sent to the actor. */
export interface StreamActorScope<I> {
  readonly input: I
  readonly send: <E extends EventObject>(event: E) => void
  readonly events: Mailbox<EventObject>
}

/** Events a machine may send to one stream actor ahead of it; a machine that is further ahead has lost control of it. */
const inboxCapacity = 256

/**
 * A long-running Effect a machine can invoke, which sends it events. Completion is `onDone`, a typed failure is
 * `onError`, a defect crashes the child.
 */
export const streamActor = <I, E, R>(
  name: string,
  f: (scope: StreamActorScope<I>) => Effect.Effect<void, E, R>
): EffectActor<I, void, R> =>
  logicOf((input: I, scope) => {
    const bridge = bridgeOf(scope.system)
    const events = bridge.inboxOf(scope.self, { capacity: inboxCapacity, overflow: "reject" })
    return Effect.withSpan(
      f({ input, send: (event) => bridge.sendToInvoker(scope.self, event), events }),
      name
    ) as Effect.Effect<void, E, R>
  })
