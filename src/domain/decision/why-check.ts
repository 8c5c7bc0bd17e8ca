/**
 * why-check: one recorded check of a decision as a sentence with its numbers.
 *
 * Promises: pure; each check of `riskTable` and of the plan has a sentence of its own, a check of a later version is shown with its
 * name and numbers; a limit that is switched off says so.
 * Never: judges again: whether it passed is what was recorded.
 */
import { type NumberReader, type Numbers, readNumbers, reasonWithCode } from "./why-words.ts"

/** A check as it was stored with its decision. */
export interface StoredCheck {
  readonly check: string
  readonly ok: boolean
  readonly code?: string | null | undefined
  readonly numbers?: Numbers | undefined
  readonly strategy?: string | null | undefined
  readonly account?: string | null | undefined
  readonly leg?: number | null | undefined
}

type Sentence = (n: NumberReader, check: StoredCheck) => string

/** A check against a limit that may be off: what it compared, then the limit. */
const limited =
  (compared: Sentence, limit: (n: NumberReader) => string = (n) => n.text("limit")): Sentence =>
  (n, check) =>
    n.has("limit") ? `${compared(n, check)}; the limit is ${limit(n)}` : "no limit is set"

const scopeOf = (n: NumberReader): string => (n.has("scope") ? `${n.text("scope")}: ` : "")

const effects: Readonly<Record<string, string>> = {
  open: "opens a position",
  close: "closes what is held",
  reverse: "closes what is held and opens the other side"
}

const sizings: Readonly<Record<string, string>> = {
  notional: "the value of an entry",
  equityPct: "a percentage of what the account is worth",
  riskPct: "the percentage that is lost at the stop",
  fixed: "the quantity of the strategy",
  sender: "the quantity of the sender"
}

const engine: Sentence = (n, { code, ok }) => {
  if (!n.has("symbol")) {
    const why = code === null || code === undefined ? "it gave no reason" : reasonWithCode(code)
    return ok ? `the engine asks for nothing: ${why}` : `the engine could not decide: ${why}`
  }
  const effect = n.text("intent")
  const wish = `the engine wants to ${n.text("side")} ${n.text("quantity")} ${n.text("symbol")}, which ${effects[effect] ?? effect}`
  // Empty where the sender named all of the contract.
  const chosen = n.has("chosen") && !n.is("chosen", "") ? `; it chose the contract's ${n.text("chosen")}` : ""
  const note = n.is("note", "nothing_opened")
    ? "; nothing is opened on the other side, which policy or trading state forbid"
    : ""
  return `${wish}${chosen}${note}`
}

const kinds: Readonly<Record<string, string>> = {
  market: "at market",
  limit: "with a limit",
  stop: "with a stop, at market from there",
  stop_limit: "with a stop and a limit from there"
}
const times: Readonly<Record<string, string>> = {
  day: "to the end of the session",
  gtc: "until it is cancelled",
  ioc: "only now, and what does not trade at once is cancelled"
}

/** Kind, prices and time in force of an order. */
const orderType: Sentence = (n, { code }) => {
  const type = n.text("type")
  const time = n.text("time_in_force")
  const price = (name: string, own: string, asked: string): string => {
    if (!n.has(own)) return ""
    const [sent, wanted] = [n.text(own), n.text(asked)]
    return `; its ${name} is ${sent}${sent === wanted ? "" : `, ${wanted} in whole ticks`}`
  }
  const prices = `${price("limit", "limit_price", "asked_limit")}${price("stop", "stop_price", "asked_stop")}`
  const tick = n.has("tick") ? `; the tick is ${n.text("tick")}` : ""
  const words = `the order is ${kinds[type] ?? type} and works ${times[time] ?? time}${prices}${tick}`
  if (code === "price_rounds_away") return `${words}; in whole ticks that is no price`
  if (code === "rests_across_zero")
    return `${words}; it would close what is held and open the other side, which only an order at market may`
  return words
}

/** What the agents of engine B said of an order that opens. */
const votes: Sentence = (n, { code }) => {
  const cast = `${n.text("voters")} agents voted, ${n.text("quorum")} are needed`
  if (code === "votes_missing") return "engine B decides, and its agents were not asked"
  if (code === "votes_quorum") return cast
  return `${cast}; together they come to ${n.text("score")}, and an order opens from ${n.text("threshold")}`
}

/** What the endpoint of engine C said of an order that opens. */
const voter: Sentence = (n, { code }) => {
  const name = `the endpoint ${n.text("voter")} of engine C`
  if (code === "voter_missing") return `${name} decides, and it was not asked`
  const why = n.has("reason") ? `: ${n.text("reason")}` : ""
  if (n.is("vote", "abstain"))
    return `${name} is silent${why}; then ${n.is("silence", "rules") ? "the rules alone decide" : "nothing opens"}`
  return `${name} votes ${n.text("vote")} with a confidence of ${n.text("confidence")}, and an order opens from ${n.text("confidence_min")}${why}`
}

