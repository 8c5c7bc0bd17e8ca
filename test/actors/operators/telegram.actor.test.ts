/** How the bot gets its updates, on a virtual clock: each way in which that ends has a name, and an end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { telegramActor } from "../../../src/actors/operators/telegram.actor.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Commands } from "../../../src/layers/control/commands.port.ts"
import { makeAvailability } from "../../../src/layers/database/database-availability.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { DecisionReplays } from "../../../src/layers/decision/decision-replays.port.ts"
import { HealthSource } from "../../../src/layers/health/health-source.port.ts"
import { JournalStore } from "../../../src/layers/health/journal-store.port.ts"
import { ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { TelegramInbox } from "../../../src/layers/intake/telegram-inbox.port.ts"
import { Market } from "../../../src/layers/market/market.port.ts"
import {
  TelegramApi,
  TelegramFailed,
  type TelegramFailure,
  type WebhookReport
} from "../../../src/layers/operators/telegram-api.port.ts"
import type { SelfTest } from "../../../src/domain/operators/telegram-self-test.ts"
import { type TelegramFigures, TelegramStore } from "../../../src/layers/operators/telegram-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { ControlToken } from "../../../src/layers/platform/control-token.port.ts"
import { Figures } from "../../../src/layers/platform/figures.port.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { supervisor, worker } from "../../../src/runtime/child-spec.ts"
import { startTree } from "../../../src/runtime/supervisor.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const hook = "https://desk.example/telegram"
const fine: WebhookReport = { url: hook, pending: 0, lastErrorMs: null, lastError: null }
const token = `42:${"x".repeat(35)}`
const plainFigures: TelegramFigures = {
  oldestAlertMs: null,
  dropped: [],
  tests: [],
  lastWebhookMs: null,
  received: 0,
  processed: 0,
  dead: 0,
  waiting: 0,
  oldestWaitingMs: null,
  unsent: 0,
  oldestUnsentMs: null,
  lastReceivedMs: null,
  lastReplyMs: null,
  nowMs: 0
}

const openWorld = (webhookUrl: string | null = null, more: object = {}) =>
  Effect.gen(function* () {
    const open = new Map<string, Alert>()
    const calls: Array<string> = []
    const availability = makeAvailability()
    const failures = new Map<string, TelegramFailed>()
    const world = {
      /** What Telegram reports of the webhook. */
      webhook: fine,
      figures: plainFigures,
      /** Updates that make an answer too long. */
      longFrom: Number.POSITIVE_INFINITY,
      pollMs: 25_000,
      /** What self-tests were made of. */
      tested: Array<ReadonlyArray<unknown>>(),
      /** How many updates each poll asked for. */
      asked: Array<number>(),
      fail: (method: string, kind: TelegramFailure | null, retryAfterMs = 0) => {
        if (kind === null) failures.delete(method)
        else failures.set(method, new TelegramFailed({ kind, method, reason: kind, retryAfterMs }))
      }
    }
    const answered = <A>(method: string, answer: Effect.Effect<A, TelegramFailed>) =>
      Effect.suspend(() => {
        calls.push(method)
        const failure = failures.get(method)
        return failure === undefined ? answer : Effect.fail(failure)
      })
    const services = Layer.mergeAll(
      Figures.layer,
      Wake.layer,
      Shedding.layer,
      layerEntropy,
      DecisionReplays.layer.pipe(Layer.provide(layerEntropy)),
      Layer.succeed(
        Config,
        settingsFrom({ telegram: { token, webhookUrl, chats: { "7": { alerts: true } }, ...more } })
      ),
      Layer.mock(ControlToken, { current: () => null, file: null, mask: (text: string) => text }),
      Layer.mock(Database, { availability, stats: () => assert.fail("nobody asks") }),
      Layer.mock(HealthSource, {
        actors: () => [],
        timers: () => [],
        handEvents: () => [],
        send: () => Effect.void,
        health: () => assert.fail("nobody asks")
      }),
      Layer.mock(JournalStore, {}),
      Layer.mock(ReadStore, {}),
      Layer.mock(Commands, {}),
      Layer.mock(Market, {
        quote: () => null,
        subscribe: () => true,
        status: () => assert.fail("nobody asks")
      }),
      Layer.succeed(TelegramInbox, { receive: () => Effect.succeed(0) }),
      Layer.mock(TelegramStore, {
        nextOffset: Effect.succeed(null),
        waiting: () => Effect.succeed([]),
        unsent: () => Effect.succeed([]),
        notifyAlerts: () => Effect.succeed(0),
        askApprovals: () => Effect.succeed(0),
        testSelf: (chats, by, everyMs) =>
          Effect.sync(() => {
            world.tested.push([...chats, by, everyMs])
            return chats.length
          }),
        figures: Effect.sync(() => world.figures)
      }),
      Layer.succeed(TelegramApi, {
        call: (method) => answered(method, Effect.succeed(null)),
        botName: answered("getMe", Effect.succeed("bot")),
        updates: (_offset, limit) =>
          answered(
            "getUpdates",
            Effect.suspend(() => {
              world.asked.push(limit)
              const long = new TelegramFailed({ kind: "long", method: "m", reason: "long", retryAfterMs: 0 })
              return limit >= world.longFrom ? Effect.fail(long) : Effect.as(Effect.sleep(world.pollMs), [])
            })
          ),
        probe: () => answered("probe", Effect.void),
        webhook: answered(
          "getWebhookInfo",
          Effect.sync(() => world.webhook)
        )
      }),
      Layer.mock(Alerts, {
        raise: (alert) => Effect.sync(() => void open.set(alert.dedupKey, alert)),
        resolve: (keys) =>
          Effect.sync(() => {
            for (const key of typeof keys === "string" ? [keys] : keys) open.delete(key)
          }),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
    const tree = yield* startTree(
      supervisor({
        id: "root",
        children: [worker({ id: "telegram", start: telegramActor, stopBudgetMs: 1_000 })]
      }),
      { stopDeadlineMs: 1_000 }
    ).pipe(Effect.provide(services))
    const node = () => tree.snapshot().children[0] ?? assert.fail("no such component")
    const stateAfter = (ms: number) => Effect.map(TestClock.adjust(ms), () => node().state)
    return { availability, calls, node, open, stateAfter, world }
  })

describe("how the bot gets its updates", () => {
  it.effect("[token] a refused one is retried each minute, alerted, and over when it is good", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, calls, node, open, stateAfter, world } = yield* openWorld()
        assert.strictEqual(node().state, "WaitingForDatabase")
        world.fail("getMe", "credentials")
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "CredentialRefused")
        assert.strictEqual(open.get("telegram.credentials_refused")?.severity, "HIGH")
        yield* stateAfter(59_000)
        assert.lengthOf(calls, 1, "no faster than a person can change it")
        world.fail("getMe", null)
        assert.strictEqual(yield* stateAfter(1_001), "Polling")
        yield* stateAfter(25_000)
        assert.strictEqual(open.size, 0)
        availability.mark("unavailable")
        assert.strictEqual(yield* stateAfter(1), "WaitingForDatabase")
      })
    )
  )

  it.effect.each<[TelegramFailure, string, number]>([
    ["conflict", "Conflict", 10_000],
    ["rate", "RateLimited", 7_000],
    ["network", "BackingOff", 1_000],
    ["server", "BackingOff", 1_000]
  ])("[poll: %s] is %s, and tried again in time", ([kind, state, pauseMs]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, calls, open, stateAfter, world } = yield* openWorld()
        world.fail("getUpdates", kind, kind === "rate" ? 7_000 : 0)
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), state)
        assert.lengthOf(
          calls.filter((method) => method === "getUpdates"),
          1,
          "only a long answer is asked for again at once"
        )
        assert.strictEqual(open.has("telegram.conflict"), kind === "conflict")
        world.fail("getUpdates", null)
        assert.strictEqual(yield* stateAfter(pauseMs - 10), state)
        const polling = kind === "conflict" ? "Polling.Contested" : "Polling"
        assert.strictEqual(yield* stateAfter(20), polling)
      })
    )
  )

  it.effect("[webhook] one that stops delivering is replaced by polling, and comes back", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, calls, node, open, stateAfter, world } = yield* openWorld(hook)
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "WebhookSet")
        assert.notInclude(calls, "getUpdates")
        world.webhook = {
          url: hook,
          pending: 1,
          lastErrorMs: 10_000,
          lastError: "Wrong response from the webhook: 502 Bad Gateway"
        }
        yield* stateAfter(15_000)
        assert.strictEqual(node().state, "WebhookSet", "one look may be a moment")
        yield* stateAfter(15_000)
        assert.strictEqual(node().state, "Polling")
        assert.include(node().tags, "degraded")
        assert.match(open.get("telegram.webhook_failing")?.message ?? "", /502 Bad Gateway/)
        world.webhook = fine
        yield* stateAfter(300_000)
        assert.strictEqual(node().state, "WebhookSet")
        assert.include(calls, "probe")
        assert.deepStrictEqual([node().tags.includes("degraded"), open.size], [false, 0])
      })
    )
  )

  it.effect("[webhook] that Telegram reports nothing of one that failed does not make it good", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, open, stateAfter, world } = yield* openWorld(hook)
        world.webhook = { ...fine, pending: 21 }
        availability.mark("available")
        yield* stateAfter(15_001)
        assert.strictEqual(node().state, "Polling")
        world.webhook = fine
        world.fail("probe", "server")
        yield* stateAfter(300_000)
        assert.strictEqual(node().state, "WebhookSet", "it is being tried")
        assert.include(node().tags, "degraded")
        assert.isTrue(open.has("telegram.webhook_failing"))
        yield* stateAfter(15_001)
        assert.strictEqual(node().state, "Polling")
        assert.match(String(node().detail["webhook_trouble"]), /nothing came through it/)
        // An update that came through it since is better than any probe.
        world.figures = { ...plainFigures, nowMs: 1_000_000, lastWebhookMs: 1_000_000 }
        yield* stateAfter(300_000)
        assert.include(node().tags, "degraded", "that one was before it was set again")
        world.figures = { ...plainFigures, nowMs: 1_000_001, lastWebhookMs: 1_000_001 }
        yield* stateAfter(15_001)
        assert.strictEqual(node().state, "WebhookSet")
        assert.deepStrictEqual([node().tags.includes("degraded"), open.size], [false, 0])
      })
    )
  )

  it.effect("[poll] another poller stays an alert until a whole poll went undisturbed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, open, stateAfter, world } = yield* openWorld()
        world.fail("getUpdates", "conflict")
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "Conflict")
        // Polls that bring something end early; the other one comes again in between.
        world.fail("getUpdates", null)
        world.pollMs = 5_000
        assert.strictEqual(yield* stateAfter(10_000), "Polling.Contested")
        assert.strictEqual(yield* stateAfter(5_000), "Polling.Contested")
        assert.deepStrictEqual(
          [node().tags.includes("degraded"), open.has("telegram.conflict")],
          [true, true]
        )
        world.fail("getUpdates", "conflict")
        assert.strictEqual(yield* stateAfter(5_000), "Conflict")
        world.fail("getUpdates", null)
        world.pollMs = 25_000
        assert.strictEqual(yield* stateAfter(10_000), "Polling.Contested")
        assert.isTrue(open.has("telegram.conflict"))
        assert.strictEqual(yield* stateAfter(25_000), "Polling")
        assert.deepStrictEqual([node().tags.includes("degraded"), open.size], [false, 0])
      })
    )
  )

  it.effect("[poll] an answer that is too long is asked for in smaller parts, and in larger ones again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, stateAfter, world } = yield* openWorld()
        world.longFrom = 8
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(1), "Polling")
        assert.deepStrictEqual(world.asked, [40, 20, 10, 5])
        world.longFrom = Number.POSITIVE_INFINITY
        yield* stateAfter(100_000)
        assert.deepStrictEqual(world.asked.slice(4), [10, 20, 40, 40])
      })
    )
  )

  it.effect("[webhook] one that is another's, or whose updates pile up, is replaced as well", () =>
    Effect.scoped(
      Effect.gen(function* () {
        for (const webhook of [
          { ...fine, url: "https://elsewhere.example/" },
          { ...fine, pending: 21 }
        ]) {
          const { availability, node, stateAfter, world } = yield* openWorld(hook)
          world.webhook = webhook
          availability.mark("available")
          yield* stateAfter(15_001)
          assert.strictEqual(node().state, "Polling", JSON.stringify(webhook))
        }
      })
    )
  )
})

