/**
 * Pipeline batch: one claimed batch, from quotes to committed decisions and notifications.
 *
 * Signals that were never tried before share a transaction, because one commit for many is what keeps up with the
 * intake. A signal that failed before, or whose decider died, is decided alone: another failure then affects only itself.
 *
 * Promises: metadata goes only to the link procedure; a batch the database refuses is decided again one by one; each
 * outcome is logged with the signal's id as correlation id; executors are woken after the commit, never before.
 * Never: retries in place, or lets one signal end the batch of the others.
 */
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { ordersBell } from "../../layers/platform/bells.ts"
import { Clock, Effect, Metric } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { type Decision, planSignal } from "../../domain/decision/decision.ts"
import { asksPanel, targetsOf } from "../../domain/decision/facts.ts"
import { claimLimits } from "../../domain/kernel/limits-signals.ts"
import { lossRules } from "../../domain/orders/risk-scope.ts"
import type { PlanSettings } from "../../domain/orders/plan-context.ts"
import { instrumentName, type SymbolRules } from "../../domain/kernel/symbol-map.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import type { DatabaseUnavailable } from "../../layers/database/database.port.ts"
import { Market, type MarketService } from "../../layers/market/market.port.ts"
import { RiskFigures, type RiskFiguresService } from "../../layers/orders/risk-figures.port.ts"
import {
  type Claim,
  type ClaimedSignal,
  type Planner,
  type SignalOutcome,
  SignalsStore,
  type SignalsStoreService
} from "../../layers/decision/signals-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import type { BatchReport } from "../../machines/decision/pipeline.machine.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { freshQuote, planSettingsOf } from "../execution/plan-input.ts"
import { type Asked, askEngines } from "./pipeline-votes.ts"
import { noteStage } from "../execution/stage-times.ts"

/** Since when this incarnation decides, on the database's clock; null until its first decision after a recovery. */
export interface Pace {
  sinceMs: number | null
}

type Claimed<Kind extends ClaimedSignal["kind"]> = Extract<ClaimedSignal, { readonly kind: Kind }>

/** Signals by outcome; those that were too old are counted where they are ended. */
export const decidedTotal = Metric.counter("holdfast_signals_total", {
  description: "Signals that left the pipeline, by outcome.",
  incremental: true
})
const decisionSeconds = Metric.histogram("holdfast_decision_seconds", {
  description: "Time from storing a signal to the commit of its decision.",
  // The budget from webhook to acknowledged order is 8 ms at p50 and 30 ms at p99.
  boundaries: [0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.1, 0.5, 1, 5, 30, 300]
})

/** Waits briefly for quotes of symbols that have none, all at once. */
const enrich = (market: MarketService, settings: SymbolRules, signals: ReadonlyArray<Claimed<"signal">>) => {
  const named = signals.map(({ signal }) => instrumentName(signal.symbol, settings))
  const missing = [...new Set(named)].filter((symbol) => market.quote(symbol) === null)
  return Effect.forEach(missing, (symbol) => market.lookUp(symbol, claimLimits.enrichMsMax), {
    concurrency: "unbounded",
    discard: true
  })
}

const plannerOf = (
  settings: PlanSettings,
  market: MarketService,
  figuresOf: RiskFiguresService["of"],
  nowMs: number,
  pace: Pace,
  batch: ReadonlyArray<ClaimedSignal>,
  asked: Asked
): Planner => {
  const received = new Map(batch.map(({ id, receivedAtMs }) => [id, receivedAtMs]))
  const quoteOf = freshQuote(market, nowMs)
  return (signal, context) => {
    pace.sinceMs ??= context.nowMs
    const waitingSinceMs = Math.max(received.get(signal.id) ?? 0, pace.sinceMs)
    return planSignal({
      signal,
      settings,
      context,
      quoteOf,
      figuresOf,
      votes:
        asksPanel(signal, settings) === "never"
          ? null
          : (asked.votes.get(instrumentName(signal.symbol, settings)) ?? null),
      voters: asked.voters.get(signal.id) ?? null,
      chain: asked.chains.get(signal.id) ?? null,
      mayDefer: context.nowMs < waitingSinceMs + claimLimits.deferMsMax
    })
  }
}

