/**
 * Context shown: which fields of each machine's context an operator may see change.
 *
 * A context may come to hold what nobody should read on a screen: the body of a signal, a token. So the journal shows a
 * field only when it is listed here, and a field that somebody adds tomorrow is hidden until somebody decides. Inputs are not
 * listed, because they never change.
 *
 * Promises: the names are those of the contexts, or this does not compile; `size` shows how much, never what.
 * Never: is read by a machine.
 */
import type { ContextSchema, Shown } from "../domain/platform/journal.ts"
import type { AgentContext } from "./decision/agent.machine.ts"
import type { AlertsContext } from "./alerts/alerts.machine.ts"
import type { HttpContext } from "./api/http.machine.ts"
import type { TradingStateContext } from "./control/trading-state.machine.ts"
import type { DatabaseContext } from "./database/database.machine.ts"
import type { VoterContext } from "./decision/voter.machine.ts"
import type { PipelineContext } from "./decision/pipeline.machine.ts"
import type { AccountContext } from "./execution/account.machine.ts"
import type { BreakersContext } from "./execution/breakers.machine.ts"
import type { BrokerContext } from "./execution/broker.machine.ts"
import type { ExitsContext } from "./execution/exits.machine.ts"
import type { NodeContext } from "./execution/node.machine.ts"
import type { ReconcilerContext } from "./execution/reconciler.machine.ts"
import type { RiskContext } from "./execution/risk.machine.ts"
import type { CanaryContext } from "./operators/canary.machine.ts"
import type { ExpectedSignalsContext } from "./operators/expected-signals.machine.ts"
import type { FeedContext } from "./feeds/feed-setup.ts"
import type { WavesContext } from "./feeds/waves.machine.ts"
import type { JournalContext } from "./health/journal.machine.ts"
import type { RefusedPostsContext } from "./intake/refused-posts.machine.ts"
import type { SpoolContext } from "./intake/spool.machine.ts"
import type { MarketContext } from "./market/market.machine.ts"
import type { PracticeSignalsContext } from "./operators/practice-signals.machine.ts"
import type { HeartbeatContext } from "./operators/heartbeat.machine.ts"
import type { ResourcesContext } from "./operators/resources.machine.ts"
import type { RetentionContext } from "./operators/retention.machine.ts"
import type { SinkContext } from "./operators/sink.machine.ts"
import type { TelegramContext } from "./operators/telegram.machine.ts"
import type { PaperVenueContext } from "./venues/paper-venue.machine.ts"

const show = <Context>(fields: { readonly [field in keyof Context]?: Shown }): ContextSchema =>
  fields as ContextSchema

const value = "value" as const
const size = "size" as const

/** By the name of the catalog. */
export const contextShown: Readonly<Record<string, ContextSchema>> = {
  account: show<AccountContext>({
    attempt: value,
    fence: value,
    heldBy: value,
    rang: value,
    reconcileWanted: value,
    leaseLost: value,
    databaseLost: value,
    stopping: value,
    unresolved: value,
    lastError: value
  }),
  agent: show<AgentContext>({ hung: value, lastError: value }),
  alerts: show<AlertsContext>({ stored: value, lastError: value }),
  // The table of one breaker; it runs in no process.
  breaker: {},
  breakers: show<BreakersContext>({
    watched: value,
    stopped: value,
    changes: value,
    again: value,
    lastError: value
  }),
  broker: show<BrokerContext>({
    attempt: value,
    connects: value,
    delayMs: value,
    nextAt: value,
    closeCode: value,
    closeReason: value,
    fillsMissed: value,
    lastError: value
  }),
  canary: show<CanaryContext>({
    came: value,
    missing: value,
    stage: value,
    latencyMs: value,
    lastError: value
  }),
  // The name of a server may be a URL with its user; health shows it masked.
  database: show<DatabaseContext>({ attempt: value, migrated: value, server: value, lastError: value }),
  "expected-signals": show<ExpectedSignalsContext>({ lastError: value }),
  exits: show<ExitsContext>({
    positions: value,
    exits: value,
    unprotected: value,
    unstopped: value,
    pending: value,
    again: value,
    lastError: value
  }),
  feed: show<FeedContext>({
    attempt: value,
    connects: value,
    connectedAt: size,
    flapping: value,
    connectedSince: value,
    delayMs: value,
    nextAt: value,
    lastEnd: value,
    heard: value,
    paused: value,
    pongs: value,
    databaseAway: value,
    lastError: value
  }),
  heartbeat: show<HeartbeatContext>({
    beats: value,
    failed: value,
    failures: value,
    withheld: value,
    lastError: value
  }),
  http: show<HttpContext>({ host: value, port: value, finished: value, cut: value, lastError: value }),
  journal: show<JournalContext>({ lastError: value }),
  market: show<MarketContext>({ attempt: value, ticks: value, lastError: value }),
  node: show<NodeContext>({ attempt: value, by: value, forMs: value, waitedFor: value, lastError: value }),
  order: {},
  "paper-venue": show<PaperVenueContext>({ attempt: value, url: value, lastError: value }),
  // `batch` has the token of the claim.
  pipeline: show<PipelineContext>({ stopping: value, deferred: value, counters: value, lastError: value }),
  "practice-signals": show<PracticeSignalsContext>({
    waitMs: value,
    sent: value,
    leftOut: value,
    lastSignal: value,
    why: value,
    lastError: value
  }),
  reconciler: show<ReconcilerContext>({ unsettled: value, backlog: size, lastError: value }),
  "refused-posts": show<RefusedPostsContext>({ lastError: value }),
  resources: show<ResourcesContext>({ shed: value, over: value, calm: value }),
  retention: show<RetentionContext>({ complete: value, removed: value, overdueMs: value, lastError: value }),
  risk: show<RiskContext>({
    scopes: value,
    stopped: value,
    tripped: size,
    unknown: size,
    shadowed: size,
    again: value,
    lastError: value
  }),
  sink: show<SinkContext>({ sent: value, failures: value, waitMs: value, lastError: value }),
  spool: show<SpoolContext>({ isDatabaseThere: value, isHolding: value, fault: value, lastError: value }),
  telegram: show<TelegramContext>({
    attempt: value,
    retryMs: value,
    strikes: value,
    fallback: value,
    contested: value,
    calmMs: value,
    updates: value,
    unanswered: value,
    undelivered: value,
    webhookTrouble: value,
    lastError: value
  }),
  "trading-state": show<TradingStateContext>({ state: value, lastError: value }),
  voter: show<VoterContext>({ failures: value, opened: value, lastError: value }),
  waves: show<WavesContext>({
    stopping: value,
    check: value,
    answered: value,
    found: value,
    looks: value,
    wakeAtMs: value,
    nextDueAtMs: value,
    failedChecks: value,
    lastDoneMs: value,
    outage: value,
    counters: value,
    lastError: value
  })
}
