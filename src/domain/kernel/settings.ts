/**
 * Settings: the shape of the configuration file, and of what the service runs with.
 *
 * One schema both validates `holdfast.json` and documents it; an unknown key is an error, because a typo in
 * `stopLossPct` must never mean "no stop loss". Defaults that concern money live here, beside their field.
 *
 * Promises: a value of type `Settings` is complete and cross-checked; nothing downstream checks it again.
 * Never: reads a file, the environment or a clock (see config.load.ts), or holds a secret in clear text.
 */
import { Effect, type Redacted, Schema } from "effect"
import { INSTRUMENT_KINDS, type InstrumentOverride } from "./instruments.ts"
import type { WaveSchedule } from "./wave-clock.ts"

const orElse = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** A positive or zero decimal as a string, so that no float ever carries money. */
const Decimal = Schema.String.check(
  Schema.isPattern(/^(0|[1-9]\d{0,17})(\.\d{1,18})?$/, { message: 'must be a decimal string such as "12.5"' })
)
const PositiveDecimal = Decimal.check(
  Schema.makeFilter((text) => /[1-9]/.test(text) || "must be greater than 0")
)
const Name = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    message: "must be a name of a-z, 0-9, - and _, at most 64 long"
  })
)
const PositiveInt = Schema.Int.check(Schema.isGreaterThan(0))

export const Mode = Schema.Literals(["PRACTICE", "PAPER", "LIVE"])
export type Mode = typeof Mode.Type

/**
 * What is known about the instruments of a pattern (`ES*`, `BTC-USDT`); what is left out is what the tables say. A multiplier
 * named here is the operator's word, and no figure made of it is called assumed.
 */
const InstrumentFile = Schema.Struct({
  kind: Schema.optionalKey(Schema.Literals(INSTRUMENT_KINDS)),
  multiplier: Schema.optionalKey(PositiveDecimal),
  tick: Schema.optionalKey(PositiveDecimal),
  lot: Schema.optionalKey(PositiveDecimal),
  currency: Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^[A-Z][A-Z0-9]{2,9}$/, { message: "must be a currency such as USD" })
    )
  ),
  calendar: Schema.optionalKey(Schema.Literals(["24x7", "XNYS"]))
})

export const roles = ["http", "feeds", "waves", "accounts", "telegram", "monitors"] as const
export type Role = (typeof roles)[number]

/** One origin of signals: `POST /webhook/:source`. */
export const SourceSettings = Schema.Struct({
  // A TradingView `{{time}}` is the open of the bar: its age counts from the end of the bar (T3).
  timestampIs: orElse(Schema.Literals(["fired", "bar"]), "fired"),
  /** Its signals are announced or followed by metadata (A1), so a fill without any is worth a line. */
  metadata: orElse(Schema.Boolean, false),
  ageMaxMs: orElse(PositiveInt, 300_000),
  // Off by default: a 429 loses the alert for good, TradingView does not send it again (W12).
  rateLimit: orElse(Schema.NullOr(Schema.Struct({ requests: PositiveInt, perMs: PositiveInt })), null),
  ips: orElse(Schema.NullOr(Schema.Array(Schema.String)), null)
})
export type SourceSettings = typeof SourceSettings.Type

export const StrategySettings = Schema.Struct({
  sources: Schema.Array(Name).check(Schema.isMinLength(1)),
  accounts: Schema.Array(Name).check(Schema.isMinLength(1)),
  engine: orElse(Schema.Literals(["A"]), "A"),
  shadow: orElse(Schema.NullOr(Schema.Literals(["B"])), null),
  sidePolicy: orElse(Schema.Literals(["both", "long_only", "short_only"]), "both"),
  symbols: orElse(Schema.NullOr(Schema.Array(Schema.String)), null),
  quantity: orElse(PositiveDecimal, "1"),
  stopLossPct: orElse(Schema.NullOr(PositiveDecimal), null),
  profitTargetPct: orElse(Schema.NullOr(PositiveDecimal), null)
})
export type StrategySettings = typeof StrategySettings.Type

export const AccountSettings = Schema.Struct({
  broker: Name,
  startingCash: PositiveDecimal,
  calendar: orElse(Schema.Literals(["24x7", "XNYS"]), "24x7")
})
export type AccountSettings = typeof AccountSettings.Type

