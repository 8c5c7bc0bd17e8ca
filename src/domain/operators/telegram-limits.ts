/**
 * telegram limits: the bounds of the bot, each with its reason.
 *
 * Promises: the relations asserted at the end hold, or the process does not load.
 * Never: reads a setting.
 */
import { invariant } from "../kernel/invariant.ts"

const seconds = (n: number): number => n * 1_000
const minutes = (n: number): number => n * 60_000

export const telegramLimits = {
  /** A long poll, as Telegram recommends it: an answer at once when something arrives. Whole seconds. */
  pollSeconds: 25,
  /** Above the poll: Telegram answers it late when it is busy. */
  pollMsMax: seconds(35),
  /** Any other call. */
  callMsMax: seconds(10),
  /** Bytes of an answer: a hundred updates of 4,096 characters with their quotations. */
  answerBytesMax: 4 * 1_048_576,
  /** Pauses after a failure of the network or of Telegram: doubling, capped. */
  retryFirstMs: seconds(1),
  retryMsMax: seconds(30),
  /** After a refused token: no faster than a person can change it. */
  credentialRetryMs: seconds(60),
  /** After a 409: the other poller may be our former process, which is gone by then. */
  conflictRetryMs: seconds(10),
  /** How often getWebhookInfo is read while a webhook is set. */
  verifyEveryMs: seconds(15),
  /** An error that Telegram reports is the webhook's for so long; older ones are over. */
  webhookErrorMs: seconds(60),
  /** Updates that wait at Telegram above which a webhook is not delivering. */
  webhookPendingMax: 20,
  /** Looks in a row that find a webhook wanting before polling replaces it. */
  webhookStrikes: 2,
  /** After this long on polling the webhook is tried again. */
  webhookAgainMs: minutes(5),
  /** The net under a lost bell. */
  pollTableMs: seconds(2),
  /** Updates that are read for one round, and chats that are served at the same time. */
  roundUpdatesMax: 50,
  roundChatsMax: 4,
  /** One update: a read of the database, or a command with its audit, which may wait for the end of an attempt that a crash cut off. */
  handleMsMax: seconds(45),
  /** Repetitions of a command that cannot be given now, or whose first attempt goes on, which each waits for. */
  inProgressTimes: 5,
  /** Attempts of an update before it is a dead letter; a crash of the process counts as one. */
  attemptsMax: 3,
  /** Messages read for one round of sending, and sent at the same time. */
  roundMessagesMax: 100,
  sendingMax: 4,
  /** Messages that wait for one chat; above it replies are not made any more, so that one chat cannot fill the table. */
  chatWaitingMax: 100,
  /** Attempts of a message that Telegram neither takes nor refuses count for nothing; it is dropped when it is this old. */
  messageMsMax: minutes(60),
  /** A reply is late after this, and says so. */
  replyMsMax: seconds(5),
  /** Health: commands that wait this long for an answer are unanswered. Below the 30 s within which it has to be visible. */
  unansweredMsMax: seconds(20),
  /** How often the figures of health are read. */
  figuresEveryMs: seconds(5),
  /** A confirmation. */
  confirmMs: seconds(60),
  /** Characters of a page; Telegram takes 4,096, and tags are not counted there but are here. */
  pageMax: 3_500,
  /** Rows of one page of a list on a phone. */
  rowsMax: 12,
  /** Telegram's documented rates, with a little air: its clock is not ours. */
  chatEveryMs: 1_050,
  groupEveryMs: 3_100,
  botPerSecond: 25,
  /** A stranger is answered once in this time, and strangers are remembered up to a bound. */
  strangerEveryMs: minutes(60),
  strangersMax: 1_000,
  /** How often alerts are looked for: one indexed statement. What comes in between is grouped. */
  alertsEveryMs: seconds(2),
  /** Messages about alerts that wait above which no more are made: the alerts themselves wait. */
  alertsWaitingMax: 20,
  /** Older alerts are history, which a bot that is new does not repeat. */
  alertsAgeHoursMax: 24,
  /** Kinds of alerts that get a message each; of more, only what is CRITICAL does. */
  alertsSingleMax: 5,
  /** Alerts read in one round. */
  alertsRoundMax: 500,
  /** Alerts that are named in a summary. */
  alertsNamedMax: 8
} as const

invariant(telegramLimits.pollSeconds * 1_000 < telegramLimits.pollMsMax, "a poll ends by itself")
invariant(
  telegramLimits.unansweredMsMax + telegramLimits.figuresEveryMs < seconds(30),
  "unanswered commands are visible within 30 s"
)
