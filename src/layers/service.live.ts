/**
 * Live wiring: which adapter is behind each port when the service runs for real.
 *
 * The one file that knows all adapters, so that everything else can be tested with others. Building any of this does
 * no I/O: sockets, files and queries open in the start of a component, under its deadline.
 *
 * Promises: two layers, because health is read from the tree, which is between them: what the components use, and
 * what the listener serves.
 * Never: holds logic.
 * Failure: an unusable DATABASE_URL is refused by `databaseTarget` before any layer is built.
 */
import { Effect, Layer, Result } from "effect"
import type { Mask } from "../domain/kernel/redaction.ts"
import type { Settings } from "../domain/kernel/settings.ts"
import { settingsMask } from "./platform/config-mask.ts"
import { AccountLeases } from "./accounts/accounts-lease.port.ts"
import { layerWorker } from "./platform/worker.node.ts"
import { RestingAccounts } from "./execution/resting-accounts.port.ts"
import { accountChangesPg } from "./control/account-changes.pg.ts"
import { accountsStorePg } from "./accounts/accounts-store.pg.ts"
import { alertsStorePg } from "./alerts/alerts-store.pg.ts"
import { outboxPg } from "./alerts/outbox.pg.ts"
import { auditStorePg } from "./control/audit-store.pg.ts"
import { alertsQueueMasked } from "./alerts/alerts.queue.ts"
import { Breakers } from "./orders/breakers.port.ts"
import { breakerStorePg } from "./orders/breaker-store.pg.ts"
import { layerConfiguredBrokers } from "./venues/broker.configured.ts"
import { Build, type BuildIdentity } from "./platform/build.port.ts"
import { settingsVersionsPg } from "./control/settings-versions.pg.ts"
import type { LiveSettings } from "./platform/config.live.ts"
import { Config, SettingsInForce } from "./platform/config.port.ts"
import { ControlToken, type ControlTokenService } from "./platform/control-token.port.ts"
import { layerDataDir } from "./platform/data-dir.file.ts"
import { Entropy, type EntropyService } from "./platform/entropy.port.ts"
import { layerSchemaPg } from "./database/database-schema.pg.ts"
import { type DatabaseTarget, type DatabaseUrlInvalid, targetFromUrl } from "./database/database-target.ts"
import { Statements } from "./database/database-statements.ts"
import { databaseInTurns } from "./database/database-turns.ts"
import { layerPg } from "./database/database.pg.ts"
import { FeedBufferPg } from "./feeds/feed-buffer.pg.ts"
import { Feeds } from "./feeds/feeds.port.ts"
import { fillsStorePg } from "./orders/fills-store.pg.ts"
import { Host, type HostService } from "./platform/host.port.ts"
import { HttpAccess } from "./api/http.access.ts"
import { HttpIntake } from "./api/http.intake.ts"
import { HttpListenerNode } from "./api/http.node.ts"
import { keptPostsMasked } from "./intake/kept-posts.ring.ts"
import { alertLogsPg } from "./intake/alert-log.pg.ts"
import { RefusedPosts } from "./intake/refused-posts.port.ts"
import { replayPg } from "./intake/replay.pg.ts"
import { refusedStorePg } from "./intake/refused-store.pg.ts"
import { HttpFrontRoutes } from "./api/http.routes.ts"
import { layerInstallationPg } from "./database/installation.pg.ts"
import { Instance, makeInstance } from "./platform/instance.port.ts"
import { spoolClosed } from "./intake/spool.closed.ts"
import { spoolSegments } from "./intake/spool.segments.ts"
import { spoolDiskNode } from "./intake/spool-disk.node.ts"
import { IntakeQueueBatch } from "./intake/intake-queue.batch.ts"
import { IntakeStorePg } from "./signals/intake-store.pg.ts"
import { Lifecycle } from "./platform/lifecycle.port.ts"
import { layerPracticeMarket } from "./market/market.practice.ts"
import { Figures } from "./platform/figures.port.ts"
import { Metrics } from "./platform/metrics.port.ts"
import { ExpositionPrometheus } from "./health/metrics.prometheus.ts"
import { nodeStorePg } from "./accounts/node-store.pg.ts"
import { orderCommandsPg } from "./orders/order-commands.pg.ts"
import { ordersStorePg } from "./orders/orders-store.pg.ts"
import { osNotifyLayer } from "./platform/os-notify.systemd.ts"
import { layerEmbeddedVenues, venueSchemasOf } from "./venues/paper-venue.embedded.ts"
import { positionsStorePg } from "./orders/positions-store.pg.ts"
import { embeddedTarget, layerEmbedded } from "./database/postgres-server.embedded.ts"
import { layerExternal } from "./database/postgres-server.external.ts"
import { layerProcessMarks } from "./platform/process-mark.proc.ts"
import { Protection } from "./orders/protection.port.ts"
import {
  journalledCommands,
  journalledFills,
  journalledOrders,
  OrderJournal
} from "./orders/order-journal.ts"
import { decisionHistoryPg } from "./decision/decision-history.pg.ts"
import { DecisionReplays } from "./decision/decision-replays.port.ts"
import { journalledDecisions } from "./decision/decision-journal.ts"
import { incidentStorePg } from "./health/incident-store.pg.ts"
import { journalStorePg } from "./health/journal-store.pg.ts"
import { picturesPg } from "./health/pictures.pg.ts"
import { journalRing } from "./platform/journal.ring.ts"
import { RiskFigures } from "./orders/risk-figures.port.ts"
import { CanaryFigures } from "./health/canary.port.ts"
import { canaryPathPg } from "./operators/canary.pg.ts"
import { LinkageFigures } from "./health/linkage.port.ts"
import { ReadStorePg } from "./health/read-store.pg.ts"
import { riskStorePg } from "./orders/risk-store.pg.ts"
import { stageStorePg } from "./orders/stage-store.pg.ts"
import { tradingStateStorePg } from "./control/trading-state-store.pg.ts"
import { deadLettersPg } from "./signals/dead-letters.pg.ts"
import { drillsStorePg } from "./operators/drills-store.pg.ts"
import { practiceFaults } from "./operators/faults.practice.ts"
import { expectedStorePg } from "./operators/expected-store.pg.ts"
import { resourceStorePg } from "./operators/resource-store.pg.ts"
import { layerResources } from "./platform/resources.node.ts"
import { Shedding } from "./platform/shedding.port.ts"
import { retentionStorePg } from "./operators/retention-store.pg.ts"
import { sinksConfigured } from "./operators/sinks.configured.ts"
import { signalFeedWs } from "./feeds/signal-feed.ws.ts"
import { layerEmbeddedSignalServers } from "./feeds/signal-server.embedded.ts"
import { Panel } from "./decision/panel.port.ts"
import { voterExchangeHttp } from "./decision/voter-exchange.http.ts"
import { Voters } from "./decision/voters.port.ts"
import { SignalQueue } from "./decision/signal-queue.port.ts"
import { signalsStorePg } from "./decision/signals-store.pg.ts"
import { telegramApiFetch } from "./operators/telegram-api.fetch.ts"
import { telegramInboxPg, telegramStorePg } from "./operators/telegram-store.pg.ts"
import { TradingState } from "./control/trading-state.port.ts"
import { Wake } from "./platform/wake.port.ts"
import { wavesStorePg } from "./feeds/waves-store.pg.ts"

