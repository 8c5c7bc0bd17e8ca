/**
 * Settings: what the service runs with.
 *
 * The shape of the configuration file, with what each field means and its default, is wire/settings.ts; how it becomes this is
 * config.resolve.ts. Times are in milliseconds, money and quantity are decimal strings.
 *
 * Promises: a value of type `Settings` is complete and cross-checked; nothing downstream checks it again.
 * Never: reads a file, the environment or a clock (see config.load.ts), or holds a secret in clear text.
 */
import type { Redacted } from "effect"
import type { CalendarName } from "./calendar.ts"
import type { FlagSettings } from "./flags.ts"
import type { InstrumentOverride } from "./instruments.ts"
import type { AlertSettings } from "./settings-alerts.ts"
import type {
  AuthenticationSettings,
  FieldMappings,
  IdentityRule,
  SourcePreset,
  SourceRate
} from "./settings-source.ts"
import type { VoterSettings } from "./settings-voters.ts"
import type { VenueFees } from "./venue-fee.ts"
import type { WaveSchedule } from "./wave-clock.ts"

export const modes = ["PRACTICE", "PAPER", "LIVE"] as const
export type Mode = (typeof modes)[number]

export const roles = ["http", "feeds", "waves", "accounts", "telegram", "monitors"] as const
export type Role = (typeof roles)[number]

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const
export type Weekday = (typeof WEEKDAYS)[number]

/** Hours of some days of the week; `from` and `to` are `HH:MM` of the zone, and an end that is not after the beginning is on the next day. */
export interface WeekHours {
  readonly zone: string
  readonly from: string
  readonly to: string
  readonly days: ReadonlyArray<Weekday>
}

/** What a source is expected to send (F4). */
export interface Expected {
  /** `bars`: at the end of every bar; `rate`: in any stretch of open time. */
  readonly kind: "bars" | "rate"
  /** A timeframe such as `5m`. */
  readonly every: string
  /** At least so many signals each time. */
  readonly signals: number
  readonly graceMs: number
  readonly calendar: "24x7" | "XNYS"
  /** Hours of a calendar that never closes; null: all of them. */
  readonly hours: WeekHours | null
}

/** One origin of signals: `POST /webhook/:source`. */
export interface SourceSettings {
  readonly preset: SourcePreset
  /** A TradingView `{{time}}` is the open of the bar: its age counts from the end of the bar (T3). */
  readonly timestampIs: "fired" | "bar"
  readonly identity: IdentityRule
  readonly metadata: boolean
  readonly ageMaxMs: number
  readonly rateLimit: SourceRate | null
  /** Who may post at all, in addition to the authentication. */
  readonly ips: ReadonlyArray<string> | null
  /** Null: by any of the secrets of the installation. */
  readonly authentication: AuthenticationSettings | null
  /** Null: the sender's names are ours. */
  readonly fields: FieldMappings | null
  readonly expected: Expected | null
}

/** What is done with the fills of an entry that ends partly filled. */
export const partialPolicies = ["keep", "close", "leave"] as const
export type PartialPolicy = (typeof partialPolicies)[number]

/** Exits that move with the price or follow the clock. Percentages and prices are decimal strings. */
export interface ExitSettings {
  readonly trailingPct: string | null
  readonly trailingAmount: string | null
  readonly trailingAtr: { readonly multiple: string; readonly bars: number; readonly barMs: number } | null
  readonly breakEvenAfterPct: string | null
  readonly holdMsMax: number | null
}

/** What the size of an entry follows from: money per entry, or a percentage of what the account is worth. */
export const SIZING_RULES = ["notional", "equityPct", "riskPct"] as const
export interface SizingSettings {
  readonly by: (typeof SIZING_RULES)[number]
  /** Decimal string above zero: money, or a percentage. */
  readonly amount: string
}

/** A: the rules alone. B: a panel of agents that votes on whatever opens. C: an endpoint of the user's own that does. */
export const ENGINES = ["A", "B", "C"] as const
export type EngineName = (typeof ENGINES)[number]

