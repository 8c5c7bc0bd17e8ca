/**
 * One process of a simulation: the tree of trading as it ships, on the timeline, against the shared database and venue.
 *
 * Promises: everything that decides, sizes, permits, sends, records and protects is the code of `src`; a killed one leaves what is
 * committed and nothing else; what differs between two lives of a node is what differs in production, its boot.
 * Never: has HTTP or a spool: a post is handed to the intake's store.
 */
import { Clock, Effect, Layer, Logger, Random as EffectRandom, Result, Scope } from "effect"
import { pipelineActor } from "../../src/actors/decision/pipeline.actor.ts"
import { accountActors } from "../../src/actors/execution/account.actor.ts"
import { brokerActor } from "../../src/actors/execution/broker.actor.ts"
import { exitsActor } from "../../src/actors/execution/exits.actor.ts"
import { nodeActor } from "../../src/actors/execution/node.actor.ts"
import { reconcilerActor } from "../../src/actors/execution/reconciler.actor.ts"
import { marketActor } from "../../src/actors/market/market.actor.ts"
import type { JsonObject } from "../../src/domain/kernel/canonical-json.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import { identityOf } from "../../src/domain/signals/identity.ts"
import { AccountLeases } from "../../src/layers/accounts/accounts-lease.port.ts"
import { accountsStorePg } from "../../src/layers/accounts/accounts-store.pg.ts"
import { nodeStorePg } from "../../src/layers/accounts/node-store.pg.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Database, type DatabaseService } from "../../src/layers/database/database.port.ts"
import { Panel } from "../../src/layers/decision/panel.port.ts"
import { Voters } from "../../src/layers/decision/voters.port.ts"
import { SignalQueue } from "../../src/layers/decision/signal-queue.port.ts"
import { signalsStorePg } from "../../src/layers/decision/signals-store.pg.ts"
import { RestingAccounts } from "../../src/layers/execution/resting-accounts.port.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { fillsStorePg } from "../../src/layers/orders/fills-store.pg.ts"
import { ordersStorePg } from "../../src/layers/orders/orders-store.pg.ts"
import { positionsStorePg } from "../../src/layers/orders/positions-store.pg.ts"
import { Protection } from "../../src/layers/orders/protection.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { riskStorePg } from "../../src/layers/orders/risk-store.pg.ts"
import { stageStorePg } from "../../src/layers/orders/stage-store.pg.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Entropy } from "../../src/layers/platform/entropy.port.ts"
import { Instance, makeInstance } from "../../src/layers/platform/instance.port.ts"
import { ProcessMarks, type ProcessMarksService } from "../../src/layers/platform/process-mark.port.ts"
import { Shedding } from "../../src/layers/platform/shedding.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { intakeRow } from "../../src/layers/signals/intake-row.ts"
import { IntakeStorePg } from "../../src/layers/signals/intake-store.pg.ts"
import { type IntakeOutcome, IntakeStore } from "../../src/layers/signals/intake-store.port.ts"
import { Brokers } from "../../src/layers/venues/broker.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import type { Tree } from "../../src/runtime/tree.ts"
import { decodeIntakeBody } from "../../src/wire/intake-body.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { layerBreakers } from "../support/breakers.ts"
import { seededEntropy } from "../support/entropy.ts"
import { makeMemoryMarket, type MemoryMarket } from "../support/market.memory.ts"
import type { SimulatedVenue } from "./venue.ts"
import { VENUE } from "./venue.ts"
import type { Life, Timeline } from "./timeline.ts"

/** What a sender is told. */
export type PostAnswer =
  | { readonly _tag: "Taken"; readonly signalId: string; readonly outcome: IntakeOutcome["_tag"] }
  | { readonly _tag: "Failed" }

export interface Process {
  readonly life: Life
  readonly node: string
  /** Its view of whether the database answers. */
  readonly database: DatabaseService
  readonly setPrice: (symbol: string, price: string) => void
  readonly post: (source: string, body: JsonObject, done: (answer: PostAnswer) => void) => void
  /** Kinds of the alerts since the last time. */
  readonly alerts: () => ReadonlyArray<string>
  /** What has crashed or was parked, by path. */
  readonly troubles: () => ReadonlyArray<string>
}

export interface ProcessOptions {
  readonly timeline: Timeline
  readonly venue: SimulatedVenue
  readonly settings: Settings
  readonly database: DatabaseService
  readonly life: Life
  readonly node: string
  readonly seed: number
}

/** A sender waits this long; what is answered later reaches nobody. */
const POST_MS_MAX = 3_000

/** Nothing is proven about a process of the simulation by its host: a lease ends when it ends. */
const marks: ProcessMarksService = { self: { host: null, pid: 1, startedAt: "1" }, seen: () => null }

