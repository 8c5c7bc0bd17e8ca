/**
 * How the Telegram stand-in is set up, and the numbers of the Bot API that it enforces.
 *
 * The numbers are those of core.telegram.org/bots/api and its FAQ. A test may make the slow ones fast; the program never does.
 *
 * Promises: every limit a bot can run into has its name here.
 * Never: reads the environment.
 */

export const apiLimits = {
  /** Characters of a message after its entities are parsed. */
  textMax: 4_096,
  /** Characters of the notification that answers a press. */
  answerTextMax: 200,
  /** Bytes of the data of a button. */
  callbackDataMax: 64,
  buttonsMax: 100,
  commandsMax: 100,
  secretTokenMax: 256,
  /** Updates are kept no longer. */
  updateKeptMs: 24 * 3_600_000,
  updatesPerAnswerMax: 100,
  pollSecondsMax: 50,
  /** A press that is not answered by then cannot be answered any more. */
  queryAnswerMs: 60_000,
  webhookPorts: ["443", "80", "88", "8443"],
  connectionsMax: 100,
  connectionsDefault: 40,
  /** Bytes of a request. */
  bodyMax: 1_048_576,
  /** Messages: to one chat in a second, to one group in a minute, by one bot in a second. */
  chatPerSecond: 1,
  groupPerMinute: 20,
  botPerSecond: 30
} as const

export interface StandInOptions {
  /** The token of the bot, `<digits>:<letters>`. */
  readonly token: string
  /** As `telegram-bot-api --local`: webhooks over HTTP, at any address and port. */
  readonly local: boolean
  /** Whether messages beyond the limits are answered 429. */
  readonly limits: boolean
  /** The number of the first update. */
  readonly firstUpdateId: number
  /** Before the first repetition of a delivery; it doubles up to `webhookRetryMsMax`. */
  readonly webhookRetryMs: number
  readonly webhookRetryMsMax: number
  /** Deliveries of one update before it is given up. */
  readonly webhookAttempts: number
  /** How long a webhook may take to answer. */
  readonly webhookAnswerMs: number
}

/** The bot's user name, which a command in a group may carry. */
export const BOT_NAME = "holdfast_stand_in_bot"

/** Digits, a colon, 35 characters: the form of a token, and nobody's. */
export const practiceToken = "1000001:stand-in-0123456789-0123456789-0123"

export const TOKEN_FORM = /^\d{1,16}:[A-Za-z0-9_-]{20,80}$/

export const plainOptions: StandInOptions = {
  token: practiceToken,
  local: true,
  limits: true,
  firstUpdateId: 1_000,
  webhookRetryMs: 1_000,
  webhookRetryMsMax: 60_000,
  webhookAttempts: 20,
  webhookAnswerMs: 10_000
}
