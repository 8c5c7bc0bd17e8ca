/**
 * Telegram actor: the bot, its machine joined with the Bot API and its rows.
 *
 * Promises: an update is stored before the next poll confirms it; a poll whose answer would be too long asks for less; a webhook that
 * failed is good again when a post has arrived through it, of Telegram or of ours; its status shows the real path: received, handled,
 * oldest unhandled, last reply, the last self-test, and what Telegram reports of the webhook.
 * Never: puts the token anywhere but into the call.
 */
import { Clock, Effect, Redacted } from "effect"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { TelegramSettings } from "../../domain/kernel/settings.ts"
import { telegramSecret } from "../../domain/intake/telegram-secret.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { selfTestShown } from "../../domain/operators/telegram-self-test.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { settingsMask } from "../../layers/platform/config-mask.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { ControlToken } from "../../layers/platform/control-token.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { FAULT_POINTS, faultPoint } from "../../layers/platform/fault-point.ts"
import { TelegramInbox } from "../../layers/intake/telegram-inbox.port.ts"
import { Wake } from "../../layers/platform/wake.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
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
import type { Handling } from "./telegram-handle.ts"
import { notifyAlerts } from "./telegram-notify.ts"
import { measurePath } from "./telegram-path.ts"
import { scheduleTests } from "./telegram-self-test.ts"
import { sendCalls } from "./telegram-send.ts"
import { handleUpdates } from "./telegram-updates.ts"

/** What updates we ask for; everything else stays with Telegram. */
const ALLOWED = ["message", "callback_query"]

/** What one incarnation has seen so far. */
interface Seen {
  figures: TelegramFigures | null
  strangers: number
  unmade: number
  botName: string | null
  /** How many updates a poll asks for. */
  pollMax: number
  /** When the webhook was set, on our clock and on that of the rows. */
  webhookSinceMs: number
  webhookSinceRowsMs: number
}

/** The updates of one poll: fewer are asked for while they are too long, and more again afterwards. */
const fetchUpdates = (seen: Seen) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const store = yield* TelegramStore
    const offset = yield* store.nextOffset
    for (;;) {
      const asked = yield* Effect.result(api.updates(offset, seen.pollMax, ALLOWED))
      if (asked._tag === "Success") {
        seen.pollMax = Math.min(telegramLimits.pollUpdatesMax, seen.pollMax * 2)
        return asked.success
      }
      if (asked.failure.kind !== "long" || seen.pollMax === 1) return yield* asked.failure
      seen.pollMax = Math.floor(seen.pollMax / 2)
    }
  })

/** One long poll: what it brings is stored before the next one confirms it. */
const poll = (seen: Seen) =>
  Effect.gen(function* () {
    const inbox = yield* TelegramInbox
    const wake = yield* Wake
    const beganMs = yield* Clock.currentTimeMillis
    const updates = yield* fetchUpdates(seen)
    const ms = (yield* Clock.currentTimeMillis) - beganMs
    if (updates.length === 0) return { stored: 0, ms }
    faultPoint(FAULT_POINTS.telegramReceived, String(updates[0]?.updateId))
    const stored = yield* inbox.receive("poll", updates)
    wake.notify("telegram-updates")
    return { stored, ms }
  })

/** Tells Telegram where to post, and with which secret. */
const openWebhook = ({ token, webhookUrl }: TelegramSettings, seen: Seen) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const store = yield* TelegramStore
    seen.webhookSinceMs = yield* Clock.currentTimeMillis
    seen.webhookSinceRowsMs = (yield* store.figures).nowMs
    yield* api.call("setWebhook", {
      url: webhookUrl,
      secret_token: token === null ? "" : telegramSecret(Redacted.value(token)),
      allowed_updates: ALLOWED
    })
  })

/** Why nothing has come through the webhook since it was set: neither a post of Telegram nor one of our own. Null: something has. */
const unproven = (url: string, seen: Seen) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const store = yield* TelegramStore
    const entropy = yield* Entropy
    const { lastWebhookMs } = yield* store.figures
    if (lastWebhookMs !== null && lastWebhookMs > seen.webhookSinceRowsMs) return null
    const probed = yield* Effect.result(api.probe(url, entropy.uuid()))
    return probed._tag === "Success"
      ? null
      : `nothing came through it, and a post of our own got: ${probed.failure.reason}`
  })

/** Whole seconds on both sides: Telegram's clock, and what it dates. */
const SECONDS_TOLD_MS = 2_000