/** Every account that one of the signals may go to. */
const accountsOf = (settings: PlanSettings, signals: ReadonlyArray<ClaimedSignal>): ReadonlyArray<string> => {
  const accounts = new Set<string>()
  for (const claimed of signals) {
    const targets = claimed.kind === "signal" ? targetsOf(claimed.signal, settings) : []
    if (targets !== "strategy_unknown") for (const { account } of targets) accounts.add(account)
  }
  return [...accounts]
}

/** Runs of never-tried signals together, every other one alone; the order is kept. */
const groupsOf = (signals: ReadonlyArray<ClaimedSignal>): ReadonlyArray<ReadonlyArray<ClaimedSignal>> => {
  const groups: Array<Array<ClaimedSignal>> = []
  let open: Array<ClaimedSignal> | null = null
  for (const signal of signals) {
    const suspect = signal.attempts > 1 || signal.kind !== "signal"
    if (open === null || suspect) groups.push((open = []))
    open.push(signal)
    if (suspect) open = null
  }
  return groups
}

/** Decides a group; a fault of the database is narrowed down to the signal that causes it. */
const decideGroup = (
  store: SignalsStoreService,
  settings: PlanSettings,
  planner: Planner,
  token: string,
  group: ReadonlyArray<ClaimedSignal>
): Effect.Effect<ReadonlyArray<SignalOutcome>, DatabaseUnavailable> =>
  store.decide(token, group, accountsOf(settings, group), planner).pipe(
    Effect.catchTag("DatabaseFault", (fault) => {
      const [only, ...others] = group
      if (only === undefined) return Effect.succeed([])
      if (others.length === 0)
        return Effect.map(store.fail(token, only, fault.message), (outcome) => [outcome])
      return Effect.map(
        Effect.forEach(group, (signal) => decideGroup(store, settings, planner, token, [signal])),
        (outcomes) => outcomes.flat()
      )
    })
  )

const logDecided = (
  component: string,
  claimed: Claimed<"signal">,
  outcome: Extract<SignalOutcome, { readonly _tag: "Decided" }>
) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const alerts = yield* Alerts
    const { decision, id } = outcome
    for (const account of new Set(
      decision.orders.filter(({ status }) => status !== "denied").map((order) => order.account)
    )) {
      wake.notify(ordersBell(account))
    }
    // It is in no figure, and whoever sent it writes its one line (T9).
    if (claimed.source === CANARY) return
    const tookMs = Math.max(0, (yield* Clock.currentTimeMillis) - claimed.receivedAtMs)
    yield* Metric.update(Metric.withAttributes(decidedTotal, { outcome: decision.outcome }), 1)
    yield* Metric.update(decisionSeconds, tookMs / 1_000)
    yield* noteStage("fired_to_received", claimed.receivedAtMs - claimed.signal.expiresFromMs)
    yield* noteStage("received_to_decided", tookMs)
    const { outcome: result, reason } = decision
    yield* logEvent("info", "signal.decided", `signal ${result}${reason === null ? "" : `: ${reason}`}`, {
      component,
      correlation_id: id,
      source: claimed.source,
      symbol: claimed.signal.symbol,
      outcome: result,
      reason,
      settings_version: decision.settingsVersion,
      took_ms: tookMs,
      orders: decision.orders.map(({ account, clientOrderId, status }) => ({
        account,
        client_order_id: clientOrderId,
        status
      }))
    })
    yield* alertDrift(component, claimed, decision)
    yield* alertLossLimits(component, claimed, decision)
    if (reason === "too_old") {
      yield* alerts.raise({
        severity: "MEDIUM",
        kind: "signal.too_old",
        dedupKey: `signal.too_old:${claimed.source}`,
        component,
        correlationId: id,
        message: `a signal of source ${claimed.source} was too old to trade when its turn came`
      })
    }
  })

/** A limit on losses that denies a signal is an alert, one for all its signals (T11). */
const alertLossLimits = (component: string, { id, source }: Claimed<"signal">, decision: Decision) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    for (const { check, code, numbers } of decision.checks) {
      if (code === null || !lossRules.some((rule) => rule === check)) continue
      const scope = String(numbers["scope"])
      yield* alerts.raise({
        severity: "MEDIUM",
        kind: "signal.loss_limit",
        dedupKey: `signal.loss_limit:${scope}:${code}`,
        component,
        correlationId: id,
        message: `signals such as one of source ${source} are denied by the limit ${check} of ${scope}: ${code}`,
        detail: { source, ...numbers }
      })
    }
  })

