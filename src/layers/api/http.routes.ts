/**
 * HttpFront over the intake and the route table: which path leads where, and who may use it.
 *
 * The intake comes first because it is the hot path; everything else is a table of effects that run as fibers of the
 * listener's scope, so a caller that hangs up, or a listener that ends, interrupts them.
 *
 * Promises: every exchange is answered once and counted; an unknown path is 404, a wrong method 405 with Allow, OPTIONS
 * 204 with what the path accepts; the API is refused before its body is read, and control to everybody without the token; at most `readLimits.concurrentMax` routes that may ask the database run at once.
 * Never: lets a page of an unlisted origin read a response, or post from a browser in practice mode.
 * Failure: a defect of a route is a 500 with its request id and an error line.
 */
import {
  answerEmpty,
  elapsedMs,
  type Exchange,
  type RefusalStatus,
  refusalWords,
  refuse,
  retryAfter
} from "./http.exchange.ts"
import { Clock, Effect, Layer, Result } from "effect"
import { isJsonObject, type JsonObject } from "../../domain/kernel/canonical-json.ts"
import { readJson } from "../../domain/kernel/json-reader.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { Database } from "../database/database.port.ts"
import type { Statements } from "../database/database-statements.ts"
import { settingsMask } from "../platform/config-mask.ts"
import { hidingSecrets } from "./http.hidden.ts"
import { Config, type ConfigReader } from "../platform/config.port.ts"
import { HealthSource, maskedHealth } from "../health/health-source.port.ts"
import { Commands, type CommandsService } from "../control/commands.port.ts"
import { alertLogRoutes } from "./http.alert-log.ts"
import { settingsRoutes } from "./http.settings.ts"
import type { SettingsEditor } from "../control/settings-editor.port.ts"
import { decisionReplayRoutes } from "./http.decision-replay.ts"
import { actorRoutes } from "./http.actors.ts"
import { apiRoutes } from "./http.api.ts"
import { noteStranger, noteUnread } from "./http.commands.ts"
import { Charts } from "../health/charts.port.ts"
import { JournalStore } from "../health/journal-store.port.ts"
import { IncidentStore } from "../health/incident-store.port.ts"
import { Pictures } from "../health/pictures.port.ts"
import { RiskFigures } from "../orders/risk-figures.port.ts"
import { Market } from "../market/market.port.ts"
import { Figures } from "../platform/figures.port.ts"
import { Journal } from "../platform/journal.port.ts"
import { chartRoutes } from "./http.charts.ts"
import { liveRoutes } from "./http.live.ts"
import { incidentRoutes } from "./http.incident.ts"
import { limitRoutes } from "./http.limits.ts"
import { LiveHub } from "./live.hub.ts"
import { HttpAccess, type HttpAccessService, type Standing } from "./http.access.ts"
import { readBody, refuseUnread } from "./http.body.ts"
import { senderAddress } from "./http.caller.ts"
import { consoleRoutes } from "./http.console.ts"
import { answerPreflight, applyCors, isPreflight } from "./http.cors.ts"
import { guarded, type Handling, HttpFront, type HttpFrontService } from "./http.front.ts"
import { healthRoutes } from "./http.health.ts"
import { monitoringRoutes } from "./http.monitoring.ts"
import type { Spool } from "../intake/spool.port.ts"
import { HttpIntake, type HttpIntakeService, refuseForm } from "./http.intake.ts"
import { isTryPath, sourceRoutes } from "./http.sources.ts"
import { makeSourceCounts, type SourceCounts } from "./source-counts.ts"
import { telegramRoutes } from "./http.telegram.ts"
import type { TelegramInbox } from "../intake/telegram-inbox.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { makeMatcher, type Match, type Route, type RouteRequest, runRoute } from "./http.route.ts"
import { Shedding } from "../platform/shedding.port.ts"
import { RefusedPosts, type RefusedPostsService } from "../intake/refused-posts.port.ts"
import { Exposition, Metrics, type MetricsService } from "../platform/metrics.port.ts"
import { type Networks, proxiesOf } from "../platform/networks.node.ts"
import type { AlertLogs } from "../intake/alert-log.port.ts"
import type { DecisionReplays } from "../decision/decision-replays.port.ts"
import type { AccountLeases } from "../accounts/accounts-lease.port.ts"
import type { Wake } from "../platform/wake.port.ts"
import type { Worker } from "../platform/worker.port.ts"
import { ReadStore } from "../health/read-store.port.ts"
import { TradingStateStore } from "../control/trading-state-store.port.ts"
import { ControlToken } from "../platform/control-token.port.ts"

