/**
 * signal-body: a post that is a signal (requirement D1).
 *
 * Promises: a body is read whole; all its errors are returned at once, one per field, named by path, in the order of the
 * fields here.
 * Promises: a price that does not go with the kind of order is refused by its name, never left out.
 * Never: keeps `secret`, reads a clock, or gives a meaning to fields that it does not know (they stay in the stored
 * body and in its hash: senders add their own).
 */
import { z } from "zod"
import type { JsonObject } from "../domain/kernel/canonical-json.ts"
import type { FieldError } from "../domain/kernel/field-error.ts"
import { fieldLimits } from "../domain/kernel/limits-signals.ts"
import { placeholderHint } from "../domain/kernel/placeholder.ts"
import { MARKET_POSITIONS, type Signal, SIGNAL_INTENTS } from "../domain/signals/signal.ts"
import { ORDER_TYPES, TIMES_IN_FORCE, termsErrors, type SignalTerms } from "../domain/signals/order-type.ts"
import { SCORES } from "../domain/signals/metadata.ts"
import {
  ACTION_WORDS,
  DIRECTION_WORDS,
  type ReadIntent,
  settleIntent
} from "../domain/signals/signal-intent.ts"
import { eventId, secret } from "./post-fields.ts"
import { decode, type Decoded } from "./problems.ts"
import { BLANK, type Described, optional, ownFields, required, wordForm, wordOf } from "./sent.ts"
import { amount, day, line, symbol, time, timeframe } from "./sent-values.ts"

const SYMBOL = "The instrument, in any spelling; README.md explains them."

const named = z.object({
  symbol: optional(symbol, { description: SYMBOL, examples: ["SPY", "NASDAQ:AAPL", "ES1!"] }),
  ticker: optional(symbol, { description: "Another name for `symbol`; when both are given they are equal." })
})

const wished = z.object({
  action: optional(wordOf(ACTION_WORDS), {
    description: "What to do. `CLOSE`, `EXIT` and `FLAT` close all that the strategy holds."
  }),
  direction: optional(wordOf(DIRECTION_WORDS), {
    description: "On which side of the market; with an action both count: SELL with LONG closes a long."
  }),
  intent: optional(wordOf(SIGNAL_INTENTS), {
    description: "What is wanted, explicitly. A target needs a size."
  }),
  position_size: optional(amount("signed"), {
    description:
      "The position after the order, negative when short; the target when nothing else states the intent."
  }),
  market_position: optional(wordOf(MARKET_POSITIONS), {
    description: "The side of the sender's position after the order; `flat` closes."
  }),
  prev_market_position: optional(wordOf(MARKET_POSITIONS), {
    description: "The side of the sender's position before the order; a difference from ours raises an alert."
  }),
  market_position_size: optional(amount("notNegative"), {
    description: "The size of the sender's position after the order; with `market_position` it is a target."
  })
})

const terms = z.object({
  order_type: optional(wordOf(ORDER_TYPES), {
    description:
      "The kind of order; absent: market. A `limit` trades at its price or better, a `stop` becomes a market order when the market reaches it, a `stop_limit` a limit order."
  }),
  limit_price: optional(amount("positive"), {
    description: "The price of a `limit` or `stop_limit`; for an option that of its contract."
  }),
  stop_price: optional(amount("positive"), {
    description: "The price at which a `stop` or `stop_limit` is triggered."
  }),
  time_in_force: optional(wordOf(TIMES_IN_FORCE), {
    description:
      "How long the order works: `day` to the end of the session, `gtc` until it is cancelled, `ioc` only now; absent: as the strategy's settings say."
  })
})

const rest = z.object({
  timeframe: required(timeframe, {
    description: "The length of a bar; a bare number is minutes.",
    examples: ["5m", "1D", "60", "100T"]
  }),
  timestamp: required(time, {
    description: "When the alert fired, or when its bar opened, depending on the source's settings.",
    examples: ["2026-11-22T11:25:00Z"]
  }),
  quantity: optional(amount("positive"), {
    description: "The size of the order; absent: the strategy's default, or everything for a close.",
    examples: ["2", 0.5]
  }),
  price: optional(amount("positive"), { description: "The price at which the alert fired." }),
  strategy: optional(line(fieldLimits.strategyLengthMax), {
    description: "A strategy of the settings; absent: all that are subscribed to the source."
  }),
  strike: optional(amount("positive"), { description: "The strike of an option." }),
  expiration: optional(day, { description: "The expiration day of an option, YYYY-MM-DD or YYYYMMDD." }),
  id: eventId
})

/** What makes a post metadata (domain/signals/metadata.ts), and so cannot be in a signal. */
const notMetadata = {
  snapshot_id: z.never().optional().meta({ description: "Makes a post metadata." }),
  score: z
    .unknown()
    .optional()
    .meta({
      description:
        "The sender's own, unless it is an object with a producer's scores: that makes a post metadata.",
      override: {
        not: {
          type: "object",
          anyOf: SCORES.map((name) => ({ required: [name], properties: { [name]: {} } }))
        }
      }
    })
}

