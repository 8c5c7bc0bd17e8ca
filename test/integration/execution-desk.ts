/**
 * A running execution side for tests: executors and broker streams under a real supervisor, on a real database, against
 * the venue's twin in memory. Look-ups are as quick as the clock allows; everything else is as in production.
 *
 * Promises: the tree is stopped, in order, when the scope of the test closes.
 * Never: asserts anything.
 */
import { Effect, Layer, type Scope } from "effect"
import { accountActors } from "../../src/actors/execution/account.actor.ts"
import { defaultPace, type ExecutionPace } from "../../src/actors/execution/account-desk.ts"
import { brokerActor } from "../../src/actors/execution/broker.actor.ts"
import { defaultNodePace, nodeActor, type NodePace } from "../../src/actors/execution/node.actor.ts"
import { exitsActor } from "../../src/actors/execution/exits.actor.ts"
import { reconcilerActor } from "../../src/actors/execution/reconciler.actor.ts"
import type { OrderStatus } from "../../src/domain/orders/order.ts"
import { RestingAccounts } from "../../src/layers/execution/resting-accounts.port.ts"
import { AccountLeases } from "../../src/layers/accounts/accounts-lease.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { layerBreakers } from "../support/breakers.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { makeMemoryBroker, type MemoryBroker, type MemoryBrokerOptions } from "../support/broker.memory.ts"
import { type BrokerConnection, Brokers } from "../../src/layers/venues/broker.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { Instance, makeInstance } from "../../src/layers/platform/instance.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { Market, type MarketService } from "../../src/layers/market/market.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { Protection } from "../../src/layers/orders/protection.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { ProcessMarks, type ProcessMarksService } from "../../src/layers/platform/process-mark.port.ts"
import type { Bell } from "../../src/layers/platform/bells.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { intend, own, sql, type WorldServices, permitOf } from "./execution-world.ts"
import { layerEntropy } from "../support/entropy.ts"

export const quickPace: ExecutionPace = {
  ...defaultPace,
  pollMs: 50,
  lookupDelaysMs: [5, 10, 10, 20, 40, 80]
}

const noMarks: ProcessMarksService = {
  self: { host: null, pid: 1, startedAt: "1" },
  seen: () => null
}

export interface NodeOptions {
  readonly nodeId?: string
  /** Tells one life of a node from another. */
  readonly bootId?: string
  /** What the host knows of processes; nothing, by default. */
  readonly marks?: ProcessMarksService
  readonly accounts?: ReadonlyArray<string>
  readonly pace?: Partial<ExecutionPace & NodePace>
  /** Wraps the twin's connection, to break it in ways the twin does not know. */
  readonly wrap?: (connection: BrokerConnection) => BrokerConnection
  readonly stream?: boolean
  /** Runs the reconciler, which opens the accounts that rest. */
  readonly reconciler?: boolean
  /** Runs the exits component on this market. */
  readonly market?: MarketService
}