/** A broker connection. `url: null` runs the paper venue inside this process. */
export const BrokerSettings = Schema.Struct({
  kind: Schema.Literals(["paper"]),
  url: orElse(
    Schema.NullOr(Schema.String.check(Schema.isPattern(/^https?:\/\//, { message: "must be an http URL" }))),
    null
  ),
  rule: orElse(Schema.Literals(["U", "R", "O", "N"]), "U"),
  propagationMs: orElse(PositiveInt, 2_000)
})
export type BrokerSettings = typeof BrokerSettings.Type

/** Limits of T6. `null` switches a check off; each default is a bound nobody hits by accident in practice. */
export const RiskSettings = Schema.Struct({
  openPositionsMax: orElse(Schema.NullOr(PositiveInt), null),
  openPositionsPerSymbolMax: orElse(Schema.NullOr(PositiveInt), null),
  quantityMax: orElse(Schema.NullOr(PositiveDecimal), "10000"),
  notionalMax: orElse(Schema.NullOr(PositiveDecimal), null),
  exposureMax: orElse(Schema.NullOr(PositiveDecimal), null),
  // Exposure per unit of the account's own money. Absent: unchecked in practice, where one alert is one fill, else "1".
  buyingPowerMultiple: Schema.optionalKey(Schema.NullOr(PositiveDecimal))
})
export type RiskSettings = typeof RiskSettings.Type

export const MarketSettings = Schema.Struct({
  kind: orElse(Schema.Literals(["practice"]), "practice"),
  seed: orElse(Schema.Int, 1),
  tickMs: orElse(PositiveInt, 1_000)
})
export type MarketSettings = typeof MarketSettings.Type

/**
 * A signal feed. `url: null` runs the practice signal server inside this process. The numbers are those of the best
 * clients; an operator changes them for a peer that is slower, and a test for a test that is not.
 */
export const FeedFile = Schema.Struct({
  url: orElse(
    Schema.NullOr(
      Schema.String.check(Schema.isPattern(/^wss?:\/\/[^\s]+$/, { message: "must be a ws or wss URL" }))
    ),
    null
  ),
  token: Schema.optionalKey(Schema.NonEmptyString),
  // The source its signals are decided under: strategies subscribe to it.
  source: orElse(Name, "wave"),
  connectMsMax: orElse(PositiveInt, 10_000),
  authMsMax: orElse(PositiveInt, 10_000),
  // Full jitter below a ceiling that doubles from the first to the last; attempts never end.
  retryFirstMs: orElse(PositiveInt, 1_000),
  retryMsMax: orElse(PositiveInt, 30_000),
  // The backoff starts small again after this time connected and one valid message, not after a mere handshake.
  goodAfterMs: orElse(PositiveInt, 30_000),
  pingEveryMs: orElse(PositiveInt, 20_000),
  pongMsMax: orElse(PositiveInt, 10_000),
  statsEveryMs: orElse(PositiveInt, 60_000),
  // Answers to get_stats and get_signals.
  answerMsMax: orElse(PositiveInt, 10_000),
  // A credential that was refused is not tried faster than a human can change it.
  credentialRetryMs: orElse(PositiveInt, 60_000),
  flapConnects: orElse(PositiveInt, 5),
  flapWithinMs: orElse(PositiveInt, 300_000),
  // So many attempts in a row without a live connection are an alert.
  alertAfterAttempts: orElse(PositiveInt, 5),
  frameBytesMax: orElse(PositiveInt, 16 * 1_024 * 1_024),
  // Signals per wave of the practice server inside this process: none, so that practice trades what you post only.
  practiceSignals: orElse(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 })), 0)
})
export type FeedFile = typeof FeedFile.Type

/** A feed as the service runs with it: its token is never in clear text. */
export interface FeedSettings extends Omit<FeedFile, "token"> {
  readonly token: Redacted.Redacted<string> | null
}

/** The schedule of waves (B3), milliseconds; what is left out depends on the mode. */
const WaveSettingsFile = Schema.Struct({
  periodMs: Schema.optionalKey(PositiveInt),
  offsetMs: Schema.optionalKey(Schema.Int),
  lagMs: Schema.optionalKey(Schema.Int),
  // Absent: as long as a signal of the source `wave` may be traded.
  freshMs: Schema.optionalKey(PositiveInt)
})
export type WaveSettingsFile = typeof WaveSettingsFile.Type

