/**
 * The queue of alerts of a world that has no secrets.
 *
 * Promises: the queue that ships, which masks what looks like a URL with a password.
 * Never: stores anything by itself.
 */
import { Layer } from "effect"
import { redactUrls } from "../../src/domain/kernel/redaction.ts"
import type { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { alertsQueueMasked } from "../../src/layers/alerts/alerts.queue.ts"
import { journalRing } from "../../src/layers/platform/journal.ring.ts"
import type { Wake } from "../../src/layers/platform/wake.port.ts"
import { layerEntropy } from "./entropy.ts"

export const alertsQueue: Layer.Layer<Alerts, never, Wake> = alertsQueueMasked(redactUrls).pipe(
  Layer.provide(journalRing),
  Layer.provide(layerEntropy)
)
