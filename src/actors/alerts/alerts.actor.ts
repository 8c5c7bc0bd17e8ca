/**
 * Alerts actor: the alerts machine with the effects that store alerts in the database, and make the rows of the sinks that are to
 * be told of them.
 *
 * Promises: one batch at a time; a batch that could not be stored goes back to the queue it came from; what is in the table and has no
 * rows yet gets them at the next look, whoever stored it.
 * Never: loses an alert to a failed write, or blocks whoever raised it.
 */
import { Clock, Effect } from "effect"
import { alertLimits } from "../../domain/kernel/limits.ts"
import { Alerts, resolvedFact, resolvedLine } from "../../layers/alerts/alerts.port.ts"
import { AlertsStore } from "../../layers/alerts/alerts-store.port.ts"
import { Outbox } from "../../layers/alerts/outbox.port.ts"
import { outboxBell } from "../../layers/platform/bells.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Journal } from "../../layers/platform/journal.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { alertsMachine } from "../../machines/alerts/alerts.machine.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"

/** What the sinks of these settings are to be told of; those that got something are rung for. */
const routeAlerts = Effect.gen(function* () {
  const outbox = yield* Outbox
  const config = yield* Config
  const wake = yield* Wake
  for (const sink of yield* outbox.route(snapshotOf(config).alerts)) wake.notify(outboxBell(sink))
})

const storePending = effectActor("alerts.store", () =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const store = yield* AlertsStore
    const journal = yield* Journal
    const batch = alerts.takePending()
    // On interruption too: the state may be left because the database went away midway.
    const closed = yield* store
      .store(batch)
      .pipe(Effect.onError(() => Effect.sync(() => alerts.putBack(batch))))
    const at = yield* Clock.currentTimeMillis
    for (const { by, dedupKey } of closed) {
      journal.record(resolvedFact(dedupKey, by, at))
      yield* resolvedLine(dedupKey, by)
    }
    yield* routeAlerts
    return batch.length
  })
)

const watchQueue = streamActor("alerts.watch", ({ send }) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const wake = yield* Wake
    return yield* Effect.forever(
      Effect.andThen(
        wake.wait("alerts", alertLimits.pollMs),
        Effect.sync(() => {
          if (alerts.counts().pending > 0) send({ type: "alerts.raised" })
        })
      )
    )
  })
)

/** The component `root/operators/alerts`. */
export const alertsActor = machineChild({
  machine: alertsMachine,
  input: {
    pollMs: alertLimits.pollMs,
    retryMs: alertLimits.retryMs,
    storeDeadlineMs: alertLimits.storeMsMax
  },
  actors: { watchDatabase: watchDatabase(), watchQueue, storePending },
  status: ({ context }) => ({ detail: { stored: context.stored } })
})
