/**
 * A listener with everything behind it, over real loopback sockets and a store in memory, and the verbs to use it.
 *
 * The tests of the HTTP side differ in one or two parts (a store that stalls, a secret, a fact of health); everything
 * else is the real thing, so that what passes here is what a sender sees.
 */
import { type Agent, request } from "node:http"
import { type AddressInfo, connect, Server, type Socket } from "node:net"
import { Clock, Context, Effect, Exit, Layer, Logger, Redacted, References, Result, Scope } from "effect"
import { type HealthFacts } from "../../../src/domain/health/health.ts"
import { resolveSettings } from "../../../src/layers/platform/config.resolve.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Outbox } from "../../../src/layers/alerts/outbox.port.ts"
import { TelegramStore } from "../../../src/layers/operators/telegram-store.port.ts"
import { SettingsEditor } from "../../../src/layers/control/settings-editor.port.ts"
import { Config, ConfigReader } from "../../../src/layers/platform/config.port.ts"
import { HealthSource, makeHealthSource, TreeDeaf } from "../../../src/layers/health/health-source.port.ts"
import { HttpAccess } from "../../../src/layers/api/http.access.ts"
import { HttpIntake } from "../../../src/layers/api/http.intake.ts"
import { HttpListenerNode } from "../../../src/layers/api/http.node.ts"
import type { RefusedPost } from "../../../src/domain/intake/refused-post.ts"
import type { Mask } from "../../../src/domain/kernel/redaction.ts"
import { KeptPosts, type KeptPostsService } from "../../../src/layers/intake/kept-posts.port.ts"
import { keptPostsMasked } from "../../../src/layers/intake/kept-posts.ring.ts"
import { Replay, type ReplayService } from "../../../src/layers/intake/replay.port.ts"
import { TelegramInbox, type TelegramInboxService } from "../../../src/layers/intake/telegram-inbox.port.ts"
import type { RefusedStoreService } from "../../../src/layers/intake/refused-store.port.ts"
import { AlertLogs, type AlertLogsService } from "../../../src/layers/intake/alert-log.port.ts"
import { DecisionReplays } from "../../../src/layers/decision/decision-replays.port.ts"
import { RefusedPosts, type RefusedPostsService } from "../../../src/layers/intake/refused-posts.port.ts"
import { HttpFrontRoutes } from "../../../src/layers/api/http.routes.ts"
import { type BoundListener, HttpListener } from "../../../src/layers/api/http-listener.port.ts"
import { IntakeQueueBatch } from "../../../src/layers/intake/intake-queue.batch.ts"
import { IntakeQueue } from "../../../src/layers/intake/intake-queue.port.ts"
import { Spool } from "../../../src/layers/intake/spool.port.ts"
import { SpoolDisk } from "../../../src/layers/intake/spool-disk.port.ts"
import { spoolClosed } from "../../../src/layers/intake/spool.closed.ts"
import { spoolSegments } from "../../../src/layers/intake/spool.segments.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { type StatementLedger, Statements } from "../../../src/layers/database/database-statements.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { drainSpool } from "../../../src/actors/intake/spool-drain.ts"
import { RefusedStore } from "../../../src/layers/intake/refused-store.port.ts"
import type { MemoryDisk } from "../../support/spool-disk.memory.ts"
import { AuditStore, type AuditStoreService } from "../../../src/layers/control/audit-store.port.ts"
import { DrillControl } from "../../../src/actors/operators/drill-control.ts"
import { SettingsControl } from "../../../src/actors/operators/reloader.ts"
import { commandsLayer } from "../../../src/actors/operators/commands.ts"
import { AccountLeases } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { AccountsStore } from "../../../src/layers/accounts/accounts-store.port.ts"
import { BreakerStore } from "../../../src/layers/orders/breaker-store.port.ts"
import { StageStore } from "../../../src/layers/orders/stage-store.port.ts"
import { layerBreakers } from "../../support/breakers.ts"
import { FillsStore } from "../../../src/layers/orders/fills-store.port.ts"
import { OrdersStore } from "../../../src/layers/orders/orders-store.port.ts"
import { OrderCommands } from "../../../src/layers/orders/order-commands.port.ts"
import { Instance, makeInstance } from "../../../src/layers/platform/instance.port.ts"
import { DeadLetters } from "../../../src/layers/signals/dead-letters.port.ts"
import { type AuditRow, makeMemoryAudit } from "../../support/audit-store.memory.ts"
import { assertDescribed, assertTakenDescribed } from "../../support/openapi.ts"
import { makeMemoryIntakeStore, type MemoryIntakeStore } from "../../support/intake-store.memory.ts"
import { IntakeStore } from "../../../src/layers/signals/intake-store.port.ts"
import { ControlToken } from "../../../src/layers/platform/control-token.port.ts"
import { Lifecycle, type LifecycleService } from "../../../src/layers/platform/lifecycle.port.ts"
import { Exposition, Metrics, type MetricsService } from "../../../src/layers/platform/metrics.port.ts"
import { ReadStore, type ReadStoreService } from "../../../src/layers/health/read-store.port.ts"
import { Market } from "../../../src/layers/market/market.port.ts"
import { TradingState } from "../../../src/layers/control/trading-state.port.ts"
import {
  type TradingStateChange,
  TradingStateStore,
  type TradingStateStoreService
} from "../../../src/layers/control/trading-state-store.port.ts"
import { chartsLayer } from "../../../src/actors/health/charts.ts"
import { JournalStore, type JournalStoreService } from "../../../src/layers/health/journal-store.port.ts"
import { IncidentStore, type IncidentStoreService } from "../../../src/layers/health/incident-store.port.ts"
import { Pictures, type PicturesService } from "../../../src/layers/health/pictures.port.ts"
import { RiskFigures } from "../../../src/layers/orders/risk-figures.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Journal, type JournalService } from "../../../src/layers/platform/journal.port.ts"
import { makeJournal } from "../../../src/layers/platform/journal.ring.ts"
import { makeMemoryJournalStore } from "../../support/journal-store.memory.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { layerWorker } from "../../../src/layers/platform/worker.node.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { layerEntropy } from "../../support/entropy.ts"

