/**
 * The shell of one supervisor: a loop fiber with a bounded mailbox that carries out what the core decides.
 *
 * The loop never waits for a child. A start, a stop, a delay is begun and its end comes back as a message, so
 * admin calls and pings are answered while any of them hangs.
 * Promises: messages are handled one at a time in order; requests from outside are bounded and refused when the
 * mailbox is full, messages from children are bounded by their number; every request is answered, even at the end;
 * after a bounded amount of work the event loop gets its turn.
 * Never: blocks, throws into a child, or leaves a fiber behind when it has ended.
 */
import { Cause, Deferred, Effect, Exit, type Fiber } from "effect"
import { seedFor } from "./backoff.ts"
import {
  checkChildSpec,
  type DynamicSpec,
  type Start,
  type SupervisorSpec,
  type Template
} from "./child-spec.ts"
import {
  abandon,
  type Child,
  type Command,
  type Core,
  type CoreEvent,
  type Ending,
  type ReportDraft,
  type Ticket
} from "./core-state.ts"
import { type ExitReason, GaveUp, shutdown, StartFailed } from "./exit-reason.ts"
import { Life, type LifeHost, type Subtree } from "./life.ts"
import type { PingProbe } from "./ping-probe.ts"
import type { SupervisionEvent } from "./reports.ts"
import { handle, isReady, makeCore } from "./supervisor-core.ts"
import type { AdminReason, StartedChild, TreeNode } from "./tree.ts"
import type { TreeRuntime } from "./tree-runtime.ts"
import { nodesOf } from "./tree-nodes.ts"

/** Requests waiting in one mailbox; an operator's console needs a handful, a bulk start of children some hundreds. */
const requestsMax = 1_024

/** The answer to an administrator. */
export type Answer =
  | { readonly ok: true; readonly started: StartedChild | undefined }
  | { readonly ok: false; readonly reason: AdminReason; readonly cause: unknown }
type Request = Extract<CoreEvent<Life>, { readonly ticket: Ticket }>
type Message = CoreEvent<Life> | { readonly _tag: "Ping"; readonly probe: PingProbe }

export class SupervisorShell implements LifeHost, Subtree {
  readonly path: string
  readonly runtime: TreeRuntime
  readonly spec: SupervisorSpec<any> | DynamicSpec<any>
  readonly core: Core<Life>
  /** Epoch milliseconds. */
  readonly startedAt: number
  /** The life of this supervisor in its parent; the root has none. */
  readonly life: Life | undefined
  readonly booted = Deferred.makeUnsafe<void, StartFailed>()
  readonly ended = Deferred.makeUnsafe<Ending>()
  /** Nested supervisors that live, for pings. */
  readonly nested = new Set<SupervisorShell>()
  killing = false
  /** Called once when the orderly stop begins. */
  onEnding: (() => void) | undefined
  #queue: Array<Message> = []
  #head = 0
  #requests = 0
  #wake: ((effect: Effect.Effect<void>) => void) | undefined
  #over = false
  readonly #tickets = new Map<number, (answer: Answer) => void>()
  readonly #timers = new Map<Child<Life>, Fiber.Fiber<void>>()

  constructor(
    runtime: TreeRuntime,
    path: string,
    spec: SupervisorSpec<any> | DynamicSpec<any>,
    life: Life | undefined
  ) {
    this.runtime = runtime
    this.path = path
    this.spec = spec
    this.life = life
    this.startedAt = runtime.nowAt()
    this.core = makeCore<Life>(path, spec, seedFor(runtime.options.seed, path), runtime.nowMs())
  }

