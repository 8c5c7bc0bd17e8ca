/**
 * positioning: what the holders of a perpetual or a future hold, and what they pay for it.
 *
 * Promises: a field that the market does not have is null and never zero.
 * Never: decides anything: nothing here is read by an order.
 */

/** What the holders of a perpetual pay each other for it. */
export interface Funding {
  /** The share of a position's value that is paid, a decimal: positive when longs pay shorts. */
  readonly rate: string
  /** When it is paid next, epoch milliseconds. */
  readonly atMs: number
}

export interface Positioning {
  /** The contract it is about: that of the request, or the perpetual on the pair that was asked about. */
  readonly symbol: string
  /** Contracts that are open, a decimal. */
  readonly openInterest: string | null
  /** The same a day earlier. */
  readonly openInterestDayAgo: string | null
  /** Null also for what has none, such as a future that expires. */
  readonly funding: Funding | null
}

export interface PositioningRequest {
  readonly symbol: string
  readonly atMs: number
}
