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
import { INSTRUMENT_KINDS } from "../domain/kernel/instruments.ts"
import { ageLimits } from "../domain/kernel/limits-signals.ts"
import {
  type FeedFields,
  logFormats,
  logLevels,
  modes,
  partialPolicies,
  roles
} from "../domain/kernel/settings.ts"
import { alerts } from "./settings-alerts.ts"
import { approval } from "./settings-approval.ts"
import { contractRule, engine, panel, shadow, split, voter, voterName } from "./settings-engines.ts"
import { exits, sizing } from "./settings-exits.ts"
import { fees } from "./settings-fees.ts"
import { flags } from "./settings-flags.ts"
import { resources } from "./settings-resources.ts"
import { risk } from "./settings-risk.ts"
import { sourceFile } from "./settings-source.ts"
import { demotion, stage } from "./settings-stage.ts"
import { telegram } from "./settings-telegram.ts"
import { calendar, mapOf, natural, positive, text, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const nameWords = "must be a name of a-z, 0-9, - and _, at most 64 long"
const name = z.string(nameWords).regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, nameWords)
const anyWhole = z.int("must be a whole number")
const strategy = z
  .strictObject({
    sources: z.array(name, "must be a list of sources").min(1, "must name at least one source"),
    accounts: z.array(name, "must be a list of accounts").min(1, "must name at least one account"),
    engine,
    split,
    shadow,
    voter: voterName.nullable().default(null).meta({
      description: "The endpoint that engine C asks; null: no engine of this strategy is C."
    }),
    sidePolicy: oneOf(["both", "long_only", "short_only"])
      .default("both")
      .meta({ description: "Which sides it may open." }),
    symbols: z
      .array(z.string(), "must be a list of symbols")
      .nullable()
      .default(null)
      .meta({ description: "The instruments it trades; null: any." }),
    quantity: positive.default("1").meta({ description: "Quantity for a signal that names none." }),
    options: contractRule.nullable().default(null),
    sizing: sizing.nullable().default(null),
    stopLossPct: positive
      .nullable()
      .default(null)
      .meta({ description: "Percent of the average price below which its share is closed; null: no stop." }),
    profitTargetPct: positive.nullable().default(null).meta({
      description: "Percent of the average price beyond which its share is closed; null: no target."
    }),
    exits: exits.nullable().default(null),
    onPartialFill: oneOf(partialPolicies).default("keep").meta({
      description:
        "What becomes of an entry that ends partly filled: its fills are kept, closed, or left with an alert. `close` never closes more than the strategy still holds of them."
    }),
    partialFillMsMax: natural.nullable().default(null).meta({
      description:
        "After this long without another fill the rest of a partly filled entry is cancelled (`keep`, `close`) or alerted (`leave`); null: it works until the venue ends it."
    }),
    timeInForce: oneOf(["day", "gtc", "ioc"]).nullable().default(null).meta({
      description:
        "How long its limit and stop orders work when their signal does not say; null: `day`, and `gtc` where the market never closes. Not for orders at market. A stop is never `ioc`."
    }),
    approval: approval.nullable().default(null),
    stage,
    demotion: demotion.nullable().default(null)
  })
  .meta({ id: "StrategySettings", description: "Which signals are traded where, and how." })

const account = z
  .strictObject({
    broker: name.meta({ description: "One of `brokers`." }),
    startingCash: positive.meta({ description: "A change is a deposit or a withdrawal." }),
    calendar: calendar
      .default("24x7")
      .meta({ description: "When orders may leave, unless `instruments` has a calendar for their symbol." }),
    enabled: z.boolean("must be true or false").default(true).meta({
      description:
        "false: nothing opens or adds to a position, entries that rest at the venue are taken back; what it holds is closed as ever."
    })
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
      .meta({ description: "How long an order may be invisible after it was accepted." }),
    fees
  })
  .meta({ id: "BrokerSettings", description: "A connection to a venue." })

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
    calendar: calendar
      .exactOptional()
      .meta({ description: "When it trades; overrides the calendar of the account." })
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
          "Signals with decisions, orders, fills and links, dead letters, and waves that are over; never while an order or a position of them lives. Closes, of which each strategy and account keeps the last, and settings that were replaced, except the last ones. null: forever."
      }),
    alertDays: natural.default(400).meta({ description: "Alerts that are over." }),
    auditDays: natural.default(400).meta({ description: "Commands of operators and what came of them." }),
    refusedDays: natural.default(30).meta({ description: "Posts that were refused." }),
    refusedRowsMax: natural.default(10_000).meta({ description: "No more of them than this." }),
    eventDays: natural
      .default(30)
      .meta({ description: "The journal of components, and what sources were expected to send." }),
    eventRowsMax: natural.default(500_000).meta({ description: "No more rows of each than this." }),
    resourceDays: natural
      .default(7)
      .meta({ description: "What processes had left of memory, disk and time." }),
    resourceRowsMax: natural.default(100_000).meta({ description: "No more rows of it than this." })
  })
  .meta({ id: "RetentionSettings", description: "How long rows are kept (T13), in days." })