/** What the sender believes it holds and we do not: an earlier alert of it never arrived, or was not traded. */
const alertDrift = (component: string, claimed: Claimed<"signal">, decision: Decision) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const { id, signal } = claimed
    for (const { account, code, numbers, strategy } of decision.checks) {
      if (code !== "position_drift") continue
      yield* alerts.raise({
        component,
        correlationId: id,
        severity: "MEDIUM",
        kind: "position.drift",
        dedupKey: `position.drift:${account ?? ""}:${strategy ?? ""}:${signal.symbol}`,
        message: `the sender reports it was ${String(numbers["reported"])} in ${signal.symbol}, ${strategy ?? ""} is ${String(numbers["held"])} in ${account ?? ""}: an earlier alert is missing`,
        detail: { account, strategy, symbol: signal.symbol, ...numbers }
      })
    }
  })

/** Why a signal reached no strategy at all. */
const unroutedReasons: Readonly<Record<string, string>> = {
  no_strategy: "no strategy takes signals of this source",
  strategy_unknown: "the strategy they name does not take this source"
}

/** Signals that no strategy takes are one alert per source, from the first one on (T11); each has its log line already. */
const alertUnrouted = (component: string, claim: Claim, outcomes: ReadonlyArray<SignalOutcome>) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const sources = new Map(claim.signals.map(({ id, source }) => [id, source]))
    const found = new Map<string, { readonly reason: string; readonly source: string; ids: Array<string> }>()
    for (const outcome of outcomes) {
      const reason = outcome._tag === "Decided" ? outcome.decision.reason : null
      if (reason === null || unroutedReasons[reason] === undefined) continue
      const source = sources.get(outcome.id) ?? ""
      const one = found.get(`${reason}:${source}`) ?? { reason, source, ids: [] }
      one.ids.push(outcome.id)
      found.set(`${reason}:${source}`, one)
    }
    for (const { ids, reason, source } of found.values()) {
      yield* alerts.raise({
        severity: "MEDIUM",
        kind: `signal.${reason}`,
        dedupKey: `signal.${reason}:${source}`,
        component,
        ...(ids[0] === undefined ? {} : { correlationId: ids[0] }),
        message: `${ids.length === 1 ? "a signal" : `${ids.length} signals`} of source ${source} cannot be traded: ${unroutedReasons[reason] ?? reason}`,
        detail: { source, count: ids.length }
      })
    }
  })

const logTrouble = (
  component: string,
  outcome: Exclude<SignalOutcome, { readonly _tag: "Decided" }>,
  source: string | undefined
) =>
  Effect.gen(function* () {
    const fields = { component, correlation_id: outcome.id }
    switch (outcome._tag) {
      case "Deferred":
        return yield* logEvent("debug", "signal.deferred", "the decision was deferred", {
          ...fields,
          codes: outcome.codes
        })
      case "ClaimLost":
        return yield* logEvent("warn", "signal.claim_lost", "another decider took the signal over", fields)
      case "Failed":
        return yield* logEvent("error", "signal.failed", "deciding failed and will be retried", {
          ...fields,
          error: outcome.error,
          attempts: outcome.attempts
        })
      case "Buried": {
        // A canary has no dead letter, and whoever sent it reports it (T9).
        if (source === CANARY) return undefined
        const alerts = yield* Alerts
        yield* Metric.update(Metric.withAttributes(decidedTotal, { outcome: "dead" }), 1)
        yield* logEvent("error", "signal.dead", "deciding failed too often; the signal is a dead letter", {
          ...fields,
          reason: outcome.reason
        })
        return yield* alerts.raise({
          severity: "HIGH",
          kind: "signal.dead",
          dedupKey: `signal.dead:${outcome.id}`,
          component,
          correlationId: outcome.id,
          message: `signal ${outcome.id} could not be decided and is a dead letter: ${outcome.reason}`
        })
      }
    }
  })

