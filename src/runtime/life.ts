/**
 * One incarnation of one child: its scope, its fibers, its end.
 *
 * The start, the run and the release of a child happen in one fiber with one Scope; everything else the child
 * starts is a fiber owned by this life. Whatever goes wrong in any of them ends the whole life, once, with
 * a cause; and the end is reported only when all of it is gone, or its stop budget is used up.
 * Promises: exactly one `Started`-or-not and one `Down` (or `Ignored`) per life; owned fibers are ended before the
 * scope is closed; a life that does not end within its budget is abandoned and reported as such.
 * Never: decides about restarts.
 */
import { Cause, type Context, Context as ContextModule, Effect, Exit, Fiber, Scope } from "effect"
import type { ChildSelf, ChildStatus, Ignore, Running, Start } from "./child-spec.ts"
import type { Child, CoreEvent } from "./core-state.ts"
import {
  BadStartReturn,
  describeCause,
  describeError,
  describeExit,
  type ExitReason,
  isExitReason,
  isOrderly,
  NameTaken,
  normal,
  shutdown,
  type StartFailed,
  StartTimedOut
} from "./exit-reason.ts"
import { Mailbox, type MailboxOptions } from "./mailbox.ts"
import { Release } from "./release.ts"
import { faultOf, isIgnored, startFailed } from "./start-answer.ts"
import type { ChildDown, TreeNode } from "./tree.ts"
import type { TreeRuntime } from "./tree-runtime.ts"

/** What a life needs of its supervisor. */
export interface LifeHost {
  readonly path: string
  readonly runtime: TreeRuntime
  /** True once every stop must be immediate. */
  readonly killing: boolean
  post(event: CoreEvent<Life>): void
}

/** What a life that is itself a supervisor can be asked. */
export interface Subtree {
  /** Ends every wait for stops below at once. */
  forceKill(): void
  node(): Pick<TreeNode, "children" | "group" | "ready" | "state">
}

const causeOf = (error: unknown): Cause.Cause<unknown> => {
  try {
    return Cause.isCause(error) ? error : Cause.die(error)
  } catch {
    return Cause.die(error)
  }
}

const startingStatus: ChildStatus = { state: "", ready: false, tags: [], detail: {} }

export class Life implements ChildSelf {
  readonly child: Child<Life>
  readonly incarnation: number
  readonly host: LifeHost
  /** Set by a supervisor's start. */
  subtree: Subtree | undefined
  running: Running<any> | undefined
  /** Runs when the life begins to close, before owned fibers are ended: what could start new ones stops here. */
  onClosing: (() => void) | undefined
  watchers: Array<(down: ChildDown) => void> | undefined
  #status: ChildStatus = startingStatus
  #reportedReady = false
  #readySet = false
  #fiber: Fiber.Fiber<unknown, unknown> | undefined
  #owned: Set<Fiber.Fiber<unknown, unknown>> | undefined
  #timer: Fiber.Fiber<void> | undefined
  #ending: ExitReason | undefined
  #asked = false
  #closing = false
  #done = false
  #ignored = false
  readonly #scope = Scope.makeUnsafe()
  #release: Release | undefined
  #start: Start<any> | undefined
  #names: Array<string> | undefined
  #mailboxes: Array<Mailbox<any>> | undefined
  #leaving = false
  /** How `run` ended, while the release still goes on. */
  #lastWords: ExitReason | undefined
  #killedAfterMs: number | undefined
  #step: string | undefined
  readonly #sinceMs: number
  #path: string | undefined

