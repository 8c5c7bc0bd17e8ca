/**
 * Telegram actor: the bot, its machine joined with the Bot API and its rows.
 *
 * Promises: an update is stored before the next poll confirms it; its status shows the real path: received, handled, oldest
 * unhandled, last reply, and what Telegram reports of the webhook.
 * Never: puts the token anywhere but into the call.
 */
import { Clock, Effect, Redacted } from "effect"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { TelegramSettings } from "../../domain/kernel/settings.ts"
import { telegramSecret } from "../../domain/intake/telegram-secret.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { settingsMask } from "../../layers/platform/config-mask.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { TelegramInbox } from "../../layers/intake/telegram-inbox.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { TelegramApi } from "../../layers/operators/telegram-api.port.ts"
import { type TelegramFigures, TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import type {
  TelegramAlert,
  TelegramContext,
  TelegramNews
} from "../../machines/operators/telegram.machine.ts"
import { telegramMachine } from "../../machines/operators/telegram.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { type Handling, handleUpdates } from "./telegram-handle.ts"
import { notifyAlerts } from "./telegram-notify.ts"
import { measurePath } from "./telegram-path.ts"
import { sendCalls } from "./telegram-send.ts"

/** What updates we ask for; everything else stays with Telegram. */
const ALLOWED = ["message", "callback_query"]

/** One long poll: what it brings is stored before the next one confirms it. */
const poll = Effect.gen(function* () {
  const api = yield* TelegramApi
  const inbox = yield* TelegramInbox
  const store = yield* TelegramStore
  const wake = yield* Wake
  const updates = yield* api.updates(yield* store.nextOffset, ALLOWED)
  if (updates.length === 0) return 0
  faultPoint(FAULT_POINTS.telegramReceived, String(updates[0]?.updateId))
  const stored = yield* inbox.receive("poll", updates)
  wake.notify("telegram-updates")
  return stored
})

/** Tells Telegram where to post, and with which secret. */
const openWebhook = ({ token, webhookUrl }: TelegramSettings) =>
  Effect.flatMap(TelegramApi, (api) =>
    api.call("setWebhook", {
      url: webhookUrl,
      secret_token: token === null ? "" : telegramSecret(Redacted.value(token)),
      allowed_updates: ALLOWED
    })
  )

/** What is wrong with the webhook, by what Telegram reports of it since it was set here. */
const verify = (url: string | null, sinceMs: number) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const { lastError, lastErrorMs, pending, url: set } = yield* api.webhook
    const nowMs = yield* Clock.currentTimeMillis
    if (set !== url) return { trouble: "another webhook was set" }
    if (pending > telegramLimits.webhookPendingMax) return { trouble: `${pending} updates wait at Telegram` }
    // Telegram tells whole seconds.
    const isRecent =
      lastErrorMs !== null &&
      lastErrorMs >= sinceMs - 1_000 &&
      nowMs - lastErrorMs <= telegramLimits.webhookErrorMs
    return { trouble: isRecent && pending > 0 ? (lastError ?? "an error without words") : null }
  })

/** Actions of the machine that leave it. */
const voices = (component: string) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const run = Effect.runSyncWith(yield* Effect.context())
    let announced: TelegramNews["via"] | null = null
    return {
      raise: (_of: unknown, { kind, message, severity }: TelegramAlert) => {
        announced = null
        run(alerts.raise({ kind, message, severity, component, dedupKey: kind, standing: true }))
      },
      logNews: ({ context }: { readonly context: TelegramContext }, { via }: TelegramNews) => {
        const over = ["telegram.credentials_refused", "telegram.conflict"]
        // While polling stands in for it, the webhook still fails.
        const ended = via === "webhook" || !context.fallback ? [...over, "telegram.webhook_failing"] : over
        run(alerts.resolve(ended, "the bot receives updates"))
        if (announced === via) return
        announced = via
        run(
          logEvent(
            "info",
            "telegram.receiving",
            `the bot receives updates by ${via === "poll" ? "polling" : "webhook"}`,
            {
              component,
              via
            }
          )
        )
      }
    }
  })

