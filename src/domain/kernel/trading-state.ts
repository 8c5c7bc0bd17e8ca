/**
 * Trading state: how far an operator lets this installation, an account or a strategy trade.
 *
 * Why in the kernel: orders are judged by it, control changes it, health shows it.
 *
 * Promises: the names are in the order of restriction, the freest first.
 * Never: defines what a state permits; the risk checks do (T6).
 */
export const TRADING_STATES = ["ACTIVE", "REDUCING", "HALTED"] as const
export type TradingStateName = (typeof TRADING_STATES)[number]

/** Whether `state` restricts more than `other`. */
export const isStricter = (state: TradingStateName, other: TradingStateName): boolean =>
  TRADING_STATES.indexOf(state) > TRADING_STATES.indexOf(other)
