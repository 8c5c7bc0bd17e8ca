/**
 * signal-intent: what a body asks for, out of all the fields by which senders express it (T3b, T10).
 *
 * Some senders name what to do (`action`, `direction`), some what for (`intent`), some state where their own book stands
 * after the order (`market_position`, `position_size`), and TradingView's strategies send all of it at once. So the fields
 * are read together, what follows from them is written down once here, and a body whose fields cannot all be true is
 * refused: each of the readings it would allow is a different trade.
 *
 * Promises: a target has its size in `positionSize`, signed, by whichever fields it was given; a close with a direction has
 * the closing action; where neither action nor direction is left, the intent decides what is wanted.
 * Never: looks at what is held (whether a wish fits the position is decided later), or lets a stronger word of the
 * body be overruled by a weaker one: `intent` counts before the words of action and direction, those before the book.
 */
import { BigDecimal } from "effect"

import { decimal, formatDecimal } from "../kernel/decimal.ts"
import type { FieldError } from "../kernel/field-error.ts"
import {
  type Action,
  type Direction,
  intentOf,
  type MarketPosition,
  type SignalIntent,
  type SignalTarget
} from "./signal.ts"

/** What the body asks for, as it is stored and decided on. */
export interface ReadIntent extends SignalTarget {
  readonly action: Action | null
  readonly direction: Direction | null
}

const ACTIONS = ["BUY", "SELL"] as const satisfies ReadonlyArray<Action>
const DIRECTIONS = ["LONG", "SHORT", "CALL", "PUT"] as const satisfies ReadonlyArray<Direction>
const CLOSE_WORDS = ["CLOSE", "EXIT", "FLAT"] as const

/** What may stand in `action` and in `direction`. */
export const ACTION_WORDS = [...ACTIONS, ...CLOSE_WORDS] as const
export const DIRECTION_WORDS = [...DIRECTIONS, ...CLOSE_WORDS] as const

/** The fields by which a body states what it wants, each of them readable by itself; null where nothing was given. */
export interface IntentFields extends SignalTarget {
  readonly action: (typeof ACTION_WORDS)[number] | null
  readonly direction: (typeof DIRECTION_WORDS)[number] | null
}

/** The fields taken apart. `closeWord`: action or direction was close, exit or flat. */
interface Given extends ReadIntent {
  readonly closeWord: boolean
  /** The direction asked for it: then nothing may be left, whatever the rest of the body states. */
  readonly endsFlat: boolean
}

const BOOK: Readonly<Record<"long" | "short", Direction>> = { long: "LONG", short: "SHORT" }
const CLOSING: Readonly<Record<Direction, Action>> = { LONG: "SELL", SHORT: "BUY", CALL: "SELL", PUT: "SELL" }

const wordIn = <Word extends string>(words: ReadonlyArray<Word>, word: string | null): Word | null =>
  words.find((one) => one === word) ?? null

const givenOf = (fields: IntentFields): Given => {
  const endsFlat = wordIn(CLOSE_WORDS, fields.direction) !== null
  return {
    ...fields,
    action: wordIn(ACTIONS, fields.action),
    direction: wordIn(DIRECTIONS, fields.direction),
    closeWord: endsFlat || wordIn(CLOSE_WORDS, fields.action) !== null,
    endsFlat
  }
}

/** Collects what is wrong, one error per field. */
type Fail = (path: string, message: string) => null

const signOf = (text: string): number => BigDecimal.sign(decimal(text))

const SIGN: Readonly<Record<MarketPosition, number>> = { long: 1, short: -1, flat: 0 }

/** The signed size that market position and its size give together; null when they give none. */
const bookSize = ({ marketPosition, marketPositionSize }: Given): string | null => {
  if (marketPosition === "flat") return "0"
  if (marketPosition === null || marketPositionSize === null) return null
  const size = decimal(marketPositionSize)
  return formatDecimal(marketPosition === "short" ? BigDecimal.negate(size) : size)
}

/** Whether the fields of the sender's book can all be true. Notes what is wrong with them. */
const checkBook = (fail: Fail, given: Given): void => {
  const { marketPosition, marketPositionSize, positionSize } = given
  if (marketPositionSize !== null) {
    const some = signOf(marketPositionSize) > 0
    if (marketPosition === null) fail("market_position", "is required beside market_position_size")
    else if (marketPosition === "flat" && some)
      fail("market_position_size", "must be 0 when market_position is flat")
    else if (marketPosition !== "flat" && !some)
      fail("market_position_size", `must be above zero when market_position is ${marketPosition}`)
  }
  if (positionSize === null || marketPosition === null) return
  const size = bookSize(given)
  if (size === null ? signOf(positionSize) !== SIGN[marketPosition] : size !== positionSize)
    fail("position_size", "must agree with market_position and market_position_size")
}

