/**
 * sizing: how large an order may be, judged when it is decided and again when it is sent (T10).
 *
 * Between the two, positions move: a stop fires, another alert closes, a fill arrives late. So an order row carries a rule
 * and what was requested, and its quantity is computed from the holding at that moment. A reduce is bounded by what both
 * our fills and the venue confirm, less what is already working on its side; so however many closes, exits and reverses
 * are in flight at once, they end at zero and not beyond.
 *
 * An order that rests waits for a price and may never fill. It counts in full against every bound, but nobody may rely on it: what
 * would be cut, or sized, by one waits until that one is cancelled (`resting_order`), so that a close at a far price keeps no
 * stop from closing.
 *
 * Promises: pure; a reduce never takes a position through zero; under a one-sided policy, or while trading is REDUCING,
 * neither does anything else; an order that works at the venue counts in full until it has ended.
 * Never: looks at money, limits or a clock.
 */
import { BigDecimal } from "effect"
import { type Decimal, decimal, formatDecimal, zero } from "../kernel/decimal.ts"
import type { Side } from "../signals/signal.ts"
import type { Wish } from "../signals/wish.ts"

/** On which sides a strategy may hold a position. */
export type SidePolicy = "both" | "long_only" | "short_only"

/**
 * How the quantity follows from the holding.
 * `fixed`: what was requested, for a reduce at most what is there. `share`: all that the strategy holds. `open`: what is held
 * on the other side plus what was requested. `target`: the difference to the requested signed position.
 */
export const SIZINGS = ["fixed", "share", "open", "target"] as const
export type Sizing = (typeof SIZINGS)[number]

export interface Sides {
  readonly buy: Decimal
  readonly sell: Decimal
}

/** What may still fill, by side. */
export interface Live {
  /** Of all strategies, and of this one. */
  readonly live: Sides
  readonly ownLive: Sides
  /** The part of these that are entries; the others only reduce, however many they are. */
  readonly opening: Sides
  readonly ownOpening: Sides
}

/** What an account holds of one symbol, as one strategy sees it. Positions are signed, live quantities above or zero. */
export interface Holding extends Live {
  /** By our own fills. */
  readonly position: Decimal
  /** By the venue; null when it was not asked. */
  readonly confirmed: Decimal | null
  /** The strategy's own share. */
  readonly own: Decimal
  /** What belongs to none of our strategies. */
  readonly external: Decimal
  /** The part of what is live that rests. */
  readonly resting: Live
}

/** What decides whether an order may open. */
export interface Leave {
  readonly policy: SidePolicy
  /** Trading is REDUCING: nothing may be opened. */
  readonly reducing: boolean
}

/** A wish that became an order: its rule, and the quantity the rule yields now. */
export interface Sized {
  readonly _tag: "Order"
  readonly intent: "entry" | "reduce"
  readonly sizing: Sizing
  /** Decimal string, signed for a target; null for a share. */
  readonly wanted: string | null
  readonly side: Side
  /** Above zero. */
  readonly quantity: Decimal
  /** What it does to the position it meets. */
  readonly effect: "open" | "close" | "reverse"
  /** Shown in the trace when less was done than was requested. */
  readonly note: "nothing_opened" | null
}

export type Planned =
  | Sized
  | { readonly _tag: "Nothing"; readonly reason: "nothing_to_close" | "nothing_to_do" }

const opposite = (side: Side): Side => (side === "buy" ? "sell" : "buy")
const positive = (value: Decimal): Decimal => (BigDecimal.sign(value) > 0 ? value : zero)
const minus = BigDecimal.subtract
const isMore = BigDecimal.isGreaterThan

/** How much an order on this side finds against it: of a long for a sell, of a short for a buy. */
export const heldAgainst = (position: Decimal, side: Side): Decimal =>
  positive(side === "sell" ? position : BigDecimal.negate(position))

const net = ({ buy, sell }: Sides): Decimal => minus(buy, sell)

/**
 * A position when everything that works has filled. Each of ten waiting closes is as large as what is held, and together they
 * close it once: they end at zero and not beyond, so neither does this.
 */
const afterAll = (position: Decimal, live: Sides, opening: Sides): Decimal => {
  const opened = BigDecimal.sum(position, net(opening))
  const left = (side: Side): Decimal =>
    positive(minus(BigDecimal.abs(opened), minus(live[side], opening[side])))
  return BigDecimal.sign(opened) > 0 ? left("sell") : BigDecimal.negate(left("buy"))
}
const without = (all: Sides, some: Sides): Sides => ({
  buy: minus(all.buy, some.buy),
  sell: minus(all.sell, some.sell)
})
/** Whatever rests is left out: it may never fill. */
const projected = ({ live, opening, position, resting }: Holding): Decimal =>
  afterAll(position, without(live, resting.live), without(opening, resting.opening))