  /** Starts the loop and the children; `booted` and `ended` report the rest. */
  begin(): void {
    this.post({ _tag: "Boot" })
    // The loop belongs to the supervisor's own end: it completes with `ended`, and a defect in it is an end too.
    this.runtime.run(this.#loop).addObserver((exit) => {
      if (Exit.isFailure(exit)) this.#fault(exit.cause)
    })
  }

  post(message: Message): void {
    if (this.#over) return
    this.#queue.push(message)
    const wake = this.#wake
    if (wake === undefined) return
    this.#wake = undefined
    wake(Effect.void)
  }

  /** Hands a request to the core; the answer comes exactly once. The returned function forgets it. */
  request(event: Request, answer: (answer: Answer) => void): () => void {
    if (this.#over) answer({ ok: false, reason: "stopping", cause: undefined })
    else if (this.#requests >= requestsMax) answer({ ok: false, reason: "mailbox_full", cause: undefined })
    else {
      this.#requests++
      this.#tickets.set(event.ticket.number, answer)
      this.post(event)
    }
    return () => this.#tickets.delete(event.ticket.number)
  }

  /** Lets a ping travel through this mailbox and those below. */
  ping(probe: PingProbe): void {
    if (this.#over) return
    probe.expect(this.path)
    this.post({ _tag: "Ping", probe })
  }

  /** Ends every wait for a stop at once: what has not ended is abandoned and named. */
  forceKill(): void {
    if (this.killing || this.#over) return
    this.killing = true
    this.post({ _tag: "Shutdown" })
    for (const child of [...this.core.children.values()])
      if (child.phase === "stopping") child.handle?.kill(0)
  }

  /** Stops the children in order and completes when the supervisor has ended. */
  readonly stopAndWait: Effect.Effect<Ending> = Effect.suspend(() => {
    this.post({ _tag: "Shutdown" })
    return Deferred.await(this.ended)
  })

  node(): Pick<TreeNode, "children" | "group" | "ready" | "state"> {
    const nowMs = this.runtime.nowMs()
    const { intensity, status, strategy, window } = this.core
    return {
      children: nodesOf(this.core, nowMs, this.runtime.nowAt()),
      group: {
        used: window.used(intensity, nowMs),
        max: intensity.max,
        withinMs: intensity.withinMs,
        strategy: this.spec.type === "dynamic" ? "dynamic" : strategy
      },
      ready: isReady(this.core),
      state: status === "booting" || status === "new" ? "starting" : status
    }
  }

  /** How this supervisor's end looks to its parent. */
  readonly exit: Effect.Effect<ExitReason> = Effect.suspend(() =>
    Effect.map(Deferred.await(this.ended), (ending) =>
      ending._tag === "GaveUp" ? shutdown(ending.error) : shutdown(ending._tag)
    )
  )

  readonly #loop: Effect.Effect<void> = Effect.suspend(() => {
    while (this.#head < this.#queue.length) {
      if (!this.runtime.messages.mayContinue()) return Effect.flatMap(Effect.yieldNow, () => this.#loop)
      const message = this.#queue[this.#head++]
      if (this.#head === this.#queue.length) {
        this.#queue = []
        this.#head = 0
      }
      if (message !== undefined) this.#process(message)
      if (this.#over) return Effect.void
    }
    return Effect.flatMap(
      Effect.callback<void>((resume) => {
        this.#wake = resume
      }),
      () => this.#loop
    )
  })

  #process(message: Message): void {
    if (message._tag === "Ping") return this.#forwardPing(message.probe)
    if ("ticket" in message) this.#requests--
    if (
      (message._tag === "Down" || message._tag === "Ignored") &&
      message.child.incarnation === message.incarnation
    )
      message.child.handle = undefined
    for (const command of handle(this.core, message, this.runtime.nowMs())) this.#carryOut(command)
  }

  #forwardPing(probe: PingProbe): void {
    for (const shell of this.nested) shell.ping(probe)
    probe.answered(this.path)
  }

  #carryOut(command: Command<Life>): void {
    switch (command._tag) {
      case "Start":
        return this.#start(command.child)
      case "Stop":
        return command.child.handle?.stop()
      case "SetTimer":
        return this.#setTimer(command)
      case "ClearTimer":
        this.#timers.get(command.child)?.interruptUnsafe()
        this.#timers.delete(command.child)
        return
      case "Report":
        return this.#report(command.event)
      case "Accept":
        return this.#answer(command.ticket, { ok: true, started: command.started })
      case "Refuse":
        return this.#answer(command.ticket, { ok: false, reason: command.reason, cause: command.cause })
      case "Continue":
        return this.post({ _tag: "GoOn" })
      case "Booted":
        Deferred.doneUnsafe(this.booted, Effect.void)
        return
      case "Readiness":
        return this.life?.setReady(command.ready)
      case "Ending":
        return this.onEnding?.()
      case "End":
        return this.#end(command.ending)
    }
  }

  #start(child: Child<Life>): void {
    if (child.incarnation > 1) this.runtime.restarts++
    const life = new Life(this, child)
    child.handle = life
    life.begin(startOf(child))
  }

  #setTimer(command: Command<Life> & { _tag: "SetTimer" }): void {
    const { child, delayMs, timer } = command
    this.#timers.set(
      child,
      this.runtime.after(delayMs, () => {
        this.#timers.delete(child)
        this.post({ _tag: "Timer", child, timer })
      })
    )
  }

  #answer(ticket: Ticket, answer: Answer): void {
    const waiting = this.#tickets.get(ticket.number)
    this.#tickets.delete(ticket.number)
    waiting?.(answer)
  }

  #report(draft: ReportDraft): void {
    const reports = this.runtime.reports
    if (reports.idle) return
    const at = this.runtime.nowAt()
    const { inMs, ...event } = draft
    reports.emit({
      ...event,
      at,
      supervisor: this.path,
      ...(inMs === undefined ? {} : { nextAt: at + inMs })
    } as SupervisionEvent)
  }

  #end(ending: Ending): void {
    this.#over = true
    for (const answer of this.#tickets.values()) answer({ ok: false, reason: "stopping", cause: undefined })
    this.#tickets.clear()
    for (const message of this.#queue.slice(this.#head))
      if (message._tag === "Ping") message.probe.answered(this.path)
    this.#queue = []
    const unstarted = ending._tag === "StartFailed" ? ending.error : stoppedWhileStarting(this.path, ending)
    Deferred.doneUnsafe(this.booted, Effect.fail(unstarted))
    Deferred.doneUnsafe(this.ended, Effect.succeed(ending))
  }

  /** A defect of the runtime itself: nothing may hang because of it, so everything below is abandoned and named. */
  #fault(cause: Cause.Cause<unknown>): void {
    if (this.#over) return
    this.killing = true
    this.onEnding?.()
    for (const fiber of this.#timers.values()) fiber.interruptUnsafe()
    this.#over = true
    for (const child of this.core.children.values()) child.handle?.kill(0)
    abandon(this.core)
    this.#over = false
    this.#end({
      _tag: "GaveUp",
      error: new GaveUp({ path: this.path, child: this.path, why: "not_retryable", cause })
    })
  }
}

