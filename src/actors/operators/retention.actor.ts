/**
 * Retention actor: the retention machine with the effect that carries out a round.
 *
 * Promises: one line per round that counts what was removed; a rule that fails, or has a backlog, keeps none of the others from its turn; rows long past
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

/** The walk of one rule in one round. */
interface Walk {
  readonly rule: RuleRound
  cursor: bigint
  /** When the last row it read was created. */
  bornMs: number | null
  removed: number
  pages: number
  /** `over`: it came to what is young, or another process walks. `gave way`: the next round goes on. */
  state: "open" | "over" | "gave way" | "failed"
}

/** By how much a rule was late when it was last looked at, and when that was. */
type Lateness = Map<string, { readonly overdueMs: number; readonly atMs: number }>

/** Others use the rows or the database: nothing is wrong with the page, and the next round retries it. */
const gaveWay = ({ reason }: DatabaseUnavailable): boolean => ["contention", "slow", "busy"].includes(reason)

/** One page. Returns whether the rule has another one, and why it failed. */
const turnPage = (walk: Walk) =>
  Effect.gen(function* () {
    const store = yield* RetentionStore
    const page = yield* Effect.result(store.prune(walk.rule, walk.cursor))
    if (page._tag === "Failure") {
      const error = page.failure
      const waits = error._tag === "DatabaseUnavailable" && gaveWay(error)
      walk.state = waits ? "gave way" : "failed"
      return waits ? null : error.message
    }
    const { success } = page
    walk.pages += 1
    if (success === null) {
      walk.state = "over"
      return null
    }
    walk.removed += success.removed
    walk.cursor = success.cursor
    walk.bornMs = success.bornMs ?? walk.bornMs
    if (success.done) walk.state = "over"
    return null
  })

/**
 * All rules in turn, a page each, until they are over, give way, or the round is out of time: a backlog of one holds up no other.
 * Every rule has at least one page in a round. Returns what failed.
 */
const walkAll = (walks: ReadonlyArray<Walk>, untilMs: number) =>
  Effect.gen(function* () {
    const failures: Array<{ readonly rule: string; readonly because: string }> = []
    let open = walks
    for (let lap = 0; open.length > 0; lap += 1) {
      for (const walk of open) {
        const beganMs = yield* Clock.currentTimeMillis
        if (lap > 0 && beganMs >= untilMs) return failures
        const because = yield* turnPage(walk)
        if (because !== null) failures.push({ rule: walk.rule.rule, because })
        if (walk.state !== "open") continue
        const tookMs = (yield* Clock.currentTimeMillis) - beganMs
        yield* Effect.sleep(Math.max(retentionLimits.pauseMsMin, retentionLimits.pauseTimes * tookMs))
      }
      open = open.filter(({ state }) => state === "open")
    }
    return failures
  })

/**
 * By how much the oldest removable row of a rule is late. Of a rule that was not looked at nothing new is known: what it was
 * late before, and the time since. Its first row says nothing, which may be one that has to stay.
 */
const overdueOf = (walk: Walk, lateness: Lateness, nowMs: number): number => {
  const { bornMs, pages, rule, state } = walk
  if (pages === 0) {
    const before = lateness.get(rule.rule) ?? { overdueMs: 0, atMs: nowMs }
    lateness.set(rule.rule, before)
    return before.overdueMs + nowMs - before.atMs
  }
  const late = state === "over" || rule.cutoffMs === null || bornMs === null ? 0 : rule.cutoffMs - bornMs
  const overdueMs = Math.max(0, late)
  lateness.set(rule.rule, { overdueMs, atMs: nowMs })
  return overdueMs
}

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
const round = (path: string, lateness: Lateness) =>
  Effect.gen(function* () {
    const store = yield* RetentionStore
    const beganMs = yield* Clock.currentTimeMillis
    const walks = (yield* store.begin).map((rule): Walk => ({
      rule,
      cursor: 0n,
      bornMs: null,
      removed: 0,
      pages: 0,
      state: "open"
    }))
    const failures = yield* walkAll(walks, beganMs + retentionLimits.roundMsMax)
    const nowMs = yield* Clock.currentTimeMillis
    const removed: Record<string, number> = {}
    for (const { removed: count, rule } of walks) {
      if (count === 0) continue
      removed[rule.rule] = count
      yield* Metric.update(Metric.withAttributes(removedTotal, { rule: rule.rule }), count)
    }
    const outcome: RoundOutcome = {
      complete: walks.every(({ state }) => state === "over" || state === "failed"),
      removed,
      overdueMs: Math.max(0, ...walks.map((walk) => overdueOf(walk, lateness, nowMs)))
    }
    yield* logRound(path, outcome, nowMs - beganMs)
    yield* alertLate(path, outcome)
    const [first] = failures
    if (first !== undefined) return yield* new RuleFailed(first)
    return outcome
  })

/** The component `root/operators/retention`. */
export const retentionActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const figures = yield* Figures
    const lateness: Lateness = new Map()
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
          Effect.tap(round(self.path, lateness), (outcome) =>
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