/**
 * What a target is measured against: the strategy's own share and the unowned part, with what it has working. What of it rests
 * is cancelled before the target's order leaves.
 */
const targetBase = ({ external, own, ownLive, ownOpening, resting }: Holding): Decimal =>
  BigDecimal.sum(
    afterAll(own, without(ownLive, resting.ownLive), without(ownOpening, resting.ownOpening)),
    external
  )
/** What rests and only reduces. */
const restingCloses = ({ resting }: Holding): Sides => without(resting.live, resting.opening)
const ownRestingCloses = ({ resting }: Holding): Sides => without(resting.ownLive, resting.ownOpening)

/** Whether the policy lets a position be opened on this side. */
export const permits = (policy: SidePolicy, side: Side): boolean =>
  policy === "both" || policy === (side === "buy" ? "long_only" : "short_only")

/** Whether an order of this size would carry the position through zero. */
export const crosses = (position: Decimal, side: Side, quantity: Decimal): boolean => {
  const against = heldAgainst(position, side)
  return BigDecimal.sign(against) > 0 && isMore(quantity, against)
}

const effectOf = (position: Decimal, side: Side, quantity: Decimal): Sized["effect"] => {
  if (BigDecimal.isZero(heldAgainst(position, side))) return "open"
  return crosses(position, side, quantity) ? "reverse" : "close"
}

const entry = (holding: Holding, sizing: Sizing, side: Side, wanted: string, quantity: Decimal): Sized => ({
  _tag: "Order",
  intent: "entry",
  sizing,
  wanted,
  side,
  quantity,
  effect: effectOf(projected(holding), side, quantity),
  note: null
})

const reduce = (
  sizing: Sizing,
  side: Side,
  wanted: string | null,
  quantity: Decimal,
  note: Sized["note"] = null
): Sized => ({ _tag: "Order", intent: "reduce", sizing, wanted, side, quantity, effect: "close", note })

/** All of the strategy's own share, which is on the other side of `side`. */
const closeShare = (holding: Holding, side: Side, note: Sized["note"]): Sized | null => {
  const against = heldAgainst(holding.own, side)
  return BigDecimal.isZero(against) ? null : reduce("share", side, null, against, note)
}

/** To be on `side` with `quantity`. Where opening there is not permitted, what is held on the other side is closed instead. */
const planOpen = (holding: Holding, leave: Leave, side: Side, quantity: string): Planned => {
  const oneSided = leave.policy !== "both" || leave.reducing
  // A strategy that may not flip a position closes nothing of the other side on the way.
  const against = oneSided ? zero : heldAgainst(projected(holding), side)
  const held = heldAgainst(holding.position, side)
  if (oneSided && !BigDecimal.isZero(held)) {
    const closing = closeShare(holding, side, "nothing_opened")
    if (closing !== null) return closing
  }
  return entry(holding, "open", side, quantity, BigDecimal.sum(against, decimal(quantity)))
}

const planPlain = (holding: Holding, leave: Leave, side: Side, quantity: string): Planned => {
  const wanted = decimal(quantity)
  const against = heldAgainst(holding.position, side)
  const oneSided = leave.policy !== "both" || leave.reducing
  // Where nothing is held against it, the wish stays an entry, so that policy or trading state deny it with their numbers.
  if (oneSided && !BigDecimal.isZero(against))
    return reduce("fixed", side, quantity, BigDecimal.min(wanted, against))
  return entry(holding, "fixed", side, quantity, wanted)
}

/** The side that closes: the sender's, else against what is held, else against what is about to be. */
const closingSide = (wished: Side | null, held: Decimal, coming: Sides): Side | null => {
  if (wished !== null) return wished
  const sign = BigDecimal.sign(held)
  if (sign !== 0) return sign > 0 ? "sell" : "buy"
  if (isMore(coming.buy, coming.sell)) return "sell"
  return isMore(coming.sell, coming.buy) ? "buy" : null
}

/**
 * Nothing is held, but an order of the strategy is about to open: the close waits for it instead of being lost. A close that waits
 * opens nothing: counted here, closes would close each other, each larger than the one before.
 */
