/**
 * Starts a supervision tree and returns its `Tree`.
 *
 * The tree is a literal (`supervisor({...})`); `startTree` brings it up first to last and returns when all have
 * started, or with the path and cause of the one that did not, after rolling the others back in reverse.
 * Promises: a hanging child can delay the answer by its start deadline and stop budget, never longer; closing the
 * caller's scope stops the tree in order, inside the global stop deadline, whatever the children do.
 * Never: retries the start of the tree itself; that is the service manager's job.
 */
import { Deferred, Effect, type Fiber, Random, type Scope } from "effect"
import type { EventObject } from "xstate"
import { administration } from "./administration.ts"
import { checkRootSpec, type SupervisorSpec } from "./child-spec.ts"
import type { Child, Ending } from "./core-state.ts"
import {
  type DeadLetter,
  type DeadLetterReason,
  DeadLetters,
  type Delivery,
  isAccepted
} from "./dead-letters.ts"
import { describeError, type StartFailed } from "./exit-reason.ts"
import type { TransitionObserver } from "./inspection.ts"
import type { Life } from "./life.ts"
import type { PendingTimer } from "./machine-timers.ts"
import { PingProbe } from "./ping-probe.ts"
import { type Observer, Observers, type SupervisionEvent } from "./reports.ts"
import * as Check from "./spec-validation.ts"
import { isReady } from "./supervisor-core.ts"
import { SupervisorShell } from "./supervisor-shell.ts"
import { Deaf, type StopReport, type Tree, type TreeEnd, type TreeNode } from "./tree.ts"
import { TreeRuntime } from "./tree-runtime.ts"

/** Options of a tree. */
export interface TreeOptions {
  /** The whole tree ends within this, unresponsive children or not. At least 1. */
  readonly stopDeadlineMs: number
  /** Called synchronously with every supervision event; one that throws is isolated and counted. */
  readonly observers?: ReadonlyArray<Observer<SupervisionEvent>>
  /** Called synchronously with every dead letter; isolated and counted in the same way. */
  readonly deadLetterObservers?: ReadonlyArray<Observer<DeadLetter>>
  /** Seed of all jitter, a whole number; random when absent. */
  readonly seed?: number
  /** Transitions kept by the inspection stream. Default 1,000. */
  readonly inspectionCapacity?: number
  /** Called for every transition from the first one on, with its details while `tree.inspection.capture` is held. */
  readonly transitionObservers?: ReadonlyArray<TransitionObserver>
}

const checkOptions = Check.record({
  stopDeadlineMs: Check.numberFrom(1),
  "observers?": Check.each(Check.aFunction),
  "deadLetterObservers?": Check.each(Check.aFunction),
  "seed?": Check.wholeFrom(0),
  "inspectionCapacity?": Check.wholeFrom(1),
  "transitionObservers?": Check.each(Check.aFunction)
})

/** A root supervisor cannot be its own parent's child: only these parts of its policy have no meaning and are ignored. */
export type RootSpec<R> = SupervisorSpec<R>

/**
 * Brings a tree up and keeps it until the caller's scope closes.
 * Fails with `StartFailed` naming the deepest path; nothing is left behind then. Dies with `SpecInvalid` for a faulty
 * option or specification, before anything is started.
 */
export const startTree = <R = never>(
  spec: RootSpec<R>,
  options: TreeOptions
): Effect.Effect<Tree, StartFailed, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    checkOptions("options", options)
    checkRootSpec(spec)
    const context = yield* Effect.context<R | Scope.Scope>()
    const letters = new Observers<DeadLetter>(options.deadLetterObservers ?? [])
    const runtime = new TreeRuntime(
      context,
      {
        stopDeadlineMs: options.stopDeadlineMs,
        seed: options.seed ?? (yield* Random.nextIntBetween(0, 0xffff_ffff)),
        ...inspectionOf(options)
      },
      new Observers<SupervisionEvent>(options.observers ?? []),
      new DeadLetters((letter) => letters.emit(letter))
    )
    const root = new SupervisorShell(runtime, spec.id, spec, undefined)
    const handle = new RootHandle(root, letters)
    yield* Effect.acquireRelease(
      Effect.sync(() => root.begin()),
      () => handle.stop
    )
    // Interrupting the caller while children start closes its scope, which is the orderly stop.
    yield* Deferred.await(root.booted)
    return handle.tree()
  }) as Effect.Effect<Tree, StartFailed, Exclude<R, Scope.Scope> | Scope.Scope>

