/**
 * Wave schedulers on a virtual clock: a ledger, a table of signals and a feed in memory, and processes that can be
 * killed while the rest stays.
 *
 * Promises: the ledger keeps the rules of the store on PostgreSQL that its own test pins (lease, epoch, freshness, reasons,
 * closing); what is handed over twice is counted twice, so that a test can see it.
 * Never: reads the real clock.
 */
import { feedBell } from "../../src/layers/platform/bells.ts"
import { Clock, Effect, Exit, Layer, Scope } from "effect"
import { RunningTree } from "../../src/actors/platform/running-tree.ts"
import { wavesActor } from "../../src/actors/feeds/waves.actor.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import { nextDueAtMs, searchedAt, wavesBetween } from "../../src/domain/kernel/wave-clock.ts"
import { type Alert, Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Database, DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../src/layers/database/database-availability.ts"
import { FeedBuffer } from "../../src/layers/feeds/feed-buffer.port.ts"
import { Feeds, type FeedState, FeedUnavailable } from "../../src/layers/feeds/feeds.port.ts"
import { Figures } from "../../src/layers/platform/figures.port.ts"
import { Instance } from "../../src/layers/platform/instance.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import {
  type ClosedWave,
  type WaveLease,
  WavesStore,
  type WavesStoreService
} from "../../src/layers/feeds/waves-store.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { settingsFrom } from "./practice-settings.ts"
import { heldInstance } from "./instance.ts"

export const feedName = "north"

interface FakeSignal {
  readonly id: string
  readonly waveMs: number
  status: "buffered" | "received" | "done" | "rejected"
  /** When the pipeline is through with it, of the virtual clock. */
  doneAtMs: number
  handedOver: number
}

export interface FakeWave {
  readonly waveMs: number
  readonly dueAtMs: number
  status: "expected" | "processing" | "done" | "missed"
  reason: string | null
  owner: string | null
  epoch: number
  leaseUntilMs: number
  signals: number
  late: boolean
}

/** What outlives a process: the database's tables, the feed's server, and what was reported. */
export const makeWaveWorld = () => ({
  waves: new Map<number, FakeWave>(),
  signals: new Map<string, FakeSignal>(),
  feed: {
    state: "Live" as FeedState,
    /** What the server answers to get_signals: called at each, may store. */
    answer: Effect.void,
    asked: 0,
    starts: 0,
    reconnects: 0
  },
  databaseUp: true,
  /** How far the wall clock of the machine is from the clock its timers run on; a suspension, or an NTP step. */
  wallAheadMs: 0,
  pipelineMs: 200,
  alerts: [] as Array<Alert>,
  /** Alerts that were resolved, by key. */
  resolved: [] as Array<string>,
  /** Checks that were under way at once, at most. */
  checksMax: 0
})
export type WaveWorld = ReturnType<typeof makeWaveWorld>

const away = new DatabaseUnavailable({
  operation: "test",
  reason: "connection",
  outcome: "not_applied",
  cause: "away"
})

const tallyOf = (world: WaveWorld, waveMs: number, nowMs: number) => {
  const mine = [...world.signals.values()].filter((signal) => signal.waveMs === waveMs)
  for (const signal of mine)
    if (signal.status === "received" && nowMs >= signal.doneAtMs) signal.status = "done"
  const count = (...statuses: ReadonlyArray<string>) =>
    mine.filter(({ status }) => statuses.includes(status)).length
  return {
    found: mine.length,
    pending: count("buffered", "received"),
    successful: count("done"),
    failed: 0,
    skipped: count("rejected")
  }
}

const reasonOf = (wave: FakeWave, request: Parameters<WavesStoreService["account"]>[0]): string => {
  if (wave.reason !== null) return wave.reason
  if (wave.epoch > 0 && wave.owner !== request.owner) return "process_down"
  if (request.outage && wave.dueAtMs >= request.upSinceMs - request.freshMs / 2) return "database_down"
  return wave.epoch > 0 || wave.dueAtMs < request.upSinceMs ? "process_down" : "late"
}