/** What a reload that changed the limits answers. */
const readOf = (version: string) => ({
  _tag: "Read" as const,
  version,
  applied: ["risk"],
  restart: [],
  components: { added: [], removed: [], restarted: [], failed: [] }
})

/** The generated token of every world without a configured one, and the header that shows it. */
export const controlToken = "5f".repeat(32)
export const bearer = { authorization: `Bearer ${controlToken}` }

/** The process of a world whose journal was left out. */
const BOOT = "b0000000-0000-4000-8000-000000000000"

export interface WorldOptions {
  readonly environment?: Record<string, string>
  readonly file?: Record<string, unknown>
  readonly facts?: Partial<HealthFacts>
  readonly reads?: Partial<ReadStoreService>
  /** The statements of a database; none when left out. */
  readonly statements?: StatementLedger
  readonly alertLogs?: AlertLogsService
  readonly editor?: SettingsEditor["Service"]
  readonly replay?: ReplayService
  /** The row of the trading state; one that keeps nothing when left out. */
  readonly states?: TradingStateStoreService
  /** Gets every change of the trading state, where `states` is left out. */
  readonly stateChanged?: (change: TradingStateChange) => void
  readonly deaf?: boolean
  readonly control?: HealthSource["Service"]["control"]
  /** The tree; nothing runs when left out. */
  readonly actors?: HealthSource["Service"]["actors"]
  readonly timers?: HealthSource["Service"]["timers"]
  /** The quotes of this process; none when left out. */
  readonly quote?: Market["Service"]["quote"]
  /** The audit of commands; one in memory when left out. */
  readonly audit?: AuditStoreService
  readonly orderCommands?: Partial<OrderCommands["Service"]>
  readonly deadLetters?: Partial<DeadLetters["Service"]>
  readonly fills?: Partial<FillsStore["Service"]>
  readonly accounts?: Partial<AccountsStore["Service"]>
  /** Nobody holds DATA_DIR yet. */
  readonly tokenUnknown?: boolean
  /** Wraps the store, for stores that fail or stall. */
  readonly store?: (memory: MemoryIntakeStore) => IntakeStore["Service"]
  /** Without it posts find nobody who stores them. */
  readonly worker?: boolean
  /** The disk of the spool; there is none when left out. */
  readonly disk?: MemoryDisk
  /** Where refused posts are stored; a list in memory when left out, nowhere when null. */
  readonly refusedStore?: RefusedStoreService | null
  /** Where updates of the bot are stored; nowhere when left out. */
  readonly inbox?: TelegramInboxService
  /** The journal; one that is empty when left out. */
  readonly journal?: JournalService
  readonly journalStore?: JournalStoreService
  /** Pictures of the past; none when left out. */
  readonly pictures?: Partial<PicturesService>
  readonly incidents?: Partial<IncidentStoreService>
  /** What is hidden in refused posts. */
  readonly mask?: Mask
  /** What the machine's clock is ahead of the true one, milliseconds. */
  readonly clockAheadMs?: () => number
}

