/**
 * What handles and what sends for the bot, over rows in memory and everything else a test's, on a virtual clock.
 *
 * Chat 7 and chat 8 are operators, -9 is a group of operators in which both are.
 */
import { assert } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { notifyAlerts } from "../../../src/actors/operators/telegram-notify.ts"
import { sendCalls } from "../../../src/actors/operators/telegram-send.ts"
import type { Handling } from "../../../src/actors/operators/telegram-handle.ts"
import { handleUpdates } from "../../../src/actors/operators/telegram-updates.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Commands, type CommandsService } from "../../../src/layers/control/commands.port.ts"
import { DecisionReplays } from "../../../src/layers/decision/decision-replays.port.ts"
import { HealthSource } from "../../../src/layers/health/health-source.port.ts"
import { JournalStore } from "../../../src/layers/health/journal-store.port.ts"
import { type Item, type ListName, ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { Market } from "../../../src/layers/market/market.port.ts"
import { TelegramApi, type TelegramFailed } from "../../../src/layers/operators/telegram-api.port.ts"
import { TelegramStore } from "../../../src/layers/operators/telegram-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import type { Feature } from "../../../src/domain/platform/resources.ts"
import { Shedding } from "../../../src/layers/platform/shedding.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { layerEntropy } from "../../support/entropy.ts"
import { settingsFrom } from "../../support/practice-settings.ts"
import { makeMemoryTelegram } from "../../support/telegram-store.memory.ts"

export const SELF = "root/operators/telegram"
const chats = { "7": { role: "operator" }, "8": { role: "operator" }, "-9": { role: "operator" } }

export interface BotParts {
  readonly give?: CommandsService["give"]
  /** Paths of components. */
  readonly components?: ReadonlyArray<string>
  readonly rows?: Readonly<Partial<Record<ListName, ReadonlyArray<Item>>>>
  /** Instead of `rows`: pages of lists. */
  readonly list?: ReadStore["Service"]["list"]
  readonly market?: Partial<Market["Service"]>
  /** What is shed. */
  readonly shed?: ReadonlyArray<Feature>
  /** More of the settings of the bot. */
  readonly telegram?: object
  /** What Telegram does with a call; takes it when left out. */
  readonly call?: (
    method: string,
    parameters: Readonly<Record<string, unknown>>
  ) => Effect.Effect<void, TelegramFailed>
}

export const openBot = (parts: BotParts = {}) =>
  Effect.gen(function* () {
    const memory = makeMemoryTelegram()
    const settings = settingsFrom({ telegram: { token: `42:${"x".repeat(35)}`, chats, ...parts.telegram } })
    const open = new Map<string, Alert>()
    const made: Array<{ readonly method: string; readonly chat: unknown }> = []
    const state = { botName: "bot" as string | null, unmade: 0 }
    const handling: Handling = {
      path: SELF,
      settings: settings.telegram,
      mask: (text) => text,
      botName: () => state.botName,
      strangers: new Map(),
      countStranger: () => undefined,
      countUnmade: (count) => {
        state.unmade += count
      }
    }
    const actors = (parts.components ?? []).map((path) => ({ path, type: "worker", ready: true }) as never)
    const services = Layer.mergeAll(
      Wake.layer,
      Shedding.layer,
      layerEntropy,
      DecisionReplays.layer.pipe(Layer.provide(layerEntropy)),
      Layer.succeed(Config, settings),
      Layer.succeed(TelegramStore, memory.store),
      Layer.mock(HealthSource, {
        actors: () => actors,
        timers: () => [],
        handEvents: () => [],
        send: () => Effect.void,
        health: () => assert.fail("nobody asks")
      }),
      Layer.mock(JournalStore, {}),
      Layer.mock(ReadStore, {
        list: parts.list ?? ((name) => Effect.succeed({ items: parts.rows?.[name] ?? [], nextCursor: null }))
      }),
      Layer.mock(Market, {
        quote: () => null,
        subscribe: () => true,
        status: () => assert.fail("nobody asks"),
        ...parts.market
      }),
      Layer.mock(Commands, { give: parts.give ?? (() => Effect.succeed({ body: {}, repeated: false })) }),
      Layer.mock(TelegramApi, {
        call: (method, parameters) =>
          Effect.suspend(() => {
            made.push({ method, chat: parameters["chat_id"] })
            return Effect.as(parts.call?.(method, parameters) ?? Effect.void, made.length)
          })
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
    const context = yield* Layer.build(services)
    Context.get(context, Shedding).assign(parts.shed ?? [])
    return {
      ...memory,
      open,
      made,
      state,
      handle: Effect.forkScoped(Effect.provide(handleUpdates(handling), context), { startImmediately: true }),
      notify: Effect.forkScoped(Effect.provide(notifyAlerts(SELF, settings.telegram), context), {
        startImmediately: true
      }),
      send: Effect.forkScoped(Effect.provide(sendCalls(SELF, settings.telegram), context), {
        startImmediately: true
      })
    }
  })
