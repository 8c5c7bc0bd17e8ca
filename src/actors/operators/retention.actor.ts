/**
 * Retention actor: the retention machine with the effect that carries out a round.
 *
 * Promises: one line per round that counts what was removed; a rule that fails keeps none of the others from its turn; rows long past
 * their period are an alert until they are removed.
 * Never: runs two pages without a pause between them.
 */
import { Clock, Data, Effect, Metric } from "effect"
import { retentionLimits } from "../../domain/kernel/limits-kept.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { DatabaseUnavailable } from "../../layers/database/database.port.ts"
import { RetentionStore, type RuleRound } from "../../layers/operators/retention-store.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { type RoundOutcome, retentionMachine } from "../../machines/operators/retention.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"

const removedTotal = Metric.counter("holdfast_retention_removed_total", {
  description: "Rows removed because they were past their retention period, by rule.",
  incremental: true
})

/** A rule that the database does not carry out, whoever else wants what. */
class RuleFailed extends Data.TaggedError("RuleFailed")<{ readonly rule: string; readonly because: string }> {
  override get message(): string {
    return `${this.rule}: ${this.because}`
  }
}

interface RuleOutcome {
  readonly removed: number
  /** The walk came to what is young, or another process walks. */
  readonly done: boolean
  readonly overdueMs: number
}

/** Others use the rows or the database: nothing is wrong with the page, and the next round retries it. */
const gaveWay = ({ reason }: DatabaseUnavailable): boolean => ["contention", "slow", "busy"].includes(reason)

/** One rule, a page at a time, until it is done, gives way, or the round is out of time. */
const carryOut = (rule: RuleRound, untilMs: number) =>
  Effect.gen(function* () {
    const store = yield* RetentionStore
    let removed = 0
    let cursor = 0n
    let bornMs = rule.oldestMs
    const ended = (done: boolean): RuleOutcome => {
      const late = done || rule.cutoffMs === null || bornMs === null ? 0 : rule.cutoffMs - bornMs
      return { removed, done, overdueMs: Math.max(0, late) }
    }
    for (;;) {
      const beganMs = yield* Clock.currentTimeMillis
      const page = yield* store
        .prune(rule, cursor)
        .pipe(
          Effect.catchTag("DatabaseUnavailable", (error) =>
            gaveWay(error) ? Effect.succeed("gave way" as const) : Effect.fail(error)
          )
        )
      if (page === "gave way") return ended(false)
      if (page === null) return ended(true)
      removed += page.removed
      cursor = page.cursor
      bornMs = page.bornMs ?? bornMs
      if (page.done) return ended(true)
      const nowMs = yield* Clock.currentTimeMillis
      if (nowMs >= untilMs) return ended(false)
      yield* Effect.sleep(
        Math.max(retentionLimits.pauseMsMin, retentionLimits.pauseTimes * (nowMs - beganMs))
      )
    }
  })

const logRound = (path: string, outcome: RoundOutcome, tookMs: number) => {
  const rows = Object.values(outcome.removed).reduce((sum, count) => sum + count, 0)
  return logEvent(
    rows === 0 ? "debug" : "info",
    "retention.round",
    rows === 0
      ? "nothing to remove"
      : `removed ${Object.entries(outcome.removed)
          .map(([rule, count]) => `${count} of ${rule}`)
          .join(", ")}`,
    {
      component: path,
      removed: outcome.removed,
      complete: outcome.complete,
      overdue_ms: outcome.overdueMs,
      took_ms: tookMs
    }
  )
}

const alertLate = (path: string, { overdueMs }: RoundOutcome) =>
  Alerts.use((alerts) => {
    const dedupKey = "retention.late"
    if (overdueMs <= retentionLimits.lateMsMax) return alerts.resolve(dedupKey, "overdue rows were removed")
    return alerts.raise({
      severity: "MEDIUM",
      kind: "retention.late",
      dedupKey,
      component: path,
      message: `rows are kept ${Math.round(overdueMs / 86_400_000)} days past their retention period: retention does not keep up`,
      detail: { overdue_ms: overdueMs },
      standing: true
    })
  })

/** A whole round. Fails, after all rules had their turn, with the failure of the first that had one. */
const round = (path: string) =>
  Effect.gen(function* () {
    const store = yield* RetentionStore
    const beganMs = yield* Clock.currentTimeMillis
    const removed: Record<string, number> = {}
    const failures: Array<{ readonly rule: string; readonly because: string }> = []
    let complete = true
    let overdueMs = 0
    for (const rule of yield* store.begin) {
      const ended = yield* Effect.result(carryOut(rule, beganMs + retentionLimits.roundMsMax))
      if (ended._tag === "Failure") {
        failures.push({ rule: rule.rule, because: ended.failure.message })
        continue
      }
      const { success } = ended
      if (success.removed > 0) {
        removed[rule.rule] = success.removed
        yield* Metric.update(Metric.withAttributes(removedTotal, { rule: rule.rule }), success.removed)
      }
      complete &&= success.done
      overdueMs = Math.max(overdueMs, success.overdueMs)
    }
    const outcome: RoundOutcome = { complete, removed, overdueMs }
    yield* logRound(path, outcome, (yield* Clock.currentTimeMillis) - beganMs)
    yield* alertLate(path, outcome)
    const [first] = failures
    if (first !== undefined) return yield* new RuleFailed(first)
    return outcome
  })

/** The component `root/operators/retention`. */
export const retentionActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const figures = yield* Figures
    let overdueMs = 0
    const show = () =>
      figures.show(self.path, () => [
        {
          name: "holdfast_retention_overdue_seconds",
          help: "By how much the oldest removable row is past its retention period.",
          type: "gauge",
          samples: [{ labels: {}, value: overdueMs / 1_000 }]
        }
      ])
    yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
    return yield* machineChild({
      machine: retentionMachine,
      input: {
        roundEveryMs: retentionLimits.roundEveryMs,
        againMs: retentionLimits.againMs,
        roundDeadlineMs: retentionLimits.roundMsMax + retentionLimits.roundGraceMs,
        retryMs: retentionLimits.retryMs,
        lateMsMax: retentionLimits.lateMsMax
      },
      actors: {
        watchDatabase: watchDatabase(),
        prune: effectActor("retention.prune", () =>
          Effect.tap(round(self.path), (outcome) =>
            Effect.sync(() => {
              overdueMs = outcome.overdueMs
            })
          )
        )
      },
      status: ({ context }) => ({
        detail: {
          removed: context.removed,
          complete: context.complete,
          overdue_ms: Math.round(context.overdueMs)
        }
      })
    })(self)
  })