/** Which of a strategy's signals are decided by which engine. */
export interface SplitSettings {
  /** Percent of the signals that engine B decides, from 0 to 100. */
  readonly bPct: number
  /** The same for engine C; both together at most 100. */
  readonly cPct: number
  /** By instrument: always this engine. */
  readonly pins: Readonly<Record<string, EngineName>>
}

/** How the votes of engine B become a decision. */
export interface PanelSettings {
  /** The score, from -1 to 1, from which an order may open. */
  readonly threshold: number
  /** Agents that have to vote. */
  readonly quorum: number
  /** By agent; 1 for one that is not named. */
  readonly weights: Readonly<Record<string, number>>
  /** How long a decision waits for votes. */
  readonly deadlineMs: number
  /** Length of the bars that agents look at. */
  readonly barMs: number
}

/** What becomes of an entry that nobody answers about. */
export const APPROVAL_DEFAULTS = ["deny", "allow"] as const

/** A human is asked before a strategy opens anything (G9). */
export interface ApprovalSettings {
  readonly deadlineMs: number
  readonly otherwise: (typeof APPROVAL_DEFAULTS)[number]
  /** Percent of the price that was shown, as a decimal string; null: any. */
  readonly priceMovePctMax: string | null
}

/** How a strategy chooses option contracts among those that the market lists. */
export interface ContractRule {
  /** The size of the delta it wants, from 0 to 1. */
  readonly delta: number
  /** Days to expiration it wants. */
  readonly days: number
  /** Percent of the middle that bid and ask may be apart. */
  readonly spreadPctMax: number
  readonly openInterestMin: number
}

/** When a demoted strategy has earned its way back: by so many closes on paper. */
export interface PromotionSettings {
  readonly closes: number
  /** Decimal string, at least zero. */
  readonly profitMin: string
}

/** When a losing strategy becomes a shadow. `null` switches a rule off; money is in the account's currency. */
export interface DemotionSettings {
  readonly lossMax: string | null
  /** Closes that `lossMax` looks at. */
  readonly lossCloses: number
  readonly lossStreakMax: number | null
  readonly drawdownMax: string | null
  readonly back: PromotionSettings | null
}

export interface StrategySettings {
  readonly sources: ReadonlyArray<string>
  readonly accounts: ReadonlyArray<string>
  readonly engine: EngineName | "split"
  /** Present exactly when `engine` is `split`. */
  readonly split: SplitSettings | null
  /** The engine that decides as well, and orders nothing. */
  readonly shadow: EngineName | null
  /** What engine C asks; present exactly when it is one of these engines. */
  readonly voter: string | null
  readonly sidePolicy: "both" | "long_only" | "short_only"
  readonly symbols: ReadonlyArray<string> | null
  readonly quantity: string
  /** Null: at the money and the next month, whatever is listed. */
  readonly options: ContractRule | null
  readonly sizing: SizingSettings | null
  readonly stopLossPct: string | null
  readonly profitTargetPct: string | null
  readonly exits: ExitSettings | null
  readonly onPartialFill: PartialPolicy
  readonly partialFillMsMax: number | null
  /** Of its orders with a price, where their signal names none; null: by the calendar. */
  readonly timeInForce: "day" | "gtc" | "ioc" | null
  readonly approval: ApprovalSettings | null
  /** A shadow decides in full and opens nothing. */
  readonly stage: "live" | "shadow"
  readonly demotion: DemotionSettings | null
}

export interface AccountSettings {
  readonly broker: string
  readonly startingCash: string
  readonly calendar: CalendarName
  /** A disabled one opens nothing, and closes as ever. */
  readonly enabled: boolean
}

/** A broker connection. `url: null` runs the paper venue inside this process. */
export interface BrokerSettings {
  readonly kind: "paper"
  readonly url: string | null
  readonly rule: "U" | "R" | "O" | "N"
  readonly propagationMs: number
  /** What it takes for a trade. */
  readonly fees: VenueFees
}

