/**
 * Practice-signals actor: the practice-signals machine with the effect of sending one.
 *
 * It is in the tree only in practice mode and only where it was asked for (root.supervisor.ts): somebody who counts what a service
 * was sent must find what was sent to it, and nothing else.
 *
 * Promises: none is sent while trading is not ACTIVE, because it would be held and expire; none while the process gives up
 * practice signals, which is the first thing it gives up (E9), or a flag switches them off; none when no strategy takes them any more.
 * Never: repeats one that was not taken: the next period has one of its own.
 */
import { Clock, Effect } from "effect"
import { practiceSignalLimits } from "../../domain/kernel/limits-kept.ts"
import { PRACTICE_SOURCE } from "../../domain/kernel/practice-defaults.ts"
import { practicePeriod, practiceSignal } from "../../domain/operators/practice-signal.ts"
import { takersOf } from "../../domain/signals/routing.ts"
import { TradingState } from "../../layers/control/trading-state.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { Shedding } from "../../layers/platform/shedding.port.ts"
import {
  type PracticeReport,
  practiceSignalsMachine
} from "../../machines/operators/practice-signals.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { postOwnSignal } from "./own-signal.ts"

/** Why none may be sent now; null when one may. */
const hindrance = Effect.gen(function* () {
  const trading = yield* TradingState
  const shedding = yield* Shedding
  const { mode, strategies } = snapshotOf(yield* Config)
  const state = trading.current()
  if (mode !== "PRACTICE") return `the mode is ${mode}`
  if (takersOf(strategies, PRACTICE_SOURCE, null).length === 0)
    return `no strategy takes the source ${PRACTICE_SOURCE}`
  if (state !== "ACTIVE") return state === null ? "the trading state is not known" : `trading is ${state}`
  if (shedding.isOff("practice")) return "the flag practice switches them off"
  return shedding.may("practice") ? null : "the process gives them up"
})

/** What keeps a signal out of the rows, in words; null: nothing did. */
const refusalOf = (tag: string): string | null => {
  switch (tag) {
    case "Stored":
      return null
    case "Duplicate":
      return "the signal of this period was sent already"
    default:
      return "the intake did not take it"
  }
}

const send = (path: string, everyMs: number) =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const period = practicePeriod(everyMs, nowMs)
    const waitMs = period.endsAtMs - nowMs
    const leftOut = (what: string): PracticeReport => ({ _tag: "LeftOut", what, waitMs })
    const why = yield* hindrance
    if (why !== null) return leftOut(why)
    // It would be stored as too old, or nearly so: a start in the middle of a long period waits for the next one.
    if (nowMs - period.startsAtMs > practiceSignalLimits.lateMsMax) return leftOut("its period is under way")
    const { market } = snapshotOf(yield* Config)
    const signal = practiceSignal(market.seed, period)
    const { result, signalId } = yield* postOwnSignal(signal)
    const refused = refusalOf(result._tag)
    if (refused !== null) return leftOut(refused)
    const what = `${String(signal.signal.action)} ${signal.symbol}`
    yield* logEvent("info", "practice.signal_sent", `a practice signal was sent: ${what}`, {
      component: path,
      correlation_id: signalId,
      source: signal.source,
      symbol: signal.symbol
    })
    return { _tag: "Sent", what, waitMs } satisfies PracticeReport
  })

/** The component `root/operators/practice-signals`. */
export const practiceSignalsActor = (everyMs: number) => (self: ChildSelf) =>
  machineChild({
    machine: practiceSignalsMachine,
    input: {
      firstMs: Math.min(everyMs, practiceSignalLimits.firstMsMax),
      sendMsMax: practiceSignalLimits.sendMsMax,
      retryMs: Math.min(everyMs, practiceSignalLimits.retryMsMax)
    },
    actors: {
      watchDatabase: watchDatabase(),
      send: effectActor("practice_signals.send", () => send(self.path, everyMs))
    },
    status: ({ context }) => ({
      detail: {
        source: PRACTICE_SOURCE,
        every_ms: everyMs,
        sent: context.sent,
        left_out: context.leftOut,
        last_signal: context.lastSignal,
        why_left_out: context.why
      }
    })
  })(self)
