/**
 * drill: faults that practice mode injects on purpose, and what a drill has to show for it (G4).
 *
 * Whether an installation survives a fault is known when it has survived one. A drill sends signals before, during and after a
 * fault, and counts what became of each.
 *
 * Promises: a drill passes only if its fault was seen, every signal of it was decided and ordered once or denied with a reason,
 * something was ordered at all, and everything was as before in the end; whatever is missing is named.
 * Never: injects anything; reads a clock or a row.
 */

/** What can be injected from inside of a process in practice mode, and what it does. */
export const DRILL_FAULTS = {
  "pipeline.restart": "The component that decides is stopped in the middle of its work and started again.",
  "executor.restart": "The executor of the account is stopped in the middle of its work and started again.",
  "feed.cut": "The practice signal server cuts every connection of the feed.",
  "broker.cut": "The paper broker cuts the stream of orders and fills.",
  "broker.silent":
    "The paper broker takes orders and answers nothing for some seconds: every request ends without a response.",
  "database.kill": "The database server is killed, as by the operating system: no shutdown, no checkpoint."
} as const
export type DrillFault = keyof typeof DRILL_FAULTS

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the list, whose type names them
export const DRILL_FAULT_NAMES = Object.keys(DRILL_FAULTS) as ReadonlyArray<DrillFault>

/** `interrupted`: its process ended meanwhile. Only `passed` counts as passed. */
export const DRILL_STATUSES = ["running", "passed", "failed", "interrupted"] as const

/** An order of a signal, as its row is. Quantities are decimal strings. */
export interface DrillOrder {
  readonly status: string
  readonly quantity: string
  readonly filled: string
  /** Its status is final, and fills that may still come are none. */
  readonly isOver: boolean
}

/** What became of a signal. */
export interface DrillOutcome {
  readonly signalId: string
  /** Of the signal; null when there is no row of it. */
  readonly status: string | null
  readonly orders: ReadonlyArray<DrillOrder>
}

export interface DrillReceipt {
  /** Signals that were sent until they were taken. */
  readonly sent: number
  /** Posts that were answered with an invitation to send again, and were sent again. */
  readonly resent: number
  /** Signals with a row. */
  readonly taken: number
  readonly decided: number
  /** Decided signals with exactly one order that filled whole. */
  readonly ordered_once: number
  /** Decided signals that a check denied. */
  readonly denied: number
  /** Signals without a row, or that were never decided. */
  readonly lost: number
  /** Signals with more than one order, or with more filled than was ordered. */
  readonly doubled: number
  /** What the journal shows of the fault; 0 when nothing does. */
  readonly seen: number
  /** From the fault until everything was as before; null when it never was. */
  readonly recovered_ms: number | null
  /** Nothing of the drill is held any more. */
  readonly flat: boolean
  /** Why it failed; none when it passed. */
  readonly problems: ReadonlyArray<string>
}

/** Statuses of a signal that was decided; `done` may have ordered, `rejected` did not. */
const DECIDED: ReadonlySet<string> = new Set(["done", "rejected", "dead"])

/** Whether nothing more can become of a signal by itself. */
export const isSettled = ({ orders, status }: DrillOutcome): boolean =>
  status !== null && DECIDED.has(status) && orders.every(({ isOver }) => isOver)

export const receiptOf = (facts: {
  readonly sent: number
  readonly resent: number
  readonly outcomes: ReadonlyArray<DrillOutcome>
  readonly seen: number
  readonly recoveredMs: number | null
  readonly flat: boolean
}): DrillReceipt => {
  const { flat, outcomes, recoveredMs, resent, seen, sent } = facts
  const taken = outcomes.filter(({ status }) => status !== null)
  const decided = taken.filter(({ status }) => DECIDED.has(status ?? ""))
  const once = decided.filter(({ orders }) => {
    const [order, ...others] = orders
    return order?.status === "filled" && others.length === 0 && order.filled === order.quantity
  })
  const denied = decided.filter(({ orders }) => orders.every(({ status }) => status === "denied"))
  const doubled = decided.filter(({ orders }) => orders.length > 1)
  const lost = sent - decided.length
  const rest = decided.length - once.length - denied.length - doubled.length
  const problems = [
    ...(seen === 0 ? ["the fault left no trace in the journal: it was not there"] : []),
    ...(lost > 0 ? [`${lost} of ${sent} signals were not decided`] : []),
    ...(doubled.length > 0 ? [`${doubled.length} signals were ordered more than once`] : []),
    ...(rest > 0 ? [`${rest} signals have an order that did not fill whole`] : []),
    ...(once.length === 0 ? ["nothing was ordered, so nothing was proven"] : []),
    ...(recoveredMs === null ? ["not everything was as before in the end"] : []),
    ...(flat ? [] : ["positions of the drill are still open"])
  ]
  return {
    sent,
    resent,
    taken: taken.length,
    decided: decided.length,
    ordered_once: once.length,
    denied: denied.length,
    lost,
    doubled: doubled.length,
    seen,
    recovered_ms: recoveredMs,
    flat,
    problems
  }
}

/** The bounds of a drill. */
export const drillLimits = {
  /** Signals before, during and after the fault, each. Enough for one in each stage of the way of a signal. */
  signalsEach: 3,
  /** The pause between two signals of one stage. */
  everyMs: 150,
  /** How long a fault that has to be lifted stays. Above the retry of a look-up, so that one meets it. */
  heldMs: 3_000,
  /** How often a post that was not taken is sent again: what a sender is asked to do. */
  resendMs: 500,
  /** The look at health and rows while it lasts. */
  lookMs: 100,
  /** Everything has to have been as before for so long. */
  wellMs: 1_000,
  /** From the fault until everything is as before. Above two backoffs of any component. */
  recoveryMsMax: 90_000,
  /** All of it, cleaning up included. */
  totalMsMax: 180_000,
  /** Storing a receipt while the database comes back. */
  storeTries: 60,
  storeEveryMs: 1_000
} as const
