/**
 * Supervision reports: everything a supervisor does, as typed events of bounded size.
 *
 * They carry OTP's report fields (supervisor, error context, reason, offender) so an operator who knows Erlang
 * reads them at once; log lines, metrics, alerts and the console are all derived from them.
 * Promises: text in a report is at most a few hundred characters; an observer that throws or rejects is counted and
 * isolated, it can neither stop delivery to the others nor hurt the supervisor.
 * Never: performs I/O, or waits for an observer.
 */
import type { RestartType } from "./child-policy.ts"

/** The child a report is about. */
export interface Offender {
  readonly id: string
  readonly path: string
  readonly type: "worker" | "supervisor" | "dynamic"
  readonly restart: RestartType
  readonly incarnation: number
}
interface ReportBase {
  /** Epoch milliseconds. */
  readonly at: number
  /** Path of the supervisor that reports. */
  readonly supervisor: string
  readonly offender: Offender
}
/** OTP's four error contexts, as one report. `reason` is bounded text, `cause` the value for programs. */
export interface ErrorReport extends ReportBase {
  readonly _tag: "SupervisorError"
  readonly errorContext: "start_error" | "child_terminated" | "shutdown_error" | "shutdown"
  readonly reason: string
  readonly cause?: unknown
}
/** What supervisors report. All times are milliseconds. */
export type SupervisionEvent =
  | ErrorReport
  | (ReportBase & { readonly _tag: "Starting"; readonly attempt: number })
  | (ReportBase & { readonly _tag: "Started"; readonly elapsedMs: number; readonly restarted: boolean })
  | (ReportBase & { readonly _tag: "Ignored" })
  | (ReportBase & { readonly _tag: "Ready" })
  | (ReportBase & { readonly _tag: "Unready"; readonly state: string })
  | (ReportBase & {
      readonly _tag: "BackingOff"
      readonly attempt: number
      readonly delayMs: number
      readonly nextAt: number
      readonly lastError: string
      /** Restarts within the window of the budget closest to exhaustion: the child's own, or its group's. */
      readonly budget: { readonly used: number; readonly max: number; readonly withinMs: number }
    })
  | (ReportBase & {
      readonly _tag: "Parked"
      readonly attempt: number
      readonly retryEveryMs: number
      readonly nextAt: number
      readonly lastError: string
    })
  | (ReportBase & {
      readonly _tag: "Escalated"
      readonly why: "group_budget" | "child_budget" | "not_retryable" | "auto_shutdown"
      readonly reason: string
    })
  | (ReportBase & { readonly _tag: "Stopped"; readonly reason: string; readonly elapsedMs: number })
  | (ReportBase & { readonly _tag: "Killed"; readonly budgetMs: number })
  | (ReportBase & { readonly _tag: "Paused" })
  | (ReportBase & { readonly _tag: "Resumed" })

/** Called synchronously for every event, in order. Nothing waits for a promise it returns. `More` comes with some events. */
export type Observer<A, More = undefined> = (event: A, more?: More) => void

/** Fans events out to observers; one that throws or rejects is counted and skipped for that event. */
export class Observers<A, More = undefined> {
  #observers: ReadonlyArray<Observer<A, More>>
  #faults = 0
  constructor(observers: ReadonlyArray<Observer<A, More>> = []) {
    this.#observers = observers
  }
  /** Adds an observer; the returned function removes it. */
  subscribe(observer: Observer<A, More>): () => void {
    // A new array per change, so that an observer may unsubscribe while an event is being delivered.
    this.#observers = [...this.#observers, observer]
    return () => {
      this.#observers = this.#observers.filter((other) => other !== observer)
    }
  }
  /** Delivers one event. */
  emit(event: A, more?: More): void {
    for (const observer of this.#observers) {
      try {
        const answer: unknown = observer(event, more)
        // TypeScript lets an async function pass for one that returns nothing, and an unhandled rejection ends
        // the process.
        if (isThenable(answer)) answer.then(undefined, this.#fault)
      } catch {
        this.#fault()
      }
    }
  }
  /** Counted, not logged: the logger may be the observer that throws. The count is part of the tree's figures. */
  readonly #fault = (): void => {
    this.#faults++
  }
  /** True when nobody listens, so that hot paths can skip building the event. */
  get idle(): boolean {
    return this.#observers.length === 0
  }
  /** How many deliveries threw or rejected. */
  get faults(): number {
    return this.#faults
  }
}

/** True for what a callback returns that is `async` although nobody waits for it. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** One line of at most 400 characters for a report, for logs. */
export const formatReport = (event: SupervisionEvent): string => {
  const who = `${event.offender.path}#${event.offender.incarnation}`
  const text =
    event._tag === "SupervisorError"
      ? `${event.errorContext} ${who}: ${event.reason}`
      : `${event._tag} ${who}${detailOf(event)}`
  const line = text.replaceAll(/\s+/g, " ")
  return line.length <= 400 ? line : `${line.slice(0, 399)}…`
}

const detailOf = (event: Exclude<SupervisionEvent, ErrorReport>): string => {
  switch (event._tag) {
    case "BackingOff":
      return ` attempt ${event.attempt}, next in ${Math.round(event.delayMs)} ms: ${event.lastError}`
    case "Parked":
      return ` after attempt ${event.attempt}, retried every ${event.retryEveryMs} ms: ${event.lastError}`
    case "Escalated":
      return ` ${event.why}: ${event.reason}`
    case "Killed":
      return ` after ${event.budgetMs} ms`
    case "Started":
      return ` in ${Math.round(event.elapsedMs)} ms`
    case "Stopped":
      return ` in ${Math.round(event.elapsedMs)} ms: ${event.reason}`
    default:
      return ""
  }
}
