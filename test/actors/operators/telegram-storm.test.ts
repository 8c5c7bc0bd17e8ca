/** More alerts than a phone can take, on a virtual clock: Telegram away for an hour, and a thousand in a second. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import { TelegramFailed } from "../../../src/layers/operators/telegram-api.port.ts"
import { alertsIn } from "../../support/telegram-alerts.ts"
import { openBot } from "./telegram-bot-world.ts"

const hour = 3_600_000
const chats = { "7": { role: "operator" }, "8": { role: "operator" } }

/** A bot for two chats, with what Telegram took of each and when. */
const openPhones = (isTaken: (chat: number) => boolean) =>
  Effect.gen(function* () {
    const taken: Array<{ readonly chat: number; readonly text: string; readonly atMs: number }> = []
    let tries = 0
    const bot = yield* openBot({
      telegram: { chats },
      call: (method, { chat_id: chat, text }) =>
        Effect.gen(function* () {
          tries += 1
          if (!isTaken(Number(chat)))
            return yield* new TelegramFailed({ kind: "network", method, reason: "away", retryAfterMs: 0 })
          taken.push({ chat: Number(chat), text: String(text), atMs: yield* Clock.currentTimeMillis })
          return undefined
        })
    })
    yield* bot.notify
    yield* bot.send
    const textsOf = (chat: number) => taken.filter((one) => one.chat === chat).map(({ text }) => text)
    return { ...bot, taken, textsOf, tries: () => tries }
  })

const kinds = Array.from({ length: 9 }, (_, n) => `feed.kind_${n}`)

/** Everything was told: each once, what is CRITICAL by name and in order, and no kind more often than it was raised. */
const judge = (
  texts: ReadonlyArray<string>,
  raised: ReadonlyMap<string, number>,
  critical: ReadonlyArray<string>
) => {
  const told = alertsIn(texts)
  assert.strictEqual(
    told.total,
    [...raised.values()].reduce((sum, count) => sum + count, 0)
  )
  for (const [kind, count] of told.counts) assert.isAtMost(count, raised.get(kind) ?? 0, kind)
  assert.deepStrictEqual(told.critical, critical)
  // The first alert of each message of the others.
  const firsts = texts
    .filter((text) => !text.includes("CRITICAL"))
    .map((text) => /account (\d+)/.exec(text)?.[1])
  assert.deepStrictEqual(
    firsts,
    firsts.toSorted((a, b) => Number(a) - Number(b))
  )
}

describe("Telegram away for an hour", () => {
  it.effect("alerts are kept, and then told in few messages, in order, with every CRITICAL one named", () =>
    Effect.gen(function* () {
      let isAway = true
      const bot = yield* openPhones(() => !isAway)
      const raised = new Map<string, number>()
      const critical: Array<string> = []
      for (let n = 0; n < 360; n += 1) {
        const isCritical = n % 30 === 29
        const kind = isCritical ? "position.unprotected" : (kinds[n % kinds.length] ?? "")
        raised.set(kind, (raised.get(kind) ?? 0) + 1)
        if (isCritical) critical.push(`account ${n}`)
        yield* bot.alert(isCritical ? "CRITICAL" : n % 2 === 0 ? "HIGH" : "MEDIUM", kind, `account ${n}`)
        yield* TestClock.adjust(hour / 360)
        const waiting = bot.calls.filter(({ status }) => status === "waiting").length
        assert.isAtMost(waiting, 2 * telegramLimits.alertsWaitingMax, "messages that wait")
      }
      assert.deepStrictEqual(bot.taken, [])
      assert.isAtMost(bot.tries(), 2 * (hour / telegramLimits.sendRetryMsMax + 10), "no hammering")
      isAway = false
      yield* TestClock.adjust("1 minute")
      for (const chat of [7, 8]) {
        const texts = bot.textsOf(chat)
        judge(texts, raised, critical)
        assert.isAtMost(texts.length, telegramLimits.alertsWaitingMax + 10, "messages for 360 alerts")
      }
      const before = bot.taken.length
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(bot.taken.length, before, "each once")
      assert.isTrue(bot.calls.every(({ status }) => status === "sent"))
    }).pipe(Effect.scoped)
  )

  it.effect("[one chat is away, the other is not] whoever is there is told at once", () =>
    Effect.gen(function* () {
      let isAway = true
      const bot = yield* openPhones((chat) => chat === 8 || !isAway)
      const raised = new Map<string, number>()
      for (let n = 0; n < 60; n += 1) {
        const kind = `feed.kind_${n}`
        raised.set(kind, 1)
        yield* bot.alert("HIGH", kind, `account ${n}`)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(alertsIn(bot.textsOf(8)).counts.get(kind), 1)
      }
      assert.deepStrictEqual(bot.textsOf(7), [])
      isAway = false
      yield* TestClock.adjust("1 minute")
      judge(bot.textsOf(7), raised, [])
      assert.isAtMost(bot.textsOf(7).length, telegramLimits.alertsWaitingMax + 2)
      judge(bot.textsOf(8), raised, [])
    }).pipe(Effect.scoped)
  )
})

describe("a thousand alerts in a second", () => {
  it.effect("are few messages at Telegram's pace, in order, with every CRITICAL one named", () =>
    Effect.gen(function* () {
      const bot = yield* openPhones(() => true)
      const raised = new Map<string, number>()
      const critical: Array<string> = []
      for (let n = 0; n < 1_000; n += 1) {
        const isCritical = n % 40 === 39
        const kind = isCritical ? "position.unprotected" : (kinds[n % kinds.length] ?? "")
        raised.set(kind, (raised.get(kind) ?? 0) + 1)
        if (isCritical) critical.push(`account ${n}`)
        yield* bot.alert(isCritical ? "CRITICAL" : "HIGH", kind, `account ${n}`)
        yield* TestClock.adjust(1)
      }
      yield* TestClock.adjust("30 seconds")
      for (const chat of [7, 8]) {
        const texts = bot.textsOf(chat)
        judge(texts, raised, critical)
        assert.isAtMost(texts.length, 10)
        const at = bot.taken.filter((one) => one.chat === chat).map(({ atMs }) => atMs)
        assert.isTrue(
          at.every((ms, n) => n === 0 || ms - (at[n - 1] ?? 0) >= telegramLimits.chatEveryMs),
          at.join()
        )
      }
    }).pipe(Effect.scoped)
  )
})