const symbol: Sentence = (n, { ok }) => {
  if (!ok) return `"${n.text("given")}" names no contract; what helps: ${n.text("hint")}`
  const how = n.text("how")
  const meanings: Readonly<Record<string, string>> = {
    as_given: "as it was given",
    mapped: "by the settings' symbols",
    prefix_dropped: "without the exchange it was prefixed with",
    continuous_as_given: "the continuous contract itself, which practice can trade"
  }
  const invented = n.is("price_invented", true)
    ? "; in practice its price is invented and nobody quoted it"
    : ""
  return `"${n.text("given")}" means ${n.text("symbol")}, ${meanings[how] ?? how}${invented}`
}

const instrument: Sentence = (n) => {
  const assumed = n.is("assumed", true) ? ", assumed because nothing lists it" : ""
  const asOf = n.has("as_of") ? ` of ${n.text("as_of")}` : ""
  return `${n.text("symbol")} is of the kind ${n.text("kind")} with multiplier ${n.text("multiplier")}, tick ${n.text("tick")}, lot ${n.text("lot")}, in ${n.text("currency")} (from: ${n.text("basis")}${asOf}${assumed})`
}

const breaker: Sentence = (n) => {
  if (!n.has("breaker")) return "no circuit breaker that concerns the order is open"
  const until = n.has("until_ms") ? ` until ${n.instant("until_ms")}` : ""
  return `the circuit breaker ${n.text("breaker")} of the ${n.text("kind")} is ${n.text("state")}${until}, by ${n.text("by")}: ${n.text("reason")}`
}

const collar: Sentence = limited(
  (n) => {
    const given = n.has("given") ? `, the alert's price ${n.text("given")}` : ""
    // Only what a limit is worse by counts: a better one may be as far away as it likes.
    return n.has("side")
      ? `${scopeOf(n)}the ${n.text("side")} has the price ${n.text("price")}${given}, the market is at ${n.text("last")}: worse by ${n.text("deviation")} %`
      : `${scopeOf(n)}the price ${n.text("price")}${given} and the market's ${n.text("last")} are ${n.text("deviation")} % apart`
  },
  (n) => `${n.text("limit")} %`
)

const cooldown: Sentence = limited(
  (n) =>
    `${scopeOf(n)}after a ${n.text("after")} entries pause${n.has("until_ms") ? `, here until ${n.instant("until_ms")}` : "; none is running"}`,
  (n) => n.seconds("limit")
)

const buyingPower: Sentence = (n) => {
  if (!n.has("multiple"))
    return `no limit is set; the exposure would be ${n.text("after")}, the money is ${n.text("money")}`
  const venue = n.has("venue_usable")
    ? `; the broker lets ${n.text("venue_usable")} be used and ${n.text("venue_needed")} is needed`
    : "; the broker has reported no recent figure"
  return `the exposure would be ${n.text("after")}, the limit is ${n.text("limit")} (${n.text("multiple")} times the money of ${n.text("money")})${venue}`
}

/** How a failed loss rule that has tripped before reads. */
const tripped = (n: NumberReader): string =>
  n.is("tripped", true) ? ", and the rule has stopped the scope until an operator resumes it" : ""
const since = (n: NumberReader): string => (n.has("since_ms") ? ` since ${n.instant("since_ms")}` : "")