const spool = z
  .strictObject({
    postsMax: wholeFrom(1, 1_000_000).default(50_000).meta({
      description:
        "Posts it holds at most; 300 bytes of memory each. The default is four minutes of 200 posts a second."
    }),
    bytesMax: wholeFrom(1_048_576)
      .default(64 * 1_024 * 1_024)
      .meta({ description: "Bytes its files hold at most." })
  })
  .meta({
    id: "SpoolSettings",
    description:
      "The files in `dataDir` that take posts while the database is away. Beyond a bound they get a 503."
  })

const rateWords = "must be a number from 0 to 1"
const linkage = z
  .strictObject({
    rateMin: z.number(rateWords).min(0, rateWords).max(1, rateWords).default(1).meta({
      description:
        "An alert when a smaller share of the last 1,000 fills of our orders is linked to a strategy (A4)."
    })
  })
  .meta({ id: "LinkageSettings", description: "How fills are linked to strategies and metadata." })

const canary = z
  .strictObject({
    everyMs: wholeFrom(500, 3_600_000).nullable().default(60_000).meta({
      description:
        "Time between two canaries; one that is missing for three of them degrades the status. About ten small transactions each. null: none is sent, by no process of the installation."
    })
  })
  .meta({
    id: "CanarySettings",
    description:
      "The signal that proves the whole path (T9): from the intake to the fill of an account of its own."
  })

const practice = z
  .strictObject({
    signalEveryMs: wholeFrom(0, 3_600_000).default(0).meta({
      description:
        "Time between two signals that practice mode sends itself, from the source `practice`; at least 1000. The strategy of practice mode then has a stop and a target. 0: none. Refused in any other mode, and where `strategies` are configured and none takes `practice`."
    })
  })
  .meta({ id: "PracticeSettings", description: "What practice mode does by itself." })

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
      trustedProxies: z.array(z.string(), "must be a list of addresses and networks").default([]).meta({
        description:
          "Addresses and networks of proxies in front of the service: what they add to `X-Forwarded-For` names the sender of a post, and in the audit who gave a command."
      }),
      sources: mapOf(name, sourceFile)
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
      panel: panel.prefault({}),
      voters: mapOf(voterName, voter)
        .default({})
        .meta({ description: "Endpoints of your own that engine C asks: docs/engines.md." }),
      waves: waves.prefault({}),
      retention: retention.prefault({}),
      spool: spool.prefault({}),
      linkage: linkage.prefault({}),
      canary: canary.prefault({}),
      practice: practice.prefault({}),
      resources: resources.prefault({}),
      flags,
      telegram: telegram.prefault({}),
      alerts: alerts.prefault({})
    },
    "must be an object"
  )
  .meta({ id: "Settings" })

export type SettingsFile = z.output<typeof settingsFile>

/** The defaults of a feed. */
export const plainFeed: FeedFields = feed.parse({})

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
  SIGNAL_WS_TOKEN: "feeds.default.token",
  PRACTICE_SIGNAL_MS: "practice.signalEveryMs",
  TELEGRAM_BOT_TOKEN: "telegram.token",
  TELEGRAM_API_ROOT: "telegram.apiRoot",
  TELEGRAM_CHAT_IDS: "telegram.chats"
} as const satisfies Readonly<Record<string, string>>