const detailOf = (context: TelegramContext, figures: TelegramFigures | null, strangers: number) => ({
  attempt: context.attempt,
  fallback: context.fallback,
  webhook_trouble: context.webhookTrouble,
  unanswered: context.unanswered,
  strangers,
  ...(figures === null
    ? {}
    : {
        received: figures.received,
        handled: figures.processed,
        dead: figures.dead,
        waiting: figures.waiting,
        oldest_waiting_at: isoOf(figures.oldestWaitingMs),
        unsent: figures.unsent,
        last_received_at: isoOf(figures.lastReceivedMs),
        last_reply_at: isoOf(figures.lastReplyMs)
      })
})

/** The state as an operator reads it: that commands are unanswered is more than how they come. */
const nameOf = (state: unknown, { unanswered }: TelegramContext): string => {
  const name = typeof state === "string" ? state : "Polling"
  return unanswered === null ? name : `${name}.Unanswered (${unanswered})`
}

const familiesOf = (figures: TelegramFigures | null, strangers: number) => [
  {
    name: "holdfast_telegram_strangers_total",
    help: "Messages and presses of people whom the settings do not name.",
    type: "counter" as const,
    samples: [{ labels: {}, value: strangers }]
  },
  ...(figures === null
    ? []
    : [
        {
          name: "holdfast_telegram_waiting_updates",
          help: "Updates of the bot that are stored and not handled.",
          type: "gauge" as const,
          samples: [{ labels: {}, value: figures.waiting }]
        },
        {
          name: "holdfast_telegram_unsent_messages",
          help: "Messages of the bot that wait to be sent.",
          type: "gauge" as const,
          samples: [{ labels: {}, value: figures.unsent }]
        }
      ])
]

/** What one incarnation has seen so far. */
interface Seen {
  figures: TelegramFigures | null
  strangers: number
  botName: string
  webhookSinceMs: number
}

/** The effects of the machine. */
const effectsOf = (path: string, handling: Handling, seen: Seen) => {
  const { settings } = handling
  return {
    watchDatabase: watchDatabase(),
    handling: streamActor("telegram.handling", () => handleUpdates(handling)),
    sending: streamActor("telegram.sending", () => sendCalls(path)),
    notifying: streamActor("telegram.notifying", () => notifyAlerts(path, settings)),
    measuring: streamActor("telegram.measuring", ({ send }) =>
      measurePath(
        path,
        (figures) => {
          seen.figures = figures
        },
        (unanswered) => send({ type: "path.measured", unanswered })
      )
    ),
    check: effectActor("telegram.check", () =>
      Effect.gen(function* () {
        const api = yield* TelegramApi
        seen.botName = yield* api.botName
      })
    ),
    closeWebhook: effectActor("telegram.close_webhook", () =>
      Effect.flatMap(TelegramApi, (api) => api.call("deleteWebhook", { drop_pending_updates: false }))
    ),
    openWebhook: effectActor("telegram.open_webhook", () =>
      Effect.gen(function* () {
        seen.webhookSinceMs = yield* Clock.currentTimeMillis
        yield* openWebhook(settings)
      })
    ),
    verify: effectActor("telegram.verify", () => verify(settings.webhookUrl, seen.webhookSinceMs)),
    poll: effectActor("telegram.poll", () => poll)
  }
}

/** The component `root/operators/telegram`. */
export const telegramActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const configuration = yield* Config
    const token = yield* ControlToken
    const shown = yield* Figures
    const { telegram: settings } = configuration
    const configured = settingsMask(configuration)
    const mask: Mask = (text) => configured(token.mask(text))
    const seen: Seen = { figures: null, strangers: 0, botName: "", webhookSinceMs: 0 }
    const handling: Handling = {
      path: self.path,
      settings,
      mask,
      botName: () => seen.botName,
      strangers: new Map(),
      countStranger: () => {
        seen.strangers += 1
      }
    }
    const show = () => shown.show(self.path, () => familiesOf(seen.figures, seen.strangers))
    yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
    return yield* machineChild({
      machine: telegramMachine,
      input: { wantsWebhook: settings.webhookUrl !== null },
      actors: effectsOf(self.path, handling, seen),
      actions: yield* voices(self.path),
      status: ({ context, tags, value }) => ({
        state: nameOf(value, context),
        tags:
          context.fallback || context.unanswered !== null
            ? [...new Set<string>([...tags, "degraded"])]
            : [...tags],
        ...(context.unanswered === null ? {} : { lastError: context.unanswered }),
        detail: detailOf(context, seen.figures, seen.strangers)
      })
    })(self)
  })