describe("the incident: updates arrive and nobody answers", () => {
  it.effect("is degraded with the reason within 30 s, alerted, and over when they are answered", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, open, stateAfter, world } = yield* openWorld()
        availability.mark("available")
        yield* stateAfter(10)
        assert.notInclude(node().tags, "degraded")
        // Stored at 0; the clock of the database is the test's.
        for (let nowMs = 0; nowMs <= 30_000; nowMs += 1_000) {
          world.figures = { ...plainFigures, waiting: 3, oldestWaitingMs: 0, nowMs }
          yield* stateAfter(1_000)
        }
        assert.match(
          node().state,
          /^Polling\.Unanswered \(3 updates are stored and not handled, the oldest for \d+ s\)$/
        )
        assert.include(node().tags, "degraded")
        assert.strictEqual(open.get("telegram.unanswered")?.severity, "HIGH")
        world.figures = plainFigures
        assert.strictEqual(yield* stateAfter(5_001), "Polling")
        assert.deepStrictEqual([node().tags.includes("degraded"), open.size], [false, 0])
      })
    )
  )
})

describe("the self-test", () => {
  const test: SelfTest = {
    chat: 7,
    by: "schedule",
    status: "sent",
    atMs: 0,
    settledMs: 1_000,
    messageId: 41,
    reason: null,
    isOver: false
  }
  it.effect("is made at once, looked for each minute, and shown with the number that Telegram gave it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, stateAfter, world } = yield* openWorld()
        world.figures = { ...plainFigures, tests: [test] }
        availability.mark("available")
        assert.strictEqual(yield* stateAfter(60_001), "Polling")
        assert.deepStrictEqual(world.tested, [
          [7, "schedule", 86_400_000],
          [7, "schedule", 86_400_000]
        ])
        assert.deepStrictEqual(node().detail["self_test"], [
          {
            chat: 7,
            by: "schedule",
            at: "1970-01-01T00:00:00.000Z",
            result: "delivered",
            delivered_at: "1970-01-01T00:00:01.000Z",
            message_id: 41,
            reason: null
          }
        ])
      })
    )
  )
  it.effect.each<[string, object]>([
    ["null", { selfTestEveryMs: null }],
    ["quiet hours", { quiet: { from: "00:00", to: "01:00" } }]
  ])("[%s] is made by nobody but an operator", ([, more]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, stateAfter, world } = yield* openWorld(null, more)
        availability.mark("available")
        yield* stateAfter(120_000)
        assert.deepStrictEqual(world.tested, [])
      })
    )
  )
  it.effect.each<[string, Partial<SelfTest>, RegExp]>([
    ["waits", { status: "waiting", settledMs: null, messageId: null, atMs: -91_000 }, /for 91 s/],
    [
      "refused",
      { status: "dropped", messageId: null, reason: "Bad Request: chat not found" },
      /chat not found/
    ],
    ["no number", { messageId: null }, /named no message/]
  ])("[%s] is degraded with the reason, an alert, and over with the next message", ([, change, words]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, open, stateAfter, world } = yield* openWorld()
        const failed = { ...test, ...change }
        world.figures = { ...plainFigures, tests: [failed] }
        availability.mark("available")
        yield* stateAfter(5_001)
        assert.match(node().state, /^Polling\.Undelivered \(the self-test did not reach 7: /)
        assert.match(node().state, words)
        assert.include(node().tags, "degraded")
        assert.match(open.get("telegram.undelivered")?.message ?? "", words)
        assert.include(JSON.stringify(node().detail["self_test"]), '"result":"failed"')
        world.figures = { ...plainFigures, tests: [{ ...failed, isOver: true }] }
        assert.strictEqual(yield* stateAfter(5_001), "Polling")
        assert.strictEqual(open.size, 0)
      })
    )
  )
})

