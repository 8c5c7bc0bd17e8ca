/**
 * share: which part of a position belongs to which strategy.
 *
 * An account nets: the venue knows one position per symbol, however many strategies trade it. Each strategy still has to
 * find what it holds, to close it, to protect it, and to leave the rest alone. So a position is divided into shares, moved
 * by the fills that move the position. A fill against the position is taken from the strategy that sent it, then from
 * what none of our orders caused, then from the others, oldest first; what is left of it opens a share on its own side.
 *
 * Promises: the shares of a position add up to it exactly, in any order of fills; no share has the other sign; a share
 * keeps the average price of its own entries, and what is closed of it gains or loses against that.
 * Never: reads a clock or a setting; decides which exit prices a share gets.
 */
import { BigDecimal } from "effect"
import type { Decimal } from "../kernel/decimal.ts"
import { averageOf, type Fill, signedQuantity } from "./fill.ts"
import { EXTERNAL } from "../kernel/settings.ts"

/** One strategy's part of one position. `quantity` is signed and not zero; `openedSeq` orders shares by age. */
export interface Share {
  readonly strategy: string
  readonly quantity: Decimal
  readonly averagePrice: Decimal
  readonly openedSeq: bigint
}

/** What a fill did to one share. `opened`: it was flat before, so its exit prices are set again. */
export interface ShareChange {
  readonly share: Share
  readonly change: "opened" | "increased" | "reduced" | "closed"
  /** Profit on the part that was closed, gross of fees; null when nothing was closed. */
  readonly profit: Decimal | null
}

const one: Decimal = BigDecimal.fromBigInt(1n)

const signOf = (value: Decimal): number => BigDecimal.sign(value)

/** The order in which a fill against the position takes from its shares. */
const takers = (shares: ReadonlyArray<Share>, strategy: string): ReadonlyArray<Share> => {
  const rank = (share: Share): number =>
    share.strategy === strategy ? 0 : share.strategy === EXTERNAL ? 1 : 2
  return shares.toSorted(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.openedSeq < b.openedSeq ? -1 : a.openedSeq > b.openedSeq ? 1 : 0) ||
      (a.strategy < b.strategy ? -1 : 1)
  )
}

/** Profit of closing `closed` (above zero) of a share at `price`; `units` is the contract multiplier. */
const profitOf = (share: Share, closed: Decimal, price: Decimal, units: Decimal): Decimal => {
  const profit = BigDecimal.multiplyAll([closed, BigDecimal.subtract(price, share.averagePrice), units])
  return BigDecimal.normalize(signOf(share.quantity) > 0 ? profit : BigDecimal.negate(profit))
}

/** Takes up to `quantity` (above zero) from shares of the other side; returns the changes and what is left of it. */
const takeFrom = (
  shares: ReadonlyArray<Share>,
  strategy: string,
  { price, quantity }: Pick<Fill, "price" | "quantity">,
  units: Decimal
): { readonly changes: ReadonlyArray<ShareChange>; readonly left: Decimal } => {
  const changes: Array<ShareChange> = []
  let left = quantity
  for (const share of takers(shares, strategy)) {
    if (BigDecimal.isZero(left)) break
    const size = BigDecimal.abs(share.quantity)
    const taken = BigDecimal.min(size, left)
    const rest = BigDecimal.normalize(BigDecimal.subtract(size, taken))
    left = BigDecimal.normalize(BigDecimal.subtract(left, taken))
    const signed = signOf(share.quantity) > 0 ? rest : BigDecimal.negate(rest)
    changes.push({
      share: { ...share, quantity: signed },
      change: BigDecimal.isZero(rest) ? "closed" : "reduced",
      profit: profitOf(share, taken, price, units)
    })
  }
  return { changes, left }
}

/**
 * Applies one fill of `strategy` (`EXTERNAL` when no order of ours caused it) to the shares of its position. `seq` names
 * the fill's place in time, for a share that it opens. Returns only what changed; each strategy at most once, except that
 * a fill which flips the position closes its own share and opens it again: then the opening is what counts,
 * with the profit of what it closed. `units` is the contract multiplier.
 */
export const applyToShares = (
  shares: ReadonlyArray<Share>,
  strategy: string,
  fill: Fill,
  seq: bigint,
  units: Decimal = one
): ReadonlyArray<ShareChange> => {
  const signed = signedQuantity(fill)
  const against = shares.filter(({ quantity }) => signOf(quantity) === -signOf(signed))
  const { changes, left } = takeFrom(against, strategy, fill, units)
  if (BigDecimal.isZero(left)) return changes
  const added = signOf(signed) > 0 ? left : BigDecimal.negate(left)
  const own = shares.find((share) => share.strategy === strategy && signOf(share.quantity) === signOf(signed))
  const next: ShareChange =
    own === undefined
      ? {
          share: {
            strategy,
            quantity: BigDecimal.normalize(added),
            averagePrice: fill.price,
            openedSeq: seq
          },
          change: "opened",
          profit: changes.find(({ share }) => share.strategy === strategy)?.profit ?? null
        }
      : {
          share: {
            ...own,
            quantity: BigDecimal.normalize(BigDecimal.sum(own.quantity, added)),
            averagePrice: averageOf(own.quantity, own.averagePrice, added, fill.price)
          },
          change: "increased",
          profit: null
        }
  return [...changes.filter(({ share }) => share.strategy !== strategy), next]
}