/** When waves are looked for, and how long one may be processed after it was due. */
export interface WaveSettings {
  readonly schedule: WaveSchedule
  readonly freshMs: number
}

/** `holdfast.json`. Everything is optional: an empty file is the practice configuration. */
export const SettingsFile = Schema.Struct({
  mode: Schema.optionalKey(Mode),
  host: Schema.optionalKey(Schema.NonEmptyString),
  port: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
  dataDir: Schema.optionalKey(Schema.NonEmptyString),
  databaseUrl: Schema.optionalKey(Schema.NonEmptyString),
  databasePool: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 100 }))),
  roles: Schema.optionalKey(Schema.Array(Schema.String)),
  hmacSecret: Schema.optionalKey(Schema.NonEmptyString),
  webhookSecret: Schema.optionalKey(Schema.NonEmptyString),
  adminToken: Schema.optionalKey(Schema.NonEmptyString),
  logLevel: Schema.optionalKey(Schema.String),
  logFormat: Schema.optionalKey(Schema.String),
  corsOrigins: orElse(
    Schema.Array(
      Schema.String.check(
        Schema.isPattern(/^https?:\/\/[^/*\s]+$/, {
          message: "must be an exact origin, scheme and host, without a wildcard"
        })
      )
    ),
    []
  ),
  sources: orElse(Schema.Record(Name, SourceSettings), {}),
  // Sender's spelling to instrument, and what instruments are; keys are symbols, in any case.
  symbols: orElse(Schema.Record(Schema.String, Schema.String), {}),
  instruments: orElse(Schema.Record(Schema.String, InstrumentFile), {}),
  strategies: Schema.optionalKey(Schema.Record(Name, StrategySettings)),
  accounts: Schema.optionalKey(Schema.Record(Name, AccountSettings)),
  brokers: Schema.optionalKey(Schema.Record(Name, BrokerSettings)),
  feeds: Schema.optionalKey(Schema.Record(Name, FeedFile)),
  risk: orElse(RiskSettings, {}),
  market: orElse(MarketSettings, {}),
  waves: orElse(WaveSettingsFile, {})
})
export type SettingsFile = typeof SettingsFile.Type

/** The owner of what no order of ours brought: a manual trade, an assignment, a liquidation. No strategy may be named so. */
export const EXTERNAL = "external"

export const logLevels = ["debug", "info", "warn", "error"] as const
export type LogLevel = (typeof logLevels)[number]
export type LogFormat = "json" | "pretty"

/** What the service runs with. Times in milliseconds, money and quantity as decimal strings. */
export interface Settings {
  readonly mode: Mode
  readonly host: string
  readonly port: number
  /** Absolute path of the directory that holds the embedded database, the lock and the node's identity. */
  readonly dataDir: string
  /** `null` = the embedded PostgreSQL under `dataDir`. */
  readonly databaseUrl: Redacted.Redacted<string> | null
  readonly databasePool: number
  readonly roles: ReadonlySet<Role>
  readonly secrets: {
    readonly hmac: Redacted.Redacted<string> | null
    readonly webhook: Redacted.Redacted<string> | null
    readonly admin: Redacted.Redacted<string> | null
  }
  readonly log: { readonly level: LogLevel; readonly format: LogFormat }
  readonly corsOrigins: ReadonlyArray<string>
  readonly sources: Readonly<Record<string, SourceSettings>>
  readonly symbols: Readonly<Record<string, string>>
  readonly instruments: Readonly<Record<string, InstrumentOverride>>
  readonly strategies: Readonly<Record<string, StrategySettings>>
  readonly accounts: Readonly<Record<string, AccountSettings>>
  readonly brokers: Readonly<Record<string, BrokerSettings>>
  readonly feeds: Readonly<Record<string, FeedSettings>>
  readonly risk: RiskSettings
  readonly market: MarketSettings
  readonly waves: WaveSettings
  /** Names of the values that ended with a line break and were taken without it. */
  readonly trimmed: ReadonlyArray<string>
}

/** One reason why a configuration is refused: where, and what is wrong with it. */
export interface SettingsProblem {
  readonly path: string
  readonly message: string
}
