/**
 * settings: the shape of `holdfast.json`, with its defaults.
 *
 * An unknown key is an error, because a typo in `stopLossPct` must never mean "no stop loss". Defaults that concern money
 * are next to their field; those that depend on the mode are in config.resolve.ts.
 *
 * Promises: docs/settings.md and `/schemas/holdfast.json` are generated from here; a wrong value is answered with what would be
 * right.
 * Never: reads a file or the environment.
 */
import { z } from "zod"
import { ageLimits } from "../domain/kernel/limits.ts"
import { breakerLimits } from "../domain/kernel/breaker-limits.ts"
import { INSTRUMENT_KINDS } from "../domain/kernel/instruments.ts"
import { isZone } from "../domain/kernel/day.ts"
import {
  breachStates,
  type BreakerLimits,
  type FeedFields,
  logFormats,
  logLevels,
  modes,
  partialPolicies,
  roles,
  type SourceSettings
} from "../domain/kernel/settings.ts"
import { expected } from "./settings-expected.ts"
import { calendar, natural, text, wholeFrom, zoneWords } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const decimal = z
  .string('must be a decimal string such as "12.5"')
  .regex(/^(0|[1-9]\d{0,17})(\.\d{1,18})?$/, 'must be a decimal string such as "12.5"')
const positive = decimal.regex(/[1-9]/, "must be greater than 0")
const nameWords = "must be a name of a-z, 0-9, - and _, at most 64 long"
const name = z.string(nameWords).regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, nameWords)
const flag = z.boolean("must be true or false")
const anyWhole = z.int("must be a whole number")
const mapOf = <Item extends z.ZodType>(key: z.ZodString, item: Item) =>
  z.record(key, item, "must be an object")

const source = z
  .strictObject({
    timestampIs: oneOf(["fired", "bar"])
      .default("fired")
      .meta({ description: "What a timestamp means; the age of a bar's counts from its end (T3)." }),
    metadata: flag.default(false).meta({ description: "Its signals come with metadata (A1)." }),
    // Below the time an identity is kept: an older post could be accepted a second time (T13).
    ageMaxMs: wholeFrom(1, ageLimits.identityRetentionMs - 1)
      .default(300_000)
      .meta({ description: "Older signals are not traded." }),
    // Off by default: a 429 loses the alert for good, TradingView does not resend it (W12).
    rateLimit: z
      .strictObject({ requests: natural, perMs: natural })
      .nullable()
      .default(null)
      .meta({ description: "Posts beyond this rate get a 429; null: no limit." }),
    ips: z
      .array(z.string(), "must be a list of addresses")
      .nullable()
      .default(null)
      .meta({ description: "Addresses and networks that may post; null: any." }),
    expected: expected.nullable().default(null)
  })
  .meta({ id: "SourceSettings", description: "One origin of signals: `POST /webhook/NAME`." })

const strategy = z
  .strictObject({
    sources: z.array(name, "must be a list of sources").min(1, "must name at least one source"),
    accounts: z.array(name, "must be a list of accounts").min(1, "must name at least one account"),
    engine: oneOf(["A"]).default("A").meta({ description: "The engine that decides." }),
    shadow: oneOf(["B"]).nullable().default(null).meta({ description: "Not available yet." }),
    sidePolicy: oneOf(["both", "long_only", "short_only"])
      .default("both")
      .meta({ description: "Which sides it may open." }),
    symbols: z
      .array(z.string(), "must be a list of symbols")
      .nullable()
      .default(null)
      .meta({ description: "The instruments it trades; null: any." }),
    quantity: positive.default("1").meta({ description: "Quantity for a signal that names none." }),
    stopLossPct: positive
      .nullable()
      .default(null)
      .meta({ description: "Percent of the average price below which its share is closed; null: no stop." }),
    profitTargetPct: positive.nullable().default(null).meta({
      description: "Percent of the average price beyond which its share is closed; null: no target."
    }),
    onPartialFill: oneOf(partialPolicies).default("keep").meta({
      description:
        "What becomes of an entry that ends partly filled: its fills are kept, closed, or left with an alert. `close` never closes more than the strategy still holds of them."
    }),
    partialFillMsMax: natural.nullable().default(null).meta({
      description:
        "After this long without another fill the rest of a partly filled entry is cancelled (`keep`, `close`) or alerted (`leave`); null: it works until the venue ends it."
    })
  })
  .meta({ id: "StrategySettings", description: "Which signals are traded where, and how." })

