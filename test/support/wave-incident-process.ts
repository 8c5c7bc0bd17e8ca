/**
 * A process that lives in the zone of its environment, replays the incident and prints the outcome.
 *
 * Promises: one line of JSON, the offset of its zone first, so that a test sees that it really lived there.
 * Never: touches a database or a socket.
 */
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { replayIncident } from "./wave-incident.ts"

const result = await Effect.runPromise(
  Effect.scoped(replayIncident).pipe(Effect.provide(Layer.mergeAll(TestClock.layer(), Logger.layer([]))))
)
process.stdout.write(
  `${JSON.stringify({ offset: new Date("2025-10-22T00:00:00Z").getTimezoneOffset(), result })}\n`
)
