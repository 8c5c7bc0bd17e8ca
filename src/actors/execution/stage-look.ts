/**
 * One look at the stages of strategies: demotes what loses, takes back what has recovered, and looks at what shadows have on paper.
 *
 * It follows each look of the risk component: a rule that looks at closes has something new to see after a fill, and what is held
 * on paper follows the market (paper-look.ts). Entries read the row in the statement that decides them, so nobody is told.
 *
 * Promises: a change is made once, whichever process sees it first, and is a row with its rule and numbers, an audit row, an alert
 * in the same commit and a log line; what is on paper is looked at in the process that executes the account.
 * Never: closes anything real; changes what the settings call a shadow.
 */
import { Effect } from "effect"
import { riskLimits } from "../../domain/kernel/risk-limits.ts"
import { changeDue, closesAsked, type StageChange, type StageRow } from "../../domain/orders/stage-rule.ts"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import { type Alert, resolvedLine } from "../../layers/alerts/alerts.port.ts"
import { committedAlert } from "../../layers/alerts/committed-alert.ts"
import { Market } from "../../layers/market/market.port.ts"
import { StageStore } from "../../layers/orders/stage-store.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { lookAtPaper } from "./paper-look.ts"
import { freshQuote, planSettingsOf } from "./plan-input.ts"

/** The alerts of all stages begin with this. */
export const STAGE_ALERTS = "strategy.stage:"

const messageOf = ({ strategy }: Pick<StageRow, "strategy">, { reason, rule, to }: StageChange): string =>
  to === "shadow"
    ? `${strategy} is a shadow now, by the rule ${rule}: ${reason}; it opens nothing until it is promoted`
    : `${strategy} trades again, by the rule ${rule}: ${reason}`

/** A demotion lasts until the strategy trades again; a promotion is an event. */
const alertOf = (component: string, row: StageRow, change: StageChange): Alert => ({
  severity: change.to === "shadow" ? "HIGH" : "MEDIUM",
  kind: change.to === "shadow" ? "strategy.demoted" : "strategy.promoted",
  dedupKey: `${STAGE_ALERTS}${row.strategy}`,
  message: messageOf(row, change),
  component,
  detail: { strategy: row.strategy, stage: change.to, changed_by: `rule:${change.rule}`, ...change.numbers },
  ...(change.to === "shadow" ? { standing: true } : {})
})

const move = (path: string, row: StageRow, change: StageChange) =>
  Effect.gen(function* () {
    const store = yield* StageStore
    const alert = alertOf(path, row, change)
    const committed = yield* committedAlert((one: Alert) => one)
    const moved = yield* store.move(row, change, committed.stored(alert))
    if (moved === null) return false
    const { strategy } = row
    yield* logEvent(change.to === "shadow" ? "warn" : "info", alert.kind, alert.message, {
      component: path,
      strategy,
      stage: change.to,
      rule: change.rule,
      ...change.numbers
    })
    for (const { by, dedupKey } of moved.ended) yield* resolvedLine(dedupKey, by)
    yield* committed.raise(alert)
    return true
  })

/** One look. `nowMs` is the clock of the quotes. */
export const lookAtStages = (path: string, nowMs: number) =>
  Effect.gen(function* () {
    const store = yield* StageStore
    const leases = yield* AccountLeases
    const { strategies } = snapshotOf(yield* Config)
    const asked = Object.entries(strategies).flatMap(([strategy, { demotion, stage }]) =>
      demotion === null || stage === "shadow"
        ? []
        : [
            {
              strategy,
              closesLive: closesAsked(demotion, "live"),
              closesShadow: closesAsked(demotion, "shadow")
            }
          ]
    )
    const reading = yield* store.read(asked)
    const shadowed = new Set([
      ...reading.demoted.filter((name) => Object.hasOwn(strategies, name)),
      ...Object.entries(strategies).flatMap(([name, { stage }]) => (stage === "shadow" ? [name] : []))
    ])
    for (const { figures, row } of reading.rows) {
      const strategy = strategies[row.strategy]
      const change = strategy === undefined ? null : changeDue(strategy, row, figures)
      if (change === null || !(yield* move(path, row, change))) continue
      if (change.to === "shadow") shadowed.add(row.strategy)
      else shadowed.delete(row.strategy)
    }
    const mine = (account: string) => leases.current(account)?.mayWrite() === true
    yield* lookAtPaper(
      {
        path,
        settings: planSettingsOf(yield* Config),
        shadowed,
        quoteOf: freshQuote(yield* Market, nowMs),
        nowMs: reading.nowMs
      },
      {
        open: reading.open.filter(({ account }) => mine(account)),
        resting: reading.resting.filter(({ account }) => mine(account))
      }
    )
    const watched = asked.length + reading.open.length + reading.resting.length
    return {
      shadowed: [...shadowed].toSorted(),
      lookMs: watched === 0 ? riskLimits.lookIdleMs : riskLimits.lookMs
    }
  })
