/**
 * A seeded day in one process: alerts through the intake's rows, the pipeline's decisions, the executor's steps and the looks of the
 * exits, on a real PostgreSQL and the book of the paper venue, with one set time for all of them.
 *
 * The effects of the components are called one after the other instead of running as components: what a day comes to must follow
 * from its alerts and prices, and never from who was scheduled first.
 *
 * Promises: everything is the code that ships, but for the time and the missing HTTP; every row that the day leaves is told.
 * Never: asserts anything but that nothing went wrong on the way.
 */
import { assert } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Redacted, Result } from "effect"
import { defaultPace, makeDesk } from "../../src/actors/execution/account-desk.ts"
import { reconcileAccount } from "../../src/actors/execution/account-reconcile.ts"
import { executeNext } from "../../src/actors/execution/account-step.ts"
import { replayDecisions } from "../../src/actors/decision/decision-replay.ts"
import { decideBatch } from "../../src/actors/decision/pipeline-batch.ts"
import { look, makeWatch } from "../../src/actors/execution/exits-look.ts"
import { catchUpFills } from "../../src/actors/execution/fill-record.ts"
import { planSettingsOf } from "../../src/actors/execution/plan-input.ts"
import { lookAtRisk, makeRiskWatch } from "../../src/actors/execution/risk-look.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import { practiceQuote } from "../../src/domain/market/practice-price.ts"
import { identityOf } from "../../src/domain/signals/identity.ts"
import { AccountLeases, makeLeaseGuard } from "../../src/layers/accounts/accounts-lease.port.ts"
import { accountsStorePg } from "../../src/layers/accounts/accounts-store.pg.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { nodeStorePg } from "../../src/layers/accounts/node-store.pg.ts"
import { NodeStore } from "../../src/layers/accounts/node-store.port.ts"
import { Database, type DatabaseService } from "../../src/layers/database/database.port.ts"
import { decisionHistoryPg } from "../../src/layers/decision/decision-history.pg.ts"
import { Panel } from "../../src/layers/decision/panel.port.ts"
import { Voters } from "../../src/layers/decision/voters.port.ts"
import { signalsStorePg } from "../../src/layers/decision/signals-store.pg.ts"
import { SignalsStore } from "../../src/layers/decision/signals-store.port.ts"
import { ReadStorePg } from "../../src/layers/health/read-store.pg.ts"
import { type Item, type ListName, ReadStore } from "../../src/layers/health/read-store.port.ts"
import { Market, type MarketService, type Quote } from "../../src/layers/market/market.port.ts"
import { fillsStorePg } from "../../src/layers/orders/fills-store.pg.ts"
import { ordersStorePg } from "../../src/layers/orders/orders-store.pg.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { positionsStorePg } from "../../src/layers/orders/positions-store.pg.ts"
import { Protection } from "../../src/layers/orders/protection.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { riskStorePg } from "../../src/layers/orders/risk-store.pg.ts"
import { stageStorePg } from "../../src/layers/orders/stage-store.pg.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Entropy } from "../../src/layers/platform/entropy.port.ts"
import { Instance } from "../../src/layers/platform/instance.port.ts"
import { Shedding } from "../../src/layers/platform/shedding.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { intakeRow } from "../../src/layers/signals/intake-row.ts"
import { IntakeStorePg } from "../../src/layers/signals/intake-store.pg.ts"
import { IntakeStore } from "../../src/layers/signals/intake-store.port.ts"
import type { BrokerConnection } from "../../src/layers/venues/broker.port.ts"
import { decodeIntakeBody } from "../../src/wire/intake-body.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { layerBreakers } from "../support/breakers.ts"
import { seededEntropy } from "../support/entropy.ts"
import { heldInstance } from "../support/instance.ts"
import { emptyDatabase, openFreshDatabase } from "../support/postgres.ts"
import { settingsFrom } from "../support/practice-settings.ts"
import { DAY_END, DAY_START, type DayAlert, dayAlerts } from "./seeded-day-alerts.ts"
import { openDayVenue } from "./seeded-day-venue.ts"

