/**
 * Telegram self-test: makes the messages that show whether messages arrive, as often as the settings say and when an operator asks.
 *
 * What came of them is in their rows, which health reads; so it outlives the process, and another process sees it.
 *
 * Promises: one test of a chat at a time; without sound; none in quiet hours unless somebody asks.
 * Never: sends; judges what came of a test.
 */
import { Clock, Effect } from "effect"
import { CommandRefused, type CommandRequest } from "../../domain/control/commands.ts"
import { isOn } from "../../domain/kernel/flags.ts"
import type { TelegramSettings } from "../../domain/kernel/settings.ts"
import { alertChats } from "../../domain/operators/telegram-access.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { quietAt } from "../../domain/operators/telegram-quiet.ts"
import { SCHEDULED, selfTestHtml } from "../../domain/operators/telegram-self-test.ts"
import { TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { notFound } from "./command-operations.ts"
import { messageCall } from "./telegram-reply.ts"

/** `everyMs`: not where a test was made so recently; null: however recently. Returns how many were made. */
const makeTests = (settings: TelegramSettings, by: string, everyMs: number | null) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const wake = yield* Wake
    const html = selfTestHtml(by, settings.selfTestEveryMs)
    const made = yield* store.testSelf(alertChats(settings), by, everyMs, (chat) =>
      messageCall(chat, { html }, null, true)
    )
    if (made > 0) wake.notify("telegram-messages")
    return made
  })

/** Runs as long as the component does. */
export const scheduleTests = (path: string, settings: TelegramSettings) =>
  Effect.forever(
    Effect.gen(function* () {
      const { isQuiet } = quietAt(settings.quiet, yield* Clock.currentTimeMillis)
      const { flags } = yield* Config
      if (settings.selfTestEveryMs !== null && !isQuiet && isOn(flags, "telegram_self_test"))
        yield* makeTests(settings, SCHEDULED, settings.selfTestEveryMs)
      return telegramLimits.selfTestLookMs
    }).pipe(
      // The component starts before its database does: the first test does not wait for the look after the next.
      Effect.catchTag("DatabaseUnavailable", () => Effect.succeed(telegramLimits.retryFirstMs)),
      Effect.catchTag("DatabaseFault", (error) =>
        Effect.as(
          logEvent("warn", "telegram.not_tested", error.message, { component: path }),
          telegramLimits.selfTestLookMs
        )
      ),
      Effect.flatMap(Effect.sleep)
    )
  )

/** The command: a test now. What came of it is in health. */
export const testTelegram = ({ caller: { by } }: CommandRequest<"telegram.test">) =>
  Effect.gen(function* () {
    const { telegram } = yield* Config
    if (telegram.token === null) return yield* notFound
    if (alertChats(telegram).length === 0)
      return yield* new CommandRefused({
        kind: "conflict",
        reason: "no_chat",
        message: "no chat of the bot gets alerts"
      })
    return { status: "ACCEPTED", made: yield* makeTests(telegram, by, null) }
  })
