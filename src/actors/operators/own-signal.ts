/**
 * A signal that this process sends itself: a drill's, or one of practice mode.
 *
 * It goes through the intake's own queue, identity and rows; only the HTTP around it is left out, which may ask for secrets that
 * the service does not send to itself.
 *
 * Promises: what was stored under the same identity before is the same signal; while the database is away it is not taken,
 * because what nobody waits for needs no spool.
 * Never: bypasses a check.
 */
import { Clock, Effect, Result } from "effect"
import type { OwnSignal } from "../../domain/operators/own-signal.ts"
import { identityOf } from "../../domain/signals/identity.ts"
import { IntakeQueue, type PostResult } from "../../layers/intake/intake-queue.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { intakeRow } from "../../layers/signals/intake-row.ts"
import { IntakeStore } from "../../layers/signals/intake-store.port.ts"

/** One attempt: its id, and what the intake made of it. */
export const postOwnSignal = ({ body, id, signal, source }: OwnSignal) =>
  Effect.gen(function* () {
    const queue = yield* IntakeQueue
    const store = yield* IntakeStore
    const settings = snapshotOf(yield* Config)
    const nowMs = yield* Clock.currentTimeMillis
    const identity = identityOf(source, {}, body, true, nowMs)
    if (Result.isFailure(identity)) return yield* Effect.die(new Error(identity.failure.message))
    const row = intakeRow(settings, {
      source,
      parsed: { kind: "signal", signal, body, hasTimestamp: true },
      identity: identity.success,
      requestId: id,
      nowMs
    })
    if (Result.isFailure(row)) return yield* Effect.die(new Error(JSON.stringify(row.failure)))
    const result = yield* Effect.callback<PostResult>((resume) => {
      const isTaken =
        store.available() && queue.submit(row.success, (outcome) => resume(Effect.succeed(outcome)))
      if (!isTaken) resume(Effect.succeed({ _tag: "Unavailable" }))
    })
    return { signalId: row.success.id, result }
  })
