/**
 * Commands about orders, positions and accounts: what each of them does.
 *
 * They only ever reduce, and none of them talks to a venue: a close is an order that the account's executor sizes, judges
 * and sends (decision 0014), a cancel a wish that it carries out.
 *
 * Promises: the answer names every order that was made or changed, as it is then; the executor is rung.
 * Never: asks who gives the command, or writes the audit (commands.ts does).
 */
import { Effect } from "effect"
import { CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import { isUuid } from "../../domain/kernel/ids.ts"
import type { OrderStatus } from "../../domain/orders/order.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { ReadStore } from "../../layers/health/read-store.port.ts"
import { FillsStore } from "../../layers/orders/fills-store.port.ts"
import { OrderCommands, type Stepped } from "../../layers/orders/order-commands.port.ts"
import type { StoredOrder } from "../../layers/orders/orders-store.port.ts"
import { ordersBell, reconcileBell } from "../../layers/platform/bells.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { notFound } from "./command-operations.ts"

/** Where a command's orders come from, and what they are marked with. */
export interface Made {
  readonly commandId: string
}

/** The answer of a command that made or changed these orders; their executors are rung. */
export const answerOf = (orders: ReadonlyArray<StoredOrder>, unresolved?: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const wake = yield* Wake
    for (const account of new Set(orders.map((order) => order.account))) wake.notify(ordersBell(account))
    const items = yield* reads.orders(orders.map(({ id }) => id))
    return { status: "ACCEPTED", orders: items, ...(unresolved === undefined ? {} : { unresolved }) }
  })

/** Why an order cannot be cancelled, or resolved, from a status. */
const sentences: { readonly [status in OrderStatus]: string } = {
  intended: "it was not sent yet",
  held: "it was not sent yet",
  submitting: "it is on its way to the venue: try again when its answer is there",
  acked: "the venue has it",
  partially_filled: "the venue has it",
  pending_cancel: "its cancel is under way",
  unknown: "its outcome is not known: the venue is being asked",
  resolving: "its outcome is not known: the venue is being asked",
  needs_operator: "nobody knows whether the venue has it: resolve it",
  denied: "it is over: denied",
  withdrawn: "it is over: withdrawn",
  expired_unsent: "it is over: it was never sent",
  rejected: "it is over: the venue refused it",
  filled: "it is over: filled",
  cancelled: "it is over: cancelled",
  expired: "it is over: expired at the venue"
}

const stepped = (outcome: Stepped) =>
  Effect.gen(function* () {
    switch (outcome._tag) {
      case "Missing":
        return yield* notFound
      case "WrongStatus":
        return yield* new CommandRefused({
          kind: "conflict",
          reason: `order_${outcome.status}`,
          message: sentences[outcome.status]
        })
      case "HasFills":
        return yield* new CommandRefused({
          kind: "conflict",
          reason: "order_has_fills",
          message: `${outcome.filledQuantity} of it has filled, so the venue had it`
        })
      case "Done":
        return outcome.order
    }
  })

export const cancelOrder = ({ caller, reason, target: id }: CommandRequest<"order.cancel">) =>
  Effect.gen(function* () {
    if (!isUuid(id)) return yield* notFound
    const commands = yield* OrderCommands
    const why = `cancelled by ${caller.by}${reason === null ? "" : `: ${reason}`}`
    return yield* answerOf([yield* stepped(yield* commands.cancel(id, why))])
  })

export const resolveOrder = ({
  arguments: { outcome, venue_order_id: venueOrderId },
  caller,
  reason,
  target: id
}: CommandRequest<"order.resolve">) =>
  Effect.gen(function* () {
    if (!isUuid(id)) return yield* notFound
    const commands = yield* OrderCommands
    const wake = yield* Wake
    const alerts = yield* Alerts
    const why = `${outcome} by ${caller.by}: ${reason ?? ""}`
    const order = yield* stepped(yield* commands.resolve({ orderId: id, outcome, venueOrderId, reason: why }))
    yield* alerts.resolve(`order.needs_operator:${id}`, why)
    // What the venue has of it by now, fills included, is the next comparison's to find.
    wake.notify(reconcileBell(order.account))
    return yield* answerOf([order])
  })

export const closePosition = (
  { arguments: { quantity }, caller, target: positionId }: CommandRequest<"position.close">,
  { commandId }: Made
) =>
  Effect.gen(function* () {
    if (!isUuid(positionId)) return yield* notFound
    const commands = yield* OrderCommands
    const closed = yield* commands.close({ positionId, quantity, commandId, source: caller.origin })
    if (closed._tag === "Missing") return yield* notFound
    if (closed._tag === "Flat")
      return yield* new CommandRefused({
        kind: "conflict",
        reason: "nothing_to_close",
        message: "nothing is held"
      })
    return yield* answerOf(closed.orders)
  })

export const flattenAccount = (
  { caller, reason, target: account }: CommandRequest<"account.flatten">,
  { commandId }: Made
) =>
  Effect.gen(function* () {
    const commands = yield* OrderCommands
    const why = `flattened by ${caller.by}: ${reason ?? ""}`
    const flattened = yield* commands.flatten(account, { commandId, source: caller.origin }, why)
    if (flattened._tag === "Missing") return yield* notFound
    return yield* answerOf(flattened.orders, flattened.unresolved)
  })

export const adoptPosition = (
  { arguments: { price }, target: positionId }: CommandRequest<"position.adopt">,
  { commandId }: Made
) =>
  Effect.gen(function* () {
    if (!isUuid(positionId)) return yield* notFound
    const fills = yield* FillsStore
    const wake = yield* Wake
    const adopted = yield* fills.adopt({ positionId, price, reference: commandId })
    switch (adopted._tag) {
      case "Missing":
        return yield* notFound
      case "NotDisputed":
        return yield* new CommandRefused({
          kind: "conflict",
          reason: "not_disputed",
          message: `our fills say ${adopted.ours}, the venue says ${adopted.venues ?? "nothing yet"}; only a difference that all fills do not explain is adopted`
        })
      case "Outdated":
        wake.notify(reconcileBell(adopted.account))
        return yield* new CommandRefused({
          kind: "conflict",
          reason: "confirmation_outdated",
          message:
            "a fill was stored since the venue reported its quantity: it is being asked again, after which this may be given again"
        })
      case "PriceMissing":
        return yield* new CommandRefused({
          kind: "invalid",
          reason: "price_missing",
          errors: [{ path: "price", message: "is needed: the symbol was never traded here" }]
        })
      case "Adopted":
        wake.notify("positions")
        wake.notify(ordersBell(adopted.account))
        wake.notify(reconcileBell(adopted.account))
        return {
          status: "ACCEPTED",
          position_id: positionId,
          quantity_before: adopted.before,
          quantity: adopted.quantity,
          price: adopted.price,
          fill_id: adopted.tradeRecordId
        }
    }
  })
