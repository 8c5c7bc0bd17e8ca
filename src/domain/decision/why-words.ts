/**
 * why-words: what the codes of checks, orders and signals mean, in words, and how their numbers are written.
 *
 * Why apart: a denial has the same words wherever it is told: in the headline, at its check, and at the order that it ended.
 *
 * Promises: pure; a code without words is shown as it is stored; every number of a verdict is shown, also one that its sentence has no
 * place for.
 * Never: rounds an amount; only lengths of time are shown to the millisecond.
 */

/** The numbers of a verdict, as they were stored. */
export type Numbers = Readonly<Record<string, unknown>>

/** Each completes "because …" and "the reason: …". */
const reasons: Readonly<Record<string, string>> = {
  too_old: "the signal was too old",
  strategy_unknown: "it names a strategy that does not take signals of its source",
  symbol_continuous:
    "its symbol names no contract, only whichever is at the front, and the settings do not map it",
  no_strategy: "no strategy is subscribed to its source",
  wave_over: "its wave was over before it came",
  trading_halted: "trading is HALTED",
  trading_reducing: "trading is REDUCING, so nothing may be opened",
  account_disabled: "the account is disabled",
  account_not_reconciled: "the account is not reconciled with its broker",
  position_not_confirmed: "the broker has not confirmed the position",
  market_closed: "the market is closed",
  calendar_over: "the announced days of the market's calendar are over",
  size_price_missing: "its size follows from a price and there is none",
  size_equity_missing: "its size follows from what the account is worth, and a price for that is missing",
  size_too_small: "its size is less than the smallest step of the quantity",
  origin_missing: "nothing is known of the signal it comes from",
  duplicate: "this signal has its order already",
  side_policy: "the strategy may not hold a position on that side",
  symbol_not_listed: "the symbol is not on the list of the strategy",
  symbol_needs_operator: "an earlier order in the symbol needs an operator",
  symbol_unresolved: "the outcome of an earlier order in the symbol is unknown",
  position_disputed: "the broker and our fills disagree about the position",
  open_positions: "too many positions are open",
  per_symbol: "the symbol has too many open entries",
  orders_per_minute: "too many orders within a minute",
  orders_per_minute_busy: "another account was sending under the same limit of orders per minute",
  quantity: "the quantity is over its limit",
  price_missing: "limits in money need a price and there is none",
  notional: "the value of the order is over its limit",
  exposure: "the exposure would be over its limit",
  price_collar: "the price is too far from the market's",
  quote_missing: "the market has no fresh quote",
  buying_power: "the buying power does not suffice",
  figure_unknown: "the figure that its limit is compared with is unknown",
  breaker_open: "a circuit breaker is open",
  breaker_half_open: "a circuit breaker is half open",
  cooldown: "a cooldown is running",
  daily_loss: "the loss of the day has reached its limit",
  drawdown: "the drawdown has reached its limit",
  loss_streak: "as many closes in a row lost as the limit allows",
  approval: "a human is asked first",
  approval_declined: "a human declined it",
  approval_lapsed: "a human was asked and did not answer in time",
  strategy_shadow: "the strategy runs as a shadow and opens nothing",
  position_drift: "the sender reports another position than our books have",
  facts_missing: "other settings read what its facts do not have",
  nothing_to_close: "nothing is held that it could close",
  nothing_to_do: "what it asks for is held already",
  option_price_missing: "a contract cannot be chosen without the price of the underlying",
  option_not_listed: "the market lists no such contract",
  option_illiquid: "no contract is liquid enough for the strategy",
  votes_missing: "the agents of engine B were not asked",
  votes_quorum: "too few agents of engine B voted",
  votes_against: "the agents of engine B are against it",
  voter_missing: "the endpoint of engine C was not asked",
  voter_silent: "the endpoint of engine C has no vote",
  voter_against: "the endpoint of engine C is against it",
  voter_unsure: "the endpoint of engine C is not sure enough",
  option_expired: "the option has expired",
  option_written: "an alert may not write options",
  wish_unclear: "it does not state what it wants",
  stale: "it was not sent in time",
  superseded: "a later alert closed or replaced what it was to open",
  opening_works: "the order that opens what it is to close is still working",
  other_side_works: "an order on the other side may still fill",
  resting_order: "an order that rests in its way is cancelled first",
  makes_way: "an order that has to leave could not be as large as it must while this one rests",
  session_over: "the session of the order is over",
  trading_stopped: "trading was stopped while it rested",
  strategy_removed: "its strategy was removed from the settings",
  account_removed: "its account was removed from the settings",
  price_rounds_away: "its price is none in whole ticks",
  rests_across_zero: "what turns a position around goes at market only",
  price_for_several: "one price cannot be that of several contracts"
}

/** Why, as part of a sentence, with the code by which logs, lists and metrics name it. */
export const reasonWithCode = (code: string): string =>
  reasons[code] === undefined ? code : `${reasons[code]} (${code})`

/** A value as text. What a sender wrote is shown as it is. */
export const valueText = (value: unknown): string => {
  if (value === null || value === undefined) return "unknown"
  return typeof value === "string" ? value : JSON.stringify(value)
}

/** A length of time in seconds. */
export const secondsText = (ms: unknown): string =>
  typeof ms === "number" && Number.isFinite(ms) ? `${Math.round(ms) / 1_000} s` : valueText(ms)

/** Beyond these a number is no instant. */
const INSTANT_MS_MAX = 8.64e15

/** An instant of the clock as text in UTC. */
export const instantText = (ms: unknown): string =>
  typeof ms === "number" && Math.abs(ms) <= INSTANT_MS_MAX ? new Date(ms).toISOString() : valueText(ms)

/** One verdict's numbers, each of which is shown once. */
export interface NumberReader {
  /** The number as text; "unknown" when it is null or absent. */
  readonly text: (name: string) => string
  readonly seconds: (name: string) => string
  readonly instant: (name: string) => string
  /** True when it is there and not null. */
  readonly has: (name: string) => boolean
  readonly is: (name: string, value: unknown) => boolean
  /** Those that nobody asked for, as ` (a 1, b 2)`; empty when there are none. */
  readonly rest: () => string
}

/** Numbers of a verdict or of an event; null where a sentence reads none. */
export const readNumbers = (numbers: Numbers): NumberReader => {
  const told = new Set<string>()
  const read = (name: string): unknown => {
    told.add(name)
    return numbers[name]
  }
  return {
    text: (name) => valueText(read(name)),
    seconds: (name) => secondsText(read(name)),
    instant: (name) => instantText(read(name)),
    has: (name) => (numbers[name] ?? null) !== null,
    is: (name, value) => read(name) === value,
    rest: () => {
      const left = Object.entries(numbers).filter(([name, value]) => !told.has(name) && value !== null)
      const shown = left.map(([name, value]) =>
        name.endsWith("_at_ms") || name.endsWith("since_ms") || name.endsWith("until_ms")
          ? `${name.slice(0, -3).replaceAll("_", " ")} ${instantText(value)}`
          : `${name.replaceAll("_", " ")} ${valueText(value)}`
      )
      return shown.length === 0 ? "" : ` (${shown.join(", ")})`
    }
  }
}
