/** Controls: what is asked back, and what the bot reports of a press. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { CommandRefused, type CommandRequest, OUTCOME_UNKNOWN } from "../../../src/domain/control/commands.ts"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import type { CommandsService } from "../../../src/layers/control/commands.port.ts"
import type { Confirmation } from "../../../src/layers/operators/telegram-store.port.ts"
import { pressed, said } from "../../support/telegram-store.memory.ts"
import { type BotParts, openBot, SELF } from "./telegram-bot-world.ts"

/** What the bot says to these texts in chat 7, one after the other. */
const answers = (parts: BotParts, ...texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const bot = yield* openBot(parts)
    bot.arrive(...texts.map((text, n) => said(n + 1, 7, text)))
    yield* bot.handle
    yield* TestClock.adjust(telegramLimits.pollTableMs)
    return { bot, texts: bot.texts(7) }
  })

const keysOf = (call: { readonly parameters: Readonly<Record<string, unknown>> } | undefined): string =>
  JSON.stringify(call?.parameters["reply_markup"] ?? null)

describe("a component", () => {
  const components = [SELF, "root/feeds/tv"]
  it.effect("[the bot itself, or what holds it] is for the console, and no button offers it", () =>
    Effect.gen(function* () {
      const { bot, texts } = yield* answers(
        { components },
        `/restart ${SELF}`,
        "/pause operators/telegram",
        "/restart root/operators",
        "/restart root",
        "/restart"
      )
      assert.isTrue(
        texts.slice(0, 4).every((text) => text.includes("use the console")),
        texts.join("\n")
      )
      assert.lengthOf(bot.questions, 0)
      assert.include(keysOf(bot.calls[4]), "root/feeds/tv")
      assert.notInclude(keysOf(bot.calls[4]), SELF)
    }).pipe(Effect.scoped)
  )
  it.effect("[another, or a resumption of the bot] is asked", () =>
    Effect.gen(function* () {
      const { bot } = yield* answers({ components }, "/restart feeds/tv", `/resume ${SELF}`)
      assert.deepStrictEqual(
        bot.questions.map(({ command, target }) => [command, target]),
        [
          ["component.restart", "root/feeds/tv"],
          ["component.resume", SELF]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

describe("a close", () => {
  const rows = { positions: [{ id: "aaaa-1", symbol: "SPY", quantity: "10", account: "paper-1" }] }
  it.effect.each(["50%", "-5", "+5", ".5", "1,5", "1e3", "0", "\u22125", "$500", "½"])(
    "[%s] is no quantity, and asks nothing",
    (quantity) =>
      Effect.gen(function* () {
        const { bot, texts } = yield* answers({ rows }, `/close SPY ${quantity}`)
        assert.lengthOf(bot.questions, 0)
        assert.include(texts[0], "is no quantity")
      }).pipe(Effect.scoped)
  )
  it.effect("[a quantity, none, a reason] is asked with what it closes", () =>
    Effect.gen(function* () {
      const { bot } = yield* answers({ rows }, "/close SPY 1.5 rain", "/close SPY", "/close SPY rain")
      assert.deepStrictEqual(
        bot.questions.map(({ arguments: given, reason }) => [given["quantity"], reason]),
        [
          ["1.5", "rain"],
          [null, "asked for by Telegram"],
          [null, "rain"]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

describe("what came of a press", () => {
  const question = (over: Partial<Confirmation> = {}): Confirmation => ({
    id: "a",
    chat: 7,
    askedBy: 7,
    command: "account.flatten",
    target: "paper-1",
    arguments: {},
    reason: "why",
    ...over
  })
  const refuse =
    (kind: CommandRefused["kind"], reason: string, message: string): CommandsService["give"] =>
    () =>
      Effect.fail(new CommandRefused({ kind, reason, message }))
  const ending = (parts: BotParts, over: Partial<Confirmation> = {}) =>
    Effect.gen(function* () {
      const bot = yield* openBot(parts)
      bot.questions.push(question(over))
      bot.arrive(pressed(1, 7, "y:a"))
      yield* bot.handle
      yield* TestClock.adjust("1 minute")
      const edited = bot.calls.find(({ method }) => method === "editMessageText")
      return String(edited?.parameters["text"])
    })

  it.effect.each<[string, CommandsService["give"], RegExp]>([
    ["done", () => Effect.succeed({ body: { orders: [{}] }, repeated: false }), /^Done: 1 order\.$/],
    ["refused", refuse("conflict", "nothing_to_close", "nothing is held"), /^Not done: nothing is held\.$/],
    [
      "not audited",
      refuse("unavailable", "unavailable", "nothing was done: x"),
      /^Not done: nothing was done: x\.$/
    ],
    [
      "cut off",
      refuse("unavailable", OUTCOME_UNKNOWN, "nobody knows"),
      /^Not known .*see the audit \(nobody knows\)\.$/
    ],
    ["under way", refuse("conflict", "in_progress", "it goes on"), /^Not known .*see the audit/]
  ])("[%s] is shown as what it is", ([, give, words]) =>
    Effect.gen(function* () {
      assert.match(yield* ending({ give }), words)
    }).pipe(Effect.scoped)
  )

  it.effect("one of which nobody knows what came is not given again", () =>
    Effect.gen(function* () {
      const given: Array<CommandRequest> = []
      const unknown = new CommandRefused({ kind: "unavailable", reason: OUTCOME_UNKNOWN, message: "m" })
      yield* ending({
        give: (request) => {
          given.push({ ...request, arguments: {} })
          return Effect.fail(unknown)
        }
      })
      assert.lengthOf(given, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("one that would end the bot is not given, whenever its question was made", () =>
    Effect.gen(function* () {
      const restart = { command: "component.restart", target: SELF, arguments: { confirmed: false } } as const
      assert.match(yield* ending({ give: () => assert.fail("it was given") }, restart), /use the console/)
    }).pipe(Effect.scoped)
  )

  it.effect("one that was begun long ago says that the audit knows", () =>
    Effect.gen(function* () {
      const bot = yield* openBot({ give: () => assert.fail("it was given") })
      bot.world.taken = { _tag: "Overdue" }
      bot.arrive(pressed(1, 7, "y:a"))
      yield* bot.handle
      yield* TestClock.adjust(1)
      assert.match(bot.texts(7).join(), /Too late to go on.*see the audit/)
    }).pipe(Effect.scoped)
  )
})