const noStats = {
  inFlight: 0,
  waiting: 0,
  abandoned: 0,
  openConnections: 0,
  callsTotal: 0,
  unavailableTotal: 0,
  faultsTotal: 0,
  deadlinesTotal: 0,
  retriesTotal: 0,
  silentSocketsTotal: 0
}

/** Signals of waves that are due and fresh, from `buffered` to `received`. */
const handOver = (world: WaveWorld, wallMs: number, nowMs: number, freshMs: number): number => {
  let many = 0
  for (const signal of world.signals.values()) {
    const wave = world.waves.get(signal.waveMs)
    if (wave === undefined || signal.status !== "buffered") continue
    if (wave.dueAtMs > wallMs || wave.dueAtMs < wallMs - freshMs) continue
    Object.assign(signal, { status: "received", doneAtMs: nowMs + world.pipelineMs })
    signal.handedOver += 1
    many += 1
  }
  return many
}

/** The ledger in memory, with the rules of the store on PostgreSQL. */
export const memoryLedger = (world: WaveWorld, alive: () => boolean): WavesStoreService => {
  const guarded = <A>(f: (nowMs: number) => A) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      world.databaseUp && alive() ? Effect.sync(() => f(nowMs)) : Effect.fail(away)
    )
  const held = (lease: WaveLease): FakeWave | null => {
    const wave = world.waves.get(lease.waveMs)
    return wave?.status === "processing" && wave.owner === lease.owner && wave.epoch === lease.epoch
      ? wave
      : null
  }
  return {
    account: (request) =>
      guarded((nowMs) => {
        const { freshMs, owner, schedule } = request
        let reopened = 0
        for (const wave of world.waves.values()) {
          if (wave.status !== "missed" || wave.dueAtMs <= request.nowMs) continue
          Object.assign(wave, { status: "expected", reason: null })
          reopened += 1
        }
        const last = Math.max(
          ...[...world.waves.values()].map(({ dueAtMs }) => dueAtMs).filter((due) => due <= request.nowMs)
        )
        const from = Number.isFinite(last) ? last : request.nowMs
        let laid = 0
        for (const line of wavesBetween(schedule, from, nextDueAtMs(schedule, request.nowMs), 2_880)) {
          if (world.waves.has(line.waveMs)) continue
          world.waves.set(line.waveMs, {
            ...line,
            status: "expected",
            reason: null,
            owner: null,
            epoch: 0,
            leaseUntilMs: 0,
            signals: 0,
            late: false
          })
          laid += 1
        }
        const handedOver = handOver(world, request.nowMs, nowMs, freshMs)
        const searched = searchedAt(schedule, freshMs, request.nowMs)
        const before = searched?.waveMs ?? nextDueAtMs(schedule, request.nowMs) - schedule.lagMs
        const closed: Array<ClosedWave> = []
        let rejectedSignals = 0
        for (const signal of world.signals.values()) {
          if (signal.status !== "buffered" || signal.waveMs >= request.nowMs - freshMs - schedule.lagMs)
            continue
          signal.status = "rejected"
          rejectedSignals += 1
        }
        const isHeld = (wave: FakeWave): boolean =>
          wave.status === "processing" && wave.owner !== owner && wave.leaseUntilMs >= nowMs
        for (const wave of world.waves.values()) {
          if (wave.waveMs >= before || wave.status === "done" || wave.status === "missed" || isHeld(wave))
            continue
          const tally = tallyOf(world, wave.waveMs, nowMs)
          const status = tally.found > tally.skipped ? "done" : "missed"
          if (status === "missed" && wave.dueAtMs >= request.nowMs - freshMs) continue
          const reason = status === "done" ? "accounted_late" : reasonOf(wave, request)
          Object.assign(wave, { status, reason, signals: tally.found, late: status === "done" })
          const lostMs = status === "missed" ? schedule.periodMs : 0
          closed.push({ ...tally, waveMs: wave.waveMs, dueAtMs: wave.dueAtMs, status, reason, lostMs })
        }
        for (const wave of world.waves.values()) {
          if (wave.status === "done") wave.signals = tallyOf(world, wave.waveMs, nowMs).found
        }
        return { handedOver, laid, closed, reopened, rejectedSignals }
      }),
    handOver: (_feed, wallMs, freshMs) => guarded((nowMs) => handOver(world, wallMs, nowMs, freshMs)),
    take: ({ feed, owner, waveMs }, { feedLive, late, leaseMs }) =>
      guarded((nowMs) => {
        const wave = world.waves.get(waveMs)
        if (wave === undefined) return { _tag: "Unknown" } as const
        const expired = wave.leaseUntilMs < nowMs || wave.owner === owner
        if (
          (wave.status === "expected" && (wave.reason === null || feedLive)) ||
          (wave.status === "processing" && expired)
        ) {
          const formerOwner = wave.status === "processing" ? wave.owner : null
          Object.assign(wave, {
            status: "processing",
            owner,
            epoch: wave.epoch + 1,
            leaseUntilMs: nowMs + leaseMs,
            late
          })
          const running = [...world.waves.values()].filter(({ status }) => status === "processing").length
          world.checksMax = Math.max(world.checksMax, running)
          return { _tag: "Taken", lease: { feed, waveMs, owner, epoch: wave.epoch }, formerOwner } as const
        }
        if (wave.status === "processing")
          return { _tag: "Held", remainingMs: wave.leaseUntilMs - nowMs } as const
        return { _tag: wave.status === "expected" ? "WaitsForFeed" : "Ended" } as const
      }),
    look: (lease, leaseMs) =>
      guarded((nowMs) => {
        const wave = held(lease)
        if (wave === null) return null
        wave.leaseUntilMs = nowMs + leaseMs
        return tallyOf(world, lease.waveMs, nowMs)
      }),
    settle: (lease) =>
      guarded((nowMs) => {
        const wave = held(lease)
        if (wave === null) return null
        const tally = tallyOf(world, lease.waveMs, nowMs)
        Object.assign(wave, {
          status: "done",
          reason: tally.found === 0 ? "empty" : null,
          signals: tally.found
        })
        return tally
      }),
    giveBack: (lease, reason) =>
      guarded(() => {
        const wave = held(lease)
        if (wave === null) return false
        Object.assign(wave, { status: "expected", reason, leaseUntilMs: 0 })
        return true
      })
  }
}

