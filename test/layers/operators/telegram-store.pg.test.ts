/** The rows of the bot: what is stored once, who may use a confirmation, and what an alert makes. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { TelegramInbox } from "../../../src/layers/intake/telegram-inbox.port.ts"
import { telegramInboxPg, telegramStorePg } from "../../../src/layers/operators/telegram-store.pg.ts"
import { type Confirmation, TelegramStore } from "../../../src/layers/operators/telegram-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom({ telegram: { token: `42:${"x".repeat(35)}` } })
const World = Layer.mergeAll(telegramInboxPg, telegramStorePg).pipe(
  Layer.provideMerge(Layer.mergeAll(layerFreshDatabase(), Layer.succeed(Config, settings)))
)

const update = (updateId: number) => ({ updateId, body: JSON.stringify({ update_id: updateId }) })
const call = (chat: number, text = "x") => ({
  chat,
  method: "sendMessage",
  parameters: { chat_id: chat, text }
})
const alter = (statement: string) =>
  Effect.flatMap(Database, (database) => database.run("test", (sql) => sql.unsafe(statement)))

layer(World, { excludeTestServices: true })("the rows of the bot", (it) => {
  describe("updates", () => {
    it.effect("one is stored once however it comes, and a poll confirms only what polls brought", () =>
      Effect.gen(function* () {
        const inbox = yield* TelegramInbox
        const store = yield* TelegramStore
        assert.strictEqual(yield* store.nextOffset, null)
        assert.strictEqual(yield* inbox.receive("webhook", [update(12)]), 1)
        assert.strictEqual(yield* store.nextOffset, null, "an older one may still wait at Telegram")
        assert.strictEqual(yield* inbox.receive("poll", [update(10), update(11)]), 2)
        assert.strictEqual(yield* inbox.receive("webhook", [update(11)]), 0)
        assert.strictEqual(yield* store.nextOffset, 12)
        assert.strictEqual(yield* inbox.receive("poll", [update(12)]), 0)
        assert.strictEqual(yield* store.nextOffset, 13)
        yield* alter("UPDATE telegram_updates SET received_at = hf_now() - interval '6 days'")
        assert.strictEqual(yield* store.nextOffset, null, "Telegram may have begun to number again")
        const taken = yield* store.take(10)
        assert.deepStrictEqual(
          taken.map(({ attempts, updateId }) => [updateId, attempts]),
          [
            [10, 1],
            [11, 1],
            [12, 1]
          ]
        )
      })
    )

    it.effect("it is settled with its replies, once; a dead one is a letter", () =>
      Effect.gen(function* () {
        const inbox = yield* TelegramInbox
        const store = yield* TelegramStore
        yield* alter("DELETE FROM telegram_updates")
        yield* inbox.receive("poll", [
          update(20),
          { updateId: 21, body: '{"update_id":21,"text":"\\u0000"}' }
        ])
        yield* store.settle(20, [call(7, "first"), call(8)])
        yield* store.settle(20, [call(7, "again")])
        yield* store.bury(21, "poison", [])
        const unsent = yield* store.unsent(10)
        assert.deepStrictEqual(
          unsent.map(({ chat, isReply, parameters }) => [chat, isReply, parameters["text"]]),
          [
            [7, true, "first"],
            [8, true, "x"]
          ]
        )
        assert.lengthOf(yield* store.take(10), 0)
        const letters = yield* alter("SELECT reference, reason FROM dead_letters WHERE origin = 'telegram'")
        assert.deepStrictEqual(letters, [{ reference: "42/21", reason: "poison" }])
        const { dead, processed, unsent: count } = yield* store.figures
        assert.deepStrictEqual([dead, processed, count], [1, 1, 2])
        for (const { seq } of unsent) yield* store.sent(seq)
        assert.isNotNull((yield* store.figures).lastReplyMs)
      })
    )

    it.effect("a chat that has too much waiting gets no more", () =>
      Effect.gen(function* () {
        const inbox = yield* TelegramInbox
        const store = yield* TelegramStore
        yield* inbox.receive("poll", [update(30), update(31)])
        yield* store.settle(
          30,
          Array.from({ length: telegramLimits.chatWaitingMax }, () => call(9))
        )
        yield* store.settle(31, [call(9), call(10)])
        const counts = yield* alter(
          "SELECT chat::int AS chat, count(*)::int AS n FROM telegram_messages WHERE status = 'waiting' GROUP BY 1 ORDER BY 1"
        )
        assert.deepStrictEqual(counts, [
          { chat: 9, n: telegramLimits.chatWaitingMax },
          { chat: 10, n: 1 }
        ])
        assert.deepStrictEqual(
          (yield* store.unsent(500)).map(({ chat }) => chat),
          [9, 10],
          "the first of each"
        )
        yield* alter("DELETE FROM telegram_messages")
      })
    )
  })

  describe("a confirmation", () => {
    const asked = (id: string): Confirmation => ({
      id,
      chat: 7,
      askedBy: 5,
      command: "account.flatten",
      target: "paper-1",
      arguments: {},
      reason: "why"
    })
    it.effect("is for who asked, in that chat, for one update, and for a minute", () =>
      Effect.gen(function* () {
        const store = yield* TelegramStore
        yield* store.askConfirmation(asked("a"))
        const take = (given: Partial<{ chat: number; user: number; updateId: number; id: string }>) =>
          Effect.map(
            store.takeConfirmation({ id: "a", chat: 7, user: 5, updateId: 40, ...given }),
            ({ _tag }) => _tag
          )
        assert.strictEqual(yield* take({ id: "b" }), "Missing")
        assert.strictEqual(yield* take({ chat: 8 }), "Missing")
        assert.strictEqual(yield* take({ user: 6 }), "NotYours")
        assert.strictEqual(yield* take({}), "Taken")
        assert.strictEqual(yield* take({}), "Taken", "the same update, handled again after a crash")
        assert.strictEqual(yield* take({ updateId: 41 }), "Used")
        yield* store.askConfirmation(asked("late"))
        yield* alter("UPDATE telegram_confirmations SET expires_at = hf_now() WHERE id = 'late'")
        assert.strictEqual(yield* take({ id: "late" }), "Expired")
      })
    )
  })

  describe("alerts", () => {
    it.effect("each makes its messages once, in order, and none are made while enough wait", () =>
      Effect.gen(function* () {
        const store = yield* TelegramStore
        const raise = (kind: string) =>
          alter(`INSERT INTO alerts (id, severity, kind, dedup_key, message, last_message)
            VALUES (gen_random_uuid(), 'HIGH', '${kind}', '${kind}', 'm', 'm')`)
        yield* raise("a")
        yield* raise("b")
        const seen: Array<string> = []
        const notify = store.notifyAlerts((alerts) => {
          seen.push(...alerts.map(({ kind }) => kind))
          return [call(7)]
        })
        assert.strictEqual(yield* notify, 2)
        assert.strictEqual(yield* notify, 0)
        assert.deepStrictEqual(seen, ["a", "b"])
        yield* store.notifyAlerts(() => [])
        yield* raise("c")
        yield* store.notifyAlerts(() =>
          Array.from({ length: telegramLimits.alertsWaitingMax }, () => call(7))
        )
        yield* raise("d")
        assert.strictEqual(yield* notify, 0, "they wait as alerts")
        yield* alter("DELETE FROM telegram_messages")
        assert.strictEqual(yield* notify, 1)
        assert.deepStrictEqual(seen, ["a", "b", "d"])
      })
    )
  })
})
