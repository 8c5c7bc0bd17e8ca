/**
 * Broker actor: the stream of one broker connection with what it delivers: fills, and ends of orders.
 *
 * Fills are facts and are stored whoever owns the account. Ends of orders (cancelled, expired, rejected) are steps of
 * an order and carry a fence, so they are applied only for accounts this process owns; that an order is alive or
 * filled is known from the response to its create and from its fills, and needs no third source.
 *
 * Promises: after every connect the accounts of this broker are notified to reconcile, which fetches what the stream
 * missed; after every end as well, which shows whether the broker is away. A fill that cannot be stored now is
 * fetched again the same way.
 * Never: holds the stream up for a database that is away, or accepts an event of an account that is not configured.
 */
import { reconcileBell, venueBell } from "../../layers/platform/bells.ts"
import { Clock, Effect } from "effect"
import { accountsAt, executedAccount } from "../../domain/kernel/canary.ts"
import { brokerStreamLimits } from "../../domain/kernel/limits-execution.ts"
import { AccountLeases } from "../../layers/accounts/accounts-lease.port.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { Protection } from "../../layers/orders/protection.port.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import type { Breakers } from "../../layers/orders/breakers.port.ts"
import type { FillsStore } from "../../layers/orders/fills-store.port.ts"
import { AccountsStore } from "../../layers/accounts/accounts-store.port.ts"
import {
  type BrokerConnection,
  type BrokerEvent,
  Brokers,
  type VenueOrder
} from "../../layers/venues/broker.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { OrdersStore } from "../../layers/orders/orders-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import {
  type BrokerContext,
  brokerMachine,
  type BrokerMachineEvent
} from "../../machines/execution/broker.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { machineChild, streamActor } from "../../runtime/machine-child.ts"
import { adoptVenueOrder } from "./account-send.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { recordFill } from "./fill-record.ts"

interface Stream {
  readonly path: string
  readonly broker: BrokerConnection
  /** Live: a reload may give this broker an account, or take one away. */
  readonly settings: Settings
  readonly send: (event: BrokerMachineEvent) => void
}

/** Whether an account is configured for this broker; whatever else a venue reports is not ours to store. */
const isOurs = ({ broker, settings }: Stream, account: string): boolean =>
  executedAccount(settings, account)?.broker === broker.name

/** Configured accounts of this broker. */
const accountsOf = ({ broker, settings }: Stream) => accountsAt(settings, broker.name)

const connected = (stream: Stream) =>
  Effect.gen(function* () {
    const wake = yield* Wake
    const accounts = yield* AccountsStore
    yield* logEvent("info", "broker.connected", "the stream is live", {
      component: stream.path
    })
    // A fill needs its account's row; whoever comes first inserts it.
    yield* accounts.ensure(
      accountsOf(stream).map(([id, { enabled, startingCash }]) => ({
        id,
        venue: stream.broker.name,
        startingCash,
        enabled
      }))
    )
    for (const [account] of accountsOf(stream)) wake.notify(reconcileBell(account))
  }).pipe(
    // A database that comes back brings every account through its reconciliation.
    Effect.catchTag("DatabaseUnavailable", ({ message }) =>
      logEvent("warn", "broker.connected_unseen", message, { component: stream.path })
    ),
    Effect.andThen(Effect.sync(() => stream.send({ type: "stream.connected" })))
  )

const orderEnded = (stream: Stream, venue: VenueOrder) =>
  Effect.gen(function* () {
    const leases = yield* AccountLeases
    const orders = yield* OrdersStore
    const guard = leases.current(venue.account)
    if (guard === null || venue.clientOrderId === null) return
    const order = yield* orders.byClientOrderId(venue.clientOrderId)
    if (order === null || order.account !== venue.account) return
    yield* adoptVenueOrder({ ...stream, account: venue.account }, guard, order, venue)
  }).pipe(
    Effect.catchTag(["DatabaseUnavailable", "LeaseLost"], ({ message }) =>
      Effect.gen(function* () {
        const wake = yield* Wake
        yield* logEvent("warn", "broker.update_unseen", message, {
          component: stream.path,
          account: venue.account
        })
        wake.notify(reconcileBell(venue.account))
      })
    )
  )

