/**
 * The pipeline in a tree of its own, over a store whose rows are an array and whose faults are switches.
 *
 * Promises: time is virtual; every call of the store is recorded in order.
 * Never: touches a database; what the store does on PostgreSQL is tested with the store.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { pipelineActor } from "../../src/actors/decision/pipeline.actor.ts"
import type { Decision } from "../../src/domain/decision/decision.ts"
import type { PlanContext } from "../../src/domain/orders/plan-context.ts"
import { type Alert, Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Database, DatabaseFault, DatabaseUnavailable } from "../../src/layers/database/database.port.ts"
import { makeAvailability } from "../../src/layers/database/database-availability.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { makeMemoryMarket } from "./market.memory.ts"
import { Panel } from "../../src/layers/decision/panel.port.ts"
import { Voters } from "../../src/layers/decision/voters.port.ts"
import { Shedding } from "../../src/layers/platform/shedding.port.ts"
import { SignalQueue } from "../../src/layers/decision/signal-queue.port.ts"
import {
  type ClaimedSignal,
  type SignalOutcome,
  SignalsStore,
  type SignalsStoreService
} from "../../src/layers/decision/signals-store.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { settingsFrom } from "./practice-settings.ts"

export const nowMs = 1_800_000_000_000
const away = new DatabaseUnavailable({
  operation: "test",
  reason: "connection",
  outcome: "not_applied",
  cause: "away"
})
const refused = new DatabaseFault({
  operation: "test",
  cause: "refused",
  sqlState: "23514",
  uniqueViolation: undefined
})

/** A claimed signal as a store hands it out. */
export const claimedSignal = (id: string, given: { readonly attempts?: number } = {}): ClaimedSignal => ({
  id,
  source: "default",
  attempts: given.attempts ?? 1,
  receivedAtMs: nowMs,
  kind: "signal",
  signal: {
    id,
    source: "default",
    symbol: "SPY",
    action: null,
    direction: "LONG",
    intent: null,
    positionSize: null,
    marketPosition: null,
    prevMarketPosition: null,
    marketPositionSize: null,
    orderType: null,
    limitPrice: null,
    stopPrice: null,
    timeInForce: null,
    quantity: null,
    price: null,
    strategy: null,
    strike: null,
    expiration: null,
    experimentId: null,
    variant: null,
    expiresFromMs: nowMs
  }
})

