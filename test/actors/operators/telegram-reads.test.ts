/** What the commands that only look answer: pages of a list, links, and what is left out when resources are short. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { BadCursor } from "../../../src/layers/health/read-store.port.ts"
import { said } from "../../support/telegram-store.memory.ts"
import { type BotParts, openBot } from "./telegram-bot-world.ts"

/** What the bot says to this in chat 7. */
const answer = (text: string, parts: BotParts) =>
  Effect.gen(function* () {
    const bot = yield* openBot(parts)
    bot.arrive(said(1, 7, text))
    yield* bot.handle
    yield* TestClock.adjust(1)
    const [call] = bot.calls
    return {
      text: bot.texts(7).join("\n"),
      keyboard: JSON.stringify(call?.parameters["reply_markup"] ?? null)
    }
  })

describe("a list that has more than fits", () => {
  const longCursor = "c".repeat(60)
  const list: BotParts["list"] = (_name, { cursor }) => {
    if (cursor === null) return Effect.succeed({ items: [{ id: "first", status: "x" }], nextCursor: "AbC" })
    if (cursor === "AbC") return Effect.succeed({ items: [{ id: "second" }], nextCursor: null })
    return Effect.fail(new BadCursor({ cursor }))
  }
  it.effect("has a button for the next page, which has none when it is the last", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const first = yield* answer("/orders", { list })
        assert.match(first.text, /first/)
        assert.include(first.keyboard, '{"text":"More","callback_data":"r:/orders >AbC"}')
        const second = yield* answer("/orders >AbC", { list })
        assert.match(second.text, /second/)
        assert.strictEqual(second.keyboard, "null")
      })
    )
  )
  it.effect("[a page that is none] begins again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        assert.match((yield* answer("/orders >other", { list })).text, /first/)
      })
    )
  )
  it.effect("[a button that Telegram would not take] says where the rest is", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const long: BotParts["list"] = () =>
          Effect.succeed({ items: [{ id: "first" }], nextCursor: longCursor })
        const { keyboard, text } = yield* answer("/orders", { list: long })
        assert.match(text, /more in the console/)
        assert.strictEqual(keyboard, "null")
      })
    )
  )
})

describe("a price", () => {
  const quote = { symbol: "SPY", bid: "99", ask: "101", last: "110", at: new Date(0) }
  const market: BotParts["market"] = {
    lookUp: () => Effect.succeed(quote),
    bars: () =>
      Effect.succeed([
        { open: "100", high: "110", low: "99", close: "110", volume: "1", at: new Date(0) }
      ] as never)
  }
  it.effect("has what it did in a day, which is left out when decoration is shed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        assert.match((yield* answer("/price SPY", { market })).text, /last 110\n1 h ▲ 10\.00 %/)
        const { text } = yield* answer("/price SPY", { market, shed: ["practice", "decoration"] })
        assert.match(text, /last 110\nbid {2}99/)
      })
    )
  )
})