const planClose = (holding: Holding, wished: Side | null, quantity: string | null): Planned => {
  const held = quantity === null ? holding.own : holding.position
  const side = closingSide(wished, held, holding.ownOpening)
  const nothing: Planned = { _tag: "Nothing", reason: "nothing_to_close" }
  if (side === null) return nothing
  const there = heldAgainst(held, side)
  const coming = holding.ownOpening[opposite(side)]
  const most = BigDecimal.isZero(there) ? coming : there
  if (BigDecimal.isZero(most)) return nothing
  return quantity === null
    ? reduce("share", side, null, most)
    : reduce("fixed", side, quantity, BigDecimal.min(decimal(quantity), most))
}

const planReverse = (holding: Holding, leave: Leave, wished: Side | null, quantity: string): Planned => {
  const now = projected(holding)
  const side = wished ?? (BigDecimal.isZero(now) ? null : BigDecimal.sign(now) > 0 ? "sell" : "buy")
  return side === null
    ? { _tag: "Nothing", reason: "nothing_to_do" }
    : planOpen(holding, leave, side, quantity)
}

const planTarget = (holding: Holding, leave: Leave, position: string): Planned => {
  const base = targetBase(holding)
  const delta = minus(decimal(position), base)
  if (BigDecimal.isZero(delta)) return { _tag: "Nothing", reason: "nothing_to_do" }
  const side: Side = BigDecimal.sign(delta) > 0 ? "buy" : "sell"
  const quantity = BigDecimal.normalize(BigDecimal.abs(delta))
  const against = heldAgainst(holding.position, side)
  const onlyReduces = !isMore(quantity, heldAgainst(base, side)) && !isMore(quantity, against)
  if (onlyReduces) return reduce("target", side, position, quantity)
  if ((leave.policy !== "both" || leave.reducing) && !BigDecimal.isZero(against)) {
    const closing = closeShare(holding, side, "nothing_opened")
    if (closing !== null) return closing
  }
  return entry(holding, "target", side, position, quantity)
}

/** A wish as an order, by the holding at the decision. All orders that have not ended count as live. */
export const planSize = (wish: Wish, holding: Holding, leave: Leave): Planned => {
  switch (wish.kind) {
    case "plain":
      return planPlain(holding, leave, wish.side, wish.quantity)
    case "open":
      return planOpen(holding, leave, wish.side, wish.quantity)
    case "reverse":
      return planReverse(holding, leave, wish.side, wish.quantity)
    case "close":
      return planClose(holding, wish.side, wish.quantity)
    case "target":
      return planTarget(holding, leave, wish.position)
  }
}

/** The parts of an order row that its quantity follows from. */
export interface SizedOrder {
  readonly intent: "entry" | "reduce"
  readonly sizing: Sizing
  readonly wanted: string | null
  readonly side: Side
  readonly quantity: string
  /** How often it was sent already: the venue may have an order of its quantity under its id. */
  readonly sends: number
  /** It may close its strategy's own share alone, as an operator's close does, and one of a partly filled entry. */
  readonly ownOnly?: boolean
}

export type SendSize =
  | { readonly _tag: "Send"; readonly quantity: Decimal }
  /** Nothing is left for it to do. */
  | { readonly _tag: "Nothing"; readonly code: "nothing_to_close" | "nothing_to_do" }
  /**
   * Not now: `position_not_confirmed` needs the venue's confirmation, `opening_works` the end of an order of the strategy,
   * `other_side_works` the end of one that may yet put the position on the other side, `resting_order` the cancel of those that
   * rest in its way.
   */
  | {
      readonly _tag: "Wait"
      readonly code: "position_not_confirmed" | "opening_works" | "other_side_works" | "resting_order"
    }

