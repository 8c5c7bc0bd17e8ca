/**
 * Decision replay: makes the decisions of a span again, a page at a time, beside live trading and within a budget of its own.
 *
 * It reads what is stored and compares; what it would order goes nowhere. That it cannot reach a broker is an arrow that the
 * linter forbids, through any number of files.
 *
 * Promises: one replay at a time; between two pages it rests for longer than a page took, so that it has a small part of one
 * core whatever it is asked; every end is a result or an error that its asker can read, and a log line.
 * Never: writes; runs longer than its deadline.
 */
import { Clock, Data, Effect } from "effect"
import { makeDecisionReplay, type ReplayResult } from "../../domain/decision/decision-replay.ts"
import { decisionReplayLimits } from "../../domain/kernel/limits-replay.ts"
import type { PlanSettings } from "../../domain/orders/plan-context.ts"
import {
  DecisionHistory,
  type DecisionPage,
  type DecisionSpan
} from "../../layers/decision/decision-history.port.ts"
import { DecisionReplays, type ReplayJob } from "../../layers/decision/decision-replays.port.ts"
import { describeCause } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { planSettingsOf } from "../execution/plan-input.ts"

/** More decisions than one replay may make. */
export class SpanTooLong extends Data.TaggedError("SpanTooLong")<{ readonly decisions: number }> {
  override get message(): string {
    return `the time has more than ${this.decisions} decisions: replay it in parts`
  }
}

const { decisionsMax, differencesMax, pageRows, restRatio, runMsMax } = decisionReplayLimits

/** Makes the decisions of a span again. `onPage` hears how many there were so far; `rests`: leave the processor to others. */
export const replayDecisions = (
  span: DecisionSpan,
  settings: PlanSettings,
  { onPage, rests }: { readonly rests: boolean; readonly onPage: (decided: number) => Effect.Effect<void> }
) =>
  Effect.gen(function* () {
    const history = yield* DecisionHistory
    const replay = makeDecisionReplay(settings, differencesMax)
    let seen = 0
    let after: bigint | null = null
    do {
      const beganMs = yield* Clock.currentTimeMillis
      const page: DecisionPage = yield* history.page(span, after, pageRows)
      const { decisions, next } = page
      seen += decisions.length
      if (seen > decisionsMax) return yield* new SpanTooLong({ decisions: decisionsMax })
      for (const decision of decisions) {
        replay.add(decision)
        // One is a millisecond at most: whoever waits is served between two.
        yield* Effect.yieldNow
      }
      yield* onPage(seen)
      after = next
      const tookMs = (yield* Clock.currentTimeMillis) - beganMs
      if (rests && after !== null) yield* Effect.sleep(1 + tookMs * restRatio)
    } while (after !== null)
    return replay.result()
  })

const run = (job: ReplayJob) =>
  Effect.gen(function* () {
    const replays = yield* DecisionReplays
    const beganMs = yield* Clock.currentTimeMillis
    const { fromMs, settings, source, toMs } = job.request
    const end: ReplayResult | { readonly error: string } = yield* replayDecisions(
      { fromMs, toMs, source },
      planSettingsOf(settings),
      { rests: true, onPage: (decided) => Effect.sync(() => replays.progress(job.id, decided)) }
    ).pipe(
      Effect.timeout(runMsMax),
      Effect.catchCause((cause) => Effect.succeed({ error: describeCause(cause) }))
    )
    replays.settle(job.id, end)
    const ms = Math.round((yield* Clock.currentTimeMillis) - beganMs)
    const fields = { component: "root", replay: job.id, ms }
    if ("error" in end)
      yield* logEvent("warn", "decisions.replay_failed", `a decision replay failed: ${end.error}`, {
        ...fields,
        error: end.error
      })
    else
      yield* logEvent(
        "info",
        "decisions.replayed",
        `${end.decided} decisions made again, ${end.differing} differ`,
        { ...fields, decided: end.decided, differing: end.differing }
      )
  })

/** Runs what is asked for, one after the other, until it is interrupted. */
export const decisionReplayRunner = Effect.flatMap(DecisionReplays, (replays) =>
  Effect.forever(Effect.flatMap(replays.next, run))
)