/** The buffer over the same table; nothing is stored through it. */
export const memoryBuffer = (world: WaveWorld, alive: () => boolean) =>
  Layer.mock(FeedBuffer, {
    dispatch: (_feed, waveMs) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        world.databaseUp && alive()
          ? Effect.sync(() => {
              const mine = [...world.signals.values()].filter(
                (signal) => signal.waveMs === waveMs && signal.status === "buffered"
              )
              for (const signal of mine) {
                Object.assign(signal, { status: "received", doneAtMs: nowMs + world.pipelineMs })
                signal.handedOver += 1
              }
              return mine.map(({ id }) => id)
            })
          : Effect.fail(away)
      )
  })

/** One process: a tree with the scheduler alone, over the world's tables. */
export const startScheduler = (
  world: WaveWorld,
  options: { readonly nodeId?: string; readonly settings?: Settings } = {}
) =>
  Effect.gen(function* () {
    const life = { alive: true }
    const nodeId = options.nodeId ?? "node-a"
    const availability = makeAvailability()
    const wake = yield* Wake.pipe(Effect.provide(Wake.layer))
    const scope = yield* Scope.make()
    const steady = yield* Clock.Clock
    const wallMs = () => steady.currentTimeMillisUnsafe() + world.wallAheadMs
    const clock: Clock.Clock = Object.assign(Object.create(steady), {
      currentTimeMillisUnsafe: wallMs,
      currentTimeMillis: Effect.sync(wallMs)
    })
    const running = yield* RunningTree.pipe(Effect.provide(RunningTree.layer))
    const feeds = Feeds.of({
      get: (name) => ({
        name,
        state: () => world.feed.state,
        connectedSince: () => null,
        requestSignals: (deadlineMs) =>
          Effect.suspend(() => {
            world.feed.asked += 1
            return world.feed.state === "Live"
              ? Effect.tap(world.feed.answer, () => Effect.sync(() => wake.notify(feedBell(name))))
              : Effect.fail(new FeedUnavailable({ feed: name, reason: world.feed.state }))
          }).pipe(
            Effect.timeoutOrElse({
              duration: deadlineMs,
              orElse: () => Effect.fail(new FeedUnavailable({ feed: name, reason: "silent" }))
            })
          ),
        reconnect: () => void (world.feed.reconnects += 1),
        storedFor: () => Effect.die("nobody asks")
      }),
      publish: () => () => undefined
    })
    const services = Layer.mergeAll(
      Layer.succeed(
        WavesStore,
        memoryLedger(world, () => life.alive)
      ),
      memoryBuffer(world, () => life.alive),
      Layer.succeed(Feeds, feeds),
      Layer.succeed(Wake, wake),
      Layer.succeed(Config, options.settings ?? incidentSettings),
      Layer.succeed(Instance, heldInstance(nodeId, "boot")),
      Layer.mock(Alerts, {
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        resolve: (keys) => Effect.sync(() => void world.resolved.push(...[keys].flat())),
        resolveAllBut: () => Effect.void,
        putBack: () => undefined,
        counts: () => ({ raised: world.alerts.length, pending: 0, dropped: 0 }),
        raise: (alert) =>
          Effect.sync(() => {
            world.alerts.push(alert)
          })
      }),
      Layer.mock(Database, { availability, stats: () => ({ ...noStats }) }),
      Layer.succeed(RunningTree, running),
      Figures.layer
    )
    const tree = yield* startTree(
      supervisor({
        id: "root",
        children: [
          // The feed's component stands in for itself: what is tested is that it is started again.
          worker({
            id: `feed:${feedName}`,
            start: () =>
              Effect.sync(() => {
                world.feed.starts += 1
                return {}
              })
          }),
          worker({ id: `waves:${feedName}`, start: wavesActor(feedName), stopBudgetMs: 5_000 })
        ]
      }),
      { stopDeadlineMs: 10_000 }
    ).pipe(
      Effect.provide(services),
      Effect.provideService(Clock.Clock, clock),
      Effect.provideService(Scope.Scope, scope)
    )
    running.attach(tree)
    availability.mark(world.databaseUp ? "available" : "unavailable")
    return {
      tree,
      wake,
      scheduler: () => tree.snapshot().children[1],
      /** The database goes or comes back. */
      database: (up: boolean) => {
        world.databaseUp = up
        availability.mark(up ? "available" : "unavailable")
      },
      /** Ends as asked. */
      stop: Scope.close(scope, Exit.void),
      /** SIGKILL: from here on it writes nothing. */
      kill: Effect.suspend(() => {
        life.alive = false
        return Scope.close(scope, Exit.void)
      })
    }
  })

/** The schedule of the incident: every 15 minutes at :05, 20 minutes back, worth trading for five minutes. */
export const incidentSettings = settingsFrom({
  waves: { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 }
})

/** Stores signals of a wave, as the feed does when they arrive. */
export const storeSignals = (world: WaveWorld, wave: string, many: number, prefix = "s"): void => {
  const waveMs = Date.parse(wave)
  for (let n = 0; n < many; n += 1) {
    const id = `${wave}/${prefix}${n}`
    if (world.signals.has(id)) continue
    world.signals.set(id, { id, waveMs, status: "buffered", doneAtMs: 0, handedOver: 0 })
  }
}

/** The ledger as lines: `22:45 done 291`, with the reason at the end where there is one. */
export const ledgerLines = (world: WaveWorld): ReadonlyArray<string> =>
  [...world.waves.values()]
    .toSorted((a, b) => a.waveMs - b.waveMs)
    .map(({ late, reason, signals, status, waveMs }) =>
      [new Date(waveMs).toISOString().slice(11, 16), status, String(signals), late ? "late" : null, reason]
        .filter((part) => part !== null)
        .join(" ")
    )