describe("people are not told", () => {
  it.effect.each<[string, Partial<TelegramFigures>, RegExp]>([
    [
      "an alert waits to be sent",
      { oldestAlertMs: -91_000, unsent: 3 },
      /3 messages wait to be sent, the oldest alert for/
    ],
    [
      "a chat was left",
      { dropped: [{ chat: 7, reason: "Forbidden: bot was kicked", atMs: -86_400_000 }] },
      /the last message to 7 was not delivered: Forbidden: bot was kicked/
    ],
    [
      "a message was lost",
      { dropped: [{ chat: 7, reason: "can't parse entities", atMs: -1_000 }] },
      /can't parse/
    ]
  ])("[%s] is degraded with the reason, alerted, and over when it is over", ([, figures, words]) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { availability, node, open, stateAfter, world } = yield* openWorld()
        world.figures = { ...plainFigures, ...figures }
        availability.mark("available")
        yield* stateAfter(5_001)
        assert.match(node().state, /^Polling\.Undelivered \(/)
        assert.match(node().state, words)
        assert.include(node().tags, "degraded")
        assert.strictEqual(open.get("telegram.undelivered")?.severity, "HIGH")
        world.figures = { ...plainFigures, dropped: [{ chat: 7, reason: "too old", atMs: -3_600_001 }] }
        assert.strictEqual(yield* stateAfter(5_001), "Polling")
        assert.deepStrictEqual([node().tags.includes("degraded"), open.size], [false, 0])
      })
    )
  )
})
