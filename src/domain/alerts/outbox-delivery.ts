/**
 * outbox-delivery: what is sent next to a sink, when it is tried again, and when it is given up.
 *
 * Promises: CRITICAL alerts go before others, and otherwise the order is that in which they came; what was tried once is tried again
 * as the same message, so that its receiver knows it; many of one kind are one message, in which every CRITICAL one is named.
 * Never: reads a clock or draws a number.
 */
import type { AlertSeverity } from "../kernel/settings-alerts.ts"
import { groupKey } from "./alert-groups.ts"
import { outboxLimits } from "./outbox-limits.ts"

/** Why a sink is told of an alert: the severity that it has reached, or that nobody acknowledged it in time. */
export type Occasion = AlertSeverity | "escalated"

/** An alert as a sink is told of it. */
export interface OutboxAlert {
  readonly alertId: string
  readonly severity: AlertSeverity
  readonly kind: string
  readonly message: string
  readonly component: string | null
  readonly account: string | null
  /** When it was first raised, epoch milliseconds. */
  readonly atMs: number
}

/** A row that waits, as far as the choice needs it. */
export interface WaitingRow {
  readonly seq: bigint
  readonly severity: AlertSeverity
  readonly kind: string
  readonly occasion: Occasion
  /** The message it was tried in; null: none yet. */
  readonly delivery: string | null
}

/**
 * The rows of the next message. `rows` are the oldest that wait, CRITICAL ones first: if the first was tried before, those that
 * were tried with it; otherwise it alone, or all of its kind when they are many.
 */
export const nextDelivery = <Row extends WaitingRow>(rows: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  const [head] = rows
  if (head === undefined) return []
  if (head.delivery !== null) return rows.filter(({ delivery }) => delivery === head.delivery)
  const alike = rows.filter(
    (row) => row.delivery === null && row.occasion === head.occasion && groupKey(row) === groupKey(head)
  )
  if (alike.length <= outboxLimits.singleMax) return [head]
  return head.severity === "CRITICAL" ? alike.slice(0, outboxLimits.namedMax) : alike
}

/**
 * `rate`: not before it says so. `refused`: it will not have this message. `fault`: it answered that it cannot. `unusable`: it refuses
 * us, whatever we send. `unreachable`: no answer, so it may have been taken.
 */
export type SinkFailure = "rate" | "refused" | "fault" | "unusable" | "unreachable"

/** Whether a failure says something about the message, and counts against it. */
export const isRefusal = (failure: SinkFailure): boolean => failure === "refused" || failure === "fault"

/** Whether a message is given up after so many refusals, this one included. An outage alone gives up nothing. */
export const isGivenUp = (failure: SinkFailure, refusals: number): boolean => {
  if (failure === "refused") return refusals >= outboxLimits.refusalsMax
  return failure === "fault" && refusals >= outboxLimits.faultsMax
}

/**
 * The pause after a failure. `failures` is how many there were in a row, this one included; `jitter` is drawn from [0, 1). Half of the
 * pause is fixed, so that a receiver in trouble is not asked again at once.
 */
export const pauseMs = (failures: number, retryAfterMs: number, jitter: number): number => {
  const ceiling = Math.min(
    outboxLimits.retryMsMax,
    outboxLimits.retryFirstMs * 2 ** Math.min(failures - 1, 20)
  )
  const wanted = Math.min(retryAfterMs, outboxLimits.retryAfterMsMax)
  return Math.max(wanted, Math.ceil(ceiling * (0.5 + jitter / 2)))
}