const sentences: Readonly<Record<string, Sentence>> = {
  engine,
  order_type: orderType,
  votes,
  voter,
  symbol,
  instrument,
  strategy: (n) => `no strategy named ${n.text("strategy")} takes signals of this source`,
  drift: (n) =>
    `the sender reports that it was ${n.text("reported")}, our books have ${n.text("held")} with ${n.text("share")}: an earlier alert is missing`,
  trading_state: (n) => `the trading state of ${n.text("scope")} is ${n.text("state")}`,
  account_enabled: (n) => `the account is ${n.is("enabled", true) ? "enabled" : "disabled"}`,
  reconciled: (n) => {
    if (n.has("confirmed"))
      return n.is("confirmed", true)
        ? "the position is confirmed, or will be before it is sent"
        : "the broker has not confirmed the position"
    return n.has("reconciled_at_ms")
      ? `the account was reconciled with its broker at ${n.instant("reconciled_at_ms")}`
      : "the account is not reconciled with its broker"
  },
  approval: (n) =>
    `a human is asked and has ${n.seconds("deadline_ms")} to answer${n.has("price") ? `, with the price ${n.text("price")}` : ""}; without an answer it is ${n.is("otherwise", "allow") ? "sent unasked" : "not sent"}`,
  stage: (n) =>
    `the strategy runs as a shadow by ${n.text("by")}${n.has("reason") ? `, because ${n.text("reason")}` : ""}, so it opens nothing`,
  paper: (n) => {
    const order = `${n.text("side")} ${n.text("quantity")} ${n.text("symbol")}`
    if (!n.is("would", "order"))
      return `on paper ${order} is ${n.is("would", "deny") ? "denied as well" : "held as well"}${n.has("code") ? ` (${n.text("code")})` : ""}`
    const prices = [
      ...(n.has("stop_price") ? [`the stop ${n.text("stop_price")}`] : []),
      ...(n.has("limit_price") ? [`the limit ${n.text("limit_price")}`] : [])
    ]
    if (prices.length > 0)
      return `on paper ${order} waits for ${prices.join(" and ")}${n.has("until_ms") ? ` until ${n.instant("until_ms")}` : ""}`
    if (!n.has("price"))
      return `on paper ${order} is not filled: it would have had to trade at once, and could not`
    return `on paper ${order} is filled at ${n.text("price")}${n.has("fee") ? ` for a fee of ${n.text("fee")}` : ""}${n.has("profit") ? ` and made ${n.text("profit")}` : ""}`
  },
  sizing: (n) =>
    `the size is ${n.text("quantity")} by ${sizings[n.text("by")] ?? n.text("by")}${n.has("amount") ? ` of ${n.text("amount")}` : ""}`,
  calendar: (n, { code, ok }) =>
    code === "calendar_over"
      ? `the announced days of the calendar ${n.text("calendar")} are over, so nothing is opened by it`
      : ok
        ? `the calendar ${n.text("calendar")} is open`
        : `the calendar ${n.text("calendar")} is closed; it opens at ${n.instant("next_open_ms")}`,
  age: (n) => `the signal was ${n.seconds("age_ms")} old; the limit is ${n.seconds("limit_ms")}`,
  duplicate: (n) =>
    n.is("already_ordered", true)
      ? "this signal has its order already, so it gets no second one"
      : "this signal had no order before",
  side_policy: (n) =>
    `the strategy's policy is ${n.text("policy")}; the position is ${n.text("position")}, the order is for ${n.text("quantity")}${n.has("closable") ? `, of which at most ${n.text("closable")} would close` : ""}`,
  symbol_list: (n, { ok }) =>
    n.has("listed")
      ? `${n.text("symbol")} is ${ok ? "" : "not "}among the ${n.text("listed")} symbols of the strategy`
      : `the strategy takes every symbol, also ${n.text("symbol")}`,
  symbol_resolved: (n) =>
    `${n.text("unresolved")} orders in the symbol are looked up at the venue, ${n.text("needs_operator")} need an operator`,
  position_agrees: (n) =>
    `the position is ${n.text("position")} by our fills and ${n.has("confirmed") ? n.text("confirmed") : "not yet reported"} by the broker`,
  open_positions: limited(
    (n) =>
      `${n.text("open")} symbols are open, and this ${n.is("opens_new", true) ? "opens another" : "is one of them"}`
  ),
  per_symbol: limited((n) => `the symbol has ${n.text("open")} open entries`),
  orders_per_minute: limited(
    (n) => `${scopeOf(n)}${n.text("before")} entries within the last minute, ${n.text("after")} with this one`
  ),
  quantity: limited((n) => `the quantity is ${n.text("quantity")}`),
  price: (n) =>
    `the price is ${n.text("price")}; ${n.is("needed", true) ? "limits in money need one" : "no limit needs one"}`,
  notional: limited((n) => `the order is worth ${n.text("notional")}`),
  exposure: limited((n) => `the exposure would go from ${n.text("before")} to ${n.text("after")}`),
  price_collar: collar,
  buying_power: buyingPower,
  breaker,
  cooldown,
  daily_loss: limited(
    (n) => `${scopeOf(n)}the loss of the day ${n.text("day")} is ${n.text("loss")}${since(n)}${tripped(n)}`
  ),
  drawdown: limited((n) => `${scopeOf(n)}the drawdown is ${n.text("drawdown")}${since(n)}${tripped(n)}`),
  loss_streak: limited((n) => `${scopeOf(n)}${n.text("losses")} closes in a row lost${since(n)}${tripped(n)}`)
}

/** What a check compared, with all its numbers. */
export const comparedWords = (check: StoredCheck): string => {
  const reader = readNumbers(check.numbers ?? {})
  const words = sentences[check.check]?.(reader, check) ?? "it compared"
  return `${words}${reader.rest()}`
}

/** The whole line of a check. */
export const checkSentence = (check: StoredCheck): string => {
  const name = check.check.replaceAll("_", " ")
  const code = check.code ?? null
  // A remark passes and has a code all the same: what was reported does not fit, or there is nothing to do.
  const result = check.ok
    ? code === null
      ? "passed"
      : `passed with a remark (${code})`
    : `failed (${code ?? "no code"})`
  return `${name}, ${result}: ${comparedWords(check)}.`
}
