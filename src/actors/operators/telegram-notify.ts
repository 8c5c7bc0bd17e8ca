/**
 * Telegram notification: alerts on the phones of operators.
 *
 * The table of alerts is the queue: an alert is marked in the transaction that makes its messages. So nothing is in memory that a
 * crash could lose, and while Telegram is away alerts stay where they are and become few messages afterwards.
 *
 * Promises: an alert makes messages once for each chat, and again when its severity rises; for a chat of which enough wait no more are
 * made, and its alerts wait; every CRITICAL one is named; without a chat that gets alerts none is marked as sent.
 * Never: raises an alert about an alert.
 */
import { Clock, Effect } from "effect"
import { alertChats } from "../../domain/operators/telegram-access.ts"
import { alertMessages, type SentAlert } from "../../domain/operators/telegram-alerts.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { quietAt } from "../../domain/operators/telegram-quiet.ts"
import { runKey } from "../../domain/operators/telegram-words.ts"
import type { TelegramSettings } from "../../domain/kernel/settings.ts"
import { TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { askApprovals } from "./telegram-approvals.ts"
import { messageCall } from "./telegram-reply.ts"

/** What a chat is sent about these alerts. */
const callsOf = (settings: TelegramSettings, chat: number, alerts: ReadonlyArray<SentAlert>) =>
  alertMessages(settings, alerts).map(({ alertId, html, isSilent }) => {
    const keys = alertId === null ? [] : runKey("Acknowledge", `/ack ${alertId}`)
    return messageCall(chat, { html, ...(keys.length === 0 ? {} : { keys: [keys] }) }, null, isSilent)
  })

const look = (settings: TelegramSettings) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const wake = yield* Wake
    const chats = alertChats(settings)
    if (chats.length === 0) return
    const now = quietAt(settings.quiet, yield* Clock.currentTimeMillis)
    const count = yield* store.notifyAlerts(chats, now, (chat, alerts) => callsOf(settings, chat, alerts))
    if (count > 0) wake.notify("telegram-messages")
  })

/** Runs as long as the component does. */
export const notifyAlerts = (path: string, settings: TelegramSettings) =>
  Effect.forever(
    Effect.andThen(
      Effect.andThen(askApprovals(settings), look(settings)).pipe(
        Effect.catchTag("DatabaseUnavailable", () => Effect.void),
        Effect.catchTag("DatabaseFault", (error) =>
          logEvent("warn", "telegram.not_notified", error.message, { component: path })
        )
      ),
      Effect.sleep(telegramLimits.alertsEveryMs)
    )
  )
