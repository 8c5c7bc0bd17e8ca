/**
 * Sink sending: one attempt, from the rows to the receiver and back to the rows.
 *
 * Promises: an attempt is counted before it is made; a message that was taken is not sent again, unless the process died before that
 * was stored; a sink that fails is an alert on the others, and never on itself.
 * Never: waits.
 */
import { Effect } from "effect"
import { isGivenUp, pauseMs } from "../../domain/alerts/outbox-delivery.ts"
import { outboxLimits } from "../../domain/alerts/outbox-limits.ts"
import type { Mode } from "../../domain/kernel/settings.ts"
import type { SinkSettings } from "../../domain/kernel/settings-alerts.ts"
import { sinkMessage } from "../../domain/operators/sink-message.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { type Delivery, Outbox, type Sender } from "../../layers/alerts/outbox.port.ts"
import { type Send, type SinkFailed } from "../../layers/operators/sinks.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import type { SinkOutcome } from "../../machines/operators/sink.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"

/** One incarnation of a sink. */
export interface RunningSink {
  readonly path: string
  readonly name: string
  readonly mode: Mode
  readonly settings: SinkSettings
  readonly sender: Sender
  readonly send: Send
}

export const failingKey = (name: string): string => `sink.failing:${name}`

const raiseFailing = ({ name, path, settings }: RunningSink, failures: number, reason: string) =>
  Effect.flatMap(Alerts, (alerts) =>
    alerts.raise({
      severity: "HIGH",
      kind: "sink.failing",
      dedupKey: failingKey(name),
      message: `the sink ${name} (${settings.kind}) takes no alerts, ${failures} attempts in a row: ${reason}`,
      component: path,
      detail: { sink: name, failures },
      standing: true
    })
  )

/** `failures` in a row, without this one. */
const afterFailure = (
  sink: RunningSink,
  delivery: Delivery,
  { failure, reason, retryAfterMs }: SinkFailed,
  failures: number
) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    const entropy = yield* Entropy
    const retryMs = pauseMs(failures + 1, retryAfterMs, entropy.next())
    const isOver = isGivenUp(failure, delivery.refusals + 1)
    yield* outbox.failed(sink.sender, delivery, { failure, reason, retryMs, isOver })
    yield* logEvent("warn", isOver ? "sink.given_up" : "sink.not_taken", `the sink ${sink.name}: ${reason}`, {
      component: sink.path,
      delivery: delivery.id,
      alerts: delivery.alerts.length,
      failure,
      retry_ms: retryMs
    })
    if (failure === "rate") return { _tag: "Limited", waitMs: retryMs, reason } satisfies SinkOutcome
    if (failures + 1 >= outboxLimits.failuresAlerted) yield* raiseFailing(sink, failures + 1, reason)
    return { _tag: "Failed", waitMs: retryMs, reason } satisfies SinkOutcome
  })

/** One attempt. */
export const sendNext = (sink: RunningSink, failures: number) =>
  Effect.gen(function* () {
    const outbox = yield* Outbox
    const alerts = yield* Alerts
    const { name, sender, settings } = sink
    const taken = yield* outbox.take(sender, settings.perMinuteMax)
    if (taken._tag !== "Delivery") return taken satisfies SinkOutcome
    const { delivery } = taken
    faultPoint(FAULT_POINTS.sinkTaken, name)
    const sent = yield* Effect.result(sink.send(sinkMessage(sink.mode, delivery)))
    if (sent._tag === "Failure") return yield* afterFailure(sink, delivery, sent.failure, failures)
    faultPoint(FAULT_POINTS.sinkSent, name)
    yield* outbox.sent(sender, delivery)
    yield* alerts.resolve(failingKey(name), `the sink ${name} takes alerts`)
    return { _tag: "Sent", alerts: delivery.alerts.length } satisfies SinkOutcome
  })