const inspectionOf = ({ inspectionCapacity, transitionObservers }: TreeOptions) => ({
  ...(inspectionCapacity === undefined ? {} : { inspectionCapacity }),
  ...(transitionObservers === undefined ? {} : { transitionObservers })
})

/** The root supervisor with its global stop deadline. */
class RootHandle {
  readonly root: SupervisorShell
  readonly #letters: Observers<DeadLetter>
  #stoppingSinceMs: number | undefined
  #deadline: Fiber.Fiber<void> | undefined
  #report: StopReport | undefined
  constructor(root: SupervisorShell, letters: Observers<DeadLetter>) {
    this.root = root
    this.#letters = letters
    root.onEnding = () => this.#armDeadline()
  }
  get #runtime(): TreeRuntime {
    return this.root.runtime
  }
  /** However the stop began (asked, gave up, failed start), the whole of it has one deadline. */
  #armDeadline(): void {
    this.#stoppingSinceMs = this.#runtime.nowMs()
    // The report of this stop names who was killed in it, not in some restart a week ago.
    this.#runtime.killed.length = 0
    this.#deadline = this.#runtime.after(this.#runtime.options.stopDeadlineMs, () => this.root.forceKill())
  }
  readonly #ended: Effect.Effect<{ readonly ending: Ending; readonly report: StopReport }> = Effect.suspend(
    () =>
      Effect.map(Deferred.await(this.root.ended), (ending) => {
        this.#deadline?.interruptUnsafe()
        this.#deadline = undefined
        const nowMs = this.#runtime.nowMs()
        this.#report ??= {
          elapsedMs: nowMs - (this.#stoppingSinceMs ?? nowMs),
          deadlineMs: this.#runtime.options.stopDeadlineMs,
          killed: [...this.#runtime.killed]
        }
        return { ending, report: this.#report }
      })
  )
  readonly stop: Effect.Effect<StopReport> = Effect.suspend(() => {
    this.root.post({ _tag: "Shutdown" })
    return Effect.map(this.#ended, ({ report }) => report)
  })
  readonly awaitEnd: Effect.Effect<TreeEnd> = Effect.suspend(() =>
    Effect.map(this.#ended, ({ ending, report }): TreeEnd => {
      if (ending._tag === "GaveUp") return { _tag: "GaveUp", error: ending.error, report }
      return ending._tag === "AutoShutdown" ? { _tag: "AutoShutdown", report } : { _tag: "Stopped", report }
    })
  )

  tree(): Tree {
    const { root } = this
    const runtime = this.#runtime
    return {
      path: root.path,
      snapshot: () => rootNode(root),
      ready: () => isReady(root.core),
      readyBelow: (path) => readyBelow(root, path),
      timers: (path) => timersAt(root, path),
      takes: (path, event) => takesAt(root, path, event),
      awaitEnd: this.awaitEnd,
      stop: this.stop,
      ping: (deadlineMs) => ping(root, deadlineMs),
      send: (path, event) => send(root, path, event),
      ...administration(root),
      whereIs: (name) => runtime.names.get(name)?.path,
      inspection: runtime.inspection,
      deadLetters: runtime.deadLetters,
      observe: (observer) => runtime.reports.subscribe(observer),
      figures: () => ({
        restarts: runtime.restarts,
        deadLetters: runtime.deadLetters.total,
        observerFaults: runtime.reports.faults + runtime.inspection.faults + this.#letters.faults,
        abandoned: [...runtime.abandoned.values()]
      })
    }
  }
}

const rootNode = (root: SupervisorShell): TreeNode => {
  const { core, path, spec } = root
  const phase =
    core.status === "stopping"
      ? "stopping"
      : core.status === "ended"
        ? "stopped"
        : core.status === "running"
          ? "running"
          : "starting"
  return {
    id: path,
    path,
    type: spec.type,
    phase,
    readiness: spec.readiness,
    tags: [],
    since: root.startedAt,
    incarnation: 1,
    restarts: 0,
    attempt: 0,
    restart: spec.restart,
    budget: { used: 0, max: spec.budget.max, withinMs: spec.budget.withinMs },
    detail: {},
    ...root.node()
  }
}