/** A store whose rows are an array and whose troubles are switches. */
const makeStore = () => {
  const state = {
    rows: [] as Array<ClaimedSignal>,
    decided: [] as Array<{ readonly id: string; readonly decision: Decision }>,
    calls: [] as Array<string>,
    available: true,
    reconciled: true,
    /** The database's clock at a decision. */
    databaseMs: nowMs + 1_000,
    /** What each release came after. */
    released: [] as Array<"crash" | "outage">,
    releaseFor: Effect.void,
    decideFor: Effect.void as Effect.Effect<void, DatabaseUnavailable>,
    /** What a call comes to while the database is away. */
    fails: Effect.fail(away),
    claimFor: Effect.void,
    expireFor: Effect.void,
    refuses: new Set<string>(),
    failed: [] as Array<string>,
    /** Signals that are too old. */
    expired: { count: 0 }
  }
  const guarded = <A, E>(name: string, effect: Effect.Effect<A, E>) =>
    Effect.suspend((): Effect.Effect<A, E | DatabaseUnavailable> => {
      state.calls.push(name)
      return state.available ? effect : Effect.fail(away)
    })
  const context = (): PlanContext => ({
    nowMs: state.databaseMs,
    trading: new Map(),
    orderIds: new Set(),
    rates: [],
    breakers: new Map(),
    stages: new Map(),
    accounts: new Map([
      [
        "paper-1",
        {
          id: "paper-1",
          venue: "practice",
          enabled: true,
          reconciledAtMs: state.reconciled ? nowMs : null,
          calendar: "24x7",
          startingCash: "100000",
          realisedPnl: "0",
          balance: null,
          positions: [],
          orders: []
        }
      ]
    ])
  })
  const service: SignalsStoreService = {
    releaseOwn: (after) =>
      guarded(
        "release",
        Effect.map(state.releaseFor, () => state.released.push(after))
      ),
    claim: (limit) =>
      guarded(
        "claim",
        Effect.map(state.claimFor, () => ({
          token: "t",
          signals: state.rows.splice(0, limit),
          more: state.rows.length > 0
        }))
      ),
    decide: (_token, signals, _accounts, plan) =>
      guarded(
        `decide ${signals.map(({ id }) => id).join()}`,
        Effect.gen(function* () {
          yield* state.decideFor
          if (signals.some(({ id }) => state.refuses.has(id))) return yield* refused
          return signals.map((claimed): SignalOutcome => {
            if (claimed.kind !== "signal") return { _tag: "Failed", id: claimed.id, error: "", attempts: 1 }
            const planned = plan(claimed.signal, context())
            if (planned._tag === "Deferred") {
              state.rows.push(claimed)
              return { _tag: "Deferred", id: claimed.id, codes: planned.codes }
            }
            state.decided.push({ id: claimed.id, decision: planned.decision })
            return { _tag: "Decided", id: claimed.id, decision: planned.decision }
          })
        })
      ),
    recordMetadata: () => Effect.die("not in this test"),
    fail: (_token, claimed) =>
      Effect.sync((): SignalOutcome => {
        state.failed.push(claimed.id)
        return { _tag: "Buried", id: claimed.id, reason: "refused" }
      }),
    expire: (limit) =>
      guarded(
        "expire",
        Effect.map(state.expireFor, () => {
          const { expired } = state
          const count = Math.min(expired.count, limit)
          expired.count -= count
          return count === 0 ? [] : [{ source: "default", count, oldestMs: 400_000, oldestId: "oldest" }]
        })
      ),
    backlog: guarded(
      "backlog",
      Effect.succeed({ open: 7, oldestMs: 12.4, expired: 0, dead: 1, waiting: true })
    )
  }
  return { state, service }
}

/** A tree with the pipeline alone, on the virtual clock. */
export const startPipeline = Effect.gen(function* () {
  yield* TestClock.setTime(nowMs)
  const { service, state } = makeStore()
  const availability = makeAvailability()
  const alerts: Array<Alert> = []
  const bells: Array<string> = []
  const wake = yield* Wake.pipe(Effect.provide(Wake.layer))
  const market = yield* makeMemoryMarket
  const services = Layer.mergeAll(
    Layer.succeed(SignalsStore, service),
    Layer.succeed(SignalQueue, {
      current: () => ({ open: 7, oldestMs: 12.4, expired: 0, dead: 1, waiting: true }),
      assign: () => undefined
    }),
    Voters.layer,
    Panel.layer.pipe(Layer.provideMerge(Layer.succeed(Market, market.service))),
    Shedding.layer,
    RiskFigures.layer,
    Layer.succeed(Config, settingsFrom()),
    Layer.succeed(Wake, {
      ...wake,
      notify: (topic) => {
        bells.push(topic)
        wake.notify(topic)
      }
    }),
    Layer.mock(Alerts, {
      draft: Effect.die("nothing is committed with its alert"),
      takePending: () => [],
      resolve: () => Effect.void,
      resolveAllBut: () => Effect.void,
      putBack: () => undefined,
      counts: () => ({ raised: alerts.length, pending: 0, dropped: 0 }),
      raise: (alert) =>
        Effect.sync(() => {
          alerts.push(alert)
        })
    }),
    Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") })
  )
  const tree = yield* startTree(
    supervisor({
      id: "root",
      children: [worker({ id: "pipeline", start: pipelineActor(), stopBudgetMs: 5_000 })]
    }),
    { stopDeadlineMs: 10_000 }
  ).pipe(Effect.provide(services))
  const pipeline = () => tree.snapshot().children[0] ?? assert.fail("the pipeline is in the tree")
  return { state, availability, alerts, bells, wake, market, tree, pipeline }
})