/** One process: its own bells, leases and identity; the database and the venue are shared with other nodes. */
export const startNode = (twin: MemoryBroker, options: NodeOptions = {}) =>
  Effect.gen(function* () {
    const database = yield* Database
    database.availability.mark("available")
    let connection = (options.wrap ?? ((same) => same))(twin.connection)
    const instance = makeInstance()
    instance.assign({ nodeId: options.nodeId ?? "node-a", bootId: options.bootId ?? "boot" })
    const wake = Wake.layer
    const services = Layer.mergeAll(
      AccountLeases.layer,
      RestingAccounts.layer,
      Protection.layer,
      layerEntropy,
      RiskFigures.layer,
      Layer.succeed(Market, options.market ?? (yield* makeMemoryMarket).service),
      Layer.succeed(Instance, instance),
      Layer.succeed(ProcessMarks, options.marks ?? noMarks),
      Layer.succeed(Brokers, { get: () => connection, release: Effect.void }),
      Layer.mergeAll(alertsQueue, layerBreakers).pipe(Layer.provideMerge(wake))
    )
    const context = yield* Layer.build(services)
    const pace = { ...quickPace, ...defaultNodePace, ...options.pace }
    const accounts = options.accounts ?? ["paper-1"]
    const executor = accountActors(pace)
    const tree = yield* Effect.provide(
      startTree(
        supervisor({
          id: "root",
          children: [
            worker({ id: "node", start: nodeActor(pace) }),
            ...(options.market === undefined ? [] : [worker({ id: "exits", start: exitsActor() })]),
            ...(options.reconciler === true ? [worker({ id: "reconciler", start: reconcilerActor() })] : []),
            ...(options.stream === false ? [] : [worker({ id: "broker", start: brokerActor("practice") })]),
            ...accounts.map((account) =>
              worker({ id: account, start: executor(account), stopBudgetMs: 6_000 })
            )
          ]
        }),
        { stopDeadlineMs: 10_000 }
      ),
      context
    )
    const provided = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, context)
    return {
      tree,
      /** State of a child as health shows it. */
      state: (id: string) =>
        tree.snapshot().children.find((child) => child.path === `root/${id}`)?.state ?? "none",
      restarts: (id: string) =>
        tree.snapshot().children.find((child) => child.path === `root/${id}`)?.restarts ?? -1,
      loseDatabase: Effect.sync(() => database.availability.mark("unavailable")),
      findDatabase: Effect.sync(() => database.availability.mark("available")),
      detail: (id: string) =>
        tree.snapshot().children.find((child) => child.path === `root/${id}`)?.detail ?? {},
      ring: (bell: Bell) => provided(Wake.use((bells) => Effect.sync(() => bells.notify(bell)))),
      stopChild: (id: string) => tree.terminateChild(`root/${id}`),
      /** As a reload that gives the broker another address; what runs keeps the connection that it has. */
      moveBroker: Effect.sync(() => {
        connection = { ...connection }
      }),
      instance,
      leases: yield* provided(AccountLeases),
      protection: yield* provided(Protection),
      figures: yield* provided(RiskFigures),
      /** Keys of the alerts that were resolved since the last time; those that were raised are taken with them. */
      resolved: provided(
        Alerts.use((alerts) =>
          Effect.sync(() =>
            alerts.takePending().flatMap((entry) => {
              if (entry._tag === "Outbreak") return entry.resolved === null ? [] : [entry.dedupKey]
              return entry.ended._tag === "Keys" ? entry.ended.keys : []
            })
          )
        )
      ),
      alerts: provided(
        Alerts.use((alerts) =>
          Effect.sync(() =>
            alerts.takePending().flatMap((entry) => (entry._tag === "Outbreak" ? [entry.kind] : []))
          )
        )
      )
    }
  })

/** Keys of alerts that were committed with what they are about: nobody stores the queue of a node here. */
export const committedAlerts = sql((client) =>
  Effect.map(
    client<{ readonly key: string }>`SELECT dedup_key AS key FROM alerts WHERE occurrences = 1`,
    (rows) => rows.map(({ key }) => key)
  )
)

let symbols = 0
/** A symbol of its own for every order of a test, so that what one leaves behind blocks nobody else. */
export const freshSymbol = (): string => {
  symbols += 1
  return `S${symbols}`
}

/** Runs a scenario in its scope and closes every order it left behind, so that the next one starts clean. */
export const scenario = <E>(body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
  Effect.scoped(body).pipe(
    Effect.ensuring(
      sql(
        (client) => client`UPDATE orders SET status = 'denied'
          WHERE status NOT IN ('filled', 'cancelled', 'rejected')`
      )
    )
  )

/** An order whose sender died: `submitting` is committed under a fence that is over. */
export const orphan = Effect.gen(function* () {
  const orders = yield* OrdersStore
  const grant = yield* own()
  const order = yield* intend({ symbol: freshSymbol() })
  const submitted = yield* orders.submit(grant, order, permitOf())
  if (submitted._tag !== "Submitting") return yield* Effect.die(new Error(submitted._tag))
  return submitted.order
})

/** The venue of `testSettings`, practice, as a twin. */
export const makeVenue = (options: MemoryBrokerOptions = {}): MemoryBroker => {
  const twin = makeMemoryBroker({ name: "practice", ...options })
  twin.setPrice("SPY", "100")
  return twin
}

/** Polls until `probe` answers true; a test that waits forever is a failing test. */
export const until = <E, R>(what: string, probe: Effect.Effect<boolean, E, R>, deadlineMs = 60_000) =>
  Effect.gen(function* () {
    for (;;) {
      if (yield* probe) return
      yield* Effect.sleep(5)
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: deadlineMs,
      orElse: () => Effect.die(new Error(`not within ${deadlineMs} ms: ${what}`))
    })
  )

/** An alert is raised after the commit that a test has waited for; those that wait to be stored are taken by every look. */
export const untilAlert = <E, R>(
  node: { readonly alerts: Effect.Effect<ReadonlyArray<string>, E, R> },
  kind: string
) =>
  until(
    `the alert ${kind}`,
    Effect.map(node.alerts, (kinds) => kinds.includes(kind))
  )

export const statusOf = (order: StoredOrder) =>
  Effect.map(
    OrdersStore.use((orders) => orders.byId(order.id)),
    (found) => found?.status ?? null
  )

export const untilStatus = (order: StoredOrder, status: OrderStatus, deadlineMs?: number) =>
  until(
    `${order.symbol} is ${status}`,
    Effect.map(statusOf(order), (found) => found === status),
    deadlineMs
  )