interface Parts {
  readonly settings: Settings
  readonly intake: HttpIntakeService
  readonly metrics: MetricsService
  readonly access: HttpAccessService
  readonly commands: CommandsService
  readonly refused: RefusedPostsService
  readonly hub: LiveHub
  readonly match: (method: string, path: string) => Match
  readonly isProxy: Networks | null
  readonly counts: SourceCounts
  readonly nowMs: () => number
  /** The process has the role `http`: it takes posts and serves the API, and not only its health. */
  readonly takesPosts: boolean
}

/** The webhook paths as one route of the metrics. */
const webhookRoute = "/webhook/:source"

/** Status in the metrics of an exchange whose sender disconnected before it was answered. */
const senderGone = 499

/** One path segment, decoded; undefined when its escapes are not UTF-8. */
const decodeSegment = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    // The one error decodeURIComponent has. The caller answers it.
    return undefined
  }
}

/** Answers OPTIONS with what the path accepts. */
const answerAllowed = (exchange: Exchange, methods: ReadonlyArray<string>): void =>
  answerEmpty(exchange, 204, { allow: [...methods, "OPTIONS"].join(", ") })

/** The webhook paths: `/webhook`, `/webhook/test`, `/webhook/:source`. Returns the route's name for the metrics. */
const webhook = (parts: Parts, exchange: Exchange, handling: Handling): string => {
  const { method, path } = exchange
  const segment = path === "/webhook" ? "default" : decodeSegment(path.slice("/webhook/".length))
  if (segment === undefined) {
    refuseUnread(
      exchange,
      400,
      { errors: [{ path: "path", message: "must be percent-encoded UTF-8" }] },
      {},
      handling.expectsContinue
    )
    return webhookRoute
  }
  if (segment === "test" && (method === "GET" || method === "HEAD")) {
    parts.intake.test(exchange)
    return "/webhook/test"
  }
  const known = Object.hasOwn(parts.settings.sources, segment)
  if (method === "OPTIONS" && (known || segment === "test")) {
    answerAllowed(exchange, [...(segment === "test" ? ["GET", "HEAD"] : []), ...(known ? ["POST"] : [])])
    return webhookRoute
  }
  const isTest = segment === "test" && !known
  if (method !== "POST" || isTest) {
    const status = known || isTest ? 405 : 404
    refuseUnread(
      exchange,
      status,
      {},
      status === 405 ? { allow: isTest ? "GET, HEAD" : "POST" } : {},
      handling.expectsContinue
    )
    return webhookRoute
  }
  parts.intake.post(exchange, segment, handling)
  return webhookRoute
}

const parseBody = (
  bytes: Buffer,
  bytesMax: number
): Result.Result<JsonObject, { readonly path: string; readonly message: string }> => {
  if (bytes.length === 0) return Result.succeed({})
  const json = readJson(bytes, bytesMax)
  if (Result.isFailure(json)) return Result.fail({ path: json.failure.path, message: json.failure.message })
  return isJsonObject(json.success)
    ? Result.succeed(json.success)
    : Result.fail({ path: "", message: "must be a JSON object" })
}

/** Runs a route that the caller may use. */
const serveRoute = (
  parts: Parts,
  exchange: Exchange,
  handling: Handling,
  route: Route,
  params: Readonly<Record<string, string>>,
  standing: Standing
): void => {
  if (route.stream?.(exchange, handling) === true) return undefined
  const run = (body: JsonObject): void => {
    const request: RouteRequest = { exchange, params, query: undefined, standing, body }
    const stop = handling.run(runRoute(route, request))
    // Nobody reads the response any longer: the query behind it is cancelled. A command is carried out all the same.
    if (route.endpoint.method === "GET") {
      exchange.response.once("close", () => {
        if (!exchange.response.writableFinished) stop()
      })
    }
  }
  if (route.endpoint.body === undefined) return run({})
  if (handling.expectsContinue) exchange.response.writeContinue()
  const bytesMax = route.endpoint.bodyBytesMax ?? readLimits.bodyBytesMax
  readBody(exchange, bytesMax, (body) => {
    if (body === "gone") return exchange.response.destroy()
    if (body === "too_large") return refuseUnread(exchange, 413)
    if (body === "too_slow") return refuseUnread(exchange, 408, {}, { connection: "close" })
    if (body === "no_room") return refuseUnread(exchange, 503)
    const parsed = parseBody(body, bytesMax)
    if (Result.isFailure(parsed)) {
      const errors = [parsed.failure]
      if (route.command !== undefined)
        handling.run(noteUnread(parts.commands, { exchange, params, standing }, route.command, errors))
      return refuse(exchange, 400, { errors })
    }
    return run(parsed.success)
  })
  return undefined
}

