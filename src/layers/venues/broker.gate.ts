/**
 * The gate of a broker connection: validates every figure of a venue before anything reads it.
 *
 * It wraps every configured connection, so no adapter can forget the check. A response about an order, or the money of an
 * account, with one invalid figure is discarded as a whole and the result is unknown, which every rule already handles (an
 * order that may exist, an account that is not reconciled, a limit that denies). A list of orders is one: an order that is left
 * out of it would be taken for one that is not there, and be sent again.
 *
 * Positions and fills are lists of facts about symbols, and one bad row must not keep the exits of the others from leaving:
 * it alone is set aside. A position stays in the answer as a row without a quantity, so that it cannot be taken for flat, or,
 * where only its price is wrong, with the quantity, which nothing about the price puts in doubt. A fill is left out; the position
 * it made is then another than ours, which disputes the symbol and fetches all fills again until it is right or adopted.
 *
 * Promises: a refused figure raises an alert with the field and the value; a read ends as `BrokerUnavailable`, a create or
 * a cancel as `BrokerOutcomeUnknown`, a stream ends, because a gap is fetched again and a dropped fill is not.
 * Never: passes on an invalid figure; leaves out a position.
 * Failure: that of the connection, and the above.
 */
import { Deferred, Effect, Option } from "effect"
import {
  averageProblem,
  balanceProblem,
  fillProblem,
  heldProblem,
  orderProblem
} from "../../domain/orders/venue-figures.ts"
import type { AlertsService } from "../alerts/alerts.port.ts"
import {
  type BrokerConnection,
  type BrokerEvent,
  BrokerOutcomeUnknown,
  BrokerStreamEnded,
  BrokerUnavailable,
  type VenueOrder,
  type VenuePosition
} from "./broker.port.ts"

const first = <A>(items: ReadonlyArray<A>, problemOf: (item: A) => string | null): string | null => {
  for (const item of items) {
    const problem = problemOf(item)
    if (problem !== null) return problem
  }
  return null
}

const eventProblem = (event: BrokerEvent): string | null => {
  switch (event._tag) {
    case "Connected":
      return null
    case "OrderUpdated":
      return orderProblem(event.order)
    case "Filled":
      return fillProblem(event.fill)
  }
}

const accountOf = (event: BrokerEvent): string | null =>
  event._tag === "Connected" ? null : event._tag === "Filled" ? event.fill.account : event.order.account

/** A position as far as it can be believed. Of a symbol that is named twice neither quantity can. */
const believed = (position: VenuePosition, isTwice: boolean): VenuePosition => {
  const held = isTwice ? "it is named twice" : heldProblem(position)
  if (held !== null) return { ...position, quantity: null, averagePrice: "0", problem: held }
  const average = averageProblem(position)
  return average === null ? position : { ...position, averagePrice: "0", problem: average }
}

type Report = (operation: string, account: string | null, problem: string) => Effect.Effect<void>

const streamOf =
  (connection: BrokerConnection, report: Report): BrokerConnection["stream"] =>
  (onEvent) =>
    Effect.gen(function* () {
      const refused = yield* Deferred.make<never, BrokerStreamEnded>()
      const judged = (event: BrokerEvent) => {
        const problem = eventProblem(event)
        if (problem === null) return onEvent(event)
        const reason = `figure refused: ${problem}`
        const ended = new BrokerStreamEnded({ broker: connection.name, code: null, reason })
        return report("stream", accountOf(event), problem).pipe(
          Effect.andThen(Deferred.fail(refused, ended)),
          // The race below ends the stream; later events must not be handled before that.
          Effect.andThen(Effect.never)
        )
      }
      return yield* Effect.raceFirst(connection.stream(judged), Deferred.await(refused))
    })

