/**
 * endpoints: everything that the listener answers, as one table.
 *
 * The routes of the service, the index of the API, `/openapi.json`, and docs/endpoints.md are all read from here, so what is
 * documented is what runs.
 *
 * Promises: each endpoint has its method, path, query, body and the shape of its answers; what is not listed is a
 * `Refusal` (see refusal.ts).
 * Never: handles anything.
 */
import { BREAKER_STATES } from "../domain/orders/breaker.ts"
import { z } from "zod"
import { settingsEndpoints } from "./settings-endpoints.ts"
import { COMMAND_NAMES, COMMAND_RESULTS } from "../domain/control/commands.ts"
import { ORDER_STATUSES } from "../domain/orders/order.ts"
import { EXPECTED_STATUSES } from "../domain/signals/expected-schedule.ts"
import { SIGNAL_STATUSES } from "../domain/signals/signal-status.ts"
import { accountAlertLog } from "./alert-log.ts"
import { listApprovals } from "./approval-endpoints.ts"
import { auditRow } from "./audit.ts"
import * as commands from "./commands.ts"
import { decisionReplayEndpoints } from "./decision-replay.ts"
import { consoleEndpoints } from "./console-endpoints.ts"
import { listDrills } from "./drill-endpoints.ts"
import { type Endpoint, endpoint, get, list } from "./endpoint.ts"
import { healthDocument, healthOutline, live, version } from "./health.ts"
import { listFlags } from "./flags.ts"
import { getIncident, getIncidentPage } from "./incident-endpoints.ts"
import { journalEndpoints } from "./journal-endpoints.ts"
import { experimentEndpoints } from "./experiments.ts"
import { listStrategies } from "./strategies.ts"
import { latencyEndpoints } from "./latency.ts"
import { monitoringEndpoints } from "./monitoring-endpoints.ts"
import { listLimits } from "./limit-endpoints.ts"
import * as operations from "./operations.ts"
import { byId, byInstant, byName, byPayload, byTruth, listQuery, page } from "./page.ts"
import { replayEndpoints } from "./replay-endpoints.ts"
import { listSinks } from "./sink-endpoints.ts"
import { postTelegramUpdate } from "./telegram-endpoints.ts"
import * as trading from "./trading.ts"
import { sourceBody, webhookBody } from "./intake-body.ts"
import { listSources, trySource } from "./sources.ts"
import { intakeAnswer, intakeTest, spooledAnswer } from "./webhook.ts"
import { oneOf } from "./words.ts"

export const health = endpoint({
  ...get,
  path: "/health",
  access: "open",
  tag: "health",
  name: "getHealth",
  summary: "Health of the process; outside PRACTICE without a token a summary without names.",
  answers: {
    200: z.union([healthDocument, healthOutline]),
    503: z.union([healthDocument, healthOutline])
  }
})
export const healthLive = endpoint({
  ...get,
  path: "/health/live",
  access: "open",
  tag: "health",
  name: "getLive",
  summary: "Whether the event loop and the supervisors answer.",
  answers: { 200: live, 503: live }
})
export const healthReady = endpoint({
  ...get,
  path: "/health/ready",
  access: "open",
  tag: "health",
  name: "getReady",
  summary: "Whether this process can do the work of its roles durably.",
  answers: { 200: healthOutline, 503: healthOutline }
})
export const getVersion = endpoint({
  ...get,
  path: "/version",
  access: "open",
  tag: "health",
  name: "getVersion",
  summary: "The running version.",
  answers: { 200: version }
})
export const metrics = endpoint({
  ...get,
  path: "/metrics",
  access: "open",
  tag: "health",
  name: "getMetrics",
  summary: "Figures in the text format of Prometheus.",
  answers: { 200: { text: "text/plain; version=0.0.4; charset=utf-8" } }
})
export const openapi = endpoint({
  ...get,
  path: "/openapi.json",
  access: "open",
  tag: "health",
  name: "getOpenApi",
  summary: "This description.",
  answers: { 200: z.record(z.string(), z.unknown()) }
})

export const settingsSchema = endpoint({
  ...get,
  path: "/schemas/holdfast.json",
  access: "open",
  tag: "health",
  name: "getSettingsSchema",
  summary: "JSON Schema of the configuration file, for its `$schema`.",
  answers: { 200: z.record(z.string(), z.unknown()) }
})

