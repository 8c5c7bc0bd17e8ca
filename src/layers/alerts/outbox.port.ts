/**
 * Outbox: the port to what each sink is to be told of.
 *
 * The table of alerts is the queue of routing: an alert is marked in the transaction that makes its rows. A row is one alert at one
 * severity for one sink; rows that are sent together are one message, whose id stays the same however often it is tried.
 *
 * Promises: an alert makes one row per sink and severity, whoever routes it and however often a process dies in between; for one sink
 * one process sends at a time; what was sent, given up or left waiting is counted.
 * Never: sends, or decides what a sink is.
 */
import { Context, type Effect } from "effect"
import type { OutboxAlert, SinkFailure } from "../../domain/alerts/outbox-delivery.ts"
import type { AlertSettings } from "../../domain/kernel/settings-alerts.ts"
import type { DatabaseError } from "../database/database.port.ts"

/** One message. */
export interface Delivery {
  /** A UUID, by which the receiver recognises a repetition. */
  readonly id: string
  /** Nobody acknowledged it in time. */
  readonly isEscalated: boolean
  readonly alerts: readonly [OutboxAlert, ...ReadonlyArray<OutboxAlert>]
  /** By number of row. */
  readonly seqs: ReadonlyArray<bigint>
  /** How often its receiver refused it so far. */
  readonly refusals: number
}

export type Taken =
  | { readonly _tag: "Delivery"; readonly delivery: Delivery }
  /** Nothing waits. */
  | { readonly _tag: "Nothing" }
  /** Something waits, and not before so long may it be sent. */
  | { readonly _tag: "NotYet"; readonly waitMs: number }
  /** Another process sends for this sink. */
  | { readonly _tag: "Held" }

/** What came of an attempt that failed. */
export interface FailedAttempt {
  readonly failure: SinkFailure
  readonly reason: string
  readonly retryMs: number
  /** The message is given up. */
  readonly isOver: boolean
}

/** Who sends: one life of one sink. */
export interface Sender {
  readonly sink: string
  /** A UUID. */
  readonly owner: string
}

/** What is known of a sink; times are epoch milliseconds. */
export interface SinkFigures {
  readonly queued: number
  readonly oldestMs: number | null
  readonly sent: number
  readonly dead: number
  readonly lastSentMs: number | null
  readonly lastError: string | null
  readonly nowMs: number
}

type Done<A> = Effect.Effect<A, DatabaseError>

export interface OutboxService {
  /** Makes the rows of alerts that had none yet, and of those nobody acknowledged in time; the sinks that got any. */
  readonly route: (settings: AlertSettings) => Done<ReadonlyArray<string>>
  /** Makes the row of a message that is about no alert; `id` is a UUID, under which there is one. */
  readonly test: (sink: string, id: string, message: string) => Done<void>
  /** Takes the next message, and counts the attempt. */
  readonly take: (sender: Sender, perMinuteMax: number) => Done<Taken>
  readonly sent: (sender: Sender, delivery: Delivery) => Done<void>
  readonly failed: (sender: Sender, delivery: Delivery, attempt: FailedAttempt) => Done<void>
  readonly figures: (sink: string) => Done<SinkFigures>
}

export class Outbox extends Context.Service<Outbox, OutboxService>()("holdfast/layers/Outbox") {}