/** Where the database of these settings is; the embedded one is known before it runs. */
export const databaseTarget = (settings: Settings): Result.Result<DatabaseTarget, DatabaseUrlInvalid> =>
  settings.databaseUrl === null
    ? Result.succeed(embeddedTarget(settings.dataDir))
    : targetFromUrl(settings.databaseUrl)

/** The pool, whose statements are noted. */
const poolLayer = (settings: Settings, target: DatabaseTarget) =>
  Layer.unwrap(
    Effect.map(Statements, (statements) => layerPg({ target, poolSize: settings.databasePool, statements }))
  ).pipe(Layer.provideMerge(Statements.layer))

const databaseLayer = (settings: Settings, target: DatabaseTarget) =>
  Layer.mergeAll(
    poolLayer(settings, target),
    layerSchemaPg({ target }),
    settings.databaseUrl === null ? layerEmbedded({ dataDir: settings.dataDir }) : layerExternal(target),
    layerDataDir(settings.dataDir)
  )

/** A connection of its own: a lease whose renewal queues behind the work done under it is lost when there is most to do. */
const nodeStore = (target: DatabaseTarget) =>
  nodeStorePg.pipe(Layer.provide(layerPg({ target, poolSize: 1, applicationName: "holdfast-lease" })))

/**
 * What people ask for has half of the pool: with the other half trading goes on, whoever polls. The journal and its pictures are
 * written in the same turns, because what is written is what people read; a batch that waits stays in the ring.
 */