  constructor(host: LifeHost, child: Child<Life>) {
    this.host = host
    this.child = child
    this.incarnation = child.incarnation
    this.#sinceMs = host.runtime.nowMs()
  }
  /** Cached: it is a frequent look-up key, and a newly built string would be hashed each time. */
  get path(): string {
    return (this.#path ??= `${this.host.path}/${this.child.id}`)
  }
  get done(): boolean {
    return this.#done
  }
  /** True from the moment the end is decided: what is sent to it now would be lost. */
  get ending(): boolean {
    return this.#done || this.#ending !== undefined || this.#closing
  }
  /** The services of the tree, without a Scope. */
  get context(): Context.Context<any> {
    return this.host.runtime.context
  }

  /** Begins the life. Returns when the start has settled or waits for something. */
  begin(start: Start<any>): void {
    this.#start = start
    const program = Effect.onExit(this.#birth, (exit) => this.#close(exit))
    const fiber = Effect.runForkWith(ContextModule.add(this.context, Scope.Scope, this.#scope))(program)
    this.#fiber = fiber
    if (this.#ending !== undefined) fiber.interruptUnsafe()
    fiber.addObserver((exit) => this.#finished(exit))
    const deadlineMs = this.child.spec.startDeadlineMs
    if (!this.#done && this.running === undefined && deadlineMs !== Number.POSITIVE_INFINITY) {
      this.#timer = this.host.runtime.after(deadlineMs, () => this.#startTimedOut(deadlineMs))
    }
  }

  /** Takes the start out of the life before running it: a fiber retains its effect, but must not retain what a start was made of. */
  readonly #birth: Effect.Effect<unknown, unknown, any> = Effect.suspend(() => {
    const start = this.#start
    this.#start = undefined
    return start === undefined ? Effect.never : Effect.flatMap(start(this), (answer) => this.#started(answer))
  })

  setStatus = (status: Partial<ChildStatus>): void => {
    if (this.#done) return
    this.#status = { ...this.#status, ...status }
    if (status.ready === undefined) return
    this.#readySet = true
    this.setReady(status.ready)
  }
  /** Notifies the supervisor when readiness changes; before the start has settled it is only remembered. */
  setReady(ready: boolean): void {
    this.#readySet = true
    if (this.#status.ready !== ready) this.#status = { ...this.#status, ready }
    if (this.running === undefined || this.#reportedReady === ready || this.#done) return
    if (!this.#leaving) this.#post(this.#status.state, ready)
  }
  #post(state: string, ready: boolean): void {
    this.#reportedReady = ready
    this.host.post({ _tag: "Ready", child: this.child, incarnation: this.incarnation, ready, state })
  }
  step = (name: string): void => {
    this.#step = name
  }
  crash = (error: unknown): void => this.endWith({ _tag: "Crashed", cause: causeOf(error) })
  end = (reason: ExitReason = normal): void => this.endWith(reason)
  fork = <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
    Effect.contextWith((context: Context.Context<R>) =>
      Effect.sync(() => this.own(Effect.runForkWith(context)(effect), name))
    )

  register = (name: string): Effect.Effect<void, NameTaken> =>
    Effect.suspend(() => {
      const { names } = this.host.runtime
      const holder = names.get(name)
      if (holder !== undefined && holder !== this)
        return Effect.fail(new NameTaken({ wanted: name, holder: holder.path }))
      if (this.#done) return Effect.void
      names.set(name, this)
      ;(this.#names ??= []).push(name)
      return Effect.void
    })
  mailbox = <A extends { readonly type: string }>(options: MailboxOptions): Mailbox<A> => {
    const mailbox = new Mailbox<A>(options, (letter, reason) => {
      const { runtime } = this.host
      runtime.deadLetters.add({ at: runtime.nowAt(), path: this.path, eventType: letter.type, reason })
    })
    if (this.#done) mailbox.close()
    else (this.#mailboxes ??= []).push(mailbox)
    return mailbox
  }

  /** The state to show: the child's own function when it has one. */
  status(): ChildStatus {
    const { running } = this
    if (this.#leaving) {
      const reason = this.#ending ?? this.#lastWords
      const why = reason === undefined || isOrderly(reason) ? {} : { lastError: describeExit(reason) }
      return { ...this.#status, state: "ending", ...why }
    }
    if (running?.status === undefined) return this.#status
    try {
      const reported: Partial<ChildStatus> | undefined = running.status()
      const ready = this.#status.ready && reported?.ready !== false
      return { ...startingStatus, ...reported, state: reported?.state ?? "", ready }
    } catch (error) {
      // A broken status function must not break the snapshot that would show it.
      return { ...this.#status, lastError: `status: ${describeError(error)}` }
    }
  }

  /** Makes a fiber part of this life: it ends with it. Its failure is for others to judge. */
  track<A, E>(fiber: Fiber.Fiber<A, E>): Fiber.Fiber<A, E> {
    if (fiber.pollUnsafe() !== undefined) return fiber
    const owned = (this.#owned ??= new Set())
    owned.add(fiber)
    fiber.addObserver(() => owned.delete(fiber))
    if (this.#closing || this.#done) fiber.interruptUnsafe()
    return fiber
  }
  /** Makes a fiber part of this life: it ends with it, and its failure ends it. */
  own<A, E>(fiber: Fiber.Fiber<A, E>, name?: string): Fiber.Fiber<A, E> {
    this.track(fiber)
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause))
        this.endWith({ _tag: "Crashed", cause: exit.cause, ...(name === undefined ? {} : { fiber: name }) })
    })
    return fiber
  }

  /** Ends the life from inside; the first reason given wins. */
  endWith(reason: ExitReason): void {
    if (this.#ending !== undefined || this.#done) return
    this.#ending = reason
    this.#fiber?.interruptUnsafe()
    // The end may hang in a finalizer; without a budget a crashed child could stay crashed forever.
    if (!this.#done && !this.#asked) this.#armKill()
    this.#leave()
  }
  /** An end that takes time is reported at once: a dying child is neither ready nor working. A requested stop is known already. */
  #leave(): void {
    if (this.#done || this.#asked || this.running === undefined) return
    // Most children end within the stack that ends them, and that need not be reported twice.
    queueMicrotask(() => {
      if (this.#done || this.#asked || this.#leaving) return
      this.#leaving = true
      this.#post("ending", false)
    })
  }

  /** Asked to stop by the supervisor: drain, interrupt, wait at most the stop budget. */
  stop(): void {
    if (this.#done || this.#asked) return
    this.#asked = true
    this.#timer?.interruptUnsafe()
    const budget = this.child.spec.stopBudgetMs
    const immediate = this.host.killing || budget === "kill"
    const drain = this.running?.drain
    if (drain === undefined || immediate || this.#ending !== undefined) this.#fiber?.interruptUnsafe()
    else {
      const draining = Effect.runForkWith(this.context)(drain)
      this.own(draining, "drain")
      draining.addObserver(() => this.#fiber?.interruptUnsafe())
    }
    if (this.#done) return
    // Without grace there is still one turn of the event loop, in which a responsive child finishes its release.
    if (immediate)
      this.#timer = this.host.runtime.run(
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => this.kill(0))
        )
      )
    else this.#armKill()
  }

  /** Gives up waiting for this life. A subtree is asked to hurry instead, and ends by itself. */
  kill(budgetMs: number): void {
    if (this.#done) return
    if (this.subtree !== undefined) {
      this.subtree.forceKill()
      this.#fiber?.interruptUnsafe()
      return
    }
    // From here on even an orderly end counts as cut: its grace was used up.
    this.#killedAfterMs = budgetMs
    this.host.runtime.noteKilled(this.path)
    this.#fiber?.interruptUnsafe()
    if (this.#owned !== undefined) for (const fiber of [...this.#owned]) fiber.interruptUnsafe()
    if (this.#done) return
    this.host.runtime.abandoned.set(this, this.path)
    // The unresponsive fiber may never reach or finish its release; what it holds (a port, a lock) must not be held forever.
    this.host.runtime.run(this.#closingHook())
    this.#releasing().kill()
    this.#down(this.#ending ?? { _tag: "Killed", budgetMs }, Cause.interrupt())
  }

  #armKill(): void {
    const budget = this.child.spec.stopBudgetMs
    // No single stop may take longer than the stop of the whole tree, else an unresponsive child could hang a restart forever.
    const limitMs = this.host.runtime.options.stopDeadlineMs
    const budgetMs = budget === "kill" ? 0 : budget === "infinity" ? limitMs : Math.min(budget, limitMs)
    this.#timer?.interruptUnsafe()
    this.#timer = this.host.runtime.after(budgetMs, () => this.kill(budgetMs))
  }

  #startTimedOut(deadlineMs: number): void {
    if (this.#done || this.running !== undefined || this.#ending !== undefined) return
    const step = this.#step === undefined ? {} : { step: this.#step }
    this.endWith({
      _tag: "Crashed",
      cause: Cause.fail(new StartTimedOut({ path: this.path, deadlineMs, ...step }))
    })
  }

  #started(answer: Running<any> | Ignore): Effect.Effect<void | ExitReason, unknown, any> {
    if (isIgnored(answer)) {
      this.#ignored = true
      return Effect.void
    }
    const fault = faultOf(answer)
    if (fault !== undefined) return Effect.fail(new BadStartReturn({ path: this.path, returned: fault }))
    // Crashed while starting: the interruption is on its way. An orderly end is still a start that succeeded.
    if (this.#ending !== undefined && !isOrderly(this.#ending)) return Effect.never
    this.#timer?.interruptUnsafe()
    this.#timer = undefined
    this.running = answer
    // A child that publishes no readiness is ready when it has started.
    const ready = this.#readySet ? this.#status.ready : true
    this.#status = { ...this.#status, ready }
    this.#reportedReady = ready
    this.host.post({
      _tag: "Started",
      child: this.child,
      incarnation: this.incarnation,
      ready,
      elapsedMs: this.host.runtime.nowMs() - this.#sinceMs,
      extra: answer.extra
    })
    return this.#ending === undefined && answer.run !== undefined ? answer.run : Effect.never
  }

  #releasing(): Release {
    return (this.#release ??= new Release(this.#scope, (effect) => this.host.runtime.run(effect)))
  }
  #closingHook(): Effect.Effect<void> {
    const onClosing = this.onClosing
    this.onClosing = undefined
    return onClosing === undefined ? Effect.void : Effect.sync(onClosing)
  }

  #close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    this.#closing = true
    if (this.onClosing === undefined && this.#owned === undefined && this.#scope.state._tag === "Empty")
      return Effect.void
    // A life that ends by itself may hang in its release just like one that is asked to.
    if (!this.#asked && this.#ending === undefined) this.#armKill()
    this.#lastWords = this.#reasonOf(exit)
    this.#leave()
    const owned = Effect.suspend(() =>
      this.#owned === undefined || this.#owned.size === 0 ? Effect.void : Fiber.interruptAll([...this.#owned])
    )
    return Effect.ensuring(
      Effect.ensuring(this.#closingHook(), owned),
      Effect.ensuring(this.#releasing().begin(exit), owned)
    )
  }

  #finished(exit: Exit.Exit<unknown, unknown>): void {
    if (this.#done) {
      // An abandoned incarnation has ended after all; nobody waits for it any longer.
      this.host.runtime.abandoned.delete(this)
      return
    }
    if (this.#ignored && Exit.isSuccess(exit) && this.#ending === undefined) {
      this.#settle()
      return this.host.post({ _tag: "Ignored", child: this.child, incarnation: this.incarnation })
    }
    const cause = Exit.isFailure(exit) ? exit.cause : Cause.interrupt()
    this.#down(this.#reasonOf(exit), cause)
  }

  #reasonOf(exit: Exit.Exit<unknown, unknown>): ExitReason {
    if (Exit.isSuccess(exit)) return this.#ending ?? (isExitReason(exit.value) ? exit.value : normal)
    const interrupted = Cause.hasInterruptsOnly(exit.cause)
    // A failing release is a fault of its own, but the first reason explains more.
    if (this.#ending !== undefined) return this.#ending
    if (this.#killedAfterMs !== undefined) return { _tag: "Killed", budgetMs: this.#killedAfterMs }
    if (this.#asked && interrupted) return shutdown()
    return { _tag: "Crashed", cause: exit.cause }
  }

  #settle(): void {
    this.#done = true
    if (this.#names !== undefined) for (const name of this.#names) this.host.runtime.names.delete(name)
    this.#timer?.interruptUnsafe()
    this.#timer = undefined
    this.onClosing = undefined
    if (this.#mailboxes !== undefined) for (const mailbox of this.#mailboxes) mailbox.close()
    this.#mailboxes = undefined
  }

  #down(reason: ExitReason, cause: Cause.Cause<unknown>): void {
    this.#settle()
    const elapsedMs = this.host.runtime.nowMs() - this.#sinceMs
    const why =
      this.#ending?._tag === "Crashed" ? this.#ending.cause : reason._tag === "Crashed" ? reason.cause : cause
    const startFailed = this.running === undefined ? this.#startFailed(why, elapsedMs) : undefined
    const watchers = this.watchers
    this.watchers = undefined
    this.host.post({
      _tag: "Down",
      child: this.child,
      incarnation: this.incarnation,
      reason,
      startFailed,
      killedAfterMs: this.#killedAfterMs,
      elapsedMs
    })
    if (watchers !== undefined)
      for (const watcher of watchers) watcher({ path: this.path, incarnation: this.incarnation, reason })
  }

  #startFailed(cause: Cause.Cause<unknown>, elapsedMs: number): StartFailed {
    const reason = this.#ending === undefined ? describeCause(cause) : describeExit(this.#ending)
    return startFailed(cause, {
      path: this.path,
      ...(this.#step === undefined ? {} : { step: this.#step }),
      reason,
      elapsedMs,
      deadlineMs: this.child.spec.startDeadlineMs
    })
  }
}
