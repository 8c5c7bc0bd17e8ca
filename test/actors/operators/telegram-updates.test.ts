/** Which update is handled when: no chat waits for another, and no update pays for what was not its doing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import type { Confirmation } from "../../../src/layers/operators/telegram-store.port.ts"
import { pressed, said, unavailable } from "../../support/telegram-store.memory.ts"
import { openBot } from "./telegram-bot-world.ts"

const question = (id: string, chat: number): Confirmation => ({
  id,
  chat,
  askedBy: chat,
  command: "account.flatten",
  target: "paper-1",
  arguments: {},
  reason: "why"
})

describe("an update", () => {
  it.effect(
    "[a command that hangs in one chat] those of another are handled at once, and its own chat keeps its order",
    () =>
      Effect.gen(function* () {
        const bot = yield* openBot({ give: () => Effect.never })
        bot.questions.push(question("a", 7))
        bot.arrive(pressed(1, 7, "y:a"), said(2, 7, "/help"), said(3, 8, "/halt global"))
        yield* bot.handle
        yield* TestClock.adjust(1)
        assert.match(bot.texts(8).join(), /HALTED for global/)
        assert.deepStrictEqual(bot.texts(7), [])
        // Whoever writes while the command hangs is answered as well.
        bot.arrive(said(4, 8, "/help"))
        yield* TestClock.adjust(telegramLimits.pollTableMs)
        assert.match(bot.texts(8).join(), /you are an operator/)
        yield* TestClock.adjust(telegramLimits.handleMsMax)
        assert.match(bot.texts(7).join(), /you are an operator/, "its chat goes on after it")
        assert.strictEqual(bot.update(1)?.status, "waiting")
      }).pipe(Effect.scoped)
  )

  it.effect("[more than a lane holds] are all handled, in their order", () =>
    Effect.gen(function* () {
      const bot = yield* openBot()
      const count = 3 * telegramLimits.laneUpdatesMax
      bot.arrive(...Array.from({ length: count }, (_, n) => said(n + 1, 7, `/nothing${n}`)))
      yield* bot.handle
      // Three lanes, one after the other.
      for (let lane = 0; lane < 3; lane += 1) yield* TestClock.adjust(1)
      const numbers = bot.texts(7).map((text) => Number(/nothing(\d+)/.exec(text)?.[1]))
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: count }, (_, n) => n)
      )
    }).pipe(Effect.scoped)
  )

  it.effect("[the database is away] waits as long as it takes, and is no dead letter", () =>
    Effect.gen(function* () {
      const bot = yield* openBot()
      bot.failures.set("settle", unavailable("connection"))
      bot.arrive(said(1, 7, "/help"), said(2, 8, "/help"))
      yield* bot.handle
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(bot.update(1)?.attempts, 0, "none of them was its own doing")
      bot.failures.delete("settle")
      yield* TestClock.adjust(telegramLimits.retryMsMax + telegramLimits.pollTableMs)
      assert.deepStrictEqual([bot.update(1)?.status, bot.update(2)?.status], ["done", "done"])
    }).pipe(Effect.scoped)
  )

  it.effect("[one slow statement] is tried again alone, and its own slowness ends some day", () =>
    Effect.gen(function* () {
      const bot = yield* openBot()
      bot.failures.set("askConfirmation", unavailable("slow"))
      bot.arrive(said(1, 7, "/halt global"), said(2, 7, "/help"), said(3, 8, "/help"))
      yield* bot.handle
      yield* TestClock.adjust(1)
      assert.deepStrictEqual([bot.update(2)?.status, bot.update(3)?.status], ["done", "done"])
      assert.deepStrictEqual([bot.update(1)?.status, bot.update(1)?.attempts], ["waiting", 1])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(bot.update(1)?.status, "dead")
      assert.match(bot.texts(7).join(), /put aside for an operator/)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "[a group, before Telegram told the name] a command that names the bot waits, a press and other chats do not",
    () =>
      Effect.gen(function* () {
        const bot = yield* openBot()
        bot.state.botName = null
        bot.questions.push(question("a", -9))
        bot.arrive(
          said(1, -9, "/halt@bot global", 7),
          said(2, -9, "/halt@other global", 7),
          said(3, -9, "/help", 7),
          said(4, 8, "/help"),
          pressed(5, -9, "y:a", 7)
        )
        yield* bot.handle
        yield* TestClock.adjust(telegramLimits.pollTableMs)
        assert.deepStrictEqual(
          [1, 2, 3, 4, 5].map((id) => bot.update(id)?.status),
          ["waiting", "waiting", "waiting", "done", "done"]
        )
        bot.state.botName = "bot"
        yield* TestClock.adjust(telegramLimits.pollTableMs)
        const texts = bot.texts(-9).filter((text) => text !== "Done.")
        assert.deepStrictEqual([bot.update(1)?.status, bot.update(2)?.status], ["done", "done"])
        assert.match(texts[0] ?? "", /HALTED for global/)
        assert.match(texts[1] ?? "", /you are an operator/, "the other bot's command is none of ours")
        assert.lengthOf(texts, 2)
      }).pipe(Effect.scoped)
  )
})

describe("a press that fails each time", () => {
  it.effect("is an alert, and its question says that nobody knows", () =>
    Effect.gen(function* () {
      const bot = yield* openBot({ give: () => Effect.die(new Error("a bug")) })
      bot.questions.push(question("a", 7))
      bot.arrive(pressed(1, 7, "y:a"))
      yield* bot.handle
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        [bot.update(1)?.status, bot.update(1)?.attempts],
        ["dead", telegramLimits.attemptsMax]
      )
      assert.strictEqual(bot.open.get("telegram.command_dead:1")?.severity, "HIGH")
      const edited = bot.calls.find(({ method }) => method === "editMessageText")
      assert.match(String(edited?.parameters["text"]), /Not known whether it was done: see the audit/)
    }).pipe(Effect.scoped)
  )

  it.effect("[a button that only asks again] is no alert", () =>
    Effect.gen(function* () {
      const bot = yield* openBot()
      bot.failures.set("askConfirmation", unavailable("slow"))
      bot.arrive(pressed(1, 7, "r:/halt global"))
      yield* bot.handle
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual([bot.update(1)?.status, bot.open.size], ["dead", 0])
    }).pipe(Effect.scoped)
  )
})

describe("replies that a full chat does not get", () => {
  it.effect("are counted", () =>
    Effect.gen(function* () {
      const bot = yield* openBot()
      bot.world.unmade = 2
      bot.arrive(said(1, 7, "/help"))
      yield* bot.handle
      yield* TestClock.adjust(1)
      assert.strictEqual(bot.state.unmade, 2)
    }).pipe(Effect.scoped)
  )
})