const csrfMissing = { path: "headers.x-csrf-token", message: "must be the csrf_token of GET /api/v1/session" }

/**
 * Refuses callers who may not do this to the API, and returns whether it did. Reading and OPTIONS change nothing;
 * every other method is control. A refused caller learns nothing about paths.
 */
const refuseAccess = (exchange: Exchange, handling: Handling, { may }: Standing): boolean => {
  const changes = !["GET", "HEAD", "OPTIONS"].includes(exchange.method)
  if (may === "control" || (!changes && (may === "read" || may === "forged"))) return false
  const { expectsContinue } = handling
  if (may === "unknown") refuseUnread(exchange, 503, {}, retryAfter, expectsContinue)
  else if (may === "forged") refuseUnread(exchange, 403, { errors: [csrfMissing] }, {}, expectsContinue)
  else refuseUnread(exchange, 401, {}, { "www-authenticate": "Bearer" }, expectsContinue)
  return true
}

/** Health, metrics and documents ask nobody but this process, and are wanted most when everything else is too much. */
const isBounded = ({ endpoint }: Route): boolean => endpoint.tag !== "health"

/** Everything that is not the webhook. Returns the route's name for the metrics. */
const dispatch = (parts: Parts, exchange: Exchange, handling: Handling): string => {
  const match = parts.match(exchange.method, exchange.path)
  const isApi = exchange.path.startsWith("/api/") || isTryPath(exchange.path)
  const standing = parts.access.standingOf(exchange)
  if (isApi && refuseAccess(exchange, handling, standing)) {
    const command = match._tag === "Found" ? match.route.command : undefined
    // While nobody knows the token, nobody is a stranger.
    if (match._tag === "Found" && command !== undefined && standing.may !== "unknown")
      handling.run(noteStranger(parts.commands, exchange, standing, command, match.params))
    return "unauthorized"
  }
  switch (match._tag) {
    case "NotFound":
      refuseUnread(exchange, 404, {}, {}, handling.expectsContinue)
      return "unmatched"
    case "BadPath":
      refuseUnread(
        exchange,
        400,
        { errors: [{ path: "path", message: "must be percent-encoded UTF-8" }] },
        {},
        handling.expectsContinue
      )
      return "unmatched"
    case "OtherMethod":
      if (exchange.method === "OPTIONS") answerAllowed(exchange, match.allow)
      else refuseUnread(exchange, 405, {}, { allow: match.allow.join(", ") }, handling.expectsContinue)
      return "unmatched"
    case "Found":
      if (isBounded(match.route) && handling.running() >= readLimits.concurrentMax)
        refuseUnread(exchange, 503, {}, retryAfter, handling.expectsContinue)
      else serveRoute(parts, exchange, handling, match.route, match.params, standing)
      return match.route.endpoint.path
  }
}

/** A path of the intake; what tries a post is a route like others. */
const isWebhook = ({ takesPosts }: Parts, path: string): boolean =>
  takesPosts && (path === "/webhook" || path.startsWith("/webhook/")) && !isTryPath(path)

const isRefusal = (status: number): status is RefusalStatus => status in refusalWords

/** Records the response to a webhook post. The address is read before: a socket that is gone has none. */
const noteAnswer = (parts: Parts, exchange: Exchange, address: string, status: number): void => {
  const segment =
    exchange.path === "/webhook" ? "default" : decodeSegment(exchange.path.slice("/webhook/".length))
  const source = segment !== undefined && Object.hasOwn(parts.settings.sources, segment) ? segment : null
  const { errors, refusal, requestId } = exchange
  const post = {
    refusal,
    status,
    reason: isRefusal(status) ? refusalWords[status] : "TAKEN",
    source,
    address,
    requestId,
    errors
  }
  parts.refused.note(post)
  parts.counts.note(post, parts.nowMs())
}

