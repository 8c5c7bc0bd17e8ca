/**
 * The webhook of the bot: Telegram posts an update, and is answered when it is stored.
 *
 * What an update asks for is done later and elsewhere (actors/operators/telegram-handle.ts). A bot that handled it here would be
 * posted the same update again whenever that took long, and forever when it failed.
 *
 * Promises: nothing is read of a post without the secret, which is compared in constant time; 200 only for what is durable; a
 * repetition is 200 and stored once; a probe of our own bot is answered with its word, and nothing is stored.
 * Never: says why a post was refused.
 * Failure: 503 with Retry-After while nothing can be stored; Telegram posts it again.
 */
import { Effect, Redacted } from "effect"
import { telegramSecret } from "../../domain/intake/telegram-secret.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { telegramEnvelope, telegramProbe } from "../../wire/telegram.ts"
import { postTelegramUpdate } from "../../wire/telegram-endpoints.ts"
import { TelegramInbox, type TelegramInboxService } from "../intake/telegram-inbox.port.ts"
import { Config } from "../platform/config.port.ts"
import { readLimits } from "../platform/http-limits.ts"
import { Wake, type WakeService } from "../platform/wake.port.ts"
import { equalSecrets } from "./http.authentication.ts"
import { readBody, refuseUnread } from "./http.body.ts"
import { answerJson, type Exchange, refuse, retryAfter } from "./http.exchange.ts"
import type { Handling } from "./http.front.ts"
import { Refused, type Route } from "./http.route.ts"

interface Parts {
  /** Null: the settings have no webhook, so there is no such place. */
  readonly secret: string | null
  readonly inbox: TelegramInboxService
  readonly wake: WakeService
}

const updateIn = (body: Buffer) => {
  try {
    return telegramEnvelope.safeParse(JSON.parse(body.toString("utf8")))
  } catch {
    // Not from Telegram, whatever its secret: the caller refuses it.
    return { success: false } as const
  }
}

const store = ({ inbox, wake }: Parts, exchange: Exchange, body: Buffer) => {
  const update = updateIn(body)
  if (!update.success)
    return Effect.sync(() => refuse(exchange, 400, { errors: [{ path: "", message: "must be an update" }] }))
  // Our own bot asks whether posts arrive here.
  const probed = telegramProbe.safeParse(update.data)
  if (probed.success)
    return Effect.sync(() => answerJson(exchange, 200, { ok: true, probe: probed.data.probe }))
  const received = { updateId: update.data.update_id, body: JSON.stringify(update.data) }
  return inbox.receive("webhook", [received]).pipe(
    Effect.andThen(
      Effect.sync(() => {
        answerJson(exchange, 200, { ok: true })
        wake.notify("telegram-updates")
      })
    ),
    Effect.catchTag(["DatabaseUnavailable", "DatabaseFault"], (error) =>
      Effect.andThen(
        logEvent("warn", "telegram.not_stored", `an update was not stored: ${error.message}`, {
          component: "root/http",
          update_id: received.updateId
        }),
        Effect.sync(() => refuse(exchange, 503, {}, retryAfter))
      )
    )
  )
}

const take = (parts: Parts, exchange: Exchange, handling: Handling): void => {
  const { expectsContinue } = handling
  if (parts.secret === null) return refuseUnread(exchange, 404, {}, {}, expectsContinue)
  const given = exchange.request.headers["x-telegram-bot-api-secret-token"]
  if (typeof given !== "string" || !equalSecrets(given, parts.secret))
    return refuseUnread(exchange, 401, {}, {}, expectsContinue)
  if (expectsContinue) exchange.response.writeContinue()
  return readBody(exchange, readLimits.telegramBytesMax, (body) => {
    if (body === "gone") return exchange.response.destroy()
    if (body === "too_large") return refuseUnread(exchange, 413)
    if (body === "too_slow") return refuseUnread(exchange, 408, {}, { connection: "close" })
    if (body === "no_room") return refuseUnread(exchange, 503)
    return handling.run(store(parts, exchange, body))
  })
}

/** The route of this file; a stream, because its body is read after its secret only. */
export const telegramRoutes: Effect.Effect<
  ReadonlyArray<Route>,
  never,
  Config | TelegramInbox | Wake
> = Effect.gen(function* () {
  const { telegram } = yield* Config
  const inbox = yield* TelegramInbox
  const wake = yield* Wake
  const secret =
    telegram.token === null || telegram.webhookUrl === null
      ? null
      : telegramSecret(Redacted.value(telegram.token))
  const parts: Parts = { secret, inbox, wake }
  return [
    {
      endpoint: postTelegramUpdate,
      deadlineMs: readLimits.routeMs,
      stream: (exchange, handling) => {
        take(parts, exchange, handling)
        return true
      },
      handle: () => Effect.fail(new Refused({ status: 404 }))
    }
  ]
})