const account = z
  .strictObject({
    broker: name.meta({ description: "One of `brokers`." }),
    startingCash: positive.meta({ description: "A change is a deposit or a withdrawal." }),
    calendar: calendar.default("24x7").meta({ description: "When orders may leave." })
  })
  .meta({ id: "AccountSettings", description: "An account at a venue, with its executor." })

const broker = z
  .strictObject({
    kind: oneOf(["paper"]).meta({ description: "The venue's adapter." }),
    url: z
      .string("must be an http URL")
      .regex(/^https?:\/\//, "must be an http URL")
      .nullable()
      .default(null)
      .meta({ description: "null: the paper venue inside this process." }),
    rule: oneOf(["U", "R", "O", "N"])
      .default("U")
      .meta({ description: "How it treats a client order id it has seen before (T5)." }),
    propagationMs: natural
      .default(2_000)
      .meta({ description: "How long an order may be invisible after it was accepted." })
  })
  .meta({ id: "BrokerSettings", description: "A connection to a venue." })

const scopeWords = 'must be "global", "account:NAME" or "strategy:NAME"'
const scope = z.string(scopeWords).regex(/^(global|(account|strategy):[a-z0-9][a-z0-9_-]{0,63})$/, scopeWords)
const off = <Limit extends z.ZodType>(limit: Limit, description: string) =>
  limit.nullable().default(null).meta({ description })

const scopeLimits = z
  .strictObject({
    ordersPerMinuteMax: off(natural, "Entries sent within any 60 s, those that wait to be sent included."),
    priceCollarPct: off(
      positive,
      "Percent by which an entry's side of the quote, and the price in its alert, may differ from the last price."
    ),
    priceCollarReducePct: off(
      positive,
      "The same for orders that close: beyond it they wait and raise an alert; without a quote they are sent."
    ),
    cooldownAfterLossMs: off(natural, "No entry for this long after an order that closed at a loss."),
    cooldownAfterCrashMs: off(natural, "No entry for this long after a start that follows an unclean stop."),
    dailyLossMax: off(
      positive,
      "Loss of the day in `zone`, realised and unrealised, at which the scope is stopped."
    ),
    drawdownMax: off(
      positive,
      "Loss from the high-water mark, realised and unrealised, at which the scope is stopped."
    ),
    lossStreakMax: off(natural, "Consecutive orders that closed at a loss, at which the scope is stopped."),
    onBreach: oneOf(breachStates).default("REDUCING").meta({
      description:
        "What the last three set the scope's trading state to, until an operator resumes. HALTED holds exits as well (T6)."
    })
  })
  .meta({
    id: "ScopeLimits",
    description:
      "Limits of the whole installation, an account or a strategy; null: unlimited. A resume resets the day's loss, the high-water mark and the streak."
  })

const breakerWords = 'must be "broker", "strategy", "broker:NAME" or "strategy:NAME"'
const breakerKey = z
  .string(breakerWords)
  .regex(/^(broker|strategy)(:[a-z0-9][a-z0-9_-]{0,63})?$/, breakerWords)

const breaker = z
  .strictObject({
    failuresMax: natural.nullable().exactOptional().meta({
      description:
        "Orders that fail within `windowMs` and open it: at a broker creates and cancels without a usable response, of a strategy creates that are refused as well. null: only an operator opens it. Absent: 20 in PRACTICE, 5 elsewhere."
    }),
    readFailuresMax: off(
      natural,
      "The same for look-ups at a broker. By default they do not count: an account whose broker does not answer sends no entry anyway."
    ),
    failurePct: wholeFrom(1, 100)
      .default(50)
      .meta({ description: "And at least so many percent of the calls in the window failed." }),
    windowMs: wholeFrom(1_000, breakerLimits.windowMsMax)
      .default(60_000)
      .meta({ description: "Length of the sliding window." }),
    cooldownMs: natural.default(30_000).meta({
      description: "Time from its opening until probes; doubled with each opening after the first."
    }),
    cooldownMsMax: natural.default(600_000).meta({ description: "The longest cooldown." }),
    resetAfterMs: natural
      .default(600_000)
      .meta({ description: "After this long without an opening the next cooldown is the first again." }),
    probesMin: wholeFrom(1, 100)
      .default(3)
      .meta({ description: "Look-ups at the venue that must be answered in a row before it closes." }),
    probeEveryMs: wholeFrom(100).default(2_000).meta({ description: "Time between two of them." })
  })
  .meta({ id: "BreakerLimits", description: "The circuit breaker of a broker or a strategy (breakers.md)." })

const risk = z
  .strictObject({
    openPositionsMax: natural.nullable().default(null).meta({ description: "Open positions of an account." }),
    openPositionsPerSymbolMax: natural.nullable().default(null).meta({
      description: "How often one symbol may be added to: its open position and each open entry count as one."
    }),
    quantityMax: positive.nullable().default("10000").meta({ description: "Quantity of one order." }),
    notionalMax: positive.nullable().default(null).meta({ description: "Value of one order." }),
    exposureMax: positive
      .nullable()
      .default(null)
      .meta({ description: "Value of all positions and open orders of an account." }),
    buyingPowerMultiple: positive.nullable().exactOptional().meta({
      description:
        'Exposure per unit of own money, within the venue\'s buying power. Absent: unchecked in PRACTICE, "1" elsewhere.'
    }),
    zone: text
      .refine(isZone, zoneWords)
      .default("UTC")
      .meta({ description: "Time zone whose midnight starts a day." }),
    scopes: mapOf(scope, scopeLimits).default({}).meta({ description: "Limits by scope." }),
    breakers: mapOf(breakerKey, breaker).default({}).meta({
      description:
        "Circuit breakers: `broker` and `strategy` for all of a kind, `broker:NAME` and `strategy:NAME` for one, which then has nothing of its kind's."
    })
  })
  .meta({ id: "RiskSettings", description: "Limits of T6; null switches a check off." })

const market = z
  .strictObject({
    kind: oneOf(["practice"]).default("practice").meta({ description: "Seeded, invented prices." }),
    seed: anyWhole.default(1).meta({ description: "The same seed gives the same prices." }),
    tickMs: natural.default(1_000).meta({ description: "Time between two prices." })
  })
  .meta({ id: "MarketSettings", description: "Where prices come from." })

const feed = z
  .strictObject({
    url: z
      .string("must be a ws or wss URL")
      .regex(/^wss?:\/\/[^\s]+$/, "must be a ws or wss URL")
      .refine((url) => URL.canParse(url), "must be a ws or wss URL")
      .nullable()
      .default(null)
      .meta({ description: "null, in PRACTICE: the practice signal server inside this process." }),
    token: text.exactOptional().meta({ description: "What the client authenticates with." }),
    source: name.default("wave").meta({ description: "The source that its signals are decided under." }),
    connectMsMax: natural.default(10_000).meta({ description: "Deadline of a connect." }),
    authMsMax: natural.default(10_000).meta({ description: "Deadline of the authentication." }),
    retryFirstMs: natural
      .default(1_000)
      .meta({ description: "Full jitter below a ceiling that doubles from here to `retryMsMax`." }),
    retryMsMax: natural
      .default(30_000)
      .meta({ description: "The longest pause between two attempts; they never end." }),
    goodAfterMs: natural.default(30_000).meta({
      description: "The backoff starts small again after this long connected and one valid message."
    }),
    pingEveryMs: natural.default(20_000).meta({ description: "Time between two protocol pings." }),
    pongMsMax: natural
      .default(10_000)
      .meta({ description: "After this long without a pong the connection is closed." }),
    statsEveryMs: natural.default(60_000).meta({ description: "Time between two get_stats requests." }),
    answerMsMax: natural
      .default(10_000)
      .meta({ description: "Deadline of answers to get_stats and get_signals." }),
    credentialRetryMs: natural
      .default(60_000)
      .meta({ description: "Pause after a refused credential: no faster than a person can change it." }),
    flapConnects: natural
      .default(5)
      .meta({ description: "This many connects within `flapWithinMs` raise an alert." }),
    flapWithinMs: natural.default(300_000).meta({ description: "See `flapConnects`." }),
    alertAfterAttempts: natural
      .default(5)
      .meta({ description: "This many consecutive failed attempts raise an alert." }),
    frameBytesMax: natural
      .default(16 * 1_024 * 1_024)
      .meta({ description: "A longer frame ends the connection." }),
    practiceSignals: wholeFrom(0, 1_000).default(0).meta({
      description:
        "Signals per wave of the practice server: none, so that practice trades only what you post."
    })
  })
  .meta({ id: "FeedSettings", description: "A signal feed. The defaults are those of well-behaved clients." })

const instrument = z
  .strictObject({
    kind: oneOf(INSTRUMENT_KINDS).exactOptional().meta({ description: "What it is." }),
    multiplier: positive.exactOptional().meta({ description: "Money per point and unit." }),
    tick: positive.exactOptional().meta({ description: "The smallest step of its price." }),
    lot: positive.exactOptional().meta({ description: "The smallest step of its quantity." }),
    currency: z
      .string()
      .regex(/^[A-Z][A-Z0-9]{2,9}$/, "must be a currency such as USD")
      .exactOptional()
      .meta({ description: "What its price is in." }),
    calendar: calendar.exactOptional().meta({ description: "When it trades." })
  })
  .meta({
    id: "InstrumentSettings",
    description:
      "What is known of the instruments of a pattern (`ES*`); what is left out comes from the tables."
  })

const waves = z
  .strictObject({
    periodMs: natural.exactOptional().meta({ description: "Absent: 60000 in PRACTICE, 900000 elsewhere." }),
    offsetMs: anyWhole.exactOptional().meta({ description: "Absent: 0 in PRACTICE, 300000 elsewhere." }),
    lagMs: anyWhole.exactOptional().meta({ description: "Absent: 0 in PRACTICE, 1200000 elsewhere." }),
    freshMs: natural
      .exactOptional()
      .meta({ description: "Absent: as long as a signal of the source `wave` may be traded." })
  })
  .meta({ id: "WaveSettings", description: "The schedule of waves (B3)." })

const retention = z
  .strictObject({
    signalDays: wholeFrom(ageLimits.identityRetentionMs / 86_400_000)
      .nullable()
      .default(400)
      .meta({
        description:
          "Signals with decisions, orders, fills and links, and dead letters; never while an order or a position of them lives. Closes, of which each strategy and account keeps the last, and settings that were replaced, except the last ones. null: forever."
      }),
    alertDays: natural.default(400).meta({ description: "Alerts that are over." }),
    auditDays: natural.default(400).meta({ description: "Commands of operators and what came of them." }),
    refusedDays: natural.default(30).meta({ description: "Posts that were refused." }),
    refusedRowsMax: natural.default(10_000).meta({ description: "No more of them than this." }),
    eventDays: natural
      .default(30)
      .meta({ description: "The journal of components, and what sources were expected to send." }),
    eventRowsMax: natural.default(500_000).meta({ description: "No more rows of each than this." })
  })
  .meta({ id: "RetentionSettings", description: "How long rows are kept (T13), in days." })

const rateWords = "must be a number from 0 to 1"
const linkage = z
  .strictObject({
    rateMin: z.number(rateWords).min(0, rateWords).max(1, rateWords).default(1).meta({
      description:
        "An alert when a smaller share of the last 1,000 fills of our orders is linked to a strategy (A4)."
    })
  })
  .meta({ id: "LinkageSettings", description: "How fills are linked to strategies and metadata." })

const originWords = "must be an exact origin, scheme and host, without a wildcard"

/** `holdfast.json`. Everything is optional: an empty file is the practice configuration. */
export const settingsFile = z
  .strictObject(
    {
      $schema: z
        .string()
        .exactOptional()
        .meta({ description: "For editors: `/schemas/holdfast.json` of a service." }),
      mode: oneOf(modes)
        .default("PRACTICE")
        .meta({ description: "PAPER and LIVE do not start without strong secrets." }),
      host: text.default("127.0.0.1").meta({ description: "The address to listen on." }),
      port: wholeFrom(0, 65_535).default(5003).meta({ description: "0: any free port." }),
      dataDir: text.default("data").meta({
        description: "The embedded database, the lock, the identity of this node, the generated token."
      }),
      databaseUrl: z
        .string("must start with postgres:// or postgresql://")
        .regex(/^postgres(ql)?:\/\//, "must start with postgres:// or postgresql://")
        .exactOptional()
        .meta({ description: "Absent: the embedded PostgreSQL below `dataDir`." }),
      databasePool: wholeFrom(2, 100).default(10).meta({ description: "Connections to the database." }),
      roles: z
        .array(oneOf(roles), "must be a list of roles")
        .min(1, "names no role; leave it out to run all of them")
        .default([...roles])
        .meta({ description: "The roles of this process." }),
      hmacSecret: text
        .exactOptional()
        .meta({ description: "Verifies signed posts: `x-webhook-signature` or Standard Webhooks." }),
      webhookSecret: text
        .exactOptional()
        .meta({ description: "Expected as `secret` in the body of a post." }),
      adminToken: text
        .exactOptional()
        .meta({ description: "The bearer token of `/api/v1`; absent in PRACTICE: generated in `dataDir`." }),
      logLevel: oneOf(logLevels).default("info").meta({ description: "The lowest level that is written." }),
      logFormat: oneOf(logFormats)
        .exactOptional()
        .meta({ description: "Absent: pretty on a terminal, else json." }),
      corsOrigins: z
        .array(z.string(originWords).regex(/^https?:\/\/[^/*\s]+$/, originWords), "must be a list of origins")
        .default([])
        .meta({ description: "Origins whose pages may read responses." }),
      sources: mapOf(name, source)
        .default({})
        .meta({ description: "In addition to `default` and `wave`, which always exist." }),
      symbols: mapOf(z.string(), z.string("must be a symbol"))
        .default({})
        .meta({ description: "Sender's spelling to instrument, in any case." }),
      instruments: mapOf(z.string(), instrument)
        .default({})
        .meta({ description: "By symbol or pattern; what is named here overrides the tables." }),
      strategies: mapOf(name, strategy).exactOptional().meta({ description: "Absent: one, in PRACTICE." }),
      accounts: mapOf(name, account).exactOptional().meta({ description: "Absent: two, in PRACTICE." }),
      brokers: mapOf(name, broker)
        .exactOptional()
        .meta({ description: "Absent: the paper venue, in PRACTICE." }),
      feeds: mapOf(name, feed)
        .exactOptional()
        .meta({ description: "Absent: the built-in one, in PRACTICE." }),
      risk: risk.prefault({}),
      market: market.prefault({}),
      waves: waves.prefault({}),
      retention: retention.prefault({}),
      linkage: linkage.prefault({})
    },
    "must be an object"
  )
  .meta({ id: "Settings" })

export type SettingsFile = z.output<typeof settingsFile>

/** The defaults of a feed. */
export const plainFeed: FeedFields = feed.parse({})
/** The defaults of a circuit breaker. */
export const plainBreaker: BreakerLimits = breaker.parse({})
/** The defaults of a source. */
export const plainSource: SourceSettings = source.parse({})

/** The environment variables that set a setting and override the file. */
export const variables = {
  APP_MODE: "mode",
  HOST: "host",
  PORT: "port",
  DATA_DIR: "dataDir",
  DATABASE_URL: "databaseUrl",
  ROLES: "roles",
  HMAC_SECRET: "hmacSecret",
  WEBHOOK_SECRET: "webhookSecret",
  ADMIN_TOKEN: "adminToken",
  LOG_LEVEL: "logLevel",
  LOG_FORMAT: "logFormat",
  WAVE_PERIOD_MS: "waves.periodMs",
  WAVE_OFFSET_MS: "waves.offsetMs",
  WAVE_LAG_MS: "waves.lagMs",
  SIGNAL_WS_URL: "feeds.default.url",
  SIGNAL_WS_TOKEN: "feeds.default.token"
} as const satisfies Readonly<Record<string, string>>