/** What a rule may set a scope to when it has lost too much. */
export const breachStates = ["REDUCING", "HALTED"] as const

/** Limits of one scope over time, losses and prices (F2). `null` switches a check off; money is in the account's currency. */
export interface ScopeLimits {
  readonly ordersPerMinuteMax: number | null
  readonly priceCollarPct: string | null
  readonly priceCollarReducePct: string | null
  readonly cooldownAfterLossMs: number | null
  readonly cooldownAfterCrashMs: number | null
  readonly dailyLossMax: string | null
  readonly drawdownMax: string | null
  readonly lossStreakMax: number | null
  readonly onBreach: (typeof breachStates)[number]
}

/** When the circuit breaker of a broker or a strategy opens by itself, and how it closes again (E7). */
export interface BreakerLimits {
  /** Absent: by the mode (domain/orders/breaker.ts). `null`: only an operator opens it. */
  readonly failuresMax?: number | null
  readonly readFailuresMax: number | null
  readonly failurePct: number
  readonly windowMs: number
  readonly cooldownMs: number
  readonly cooldownMsMax: number
  readonly resetAfterMs: number
  readonly probesMin: number
  readonly probeEveryMs: number
}

/** Limits of T6. `null` switches a check off. */
export interface RiskSettings {
  readonly openPositionsMax: number | null
  readonly openPositionsPerSymbolMax: number | null
  readonly quantityMax: string | null
  readonly notionalMax: string | null
  readonly exposureMax: string | null
  /** Exposure per unit of the account's own money. Absent: unchecked in practice, where one alert is one fill, else "1". */
  readonly buyingPowerMultiple?: string | null
  /** IANA name of the time zone whose midnight starts a day. */
  readonly zone: string
  /** By scope: `global`, `account:<id>`, `strategy:<name>`. */
  readonly scopes: Readonly<Record<string, ScopeLimits>>
  /** `broker` and `strategy` for every one of a kind, `broker:<name>` and `strategy:<name>` for one. */
  readonly breakers: Readonly<Record<string, BreakerLimits>>
}

export interface MarketSettings {
  readonly kind: "practice"
  readonly seed: number
  readonly tickMs: number
}

/** A signal feed without its token. `url: null` runs the practice signal server inside this process. */
export interface FeedFields {
  readonly url: string | null
  readonly source: string
  readonly connectMsMax: number
  readonly authMsMax: number
  readonly retryFirstMs: number
  readonly retryMsMax: number
  readonly goodAfterMs: number
  readonly pingEveryMs: number
  readonly pongMsMax: number
  readonly statsEveryMs: number
  readonly answerMsMax: number
  readonly credentialRetryMs: number
  readonly flapConnects: number
  readonly flapWithinMs: number
  readonly alertAfterAttempts: number
  readonly frameBytesMax: number
  readonly practiceSignals: number
}

export interface FeedSettings extends FeedFields {
  readonly token: Redacted.Redacted<string> | null
}

/** When waves are checked, and how long after its due time one may be processed. */
export interface WaveSettings {
  readonly schedule: WaveSchedule
  readonly freshMs: number
}

/** How long rows are kept (T13), in days, and how many of some. */
export interface RetentionSettings {
  /** Signals with all that came of them, and dead letters. Null: forever. */
  readonly signalDays: number | null
  readonly alertDays: number
  readonly auditDays: number
  readonly refusedDays: number
  readonly refusedRowsMax: number
  readonly eventDays: number
  readonly eventRowsMax: number
  readonly resourceDays: number
  readonly resourceRowsMax: number
}

/** The signal that proves the whole path (T9). */
export interface CanarySettings {
  /** Null: none is sent. */
  readonly everyMs: number | null
}

/** What practice mode does by itself. */
export interface PracticeSettings {
  /** Zero: it sends no signals. */
  readonly signalEveryMs: number
}