/** The fields any answer of the service may have; a test reads those of the answer it asked for. */
export interface Body {
  readonly [field: string]: unknown
  readonly status: string
  readonly signal_id: string
  readonly request_id: string
  readonly experiment_id: string
  readonly variant: string
  readonly errors: ReadonlyArray<{ readonly path: string; readonly message: string }>
  readonly items: ReadonlyArray<Record<string, unknown>>
  readonly next_cursor: string | null
  readonly refused_id?: string
}

export interface Reply {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
  readonly body: Body
}

export interface World {
  readonly port: number
  readonly socket: BoundListener
  readonly store: MemoryIntakeStore
  readonly alerts: Array<Alert>
  /** What the audit in memory holds. */
  readonly audited: ReadonlyArray<AuditRow>
  /** Refused posts that were stored. */
  readonly kept: Array<RefusedPost>
  /** Every line that was logged, as its fields. */
  readonly lines: Array<Record<string, unknown>>
  readonly lifecycle: LifecycleService
  readonly queue: IntakeQueue["Service"]
  readonly metrics: MetricsService
  readonly refused: Pick<RefusedPostsService, "unavailable">
  readonly keptPosts: KeptPostsService
  /** Drains the spool, as its component does when the database is back. */
  readonly drain: () => Promise<void>
  /** Says the sums of refused posts, into `lines`. */
  readonly sumUp: (which: "over" | "all") => Promise<void>
  readonly send: (
    method: string,
    path: string,
    options?: {
      body?: string | Buffer
      headers?: Record<string, string>
      localAddress?: string
      agent?: Agent
    }
  ) => Promise<Reply>
  readonly post: (body: unknown, headers?: Record<string, string>, path?: string) => Promise<Reply>
  /** Writes raw bytes and returns everything that came back until the peer closed or `ms` passed. */
  readonly raw: (
    bytes: string | Buffer | ReadonlyArray<string | Buffer>,
    ms?: number,
    end?: boolean
  ) => Promise<string>
  readonly open: () => Promise<Socket>
  readonly dispose: () => Promise<void>
}

const readSettings = (environment: Record<string, string> = {}, file?: unknown) =>
  resolveSettings({
    environment: { PORT: "0", ...environment },
    file,
    cwd: "/srv",
    stdoutIsTerminal: false,
    resolvePath: (from, to) => `${from}/${to}`,
    readSecret: () => Result.fail("there are no files here")
  })

export const settingsFor = (environment: Record<string, string> = {}, file?: Record<string, unknown>) => {
  const result = readSettings(environment, file)
  if (Result.isFailure(result)) throw new Error(JSON.stringify(result.failure))
  return result.success
}

const factsFor = (facts: Partial<HealthFacts> = {}): HealthFacts => ({
  nowMs: Date.now(),
  version: "0.1.0",
  commit: "abc1234",
  mode: "PRACTICE",
  stopping: false,
  startup: { step: "done", n: 1, of: 1, sinceMs: Date.now(), done: true },
  database: "ready",
  spool: "none",
  spooled: 0,
  tradingState: "ACTIVE",
  queue: null,
  takesPosts: true,
  trades: true,
  accounts: [{ id: "paper-1", canTrade: true, reason: null }],
  breakers: [],
  unprotected: [],
  canary: null,
  switchedOff: [],
  calendars: [],
  linkage: null,
  components: [],
  ...facts
})

/** A spool on this disk, of a process that has seen its database. */
const spoolOn = (disk: MemoryDisk) => {
  const availability = makeAvailability()
  availability.mark("available")
  return spoolSegments.pipe(
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(SpoolDisk, disk),
        Layer.mock(Database, {
          availability,
          stats: () => {
            throw new Error("nobody asks")
          }
        })
      )
    )
  )
}