/** Lists of facts about symbols, of which one bad row is set aside alone. */
const listsOf = (
  connection: BrokerConnection,
  alerts: AlertsService
): Pick<BrokerConnection, "fillsSince" | "positions"> => {
  const { name } = connection
  const setAside = (operation: string, account: string, symbol: string, problem: string) =>
    alerts.raise({
      severity: "HIGH",
      kind: "venue.row_refused",
      dedupKey: `venue.row_refused:${name}:${account}:${operation}:${symbol}`,
      message: `${name} reported an invalid figure of ${symbol} in ${operation} of ${account}: ${problem}; the row is set aside, the others count`,
      component: `root/trading/brokers/${name}`,
      detail: { broker: name, account, symbol, operation, problem }
    })
  return {
    fillsSince: (account, cursor) =>
      Effect.flatMap(connection.fillsSince(account, cursor), (fills) =>
        Effect.filter(fills, (fill) => {
          const problem = fillProblem(fill)
          if (problem === null) return Effect.succeed(true)
          return Effect.as(setAside("fillsSince", account, fill.symbol, problem), false)
        })
      ),
    positions: (account) =>
      Effect.flatMap(connection.positions(account), (all) => {
        const counts = new Map<string, number>()
        for (const { symbol } of all) counts.set(symbol, (counts.get(symbol) ?? 0) + 1)
        return Effect.forEach(all, (row) => {
          const position = believed(row, (counts.get(row.symbol) ?? 0) > 1)
          if (position.problem === undefined) return Effect.succeed(position)
          return Effect.as(setAside("positions", account, row.symbol, position.problem), position)
        })
      })
  }
}

/** The same connection with validated figures. */
export const gated = (connection: BrokerConnection, alerts: AlertsService): BrokerConnection => {
  const { name } = connection
  const report: Report = (operation, account, problem) =>
    alerts.raise({
      severity: "HIGH",
      kind: "venue.figure_refused",
      dedupKey: `venue.figure_refused:${name}:${account ?? ""}:${operation}`,
      message: `${name} reported an invalid figure in ${operation}${account === null ? "" : ` of ${account}`}: ${problem}; it is treated as unknown`,
      component: `root/trading/brokers/${name}`,
      detail: { broker: name, account, operation, problem }
    })
  const read = <A>(
    operation: string,
    account: string,
    asked: Effect.Effect<A, BrokerUnavailable>,
    problemIn: (answer: A) => string | null
  ) =>
    Effect.flatMap(asked, (answer) => {
      const problem = problemIn(answer)
      if (problem === null) return Effect.succeed(answer)
      const reason = `figure refused: ${problem}`
      return Effect.andThen(
        report(operation, account, problem),
        Effect.fail(new BrokerUnavailable({ broker: name, operation, reason }))
      )
    })
  const placed = <E>(operation: string, account: string, asked: Effect.Effect<VenueOrder, E>) =>
    Effect.flatMap(asked, (order): Effect.Effect<VenueOrder, E | BrokerOutcomeUnknown> => {
      const problem = orderProblem(order)
      if (problem === null) return Effect.succeed(order)
      return Effect.andThen(
        report(operation, account, problem),
        Effect.fail(new BrokerOutcomeUnknown({ broker: name, reason: `figure refused: ${problem}` }))
      )
    })
  return {
    ...connection,
    create: (order) => placed("create", order.account, connection.create(order)),
    cancel: (account, id) => placed("cancel", account, connection.cancel(account, id)),
    findByClientOrderId: (account, id) =>
      read("findByClientOrderId", account, connection.findByClientOrderId(account, id), (found) =>
        Option.isNone(found) ? null : orderProblem(found.value)
      ),
    openOrders: (account) =>
      read("openOrders", account, connection.openOrders(account), (orders) => first(orders, orderProblem)),
    recentOrders: (account, since) =>
      read("recentOrders", account, connection.recentOrders(account, since), (orders) =>
        first(orders, orderProblem)
      ),
    ...listsOf(connection, alerts),
    balance: (account) => read("balance", account, connection.balance(account), balanceProblem),
    stream: streamOf(connection, report)
  }
}
