/**
 * feed-frame: the frames that the server of a signal feed sends.
 *
 * The server is a program of somebody else: what it sends is checked field by field, and what it sends beyond the
 * protocol is a count, never an end. Only the fields of the protocol are kept, so nothing that it invents reaches the
 * database.
 *
 * Promises: reading never throws and never keeps more than was read; a signal that is not usable is named with its
 * reason and does not spoil the others of its frame.
 * Never: guesses a field.
 */
import { z } from "zod"
import { fieldOf, isJsonObject, type JsonObject, type JsonValue } from "../domain/kernel/canonical-json.ts"
import { ExactNumber } from "../domain/kernel/exact-number.ts"
import { parseExactly } from "../domain/kernel/json-reader.ts"
import { feedLimits } from "../domain/kernel/limits-feeds.ts"
import { readText } from "../domain/kernel/text-line.ts"
import type { FeedMessage, UnusableSignal, WaveSignal } from "../domain/feeds/feed-wire.ts"
import { decode } from "./problems.ts"
import { exactNumber, optional, ownFields, readBy, stated, text } from "./sent.ts"
import { amount, symbol, time } from "./sent-values.ts"

/** NaN is what the reader of JSON makes of a number that nobody can keep, such as 1e999. */
const finite = exactNumber().refine((value) => value instanceof ExactNumber || Number.isFinite(value), {
  abort: true,
  error: "must be a number"
})

/** All digits of a number: two long ids must not become one signal. */
const textOf = (value: string | number | ExactNumber): string =>
  value instanceof ExactNumber ? value.text : String(value)

/** An id is compared, stored and logged: printable ASCII without spaces, as for every identity that a sender names. */
const ID = /^[\u0021-\u007e]+$/

const readId = (given: string | number | ExactNumber): { text: string } | { message: string } => {
  const id = readText(textOf(given), feedLimits.signalIdLengthMax)
  return "message" in id || ID.test(id.text) ? id : { message: "must be printable ASCII without spaces" }
}

const feedSignal = z.compile(
  z.object({
    id: stated(
      readBy(z.union([text(""), finite], "must be a string"), readId, ({ text: id }) => id),
      { description: "Unique within its wave." }
    ),
    symbol: stated(symbol, { description: "The instrument." }),
    action: stated(z.enum(["BUY", "SELL"], "must be BUY or SELL"), { description: "What to do." }),
    wave: stated(time, { description: "The wave that it belongs to." }),
    price: optional(amount("positive"), { description: "The price known to the server." }),
    // A score is a measure: the nearest double does.
    score: optional(
      finite.transform((value) => (value instanceof ExactNumber ? value.nearest : value)),
      { description: "The score of the server's rules." }
    )
  })
)

const readReason = (given: unknown): { text: string } => {
  const read = readText(given, feedLimits.reasonLengthMax)
  return "text" in read ? read : { text: "no reason given" }
}

const frame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("auth_success") }),
  z.object({
    type: z.literal("auth_failed"),
    reason: readBy(z.unknown().optional(), readReason, ({ text: reason }) => reason)
  }),
  z.object({ type: z.literal("signals"), signals: z.array(z.custom<JsonValue>()) }),
  z.object({ type: z.literal("signal"), signal: z.custom<JsonValue>((given) => given !== undefined) }),
  z.object({ type: z.literal("stats") }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("pong") })
])
const types: ReadonlySet<unknown> = new Set(frame.options.map(({ shape }) => shape.type.value))

/** The fields of the protocol that may be repeated as they are: numbers, and short text without control characters. */
const shownOf = (value: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.keys(feedSignal.shape).flatMap((key): ReadonlyArray<readonly [string, JsonValue]> => {
      const given = fieldOf(value, key)
      if (typeof given === "number" && Number.isFinite(given)) return [[key, given]]
      const read = readText(given instanceof ExactNumber ? given.text : given, feedLimits.signalIdLengthMax)
      return "text" in read ? [[key, read.text.toWellFormed()]] : []
    })
  )

/** Reads one signal; or everything that is wrong with it. */
export const readWaveSignal = (value: JsonValue): WaveSignal | UnusableSignal => {
  if (!isJsonObject(value)) {
    return { id: null, waveMs: null, errors: [{ path: "", message: "must be an object" }], shown: {} }
  }
  const read = decode(feedSignal, ownFields(value))
  if (read.ok) {
    const { wave, ...signal } = read.value
    return { ...signal, waveMs: wave }
  }
  const { id, wave } = feedSignal.shape
  return {
    id: id.safeParse(fieldOf(value, "id")).data ?? null,
    waveMs: wave.safeParse(fieldOf(value, "wave")).data ?? null,
    errors: read.errors,
    shown: shownOf(value)
  }
}

const ignored = (why: "not_json" | "unknown_type" | "malformed"): FeedMessage => ({ type: "ignored", why })

const parsed = (given: string): JsonValue | undefined => {
  try {
    return parseExactly(given)
  } catch {
    // Counted by the caller as `not_json`, and so is a text that nests thousands deep.
    return undefined
  }
}

const readSignals = (values: ReadonlyArray<JsonValue>, kind: "pushed" | "batch"): FeedMessage => {
  const signals: Array<WaveSignal> = []
  const unusable: Array<UnusableSignal> = []
  for (const value of values) {
    const read = readWaveSignal(value)
    if ("errors" in read) unusable.push(read)
    else signals.push(read)
  }
  return { type: "signals", kind, signals, unusable }
}

/** Reads one text frame of the server. */
export const readFeedMessage = (given: string): FeedMessage => {
  const value = parsed(given)
  if (value === undefined) return ignored("not_json")
  if (!isJsonObject(value)) return ignored("malformed")
  if (!types.has(value["type"])) return ignored("unknown_type")
  const { data } = frame.safeParse(value)
  if (data === undefined) return ignored("malformed")
  if (data.type === "signal") return readSignals([data.signal], "pushed")
  return data.type === "signals" ? readSignals(data.signals, "batch") : data
}
