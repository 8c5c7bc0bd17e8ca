/**
 * approval: an entry that a human is asked about before it is sent (G9).
 *
 * What opens may wait for a person; what closes never does. So a wish of a strategy that asks first is taken apart: the part
 * that closes what the strategy holds leaves at once, and only the part that opens waits. While it waits it is `held`, counts
 * in every check like any other order that is held (T10), and is judged once more by the permit when it is let go.
 *
 * Promises: pure; a press counts once, and only before the deadline; both parts together are as large as the whole; the closing
 * part never exceeds the strategy's own share.
 * Never: reads a clock or a price; lets an order go that nobody, and no rule of the settings, has approved.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, formatDecimal } from "../kernel/decimal.ts"
import type { ApprovalSettings } from "../kernel/settings.ts"
import type { OrderStatus } from "./order.ts"
import { heldAgainst, type Holding, type Sized } from "./sizing.ts"

/** The reason of an entry that waits for a human, and the name of its check. */
export const APPROVAL = "approval"
/** The reasons of one that was not approved: by a human, and because nobody answered. */
export const DECLINED = "approval_declined"
export const LAPSED = "approval_lapsed"
/** Who decided where nobody did. */
export const BY_DEADLINE = "deadline"

/** The leg of the closing part. What opens is leg 0: only closes of several symbols have more legs, and they open nothing. */
export const CLOSING_LEG = 1

export const APPROVAL_DECISIONS = ["approved", "declined"] as const
export type ApprovalDecision = (typeof APPROVAL_DECISIONS)[number]

/** What an entry is asked for with. */
export interface PlannedApproval extends ApprovalSettings {
  /** The price that it is shown with; null: there was none. */
  readonly price: string | null
}

/** A wish in two: what closes, which is not asked about, and what opens. */
interface ApprovalParts {
  readonly closes: Sized | null
  readonly opens: Sized | null
}

const closing = (whole: Sized, sizing: "fixed" | "share", quantity: Decimal): Sized => ({
  _tag: "Order",
  intent: "reduce",
  sizing,
  wanted: sizing === "share" ? null : formatDecimal(quantity),
  side: whole.side,
  quantity,
  effect: "close",
  note: null
})

/** Takes apart what a strategy that asks first wishes. */
export const approvalParts = (whole: Sized, holding: Holding): ApprovalParts => {
  if (whole.intent === "reduce") return { closes: whole, opens: null }
  const own = BigDecimal.min(heldAgainst(holding.own, whole.side), heldAgainst(holding.position, whole.side))
  const closes = BigDecimal.min(own, whole.quantity)
  if (BigDecimal.sign(closes) <= 0) return { closes: null, opens: whole }
  const rest = BigDecimal.subtract(whole.quantity, closes)
  // A plain order is as large as it says; the others follow from what is held when they leave.
  const isPlain = whole.sizing === "fixed"
  const takesAll = BigDecimal.equals(closes, heldAgainst(holding.own, whole.side))
  return {
    closes: closing(whole, !isPlain && takesAll ? "share" : "fixed", closes),
    opens:
      BigDecimal.sign(rest) <= 0
        ? null
        : { ...whole, quantity: rest, effect: "open", ...(isPlain ? { wanted: formatDecimal(rest) } : {}) }
  }
}

/** An order that was asked about, as its rows are while they are locked. */
export interface AskedOrder {
  readonly status: OrderStatus
  readonly decision: ApprovalDecision | null
  /** The command that decided. */
  readonly decidedBy: string | null
  /** Its deadline, or its `valid_until`, has passed. */
  readonly isLate: boolean
  /** What whoever decides was shown last. */
  readonly price: string | null
  readonly priceMovePctMax: string | null
}

export interface Press {
  readonly decision: ApprovalDecision
  readonly commandId: string
  /** The price now; null: there is none. */
  readonly price: string | null
}

type Pressed =
  /** The press decides. */
  | "take"
  /** It did before, and is handled again. */
  | "repeat"
  /** Somebody else decided, or the deadline did. */
  | "decided"
  | "late"
  /** It waits no more: it was cancelled, say. */
  | "over"
  /** Nothing is approved without a price. */
  | "price_unknown"
  /** The price has moved further than the strategy allows since it was shown: it is shown again. */
  | "price_moved"

/** By how many percent a price has moved. */
const movedPct = (from: Decimal, to: Decimal): Decimal | null =>
  BigDecimal.isZero(from)
    ? null
    : BigDecimal.divideUnsafe(
        BigDecimal.multiply(BigDecimal.abs(BigDecimal.subtract(to, from)), decimal("100")),
        BigDecimal.abs(from)
      )

const hasMoved = ({ price: shown, priceMovePctMax }: AskedOrder, price: string): boolean => {
  if (priceMovePctMax === null) return false
  // What was shown without a price was shown to nobody who could judge it.
  const moved = shown === null ? null : movedPct(decimal(shown), decimal(price))
  return moved === null || BigDecimal.isGreaterThan(moved, decimal(priceMovePctMax))
}

/** What a press does. */
export const pressed = (asked: AskedOrder, { commandId, decision, price }: Press): Pressed => {
  if (asked.decision !== null)
    return asked.decidedBy === commandId && asked.decision === decision ? "repeat" : "decided"
  if (asked.status !== "held") return "over"
  if (asked.isLate) return "late"
  if (decision === "declined") return "take"
  if (price === null) return "price_unknown"
  return hasMoved(asked, price) ? "price_moved" : "take"
}

/** What becomes of an entry whose deadline has passed without an answer. */
export const lapsed = ({ otherwise }: Pick<ApprovalSettings, "otherwise">): ApprovalDecision =>
  otherwise === "allow" ? "approved" : "declined"