/** The clock of this process, whose wall is ahead; its monotonic side is not. */
const clockAhead = (aheadMs: (() => number) | undefined): Clock.Clock => {
  const live = Effect.runSync(Clock.Clock)
  if (aheadMs === undefined) return live
  const millis = () => live.currentTimeMillisUnsafe() + aheadMs()
  const nanos = () => live.currentTimeNanosUnsafe() + BigInt(aheadMs()) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: live.monotonicTimeNanos,
    sleep: (duration) => live.sleep(duration)
  }
}

/** Starts a world on a free port. */
export const startWorld = async (options: WorldOptions = {}): Promise<World> => {
  const store = makeMemoryIntakeStore()
  const alerts: Array<Alert> = []
  const source = makeHealthSource({
    facts: () => factsFor(options.facts),
    ping: (deadlineMs) =>
      options.deaf === true ? Effect.fail(new TreeDeaf({ path: "root", deadlineMs })) : Effect.void,
    actors: options.actors ?? (() => []),
    timers: options.timers ?? (() => []),
    control: options.control ?? (() => Effect.succeed({ unprotected: [] })),
    handEvents: () => [],
    send: () => Effect.void
  })
  const nothing = Effect.die("not part of this test")
  const reads: ReadStoreService = {
    list: () => nothing,
    trace: () => nothing,
    explain: () => nothing,
    order: () => nothing,
    orders: () => nothing,
    latency: () => nothing,
    experiments: () => nothing,
    strategies: () => nothing,
    server: nothing,
    flags: () => nothing,
    linkage: nothing,
    recentLinkage: () =>
      Effect.succeed({
        ours: 0,
        linked: 0,
        rate: null,
        metadataExpected: 0,
        withMetadata: 0,
        coverage: null
      }),
    acknowledgeAlert: () => nothing,
    ...options.reads
  }
  const settings = settingsFor(options.environment, options.file)
  const configured = settings.secrets.admin === null ? controlToken : Redacted.value(settings.secrets.admin)
  const ports = Layer.mergeAll(
    Layer.succeed(Config, settings),
    Layer.succeed(ControlToken, {
      current: () => (options.tokenUnknown === true ? null : configured),
      file: null,
      open: Effect.succeed(null),
      mask: (text) => text
    }),
    Layer.succeed(IntakeStore, options.store?.(store) ?? store),
    Layer.succeed(Alerts, {
      raise: (alert) => Effect.sync(() => void alerts.push(alert)),
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      resolve: () => Effect.void,
      resolveAllBut: () => Effect.void,
      putBack: () => undefined,
      counts: () => ({ raised: alerts.length, pending: 0, dropped: 0 })
    }),
    Layer.succeed(HealthSource, source),
    Layer.succeed(SettingsControl, {
      reload: () => Effect.succeed(readOf("0".repeat(16))),
      back: () => Effect.succeed(readOf("1".repeat(16))),
      write: () => Effect.succeed(readOf("2".repeat(16))),
      preview: () => Effect.die("no route calls it")
    }),
    Layer.succeed(DrillControl, { begin: () => Effect.succeed(BOOT), next: Effect.never }),
    Layer.succeed(ReadStore, reads),
    Layer.mock(Market, {
      quote: options.quote ?? (() => null),
      subscribe: () => false,
      status: () => ({ live: false, symbols: 0, lastTickAt: null })
    }),
    Layer.succeed(Replay, options.replay ?? { replay: () => nothing }),
    DecisionReplays.layer.pipe(Layer.provide(layerEntropy)),
    Layer.succeed(ConfigReader, {
      read: () => Result.succeed(settings),
      readWith: (changes) => readSettings(options.environment, changes),
      readText: (text) => readSettings(options.environment, JSON.parse(text))
    }),
    Layer.succeed(SettingsEditor, options.editor ?? { shown: Effect.never, preview: () => Effect.never }),
    Layer.succeed(AlertLogs, options.alertLogs ?? { account: () => nothing }),
    Layer.succeed(
      TradingStateStore,
      options.states ?? {
        read: nothing,
        set: (change) =>
          Effect.sync(() => {
            options.stateChanged?.(change)
            return {
              scope: change.scope,
              state: change.state,
              reason: change.reason,
              changed_by: change.changedBy,
              version: 2,
              changed_at: "2026-01-01T00:00:00.000Z"
            }
          })
      }
    ),
    Layer.succeed(Exposition, {
      text: (named) => Effect.succeed(named ? "# acct-7\n" : "# nothing\n")
    }),
    Layer.succeed(Journal, options.journal ?? makeJournal(BOOT, 0)),
    Layer.succeed(JournalStore, options.journalStore ?? makeMemoryJournalStore()),
    Figures.layer,
    Shedding.layer,
    chartsLayer,
    AccountLeases.layer,
    layerWorker,
    Layer.mock(Database, {
      availability: makeAvailability(),
      stats: () => ({
        inFlight: 1,
        waiting: 0,
        abandoned: 0,
        openConnections: 2,
        callsTotal: 3,
        unavailableTotal: 0,
        faultsTotal: 0,
        deadlinesTotal: 0,
        retriesTotal: 0,
        silentSocketsTotal: 0
      })
    }),
    options.statements === undefined ? Statements.layer : Layer.succeed(Statements, options.statements),
    Lifecycle.layer,
    Metrics.layer,
    TradingState.layer,
    RiskFigures.layer,
    layerEntropy,
    layerBreakers.pipe(Layer.provideMerge(Wake.layer))
  )
  const kept: Array<RefusedPost> = []
  const refusedStore = options.refusedStore ?? {
    store: (posts: ReadonlyArray<RefusedPost>) => Effect.sync(() => void kept.push(...posts)),
    open: Effect.sync(() => kept.length)
  }
  const lines: Array<Record<string, unknown>> = []
  const logger = Logger.make<unknown, void>(({ fiber, message }) => {
    lines.push({ ...fiber.getRef(References.CurrentLogAnnotations), msg: String(message) })
  })
  const instance = makeInstance()
  instance.assign({ nodeId: "node", bootId: "boot" })
  const audit = makeMemoryAudit()
  const stores = Layer.mergeAll(
    Layer.succeed(AuditStore, options.audit ?? audit),
    Layer.succeed(TelegramInbox, options.inbox ?? { receive: () => nothing }),
    Layer.succeed(OrderCommands, {
      answer: () => nothing,
      cancel: () => nothing,
      resolve: () => nothing,
      close: () => nothing,
      flatten: () => nothing,
      ...options.orderCommands
    }),
    Layer.succeed(DeadLetters, { replay: () => nothing, replayAll: () => nothing, ...options.deadLetters }),
    // Of both stores a command uses one function.
    Layer.succeed(FillsStore, { adopt: () => nothing, ...options.fills } as unknown as FillsStore["Service"]),
    Layer.succeed(AccountsStore, {
      unlock: () => nothing,
      ...options.accounts
    } as unknown as AccountsStore["Service"]),
    Layer.mock(OrdersStore, { byId: () => Effect.succeed(null) }),
    Layer.mock(BreakerStore, {}),
    Layer.mock(StageStore, {}),
    Layer.mock(Outbox, {}),
    Layer.mock(TelegramStore, {}),
    Layer.mock(Pictures, { before: () => Effect.succeed(null), ...options.pictures }),
    Layer.mock(IncidentStore, { ...options.incidents }),
    Layer.succeed(Instance, instance)
  )
  const services = HttpListenerNode.pipe(
    Layer.provide(HttpFrontRoutes),
    Layer.provide(commandsLayer),
    Layer.provide(stores),
    Layer.provideMerge(RefusedPosts.layer),
    Layer.provide(Layer.mergeAll(HttpAccess.layer, HttpIntake.layer)),
    Layer.provide(Layer.succeed(Instance, instance)),
    Layer.provideMerge(Layer.mergeAll(IntakeQueueBatch, keptPostsMasked(options.mask ?? ((text) => text)))),
    Layer.provideMerge(options.disk === undefined ? spoolClosed : spoolOn(options.disk)),
    Layer.provideMerge(ports),
    Layer.provideMerge(Logger.layer([logger]))
  )
  const scope = Scope.makeUnsafe()
  const program = Effect.gen(function* () {
    const context = yield* Layer.build(services)
    const queue = Context.get(context, IntakeQueue)
    if (options.worker !== false)
      yield* Effect.forkScoped(Effect.provideContext(queue.worker, context), { startImmediately: true })
    const spool = Context.get(context, Spool)
    yield* Effect.ignore(spool.open)
    yield* Effect.forkScoped(spool.writer, { startImmediately: true })
    const [posts, wake] = [Context.get(context, KeptPosts), Context.get(context, Wake)]
    const storing = Effect.gen(function* () {
      yield* wake.wait("refused-posts", 60_000)
      for (let batch = posts.take(); batch.length > 0; batch = posts.take()) {
        yield* refusedStore.store(batch)
        posts.settle(batch, true)
      }
    })
    if (options.refusedStore !== null) yield* Effect.forkScoped(Effect.forever(storing))
    const socket = yield* Effect.provideContext(Context.get(context, HttpListener).bind, context)
    return { context, queue, socket }
  })
  const { context, queue, socket } = await Effect.runPromise(
    Effect.provideService(Scope.provide(program, scope), Clock.Clock, clockAhead(options.clockAheadMs))
  )
  const { port } = socket
  const send: World["send"] = (method, path, more = {}) =>
    new Promise((resolve, reject) => {
      const { agent, body, headers, localAddress } = more
      const sent = request(
        { host: "127.0.0.1", port, method, path, headers, agent: agent ?? false, localAddress },
        (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk: Buffer) => chunks.push(chunk))
          response.on("error", reject)
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString()
            const isJson =
              response.headers["content-type"]?.startsWith("application/json") === true && text !== ""
            const parsed: Body = JSON.parse(isJson ? text : "{}")
            const flat = Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, String(value)])
            )
            const reply = { status: response.statusCode ?? 0, headers: flat, text, body: parsed }
            try {
              assertDescribed(method, path, reply)
              assertTakenDescribed(path, body, reply.status)
              resolve(reply)
            } catch (error) {
              reject(error)
            }
          })
        }
      )
      sent.on("error", reject)
      sent.end(body)
    })
  const open: World["open"] = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true }, () => resolve(socket))
      socket.once("error", reject)
    })
  return {
    port,
    socket,
    store,
    alerts,
    audited: audit.rows,
    lines,
    queue,
    lifecycle: Context.get(context, Lifecycle),
    metrics: Context.get(context, Metrics),
    refused: Context.get(context, RefusedPosts),
    kept,
    keptPosts: Context.get(context, KeptPosts),
    drain: () =>
      Effect.runPromise(
        drainSpool.pipe(
          Effect.asVoid,
          Effect.provideService(RefusedStore, refusedStore),
          Effect.provideContext(context)
        )
      ),
    sumUp: (which) =>
      Effect.runPromise(Effect.provideContext(Context.get(context, RefusedPosts).sumUp(which), context)),
    send,
    post: (body, headers = {}, path = "/webhook") => {
      const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body)
      return send("POST", path, { body: text, headers: { "content-type": "application/json", ...headers } })
    },
    raw: async (bytes, ms = 1_500, end = false) => {
      const client = await open()
      let text = ""
      client.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1")
      })
      client.on("error", () => undefined)
      const closed = new Promise<void>((resolve) => {
        client.once("close", () => resolve())
        client.once("end", () => resolve())
      })
      for (const part of Array.isArray(bytes) ? bytes : [bytes]) client.write(part)
      if (end) client.end()
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, ms))])
      client.destroy()
      return text
    },
    open,
    dispose: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** The listening server of this process on `port`: what no interface gives, and a kernel can take away. */
export const serverOn = (port: number): Server => {
  const inside = process as unknown as { readonly _getActiveHandles: () => ReadonlyArray<unknown> }
  const found = inside
    ._getActiveHandles()
    .find(
      (handle): handle is Server =>
        handle instanceof Server && (handle.address() as AddressInfo).port === port
    )
  if (found === undefined) throw new Error(`nothing listens on ${port}`)
  return found
}

let serial = 0
/** An alert like the README's, different from every other of this process. */
export const alert = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  symbol: "SPY",
  direction: "long",
  timeframe: "5m",
  timestamp: new Date().toISOString(),
  n: (serial += 1),
  ...more
})

/** Waits until `test` is true, at most `ms`. */
export const until = async (what: string, test: () => boolean, ms = 60_000): Promise<void> => {
  const end = performance.now() + ms
  while (!test()) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