const sizeReduce = (order: SizedOrder, holding: Holding): SendSize => {
  const { side } = order
  const ours = heldAgainst(holding.position, side)
  const { confirmed } = holding
  // Where we hold nothing there is nothing to confirm.
  if (confirmed === null && !BigDecimal.isZero(ours)) return { _tag: "Wait", code: "position_not_confirmed" }
  const held = confirmed === null ? zero : BigDecimal.min(ours, heldAgainst(confirmed, side))
  const bound = minus(held, holding.live[side])
  const share = minus(heldAgainst(holding.own, side), holding.ownLive[side])
  const wanted =
    order.sizing === "share"
      ? share
      : order.sizing === "target"
        ? positive(
            side === "sell"
              ? minus(targetBase(holding), decimal(order.wanted ?? "0"))
              : minus(decimal(order.wanted ?? "0"), targetBase(holding))
          )
        : decimal(order.wanted ?? order.quantity)
  const most = order.ownOnly === true ? BigDecimal.min(bound, share) : bound
  const quantity = BigDecimal.min(most, wanted)
  const isCut = !BigDecimal.isZero(restingCloses(holding)[side]) && isMore(wanted, quantity)
  const isShared = order.sizing !== "fixed" && !BigDecimal.isZero(ownRestingCloses(holding)[side])
  if (isCut || isShared) return { _tag: "Wait", code: "resting_order" }
  if (BigDecimal.sign(quantity) > 0) return { _tag: "Send", quantity }
  if (order.sizing === "target") return { _tag: "Nothing", code: "nothing_to_do" }
  // The position it is to close is still being opened: if it ended now, the close would be lost.
  const opens = BigDecimal.sign(holding.ownLive[opposite(side)]) > 0
  return opens ? { _tag: "Wait", code: "opening_works" } : { _tag: "Nothing", code: "nothing_to_close" }
}

/** The position if everything on the other side of an order fills before it does. */
const worstAgainst = (holding: Holding, side: Side): Decimal =>
  side === "buy"
    ? minus(holding.position, holding.live.sell)
    : BigDecimal.sum(holding.position, holding.live.buy)

/** Whether something rests that an entry contradicts: a close of what it turns around, or what its strategy wanted before it. */
const meetsResting = ({ side, sizing }: SizedOrder, holding: Holding): boolean => {
  const some = (quantity: Decimal): boolean => !BigDecimal.isZero(quantity)
  if (sizing === "target") return some(holding.resting.ownLive.buy) || some(holding.resting.ownLive.sell)
  if (sizing === "open" && some(holding.resting.ownOpening[opposite(side)])) return true
  return some(heldAgainst(holding.position, side)) && some(restingCloses(holding)[side])
}

const sizeEntry = (order: SizedOrder, holding: Holding, policy: SidePolicy): SendSize => {
  if (meetsResting(order, holding)) return { _tag: "Wait", code: "resting_order" }
  const size = entrySize(order, holding, policy)
  if (size._tag !== "Send" || policy === "both") return size
  // What is held on the other side now is the risk check's to deny; what may still fill there is waited for, all of it.
  const now = heldAgainst(holding.position, order.side)
  const worst = heldAgainst(worstAgainst(holding, order.side), order.side)
  return BigDecimal.isZero(now) && !BigDecimal.isZero(worst)
    ? { _tag: "Wait", code: "other_side_works" }
    : size
}

const entrySize = (order: SizedOrder, holding: Holding, policy: SidePolicy): SendSize => {
  const { side } = order
  const wanted = decimal(order.wanted ?? order.quantity)
  switch (order.sizing) {
    case "open":
      return {
        _tag: "Send",
        quantity: policy === "both" ? BigDecimal.sum(heldAgainst(projected(holding), side), wanted) : wanted
      }
    case "target": {
      const delta = minus(wanted, targetBase(holding))
      // Past its target, or on the other side of it: it was not judged for that side.
      const quantity = positive(side === "buy" ? delta : BigDecimal.negate(delta))
      return BigDecimal.isZero(quantity)
        ? { _tag: "Nothing", code: "nothing_to_do" }
        : { _tag: "Send", quantity }
    }
    case "fixed":
    case "share":
      return { _tag: "Send", quantity: wanted }
  }
}

/**
 * The quantity to send now. Only what the venue has, or may have, counts as live; the order itself does not. A resend
 * is at most what was sent before: under its id the venue may have an order of that size.
 */
export const sizeToSend = (order: SizedOrder, holding: Holding, policy: SidePolicy): SendSize => {
  const size = order.intent === "reduce" ? sizeReduce(order, holding) : sizeEntry(order, holding, policy)
  if (size._tag !== "Send" || order.sends === 0) return size
  return { ...size, quantity: BigDecimal.min(size.quantity, decimal(order.quantity)) }
}

/** For the trace. */
export const holdingNumbers = (holding: Holding): Readonly<Record<string, string | null>> => ({
  position: formatDecimal(holding.position),
  confirmed: holding.confirmed === null ? null : formatDecimal(holding.confirmed),
  share: formatDecimal(holding.own),
  live_buy: formatDecimal(holding.live.buy),
  live_sell: formatDecimal(holding.live.sell)
})