const ping = (root: SupervisorShell, deadlineMs: number): Effect.Effect<void, Deaf> =>
  Effect.suspend(() => {
    let complete: () => void = () => {}
    const probe = new PingProbe(() => complete())
    const travelled = Effect.callback<void>((resume) => {
      complete = () => resume(Effect.void)
      root.ping(probe)
    })
    return Effect.timeoutOrElse(travelled, {
      duration: deadlineMs,
      orElse: () => Effect.fail(new Deaf({ path: probe.deepest(), deadlineMs }))
    })
  })

const mailboxLosses: ReadonlySet<Delivery> = new Set<Delivery>([
  "mailbox_full",
  "dropped_newest",
  "dropped_oldest"
])

/** The life at a path, or why there is none. */
const lifeAt = (root: SupervisorShell, path: string): Life | DeadLetterReason => {
  const segments = path.split("/")
  let shell: SupervisorShell | undefined = segments[0] === root.path ? root : undefined
  let found: Life | DeadLetterReason = "no_such_child"
  for (const id of segments.slice(1)) {
    const child = shell?.core.children.get(id)
    if (child === undefined) return "no_such_child"
    if (child.handle === undefined) return "not_running"
    found = child.handle
    shell = found.subtree as SupervisorShell | undefined
  }
  return found
}

const isReadyBelow = (child: Child<Life>): boolean => {
  const below = child.handle?.subtree as SupervisorShell | undefined
  if (below !== undefined) return workersReady(below)
  return child.spec.type === "worker" && child.phase === "running" && child.ready
}
const workersReady = (shell: SupervisorShell): boolean => {
  for (const child of shell.core.children.values()) if (!isReadyBelow(child)) return false
  return true
}
const readyBelow = (root: SupervisorShell, path: string): boolean => {
  if (path === root.path) return workersReady(root)
  const found = lifeAt(root, path)
  return typeof found !== "string" && isReadyBelow(found.child)
}

/** A child's own function may throw, and who looks at it must not suffer from that. */
const timersAt = (root: SupervisorShell, path: string): ReadonlyArray<PendingTimer> => {
  const found = lifeAt(root, path)
  if (typeof found === "string") return []
  try {
    return found.running?.timers?.() ?? []
  } catch {
    // Its snapshot shows the fault of whatever it reports there; of its timers nothing is known.
    return []
  }
}

const takesAt = (root: SupervisorShell, path: string, event: EventObject): boolean => {
  const found = lifeAt(root, path)
  if (typeof found === "string") return false
  try {
    return found.running?.takes?.(event) ?? false
  } catch {
    // A guard that expects data the event does not have.
    return false
  }
}

const send = (root: SupervisorShell, path: string, event: EventObject): Delivery => {
  const found = lifeAt(root, path)
  const delivery = typeof found === "string" ? found : deliver(root, found, event)
  // A mailbox (`self.mailbox`) counts its own losses, because it also loses letters nobody waits for an answer to.
  if (!isAccepted(delivery) && !mailboxLosses.has(delivery))
    root.runtime.deadLetters.add({
      at: root.runtime.nowAt(),
      path,
      eventType: event.type,
      reason: delivery as DeadLetterReason
    })
  return delivery
}

const deliver = (root: SupervisorShell, life: Life, event: EventObject): Delivery => {
  if (life.ending || life.child.phase !== "running") return "not_running"
  const { running } = life
  if (running?.send === undefined) return "no_mailbox"
  try {
    return running.send(event)
  } catch (error) {
    // The sender is another component; a throwing receiver is the receiver's crash, not the sender's.
    life.crash(error)
    root.runtime.deadLetters.add({
      at: root.runtime.nowAt(),
      path: life.path,
      eventType: `${event.type} (${describeError(error, 80)})`,
      reason: "not_running"
    })
    return "delivered"
  }
}
