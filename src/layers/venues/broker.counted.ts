/**
 * A broker connection whose calls are counted for its circuit breaker (E7).
 *
 * It wraps the gate, so a response with an invalid figure is a failure like no response. A documented refusal is a response: the
 * venue works, and what it refused is the business of the strategy's breaker (actors/execution/account-send.ts).
 *
 * Promises: every create, cancel and look-up is counted once, by how it ended; one that never left because our own permit was
 * gone, and one that was interrupted, is not counted.
 * Never: changes an outcome; counts the stream, whose ends its own component watches.
 * Failure: that of the connection.
 */
import { Cause, Effect, Exit } from "effect"
import type { BreakersService } from "../orders/breakers.port.ts"
import {
  type BrokerConnection,
  type BrokerNotSent,
  type BrokerOutcomeUnknown,
  type BrokerRefused,
  type BrokerUnavailable,
  SendPermit
} from "./broker.port.ts"

type PlaceError = BrokerNotSent | BrokerOutcomeUnknown | BrokerRefused

/** The same connection, counting. */
export const counted = (connection: BrokerConnection, { count }: Pick<BreakersService, "count">) => {
  const breaker = `broker:${connection.name}`
  const placed = <A>(call: Effect.Effect<A, PlaceError>): Effect.Effect<A, PlaceError> =>
    Effect.flatMap(SendPermit, (permit) =>
      Effect.onExit(call, (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) return count(breaker, "orders", false)
          const error = Cause.findErrorOption(exit.cause)
          if (error._tag === "None") return undefined
          const { _tag: tag } = error.value
          if (tag === "BrokerNotSent" && !permit()) return undefined
          return count(breaker, "orders", tag !== "BrokerRefused")
        })
      )
    )
  const read = <A>(call: Effect.Effect<A, BrokerUnavailable>): Effect.Effect<A, BrokerUnavailable> =>
    Effect.onExit(call, (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) count(breaker, "reads", false)
        else if (Cause.findErrorOption(exit.cause)._tag === "Some") count(breaker, "reads", true)
      })
    )
  return {
    ...connection,
    create: (order) => placed(connection.create(order)),
    cancel: (account, id) => placed(connection.cancel(account, id)),
    findByClientOrderId: (account, id) => read(connection.findByClientOrderId(account, id)),
    openOrders: (account) => read(connection.openOrders(account)),
    recentOrders: (account, since) => read(connection.recentOrders(account, since)),
    fillsSince: (account, cursor) => read(connection.fillsSince(account, cursor)),
    positions: (account) => read(connection.positions(account)),
    balance: (account) => read(connection.balance(account)),
    activity: read(connection.activity)
  } satisfies BrokerConnection
}