const stoppedWhileStarting = (path: string, ending: Ending): StartFailed =>
  new StartFailed({
    path,
    reason: ending._tag === "GaveUp" ? ending.error.message : "stopped while starting",
    cause: ending._tag === "GaveUp" ? Cause.fail(ending.error) : Cause.interrupt(),
    elapsedMs: 0,
    deadlineMs: 0
  })

/** The start of any child: a worker's own, an instance's from its template, or a nested supervisor. */
const startOf = (child: Child<Life>): Start<any> => {
  const spec = child.spec
  if (spec.type === "dynamic" || (spec.type === "supervisor" && "children" in spec)) return nested(spec)
  if ("id" in spec) return spec.start
  const template: Template<any> = spec
  return (self) => (template.start as (args: unknown, id: string) => Start<any>)(child.args, child.id)(self)
}

/**
 * A nested supervisor as a start, for templates of dynamic supervisors whose children are supervisors. Stopping the
 * child is the orderly stop of the subtree. Throws `SpecInvalid` with the path of the offending key.
 */
export const subtree = (spec: SupervisorSpec<any> | DynamicSpec<any>): Start<any> => {
  checkChildSpec("subtree", spec)
  return nested(spec)
}

const nested =
  (spec: SupervisorSpec<any> | DynamicSpec<any>): Start<any> =>
  (self) => {
    if (!(self instanceof Life))
      return Effect.die(new Error("subtree() is a start for the children of a supervisor"))
    return Effect.suspend(() => {
      self.setStatus({ ready: false })
      const parent = self.host as SupervisorShell
      const shell = new SupervisorShell(self.host.runtime, self.path, spec, self)
      self.subtree = shell
      parent.nested.add(shell)
      const release = Effect.ensuring(
        shell.stopAndWait,
        Effect.sync(() => parent.nested.delete(shell))
      )
      return Effect.andThen(
        Effect.addFinalizer(() => release),
        Effect.andThen(
          Effect.sync(() => shell.begin()),
          Effect.as(Deferred.await(shell.booted), { run: shell.exit })
        )
      )
    })
  }
