/**
 * telegram-asked: what a phone is shown of an entry that waits for a human.
 *
 * Promises: price, value, what the position becomes, until when, and what happens without an answer are in every question.
 * Never: promises that it is sent: it is judged again at the press.
 */
import { BigDecimal } from "effect"
import { decimal, formatDecimal } from "../kernel/decimal.ts"
import { bold, escaped } from "./telegram-text.ts"

/** An entry that is asked about. Amounts are decimal strings. */
export interface AskedEntry {
  readonly orderId: string
  readonly account: string
  readonly strategy: string
  readonly symbol: string
  readonly side: "buy" | "sell"
  readonly quantity: string
  /** Its type with its own prices, such as `limit 99`. */
  readonly terms: string
  /** Signed: what the account holds of the symbol. */
  readonly position: string
  /** Null: nobody quoted it. */
  readonly price: string | null
  readonly otherwise: "deny" | "allow"
  /** Epoch milliseconds. */
  readonly answerByMs: number
}

/** What it is, in a few words. */
export const askedName = ({
  account,
  quantity,
  side,
  strategy,
  symbol
}: Pick<AskedEntry, "account" | "quantity" | "side" | "strategy" | "symbol">): string =>
  `${side} ${quantity} ${symbol} in ${account} for ${strategy}`

const worth = ({ price, quantity }: AskedEntry, multiplier: BigDecimal.BigDecimal): string =>
  price === null
    ? "Nobody quotes it now."
    : `At ${price}, worth ${formatDecimal(BigDecimal.multiply(BigDecimal.multiply(decimal(price), decimal(quantity)), multiplier))}.`

const positionAfter = ({ position, quantity, side }: AskedEntry): string =>
  formatDecimal(
    side === "buy"
      ? BigDecimal.sum(decimal(position), decimal(quantity))
      : BigDecimal.subtract(decimal(position), decimal(quantity))
  )

/** The question. */
export const askedHtml = (asked: AskedEntry, multiplier: BigDecimal.BigDecimal): string =>
  [
    `${bold("Approve?")} ${escaped(askedName(asked))}`,
    escaped(
      `${asked.terms === "market" ? "" : `Its type is ${asked.terms}. `}${worth(asked, multiplier)} The position goes from ${asked.position} to ${positionAfter(asked)}.`
    ),
    `Until ${new Date(asked.answerByMs).toISOString().slice(11, 19)} UTC, then it is ${asked.otherwise === "allow" ? "sent unasked" : "not sent"}. At the press it is judged again at the price of then.`
  ].join("\n")
