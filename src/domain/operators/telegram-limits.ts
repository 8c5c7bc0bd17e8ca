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
  /** A post of our own to the webhook, which our own route answers without storing anything. */
  probeMsMax: seconds(5),
  /** Bytes of an answer: a poll of long messages with their quotations and marks. */
  answerBytesMax: 4 * 1_048_576,
  /** Updates of one poll: 100 KB for each of them. When an answer is longer all the same, half as many are asked for. */
  pollUpdatesMax: 40,
  /** Pauses after a failure of the network or of Telegram: doubling, capped. */
  retryFirstMs: seconds(1),
  retryMsMax: seconds(30),
  /** The cap for a message: somebody waits for it, and each chat has one at a time. */
  sendRetryMsMax: seconds(10),
  /** After a refused token: no faster than a person can change it. */
  credentialRetryMs: seconds(60),
  /** After a 409: the other poller may be our former process, which is gone by then. */
  conflictRetryMs: seconds(10),
  /** Polls that go on for so long after a 409 without another: a whole poll, which whoever polls as well would have ended. */
  calmMsMin: seconds(24),
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
  /** Updates that one look reads. */
  roundUpdatesMax: 50,
  /** Chats that are served at the same time: most take milliseconds, and one in which a command hangs takes its place for `handleMsMax`. */
  lanesMax: 16,
  /** Updates of one chat in its lane, and of all of them in memory or put aside, above which no more are read. */
  laneUpdatesMax: 10,
  heldMax: 5_000,
  /** One update: a read of the database, or a command with its audit, which may wait for the end of an attempt that a crash cut off. */
  handleMsMax: seconds(45),
  /** Repetitions of a command that cannot be given now, or whose first attempt goes on, which each waits for. */
  inProgressTimes: 5,
  /** Attempts that failed by themselves before an update is a dead letter. */
  attemptsMax: 3,
  /** Attempts that ended in nothing: the process died with them, or the database was too slow. Those for which it was away do not count. */
  takenMax: 10,
  /** Messages read for one round of sending, and sent at the same time. */
  roundMessagesMax: 100,
  sendingMax: 8,
  /** Messages that wait for one chat; above it replies are not made any more, so that one chat cannot fill the table. Alerts have a bound of their own. */
  chatWaitingMax: 100,
  /** Attempts of a message that Telegram neither takes nor refuses count for nothing; it is dropped when it is this old. */
  messageMsMax: minutes(60),
  /** An answer to a press is dropped after this: Telegram does not take it any more, and nobody looks at the button. */
  pressMsMax: seconds(60),
  /** A reply is late after this, and says so. */
  replyMsMax: seconds(5),
  /** Health: commands that wait this long for an answer are unanswered. Below the 30 s within which it has to be visible. */
  unansweredMsMax: seconds(20),
  /** Health: an alert that waits this long to be sent reaches nobody. A group of which 20 wait takes a minute. */
  alertUnsentMsMax: seconds(90),
  /** Health: a message that was dropped is told for so long, unless a later one of its chat was sent. */
  droppedMsMax: minutes(60),
  /** How often the figures of health are read. */
  figuresEveryMs: seconds(5),
  /** A confirmation. */
  confirmMs: seconds(60),
  /** A press that came in time is not begun later than this after it: what it is about has changed meanwhile. */
  pressBegunMsMax: seconds(30),
  /** One that was begun, and whose process died, is not gone on with later than this after its time. */
  pressFinishedMsMax: minutes(5),
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
  /** How often it is looked whether a self-test is due; the first one is made at once. */
  selfTestLookMs: seconds(60),
  /** Entries that one look asks about. */
  approvalsRoundMax: 20,
  /** Messages about alerts that wait for one chat, above which no more are made for it: the alerts themselves wait. */
  alertsWaitingMax: 20,
  /** Older alerts are history, which a bot that is new does not repeat, unless they are open and HIGH or CRITICAL. */
  alertsAgeHoursMax: 24,
  /** How many days before that are looked at for the beginning of quiet hours: a week of them has all its days. */
  quietDaysMax: 7,
  /** Kinds of alerts that get a message each; of more, only what is CRITICAL does. */
  alertsSingleMax: 5,
  /** Alerts read in one round. */
  alertsRoundMax: 500,
  /** Alerts that are named in a summary. */
  alertsNamedMax: 8
} as const

invariant(telegramLimits.pollSeconds * 1_000 < telegramLimits.pollMsMax, "a poll ends by itself")
invariant(telegramLimits.calmMsMin < telegramLimits.pollSeconds * 1_000, "one whole poll is enough of a calm")
invariant(
  telegramLimits.callMsMax + telegramLimits.probeMsMax < 2 * telegramLimits.callMsMax,
  "a look at the webhook and a probe end before the state that waits for them"
)
invariant(
  telegramLimits.lanesMax * telegramLimits.laneUpdatesMax < telegramLimits.heldMax,
  "lanes that hang leave room to read others"
)
invariant(
  telegramLimits.unansweredMsMax + telegramLimits.figuresEveryMs < seconds(30),
  "unanswered commands are visible within 30 s"
)
