/**
 * Sinks: the port to what is at the other end of a sink, whatever it is.
 *
 * Promises: an attempt ends within `outboxLimits.sendMsMax`; what went wrong is one of a few kinds, each of which means something else
 * for the message; the same message has the same id each time.
 * Never: repeats an attempt, or puts an address or a secret into a failure.
 */
import { Context, Data, type Effect, type Redacted } from "effect"
import type { SinkFailure } from "../../domain/alerts/outbox-delivery.ts"
import type { SinkSettings } from "../../domain/kernel/settings-alerts.ts"
import type { SinkMessage } from "../../domain/operators/sink-message.ts"

export class SinkFailed extends Data.TaggedError("SinkFailed")<{
  readonly failure: SinkFailure
  readonly reason: string
  /** How long the receiver wants to be left alone; 0 when it does not say. */
  readonly retryAfterMs: number
}> {
  override get message(): string {
    return this.reason
  }
}

/** Sends one message. */
export type Send = (message: SinkMessage) => Effect.Effect<void, SinkFailed>

export interface SinksService {
  /** How a sink of these settings sends. Nothing is opened before a message. */
  readonly sender: (settings: SinkSettings) => Send
  /** Tells the switch outside that we live. */
  readonly beat: (url: Redacted.Redacted<string>) => Effect.Effect<void, SinkFailed>
}

export class Sinks extends Context.Service<Sinks, SinksService>()("holdfast/layers/Sinks") {}
