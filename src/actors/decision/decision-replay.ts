/**
 * Decision replay: makes the decisions of a span again, a page at a time, beside live trading and within a budget of its own.
 *
 * It reads what is stored and compares; what it would order goes nowhere. That it cannot reach a broker is an arrow that the
 * linter forbids, through any number of files.
 *
 * Promises: one replay at a time; between two pages it rests for longer than a page took, so that it has a small part of one
 * core whatever it is asked; while the process sheds it, it reads no page, and goes on where it was afterwards; every end is a
 * result or an error that its asker can read, and a log line.
 * Never: writes; runs longer than its deadline, the time in which it was shed included.
 */
import { Clock, Data, Deferred, Effect } from "effect"
import { makeDecisionReplay, type ReplayResult } from "../../domain/decision/decision-replay.ts"
import { decisionReplayLimits } from "../../domain/kernel/limits-replay.ts"
import type { PlanSettings } from "../../domain/orders/plan-context.ts"
import {
  DecisionHistory,
  type DecisionPage,
  type DecisionSpan
} from "../../layers/decision/decision-history.port.ts"
import { DecisionReplays, type ReplayJob } from "../../layers/decision/decision-replays.port.ts"
import { Shedding, type SheddingService } from "../../layers/platform/shedding.port.ts"
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

interface ReplayPace {
  /** Leave the processor to others between two pages. */
  readonly rests: boolean
  /** Ends when the next page may be read. */
  readonly mayRead: Effect.Effect<void>
  /** Hears how many decisions there were so far. */
  readonly onPage: (decided: number) => Effect.Effect<void>
}

/** Makes the decisions of a span again. */
export const replayDecisions = (
  span: DecisionSpan,
  settings: PlanSettings,
  { mayRead, onPage, rests }: ReplayPace
) =>
  Effect.gen(function* () {
    const history = yield* DecisionHistory
    const replay = makeDecisionReplay(settings, differencesMax)
    let seen = 0
    let after: bigint | null = null
    do {
      yield* mayRead
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

/** Until this feature is returned; a listener and not a clock, because nobody knows for how long it is given up. */
const returned = (shedding: SheddingService) =>
  Effect.scoped(
    Effect.gen(function* () {
      const back = yield* Deferred.make<void>()
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          shedding.onChange((shed) => {
            if (!shed.includes("replay")) Deferred.doneUnsafe(back, Effect.void)
          })
        ),
        (end) => Effect.sync(end)
      )
      yield* Deferred.await(back)
    })
  )

/** Ends at once, or when replay is no longer shed (E9). */
const whenNotShed = (job: ReplayJob, shedding: SheddingService) =>
  Effect.gen(function* () {
    if (shedding.may("replay")) return
    const fields = { component: "root", replay: job.id }
    yield* logEvent("info", "decisions.replay_shed", "a decision replay waits: it is given up now", fields)
    do yield* returned(shedding)
    while (!shedding.may("replay"))
    yield* logEvent("info", "decisions.replay_resumed", "a decision replay goes on", fields)
  })

const run = (job: ReplayJob) =>
  Effect.gen(function* () {
    const replays = yield* DecisionReplays
    const shedding = yield* Shedding
    const beganMs = yield* Clock.currentTimeMillis
    const { fromMs, settings, source, toMs } = job.request
    const end: ReplayResult | { readonly error: string } = yield* replayDecisions(
      { fromMs, toMs, source },
      planSettingsOf(settings),
      {
        rests: true,
        mayRead: whenNotShed(job, shedding),
        onPage: (decided) => Effect.sync(() => replays.progress(job.id, decided))
      }
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
