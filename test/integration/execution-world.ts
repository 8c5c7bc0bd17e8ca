/**
 * The world of the execution tests: a migrated database of their own, the stores on it, and short verbs to fill it.
 *
 * Promises: every test file gets a database nobody else writes to.
 * Never: asserts anything.
 */
import { Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import { planSettingsOf } from "../../src/actors/execution/plan-input.ts"
import { permitToSend } from "../../src/domain/orders/permit.ts"
import { positionId } from "../../src/domain/kernel/ids.ts"
import type { Settings } from "../../src/domain/kernel/settings.ts"
import { resolveSettings } from "../../src/layers/platform/config.resolve.ts"
import { accountsStorePg } from "../../src/layers/accounts/accounts-store.pg.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { outbreakOf, type PendingAlert } from "../../src/layers/alerts/alerts.port.ts"
import type { VenueFill } from "../../src/domain/orders/fill.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { fillsStorePg } from "../../src/layers/orders/fills-store.pg.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { nodeStorePg } from "../../src/layers/accounts/node-store.pg.ts"
import { NodeStore } from "../../src/layers/accounts/node-store.port.ts"
import { orderCommandsPg } from "../../src/layers/orders/order-commands.pg.ts"
import type { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { ordersStorePg } from "../../src/layers/orders/orders-store.pg.ts"
import { type Judge, OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { positionsStorePg } from "../../src/layers/orders/positions-store.pg.ts"
import type { RiskStore } from "../../src/layers/orders/risk-store.port.ts"
import { breakerStorePg } from "../../src/layers/orders/breaker-store.pg.ts"
import type { BreakerStore } from "../../src/layers/orders/breaker-store.port.ts"
import { riskStorePg } from "../../src/layers/orders/risk-store.pg.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import { layerFreshDatabase } from "../support/postgres.ts"

/** Practice settings with one strategy that protects its positions: 2 % stop, 3 % target. */
export const testSettings = (file: Record<string, unknown> = {}): Settings => {
  const resolved = resolveSettings({
    environment: {},
    file: {
      strategies: {
        default: { sources: ["default"], accounts: ["paper-1"], stopLossPct: "2", profitTargetPct: "3" },
        plain: { sources: ["default"], accounts: ["paper-1"] }
      },
      ...file
    },
    cwd: "/tmp",
    stdoutIsTerminal: false,
    resolvePath: (_from, to) => to,
    readSecret: () => Result.fail("there are no files here")
  })
  if (Result.isFailure(resolved)) throw new Error(JSON.stringify(resolved.failure))
  return resolved.success
}

/** An alert for a transaction of which the test asks nothing else. */
export const anAlert = (): PendingAlert =>
  outbreakOf(
    { severity: "LOW", kind: "test", dedupKey: `test:${randomUUID()}`, message: "a test" },
    randomUUID(),
    Date.now()
  )

/** The permit of production, with the settings of a test and no market. */
export const permitOf =
  (settings: Settings = testSettings()): Judge =>
  (order, context) =>
    permitToSend({
      order,
      context,
      settings: planSettingsOf(settings),
      quoteOf: () => null,
      figuresOf: () => null
    })

/** SQL written by a test, outside every store. Failures are the test's. */
export const sql = <A>(f: (client: SqlClient) => Effect.Effect<A, unknown>) =>
  Effect.gen(function* () {
    const database = yield* Database
    return yield* Effect.orDie(database.run("test", (client) => Effect.orDie(f(client))))
  })

/** Everything the execution side stores, on a database of its own. */
export const world = (settings: Settings = testSettings()) =>
  Layer.mergeAll(
    accountsStorePg,
    nodeStorePg,
    ordersStorePg,
    orderCommandsPg,
    fillsStorePg,
    positionsStorePg,
    riskStorePg,
    breakerStorePg
  ).pipe(
    Layer.provideMerge(Layer.succeed(Config, settings)),
    Layer.provideMerge(layerFreshDatabase({ poolSize: 8 }))
  )

/** What a test in the world may ask for. */
export type WorldServices =
  | AccountsStore
  | NodeStore
  | OrdersStore
  | OrderCommands
  | FillsStore
  | PositionsStore
  | RiskStore
  | BreakerStore
  | Config
  | Database

export const LEASE_MS = 60_000

/** The name of a life in a test: the same node has the same one, unless a test says otherwise. */
export const lifeOf = (node: string): string => (node.includes("/") ? node : `${node}/boot`)

/** Gives a node's lease to one of its lives. A process of no host proves nothing, and nothing is proven of it. */
export const openNode = (node = "node-a", leaseMs = LEASE_MS) =>
  Effect.gen(function* () {
    const nodes = yield* NodeStore
    const life = lifeOf(node)
    const opened = yield* nodes.open(
      { nodeId: life.split("/")[0] ?? life, life, mark: { host: null, pid: 1, startedAt: "1" } },
      leaseMs,
      null
    )
    if (opened._tag !== "Held") return yield* Effect.die(new Error(`the node ${node} is leased`))
    return life
  })

/** Ensures the account, takes it for `owner`, whose node then has its lease for `leaseMs`, and says that it is reconciled. */
export const own = (account = "paper-1", owner = "node-a", leaseMs = LEASE_MS) =>
  Effect.gen(function* () {
    const accounts = yield* AccountsStore
    const life = yield* openNode(owner)
    yield* accounts.ensure([{ id: account, venue: "practice", startingCash: "100000", enabled: true }])
    const taken = yield* accounts.take(account, life)
    if (taken._tag !== "Taken")
      return yield* Effect.die(new Error(`the lease of ${account} is ${taken._tag}`))
    yield* accounts.markReconciled(taken.grant)
    if (leaseMs !== LEASE_MS) yield* NodeStore.use((nodes) => nodes.renew(life, leaseMs))
    return taken.grant
  })

/** One account row. */
export const readAccount = (account: string) =>
  Effect.map(
    AccountsStore.use((accounts) => accounts.read([account])),
    ([row]) => row ?? null
  )

export interface OrderOptions {
  readonly account?: string
  readonly symbol?: string
  readonly side?: "buy" | "sell"
  readonly quantity?: string
  readonly strategy?: string
  /** A close of the strategy instead of an entry: of so much, or null for its share. */
  readonly closes?: string | null
  /** A reduction to this position instead of an entry. */
  readonly target?: string
  /** Milliseconds from now until the intent is stale; null for never. */
  readonly validMs?: number | null
  /** With prices instead of at market. */
  readonly limit?: string
  readonly stop?: string
  readonly time?: "day" | "gtc" | "ioc"
}

/** A signal and its entry order in `intended`, as a decision leaves them. Answers the order. */
export const intend = (options: OrderOptions = {}) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const signal = randomUUID()
    const id = randomUUID()
    const clientOrderId = randomUUID().replaceAll("-", "")
    const { closes, limit, stop, target, quantity = "1" } = options
    const kinds = [...(stop === undefined ? [] : ["stop"]), ...(limit === undefined ? [] : ["limit"])]
    const type = kinds.join("_") || "market"
    const isEntry = closes === undefined && target === undefined
    const sizing = target !== undefined ? "target" : closes === null ? "share" : "fixed"
    yield* sql((client) =>
      Effect.all([
        client`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer)
          VALUES (${signal}, 'signal', 'default', ${signal}, 'explicit', 'h', '{}', 'r', '{}')`,
        client`INSERT INTO orders (id, client_order_id, signal_id, account, strategy, intent, sizing, wanted, symbol, side,
            type, quantity, limit_price, stop_price, time_in_force, status, source, venue, valid_until)
          VALUES (${id}, ${clientOrderId}, ${signal}, ${options.account ?? "paper-1"}, ${options.strategy ?? "default"},
            ${isEntry ? "entry" : "reduce"}, ${sizing}, ${isEntry ? quantity : (target ?? closes ?? null)}::numeric,
            ${options.symbol ?? "SPY"}, ${options.side ?? "buy"}, ${type}, ${quantity}::numeric, ${limit ?? null}::numeric,
            ${stop ?? null}::numeric, ${options.time ?? "day"}, 'intended',
            'webhook', 'practice', clock_timestamp() + ${options.validMs ?? null}::int * interval '1 millisecond')`
      ])
    )
    const order = yield* orders.byId(id)
    if (order === null) return yield* Effect.die(new Error("the order was not stored"))
    return order
  })

let sequence = 0

/** A fill as the venue reports it; every call is another trade. */
export const fillOf = (
  order: { readonly clientOrderId: string | null; readonly symbol: string; readonly side: "buy" | "sell" },
  over: Partial<VenueFill> = {}
): VenueFill => {
  sequence += 1
  return {
    tradeId: `t-${sequence}`,
    venueOrderId: `v-${order.clientOrderId ?? "external"}`,
    clientOrderId: order.clientOrderId,
    account: "paper-1",
    symbol: order.symbol,
    side: order.side,
    quantity: "1",
    price: "100",
    fee: "0",
    at: new Date(1_700_000_000_000 + sequence),
    cursor: String(sequence),
    ...over
  }
}

/** Statuses of the events of an order, oldest first: `event from>to`, illegal ones marked with `!`. */
export const history = (orderId: string) =>
  sql((client) =>
    Effect.map(
      client<{ readonly line: string }>`
        SELECT event || ' ' || from_status || '>' || to_status || CASE WHEN legal THEN '' ELSE ' !' END AS line
        FROM order_events WHERE order_id = ${orderId} ORDER BY seq`,
      (rows) => rows.map((row) => row.line)
    )
  )

/** A long position of `default` that the venue confirms, and the exit of it. */
export const openLong = (symbol: string, quantity: string) =>
  Effect.gen(function* () {
    const orders = yield* OrdersStore
    const fills = yield* FillsStore
    const positions = yield* PositionsStore
    const grant = yield* own()
    const entry = yield* intend({ symbol, quantity })
    yield* orders.submit(grant, entry, permitOf())
    yield* fills.record("practice", fillOf(entry, { quantity }))
    yield* positions.confirm(grant, [{ symbol, quantity }])
    const id = positionId("paper-1", symbol)
    const exit = {
      account: "paper-1",
      positionId: id,
      positionEpoch: 1,
      exitKind: "stop_loss",
      strategy: "default",
      quantity: null
    } as const
    return { grant, exit, id }
  })
