/** What the commands that only look answer: pages of a list, links, and what is left out when resources are short. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Positioning } from "../../../src/domain/market/positioning.ts"
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
  const hour = 3_600_000
  const quote = { symbol: "SPY", bid: "99", ask: "101", last: "110", at: new Date(0) }
  const bars = () =>
    Effect.succeed([
      { open: "100", high: "110", low: "99", close: "110", volume: "1", at: new Date(0) }
    ] as never)
  const marketOf = (
    symbol: string,
    found: Positioning | null,
    more: BotParts["market"] = {}
  ): NonNullable<BotParts["market"]> => ({
    lookUp: () => Effect.succeed({ ...quote, symbol }),
    bars,
    positioning: () => Effect.succeed(found),
    ...more
  })
  const perpetual: Positioning = {
    symbol: "BTC-USDT-PERP",
    openInterest: "1030",
    openInterestDayAgo: "1000",
    funding: { rate: "0.0001", atMs: 3 * hour }
  }
  it.effect("has what it did in a day, which is left out when decoration is shed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const market = marketOf("SPY", null)
        const { text } = yield* answer("/price SPY", { market })
        assert.match(text, /last 110\n1 h ▲ 10\.00 %\nbid {2}99\nask {2}101<\/pre>$/, "and nothing below it")
        const bare = yield* answer("/price SPY", { market, shed: ["practice", "decoration"] })
        assert.match(bare.text, /last 110\nbid {2}99/)
      })
    )
  )
  it.effect("[a perpetual] has open interest, what it did in a day, and funding with who pays and when", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const market = marketOf("BTC-USDT-PERP", perpetual)
        const { text } = yield* answer("/price btc-usdt-perp", { market })
        assert.match(
          text,
          /101\nopen interest 1030, 24 h ▲ 3\.00 %\nfunding 0\.0100 %, longs pay in 3 h<\/pre>$/
        )
      })
    )
  )
  it.effect("[a pair, of which the market has those of the perpetual] names the perpetual", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { text } = yield* answer("/price BTC-USDT", { market: marketOf("BTC-USDT", perpetual) })
        assert.match(text, /101\nof BTC-USDT-PERP:\nopen interest 1030/)
      })
    )
  )
  it.effect.each<[string, Partial<Positioning>, string]>([
    ["a future without funding", { funding: null }, "open interest 1030, 24 h ▲ 3.00 %"],
    [
      "no open interest a day ago",
      { openInterestDayAgo: null },
      "open interest 1030\nfunding 0.0100 %, longs pay in 3 h"
    ],
    [
      "no open interest; shorts pay",
      { openInterest: null, funding: { rate: "-0.000125", atMs: hour / 2 } },
      "funding 0.0125 %, shorts pay in 30 min"
    ],
    ["nobody pays", { openInterest: null, funding: { rate: "0", atMs: hour } }, "funding 0.0000 % in 60 min"],
    ["neither", { openInterest: null, funding: null }, ""]
  ])("[%s] what the market does not have is not shown", ([, part, shown]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const found = { ...perpetual, symbol: "ESZ6", ...part }
        const { text } = yield* answer("/price ESZ6", { market: marketOf("ESZ6", found) })
        const [, below] = /101(?:\n([^<]*))?<\/pre>$/.exec(text) ?? assert.fail(text)
        assert.strictEqual(below ?? "", shown)
      })
    )
  )
  it.effect("[decoration is shed] has neither, and the market is not asked", () =>
    Effect.scoped(
      Effect.gen(function* () {
        let asked = 0
        const positioning = () =>
          Effect.sync(() => {
            asked += 1
            return perpetual
          })
        const market = marketOf("BTC-USDT-PERP", null, { positioning })
        const shed: BotParts["shed"] = ["practice", "decoration"]
        const { text } = yield* answer("/price BTC-USDT-PERP", { market, shed })
        assert.match(text, /ask {2}101<\/pre>$/)
        assert.strictEqual(asked, 0)
        yield* answer("/price BTC-USDT-PERP", { market })
        assert.strictEqual(asked, 1)
      })
    )
  )
  it.effect("[a market that does not say in time] is answered without them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const market = marketOf("BTC-USDT-PERP", null, {
          positioning: () => Effect.never,
          bars: () => Effect.never
        })
        const bot = yield* openBot({ market })
        bot.arrive(said(1, 7, "/price BTC-USDT-PERP"))
        yield* bot.handle
        yield* TestClock.adjust("1990 millis")
        assert.lengthOf(bot.texts(7), 0)
        // Both at once: one after the other would take twice as long.
        yield* TestClock.adjust("20 millis")
        assert.match(bot.texts(7).join(), /last 110\nbid {2}99\nask {2}101<\/pre>$/)
      })
    )
  )
})
