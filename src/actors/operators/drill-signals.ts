/**
 * The signals of a drill: sent as a sender sends them, again while they are not taken.
 *
 * They go through the intake's own queue, identity and rows; only the HTTP around it is left out, which may ask for secrets that
 * the service does not send to itself.
 *
 * Promises: a signal keeps its identity however often it is sent; each has a symbol of its own, so that none depends on another.
 * Never: bypasses a check.
 */
import { Clock, Effect, Result } from "effect"
import { type DrillFault, drillLimits } from "../../domain/control/drill.ts"
import type { JsonObject } from "../../domain/kernel/canonical-json.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { identityOf } from "../../domain/signals/identity.ts"
import type { Signal } from "../../domain/signals/signal.ts"
import { takersOf } from "../../domain/signals/routing.ts"
import { IntakeQueue, type PostResult } from "../../layers/intake/intake-queue.port.ts"
import { IntakeStore } from "../../layers/signals/intake-store.port.ts"
import { intakeRow } from "../../layers/signals/intake-row.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"

/** A signal of a drill: what a sender would post, and what it means. */
export interface DrillSignal {
  readonly id: string
  readonly symbol: string
  readonly source: string
  readonly body: JsonObject
  readonly signal: Signal
}

/** The first source that a strategy takes; null when none is taken. */
export const sourceOf = ({ sources, strategies }: Settings): string | null =>
  Object.keys(sources).find((source) => takersOf(strategies, source, null).length > 0) ?? null

/** A signal that opens (`BUY`) or closes what was opened (`SELL`). */
export const drillSignal = (
  drill: { readonly id: string; readonly fault: DrillFault },
  source: string,
  action: "BUY" | "SELL",
  place: number,
  nowMs: number
): DrillSignal => {
  const symbol = `DRILL${place}`
  const id = `drill-${drill.id}-${action}-${place}`
  const intent = action === "BUY" ? "open" : "close"
  return {
    id,
    symbol,
    source,
    body: { id, symbol, action, intent, timeframe: "1m", timestamp: isoOf(nowMs) },
    signal: {
      symbol,
      action,
      direction: null,
      intent,
      positionSize: null,
      marketPosition: null,
      prevMarketPosition: null,
      marketPositionSize: null,
      timeframe: "1m",
      timeframeMs: 60_000,
      firedAtMs: nowMs,
      quantity: null,
      price: null,
      strategy: null,
      strike: null,
      expiration: null
    }
  }
}

const postOnce = ({ body, id, signal, source }: DrillSignal) =>
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
    return { signalId: row.success.id, isTaken: result._tag === "Stored" || result._tag === "Duplicate" }
  })

/** Sends until it is taken; returns its signal and how often it was sent again. */
export const sendUntilTaken = (signal: DrillSignal) =>
  Effect.gen(function* () {
    for (let resent = 0; ; resent += 1) {
      const { isTaken, signalId } = yield* postOnce(signal)
      if (isTaken) return { signalId, resent }
      yield* Effect.sleep(drillLimits.resendMs)
    }
  })
