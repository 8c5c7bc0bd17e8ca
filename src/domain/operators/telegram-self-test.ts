/**
 * telegram-self-test: a message that is sent to see whether messages arrive (C3).
 *
 * On a quiet day a bot that reaches nobody looks like one that has nothing to say. So a message goes out now and then, and when an
 * operator asks, and goes as every alert does.
 *
 * Promises: delivered means that Telegram's answer gave the message a number; what was not delivered in time, or was refused, has a
 * reason; a message that was taken later in the same chat ends it.
 * Never: claims that a person saw it: Telegram does not tell.
 */
import { telegramLimits } from "./telegram-limits.ts"
import { escaped, lasting } from "./telegram-text.ts"

/** The last test of a chat. Times are epoch milliseconds. */
export interface SelfTest {
  readonly chat: number
  /** Who asked for it, or `schedule`. */
  readonly by: string
  readonly status: "waiting" | "sent" | "dropped"
  readonly atMs: number
  readonly settledMs: number | null
  /** As Telegram's answer names the message. */
  readonly messageId: number | null
  readonly reason: string | null
  /** Telegram took a later message to the chat. */
  readonly isOver: boolean
}

export const SCHEDULED = "schedule"

const isDelivered = ({ messageId, status }: SelfTest): boolean => status === "sent" && messageId !== null

/** Why a test did not come through; null: it did, or may still. */
const reasonOf = (test: SelfTest, nowMs: number): string | null => {
  if (test.isOver || isDelivered(test)) return null
  if (test.status === "sent") return "Telegram's answer named no message"
  if (test.status === "dropped") return test.reason ?? "not delivered"
  return nowMs - test.atMs > telegramLimits.alertUnsentMsMax
    ? `not taken by Telegram for ${lasting(nowMs - test.atMs)}`
    : null
}

/** What is wrong by the last tests; null: nothing. */
export const selfTestTrouble = (tests: ReadonlyArray<SelfTest>, nowMs: number): string | null => {
  const failed = tests.flatMap((test) => {
    const reason = reasonOf(test, nowMs)
    return reason === null ? [] : [`the self-test did not reach ${test.chat}: ${reason}`]
  })
  return failed.length === 0 ? null : failed.slice(0, 3).join("; ")
}

/** The last tests in one line. */
export const selfTestLine = (tests: ReadonlyArray<SelfTest>, nowMs: number): string => {
  const trouble = selfTestTrouble(tests, nowMs)
  if (trouble !== null) return trouble
  const taken = tests.filter(isDelivered)
  if (taken.length === 0) return tests.length === 0 ? "none yet" : "under way"
  const oldestMs = taken.reduce((least, { atMs, settledMs }) => Math.min(least, settledMs ?? atMs), nowMs)
  return `taken by Telegram for ${taken.length} of ${tests.length} chats, ${lasting(nowMs - oldestMs)} ago`
}

/** The last test of a chat as health shows it. */
export const selfTestShown = (test: SelfTest, nowMs: number) => ({
  chat: test.chat,
  by: test.by,
  at: new Date(test.atMs).toISOString(),
  result: isDelivered(test)
    ? "delivered"
    : reasonOf(test, nowMs) === null && !test.isOver
      ? "waiting"
      : "failed",
  delivered_at: isDelivered(test) && test.settledMs !== null ? new Date(test.settledMs).toISOString() : null,
  message_id: test.messageId,
  reason: test.isOver ? test.reason : reasonOf(test, nowMs)
})

/** The message. */
export const selfTestHtml = (by: string, everyMs: number | null): string =>
  by === SCHEDULED
    ? `Self-test: messages of the bot arrive here.${everyMs === null ? "" : ` The next one follows in ${lasting(everyMs)}.`}`
    : `Self-test, asked for by ${escaped(by)}: messages of the bot arrive here.`
