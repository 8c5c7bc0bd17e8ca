/** Sending, on a virtual clock: what Telegram refuses for now costs nobody else anything, and what it refuses for good is not silent. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import { PRESS_ANSWER } from "../../../src/domain/operators/telegram-pace.ts"
import { TelegramFailed, type TelegramFailure } from "../../../src/layers/operators/telegram-api.port.ts"
import { unavailable } from "../../support/telegram-store.memory.ts"
import { openBot } from "./telegram-bot-world.ts"

const message = (chat: number, text = "x") => ({
  chat,
  method: "sendMessage",
  parameters: { chat_id: chat, text }
})
const answer = (chat: number) => ({ chat, method: PRESS_ANSWER, parameters: { callback_query_id: "1" } })
const failing = (kind: TelegramFailure, reason = kind as string, retryAfterMs = 0) =>
  Effect.fail(new TelegramFailed({ kind, method: "m", reason, retryAfterMs }))

describe("an answer to a press", () => {
  it.effect(
    "[429] is made again when Telegram says, holds up no message, and is dropped after a minute",
    () =>
      Effect.gen(function* () {
        const bot = yield* openBot({
          call: (method) => (method === PRESS_ANSWER ? failing("rate", "slow down", 25_000) : Effect.void)
        })
        bot.write(true, answer(7))
        yield* bot.send
        yield* TestClock.adjust(1)
        bot.write(false, message(8))
        yield* TestClock.adjust(telegramLimits.pollTableMs)
        const answers = () => bot.made.filter(({ method }) => method === PRESS_ANSWER).length
        assert.deepStrictEqual([answers(), bot.calls[1]?.status], [1, "sent"])
        yield* TestClock.adjust("50 seconds")
        assert.strictEqual(answers(), 3)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([answers(), bot.calls[0]?.status], [3, "dropped"])
      }).pipe(Effect.scoped)
  )
  it.effect("[429 that names no time] is not made again at the speed of the network", () =>
    Effect.gen(function* () {
      const bot = yield* openBot({ call: () => failing("rate") })
      bot.write(true, answer(7))
      yield* bot.send
      yield* TestClock.adjust("10 seconds")
      assert.isAtMost(bot.made.length, 11)
    }).pipe(Effect.scoped)
  )
})

describe("a chat that is stuck", () => {
  it.effect("[no answer from Telegram] holds up no other, and keeps its order", () =>
    Effect.gen(function* () {
      const bot = yield* openBot({
        call: (_method, { chat_id: chat }) => (chat === 7 ? Effect.never : Effect.void)
      })
      bot.write(false, message(7, "first"), message(7, "second"), message(8, "other"))
      yield* bot.send
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        bot.calls.map(({ status }) => status),
        ["waiting", "waiting", "sent"]
      )
      bot.write(false, message(8, "again"))
      yield* TestClock.adjust(telegramLimits.pollTableMs)
      assert.strictEqual(bot.calls[3]?.status, "sent")
      assert.strictEqual(bot.calls[1]?.status, "waiting", "it waits for the one before it")
    }).pipe(Effect.scoped)
  )
  it.effect("[an error of Telegram's] is tried later each time", () =>
    Effect.gen(function* () {
      const bot = yield* openBot({ call: () => failing("server") })
      bot.write(false, message(7))
      yield* bot.send
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(bot.made.length, 10)
      assert.strictEqual(bot.calls[0]?.status, "waiting")
    }).pipe(Effect.scoped)
  )
})

describe("a message that Telegram does not take", () => {
  it.effect.each([
    "Forbidden: bot was blocked by the user",
    "Bad Request: chat not found",
    "Bad Request: group chat was upgraded to a supergroup chat; the chat is now -100123"
  ])("[%s] is an alert until the chat takes one", (reason) =>
    Effect.gen(function* () {
      let isBlocked = true
      const bot = yield* openBot({ call: () => (isBlocked ? failing("refused", reason) : Effect.void) })
      bot.write(false, message(7))
      yield* bot.send
      yield* TestClock.adjust(1)
      const alert = bot.open.get("telegram.chat_unreachable:7")
      assert.deepStrictEqual([alert?.severity, bot.calls[0]?.status], ["HIGH", "dropped"])
      assert.include(alert?.message, reason)
      isBlocked = false
      bot.write(false, message(7))
      yield* TestClock.adjust(telegramLimits.pollTableMs)
      assert.strictEqual(bot.open.size, 0)
    }).pipe(Effect.scoped)
  )
  it.effect("[words that are no HTML; a chat that nobody named] is none", () =>
    Effect.gen(function* () {
      const bot = yield* openBot({
        call: (_method, { chat_id: chat }) =>
          failing("refused", chat === 7 ? "Bad Request: can't parse entities" : "Forbidden: bot was blocked")
      })
      bot.write(false, message(7), message(999))
      yield* bot.send
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        [bot.open.size, bot.calls.map(({ status }) => status)],
        [0, ["dropped", "dropped"]]
      )
    }).pipe(Effect.scoped)
  )
})

describe("a message that Telegram took", () => {
  it.effect("[the database is away then] is not sent again", () =>
    Effect.gen(function* () {
      const bot = yield* openBot()
      bot.failures.set("sent", unavailable("connection"))
      bot.write(false, message(7))
      yield* bot.send
      yield* TestClock.adjust("1 minute")
      bot.failures.delete("sent")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([bot.made.length, bot.calls[0]?.status], [1, "sent"])
    }).pipe(Effect.scoped)
  )
})