/** The intent by the strongest field that names one. */
const intentFrom = (given: Given): SignalIntent | null => {
  const { action, direction, marketPosition, marketPositionSize, positionSize } = given
  if (given.intent !== null) return given.intent
  if (given.closeWord || marketPosition === "flat") return "close"
  if (marketPosition !== null && marketPositionSize !== null) return "target"
  // Beside an action it is what the sender's book will be, and only news; alone it can only be what is wanted.
  const alone = action === null && direction === null && marketPosition === null
  return positionSize !== null && alone ? "target" : null
}

/** The effect of action and direction together; null when they do not decide it. */
const pairEffect = ({ action, direction }: Given): "open" | "close" | null => {
  if (action === null || direction === null) return null
  const { effect } = intentOf(action, direction)
  return effect === "either" ? null : effect
}

/** Where a contradiction is reported: at the field that the body's author wrote to name the intent. */
const fieldOfIntent = ({ intent, marketPosition }: Given): string =>
  intent === null && marketPosition !== null ? "market_position" : "intent"

const settleTarget = (fail: Fail, given: Given): ReadIntent | null => {
  const size = given.positionSize ?? bookSize(given)
  if (size === null) {
    return given.marketPosition === null
      ? fail("position_size", "is required for a target (or market_position with its size)")
      : fail("market_position_size", "is required for a target (or position_size)")
  }
  const option = given.direction === "CALL" || given.direction === "PUT"
  if (option && signOf(size) < 0) {
    return fail(fieldOfIntent(given), "must not be short of a CALL or PUT: options are not written")
  }
  return { ...given, intent: "target", positionSize: size }
}

const settleClose = (fail: Fail, given: Given): ReadIntent | null => {
  const { action, direction } = given
  if (pairEffect(given) === "open") {
    const path = given.closeWord ? "action" : fieldOfIntent(given)
    return fail(path, `must not be a close: ${action} with ${direction} opens`)
  }
  return {
    ...given,
    intent: "close",
    // The words mean all of it (T3b), and that is what flat asks for.
    marketPosition: given.marketPosition ?? (given.closeWord ? "flat" : null),
    action: action ?? (direction === null ? null : CLOSING[direction])
  }
}

const settleOther = (fail: Fail, given: Given, intent: "open" | "reverse" | null): ReadIntent | null => {
  const { action, direction, marketPosition } = given
  if (intent !== null && marketPosition === "flat")
    return fail("market_position", `must not be flat beside the intent ${intent}`)
  if (intent === "open" && pairEffect(given) === "close")
    return fail("intent", `must not be open: ${action} with ${direction} closes`)
  if (intent === "reverse" && (direction === "CALL" || direction === "PUT"))
    return fail("intent", "must not be reverse for a CALL or PUT: options are not written")
  const book = marketPosition === "long" || marketPosition === "short" ? BOOK[marketPosition] : null
  // "The book shall be long" and nothing else is what a direction asks for: to be in it.
  const side = action === null && direction === null ? book : direction
  // A reverse turns whatever is held; the others must name a side.
  if (action === null && side === null && intent !== "reverse")
    return fail("action", "is required (or direction, market_position, or intent close or target)")
  return { ...given, intent, direction: side }
}

/** What the fields ask for together, or all that keeps them from being true together. */
export const settleIntent = (
  fields: IntentFields
): ReadIntent | { readonly errors: ReadonlyArray<FieldError> } => {
  const errors: Array<FieldError> = []
  const fail: Fail = (path, message) => {
    errors.push({ path, message })
    return null
  }
  const given = givenOf(fields)
  checkBook(fail, given)
  if (given.closeWord && given.intent !== null && given.intent !== "close")
    fail("intent", "must be close, or absent, when action or direction says to close")
  if (given.endsFlat && given.marketPosition !== null && given.marketPosition !== "flat")
    fail("market_position", "must be flat, or absent, when direction says to close")
  if (errors.length > 0) return { errors }
  const intent = intentFrom(given)
  const settled =
    intent === "target"
      ? settleTarget(fail, given)
      : intent === "close"
        ? settleClose(fail, given)
        : settleOther(fail, given, intent)
  if (settled === null) return { errors }
  const { action, direction, positionSize, marketPosition, prevMarketPosition, marketPositionSize } = settled
  return {
    action,
    direction,
    intent: settled.intent,
    positionSize,
    marketPosition,
    prevMarketPosition,
    marketPositionSize
  }
}