const readStores = ({ databasePool }: Settings) =>
  Layer.mergeAll(ReadStorePg, decisionHistoryPg, incidentStorePg, journalStorePg, picturesPg).pipe(
    Layer.provide(databaseInTurns(Math.max(1, Math.floor(databasePool / 2))))
  )

const stores = (mask: Mask, settings: Settings) =>
  Layer.mergeAll(
    accountChangesPg,
    accountsStorePg,
    alertsStorePg,
    auditStorePg,
    breakerStorePg,
    deadLettersPg,
    drillsStorePg,
    expectedStorePg,
    FeedBufferPg,
    journalledFills(fillsStorePg),
    IntakeStorePg,
    journalledCommands(orderCommandsPg),
    journalledOrders(ordersStorePg),
    outboxPg,
    positionsStorePg,
    readStores(settings),
    riskStorePg,
    stageStorePg,
    settingsVersionsPg,
    sinksConfigured,
    refusedStorePg,
    resourceStorePg,
    retentionStorePg,
    telegramApiFetch,
    telegramInboxPg,
    telegramStorePg,
    tradingStateStorePg,
    journalledDecisions(signalsStorePg),
    wavesStorePg
  ).pipe(Layer.provide(OrderJournal.masked(mask)))

/** What this process last saw, for whoever shows it. */
const views = (live: LiveSettings) =>
  Layer.mergeAll(
    Metrics.layer,
    Figures.layer,
    TradingState.layer,
    SignalQueue.layer,
    LinkageFigures.layer,
    CanaryFigures.layer,
    Shedding.flaggedLayer.pipe(Layer.provide(Layer.succeed(SettingsInForce, live)))
  )

/** Only who takes posts has a spool. */
const spoolOf = ({ roles }: Settings) =>
  roles.has("http") ? spoolSegments.pipe(Layer.provide(spoolDiskNode)) : spoolClosed

/** What the feeds offer, and what a drill breaks of practice mode's own. */
const feeds = Layer.mergeAll(Feeds.layer, practiceFaults)

/** Where decisions ask, and where they are made again. */
const decisions = Layer.mergeAll(DecisionReplays.layer, Panel.layer, Voters.layer, voterExchangeHttp)

/** What the components use. */
export const componentLayer = (
  live: LiveSettings,
  target: DatabaseTarget,
  build: BuildIdentity,
  {
    entropy,
    host,
    token
  }: { readonly entropy: EntropyService; readonly host: HostService; readonly token: ControlTokenService },
  environment: Readonly<Record<string, string | undefined>>
) => {
  const settings = live.view
  const mask = settingsMask(settings)
  const hidden: Mask = (text) => mask(token.mask(text))
  const ground = Layer.mergeAll(
    Layer.succeed(Config, settings),
    Layer.succeed(SettingsInForce, live),
    Layer.succeed(Build, build),
    Layer.succeed(Entropy, entropy),
    Layer.succeed(Host, host),
    Layer.succeed(ControlToken, token),
    Layer.sync(Instance, makeInstance),
    journalRing.pipe(Layer.provide(Layer.succeed(Entropy, entropy))),
    layerProcessMarks,
    osNotifyLayer(environment, process.pid),
    Lifecycle.layer,
    views(live),
    layerResources.pipe(Layer.provide(Layer.succeed(Config, settings))),
    AccountLeases.layer,
    RestingAccounts.layer,
    layerWorker,
    Protection.layer,
    RiskFigures.layer,
    Wake.layer
  )
  return canaryPathPg.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        IntakeQueueBatch,
        alertLogsPg,
        decisions,
        replayPg,
        layerConfiguredBrokers,
        feeds,
        RefusedPosts.layer
      )
    ),
    Layer.provideMerge(spoolOf(settings)),
    Layer.provideMerge(
      Layer.mergeAll(
        stores(hidden, settings),
        layerInstallationPg(settings, venueSchemasOf(settings)),
        nodeStore(target),
        layerEmbeddedVenues,
        layerPracticeMarket,
        signalFeedWs(),
        layerEmbeddedSignalServers
      )
    ),
    Layer.provideMerge(
      Layer.mergeAll(
        alertsQueueMasked(hidden),
        Breakers.layer,
        keptPostsMasked(hidden),
        databaseLayer(settings, target)
      )
    ),
    Layer.provideMerge(ground)
  )
}

/** What the listener serves; needs health, which is read from the tree. */
export const listenerLayer = HttpListenerNode.pipe(
  Layer.provideMerge(HttpFrontRoutes),
  Layer.provideMerge(Layer.mergeAll(HttpAccess.layer, HttpIntake.layer, ExpositionPrometheus))
)
