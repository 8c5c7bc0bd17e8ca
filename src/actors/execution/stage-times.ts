/**
 * Stage times: how long each part of the way of a signal took, as one histogram with the stage as its label (G10).
 *
 * The ledger of the same stages is a query over rows (layers/health/read-latency.pg.ts); a scraper wants counts that cost none. So
 * a stage is measured where its end is stored, from its beginning as far as this process knows it.
 *
 * Promises: an order counts in a stage once, with its first send; what another process began is left out, and so is the canary; what
 * waits for its fill is bounded, and the oldest is forgotten first.
 * Never: reads a row, or guesses an instant.
 */
import { Clock, Context, Effect, Metric } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { executionLimits } from "../../domain/kernel/limits-execution.ts"
import type { StoredOrder } from "../../layers/orders/orders-store.port.ts"

/** The stages of the ledger, in their order. */
export const MEASURED_STAGES = [
  "fired_to_received",
  "received_to_decided",
  "decided_to_sent",
  "sent_to_acked",
  "acked_to_filled"
] as const
export type MeasuredStage = (typeof MEASURED_STAGES)[number]

const stageSeconds = Metric.histogram("holdfast_stage_seconds", {
  description: "Time that signals and their orders took from one stage of their way to the next.",
  // Dense where a quick venue answers, up to the age at which a signal is too old to trade.
  boundaries: [0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300]
})

/** Counts one. Two clocks may disagree by a little: less than nothing is nothing. */
export const noteStage = (stage: MeasuredStage, ms: number) =>
  Metric.update(Metric.withAttributes(stageSeconds, { stage }), Math.max(0, ms) / 1_000)

interface Instants {
  readonly sentMs: number
  ackedMs: number | null
}

/** Orders on their way, by id, the oldest first. */
const OnTheWay = Context.Reference<Map<string, Instants>>("holdfast/actors/OrdersOnTheWay", {
  defaultValue: () => new Map()
})

/** Only what a signal asked for has a way to measure; another send of the same order is a part of its first. */
const isMeasured = ({ account, sends, signalId }: StoredOrder): boolean =>
  signalId !== null && account !== CANARY && sends === 1

/** An order leaves for the venue. */
export const noteSent = (order: StoredOrder) =>
  Effect.gen(function* () {
    if (!isMeasured(order)) return
    // Both are of the database's clock.
    if (order.sentAt !== null)
      yield* noteStage("decided_to_sent", order.sentAt.getTime() - order.createdAt.getTime())
    const onTheWay = yield* OnTheWay
    const [oldest] = onTheWay.keys()
    if (onTheWay.size >= executionLimits.onTheWayMax && oldest !== undefined) onTheWay.delete(oldest)
    onTheWay.set(order.id, { sentMs: yield* Clock.currentTimeMillis, ackedMs: null })
  })

/** The venue has it. */
export const noteAcked = (order: StoredOrder) =>
  Effect.gen(function* () {
    const instants = (yield* OnTheWay).get(order.id)
    if (instants === undefined || instants.ackedMs !== null) return
    instants.ackedMs = yield* Clock.currentTimeMillis
    yield* noteStage("sent_to_acked", instants.ackedMs - instants.sentMs)
  })

/** Its last fill is stored. A fill that overtook its acknowledgement has no such stage. */
export const noteFilled = (order: StoredOrder) =>
  Effect.gen(function* () {
    const onTheWay = yield* OnTheWay
    const instants = onTheWay.get(order.id)
    if (instants === undefined || order.status !== "filled") return
    onTheWay.delete(order.id)
    if (instants.ackedMs !== null)
      yield* noteStage("acked_to_filled", (yield* Clock.currentTimeMillis) - instants.ackedMs)
  })

/** It has ended without being filled. */
export const noteEnded = (order: StoredOrder) =>
  Effect.map(OnTheWay, (onTheWay) => void onTheWay.delete(order.id))