/** Not blank, as a property of a body. */
const oneOf = (...names: ReadonlyArray<string>): Array<Described> =>
  names.map((name) => ({ required: [name], properties: { [name]: { not: BLANK } } }))

/** All fields, for the usual body, which has no errors; compiled, because every post passes through here. */
const all = z.compile(z.object({ ...named.shape, ...wished.shape, ...terms.shape, ...rest.shape }))

/** A price goes with these kinds of order, and with no other (domain/signals/order-type.ts). */
const pricedBy = (price: string, ...kinds: ReadonlyArray<string>): Described => ({
  if: { required: ["order_type"], properties: { order_type: wordForm(kinds) } },
  then: { required: [price], properties: { [price]: { not: BLANK } } },
  else: { properties: { [price]: BLANK } }
})

export const signalBody = z.object({ ...all.shape, secret, ...notMetadata }).meta({
  id: "SignalBody",
  description: "A signal: what to trade, when it was made, and at least one way to state the intent.",
  // What zod cannot express: one of several fields must be given, and prices go with kinds.
  override: {
    allOf: [
      { anyOf: oneOf("symbol", "ticker") },
      {
        anyOf: [
          ...oneOf("action", "direction", "market_position", "position_size"),
          {
            required: ["intent"],
            properties: { intent: wordForm(["close", "reverse", "target"]) }
          }
        ]
      },
      pricedBy("limit_price", "limit", "stop_limit"),
      pricedBy("stop_price", "stop", "stop_limit"),
      {
        if: { required: ["order_type"], properties: { order_type: wordForm(["stop", "stop_limit"]) } },
        then: { properties: { time_in_force: { not: wordForm(["ioc"]) } } }
      }
    ]
  }
})

const symbolOf = ({ symbol: one, ticker }: z.output<typeof named>): Decoded<string> => {
  const wrong = (path: string, message: string) => ({ ok: false, errors: [{ path, message }] }) as const
  if (one !== null && ticker !== null && one !== ticker)
    return wrong("ticker", "must be equal to symbol when both are given")
  const value = one ?? ticker
  return value === null ? wrong("symbol", "is required (or ticker)") : { ok: true, value }
}

const intentOf = (fields: z.output<typeof wished>): Decoded<ReadIntent> => {
  const read = settleIntent({
    action: fields.action,
    direction: fields.direction,
    intent: fields.intent,
    positionSize: fields.position_size,
    marketPosition: fields.market_position,
    prevMarketPosition: fields.prev_market_position,
    marketPositionSize: fields.market_position_size
  })
  return "errors" in read ? { ok: false, errors: read.errors } : { ok: true, value: read }
}

const termsOf = (fields: z.output<typeof terms>): Decoded<SignalTerms> => {
  const value = {
    orderType: fields.order_type,
    limitPrice: fields.limit_price,
    stopPrice: fields.stop_price,
    timeInForce: fields.time_in_force
  }
  const errors = termsErrors(value)
  return errors.length > 0 ? { ok: false, errors } : { ok: true, value }
}

/** The result of rules over several fields, which are applied only when each of the fields is valid by itself. */
const together = <Fields, Value>(
  fields: Decoded<Fields>,
  read: (fields: Fields) => Decoded<Value>
): Decoded<Value> => (fields.ok ? read(fields.value) : fields)

/** An error with what the value says about the placeholder that it was to be. */
const withPlaceholder = (error: FieldError, own: JsonObject): FieldError => {
  const hint = placeholderHint(error.path, own[error.path])
  return hint === null || error.message.includes(hint)
    ? error
    : { path: error.path, message: `${error.message}; ${hint}` }
}

/** A body as a signal, or all its errors: the rules over several fields apply even when other fields are invalid. */
export const decodeSignal = (body: JsonObject): Decoded<Signal> => {
  const own = ownFields(body)
  const { data } = all.safeParse(own)
  const whole = data === undefined ? null : ({ ok: true, value: data } as const)
  const symbol = together(whole ?? decode(named, own), symbolOf)
  const intent = together(whole ?? decode(wished, own), intentOf)
  const placed = together(whole ?? decode(terms, own), termsOf)
  const fields = whole ?? decode(rest, own)
  if (!symbol.ok || !intent.ok || !placed.ok || !fields.ok) {
    const errors = [symbol, intent, placed, fields].flatMap((part) => (part.ok ? [] : part.errors))
    return { ok: false, errors: errors.map((error) => withPlaceholder(error, own)) }
  }
  const { expiration, price, quantity, strategy, strike, timeframe: bar, timestamp } = fields.value
  return {
    ok: true,
    value: {
      symbol: symbol.value,
      ...intent.value,
      ...placed.value,
      timeframe: bar.text,
      timeframeMs: bar.ms,
      firedAtMs: timestamp,
      quantity,
      price,
      strategy,
      strike,
      expiration
    }
  }
}
