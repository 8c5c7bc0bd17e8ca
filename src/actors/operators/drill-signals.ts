/**
 * The signals of a drill: sent as a sender sends them, again while they are not taken.
 *
 * Promises: a signal keeps its identity however often it is sent; each has a symbol of its own, so that none depends on another.
 * Never: bypasses a check.
 */
import { Effect } from "effect"
import { type DrillFault, drillLimits } from "../../domain/control/drill.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import { type OwnSignal, ownSignal } from "../../domain/operators/own-signal.ts"
import { takersOf } from "../../domain/signals/routing.ts"
import { postOwnSignal } from "./own-signal.ts"

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
): OwnSignal =>
  ownSignal(
    {
      id: `drill-${drill.id}-${action}-${place}`,
      source,
      symbol: `DRILL${place}`,
      action,
      intent: action === "BUY" ? "open" : "close"
    },
    nowMs
  )

/** Sends until it is taken; returns its signal and how often it was sent again. */
export const sendUntilTaken = (signal: OwnSignal) =>
  Effect.gen(function* () {
    for (let resent = 0; ; resent += 1) {
      const { result, signalId } = yield* postOwnSignal(signal)
      if (result._tag === "Stored" || result._tag === "Duplicate") return { signalId, resent }
      yield* Effect.sleep(drillLimits.resendMs)
    }
  })