/** What is wrong with the webhook, by what Telegram reports of it since it was set here. `proof`: nothing being wrong is not enough. */
const verify = (url: string | null, seen: Seen, proof: boolean) =>
  Effect.gen(function* () {
    const api = yield* TelegramApi
    const { lastError, lastErrorMs, pending, url: set } = yield* api.webhook
    const nowMs = yield* Clock.currentTimeMillis
    if (url === null || set !== url) return { trouble: "another webhook was set" }
    if (pending > telegramLimits.webhookPendingMax) return { trouble: `${pending} updates wait at Telegram` }
    const isRecent =
      lastErrorMs !== null &&
      lastErrorMs >= seen.webhookSinceMs - SECONDS_TOLD_MS &&
      nowMs - lastErrorMs <= telegramLimits.webhookErrorMs
    if (isRecent && pending > 0) return { trouble: lastError ?? "an error without words" }
    return { trouble: proof ? yield* unproven(url, seen) : null }
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
        const ended = [
          "telegram.credentials_refused",
          // That one poll was not disturbed does not mean that nobody else polls.
          ...(context.contested ? [] : ["telegram.conflict"]),
          // While polling stands in for it, the webhook still fails.
          ...(via === "webhook" || !context.fallback ? ["telegram.webhook_failing"] : [])
        ]
        run(alerts.resolve(ended, "the bot receives updates"))
        if (announced === via || context.contested) return
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

const detailOf = (context: TelegramContext, { figures, strangers, unmade }: Seen) => ({
  attempt: context.attempt,
  fallback: context.fallback,
  contested: context.contested,
  webhook_trouble: context.webhookTrouble,
  unanswered: context.unanswered,
  undelivered: context.undelivered,
  strangers,
  replies_not_made: unmade,
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
        last_reply_at: isoOf(figures.lastReplyMs),
        self_test: figures.tests.map((test) => selfTestShown(test, figures.nowMs))
      })
})

/** The state as an operator reads it: that commands are unanswered, or nobody is told, is more than how updates come. */
const nameOf = (state: unknown, { contested, unanswered, undelivered }: TelegramContext): string => {
  const name = typeof state === "string" ? state : "Polling"
  if (unanswered !== null) return `${name}.Unanswered (${unanswered})`
  if (undelivered !== null) return `${name}.Undelivered (${undelivered})`
  return contested && name === "Polling" ? `${name}.Contested` : name
}

/** What is wrong although updates come; null: nothing, or what the failed call says. */
const troubleOf = ({ contested, lastError, unanswered, undelivered }: TelegramContext): string | null =>
  unanswered ??
  undelivered ??
  (contested && lastError === null ? "another program polls with the token of the bot" : null)

const familiesOf = ({ figures, strangers, unmade }: Seen) => [
  {
    name: "holdfast_telegram_strangers_total",
    help: "Messages and presses of people whom the settings do not name.",
    type: "counter" as const,
    samples: [{ labels: {}, value: strangers }]
  },
  {
    name: "holdfast_telegram_replies_not_made_total",
    help: "Replies that were not made, because too many wait for their chat.",
    type: "counter" as const,
    samples: [{ labels: {}, value: unmade }]
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

/** The effects of the machine. */
const effectsOf = (path: string, handling: Handling, seen: Seen) => {
  const { settings } = handling
  return {
    watchDatabase: watchDatabase(),
    handling: streamActor("telegram.handling", () => handleUpdates(handling)),
    sending: streamActor("telegram.sending", () => sendCalls(path, settings)),
    notifying: streamActor("telegram.notifying", () =>
      Effect.raceFirst(notifyAlerts(path, settings), scheduleTests(path, settings))
    ),
    measuring: streamActor("telegram.measuring", ({ send }) =>
      measurePath(
        path,
        (figures) => {
          seen.figures = figures
        },
        (trouble) => send({ type: "path.measured", ...trouble })
      )
    ),
    check: effectActor("telegram.check", () =>
      Effect.gen(function* () {
        const api = yield* TelegramApi
        const wake = yield* Wake
        seen.botName = yield* api.botName
        // Commands that name their bot waited for this.
        wake.notify("telegram-updates")
      })
    ),
    closeWebhook: effectActor("telegram.close_webhook", () =>
      Effect.asVoid(
        Effect.flatMap(TelegramApi, (api) => api.call("deleteWebhook", { drop_pending_updates: false }))
      )
    ),
    openWebhook: effectActor("telegram.open_webhook", () => openWebhook(settings, seen)),
    verify: effectActor("telegram.verify", ({ proof }: { readonly proof: boolean }) =>
      verify(settings.webhookUrl, seen, proof)
    ),
    poll: effectActor("telegram.poll", () => poll(seen))
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
    const seen: Seen = {
      figures: null,
      strangers: 0,
      unmade: 0,
      botName: null,
      pollMax: telegramLimits.pollUpdatesMax,
      webhookSinceMs: 0,
      webhookSinceRowsMs: 0
    }
    const handling: Handling = {
      path: self.path,
      settings,
      mask,
      botName: () => seen.botName,
      strangers: new Map(),
      countStranger: () => {
        seen.strangers += 1
      },
      countUnmade: (count) => {
        seen.unmade += count
      }
    }
    const show = () => shown.show(self.path, () => familiesOf(seen))
    yield* Effect.acquireRelease(Effect.sync(show), (withdraw) => Effect.sync(withdraw))
    return yield* machineChild({
      machine: telegramMachine,
      input: { wantsWebhook: settings.webhookUrl !== null },
      actors: effectsOf(self.path, handling, seen),
      actions: yield* voices(self.path),
      status: ({ context, tags, value }) => {
        const trouble = troubleOf(context)
        const isDegraded = context.fallback || context.contested || trouble !== null
        return {
          state: nameOf(value, context),
          tags: isDegraded ? [...new Set<string>([...tags, "degraded"])] : [...tags],
          ...(trouble === null ? {} : { lastError: trouble }),
          detail: detailOf(context, seen)
        }
      }
    })(self)
  })