const makeFront = (parts: Parts): HttpFrontService => ({
  endStreams: () => parts.hub.end("stopping"),
  handle: (exchange, handling) => {
    applyCors(parts.settings.corsOrigins, exchange)
    let route = "preflight"
    const address = senderAddress(exchange.request, parts.isProxy)
    exchange.sender = address
    let isSettled = false
    exchange.settled = (status) => {
      isSettled = true
      parts.metrics.answered(route, status, elapsedMs(exchange) / 1_000)
    }
    // One listener for every way a response can end, so nothing that was answered is missing in the metrics.
    exchange.response.once("close", () => {
      // A stream lasts for hours, which is not the time of its answer.
      if (isSettled) return
      const status = exchange.response.headersSent ? exchange.response.statusCode : senderGone
      parts.metrics.answered(route, status, elapsedMs(exchange) / 1_000)
      if (route === webhookRoute && exchange.method === "POST" && status !== senderGone)
        noteAnswer(parts, exchange, address, status)
    })
    guarded(exchange, handling, () => {
      const { method, path } = exchange
      if (isPreflight(parts.settings.corsOrigins, exchange)) answerPreflight(exchange)
      else if (method === "OPTIONS" && path === "*") answerAllowed(exchange, ["GET", "HEAD", "POST"])
      else if (isWebhook(parts, path)) {
        route = webhook(parts, exchange, handling)
      } else route = dispatch(parts, exchange, handling)
    })
  }
})

export const HttpFrontRoutes: Layer.Layer<
  HttpFront,
  never,
  | AccountLeases
  | AlertLogs
  | Commands
  | Config
  | ConfigReader
  | SettingsEditor
  | DecisionReplays
  | ControlToken
  | Charts
  | Database
  | Exposition
  | Figures
  | HealthSource
  | HttpAccess
  | HttpIntake
  | IncidentStore
  | Journal
  | JournalStore
  | Market
  | Metrics
  | Pictures
  | ReadStore
  | RiskFigures
  | TradingStateStore
  | RefusedPosts
  | Shedding
  | Spool
  | Statements
  | TelegramInbox
  | Wake
  | Worker
> = Layer.effect(
  HttpFront,
  Effect.gen(function* () {
    const settings = yield* Config
    const token = yield* ControlToken
    const configured = settingsMask(settings)
    const source = maskedHealth(yield* HealthSource, (text) => configured(token.mask(text)))
    const access = yield* HttpAccess
    const metrics = yield* Metrics
    const reads = yield* ReadStore
    const states = yield* TradingStateStore
    const commands = yield* Commands
    const clock = yield* Clock.Clock
    const [journal, store, pictures] = [yield* Journal, yield* JournalStore, yield* Pictures]
    const hub = new LiveHub({
      journal,
      store,
      nowMs: () => performance.now(),
      epochMs: () => clock.currentTimeMillisUnsafe()
    })
    const shedding = yield* Shedding
    shedding.onChange((shed) => {
      if (shed.includes("console")) hub.end("shed")
    })
    ;(yield* Figures).show("root/http/live", () => hub.figures())
    const takesPosts = settings.roles.has("http")
    const intake = yield* HttpIntake
    const nowMs = () => clock.currentTimeMillisUnsafe()
    const isProxy = proxiesOf(settings)
    const counts = makeSourceCounts(nowMs())
    const api = takesPosts
      ? [
          ...(yield* telegramRoutes),
          ...consoleRoutes(access),
          ...sourceRoutes({
            settings,
            isProxy,
            counts,
            nowMs,
            waiting: intake.waiting,
            formFault: refuseForm
          }),
          ...apiRoutes({ commands, market: yield* Market, reads, settings, states }),
          ...actorRoutes(source, { journal, store }),
          ...(yield* monitoringRoutes(source)),
          ...(yield* Effect.all([alertLogRoutes, decisionReplayRoutes, settingsRoutes])).flat(),
          ...liveRoutes({ hub, journal, store, access, corsOrigins: settings.corsOrigins, shedding }),
          ...limitRoutes(settings, yield* RiskFigures),
          ...incidentRoutes({ journal, store, pictures, source, incidents: yield* IncidentStore }),
          ...chartRoutes(yield* Charts, source)
        ]
      : []
    const open = healthRoutes(source, yield* Exposition, settings.mode)
    const match = makeMatcher([...open, ...hidingSecrets(api, settings, token)])
    return HttpFront.of(
      makeFront({
        settings,
        intake,
        metrics,
        refused: yield* RefusedPosts,
        access,
        commands,
        hub,
        match,
        isProxy,
        counts,
        nowMs,
        takesPosts
      })
    )
  })
)