const servicesOf = (
  { database, life, node, seed, settings, venue }: ProcessOptions,
  market: MemoryMarket
) => {
  const instance = makeInstance()
  instance.assign({ nodeId: node, bootId: life.name })
  const connection = venue.connection(life)
  return Layer.mergeAll(
    accountsStorePg,
    nodeStorePg,
    ordersStorePg,
    fillsStorePg,
    positionsStorePg,
    riskStorePg,
    stageStorePg,
    signalsStorePg,
    IntakeStorePg
  ).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        alertsQueue,
        layerBreakers,
        AccountLeases.layer,
        Protection.layer,
        RestingAccounts.layer,
        RiskFigures.layer,
        Panel.layer,
        Voters.layer,
        Shedding.layer,
        SignalQueue.layer
      )
    ),
    Layer.provideMerge(
      Layer.mergeAll(
        Wake.layer,
        Layer.succeed(Database, database),
        Layer.succeed(Config, settings),
        Layer.succeed(Market, market.service),
        Layer.succeed(Brokers, { get: () => connection, release: Effect.void }),
        Layer.succeed(Entropy, seededEntropy(seed)),
        Layer.succeed(Instance, instance),
        Layer.succeed(ProcessMarks, marks),
        Logger.layer([])
      )
    )
  )
}

const treeOf = ({ seed, settings }: ProcessOptions) => {
  const executor = accountActors()
  return startTree(
    supervisor({
      id: "root",
      children: [
        worker({ id: "node", start: nodeActor() }),
        worker({ id: "market", start: marketActor }),
        worker({ id: "broker", start: brokerActor(VENUE) }),
        ...Object.keys(settings.accounts).map((account) =>
          worker({ id: account, start: executor(account), stopBudgetMs: 6_000 })
        ),
        worker({ id: "reconciler", start: reconcilerActor() }),
        worker({ id: "exits", start: exitsActor() }),
        worker({ id: "pipeline", start: pipelineActor() })
      ]
    }),
    { stopDeadlineMs: 10_000, seed }
  )
}

/** One post through the rows of the intake, as its queue hands them to the store. */
const store = (timeline: Timeline, settings: Settings, source: string, body: JsonObject) =>
  Effect.gen(function* () {
    const parsed = decodeIntakeBody(body)
    if (!parsed.ok) return yield* Effect.die(new Error(JSON.stringify(parsed.errors)))
    const nowMs = timeline.nowMs
    const identity = Result.getOrThrow(identityOf(source, {}, body, true, nowMs))
    const post = {
      source,
      parsed: parsed.value,
      identity,
      requestId: `${String(body["id"])}-${nowMs}`,
      nowMs
    }
    const row = Result.getOrThrow(intakeRow(settings, post))
    const [outcome] = yield* IntakeStore.use((intake) => intake.store([row]))
    if (outcome === undefined) return yield* Effect.die(new Error("no outcome"))
    if (outcome._tag === "Stored") yield* Wake.use((wake) => Effect.sync(() => wake.notify("signals")))
    const signalId =
      outcome._tag === "Duplicate"
        ? outcome.answer.signal_id
        : outcome._tag === "Conflict"
          ? outcome.signalId
          : row.id
    return { _tag: "Taken", signalId, outcome: outcome._tag } satisfies PostAnswer
  }).pipe(
    Effect.timeoutOption(POST_MS_MAX),
    Effect.map((taken): PostAnswer => (taken._tag === "Some" ? taken.value : { _tag: "Failed" })),
    Effect.catch(() => Effect.succeed<PostAnswer>({ _tag: "Failed" }))
  )

/** Starts a life. It goes on by itself with the timeline, until that kills it. */
export const startProcess = (options: ProcessOptions): Process => {
  const { database, life, node, seed, settings, timeline } = options
  const under = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    effect.pipe(EffectRandom.withSeed(seed), Effect.provideService(Clock.Clock, life.clock))
  const fork = <A, E>(effect: Effect.Effect<A, E>): void => {
    Effect.runFork(under(effect), { scheduler: timeline.scheduler })
  }
  // Layers do no I/O, so they are there at once.
  const scope = Scope.makeUnsafe()
  const market = Effect.runSync(under(makeMemoryMarket))
  const context = Effect.runSync(under(Layer.buildWithScope(servicesOf(options, market), scope)))
  database.availability.mark("available")
  let tree: Tree | null = null
  const failures: Array<string> = []
  fork(
    Effect.gen(function* () {
      tree = yield* treeOf(options)
      return yield* Effect.never
    }).pipe(
      Effect.scoped,
      Effect.provide(context),
      Effect.tapCause((cause) => Effect.sync(() => void failures.push(`the tree ended: ${String(cause)}`)))
    )
  )
  return {
    life,
    node,
    database,
    setPrice: (symbol, price) => fork(market.setPrice(symbol, price)),
    post: (source, body, done) =>
      fork(
        Effect.flatMap(Effect.provide(store(timeline, settings, source, body), context), (answer) =>
          Effect.sync(() => done(answer))
        )
      ),
    alerts: () =>
      Effect.runSync(
        Effect.provide(
          Alerts.use((queue) =>
            Effect.sync(() =>
              queue.takePending().flatMap((entry) => (entry._tag === "Outbreak" ? [entry.kind] : []))
            )
          ),
          context
        )
      ),
    troubles: () => [
      ...failures,
      ...(tree?.snapshot().children ?? []).flatMap(({ path, restarts }) =>
        restarts > 0 ? [`${path} was restarted ${restarts} times`] : []
      )
    ]
  }
}