/** When the process gives up features (E9). Null: that figure has no such limit, for memory the one of the machine. */
export interface ResourceSettings {
  readonly everyMs: number
  readonly rssHighMb: number | null
  readonly rssCriticalMb: number | null
  readonly heapHighPct: number | null
  readonly heapCriticalPct: number | null
  readonly loopHighMs: number | null
  readonly loopCriticalMs: number | null
  readonly diskFreeHighPct: number | null
  readonly diskFreeCriticalPct: number | null
  readonly poolWaitingHigh: number | null
  readonly queueHighMs: number | null
}

/** When the linkage of fills is an alert (A4). */
export interface LinkageSettings {
  readonly rateMin: number
}

/** What somebody may do through Telegram; the same words as those of control. */
export type TelegramRole = "viewer" | "operator"
export type TelegramAlertMode = "on" | "silent" | "off"

/** A chat that the bot answers. */
export interface TelegramChatSettings {
  readonly role: TelegramRole
  readonly users: Readonly<Record<string, TelegramRole>>
  /** Absent: as its role is. */
  readonly alerts?: boolean
}

/** Whether alerts are sent to a chat. */
export const getsAlerts = ({ alerts, role }: Pick<TelegramChatSettings, "alerts" | "role">): boolean =>
  alerts ?? role === "operator"

/** The bot. Without a token there is none. */
export interface TelegramSettings {
  readonly token: Redacted.Redacted<string> | null
  readonly apiRoot: string
  readonly chats: Readonly<Record<string, TelegramChatSettings>>
  readonly webhookUrl: string | null
  /** By strategy, before severity and kind. */
  readonly strategies: Readonly<Record<string, TelegramAlertMode>>
  /** While it is quiet only what is CRITICAL is sent. */
  readonly quiet: WeekHours | null
  /** How often the bot tests that messages arrive; null: only when it is asked to. */
  readonly selfTestEveryMs: number | null
  /** Where people open the console; null: messages have no links. */
  readonly consoleUrl: string | null
  readonly alerts: {
    readonly LOW: TelegramAlertMode
    readonly MEDIUM: TelegramAlertMode
    readonly HIGH: TelegramAlertMode
    readonly CRITICAL: TelegramAlertMode
    readonly kinds: Readonly<Record<string, TelegramAlertMode>>
  }
}

/** The owner of what no order of ours caused: a manual trade, an assignment, a liquidation. No strategy may have this name. */
export const EXTERNAL = "external"

export const logLevels = ["debug", "info", "warn", "error"] as const
export type LogLevel = (typeof logLevels)[number]
export const logFormats = ["json", "pretty"] as const
export type LogFormat = (typeof logFormats)[number]

/** How much the local spool may hold while the database is away. */
export interface SpoolSettings {
  readonly postsMax: number
  readonly bytesMax: number
}

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
  /** Proxies whose `x-forwarded-for` names the sender of a post. */
  readonly trustedProxies: ReadonlyArray<string>
  readonly sources: Readonly<Record<string, SourceSettings>>
  readonly symbols: Readonly<Record<string, string>>
  readonly instruments: Readonly<Record<string, InstrumentOverride>>
  readonly strategies: Readonly<Record<string, StrategySettings>>
  readonly accounts: Readonly<Record<string, AccountSettings>>
  readonly brokers: Readonly<Record<string, BrokerSettings>>
  readonly feeds: Readonly<Record<string, FeedSettings>>
  readonly risk: RiskSettings
  readonly market: MarketSettings
  readonly panel: PanelSettings
  readonly voters: Readonly<Record<string, VoterSettings>>
  readonly waves: WaveSettings
  readonly retention: RetentionSettings
  readonly spool: SpoolSettings
  readonly linkage: LinkageSettings
  readonly canary: CanarySettings
  readonly practice: PracticeSettings
  readonly resources: ResourceSettings
  readonly flags: FlagSettings
  readonly telegram: TelegramSettings
  readonly alerts: AlertSettings
  /** Names of the values that ended with a line break and were read without it. */
  readonly trimmed: ReadonlyArray<string>
}

/** One reason why a configuration is refused: where, and what is wrong with it. */
export interface SettingsProblem {
  readonly path: string
  readonly message: string
}
