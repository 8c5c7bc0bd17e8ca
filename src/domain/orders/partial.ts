/**
 * partial: what is done about an entry of which only a part trades, by the policy of its strategy (E6, W11).
 *
 * What has traded cannot be taken back: it is kept, closed by an order of the same kind as every other close, or left to a
 * human. A rest that still works may be cancelled first; then the entry ends, and is judged again as one that has.
 *
 * Promises: pure; an entry is judged when its fills are known to be all there are, so that it is closed once and whole.
 * Never: decides how much a close may be when it leaves (sizing.ts), or touches what has no fills.
 */
import { BigDecimal } from "effect"
import type { Decimal } from "../kernel/decimal.ts"
import type { PartialPolicy } from "../kernel/settings.ts"
import type { OrderStatus } from "./order.ts"

/** The `exitKind` of a close of what a partly filled entry has brought. */
export const COMPENSATION = "compensation"

/** What was done about it. `due`: a fill came after it was judged, so it is judged again. */
export const PARTIAL_MARKS = ["kept", "closed", "left", "due"] as const
export type PartialMark = (typeof PARTIAL_MARKS)[number]

/** How an order ends at its venue with less than was ordered. */
export const SHORT_ENDS: ReadonlySet<OrderStatus> = new Set<OrderStatus>(["cancelled", "expired", "rejected"])

export interface PartialTerms {
  readonly policy: PartialPolicy
  /** Milliseconds without another fill after which the rest is given up; null: never. */
  readonly restMsMax: number | null
}

/** How a close of such fills ends before its venue had it: whoever took it back has not closed them. */
export const UNSENT_ENDS: ReadonlySet<OrderStatus> = new Set<OrderStatus>(["expired_unsent", "withdrawn"])

/** How such a close ends with less than it was to close, so that the rest is closed by another one. */
export const CLOSE_SHORT_ENDS: ReadonlySet<OrderStatus> = new Set<OrderStatus>([
  "cancelled",
  "expired",
  "rejected",
  ...UNSENT_ENDS
])

/** A strategy that is gone from the settings closes nothing. */
export const partialTermsOf = (
  strategy: { readonly onPartialFill: PartialPolicy; readonly partialFillMsMax: number | null } | undefined
): PartialTerms => ({
  policy: strategy?.onPartialFill ?? "keep",
  restMsMax: strategy?.partialFillMsMax ?? null
})

export type PartialStep = "keep" | "close" | "leave" | "cancel_rest"

/** What is due for a partly filled entry; null: nothing yet. `idleMs`: since its row changed. */
export const partialStep = (
  { isOver, idleMs }: { readonly isOver: boolean; readonly idleMs: number },
  { policy, restMsMax }: PartialTerms
): PartialStep | null => {
  if (isOver) return policy
  if (restMsMax === null || idleMs < restMsMax) return null
  return policy === "leave" ? "leave" : "cancel_rest"
}

/**
 * How much of an entry's fills the next close of them takes over; zero or less: nothing. `opened`: what its
 * fills added to the share, which is less than they are where they turned a position around; `closed`: what its other closes have
 * taken over. `before`: the close that ended short and that this one follows, null for the first one. It finishes that one
 * and no more, since what the entry filled later is judged by the policy of then; and never more than the entry has open,
 * since a close may have filled after it was followed.
 */
export const leftToClose = (
  entry: { readonly opened: Decimal; readonly closed: Decimal },
  before: { readonly wanted: Decimal; readonly filled: Decimal } | null
): Decimal => {
  const open = BigDecimal.subtract(entry.opened, entry.closed)
  return before === null ? open : BigDecimal.min(open, BigDecimal.subtract(before.wanted, before.filled))
}