export const STARTING_CASH = "1000000"
export const ACCOUNTS = ["paper-1", "paper-2"] as const

/** The settings of the day; `more` lays other keys over them, such as a changed limit. */
export const daySettings = (seed: number, more: Record<string, unknown> = {}): Settings => {
  const account = { broker: "practice", startingCash: STARTING_CASH }
  return settingsFrom({
    market: { seed },
    sources: { fan: {} },
    accounts: { "paper-1": account, "paper-2": account },
    strategies: {
      default: { sources: ["default"], accounts: ["paper-1"], stopLossPct: "1", profitTargetPct: "1.5" },
      fan: { sources: ["fan"], accounts: [...ACCOUNTS], sidePolicy: "long_only", stopLossPct: "2" }
    },
    risk: { quantityMax: "10" },
    ...more
  })
}

/** Tables in the order of what happens. */
const TABLES = [
  "signals",
  "decisions",
  "enriched_signals",
  "orders",
  "order_events",
  "trade_records",
  "trade_strategy_link",
  "positions",
  "position_shares",
  "closes",
  "accounts",
  "equity"
] as const

const rowsOf = (database: DatabaseService, table: string) =>
  Effect.map(
    database.run("day.rows", (sql) =>
      sql.unsafe<{ readonly row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${table} t ORDER BY 1`)
    ),
    (rows) => rows.map(({ row }) => row)
  )

/** One clock for a process and its database: it stands still until it is set. Waits are real ones. */
const makeDayClock = (database: DatabaseService) =>
  Effect.map(Clock.Clock, (live) => {
    let nowMs = DAY_START
    const nanos = (): bigint => BigInt(nowMs) * 1_000_000n
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => nowMs,
      currentTimeMillis: Effect.sync(() => nowMs),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => live.sleep(duration)
    }
    return {
      clock,
      now: () => nowMs,
      set: (ms: number) => {
        nowMs = ms
        return database.run(
          "day.now",
          (sql) => sql`SELECT set_config('holdfast.now', ${new Date(ms).toISOString()}, false)`
        )
      }
    }
  })

/** The practice market at the time of the day, without a feed. */
const marketAt = (seed: number, now: () => number): MarketService => {
  const quote = (symbol: string): Quote => {
    const { ask, bid, last } = practiceQuote(seed, symbol, now())
    return { symbol, bid, ask, last, at: new Date(now()) }
  }
  return {
    quote,
    subscribe: () => true,
    lookUp: (symbol) => Effect.sync(() => quote(symbol)),
    bars: () => Effect.die(new Error("no strategy of the day asks for bars")),
    chain: () => Effect.die(new Error("no strategy of the day chooses by delta")),
    positioning: () => Effect.die(new Error("nobody looks at a price of the day")),
    ticks: Effect.die(new Error("the day has no feed")) as never,
    status: () => ({ live: true, symbols: 0, lastTickAt: new Date(now()) }),
    feed: () => Effect.die(new Error("the day has no feed"))
  }
}

const servicesOf = (settings: Settings, database: DatabaseService, market: MarketService, seed: number) =>
  Layer.mergeAll(
    accountsStorePg,
    nodeStorePg,
    ordersStorePg,
    fillsStorePg,
    positionsStorePg,
    riskStorePg,
    stageStorePg,
    signalsStorePg,
    IntakeStorePg,
    ReadStorePg,
    decisionHistoryPg
  ).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        alertsQueue,
        layerBreakers,
        AccountLeases.layer,
        Protection.layer,
        RiskFigures.layer,
        Panel.layer,
        Voters.layer,
        Shedding.layer
      )
    ),
    Layer.provideMerge(
      Layer.mergeAll(
        Wake.layer,
        Layer.succeed(Database, database),
        Layer.succeed(Config, settings),
        Layer.succeed(Market, market),
        Layer.succeed(Entropy, seededEntropy(seed)),
        Layer.succeed(Instance, heldInstance("node-a", "boot")),
        Logger.layer([])
      )
    )
  )

type DayServices = Layer.Success<ReturnType<typeof servicesOf>>

/** Takes the accounts, as the node and their executors do at a start. */
const openDesks = (venue: BrokerConnection) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const leases = yield* AccountLeases
    const life = (yield* Instance).current()?.life ?? assert.fail("it has an identity")
    // Longer than the day: nobody renews it.
    const leaseMs = 2 * (DAY_END - DAY_START)
    const mark = { host: null, pid: 1, startedAt: "1" }
    yield* (yield* NodeStore).open({ nodeId: "node-a", life, mark }, leaseMs, null)
    yield* accounts.ensure(
      ACCOUNTS.map((id) => ({ id, venue: "practice", startingCash: STARTING_CASH, enabled: true }))
    )
    const desks = []
    for (const account of ACCOUNTS) {
      const taken = yield* accounts.take(account, life)
      if (taken._tag !== "Taken") return assert.fail(`${account}: ${taken._tag}`)
      const guard = makeLeaseGuard(taken.grant, {
        remainingMs: () => Number.POSITIVE_INFINITY,
        extend: () => undefined,
        giveUp: () => undefined
      })
      leases.hold(guard)
      const self = {
        path: `root/trading/accounts/${account}`,
        fork: <A, E, R>(_name: string, effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect)
      }
      const desk = makeDesk(self, account, venue, defaultPace)
      desk.setGuard(guard)
      yield* reconcileAccount(desk)
      desks.push(desk)
    }
    return desks
  })

type Desks = Effect.Success<ReturnType<typeof openDesks>>

/** Everything that waits is sent, and every fill of it recorded. */
const trade = (desks: Desks) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const busy = yield* orders.busy(ACCOUNTS)
    for (const desk of desks) {
      if (!busy.some(({ account, waiting }) => account === desk.account && waiting)) continue
      for (;;) {
        const step = yield* executeNext(desk)
        if (step._tag === "Nothing") break
        if (step._tag !== "Worked") return assert.fail(`${desk.account}: ${JSON.stringify(step)}`)
        yield* catchUpFills(desk.path, desk.broker, desk.account)
      }
    }
  })

/** One alert through the intake's rows and the pipeline. */
const take = ({ body, source }: DayAlert) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const store = yield* SignalsStore
    const nowMs = yield* Clock.currentTimeMillis
    const parsed = decodeIntakeBody(body)
    if (!parsed.ok) return assert.fail(JSON.stringify(parsed.errors))
    const identity = Result.getOrThrow(identityOf(source, {}, body, true, nowMs))
    const post = { source, parsed: parsed.value, identity, requestId: String(body["id"]), nowMs }
    const row = Result.getOrThrow(intakeRow(settings, post))
    const [outcome] = yield* (yield* IntakeStore).store([row])
    assert.strictEqual(outcome?._tag, "Stored")
    const claim = yield* store.claim(10)
    const report = yield* decideBatch("root/trading/pipeline", { sinceMs: null }, claim)
    assert.deepInclude(report, { decided: 1, deferred: 0, failed: 0, buried: 0 }, JSON.stringify(body))
  })

/** Every row of a list of the API. */
const listOf = (name: ListName) =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const items: Array<Item> = []
    let cursor: string | null = null
    do {
      const page: { readonly items: ReadonlyArray<Item>; readonly nextCursor: string | null } =
        yield* reads.list(name, { limit: 200, cursor, filters: {} })
      items.push(...page.items)
      cursor = page.nextCursor
    } while (cursor !== null)
    return items
  })

/** The planner's ways to read rows in another order than they are usually read in. */
const OTHER_PLANS = ["seqscan", "hashjoin", "hashagg", "bitmapscan"].map(
  (way) => `set_config('enable_${way}', 'off', false)`
)

/**
 * What a day has left: its rows, and what the service tells of them. With `otherPlans` the database finds the same rows in another
 * order, as it may on any day after its statistics changed.
 */
export const playDay = (seed: number, count: number, otherPlans = false) =>
  Effect.gen(function* () {
    const { database } = yield* openFreshDatabase({ poolSize: 1 })
    if (otherPlans) yield* database.run("day.plans", (sql) => sql.unsafe(`SELECT ${OTHER_PLANS.join(", ")}`))
    database.availability.mark("available")
    const day = yield* makeDayClock(database)
    const settings = daySettings(seed)
    const venueUrl = Redacted.make((yield* emptyDatabase).url)
    const cash = Object.fromEntries(ACCOUNTS.map((id) => [id, STARTING_CASH]))
    const venue = yield* openDayVenue(venueUrl, seed, cash)
    const context = yield* Layer.build(servicesOf(settings, database, marketAt(seed, day.now), seed))
    const within = <A, E>(effect: Effect.Effect<A, E, DayServices>): Effect.Effect<A, E> =>
      effect.pipe(Effect.provide(context), Effect.provideService(Clock.Clock, day.clock))

    yield* day.set(DAY_START)
    const desks = yield* within(openDesks(venue))
    const exits = makeWatch("root/trading/exits")
    for (const alert of dayAlerts(seed, count)) {
      yield* day.set(alert.atMs)
      const { exits: due } = yield* within(look(exits))
      if (due > 0) yield* within(trade(desks))
      yield* within(Effect.andThen(take(alert), trade(desks)))
    }
    yield* day.set(DAY_END)
    for (const desk of desks) yield* within(reconcileAccount(desk))
    yield* within(lookAtRisk(makeRiskWatch("root/trading/risk"), DAY_END))

    const rows: Record<string, ReadonlyArray<string>> = {}
    for (const table of TABLES) rows[table] = yield* rowsOf(database, table)
    return {
      rows,
      settings,
      /** What the API lists, oldest first where there is an order. */
      fills: (yield* within(listOf("fills"))).toReversed(),
      orders: (yield* within(listOf("orders"))).toReversed(),
      positions: yield* within(listOf("positions")),
      accounts: yield* within(listOf("accounts")),
      decisions: yield* storedDecisions(database),
      /** The last price of a symbol at the end of the day. */
      priceOf: (symbol: string): string => practiceQuote(seed, symbol, DAY_END).last,
      /** The decisions of the day made again under these settings. */
      replay: (under: Settings) =>
        within(
          replayDecisions({ fromMs: DAY_START - 1, toMs: DAY_END + 1, source: null }, planSettingsOf(under), {
            rests: false,
            mayRead: Effect.void,
            onPage: () => Effect.void
          })
        )
    }
  })

export type Day = Effect.Success<ReturnType<typeof playDay>>

export interface StoredCheck {
  readonly check: string
  readonly ok: boolean
  readonly account: string | null
  readonly strategy: string | null
  readonly leg: number | null
  readonly numbers: Readonly<Record<string, unknown>>
}

/** A decision as its row has it, oldest first. */
export interface StoredRow {
  readonly signal_id: string
  readonly outcome: string
  readonly reason: string | null
  readonly checks: ReadonlyArray<StoredCheck>
  readonly facts: {
    readonly quotes: Readonly<
      Record<string, readonly [string | null, string | null, string | null, number] | null>
    >
  }
}

const storedDecisions = (database: DatabaseService) =>
  database.run(
    "day.decisions",
    (sql) => sql<StoredRow>`SELECT d.signal_id, d.outcome, d.reason, d.checks, d.facts
      FROM decisions d JOIN signals s ON s.id = d.signal_id ORDER BY s.seq`
  )
