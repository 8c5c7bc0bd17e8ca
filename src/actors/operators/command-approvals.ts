/**
 * Commands about entries that a human is asked about: approving and declining them (G9).
 *
 * Promises: what is approved is judged at the price of this moment; whatever the answer, it says what became of the order; a press
 * that changes nothing says why.
 * Never: sends; asks who gives the command, or writes the audit (commands.ts does).
 */
import { Clock, Effect } from "effect"
import { CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import { reasonWithCode } from "../../domain/decision/why-words.ts"
import { isUuid } from "../../domain/kernel/ids.ts"
import type { ApprovalDecision } from "../../domain/orders/approval.ts"
import type { Permit } from "../../domain/orders/permit.ts"
import { priceFor } from "../../domain/orders/plan-context.ts"
import { Market } from "../../layers/market/market.port.ts"
import { type Answered, OrderCommands } from "../../layers/orders/order-commands.port.ts"
import { OrdersStore } from "../../layers/orders/orders-store.port.ts"
import { judgeNow } from "../execution/account-step.ts"
import { freshQuote } from "../execution/plan-input.ts"
import { notFound } from "./command-operations.ts"
import { answerOf, type Made } from "./command-orders.ts"

/** How long a press waits for the first quote of a symbol that this process does not follow yet. */
const QUOTE_MS_MAX = 2_000

const conflict = (reason: string, message: string): CommandRefused =>
  new CommandRefused({ kind: "conflict", reason, message })

/** What keeps an order that is approved from being sent at once; null: nothing does. */
const waitsFor = (permit: Permit): string | null => (permit._tag === "Send" ? null : permit.code)

const unanswered = (
  outcome: Exclude<Answered, { readonly _tag: "Approved" | "Declined" | "Again" | "Missing" }>
): CommandRefused => {
  switch (outcome._tag) {
    case "Refused": {
      const code = waitsFor(outcome.permit) ?? "denied"
      return conflict(
        code,
        `judged again at ${outcome.price ?? "no price"} it may not be sent any more, and it has ended: ${reasonWithCode(code)}`
      )
    }
    case "Decided":
      return conflict("approval_decided", `it was ${outcome.decision} before, by ${outcome.by}`)
    case "Late":
      return conflict("approval_late", "its deadline has passed: nothing was done")
    case "Over":
      return conflict(`order_${outcome.status}`, `it does not wait any more: it is ${outcome.status}`)
    case "NotAsked":
      return conflict("approval_not_asked", "nobody is asked about this order")
    case "PriceUnknown":
      return conflict(
        "price_missing",
        "there is no fresh price to judge it by: nothing was done, press again"
      )
    case "PriceMoved":
      return conflict(
        "price_moved",
        `the price was ${outcome.from ?? "unknown"} when it was shown and is ${outcome.to} now: nothing was done, press again`
      )
  }
}

/** What the order would be bought or sold at now; null: nobody quotes it. */
const priceOf = (symbol: string, side: "buy" | "sell") =>
  Effect.gen(function* () {
    const market = yield* Market
    yield* market.lookUp(symbol, QUOTE_MS_MAX)
    return priceFor(freshQuote(market, yield* Clock.currentTimeMillis)(symbol), side)
  })

/** Answers what was asked about an order. */
export const answerOrder =
  (decision: ApprovalDecision) =>
  ({ caller, reason, target: id }: CommandRequest<"order.approve" | "order.decline">, { commandId }: Made) =>
    Effect.gen(function* () {
      if (!isUuid(id)) return yield* notFound
      const orders = yield* OrdersStore
      const commands = yield* OrderCommands
      const order = yield* orders.byId(id)
      if (order === null) return yield* notFound
      const price = decision === "approved" ? yield* priceOf(order.symbol, order.side) : null
      const answered = yield* commands.answer({
        orderId: id,
        decision,
        commandId,
        price,
        by: caller.by,
        reason,
        judge: yield* judgeNow
      })
      switch (answered._tag) {
        case "Missing":
          return yield* notFound
        case "Approved":
        case "Declined":
        case "Again":
          return {
            ...(yield* answerOf([answered.order])),
            decision,
            price: answered._tag === "Declined" ? null : answered.price,
            waits_for: answered._tag === "Approved" ? waitsFor(answered.permit) : null
          }
        case "Refused":
        case "Decided":
        case "Late":
        case "Over":
        case "NotAsked":
        case "PriceUnknown":
        case "PriceMoved":
          return yield* unanswered(answered)
      }
    })
