/**
 * One life of a spool over a disk and a database that outlive it: what a process does with both, without the process.
 *
 * Promises: a life that was crashed is interrupted where it stands, and nothing of it runs any more; what it acknowledged is
 * recorded, in the order in which it was appended.
 * Never: decides what a test expects.
 */
import { assert } from "vitest"
import { Deferred, Effect, Fiber, Layer, Metric } from "effect"
import { drainSpool } from "../../src/actors/intake/spool-drain.ts"
import type { RefusedPost } from "../../src/domain/intake/refused-post.ts"
import { type Alert, Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../src/layers/database/database-availability.ts"
import type { PostResult } from "../../src/layers/intake/intake-queue.port.ts"
import { RefusedStore } from "../../src/layers/intake/refused-store.port.ts"
import { SpoolDisk } from "../../src/layers/intake/spool-disk.port.ts"
import { Spool, type SpoolService } from "../../src/layers/intake/spool.port.ts"
import { spoolSegments } from "../../src/layers/intake/spool.segments.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { ControlToken } from "../../src/layers/platform/control-token.port.ts"
import { Metrics } from "../../src/layers/platform/metrics.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { type IntakeRow, IntakeStore } from "../../src/layers/signals/intake-store.port.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import { makeMemoryIntakeStore, type MemoryIntakeStore } from "./intake-store.memory.ts"
import { makeMemoryDisk, type MemoryDisk } from "./spool-disk.memory.ts"

/** The row of the n-th post; `body` is its content under the identity `name`. */
export const spoolRow = (n: number, change: Partial<IntakeRow> = {}): IntakeRow => ({
  id: `id-${n}`,
  kind: "signal",
  source: "default",
  identity: `event:${n}`,
  identityKind: "explicit",
  neighbourIdentities: [],
  bodyHash: `hash-${n}`,
  body: JSON.stringify({ id: String(n), symbol: "SPY" }),
  symbol: "SPY",
  action: null,
  direction: "LONG",
  timeframe: "5m",
  firedAtMs: null,
  expiresFromMs: null,
  quantity: null,
  price: null,
  strategy: null,
  strike: null,
  expiration: null,
  intent: null,
  positionSize: null,
  marketPosition: null,
  prevMarketPosition: null,
  marketPositionSize: null,
  orderType: null,
  limitPrice: null,
  stopPrice: null,
  timeInForce: null,
  mapped: null,
  requestId: `request-${n}`,
  experimentId: "default",
  variant: "A",
  answer: {
    status: "ACCEPTED",
    signal_id: `id-${n}`,
    experiment_id: "default",
    variant: "A",
    request_id: `request-${n}`
  },
  status: "received",
  reason: null,
  ...change
})

export interface SpoolGround {
  readonly disk: MemoryDisk
  readonly database: MemoryIntakeStore
  /** By their ids. */
  readonly refused: Map<string, RefusedPost>
  /** How each batch of them was to be stored. */
  readonly refusedHow: Array<"durable" | undefined>
  readonly alerts: Array<Alert>
}

export const makeGround = (): SpoolGround => ({
  disk: makeMemoryDisk(),
  database: makeMemoryIntakeStore(),
  refused: new Map(),
  refusedHow: [],
  alerts: []
})

/** What a life may do. `drain` is what the component does while the database is there. */
export interface SpoolLife {
  readonly spool: SpoolService
  /** Appends a post: its result, once there is one; false when it was not taken. */
  readonly post: (row: IntakeRow) => Effect.Effect<PostResult | false>
  readonly drain: Effect.Effect<number, unknown>
  /** Ends the writer, as a pause of the component does, and begins it again. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

type DrainNeeds = Effect.Services<typeof drainSpool>

const bounds = { postsMax: 1_000, bytesMax: 1_048_576 }

/** Runs a life until it ends or crashes. True: it ended. */
export const live = (
  { alerts, database, disk, refused, refusedHow }: SpoolGround,
  act: (life: SpoolLife) => Effect.Effect<unknown, unknown>,
  settings: Partial<Settings> = {}
): Effect.Effect<boolean, unknown> => {
  const availability = makeAvailability()
  availability.mark("unavailable")
  const ports = Layer.mergeAll(
    Layer.succeed(SpoolDisk, disk),
    Layer.succeed(IntakeStore, {
      available: () => true,
      // Two places to die in: before the commit, and after it.
      store: (rows) => disk.step(true, disk.step(false, database.store(rows)))
    }),
    Layer.succeed(RefusedStore, {
      open: Effect.succeed(0),
      store: (posts, how) =>
        disk.step(
          false,
          Effect.sync(() => {
            refusedHow.push(how)
            for (const post of posts) if (!refused.has(post.id)) refused.set(post.id, post)
          })
        )
    }),
    Layer.succeed(Alerts, {
      raise: (alert) => Effect.sync(() => void alerts.push(alert)),
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      resolve: () => Effect.void,
      resolveAllBut: () => Effect.void,
      putBack: () => undefined,
      counts: () => ({ raised: 0, pending: 0, dropped: 0 })
    }),
    Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
    Layer.succeed(Config, {
      spool: bounds,
      sources: {},
      secrets: { hmac: null, webhook: null, admin: null },
      telegram: { token: null },
      alerts: { sinks: {}, heartbeat: null },
      voters: {},
      databaseUrl: null,
      feeds: {},
      brokers: {},
      ...settings
    } as unknown as Settings),
    Layer.mock(ControlToken, { current: () => null, file: null, mask: (text) => text }),
    Metrics.layer,
    Wake.layer,
    Layer.sync(Metric.MetricRegistry, () => new Map())
  )
  const program = Effect.gen(function* () {
    const spool = yield* Spool
    yield* spool.open
    const begin = Effect.forkChild(spool.writer, { startImmediately: true })
    const owner = { writer: yield* begin }
    const pause = Effect.suspend(() => Fiber.interrupt(owner.writer))
    const resume = Effect.map(begin, (writer) => {
      owner.writer = writer
    })
    const post = (row: IntakeRow): Effect.Effect<PostResult | false> =>
      Effect.callback<PostResult | false>((resume) => {
        if (!spool.append(row, (result) => resume(Effect.succeed(result)))) resume(Effect.succeed(false))
      })
    const context = yield* Effect.context<DrainNeeds>()
    yield* act({ spool, post, drain: Effect.provideContext(drainSpool, context), pause, resume })
    yield* pause
    return true
  }).pipe(Effect.provide(spoolSegments.pipe(Layer.provideMerge(ports))))
  return Effect.raceFirst(program, Effect.as(Deferred.await(disk.crashed()), false))
}