type Needs =
  | AccountLeases
  | AccountsStore
  | Alerts
  | Breakers
  | Config
  | FillsStore
  | OrdersStore
  | Protection
  | Wake

const onEvent =
  (stream: Stream) =>
  (event: BrokerEvent): Effect.Effect<void, never, Needs> => {
    switch (event._tag) {
      case "Connected":
        return connected(stream)
      case "OrderUpdated": {
        const { order } = event
        const over = order.status === "cancelled" || order.status === "expired" || order.status === "rejected"
        return over && isOurs(stream, order.account) ? orderEnded(stream, order) : Effect.void
      }
      case "Filled": {
        const { fill } = event
        if (!isOurs(stream, fill.account)) return Effect.void
        return recordFill(stream.path, stream.broker, fill).pipe(
          Effect.catchTag("DatabaseUnavailable", ({ message }) =>
            Effect.map(Wake, (wake) => {
              stream.send({ type: "fills.missed", reason: message })
              wake.notify(reconcileBell(fill.account))
            })
          )
        )
      }
    }
  }

/** Lives as long as the stream does and reports how it ended. */
const runStream = (stream: Stream) =>
  Effect.scoped(stream.broker.stream(onEvent(stream))).pipe(
    Effect.catchTag("BrokerStreamEnded", ({ code, reason }) =>
      Effect.gen(function* () {
        const at = yield* Clock.currentTimeMillis
        const jitter = (yield* Entropy).next()
        yield* logEvent("warn", "broker.stream_ended", reason, { component: stream.path, code })
        // A resting account queries nothing; the reconciliation shows whether the broker still answers.
        const wake = yield* Wake
        for (const [account] of accountsOf(stream)) wake.notify(reconcileBell(account))
        stream.send({ type: "stream.ended", code, reason, jitter, at })
      })
    )
  )

/** Alerts about the stream. They do not wait, so an action of the machine may raise them. */
const voices = (name: string, component: string) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const run = Effect.runSyncWith(yield* Effect.context())
    const dedupKey = `broker.not_recovered:${name}`
    return {
      alertAway: ({ context }: { readonly context: BrokerContext }) => {
        if (context.attempt < brokerStreamLimits.alertAfterAttempts) return
        run(
          alerts.raise({
            severity: "HIGH",
            kind: "broker.not_recovered",
            dedupKey,
            message: `the broker ${name} did not come back in ${context.attempt} attempts: ${context.lastError ?? "no reason known"}`,
            component,
            detail: { broker: name, attempt: context.attempt },
            standing: true
          })
        )
      },
      resolveAway: () => run(alerts.resolve(dedupKey, `the stream of the broker ${name} is live`))
    }
  })

/** The component `root/trading/brokers/<name>`. */
export const brokerActor = (name: string) => (self: ChildSelf) =>
  Effect.gen(function* () {
    const settings = yield* Config
    const brokers = yield* Brokers
    const broker = brokers.get(name)
    return yield* machineChild({
      machine: brokerMachine,
      input: { broker: name, ...brokerStreamLimits },
      actors: {
        watchDatabase: watchDatabase(),
        stream: streamActor("broker.stream", ({ send }) =>
          runStream({ path: self.path, broker, settings, send })
        ),
        venueBell: streamActor("broker.venue-bell", ({ send }) =>
          Effect.gen(function* () {
            const wake = yield* Wake
            yield* wake.wait(venueBell(name), brokerStreamLimits.retryMsMax)
            send({ type: "venue.serves" })
          })
        )
      },
      actions: yield* voices(name, self.path),
      stopEvent: { type: "broker.stop" },
      status: ({ context }) => ({
        detail: {
          venue: broker.venue,
          rule: broker.rule,
          attempt: context.attempt,
          connects: context.connects,
          next_at: context.nextAt === null ? null : new Date(context.nextAt).toISOString(),
          close_code: context.closeCode,
          close_reason: context.closeReason,
          fills_missed: context.fillsMissed
        }
      })
    })(self)
  })