const posted = { 200: intakeAnswer, 201: intakeAnswer, 202: spooledAnswer }
/** The webhook paths are not routes of the table: they come first, and run no fiber per request. */
export const webhooks = [
  endpoint({
    method: "POST",
    path: "/webhook",
    access: "webhook",
    tag: "intake",
    name: "postWebhook",
    summary: "Takes an alert of the source `default`; 2xx only after it is durable.",
    bodies: webhookBody,
    answers: posted
  }),
  endpoint({
    method: "POST",
    path: "/webhook/:source",
    access: "webhook",
    tag: "intake",
    name: "postSource",
    summary: "Takes an alert of a source of the settings.",
    bodies: sourceBody,
    answers: posted
  }),
  endpoint({
    ...get,
    path: "/webhook/test",
    access: "open",
    tag: "intake",
    name: "testWebhook",
    summary: "Whether a post would be accepted now.",
    answers: { 200: intakeTest }
  })
]

export const listSignals = endpoint({
  ...list,
  path: "/api/v1/signals",
  tag: "trading",
  name: "listSignals",
  summary: "Signals, newest first.",
  query: listQuery({
    status: oneOf(SIGNAL_STATUSES).optional(),
    source: byName,
    symbol: byName,
    kind: oneOf(trading.SIGNAL_KINDS).optional(),
    payload: byPayload
  }),
  answers: { 200: page(trading.signal) }
})
export const getSignal = endpoint({
  ...list,
  path: "/api/v1/signals/:id",
  tag: "trading",
  name: "getSignal",
  summary: "The whole trace of a signal.",
  answers: { 200: trading.trace }
})
export const explainSignal = endpoint({
  ...list,
  path: "/api/v1/signals/:id/why",
  tag: "trading",
  name: "explainSignal",
  summary:
    "A signal as plain sentences: why it was or was not ordered, every check with its numbers, what became of each order; the first line is the answer.",
  answers: { 200: { text: "text/plain; charset=utf-8" } }
})
export const listOrders = endpoint({
  ...list,
  path: "/api/v1/orders",
  tag: "trading",
  name: "listOrders",
  summary: "Orders, newest first.",
  query: listQuery({
    status: oneOf(ORDER_STATUSES).optional(),
    account: byName,
    symbol: byName,
    strategy: byName,
    signal_id: byId
  }),
  answers: { 200: page(trading.order) }
})
export const getOrder = endpoint({
  ...list,
  path: "/api/v1/orders/:id",
  tag: "trading",
  name: "getOrder",
  summary: "An order with its events.",
  answers: { 200: trading.orderWithEvents }
})
export const listFills = endpoint({
  ...list,
  path: "/api/v1/fills",
  tag: "trading",
  name: "listFills",
  summary: "Fills, newest first.",
  query: listQuery({ account: byName, symbol: byName, source: byName, order_id: byId }),
  answers: { 200: page(trading.fill) }
})
export const listPositions = endpoint({
  ...list,
  path: "/api/v1/positions",
  tag: "trading",
  name: "listPositions",
  summary: "Positions, with each strategy's share.",
  query: listQuery({
    account: byName,
    symbol: byName,
    open: byTruth.meta({ description: "Whether something is held; what ever was held has a row." })
  }),
  answers: { 200: page(trading.position) }
})
export const listAccounts = endpoint({
  ...list,
  path: "/api/v1/accounts",
  tag: "trading",
  name: "listAccounts",
  summary: "Accounts.",
  query: listQuery({ venue: byName }),
  answers: { 200: page(trading.account) }
})
export const listEquity = endpoint({
  ...list,
  path: "/api/v1/equity",
  tag: "trading",
  name: "listEquity",
  summary: "Equity of accounts by the minute, newest first.",
  query: listQuery({ account: byName, from: byInstant, to: byInstant }),
  answers: { 200: page(trading.equity) }
})
export const listCashFlows = endpoint({
  ...list,
  path: "/api/v1/cash-flows",
  tag: "trading",
  name: "listCashFlows",
  summary: "Deposits and withdrawals, newest first.",
  query: listQuery({ account: byName }),
  answers: { 200: page(trading.cashFlow) }
})
export const listWaves = endpoint({
  ...list,
  path: "/api/v1/waves",
  tag: "operations",
  name: "listWaves",
  summary: "The ledger of waves, newest first.",
  query: listQuery({ feed: byName, status: oneOf(operations.WAVE_STATUSES).optional() }),
  answers: { 200: page(operations.wave) }
})
export const listExpected = endpoint({
  ...list,
  path: "/api/v1/expected-signals",
  tag: "operations",
  name: "listExpectedSignals",
  summary: "What sources with a schedule should have sent, newest first.",
  query: listQuery({
    source: byName,
    status: oneOf(EXPECTED_STATUSES).optional(),
    from: byInstant,
    to: byInstant
  }),
  answers: { 200: page(operations.expectedSignal) }
})
export const getLinkage = endpoint({
  ...list,
  path: "/api/v1/linkage",
  tag: "trading",
  name: "getLinkage",
  summary: "How many fills are linked to the signal that caused them.",
  answers: { 200: trading.linkage }
})
export const listActors = endpoint({
  ...list,
  path: "/api/v1/actors",
  tag: "operations",
  name: "listActors",
  summary: "The supervision tree, parents before their children.",
  answers: { 200: page(operations.actor) }
})
export const getActor = endpoint({
  ...list,
  path: "/api/v1/actors/:path",
  tag: "operations",
  name: "getActor",
  summary:
    "One component, its path percent-encoded: what it waits for, its last transitions, its restarts and their causes.",
  answers: { 200: operations.actorWithHistory }
})
export const getTradingState = endpoint({
  ...list,
  path: "/api/v1/trading-state",
  tag: "operations",
  name: "getTradingState",
  summary: "Whether this installation, and each account and strategy of it, trades.",
  answers: { 200: operations.tradingStates }
})
export const listAudit = endpoint({
  ...list,
  path: "/api/v1/audit",
  tag: "commands",
  name: "listAudit",
  summary: "Every command that was given, refused ones too, newest first.",
  query: listQuery({
    command: oneOf(COMMAND_NAMES).optional(),
    by: byName,
    scope: byName,
    result: oneOf(COMMAND_RESULTS).optional(),
    since: byInstant
  }),
  answers: { 200: page(auditRow) }
})
export const listSettingsChanges = endpoint({
  ...list,
  path: "/api/v1/settings/changes",
  tag: "operations",
  name: "listSettingsChanges",
  summary: "Which settings were in force when: starts, reloads and steps back, newest first.",
  query: listQuery({ version: byName }),
  answers: { 200: page(operations.settingsChange) }
})
export const listAlerts = endpoint({
  ...list,
  path: "/api/v1/monitoring/alerts",
  tag: "operations",
  name: "listAlerts",
  summary: "Alerts, newest first.",
  query: listQuery({
    severity: oneOf(operations.ALERT_SEVERITIES).optional(),
    kind: byName,
    status: oneOf(operations.ALERT_STATUSES).optional(),
    dedup_key: byName
  }),
  answers: { 200: page(operations.alert) }
})
export const listBreakers = endpoint({
  ...list,
  path: "/api/v1/monitoring/circuit-breakers",
  tag: "operations",
  name: "listCircuitBreakers",
  summary: "Circuit breakers of brokers and strategies.",
  query: listQuery({ state: oneOf(BREAKER_STATES).optional() }),
  answers: { 200: page(operations.circuitBreaker) }
})
export const index = endpoint({
  ...list,
  path: "/api/v1",
  tag: "operations",
  name: "getIndex",
  summary: "The endpoints below /api/v1.",
  answers: { 200: page(operations.indexEntry) }
})
/** All of them, in the order of the documentation. */
export const endpoints: ReadonlyArray<Endpoint> = [
  ...webhooks,
  trySource,
  listSources,
  postTelegramUpdate,
  health,
  healthLive,
  healthReady,
  getVersion,
  metrics,
  openapi,
  settingsSchema,
  ...settingsEndpoints,
  index,
  listSignals,
  getSignal,
  explainSignal,
  listOrders,
  getOrder,
  listApprovals,
  listFills,
  getLinkage,
  listPositions,
  listAccounts,
  listEquity,
  listCashFlows,
  listLimits,
  listWaves,
  listExpected,
  accountAlertLog,
  listActors,
  getActor,
  getTradingState,
  ...Object.values(commands.commandEndpoints),
  listAudit,
  listSettingsChanges,
  listFlags,
  listAlerts,
  listSinks,
  listBreakers,
  listDrills,
  ...experimentEndpoints,
  listStrategies,
  ...latencyEndpoints,
  ...monitoringEndpoints,
  ...journalEndpoints,
  getIncident,
  getIncidentPage,
  ...replayEndpoints,
  ...decisionReplayEndpoints,
  ...consoleEndpoints
]
