/**
 * placeholder: the placeholders of alert templates, and which one was probably meant where a body is not what it should be (T12).
 *
 * A charting service replaces `{{close}}` when the alert fires. One that it does not know stays as it was written, one
 * without a value becomes NaN or nothing, and one without quotes becomes a bare word. Whoever has to mend the template looks for the
 * placeholder, so a refusal names it.
 *
 * Promises: names come from the lists here, never from the body.
 * Never: fills one in, or guesses what its value would have been.
 */

/** The usual placeholder of a field. */
const USUAL: Readonly<Record<string, string>> = {
  symbol: "ticker",
  ticker: "ticker",
  action: "strategy.order.action",
  direction: "strategy.market_position",
  timeframe: "interval",
  timestamp: "timenow",
  quantity: "strategy.order.contracts",
  price: "close",
  id: "strategy.order.id",
  position_size: "strategy.position_size",
  market_position: "strategy.market_position",
  market_position_size: "strategy.market_position_size",
  prev_market_position: "strategy.prev_market_position"
}

/** Those that a body may show by name; any other is a placeholder without a name. */
const NAMES: ReadonlySet<string> = new Set([
  ...Object.values(USUAL),
  "exchange",
  "open",
  "high",
  "low",
  "volume",
  "time",
  "syminfo.currency",
  "syminfo.basecurrency",
  "strategy.order.price",
  "strategy.order.comment",
  "strategy.order.alert_message",
  "strategy.prev_market_position_size",
  "plot_0"
])

const WRITTEN = /\{\{\s*([\w.]{1,64})\s*\}\}/
/** What a placeholder without a value is written as. */
const VALUELESS = /^(?:nan|n\/a|na|null|none|undefined)$/i

/** Whether a text still has a placeholder in it. */
export const isUnfilled = (text: string): boolean => text.includes("{{") || text.includes("}}")

/** That a placeholder of `text` was not filled in, by its name where it is a known one. */
export const unfilledWords = (text: string): string => {
  const name = WRITTEN.exec(text)?.[1]
  return name !== undefined && NAMES.has(name)
    ? `{{${name}}} was not filled in`
    : "a placeholder was not filled in"
}

/** The placeholder that usually stands in a field, or null. */
export const usualPlaceholder = (field: string): string | null =>
  Object.hasOwn(USUAL, field) ? `{{${USUAL[field]}}}` : null

/** What a refused value of a field says about its placeholder; null when it says nothing. */
export const placeholderHint = (field: string, value: unknown): string | null => {
  if (typeof value !== "string") return null
  if (isUnfilled(value)) return unfilledWords(value)
  return VALUELESS.test(value.trim()) ? `${usualPlaceholder(field) ?? "its placeholder"} had no value` : null
}
