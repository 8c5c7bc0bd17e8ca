/** The rows of the bot: what is stored once, who may use a confirmation and until when, and what an alert makes. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import type { QuietNow } from "../../../src/domain/operators/telegram-quiet.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { TelegramInbox } from "../../../src/layers/intake/telegram-inbox.port.ts"
import { randomUUID } from "node:crypto"
import { alertsStorePg } from "../../../src/layers/alerts/alerts-store.pg.ts"
import { AlertsStore } from "../../../src/layers/alerts/alerts-store.port.ts"
import { type Alert, outbreakOf } from "../../../src/layers/alerts/alerts.port.ts"
import { telegramInboxPg, telegramStorePg } from "../../../src/layers/operators/telegram-store.pg.ts"
import { type Confirmation, TelegramStore } from "../../../src/layers/operators/telegram-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom({ telegram: { token: `42:${"x".repeat(35)}`, chats: { "7": {}, "8": {} } } })
const World = Layer.mergeAll(telegramInboxPg, telegramStorePg, alertsStorePg).pipe(
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

const raise = (kind: string) =>
  alter(`INSERT INTO alerts (id, severity, kind, dedup_key, message, last_message)
    VALUES (gen_random_uuid(), 'HIGH', '${kind}', '${kind}', 'm', 'm')`)

const loud = { isQuiet: false, ageMsMax: 86_400_000 }

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
        const ids = (limit: number, except: ReadonlyArray<number>) =>
          Effect.map(store.waiting(limit, except), (waiting) => waiting.map(({ updateId }) => updateId))
        assert.deepStrictEqual(yield* ids(2, []), [10, 11])
        assert.deepStrictEqual(yield* ids(2, [10]), [11, 12])
        assert.deepStrictEqual([yield* store.begin(10), yield* store.begin(10)], [1, 2])
        yield* store.release(10)
        assert.strictEqual(yield* store.begin(10), 2)
        assert.strictEqual(yield* store.begin(99), null)
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
        assert.strictEqual(yield* store.begin(20), null)
        yield* store.bury(21, "poison", [])
        const unsent = yield* store.unsent(10)
        assert.deepStrictEqual(
          unsent.map(({ chat, isReply, parameters }) => [chat, isReply, parameters["text"]]),
          [
            [7, true, "first"],
            [8, true, "x"]
          ]
        )
        assert.lengthOf(yield* store.waiting(10, []), 0)
        const letters = yield* alter("SELECT reference, reason FROM dead_letters WHERE origin = 'telegram'")
        assert.deepStrictEqual(letters, [{ reference: "42/21", reason: "poison" }])
        const { dead, processed, unsent: count } = yield* store.figures
        assert.deepStrictEqual([dead, processed, count], [1, 1, 2])
        for (const { seq } of unsent) yield* store.sent(seq, 1)
        assert.isNotNull((yield* store.figures).lastReplyMs)
      })
    )

    it.effect(
      "a chat that has too much waiting gets no more replies, which is told, and its alerts all the same",
      () =>
        Effect.gen(function* () {
          const inbox = yield* TelegramInbox
          const store = yield* TelegramStore
          yield* inbox.receive("poll", [update(30), update(31)])
          yield* store.settle(
            30,
            Array.from({ length: telegramLimits.chatWaitingMax }, () => call(9))
          )
          assert.strictEqual(yield* store.settle(31, [call(9), call(10)]), 1)
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
          yield* raise("crowded")
          assert.strictEqual(yield* store.notifyAlerts([9], loud, (chat) => [call(chat, "alert")]), 1)
          const alerts = yield* alter(
            "SELECT count(*)::int AS n FROM telegram_messages WHERE update_id IS NULL"
          )
          assert.deepStrictEqual(alerts, [{ n: 1 }])
          yield* alter("DELETE FROM telegram_messages")
        })
    )

    it.effect("what was not sent and what was dropped is told for health, of the chats of the settings", () =>
      Effect.gen(function* () {
        const inbox = yield* TelegramInbox
        const store = yield* TelegramStore
        yield* inbox.receive("poll", [update(70)])
        yield* store.settle(70, [call(7, "a"), call(7, "b"), call(8, "c"), call(99, "d")])
        const seqOf = (text: string) =>
          Effect.map(
            alter(
              `SELECT seq::text AS seq FROM telegram_messages WHERE parameters LIKE '%"text":"${text}"%'`
            ),
            ([row]) => BigInt((row as { readonly seq: string }).seq)
          )
        yield* store.drop(yield* seqOf("a"), "Forbidden: a")
        yield* store.drop(yield* seqOf("c"), "Forbidden: c")
        yield* store.drop(yield* seqOf("d"), "Forbidden: d")
        const told = Effect.map(store.figures, ({ dropped }) =>
          dropped.map(({ chat, reason }) => [chat, reason])
        )
        assert.deepStrictEqual(yield* told, [
          [7, "Forbidden: a"],
          [8, "Forbidden: c"]
        ])
        yield* store.sent(yield* seqOf("b"), 1)
        assert.deepStrictEqual(yield* told, [[8, "Forbidden: c"]], "a later one arrived")
        assert.strictEqual((yield* store.figures).oldestAlertMs, null)
        yield* raise("unsent")
        yield* store.notifyAlerts([7], loud, (chat) => [call(chat)])
        const before = yield* store.figures
        assert.isAtMost(before.nowMs - (before.oldestAlertMs ?? 0), 60_000)
        yield* inbox.receive("webhook", [update(71)])
        const { lastWebhookMs } = yield* store.figures
        assert.isAtLeast(lastWebhookMs ?? 0, before.nowMs)
        yield* alter("DELETE FROM telegram_messages")
      })
    )
  })

  describe("a self-test", () => {
    it.effect("is one at a time for a chat, due again in its time, and keeps the number of its message", () =>
      Effect.gen(function* () {
        const store = yield* TelegramStore
        yield* alter("DELETE FROM telegram_messages")
        const make = (everyMs: number | null) =>
          store.testSelf([7, 8], "schedule", everyMs, (chat) => call(chat, "test"))
        assert.strictEqual(yield* make(60_000), 2)
        assert.strictEqual(yield* make(null), 0, "those still wait")
        const [first, second] = yield* store.unsent(10)
        yield* store.sent(first?.seq ?? 0n, 41)
        yield* store.drop(second?.seq ?? 0n, "Forbidden")
        assert.strictEqual(yield* make(60_000), 0)
        const seen = Effect.map(store.figures, ({ oldestAlertMs, tests }) => {
          assert.isNull(oldestAlertMs, "it is no alert")
          return tests.map(({ chat, isOver, messageId, reason, status }) =>
            [chat, status, messageId, reason, isOver].join(" ")
          )
        })
        assert.deepStrictEqual(yield* seen, ["7 sent 41  false", "8 dropped  Forbidden false"])
        yield* store.testSelf([7], "telegram:7", null, (chat) => call(chat, "test"))
        assert.deepStrictEqual(yield* seen, ["7 waiting   false", "8 dropped  Forbidden false"])
        const inbox = yield* TelegramInbox
        yield* inbox.receive("poll", [update(80)])
        yield* store.settle(80, [call(8, "later")])
        const later = (yield* store.unsent(10)).find(({ chat }) => chat === 8)
        yield* store.sent(later?.seq ?? 0n, 42)
        assert.deepStrictEqual((yield* seen)[1], "8 dropped  Forbidden true")
        yield* alter(
          "UPDATE telegram_messages SET created_at = created_at - interval '61 s', status = 'sent'"
        )
        assert.strictEqual(yield* make(60_000), 2)
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

    it.effect("[a press of yesterday that nobody handled] is not in time, however early it came", () =>
      Effect.gen(function* () {
        const inbox = yield* TelegramInbox
        const store = yield* TelegramStore
        const pressAt = (id: string, updateId: number, ageMs: number) =>
          Effect.gen(function* () {
            yield* store.askConfirmation(asked(id))
            yield* inbox.receive("poll", [update(updateId)])
            yield* alter(
              `UPDATE telegram_confirmations SET expires_at = hf_now() - interval '${ageMs} milliseconds' WHERE id = '${id}'`
            )
            yield* alter(
              `UPDATE telegram_updates SET received_at = hf_now() - interval '${ageMs + 1_000} milliseconds' WHERE update_id = ${updateId}`
            )
          })
        const take = (id: string, updateId: number) =>
          Effect.map(store.takeConfirmation({ id, chat: 7, user: 5, updateId }), ({ _tag }) => _tag)
        yield* pressAt("yesterday", 50, 86_400_000)
        assert.strictEqual(yield* take("yesterday", 50), "Expired")
        yield* pressAt("soon", 51, telegramLimits.pressBegunMsMax - 10_000)
        assert.strictEqual(yield* take("soon", 51), "Taken", "it came in time, and is handled now")
        yield* alter(
          `UPDATE telegram_confirmations SET expires_at = hf_now() - interval '${telegramLimits.pressFinishedMsMax - 60_000} milliseconds' WHERE id = 'soon'`
        )
        assert.strictEqual(yield* take("soon", 51), "Taken", "its process died meanwhile")
        yield* alter(
          `UPDATE telegram_confirmations SET expires_at = hf_now() - interval '${telegramLimits.pressFinishedMsMax + 1_000} milliseconds' WHERE id = 'soon'`
        )
        assert.strictEqual(yield* take("soon", 51), "Overdue")
        assert.strictEqual(yield* take("soon", 52), "Used")
      })
    )
  })

  describe("alerts", () => {
    const chats = [7, 8]
    /** What each chat was told of, since the last time that this was asked. */
    const notified = (now: QuietNow) =>
      Effect.gen(function* () {
        const store = yield* TelegramStore
        const seen: Array<string> = []
        const count = yield* store.notifyAlerts(chats, now, (chat, alerts) => {
          seen.push(...alerts.map(({ kind, message, severity }) => `${chat} ${severity} ${kind} ${message}`))
          return [call(chat)]
        })
        return { count, seen }
      })
    const told = notified(loud)
    const clear = Effect.andThen(
      alter("DELETE FROM telegram_messages"),
      alter("UPDATE alerts SET telegram_at = hf_now()")
    )

    it.effect("each makes its messages once for each chat, in order", () =>
      Effect.gen(function* () {
        yield* clear
        yield* raise("a")
        yield* raise("b")
        const { count, seen } = yield* told
        assert.strictEqual(count, 2)
        assert.deepStrictEqual(seen, ["7 HIGH a m", "7 HIGH b m", "8 HIGH a m", "8 HIGH b m"])
        assert.deepStrictEqual(yield* told, { count: 0, seen: [] })
      })
    )

    it.effect("[a chat of which enough wait] its alerts wait, and those of the others do not", () =>
      Effect.gen(function* () {
        const store = yield* TelegramStore
        yield* clear
        yield* raise("c")
        yield* store.notifyAlerts([7], loud, () =>
          Array.from({ length: telegramLimits.alertsWaitingMax }, () => call(7))
        )
        yield* raise("d")
        yield* raise("e")
        assert.deepStrictEqual((yield* told).seen, ["8 HIGH d m", "8 HIGH e m"])
        assert.deepStrictEqual((yield* told).seen, [], "once for each chat")
        yield* raise("f")
        assert.deepStrictEqual((yield* told).seen, ["8 HIGH f m"])
        yield* alter("UPDATE telegram_messages SET status = 'sent' WHERE chat = 7")
        assert.deepStrictEqual((yield* told).seen, ["7 HIGH d m", "7 HIGH e m", "7 HIGH f m"])
        assert.deepStrictEqual(yield* told, { count: 0, seen: [] })
      })
    )

    it.effect("[its severity rises] is told again, in the words of what is worse, and then no more", () =>
      Effect.gen(function* () {
        const alerts = yield* AlertsStore
        yield* clear
        const happen = (severity: Alert["severity"], message: string) => {
          const alert: Alert = { severity, kind: "k", dedupKey: "rising", message, standing: true }
          return Effect.flatMap(TelegramStore, (store) =>
            Effect.flatMap(store.figures, ({ nowMs }) =>
              alerts.store([outbreakOf(alert, randomUUID(), nowMs)])
            )
          )
        }
        yield* happen("MEDIUM", "one period")
        assert.deepStrictEqual((yield* told).seen, ["7 MEDIUM k one period", "8 MEDIUM k one period"])
        yield* happen("MEDIUM", "two periods")
        assert.deepStrictEqual((yield* told).seen, [])
        yield* happen("HIGH", "three periods")
        assert.deepStrictEqual((yield* told).seen, ["7 HIGH k three periods", "8 HIGH k three periods"])
        yield* happen("LOW", "four periods")
        assert.deepStrictEqual((yield* told).seen, [])
      })
    )

    it.effect("[quiet hours] only what is CRITICAL is told, and the rest when they are over", () =>
      Effect.gen(function* () {
        yield* clear
        for (const kind of ["kept", "grave", "early"]) yield* raise(kind)
        yield* alter("UPDATE alerts SET severity = 'CRITICAL' WHERE kind = 'grave'")
        yield* alter(
          "UPDATE alerts SET severity = 'LOW', first_at = hf_now() - interval '30 hours' WHERE kind = 'early'"
        )
        const ageMsMax = 31 * 3_600_000
        const night = yield* notified({ isQuiet: true, ageMsMax })
        assert.deepStrictEqual(night.seen, ["7 CRITICAL grave m", "8 CRITICAL grave m"])
        const { seen } = yield* notified({ isQuiet: false, ageMsMax })
        assert.deepStrictEqual(seen, ["7 HIGH kept m", "7 LOW early m", "8 HIGH kept m", "8 LOW early m"])
      })
    )

    it.effect("the strategy is the one that the alert names, or that of its order", () =>
      Effect.gen(function* () {
        const store = yield* TelegramStore
        yield* clear
        const order = randomUUID()
        yield* alter("INSERT INTO accounts (id, venue, starting_cash) VALUES ('a', 'v', 1)")
        yield* alter(
          `INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity, time_in_force, status, source, venue)
          VALUES ('${order}', 'c', 'a', 'momentum', 'entry', 'SPY', 'buy', 'market', 1, 'day', 'acked', 'webhook', 'v')`
        )
        for (const [kind, detail] of [
          ["named", { strategy: "carry", order_id: order }],
          ["ordered", { order_id: order }],
          ["broken", { order_id: "-".repeat(36) }],
          ["none", {}]
        ] as const) {
          yield* raise(kind)
          yield* alter(`UPDATE alerts SET detail = '${JSON.stringify(detail)}' WHERE kind = '${kind}'`)
        }
        const strategies: Array<string | null> = []
        yield* store.notifyAlerts([7], loud, (_chat, alerts) => {
          strategies.push(...alerts.map(({ strategy }) => strategy))
          return []
        })
        assert.deepStrictEqual(strategies, ["carry", "momentum", null, null])
      })
    )

    it.effect("[began more than a day ago] is history, unless it is open and bad", () =>
      Effect.gen(function* () {
        yield* clear
        for (const [kind, change] of [
          ["low", "severity = 'LOW'"],
          ["over", "resolved_at = hf_now()"],
          ["open", "severity = 'CRITICAL'"]
        ]) {
          yield* raise(kind ?? "")
          yield* alter(
            `UPDATE alerts SET first_at = hf_now() - interval '25 hours', ${change} WHERE kind = '${kind}'`
          )
        }
        assert.deepStrictEqual((yield* told).seen, ["7 CRITICAL open m", "8 CRITICAL open m"])
      })
    )
  })
})