/** Stores one metadata row and links it; trouble becomes an outcome like that of any signal. */
const handleMetadata = (
  component: string,
  settings: SymbolRules,
  token: string,
  claimed: Claimed<"metadata">
) =>
  Effect.gen(function* () {
    const store = yield* SignalsStore
    // It is linked to fills, whose symbols are instruments.
    const pair = instrumentName(claimed.metadata.pair, settings)
    const recorded = yield* store.recordMetadata(
      token,
      claimed.id,
      { ...claimed.metadata, pair },
      claimed.atMs
    )
    const fields = {
      component,
      correlation_id: claimed.id,
      symbol: recorded.pair,
      snapshot_id: recorded.snapshotId
    }
    if (recorded.known)
      return yield* logEvent("warn", "metadata.known", "this snapshot is stored already", fields)
    if (recorded.taken)
      return yield* logEvent(
        "warn",
        "metadata.taken",
        "the order it names carries the metadata of another snapshot",
        fields
      )
    // That it was recorded is logged by the intake, which answered for it.
    if (recorded.linked.length === 0)
      yield* logEvent("info", "metadata.waiting", "metadata waits for its fill", fields)
    for (const { by, orderId, tradeRecordId } of recorded.linked) {
      yield* logEvent("info", "metadata.linked", "linkage created", {
        ...fields,
        order_id: orderId,
        trade_record_id: tradeRecordId,
        by
      })
    }
    return undefined
  }).pipe(
    Effect.as(null),
    Effect.catchTags({
      ClaimLost: ({ id }) => Effect.succeed<SignalOutcome>({ _tag: "ClaimLost", id }),
      DatabaseFault: (fault) =>
        Effect.flatMap(SignalsStore, (store) => store.fail(token, claimed, fault.message))
    })
  )

const reportOf = (claim: Claim, outcomes: ReadonlyArray<SignalOutcome>, metadata: number): BatchReport => {
  const count = (tag: SignalOutcome["_tag"]): number => outcomes.filter(({ _tag }) => _tag === tag).length
  return {
    more: claim.more,
    decided: count("Decided"),
    deferred: count("Deferred"),
    failed: count("Failed"),
    buried: count("Buried"),
    metadata
  }
}

/** Handles a claimed batch, oldest first. Fails only when the database is away; what was committed by then stays so. */
export const decideBatch = (component: string, pace: Pace, claim: Claim) =>
  Effect.gen(function* () {
    const store = yield* SignalsStore
    const market = yield* Market
    const settings = planSettingsOf(yield* Config)
    for (const claimed of claim.signals)
      if (claimed.kind === "signal") faultPoint(FAULT_POINTS.signalClaimed, claimed.signal.symbol)
    const ours = claim.signals
      .filter((claimed) => claimed.kind === "signal")
      .filter(({ source }) => source !== CANARY)
    yield* enrich(market, settings, ours)
    const asked = yield* askEngines(settings, ours)
    const { of: figuresOf } = yield* RiskFigures
    const nowMs = yield* Clock.currentTimeMillis
    const planner = plannerOf(settings, market, figuresOf, nowMs, pace, claim.signals, asked)
    const byId = new Map(claim.signals.map((claimed) => [claimed.id, claimed]))
    const outcomes: Array<SignalOutcome> = []
    let metadata = 0
    for (const group of groupsOf(claim.signals)) {
      const [first] = group
      let results: ReadonlyArray<SignalOutcome>
      if (first?.kind === "metadata" && first.attempts <= claimLimits.claimsMax) {
        const trouble = yield* handleMetadata(component, settings, claim.token, first)
        results = trouble === null ? [] : [trouble]
        metadata += trouble === null ? 1 : 0
      } else {
        results = yield* decideGroup(store, settings, planner, claim.token, group)
      }
      for (const outcome of results) {
        const claimed = byId.get(outcome.id)
        if (outcome._tag !== "Decided") yield* logTrouble(component, outcome, claimed?.source)
        else if (claimed?.kind === "signal") yield* logDecided(component, claimed, outcome)
      }
      outcomes.push(...results)
    }
    yield* alertUnrouted(component, claim, outcomes)
    return reportOf(claim, outcomes, metadata)
  })
