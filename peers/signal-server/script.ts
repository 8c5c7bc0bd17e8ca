/**
 * The script of the practice signal server: what it offers, and how and when it misbehaves.
 *
 * A fault is a moment and a deed. Everything a signal server or the network in front of it has ever done to a client can be
 * written down as such a pair, so the tests of reconnecting are a table, and a newcomer can replay an incident from a
 * file.
 *
 * Promises: one script gives one behaviour; a script that means nothing is refused with the path of the mistake.
 * Never: draws a random number.
 */
import { Effect, Result, Schema, SchemaIssue } from "effect"

const orElse = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))
const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000_000 }))
const Hex = Schema.String.check(Schema.isPattern(/^(?:[0-9a-f]{2})*$/i, { message: "must be hexadecimal" }))

const Deed = Schema.Union([
  /** Does not answer. */
  Schema.Struct({ type: Schema.Literal("nothing") }),
  /** A close frame with this code, valid or not; null closes without one (the client sees 1005). */
  Schema.Struct({
    type: Schema.Literal("close"),
    code: Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
    reason: orElse(Schema.String, "")
  }),
  /** TCP reset. */
  Schema.Struct({ type: Schema.Literal("reset") }),
  /** End of the stream without a close frame (the client sees 1006). */
  Schema.Struct({ type: Schema.Literal("end") }),
  /** Half-open: the connection stays, and nothing is read or written any longer. */
  Schema.Struct({ type: Schema.Literal("freeze") }),
  /** At the handshake: an HTTP answer instead of the upgrade. */
  Schema.Struct({
    type: Schema.Literal("http"),
    status: Schema.Int.check(Schema.isBetween({ minimum: 200, maximum: 599 })),
    headers: orElse(Schema.Record(Schema.String, Schema.String), {})
  }),
  /** At the handshake: an upgrade with a wrong accept key. */
  Schema.Struct({ type: Schema.Literal("bad_accept") }),
  Schema.Struct({ type: Schema.Literal("auth_failed"), reason: orElse(Schema.String, "refused by script") }),
  /** Bytes as they are: protocol violations, unfinished frames, wrong protocols. */
  Schema.Struct({ type: Schema.Literal("raw"), hex: Hex }),
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({ type: Schema.Literal("binary"), hex: Hex }),
  /** One text frame of this many bytes. */
  Schema.Struct({ type: Schema.Literal("oversize"), bytes: Count }),
  /** Signals in batches of `frame`, ids `<prefix>-0` and up. */
  Schema.Struct({
    type: Schema.Literal("batch"),
    signals: Count,
    frame: orElse(Count, 1_000),
    prefix: orElse(Schema.String, "batch")
  }),
  /** Single signals as fast as the socket takes them, ids `<prefix>-0` and up. */
  Schema.Struct({
    type: Schema.Literal("flood"),
    signals: Count,
    prefix: orElse(Schema.String, "flood")
  }),
  /** The usual answer, one byte every so many milliseconds. */
  Schema.Struct({ type: Schema.Literal("slow"), everyMs: Count })
])
export type Deed = typeof Deed.Type

const Moment = Schema.Literals([
  /** TCP accepted. */
  "connect",
  /** The handshake request arrived. */
  "upgrade",
  /** The WebSocket is open. */
  "open",
  "auth",
  /** Authenticated, the first batch was sent. */
  "live",
  "get_signals",
  "get_stats",
  "ping",
  /** A ping frame arrived. */
  "ping_frame"
])
export type Moment = typeof Moment.Type

/**
 * At `connect`, `upgrade` and at a message the deed replaces the usual answer; at `open` and `live` it is done in addition.
 * All faults of a moment are performed: those of one `afterMs` in the order of the script.
 */
export const Fault = Schema.Struct({
  on: Moment,
  /** Only on the n-th connection, from 1; null: on each. */
  connection: orElse(Schema.NullOr(Count), null),
  /** Only at the n-th such moment of a connection, from 1; null: each time. */
  nth: orElse(Schema.NullOr(Count), null),
  afterMs: orElse(Count, 0),
  do: Deed
})
export type Fault = typeof Fault.Type

export const ServerScript = Schema.Struct({
  /** The token that is accepted; null: any. */
  token: orElse(Schema.NullOr(Schema.String), null),
  seed: orElse(Schema.Int, 1),
  /** Generated signals per wave, and how many of the last waves an answer holds. */
  perWave: orElse(Count, 3),
  periodMs: orElse(Schema.Int.check(Schema.isGreaterThan(0)), 60_000),
  keepWaves: orElse(Count, 3),
  symbols: orElse(Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1)), ["BTC-USDT", "ETH-USDT"]),
  /** Signals of a frame of an answer. */
  frame: orElse(Schema.Int.check(Schema.isGreaterThan(0)), 1_000),
  faults: orElse(Schema.Array(Fault), [])
})
export type ServerScript = typeof ServerScript.Type

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()
const decode = Schema.decodeUnknownResult(ServerScript, { errors: "all", onExcessProperty: "error" })

/** Reads a script; fails with one line per mistake. */
export const readScript = (value: unknown): Result.Result<ServerScript, ReadonlyArray<string>> =>
  Result.mapError(decode(value), ({ issue }) =>
    formatIssues(issue).issues.map(({ message, path }) => `${(path ?? []).map(String).join(".")}: ${message}`)
  )
